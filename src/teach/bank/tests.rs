//! Generates the items for many students, and checks properties that a single sheet cannot show.

use super::*;
use crate::lab::{self, Engine};
use crate::teach::draw::{Secret, SheetName};
use crate::teach::item::{Kind, Number};
use std::collections::{BTreeMap, BTreeSet};

/// Number of students. A build without optimisation takes ten times as long per student, so it tests fewer students.
const STUDENTS: usize = if cfg!(debug_assertions) { 1_000 } else { 10_000 };
/// Maximum percentage of students for whom the same guess is right. The sample in a build without optimisation is
/// small, so its limit is higher by three standard errors.
const MAX_GUESS: usize = if cfg!(debug_assertions) { 35 + 4 } else { 35 };

/// Returns each student's items for a lab.
fn sheets(lab: &'static Lab) -> impl Iterator<Item = Vec<Item>> {
    let secret = Secret::of(b"the secret of the tests").expect("long enough");
    let mut runs = Runs::default();
    (0..STUDENTS).map(move |student| {
        let name = SheetName { assignment: "tests".into(), student: student.to_string() };
        draw_items(lab, &mut secret.draw(&name, lab.name()), &mut runs).items
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
}

impl Census {
    fn of(lab: &'static Lab) -> Self {
        let mut census = Self::default();
        let mut before: Vec<Option<String>> = Vec::new();
        for items in sheets(lab) {
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
}

/// Checks one item: an order is unambiguous, exactly one choice is right, and the table does not show a blank's value.
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
        Kind::Number(_) | Kind::Explanation(_) => {}
    }
}

#[test]
fn no_guess_is_right_often_alternatives_are_apart_and_neighbours_differ() {
    let (mut all, mut differ) = (0, 0);
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
                    assert!(one.are_apart(one.answer, other.answer), "{id}: {one:?}, {other:?}");
                }
            }
        }
        let is_simulated = lab.procedure_on(Engine::Sim).is_some();
        assert!(!is_simulated || census.differ * 10 >= census.items * 7, "{}", lab.name());
        (all, differ) = (all + census.items, differ + census.differ);
    }
    assert!(all > 0 && differ * 10 >= all * 7, "{differ} of {all} differ");
}

#[test]
fn a_lab_on_sim_has_numbers_and_orders_or_fields_and_every_lab_has_an_explanation() {
    for lab in lab::all() {
        let items = sheets(lab).next().expect("a student");
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
