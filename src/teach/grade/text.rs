//! Grades as text for people.

use super::{Grade, GradedItem, Points};
use crate::report::{escaped, plural, wrapped};

/// Returns the text of all grades. Each grade lists all its items.
pub(crate) fn text(grades: &[Grade]) -> String {
    grades.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn one(grade: &Grade) -> String {
    let name = [&*grade.name.student, grade.student_name(), &*grade.name.assignment];
    let name: Vec<String> = name.iter().filter(|it| !it.is_empty()).map(|it| escaped(it)).collect();
    let head = format!("{}: {} of {} points", name.join(", "), grade.points(), grade.max());
    let head = wrapped(&format!("{head}{}", unmarked(grade)), 2);
    grade.items.iter().fold(head, |text, item| text + &lines(item))
}

/// Returns what the points do not yet contain.
fn unmarked(grade: &Grade) -> String {
    match grade.unmarked().count() {
        0 => String::new(),
        count => format!(
            " so far; not marked yet: {} with {}",
            plural(count as u64, "explanation"),
            points(grade.unmarked_points())
        ),
    }
}

/// Returns points with their noun.
pub(super) fn points(points: Points) -> String {
    let noun = if points == Points::whole(1) { "point" } else { "points" };
    format!("{points} {noun}")
}

/// Returns the lines for one item: its points, the answer and the feedback.
pub(super) fn lines(item: &GradedItem) -> String {
    let points = item.points.map_or_else(|| "–".to_owned(), |points| points.to_string());
    let GradedItem { number, id, max, outcome, .. } = item;
    let mut lines = format!("  {number}. {id}: {points} of {max}, {outcome}\n");
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
