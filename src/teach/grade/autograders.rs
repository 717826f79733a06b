//! One student's grade in the formats of autograders, which run once per student.

use super::Grade;
use super::text::{lines, text};
use serde_json::{Map, Value, json};

/// Returns the `results.json` for Gradescope. Leaves out items without points, because Gradescope has separate
/// questions for explanations that a teacher marks by hand.
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

/// Returns the feedback, followed by a last line with the scores in Autolab's format. The scores leave out items that a
/// teacher has not marked yet.
pub(crate) fn autolab(grade: &Grade) -> String {
    let scores: Map<String, Value> = grade
        .items
        .iter()
        .filter_map(|item| Some((item.id.clone(), item.points?.number().into())))
        .collect();
    text(std::slice::from_ref(grade)) + &json!({ "scores": scores }).to_string() + "\n"
}
