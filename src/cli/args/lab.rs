//! The command line of `daytime lab`.

use super::Arguments;
use crate::lab::{Engine, Knob, Knobs, LABS, Lab as Experiment, Procedure, Setting};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

pub(super) const HELP: &str = "\
Examples:
  daytime lab list
  daytime lab run exchange
  daytime lab run exchange --explain
  daytime lab run loss --drop 2 --seed 7

A lab asks one question, predicts what will be observed over TCP and over UDP,
and runs. Engines: sim (two simulated hosts in virtual time: it repeats to the
byte), loopback (real sockets here), netns (real sockets in two namespaces).";

pub(super) const RUN_HELP: &str = "\
Without --engine a lab runs on the first of its engines, and `all` runs every
lab on each it has. An engine that cannot run here says why, and `all` goes on.
Exit status: 0 if all is as predicted or known to vary on this system, 1 if not,
or if a lab asked for by name could not run, 2 usage.";

/// From this all chance comes unless told otherwise, so that a run repeats.
const SEED: u64 = 867;
/// Every lab.
const ALL: &str = "all";

#[derive(Debug, Args)]
pub(in crate::cli) struct Lab {
    #[command(subcommand)]
    pub command: LabCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum LabCommand {
    /// Show every lab: its question, where it runs, what can be changed
    List(List),
    /// Predict, run, and hold one against the other
    #[command(after_help = RUN_HELP)]
    Run(Box<Run>),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Print them as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Run {
    /// Labs to run
    #[arg(required = true, value_name = "NAME", value_parser = names())]
    names: Vec<String>,
    /// What hosts, sockets and network are made of
    #[arg(long, value_name = "ENGINE", value_parser = engines())]
    engine: Option<Engine>,
    /// What all chance is drawn from: the same seed gives the same run
    #[arg(long, default_value_t = SEED, value_name = "N")]
    seed: u64,
    /// Tell theory with its sources, what is done, what is different elsewhere, and what to try next
    #[arg(long)]
    pub explain: bool,
    /// Print the results with their traces as JSON
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print the results as CSV, a line for each finding
    #[arg(long)]
    pub csv: bool,
    /// Write the packets of each host to a file in this directory
    #[arg(long, value_name = "DIR")]
    pub pcapng: Option<PathBuf>,
    // At the end, so that its heading is over nothing else.
    #[command(flatten)]
    turned: Turned,
}

/// The knobs; which of them a lab has, `daytime lab list` tells.
#[derive(Debug, Args)]
#[command(next_help_heading = "Knobs (`daytime lab list` tells which a lab has)")]
struct Turned {
    /// Share of packets that the link loses
    #[arg(long, value_name = "PERCENT", value_parser = percent, allow_negative_numbers = true)]
    loss: Option<f64>,
    /// How long a packet is under way, in milliseconds
    #[arg(long, value_name = "MS", value_parser = milliseconds, allow_negative_numbers = true)]
    delay: Option<Duration>,
    /// Lose the N-th packet, counted in both directions together; also N,N…
    #[arg(long, value_name = "N", action = ArgAction::Append, value_delimiter = ',',
        value_parser = whole, allow_negative_numbers = true)]
    drop: Vec<u32>,
    /// Share of packets that come twice
    #[arg(long, value_name = "PERCENT", value_parser = percent, allow_negative_numbers = true)]
    duplicate: Option<f64>,
    /// Share of packets that are held back, so that later ones overtake them
    #[arg(long, value_name = "PERCENT", value_parser = percent, allow_negative_numbers = true)]
    reorder: Option<f64>,
    /// Connections that wait for accept: the second argument of listen
    #[arg(long, value_name = "N", value_parser = backlog, allow_negative_numbers = true)]
    backlog: Option<u16>,
    /// How often the lab does what it does
    #[arg(long, value_name = "N", value_parser = whole, allow_negative_numbers = true)]
    count: Option<u32>,
    /// Octets that one recv can take
    #[arg(long, value_name = "OCTETS", value_parser = whole, allow_negative_numbers = true)]
    buffer: Option<u32>,
}

impl Run {
    /// Whether `all` was asked for.
    pub(in crate::cli) fn is_all(&self) -> bool {
        self.names.iter().any(|name| name == ALL)
    }

    /// What is to run, in order.
    ///
    /// # Errors
    /// A lab has not the engine or the knob: what it has instead.
    pub(in crate::cli) fn runs(&self) -> Result<Vec<Planned>, clap::Error> {
        let labs: Vec<&Experiment> = if self.is_all() {
            let has = |lab: &&&Experiment| self.engine.is_none_or(|it| lab.on(it).is_some());
            LABS.iter().filter(has).copied().collect()
        } else {
            self.names.iter().filter_map(|name| crate::lab::find(name)).collect()
        };
        let setting = Setting { seed: self.seed, knobs: self.turned.knobs() };
        let mut runs = Vec::new();
        for lab in labs {
            for procedure in self.procedures(lab).map_err(|message| usage(&message))? {
                check(lab, procedure, &setting.knobs).map_err(|message| usage(&message))?;
                runs.push((lab, procedure, setting.clone()));
            }
        }
        Ok(runs)
    }

    /// Which of a lab's procedures are asked for.
    fn procedures(&self, lab: &Experiment) -> Result<&'static [Procedure], String> {
        let all = lab.procedures;
        match self.engine {
            Some(engine) => {
                let of_engine = |procedure: &&[Procedure]| procedure[0].engine == engine;
                all.chunks(1).find(of_engine).ok_or_else(|| {
                    let has: Vec<&str> = all.iter().map(|it| it.engine.name()).collect();
                    format!("{} does not run on {engine}: it has {}", lab.name, list(&has))
                })
            }
            None if self.is_all() => Ok(all),
            None => Ok(&all[..1]),
        }
    }
}

/// A lab, how it is to be done, and with what.
pub(in crate::cli) type Planned = (&'static Experiment, &'static Procedure, Setting);

impl Turned {
    fn knobs(&self) -> Knobs {
        Knobs {
            backlog: self.backlog,
            buffer: self.buffer,
            count: self.count,
            delay: self.delay,
            drop: self.drop.clone(),
            duplicate: self.duplicate,
            loss: self.loss,
            reorder: self.reorder,
        }
    }
}

/// That nothing is turned which this lab has not, or further than it goes: nobody is to believe that it made a
/// difference.
fn check(lab: &Experiment, procedure: &Procedure, knobs: &Knobs) -> Result<(), String> {
    for knob in knobs.turned() {
        let dial = procedure.dial(knob).ok_or_else(|| no_knob(lab, procedure, knob))?;
        if let Some(at) = knobs.of(knob).into_iter().find(|at| !dial.allows(*at)) {
            let (lab, engine, knob) = (lab.name, procedure.engine, knob.name());
            let (least, most) = (dial.range.start(), dial.range.end());
            return Err(format!(
                "{lab} takes --{knob} from {least} to {most} on {engine}, not {at}"
            ));
        }
    }
    Ok(())
}

fn no_knob(lab: &Experiment, procedure: &Procedure, knob: Knob) -> String {
    let option = |knob: &Knob| format!("--{}", knob.name());
    let (name, engine, wanted) = (lab.name, procedure.engine, option(&knob));
    let others = lab.procedures.iter().filter(|it| it.dial(knob).is_some());
    let others: Vec<&str> = others.map(|it| it.engine.name()).collect();
    if !others.is_empty() {
        let others = list(&others);
        return format!("{name} has no {wanted} on {engine}: it is for --engine {others}");
    }
    let has: Vec<String> = procedure.knobs.iter().map(|dial| option(&dial.knob)).collect();
    let takes = if has.is_empty() { "no knob".to_owned() } else { list(&has) };
    let has_it = |lab: &&&Experiment| lab.procedures.iter().any(|it| it.dial(knob).is_some());
    let others: Vec<&str> = LABS.iter().filter(has_it).map(|lab| lab.name).collect();
    let others = if others.is_empty() { "no lab".to_owned() } else { list(&others) };
    format!("{name} has no {wanted}: it has {takes}; {wanted} is for {others}")
}

/// An error of usage, as clap has them for `daytime lab run`.
fn usage(message: &str) -> clap::Error {
    let mut command = Arguments::command();
    command.build();
    let run = command.find_subcommand_mut("lab").and_then(|lab| lab.find_subcommand_mut("run"));
    match run {
        Some(run) => run.error(ErrorKind::ArgumentConflict, message),
        None => command.error(ErrorKind::ArgumentConflict, message),
    }
}

/// `one`, `one and two`, `one, two and three`.
fn list(names: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match &names[..] {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(LABS.iter().map(|lab| lab.name).chain([ALL]))
}

fn engines() -> impl TypedValueParser<Value = Engine> {
    let names = PossibleValuesParser::new(Engine::ALL.map(Engine::name));
    names.try_map(|name| name.parse::<Engine>())
}

fn percent(text: &str) -> Result<f64, &'static str> {
    let number = text.strip_suffix('%').unwrap_or(text).parse().ok();
    let within = number.filter(|percent| (0.0..=100.0).contains(percent));
    within.ok_or("not a percentage from 0 to 100")
}

/// How far it goes depends on the lab.
fn whole(text: &str) -> Result<u32, &'static str> {
    text.parse().map_err(|_| "not a whole number from 0 up")
}

/// As `listen(2)` takes it on every system.
fn backlog(text: &str) -> Result<u16, &'static str> {
    text.parse().map_err(|_| "not a whole number from 0 to 65535")
}

/// Up to a minute.
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

    #[test]
    fn names_are_listed_as_in_a_sentence() {
        assert_eq!(list(&["sim"]), "sim");
        assert_eq!(list(&["sim", "loopback", "netns"]), "sim, loopback and netns");
    }
}
