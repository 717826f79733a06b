//! Grades as JSON.

use super::{Grade, GradedItem};
use serde_json::{Value, json};

/// Returns the grades as an object that contains one array.
pub(crate) fn json(grades: &[Grade]) -> Value {
    json!({ "grades": grades.iter().map(one).collect::<Vec<_>>() })
}

fn one(grade: &Grade) -> Value {
    json!({
        "student": grade.name.student,
        "assignment": grade.name.assignment,
        "score": grade.points().number(),
        "max_score": grade.max().number(),
        "items": grade.items.iter().map(item).collect::<Vec<_>>(),
    })
}

fn item(item: &GradedItem) -> Value {
    json!({
        "item": item.id,
        "prompt": item.prompt,
        "answer": item.answer,
        "outcome": item.outcome.name(),
        "score": item.points.map(super::Points::number),
        "max_score": item.max.number(),
        "feedback": item.feedback,
    })
}
