//! Grades as text for people.

use super::{Grade, GradedItem};
use crate::report::{escaped, wrapped};
use std::fmt::Write;

/// Returns the text of all grades. Each grade lists all its items.
pub(crate) fn text(grades: &[Grade]) -> String {
    grades.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn one(grade: &Grade) -> String {
    let (student, assignment) = (escaped(&grade.name.student), escaped(&grade.name.assignment));
    let mut text = format!("{student}, {assignment}: {} of {} points", grade.points(), grade.max());
    let unmarked = grade.unmarked().count();
    if unmarked > 0 {
        let _ = write!(text, "; {unmarked} to mark by hand");
    }
    grade.items.iter().fold(text + "\n", |text, item| text + &lines(item))
}

/// Returns the lines for one item: its points, the answer and the feedback.
pub(super) fn lines(item: &GradedItem) -> String {
    let points = item.points.map_or_else(|| "–".to_owned(), |points| points.to_string());
    let mut lines = format!("  {}: {points} of {}, {}\n", item.id, item.max, item.outcome);
    if !item.answer.is_empty() {
        let heads = std::iter::once("    answer: ").chain(std::iter::repeat("            "));
        let answer = heads.zip(item.answer.lines());
        lines.extend(answer.map(|(head, line)| wrapped(&format!("{head}{}", escaped(line)), 12)));
    }
    if !item.feedback.is_empty() {
        lines += &wrapped(&format!("    {}", escaped(&item.feedback)), 4);
    }
    lines
}
