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
        "{} Explain your answer in your own words, for TCP and for UDP. Name the {points} rules of TCP, UDP and sockets \
         that explain your answer. Each rule gives a point.",
        lab.question()
    );
    let kind = Kind::Explanation(criteria);
    Item { id: format!("{}-explanation", lab.name()), points, prompt, table: None, kind }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab;

    #[test]
    fn an_explanation_has_a_point_for_each_rule_that_answers_the_question() {
        let loss = lab::find("loss").expect("a lab");
        let Item { points, prompt, kind: Kind::Explanation(criteria), .. } = of(loss) else {
            panic!("not an explanation")
        };
        assert_eq!((points, criteria.len()), (3, 3), "{criteria:?}");
        let is_beyond =
            |it: &Criterion| it.text.contains("fast retransmit") || it.text.contains('=');
        assert!(!criteria.iter().any(is_beyond), "{criteria:?}");
        assert!(prompt.contains("the 3 rules"), "{prompt}");
    }
}
