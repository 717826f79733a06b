//! Derives the keys of sheets from packets, by tshark.
//!
//! `daytime lab key --pcapng` writes the packets of each student's runs, and `daytime lab run --pcapng` those of a run
//! with the usual values. From these files and the sheet that the student sees, the tests derive each answer that packets
//! decide. The tests share no code with the program. [`UNDECIDED`] lists the other items.

mod choices;
mod numbers;
mod orders;
mod sheet;
mod tshark;

use crate::lab::{lab, name};
use crate::lab_sheets::{Desk, of};
use crate::or_skip;
use crate::support::{Namespace, good, program, run};
use serde_json::Value;
use std::collections::BTreeSet;
use tshark::Captures;

/// Number of students for the labs that run on the simulator. Each draws other options.
const STUDENTS: usize = 12;

/// The labs that run on the simulator.
const SIMULATED: [&str; 5] = ["exchange", "loss", "silent", "stale", "loop"];
/// The labs on this machine's kernel whose packets decide choices.
const ON_KERNEL: [&str; 2] = ["refused", "multihome"];

/// The items that no capture decides: the beginning of their names, and the reason.
const UNDECIDED: [(&str, &str); 14] = [
    ("backlog-", LOOPBACK),
    ("boundaries-", LOOPBACK),
    ("flood-", LOOPBACK),
    ("hold-", LOOPBACK),
    ("notes-", LOOPBACK),
    ("restart-", LOOPBACK),
    ("share-", LOOPBACK),
    ("truncate-", LOOPBACK),
    ("loss-one-try", "it is a probability: a capture has one run; the test calculates it"),
    ("loss-two-tries", "it is a probability: a capture has one run; the test calculates it"),
    ("loss-tcp-clients", "the lab counts these runs, and keeps none of their packets"),
    (
        "multihome-udp-connected",
        "the packets show that no socket takes the reply, but not what recv returns",
    ),
    ("raw-", "the packets are the same with a raw socket and without"),
    (
        "refused-udp-unconnected",
        "the same ICMP message reaches a connected and an unconnected socket",
    ),
];
const LOOPBACK: &str = "the lab runs on loopback, where it records calls and no packets";

/// A student's sheet, with the captures of its runs.
struct Student {
    page: String,
    captures: Captures,
}

impl Student {
    /// Returns the answer that packets decide, as a student would write it; `None` for any other item.
    fn derive(&self, item: &Value, usual: &Captures) -> Option<String> {
        let id = item["item"].as_str()?;
        if let Some(field) = numbers::field(item, &self.captures) {
            return Some(field);
        }
        if !item["order"].is_null() {
            let labels = sheet::labels(&self.page, id);
            return Some(orders::letters(&labels, &self.events(item)));
        }
        let choice = match id {
            "stale-owner" => choices::owner(&self.captures),
            _ => choices::on_sim(id, usual).or_else(|| choices::on_netns(id, usual))?,
        };
        Some(self.letter(id, &choice))
    }

    /// Returns the letter of a choice on this sheet.
    fn letter(&self, item: &str, choice: &str) -> String {
        let choices = sheet::choices(&self.page, item);
        let number = choices.iter().position(|it| it == choice);
        let number =
            number.unwrap_or_else(|| panic!("{item}: no choice {choice:?} in {choices:?}"));
        sheet::letter(number).to_string()
    }

    /// Returns the events among which an item's labels are.
    fn events(&self, item: &Value) -> Vec<(f64, String)> {
        let delay = option(item, "--delay");
        match item["item"].as_str() {
            Some("stale-order") => orders::questions(&self.captures, "stale-sim-udp"),
            Some("loss-tcp-order") => {
                orders::segments(&self.captures, "loss-sim-tcp", &["client", "server"], delay)
            }
            Some("loop-tcp-order") => {
                let hosts = ["forger", "server", "victim"];
                orders::segments(&self.captures, "loop-sim-tcp", &hosts, delay)
            }
            other => panic!("no events for {other:?}"),
        }
    }
}

/// Returns the value of an option in the command that runs an item's lab.
fn option(item: &Value, name: &str) -> f64 {
    let command = item["command"].as_str().expect("a command");
    let (_, rest) = command.split_once(&format!(" {name} ")).expect(name);
    rest.split(' ').next().and_then(|it| it.parse().ok()).expect("a number")
}

/// Returns the share of answered queries in percent, for the items that ask for this probability.
fn probability(item: &Value) -> Option<f64> {
    let id = item["item"].as_str().filter(|it| ["loss-one-try", "loss-two-tries"].contains(it))?;
    let one = (1.0 - option(item, "--loss") / 100.0).powi(2);
    let share = if id == "loss-one-try" { one } else { 1.0 - (1.0 - one).powi(2) };
    Some(100.0 * share)
}

/// Compares an item's key with what the packets decide. Returns whether they decide it.
fn is_derived(item: &Value, student: &Student, usual: &Captures) -> bool {
    if let Some(number) = numbers::number(item, &student.captures).or_else(|| probability(item)) {
        let [key, tolerance] =
            ["number", "tolerance"].map(|it| item[it].as_f64().expect("a number"));
        assert!((key - number).abs() <= tolerance, "{item:#}: {number}");
        let answer = item["answer"].as_str().and_then(|it| it.split(' ').next()?.parse().ok());
        assert!(answer.is_some_and(|it: f64| (it - key).abs() < 0.01), "{item:#}");
        return probability(item).is_none();
    }
    let derived = student.derive(item, usual);
    assert!(
        derived.is_none() || item["answer"].as_str() == derived.as_deref(),
        "{item:#}: {derived:?}"
    );
    derived.is_some()
}

/// Compares the keys of all students with what the packets decide. Returns the items that packets decide, and the others.
fn compare(desk: &Desk, labs: &str, usual: &Captures) -> [BTreeSet<String>; 2] {
    desk.sheets(labs);
    good(&mut desk.lab(&format!("key {} --pcapng packets", of(labs))));
    let mut found = [BTreeSet::new(), BTreeSet::new()];
    for (id, items) in desk.keys(labs) {
        let page = desk.read(&format!("sheets/{id}/sheet.html"));
        let student = Student { page, captures: Captures::read(&desk.path("packets").join(&id)) };
        for item in items.iter().filter(|item| item["rubric"].is_null()) {
            let place = usize::from(!is_derived(item, &student, usual));
            found[place].insert(item["item"].as_str().expect("an id").to_owned());
        }
    }
    found
}

/// Asserts that the items that no packets decided are those of [`UNDECIDED`] that belong to these labs.
fn assert_undecided(items: &BTreeSet<String>, is_of: impl Fn(&str) -> bool) {
    let has_reason = |item: &&String| !UNDECIDED.iter().any(|(begin, _)| item.starts_with(begin));
    let without: Vec<&String> = items.iter().filter(has_reason).collect();
    assert!(without.is_empty(), "no packets decide {without:?}");
    for (begin, reason) in UNDECIDED.iter().filter(|(begin, _)| is_of(begin)) {
        assert!(
            items.iter().any(|item| item.starts_with(begin)),
            "{begin} is decided, or gone: {reason}"
        );
    }
}

#[test]
fn tshark_derives_the_same_keys_of_the_simulated_labs_from_the_packets() {
    or_skip!(program("tshark").and(program("mergecap")));
    let desk = Desk::new();
    let ids: Vec<String> = (1..=STUDENTS).map(|it| format!("s{it}")).collect();
    desk.write(
        "class.csv",
        format!(
            "student_id
{}
",
            ids.join(
                "
"
            )
        ),
    );
    for lab in SIMULATED {
        good_run(&desk, lab, "sim");
    }
    let usual = Captures::read(&desk.path("usual"));
    let [derived, others] = compare(&desk, &SIMULATED.join(","), &usual);
    // Six numbers, three orders, six fields, 13 choices with the usual values, and one with drawn ones.
    assert_eq!(derived.len(), 6 + 3 + 6 + 13 + 1, "{derived:?}");
    let is_simulated =
        |begin: &str| SIMULATED.iter().any(|lab| begin.starts_with(&format!("{lab}-")));
    assert_undecided(&others, is_simulated);
}

#[test]
fn tshark_derives_the_choices_of_other_labs_from_their_packets_on_this_kernel() {
    or_skip!(program("tshark").and(program("mergecap")));
    or_skip!(Namespace::new());
    let desk = Desk::new();
    for lab in ON_KERNEL {
        good_run(&desk, lab, "netns");
    }
    let usual = Captures::read(&desk.path("usual"));
    let all = crate::lab::labs();
    let rest: Vec<&str> = all.iter().map(name).filter(|it| !SIMULATED.contains(it)).collect();
    let [derived, others] = compare(&desk, &rest.join(","), &usual);
    let derived: Vec<&String> = derived.iter().collect();
    assert_eq!(derived, ["multihome-tcp-source", "multihome-udp-source", "refused-tcp-connect"]);
    assert_undecided(&others, |begin| rest.iter().any(|lab| begin.starts_with(&format!("{lab}-"))));
}

/// Runs a lab with the usual values, and writes its packets to the folder `usual`.
fn good_run(desk: &Desk, name: &str, engine: &str) {
    let mut command = lab(&["run", name, "--engine", engine, "--pcapng"]);
    let output = run(command.arg(desk.path("usual")));
    assert!(output.status.success(), "{name}: {output:?}");
}
