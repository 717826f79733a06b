//! Draws the items of many students.

use super::*;
use crate::lab;
use crate::teach::draw::{Secret, SheetName};
use crate::teach::item::Kind;
use std::collections::{BTreeMap, BTreeSet};

/// Number of students drawn.
const STUDENTS: usize = 10_000;

/// Returns the items of each student for a lab.
fn sheets(lab: &'static Lab) -> impl Iterator<Item = Vec<Item>> {
    let secret = Secret::of(b"the secret of the tests").expect("long enough");
    let mut runs = Runs::default();
    (0..STUDENTS).map(move |student| {
        let name = SheetName { assignment: "tests".into(), student: student.to_string() };
        draw_items(lab, &mut secret.draw(&name, lab.name()), &mut runs).items
    })
}

#[test]
fn no_guess_is_right_often_and_no_order_is_ambiguous() {
    for lab in lab::all() {
        let mut counts: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        for items in sheets(lab) {
            for item in items {
                let Some(answer) = item.right_answer() else { continue };
                *counts.entry(item.id).or_default().entry(answer).or_default() += 1;
            }
        }
        for (id, answers) in counts {
            let best = answers.iter().max_by_key(|it| it.1).expect("an answer");
            assert!(best.1 * 100 <= STUDENTS * 35, "{id}: {} is right for {}", best.0, best.1);
            println!("{id}: {} answers, {} {}", answers.len(), best.0, best.1);
        }
    }
}
