//! The command line as clap reads it, and nothing else.

mod bench;
mod check;
mod compare;
#[cfg(feature = "lab")]
mod lab;
mod listen_on;
mod parse;
mod query;
mod serve;
mod wire;

pub(super) use bench::Bench;
pub(super) use check::Check;
pub(super) use compare::Compare;
#[cfg(feature = "lab")]
pub(super) use lab::{ALL as ALL_LABS, Lab, LabCommand, Run as LabRun};
pub(super) use listen_on::ListenOn;
pub(super) use parse::Parse;
pub(super) use query::{MAX_LIMIT, Query};
pub(super) use serve::{Inetd, Serve, ZoneOption};
pub(super) use wire::Wire;

use crate::client::Family;
use crate::transport::Transport;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use std::time::Duration;

/// The Daytime protocol (RFC 867): serve it, ask for it, read its replies, compare its two transports.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, max_term_width = 80)]
#[command(after_help = "Exit status: 0 good, 1 bad, 2 usage.")]
pub(super) struct Arguments {
    #[command(flatten)]
    pub verbosity: Verbosity,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Args)]
pub(super) struct Verbosity {
    /// Log more: -v what happens, for serve each client (10 lines a second at
    /// most), -vv also how each connection begins and ends (RUST_LOG is finer)
    #[arg(short, long, global = true, action = ArgAction::Count, display_order = 100)]
    pub verbose: u8,
    /// Log errors only; query prints the bare line, parse the bare time,
    /// compare, check, bench and lab show no progress
    #[arg(short, long, global = true, conflicts_with = "verbose", display_order = 101)]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Answer over TCP and UDP, until SIGINT or SIGTERM
    #[command(after_help = serve::HELP)]
    Serve(Box<Serve>),
    /// Ask servers and print what they answer
    #[command(after_help = query::HELP)]
    Query(Query),
    /// Ask the same over TCP and UDP and show the difference
    #[command(after_help = compare::HELP)]
    Compare(Compare),
    /// Try whether a server keeps RFC 867 and is a safe neighbour
    #[command(after_help = check::HELP)]
    Check(Check),
    /// Load a server: exchanges a second, latencies, losses
    #[command(after_help = bench::HELP)]
    Bench(Bench),
    /// Experiments on stream versus datagram: predict, run, and see
    #[cfg(feature = "lab")]
    #[command(after_help = lab::HELP)]
    Lab(Lab),
    /// Read saved replies: which syntax, which instant, what is uncertain
    #[command(after_help = parse::HELP)]
    Parse(Parse),
    /// Show the packets of exchanges, live or from a capture file
    #[command(after_help = wire::HELP)]
    Wire(Wire),
}

#[derive(Debug, Args)]
pub(super) struct Ask {
    /// Use IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    ipv4: bool,
    /// Use IPv6 only
    #[arg(short = '6', long)]
    ipv6: bool,
    /// Ask public addresses as fast as told, for servers of your own: else each
    /// gets 4 s between questions, and compare and bench refuse
    #[arg(long)]
    pub impolite: bool,
}

impl Ask {
    pub(super) fn family(&self) -> Family {
        match (self.ipv4, self.ipv6) {
            (true, _) => Family::V4,
            (_, true) => Family::V6,
            _ => Family::Any,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Proto {
    Tcp,
    Udp,
    Both,
}

impl Proto {
    pub(super) fn transports(self) -> Vec<Transport> {
        match self {
            Self::Tcp => vec![Transport::Tcp],
            Self::Udp => vec![Transport::Udp],
            Self::Both => Transport::BOTH.to_vec(),
        }
    }
}

/// A time above 0, up to a day.
pub(super) fn seconds(text: &str) -> Result<Duration, &'static str> {
    match seconds_or_none(text) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("not a number of seconds above 0 and up to 86400"),
    }
}

fn seconds_or_none(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=86_400.0).contains(seconds));
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or("not a number of seconds from 0 to 86400")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_holds_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn seconds_are_a_number_within_a_day() {
        assert_eq!(seconds("2.5"), Ok(Duration::from_millis(2500)));
        assert_eq!(seconds_or_none("0"), Ok(Duration::ZERO));
        for wrong in ["0", "-1", "nan", "inf", "1e9", "", "5s", "1e-30"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
