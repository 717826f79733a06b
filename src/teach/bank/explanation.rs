//! The item that asks a student to answer the lab's question in their own words. A teacher marks it by hand.

use crate::lab::Lab;
use crate::teach::item::{Criterion, Item, Kind};

/// Creates the item. The marking criteria are the lab's theory, which holds on every machine.
pub(super) fn of(lab: &'static Lab) -> Item {
    let criteria: Vec<Criterion> = lab
        .text
        .theory
        .iter()
        .map(|theory| Criterion {
            points: 1,
            text: format!("{} ({}).", theory.says, theory.source),
        })
        .collect();
    let prompt = format!(
        "{} Explain it in your own words, for TCP and for UDP. Name the rule that decides.",
        lab.question()
    );
    let points = criteria.iter().map(|it| it.points).sum();
    let kind = Kind::Explanation(criteria);
    Item { id: format!("{}-explanation", lab.name()), points, prompt, table: None, kind }
}
