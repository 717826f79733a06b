//! Lab `loss`: which end recovers from packet loss.

mod chosen;
mod random;

use crate::duration::short;
use crate::lab::link::{Conditions, SERVER};
use crate::lab::sim::{self, DatagramService, Policy, address};
use crate::lab::{Engine, Lab, LabOption, LabOptions, Prediction, Procedure, Setting, Values};
use std::time::Duration;

pub(super) static LAB: Lab = lab!("loss", [PROCEDURE]);

const PROCEDURE: Procedure = Procedure {
    engine: Engine::Sim,
    uses_seed: |setting| conditions(setting).is_random(),
    options: &[
        LabOption::Loss.within(0..=100),
        LabOption::Drop.within(1..=u32::MAX),
        LabOption::Duplicate.within(0..=100),
        LabOption::Reorder.within(0..=100),
        LabOption::Delay.within(0..=60_000),
        LabOption::Count.within(1..=1_000_000),
    ],
    values,
    predict,
    run: |setting, results| {
        chosen::run(setting, results);
        random::run(setting, results);
        Ok(())
    },
};

/// Maximum number of tries (queries sent) by the client with retries.
const TRIES: u32 = 4;

fn values(setting: &Setting) -> Values {
    let numbers: Vec<String> = setting.options.drop.iter().map(u32::to_string).collect();
    let lost = match &numbers[..] {
        [] => {
            "over TCP it loses the SYN in one exchange, and the reply in another; over UDP it loses \
             the first question"
                .to_owned()
        }
        [number] => format!("packet {number} of each exchange, counted over both directions"),
        numbers => {
            format!("packets {} of each exchange, counted over both directions", numbers.join(", "))
        }
    };
    vec![
        ("drop", lost),
        ("loss", format!("{} %", loss(setting))),
        ("streams", random::streams(setting).to_string()),
        ("count", random::count(setting).to_string()),
        ("delay", short(conditions(setting).delay)),
        ("faults", faults(setting)),
    ]
}

/// Returns the sentence on duplicated and reordered packets, without the share that is zero.
fn faults(setting: &Setting) -> String {
    let LabOptions { duplicate, reorder, .. } = &setting.options;
    let share = |percent: &Option<f64>| percent.filter(|percent| *percent > 0.0);
    match (share(duplicate), share(reorder)) {
        (None, None) => "Packets arrive once and in order".to_owned(),
        (Some(twice), None) => format!("Of the packets, {twice} % arrive twice"),
        (None, Some(late)) => format!("The link holds back {late} % of the packets"),
        (Some(twice), Some(late)) => {
            format!("Of the packets, {twice} % arrive twice, and the link holds back {late} %")
        }
    }
}

/// Returns the percentage of packets that the link drops at random.
fn loss(setting: &Setting) -> f64 {
    setting.options.loss.unwrap_or(30.0)
}

/// Returns the conditions of a link with random loss.
fn conditions(setting: &Setting) -> Conditions {
    let conditions = sim::conditions(&setting.options, Duration::from_millis(20));
    Conditions { loss: loss(setting) / 100.0, drop: Vec::new(), ..conditions }
}

/// Returns the time at which the reply over TCP arrives if the link drops nothing: two round trips.
fn time_without_loss(setting: &Setting) -> Duration {
    4 * conditions(setting).delay
}

/// Returns the time after which a client with four tries gives up, at least `least`. The timeouts of the tries double,
/// so the total is 15 times the first timeout. The first timeout is at least 8 one-way delays, long enough for the last
/// duplicate of a late reply to arrive, so that no try receives the reply to another try.
fn timeout_of_all_tries(setting: &Setting, least: Duration) -> Duration {
    least.max(120 * conditions(setting).delay)
}

fn service() -> DatagramService {
    DatagramService::new(address(SERVER).into(), Policy::Guarded, Duration::ZERO)
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    [chosen::predict(setting), random::predict(setting)].concat()
}

const WHOLE: &str = "all of the reply";
const PART: &str = "a part of the reply";
const NOTHING: &str = "silence";

/// Returns text that says whether these octets are the complete reply, a part of it, or nothing.
fn received(octets: &[u8]) -> &'static str {
    match octets {
        [] => NOTHING,
        octets if octets.ends_with(b"-UTC\r\n") => WHOLE,
        _ => PART,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::LabOptions;
    use crate::mentions::each_mentions;

    #[test]
    fn a_whole_reply_a_part_and_silence_are_distinguished() {
        let line = b"Tuesday, February 2, 1982 15:59:01-UTC\r\n";
        let received = [&line[..], &line[..39], &line[20..30], &[]].map(received);
        assert_eq!(received, [WHOLE, PART, PART, NOTHING]);
    }

    #[test]
    fn each_row_names_its_part_of_the_lab_as_the_method_does() {
        let setting = Setting { seed: 1, options: LabOptions::default() };
        let rows: Vec<&str> = predict(&setting).iter().map(|it| it.what).collect();
        let parts: Vec<&str> =
            rows.iter().filter_map(|row| Some(row.split_once(": ")?.0)).collect();
        assert_eq!(parts.len(), rows.len(), "{rows:?}");
        let method = LAB.method(&LAB.procedures[0], &setting);
        // The row names of the lost reply say what is lost in place of the part.
        for part in parts.into_iter().filter(|part| *part != "reply lost") {
            assert!(method.contains(&format!("\"{part}\" in the table")), "{part}: {method}");
        }
    }

    #[test]
    fn the_method_leaves_out_a_share_of_zero() {
        let method = |duplicate, reorder| {
            let options = LabOptions { duplicate, reorder, ..LabOptions::default() };
            LAB.method(&LAB.procedures[0], &Setting { seed: 1, options })
        };
        let says = |method: &str| ["twice", "holds back"].map(|it| method.contains(it));
        assert_eq!(says(&method(None, Some(0.0))), [false, false]);
        assert_eq!(says(&method(Some(50.0), Some(0.0))), [true, false]);
        assert_eq!(says(&method(None, Some(50.0))), [false, true]);
        assert!(!method(None, None).contains(" 0 %"), "{}", method(None, None));
    }

    #[test]
    fn the_method_names_the_value_of_each_option() {
        let options = LabOptions {
            loss: Some(12.0),
            duplicate: Some(34.0),
            reorder: Some(56.0),
            delay: Some(Duration::from_micros(7500)),
            drop: vec![8, 9],
            count: Some(78),
            ..LabOptions::default()
        };
        let method = LAB.method(&LAB.procedures[0], &Setting { seed: 1, options });
        for word in ["12 %", "34 %", "56 %", "7.5 ms", "8, 9"] {
            assert!(method.contains(word), "{word}: {method}");
        }
        each_mentions(method.split("78 clients").skip(1), &[&["over TCP"], &["over UDP"]]);
    }
}
