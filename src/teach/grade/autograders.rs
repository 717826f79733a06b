//! The grade of one student for autograders that run once for each student.

use super::Grade;
use super::text::{lines, text};
use serde_json::{Map, Value, json};

/// Returns `results.json` of Gradescope. Items that a teacher marks by hand are left out: Gradescope has questions of
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
                "visibility": "visible",
            })
        })
        .collect();
    json!({ "score": grade.points().number(), "tests": tests })
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
