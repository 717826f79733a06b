//! The item that asks a student to answer the lab's question in their own words. A teacher marks it by hand.

use crate::lab::Lab;
use crate::teach::item::{Criterion, Item, Kind};

/// Creates the item. Its marking criteria are the sentences of theory that answer the lab's question. They hold on every
/// machine.
pub(super) fn of(lab: &'static Lab) -> Item {
    let criteria: Vec<Criterion> = lab
        .text
        .theory
        .iter()
        .filter(|theory| !theory.is_beyond_question)
        .map(|theory| Criterion {
            points: 1,
            text: format!("{} ({}).", theory.says, theory.source),
        })
        .collect();
    let points: u32 = criteria.iter().map(|it| it.points).sum();
    let prompt = format!(
        "{} Explain it in your own words, for TCP and for UDP. Name the rules that decide: {points} rules, a point for \
         each.",
        lab.question()
    );
    let kind = Kind::Explanation(criteria);
    Item { id: format!("{}-explanation", lab.name()), points, prompt, table: None, kind }
}
