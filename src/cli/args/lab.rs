//! The command line of `daytime lab`.

use super::Arguments;
use super::teach;
use crate::lab::{Engine, LABS, LabOptions, Setting};
use crate::report::lab::Detail;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

pub(super) const HELP: &str = "\
Examples:
  daytime lab list
  daytime lab run exchange
  daytime lab run exchange --brief
  daytime lab run exchange --explain
  daytime lab run loss --drop 2 --seed 7
  daytime lab run loss --html loss.html

A lab asks one question, predicts what will be observed over TCP and over UDP,
and runs. Where theory has no formula for a value, the prediction is `observe`.
Engines: sim (two simulated hosts in virtual time: it repeats to the byte),
loopback (real sockets here), netns (real sockets in two namespaces).";

pub(super) const RUN_HELP: &str = "\
Without --engine a lab runs on its first engine, and `all` runs every lab on
each of its engines. If an engine cannot run here, the lab says why, and `all`
goes on. Exit status: 0 if every finding is as predicted, or varies as known on
this system; 1 if a finding differs, or if a lab that you named cannot run; 2 on
a usage error.

With --ask you predict, the lab runs, you enter what you observe, and read why
each answer is right or wrong. Without a terminal, standard input is a file of
answers as for --ask-from. A wrong answer does not change the exit status. It is
1 if the input ends early, or if the file cannot be used.";

/// The name that selects all labs on the command line.
const ALL: &str = "all";

#[derive(Debug, Args)]
pub(in crate::cli) struct Lab {
    #[command(subcommand)]
    pub command: LabCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum LabCommand {
    /// List every lab with its question, engines and options
    List {
        /// Print the list as JSON
        #[arg(long)]
        json: bool,
    },
    /// Run a lab and compare the result with the prediction
    #[command(after_help = RUN_HELP)]
    Run(Box<Run>),
    /// Write a sheet and an answer file for each student of a class
    #[command(after_help = teach::SHEET_HELP, override_usage = teach::SHEET_USAGE)]
    Sheet(teach::Sheet),
    /// Print the right answers of each student's sheet
    #[command(after_help = teach::KEY_HELP, override_usage = teach::KEY_USAGE)]
    Key(teach::Key),
    /// Grade answer files: points and feedback for each item
    #[command(after_help = teach::GRADE_HELP)]
    Grade(teach::Grade),
    /// Write a quiz for Moodle, Canvas or another learning-management system
    #[command(after_help = teach::QUIZ_HELP)]
    Quiz(teach::Quiz),
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(in crate::cli) struct Run {
    /// Labs to run
    #[arg(required = true, value_name = "NAME", value_parser = names())]
    pub names: Vec<String>,
    /// Engine that provides hosts, sockets and network
    #[arg(long, value_name = "ENGINE", value_parser = engines())]
    pub engine: Option<Engine>,
    /// Random seed: the same seed gives the same run
    #[arg(long, default_value_t = Setting::default().seed, value_name = "N")]
    seed: u64,
    #[command(flatten)]
    detail: DetailArgs,
    /// Show what to try next, with the answer to each question
    #[arg(long, conflicts_with_all = ["brief", "json", "csv"])]
    pub answers: bool,
    /// List packets and calls as numbered sentences, for a screen reader
    #[arg(long, conflicts_with_all = ["brief", "json", "csv"])]
    pub text: bool,
    /// Print the results with their traces as JSON
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print the results as CSV, one line for each finding
    #[arg(long)]
    pub csv: bool,
    /// Ask for your predictions first and your observations after the run, then print the verdict
    #[arg(long)]
    ask: bool,
    /// Take the answers for --ask from a TOML file instead of the terminal
    #[arg(long, value_name = "FILE")]
    pub ask_from: Option<PathBuf>,
    /// Write the packets of each host to a file in this directory
    #[arg(long, value_name = "DIR")]
    pub pcapng: Option<PathBuf>,
    /// Write a report with pictures: of one lab to a file, of several to a directory
    #[arg(long, value_name = "FILE|DIR")]
    pub html: Option<PathBuf>,
    /// Write each picture to an SVG file in this directory, for slides
    #[arg(long, value_name = "DIR")]
    pub svg: Option<PathBuf>,
    // This field is last, because its heading applies to all following options.
    #[command(flatten)]
    lab_options: LabOptionArgs,
}

/// How much of a run to print.
#[derive(Debug, Args)]
struct DetailArgs {
    /// Print only question, table and lesson, for a screen of 24 lines
    #[arg(long, conflicts_with_all = ["explain", "json", "csv"])]
    brief: bool,
    /// Add theory with its sources, the method, what other systems show, and what to try next
    #[arg(long)]
    explain: bool,
}

/// Options of all labs. `daytime lab list` shows which of them each lab accepts.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of the labs (`daytime lab list` says which a lab has)")]
struct LabOptionArgs {
    /// Share of packets that the link loses
    #[arg(long, value_name = "PERCENT", value_parser = percent, allow_negative_numbers = true)]
    loss: Option<f64>,
    /// Time that a packet takes from one host to the other, in milliseconds
    #[arg(long, value_name = "MS", value_parser = milliseconds, allow_negative_numbers = true)]
    delay: Option<Duration>,
    /// Lose the N-th packet, counted over both directions; also N,N…
    #[arg(long, value_name = "N", action = ArgAction::Append, value_delimiter = ',',
        value_parser = whole_number, allow_negative_numbers = true)]
    drop: Vec<u32>,
    /// Share of packets that the link delivers twice
    #[arg(long, value_name = "PERCENT", value_parser = percent, allow_negative_numbers = true)]
    duplicate: Option<f64>,
    /// Share of packets that the link holds back, so that later packets overtake them
    #[arg(long, value_name = "PERCENT", value_parser = percent, allow_negative_numbers = true)]
    reorder: Option<f64>,
    /// Connections that may wait for accept: the second argument of listen
    #[arg(long, value_name = "N", value_parser = backlog, allow_negative_numbers = true)]
    backlog: Option<u16>,
    /// Number of repetitions
    #[arg(long, value_name = "N", value_parser = whole_number, allow_negative_numbers = true)]
    count: Option<u32>,
    /// Maximum number of octets that one recv returns
    #[arg(long, value_name = "OCTETS", value_parser = whole_number, allow_negative_numbers = true)]
    buffer: Option<u32>,
}

impl Run {
    /// Whether the user asked for every lab.
    pub(in crate::cli) fn is_all(&self) -> bool {
        self.names.iter().any(|name| name == ALL)
    }

    /// Whether the student answers questions.
    pub(in crate::cli) fn asks(&self) -> bool {
        self.ask || self.ask_from.is_some()
    }

    pub(in crate::cli) fn detail(&self) -> Detail {
        match self.detail {
            DetailArgs { brief: true, .. } => Detail::Brief,
            DetailArgs { explain: true, .. } => Detail::Explained,
            DetailArgs { .. } => Detail::Usual,
        }
    }

    /// Returns the seed and the options.
    pub(in crate::cli) fn setting(&self) -> Setting {
        let given = &self.lab_options;
        let options = LabOptions {
            backlog: given.backlog,
            buffer: given.buffer,
            count: given.count,
            delay: given.delay,
            drop: given.drop.clone(),
            duplicate: given.duplicate,
            loss: given.loss,
            reorder: given.reorder,
        };
        Setting { seed: self.seed, options }
    }
}

/// Returns a usage error of `daytime lab run` with this message.
pub(in crate::cli) fn usage(message: &str) -> clap::Error {
    let mut command = Arguments::command();
    command.build();
    let run = command.find_subcommand_mut("lab").and_then(|lab| lab.find_subcommand_mut("run"));
    match run {
        Some(run) => run.error(ErrorKind::ArgumentConflict, message),
        None => command.error(ErrorKind::ArgumentConflict, message),
    }
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(LABS.iter().map(|lab| lab.name).chain([ALL]))
}

fn engines() -> impl TypedValueParser<Value = Engine> {
    let names = PossibleValuesParser::new(Engine::ALL.iter().map(|engine| engine.name()));
    names.try_map(|name| name.parse::<Engine>())
}

fn percent(text: &str) -> Result<f64, &'static str> {
    let number = text.strip_suffix('%').unwrap_or(text).parse().ok();
    let within = number.filter(|percent| (0.0..=100.0).contains(percent));
    within.ok_or("not a percentage from 0 to 100")
}

/// Reads a count. The permitted range depends on the lab.
fn whole_number(text: &str) -> Result<u32, &'static str> {
    text.parse().map_err(|_| "not a whole number from 0 up")
}

/// Reads a backlog in the range that `listen(2)` accepts on every system.
fn backlog(text: &str) -> Result<u16, &'static str> {
    text.parse().map_err(|_| "not a whole number from 0 to 65535")
}

/// Reads a delay of at most one minute.
fn milliseconds(text: &str) -> Result<Duration, &'static str> {
    let number = text.strip_suffix("ms").unwrap_or(text).parse().ok();
    let within = number.filter(|number| (0.0..=60_000.0).contains(number));
    let duration = within.and_then(|number: f64| Duration::try_from_secs_f64(number / 1e3).ok());
    duration.ok_or("not a number of milliseconds from 0 to 60000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_from_0_to_100() {
        assert_eq!(
            (percent("29"), percent("0.5"), percent("100%")),
            (Ok(29.0), Ok(0.5), Ok(100.0))
        );
        for wrong in ["-1", "100.1", "nan", "", "a third", "30%%"] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_delay_is_a_number_of_milliseconds_up_to_a_minute() {
        assert_eq!(milliseconds("20"), Ok(Duration::from_millis(20)));
        assert_eq!(milliseconds("0.5ms"), Ok(Duration::from_micros(500)));
        for wrong in ["-1", "60001", "nan", "1s", "", "20msms"] {
            assert!(milliseconds(wrong).is_err(), "{wrong}");
        }
    }
}
