//! Defines the command line for clap.

mod ask;
mod bench;
mod check;
mod compare;
mod display;
#[cfg(feature = "teach")]
mod lab;
mod limits;
mod listen_address;
mod parse;
mod query;
mod seconds;
mod serve;
#[cfg(feature = "teach")]
mod teach;
mod wire;
mod workers;

pub(super) use bench::Bench;
pub(super) use check::Check;
pub(super) use compare::Compare;
#[cfg(feature = "teach")]
pub(super) use compare::DEFAULT_TIMEOUT as DEFAULT_COMPARE_TIMEOUT;
#[cfg(feature = "teach")]
pub(super) use lab::{Lab, LabCommand, Run as LabRun, usage as usage_of_lab_run};
pub(super) use listen_address::ListenAddress;
pub(super) use parse::Parse;
pub(super) use query::{MAX_LIMIT, Query};
pub(super) use serve::{Inetd, Serve, ZoneOption};
#[cfg(feature = "teach")]
pub(super) use teach::{Drawn, Format, Grade, Key, Quiz, QuizFormat, Sheet};
pub(super) use wire::Wire;

use clap::{ArgAction, Args, CommandFactory, Error, FromArgMatches, Id, Parser, Subcommand};

/// Daytime protocol (RFC 867): server, clients, packet viewer, and a laboratory of stream and datagram
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, max_term_width = 80)]
#[command(after_help = "Exit status: 0 success, 1 failure, 2 wrong command line.")]
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
    /// Log more: -v logs events and, in serve, each client (at most 10 lines per
    /// second); -vv also logs the start and end of each connection. RUST_LOG
    /// selects modules
    #[arg(short, long, global = true, action = ArgAction::Count, display_order = 100)]
    pub verbose: u8,
    /// Log only errors, and show no progress; query prints only the reply, parse
    /// only the time
    #[arg(short, long, global = true, conflicts_with = "verbose", display_order = 101)]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve the time over TCP and UDP
    #[command(after_help = serve::HELP)]
    Serve(Box<Serve>),
    /// Ask servers for the time and print their replies
    #[command(after_help = query::HELP)]
    Query(Query),
    /// Ask a server over TCP and UDP, and show the differences
    #[command(after_help = compare::HELP)]
    Compare(Compare),
    /// Check that a server follows RFC 867 and is safe from abuse
    #[command(after_help = check::HELP)]
    Check(Check),
    /// Load a server: measure exchanges per second, latencies and losses
    #[command(after_help = bench::HELP)]
    Bench(Bench),
    /// Run experiments on stream and datagram, and compare predictions with results
    #[cfg(feature = "teach")]
    #[command(after_help = lab::HELP)]
    Lab(Lab),
    /// Read saved replies: syntax, time, and what is uncertain
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
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    /// clap would wrap a longer line and might leave a single word on the next line.
    #[test]
    fn every_line_after_the_options_of_a_help_text_fits_80_columns() {
        let definition = Arguments::command();
        let mut lines = 0;
        let all = definition
            .get_subcommands()
            .flat_map(|it| std::iter::once(it).chain(it.get_subcommands()));
        for command in all {
            let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in text.lines() {
                assert!(line.chars().count() <= 80, "{}: {line}", command.get_name());
                lines += 1;
            }
        }
        assert!(lines > 50, "only {lines} lines");
    }
}
