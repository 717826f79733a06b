//! Grades as JSON.

use super::{Grade, GradedItem};
use crate::teach::mistake::Mistake;
use serde_json::{Value, json};

/// Returns the grades as an object that contains one array.
pub(crate) fn json(grades: &[Grade]) -> Value {
    json!({ "grades": grades.iter().map(one).collect::<Vec<_>>() })
}

fn one(grade: &Grade) -> Value {
    json!({
        "student": grade.name.student,
        "name": grade.student.as_ref().and_then(|student| student.name.as_deref()),
        "assignment": grade.name.assignment,
        "state": grade.state().name(),
        "score": grade.points().number(),
        "max_score": grade.max().number(),
        "not_marked": grade.unmarked().count(),
        "not_marked_points": grade.unmarked_points().number(),
        "mistakes": grade.mistakes.iter().map(mistake).collect::<Vec<_>>(),
        "items": grade.items.iter().map(item).collect::<Vec<_>>(),
    })
}

fn mistake(mistake: &Mistake) -> Value {
    json!({ "line": mistake.line, "reason": mistake.reason })
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
