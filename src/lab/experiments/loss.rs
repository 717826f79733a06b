//! Who repairs what the network loses.

mod chance;
mod drawn;

use crate::duration::{Unit, short};
use crate::lab::link::{Conditions, SERVER};
use crate::lab::sim::{self, DatagramService, Policy, address};
use crate::lab::{Engine, Knob, Knobs, Lab, Prediction, Procedure, Run, Setting, Values};
use std::time::Duration;

pub(super) static LAB: Lab = Lab {
    name: "loss",
    text: page!("loss"),
    time_unit: Unit::Milliseconds,
    procedures: &[Procedure {
        engine: Engine::Sim,
        draws: |setting| conditions(setting).draws(),
        knobs: &[
            Knob::Loss.within(0..=100),
            Knob::Drop.within(1..=u32::MAX),
            Knob::Duplicate.within(0..=100),
            Knob::Reorder.within(0..=100),
            Knob::Delay.within(0..=60_000),
            Knob::Count.within(1..=1_000_000),
        ],
        values,
        predict,
        run: |setting| Ok(run(setting)),
    }],
};

/// Tries of the client that asks again.
const TRIES: u32 = 4;

fn values(setting: &Setting) -> Values {
    let Knobs { drop, duplicate, reorder, .. } = &setting.knobs;
    let numbers: Vec<String> = drop.iter().map(u32::to_string).collect();
    let lost = match &numbers[..] {
        [] => "first the SYN, then the reply; over UDP the question".to_owned(),
        numbers => format!("the packets with the numbers {}", numbers.join(", ")),
    };
    let percent = |of: f64| format!("{of} %");
    vec![
        ("drop", lost),
        ("loss", percent(loss(setting))),
        ("streams", chance::streams(setting).to_string()),
        ("count", chance::count(setting).to_string()),
        ("delay", short(conditions(setting).delay)),
        ("duplicate", percent(duplicate.unwrap_or_default())),
        ("reorder", percent(reorder.unwrap_or_default())),
    ]
}

/// Of a hundred packets, how many are lost by chance.
fn loss(setting: &Setting) -> f64 {
    setting.knobs.loss.unwrap_or(30.0)
}

/// How the link is, chance included.
fn conditions(setting: &Setting) -> Conditions {
    let conditions = sim::conditions(&setting.knobs, Duration::from_millis(20));
    Conditions { loss: loss(setting) / 100.0, drop: Vec::new(), ..conditions }
}

/// The time of an answer over TCP without loss.
fn unhurt(setting: &Setting) -> Duration {
    4 * conditions(setting).delay
}

/// How long a client with four tries has for all of them, 15 times as long as for the first: which is longer than
/// a question and its answer take that are both late and come twice, so that one try does not meet another's.
fn all_tries(setting: &Setting, least: Duration) -> Duration {
    least.max(120 * conditions(setting).delay)
}

fn service() -> DatagramService {
    DatagramService::new(address(SERVER).into(), Policy::Guarded, Duration::ZERO)
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    [drawn::predict(setting), chance::predict(setting)].concat()
}

fn run(setting: &Setting) -> Run {
    let mut run = Run::default();
    drawn::run(setting, &mut run);
    chance::run(setting, &mut run);
    run
}

const WHOLE: &str = "all of the reply";

/// What of the reply has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    Nothing,
    Part,
    Whole,
}

impl Came {
    fn of(octets: &[u8]) -> Self {
        match octets {
            [] => Self::Nothing,
            octets if octets.ends_with(b"-UTC\r\n") => Self::Whole,
            _ => Self::Part,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Nothing => "silence",
            Self::Part => "a part of the reply",
            Self::Whole => WHOLE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Knobs;

    #[test]
    fn what_of_a_line_has_come_is_known() {
        let line = b"Tuesday, February 2, 1982 15:59:01-UTC\r\n";
        let came = [&line[..], &line[..39], &line[20..30], &[]].map(Came::of);
        assert_eq!(came, [Came::Whole, Came::Part, Came::Part, Came::Nothing]);
    }

    #[test]
    fn all_knobs_are_told_where_they_have_an_effect() {
        let knobs = Knobs {
            loss: Some(12.0),
            duplicate: Some(34.0),
            reorder: Some(56.0),
            delay: Some(Duration::from_micros(7500)),
            drop: vec![8, 9],
            count: Some(78),
            ..Knobs::default()
        };
        let told = LAB.method(&LAB.procedures[0], &Setting { seed: 1, knobs });
        for word in
            ["12 %", "34 %", "56 %", "7.5 ms", "8, 9", "78 exchanges over TCP", "78 over UDP"]
        {
            assert!(told.contains(word), "{word}: {told}");
        }
    }
}
