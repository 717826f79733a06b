//! One student's grade in the formats of autograders, which run once per student.

use super::Grade;
use super::text::{lines, text};
use crate::report::escaped;
use serde_json::{Map, Value, json};

/// Returns `results.json` of Gradescope. The feedback has the right answers, so students see it only once the teacher
/// publishes the grades. Items that a teacher marks by hand are left out: Gradescope has questions of
/// its own for them.
pub(crate) fn gradescope(grade: &Grade) -> Value {
    let graded = grade.items.iter().filter(|item| item.points.is_some());
    let tests: Vec<Value> = graded
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
    json!({ "score": grade.points().number(), "tests": tests })
}

/// Maximum number of reasons in a result.
const MAX_REASONS: usize = 20;

/// Returns `results.json` for a file that cannot be graded: no points, and the reasons, which the student sees at once.
pub(crate) fn gradescope_refusal(reasons: &[String]) -> Value {
    let reasons: Vec<String> = reasons.iter().take(MAX_REASONS).map(|it| escaped(it)).collect();
    let output = format!("This file cannot be graded:\n{}", reasons.join("\n"));
    json!({ "score": 0.0, "output": output, "tests": [] })
}

/// Returns the feedback, and a last line with the scores as Autolab reads it. Items that a teacher marks by hand are
/// left out of the scores.
pub(crate) fn autolab(grade: &Grade) -> String {
    let scores: Map<String, Value> = grade
        .items
        .iter()
        .filter_map(|item| Some((item.id.clone(), item.points?.number().into())))
        .collect();
    text(std::slice::from_ref(grade)) + &json!({ "scores": scores }).to_string() + "\n"
}
