//! One student's grade in the formats of autograders, which run once per student.

use super::text::{lines, points, text};
use super::{Grade, GradedItem, Outcome};
use crate::report::{escaped, plural};
use crate::teach::mistake::Mistake;
use serde_json::{Map, Value, json};

/// Returns `results.json` of Gradescope. The feedback has the right answers, so students see it only once the teacher
/// publishes the grades. They see at once which lines cannot be read and which items are not marked yet. Explanations
/// without a mark are left out of the tests: Gradescope has questions of its own for them. `refusals` are the reasons why
/// other files of the student have no grade.
pub(crate) fn gradescope(grade: &Grade, refusals: &[String]) -> Value {
    let is_test = |item: &&GradedItem| !item.is_by_hand() || item.outcome == Outcome::Marked;
    let tests: Vec<Value> = grade
        .items
        .iter()
        .filter(is_test)
        .map(|item| {
            json!({
                "name": item.id,
                "score": item.points.unwrap_or_default().number(),
                "max_score": item.max.number(),
                "output": format!("{}\n{}", item.prompt, lines(item)),
                "visibility": "after_published",
            })
        })
        .collect();
    json!({ "score": grade.points().number(), "output": notes(grade, refusals), "tests": tests })
}

/// Returns what a student may know at once. It has no points and no right answers.
fn notes(grade: &Grade, refusals: &[String]) -> String {
    let unmarked = grade.unmarked().map(|item| format!("{} ({})", item.id, points(item.max)));
    let unmarked: Vec<String> = unmarked.collect();
    let mut notes = vec![format!("The sheet has {}.", points(grade.max()))];
    if !unmarked.is_empty() {
        notes.push(format!("Not marked yet, so not in the score: {}.", unmarked.join(", ")));
    }
    if !grade.mistakes.is_empty() {
        notes.push("These lines of answers.toml cannot be read:".to_owned());
        notes.extend(grade.mistakes.iter().take(MAX_REASONS).map(reason));
    }
    notes.extend(other_files(refusals));
    notes.join("\n")
}

/// Returns why other files than the graded one have no grade.
fn other_files(refusals: &[String]) -> Option<String> {
    let head = "Other files have no grade:";
    (!refusals.is_empty()).then(|| format!("{head}\n{}", listed(refusals)))
}

/// Returns the first reasons, one a line, and the number of the others.
fn listed(reasons: &[String]) -> String {
    let more = reasons.len().saturating_sub(MAX_REASONS) as u64;
    let more = (more > 0).then(|| plural(more, "more reason"));
    let first = reasons.iter().take(MAX_REASONS).map(|it| escaped(it));
    first.chain(more).collect::<Vec<_>>().join("\n")
}

/// Returns a mistake as a student may see it. The right answer is not in it.
fn reason(mistake: &Mistake) -> String {
    escaped(&format!("line {}: {}", mistake.line, mistake.reason))
}

/// Maximum number of reasons in a result.
const MAX_REASONS: usize = 20;

/// Returns `results.json` for a file that cannot be graded: no points, and the reasons, which the student sees at once.
pub(crate) fn gradescope_refusal(reasons: &[String]) -> Value {
    let output = format!("This file cannot be graded:\n{}", listed(reasons));
    json!({ "score": 0.0, "output": output, "tests": [] })
}

/// Returns the feedback, and a last line with the scores as Autolab reads it. Items that a teacher still has to mark are
/// left out of the scores, so Autolab shows them without a score. `refusals` are the reasons why other files of the
/// student have no grade.
pub(crate) fn autolab(grade: &Grade, refusals: &[String]) -> String {
    let scores: Map<String, Value> = grade
        .items
        .iter()
        .filter_map(|item| Some((item.id.clone(), item.points?.number().into())))
        .collect();
    let others = other_files(refusals).map(|others| others + "\n").unwrap_or_default();
    text(std::slice::from_ref(grade)) + &others + &json!({ "scores": scores }).to_string() + "\n"
}
