//! Generates the items for many students, and checks properties that a single sheet cannot show.

use super::*;
use crate::lab::{self, Engine};
use crate::teach::draw::{Secret, SheetName};
use crate::teach::item::{FieldValue, Kind, Number, PacketField};
use crate::transport::Transport;
use crate::wire::decode::Flags;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Number of students.
const STUDENTS: usize = 10_000;
/// Maximum percentage of students for whom the same guess is right.
const MAX_GUESS: usize = 35;

/// Minimum difference between two numbers that may be right, in tolerances.
const APART: f64 = 3.0;

/// Returns each student's items for a lab.
fn sheets(lab: &'static Lab) -> impl Iterator<Item = LabItems> {
    let secret = Secret::of(b"the secret of the tests").expect("long enough");
    let mut runs = Runs::default();
    (0..STUDENTS).map(move |student| {
        let name = SheetName { assignment: "tests".into(), student: student.to_string() };
        draw_items(lab, &mut secret.draw(&name, lab.name()), &mut runs)
    })
}

/// Statistics on a lab's items over the sheets of all students.
#[derive(Default)]
struct Census {
    /// For each item, how often each answer is right.
    answers: BTreeMap<String, BTreeMap<String, usize>>,
    /// For each item that asks for a number, one generated number for each right answer.
    numbers: BTreeMap<String, BTreeMap<String, Number>>,
    /// Number of items, out of `items`, whose right answer differs from that of the previous student.
    differ: usize,
    items: usize,
    /// The orders checked so far: the command of the run, and the labels in the right order.
    orders: BTreeSet<(String, Vec<String>)>,
}

impl Census {
    fn of(lab: &'static Lab) -> Self {
        let mut census = Self::default();
        let mut before: Vec<Option<String>> = Vec::new();
        for drawn in sheets(lab) {
            drawn.items.iter().for_each(|item| census.check_order(&drawn, item));
            let items = drawn.items;
            let answers: Vec<Option<String>> = items.iter().map(Item::right_answer).collect();
            for (one, other) in before.iter().zip(&answers).filter(|(one, _)| one.is_some()) {
                census.items += 1;
                census.differ += usize::from(one != other);
            }
            for (item, answer) in items.into_iter().zip(&answers) {
                let Some(answer) = answer else { continue };
                check(&item);
                let counts = census.answers.entry(item.id.clone()).or_default();
                *counts.entry(answer.clone()).or_default() += 1;
                if let Kind::Number(number) = item.kind {
                    let numbers = census.numbers.entry(item.id).or_default();
                    numbers.entry(answer.clone()).or_insert(number);
                }
            }
            before = answers;
        }
        census
    }

    /// Checks an order against the run: each label is of one event only, and no two of these events have the same time.
    fn check_order(&mut self, drawn: &LabItems, item: &Item) {
        let Kind::Order(order) = &item.kind else { return };
        let labels: Vec<String> = order.in_order().map(str::to_owned).collect();
        if !self.orders.insert((drawn.command.clone(), labels.clone())) {
            return;
        }
        let stale = drawn.lab.name() == "stale";
        let transport = if stale { Transport::Udp } else { Transport::Tcp };
        let part = drawn.parts().find(|it| it.transport == transport).expect("a part");
        let of_trace = if stale { stale::datagrams } else { order::packets };
        let events = of_trace(&part.trace);
        let times: Vec<Duration> = labels
            .iter()
            .map(|label| {
                let times: Vec<_> = events.iter().filter(|(_, it)| it == label).collect();
                assert_eq!(times.len(), 1, "{label} in {}", drawn.command);
                times[0].0
            })
            .collect();
        assert!(
            times.is_sorted_by(|one, next| one < next),
            "{labels:?} {times:?} {}",
            drawn.command
        );
    }
}

/// Whether one number cannot be accepted for the other.
fn are_apart(number: &Number, other: f64) -> bool {
    (number.answer - other).abs() >= APART * number.tolerance
}

/// Checks one item: exactly one choice is right, the table does not show a blank's value, and the wrong numbers are apart
/// from the right one and from each other.
fn check(item: &Item) {
    match &item.kind {
        Kind::Order(order) => {
            let labels: BTreeSet<&String> = order.labels.iter().collect();
            let right: BTreeSet<usize> = order.right.iter().copied().collect();
            assert_eq!((labels.len(), right.len()), (order.labels.len(), labels.len()), "{item:?}");
            assert!((3..=6).contains(&labels.len()), "{item:?}");
        }
        Kind::Choice(choices) => {
            assert_eq!(choices.iter().filter(|it| it.is_right).count(), 1, "{item:?}");
            assert!(choices.iter().all(|it| !it.explanation.is_empty()), "{item:?}");
        }
        Kind::Field(field) => {
            let table = item.table.as_ref().expect("a table");
            let blank = table.blanks[field.blank];
            assert_eq!(table.rows[blank.row].value(blank.field), Some(field.answer));
            let rows: BTreeSet<usize> = table.blanks.iter().map(|it| it.row).collect();
            assert_eq!(rows.len(), table.blanks.len(), "two blanks in one packet: {item:?}");
        }
        Kind::Number(number) => {
            let mut numbers: Vec<f64> = number.wrong.iter().map(|it| it.value).collect();
            numbers.push(number.answer);
            numbers.sort_by(f64::total_cmp);
            let are_apart = |one: &f64, next: &f64| next - one >= APART * number.tolerance;
            assert!(numbers.is_sorted_by(are_apart), "{item:?}");
        }
        Kind::Explanation(_) => {}
    }
}

#[test]
fn no_guess_is_right_often_alternatives_are_apart_no_order_is_ambiguous_and_neighbours_differ() {
    let (mut all, mut differ, mut orders) = (0, 0, 0);
    for lab in lab::all() {
        let census = Census::of(lab);
        for (id, answers) in &census.answers {
            let (best, count) = answers.iter().max_by_key(|it| it.1).expect("an answer");
            assert!(count * 100 <= STUDENTS * MAX_GUESS, "{id}: {best} is right for {count}");
        }
        for (id, numbers) in &census.numbers {
            let numbers: Vec<&Number> = numbers.values().collect();
            for (at, one) in numbers.iter().enumerate() {
                for other in &numbers[at + 1..] {
                    assert!(are_apart(one, other.answer), "{id}: {one:?}, {other:?}");
                }
            }
        }
        let is_simulated = lab.procedure_on(Engine::Sim).is_some();
        assert!(!is_simulated || census.differ * 10 >= census.items * 7, "{}", lab.name());
        (all, differ) = (all + census.items, differ + census.differ);
        orders += census.orders.len();
    }
    assert!(all > 0 && differ * 10 >= all * 7, "{differ} of {all} differ");
    assert!(orders > 100, "{orders} different orders");
}

#[test]
fn a_lab_on_sim_has_numbers_and_orders_or_fields_and_every_lab_has_an_explanation() {
    for lab in lab::all() {
        let items = sheets(lab).next().expect("a student").items;
        let has = |is: fn(&Kind) -> bool| items.iter().any(|item| is(&item.kind));
        assert!(has(|it| matches!(it, Kind::Explanation(rubric) if !rubric.is_empty())));
        let ids: BTreeSet<&String> = items.iter().map(|item| &item.id).collect();
        assert_eq!(ids.len(), items.len(), "{ids:?}");
        if lab.procedure_on(Engine::Sim).is_some() {
            assert!(has(|it| matches!(it, Kind::Number(_))), "{}", lab.name());
            assert!(has(|it| matches!(it, Kind::Order(_) | Kind::Field(_))), "{}", lab.name());
        } else {
            assert!(!has(|it| !matches!(it, Kind::Choice(_) | Kind::Explanation(_))));
        }
    }
}

/// The labs flood and hold need sockets.
#[cfg(all(feature = "client", feature = "server"))]
#[test]
fn a_predicted_range_decides_a_question_if_both_its_ends_do() {
    if !crate::sys::REPORTS_QUEUES {
        return; // such a system does not report dropped datagrams
    }
    for (lab, id, right) in [
        ("flood", "flood-udp-kept", "some: as many as the buffer had room for"),
        ("hold", "hold-tcp-connect", "It succeeds at once, without accept"),
    ] {
        let items = sheets(lab::find(lab).expect("a lab")).next().expect("a student").items;
        let Some(Item { kind: Kind::Choice(choices), .. }) = items.iter().find(|it| it.id == id)
        else {
            panic!("no choice {id}")
        };
        let of_item: Vec<&str> =
            choices.iter().filter(|it| it.is_right).map(|it| &*it.text).collect();
        assert_eq!(of_item, [right]);
    }
    let flood = sheets(lab::find("flood").expect("a lab")).next().expect("a student");
    let is_varying = |it: &Item| it.id == "flood-udp-sends";
    assert!(!flood.items.iter().any(is_varying), "on BSD a send may fail with ENOBUFS");
}

/// Returns the explanation of an item.
fn explanation(kind: &Kind) -> &str {
    match kind {
        Kind::Number(number) => &number.explanation,
        Kind::Order(order) => &order.explanation,
        _ => "",
    }
}

#[test]
fn the_feedback_on_a_lost_packet_names_the_host_and_the_packet_of_the_retransmission() {
    let mut checked = BTreeSet::new();
    for drawn in sheets(lab::find("loss").expect("a lab")).take(200) {
        let part = drawn.parts().find(|it| it.transport == Transport::Tcp).expect("a part");
        let events = order::packets(&part.trace);
        let is_again = |it: &&(Duration, String)| it.1.contains("again: ");
        let (at, label) = events.iter().find(is_again).expect("a retransmission");
        let (host, packet) = label.split_once(" sends again: ").expect("a host");
        let packet = if packet.contains("octets") { "reply" } else { packet };
        for item in drawn
            .items
            .iter()
            .filter(|it| it.id.starts_with("loss-tcp-") && !explanation(&it.kind).is_empty())
        {
            let text = explanation(&item.kind);
            let again = format!("sends the {packet} again after one second");
            assert!(
                text.contains(&format!("{host} gets no ")) && text.contains(&again),
                "{label}: {text}"
            );
        }
        let first = format!("{host} sends {}", &label[label.find("again: ").expect("again") + 7..]);
        let sent =
            events.iter().find(|(_, it)| it.starts_with(&first)).expect("the first transmission");
        let wait = at.checked_sub(sent.0);
        assert_eq!(wait, Some(Duration::from_secs(1)), "every student's loss costs a timeout");
        checked.insert(
            drawn.command.split(" --").find(|it| it.starts_with("drop")).map(str::to_owned),
        );
    }
    assert_eq!(checked.len(), 4, "{checked:?}");
}

#[test]
fn a_known_wrong_field_differs_from_the_right_one_and_the_usual_mistakes_are_known() {
    let mut known: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for lab in ["exchange", "silent"] {
        let items = sheets(lab::find(lab).expect("a lab")).take(300).flat_map(|it| it.items);
        for item in items {
            let Kind::Field(field) = item.kind else { continue };
            assert!(field.mistake(field.answer).is_none(), "{field:?}");
            if let FieldValue::Number(right) = field.answer
                && field.asked == PacketField::Acknowledgement
            {
                let reason = field.mistake(FieldValue::Number(right.wrapping_sub(1)));
                assert!(reason.is_some_and(|it| it.contains("one too low")), "{field:?}");
            }
            if let FieldValue::Flags(right) = field.answer {
                let ack = right.contains(Flags::ACK);
                assert!(ack || right == Flags::SYN, "the reasons are true of these: {right}");
                for flag in [Flags::ACK, Flags::FIN, Flags::SYN] {
                    let other =
                        if right.contains(flag) { right.without(flag) } else { right | flag };
                    assert!(field.mistake(FieldValue::Flags(other)).is_some(), "{other}");
                }
            }
            let reasons = known.entry(field.asked.name()).or_default();
            reasons.extend(field.wrong.iter().map(|it| it.explanation));
        }
    }
    let counts: Vec<usize> = known.values().map(BTreeSet::len).collect();
    assert_eq!(counts, [2, 6, 1, 3], "{known:#?}");
}
