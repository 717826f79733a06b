//! The command line as clap reads it, and nothing else.

mod ask;
mod bench;
mod check;
mod compare;
mod display;
#[cfg(feature = "lab")]
mod lab;
mod limits;
mod listen_address;
mod parse;
mod query;
mod seconds;
mod serve;
mod wire;
mod workers;

pub(super) use bench::Bench;
pub(super) use check::Check;
pub(super) use compare::Compare;
#[cfg(feature = "lab")]
pub(super) use lab::{Lab, LabCommand, Run as LabRun, usage as usage_of_lab_run};
pub(super) use listen_address::ListenAddress;
pub(super) use parse::Parse;
pub(super) use query::{MAX_LIMIT, Query};
pub(super) use serve::{Inetd, Serve, ZoneOption};
pub(super) use wire::Wire;

use clap::{ArgAction, Args, CommandFactory, Error, FromArgMatches, Id, Parser, Subcommand};

/// The Daytime protocol (RFC 867): serve it, ask for it, read its replies, compare its two transports.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, max_term_width = 80)]
#[command(after_help = "Exit status: 0 good, 1 bad, 2 usage.")]
pub(super) struct Arguments {
    #[command(flatten)]
    pub verbosity: Verbosity,
    #[command(flatten)]
    pub display: display::Display,
    #[command(subcommand)]
    pub command: Command,
}

impl Arguments {
    /// Reads the command line of this process.
    pub(super) fn read() -> Result<Self, Error> {
        let matches = Self::command().try_get_matches()?;
        let mut arguments = Self::from_arg_matches(&matches)?;
        if let (Command::Serve(serve), Some((_, given))) =
            (&mut arguments.command, matches.subcommand())
        {
            let opener = given.get_many::<Id>(workers::OPENING).and_then(|mut ids| ids.next());
            serve.opener = opener.map(|id| format!("--{}", id.as_str().replace('_', "-")));
        }
        Ok(arguments)
    }
}

#[derive(Debug, Args)]
pub(super) struct Verbosity {
    /// Log more: -v events, and for serve each client (at most 10 lines a second),
    /// -vv also how each connection begins and ends (RUST_LOG is finer)
    #[arg(short, long, global = true, action = ArgAction::Count, display_order = 100)]
    pub verbose: u8,
    /// Log errors only; query prints only the reply, parse only the time,
    /// compare, check, bench and lab show no progress
    #[arg(short, long, global = true, conflicts_with = "verbose", display_order = 101)]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve the time over TCP and UDP until SIGINT or SIGTERM
    #[command(after_help = serve::HELP)]
    Serve(Box<Serve>),
    /// Ask servers for the time and print their replies
    #[command(after_help = query::HELP)]
    Query(Query),
    /// Ask a server over TCP and over UDP and show the difference
    #[command(after_help = compare::HELP)]
    Compare(Compare),
    /// Check that a server keeps RFC 867 and is a safe neighbour
    #[command(after_help = check::HELP)]
    Check(Check),
    /// Load a server: exchanges per second, latencies, losses
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Arguments::command().debug_assert();
    }
}
