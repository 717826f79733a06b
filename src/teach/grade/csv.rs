//! Grades as CSV: the columns of nbgrader's export, and further ones after them.

use super::Grade;
use crate::teach::formula::inert;

/// The columns of nbgrader's export.
const NBGRADER_COLUMNS: [&str; 11] = [
    "assignment",
    "duedate",
    "timestamp",
    "student_id",
    "last_name",
    "first_name",
    "email",
    "raw_score",
    "late_submission_penalty",
    "score",
    "max_score",
];
/// Columns that nbgrader's export does not have.
const MORE_COLUMNS: [&str; 5] = ["name", "state", "not_marked", "not_marked_points", "mistakes"];

/// Returns the header and one row per grade. Dates and addresses are empty, because answer files do not contain them.
/// Names are those in the class list.
///
/// # Errors
/// Returns an error if the rows cannot be written to memory.
pub(crate) fn csv(grades: &[Grade]) -> Result<String, ::csv::Error> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(NBGRADER_COLUMNS.iter().chain(&MORE_COLUMNS))?;
    for grade in grades {
        writer.write_record(row(grade))?;
    }
    text_of(writer)
}

/// Returns the text that was written to memory.
pub(super) fn text_of(writer: ::csv::Writer<Vec<u8>>) -> Result<String, ::csv::Error> {
    let octets = writer.into_inner().map_err(::csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

fn row(grade: &Grade) -> [String; 16] {
    let (score, max) = (grade.points().to_string(), grade.max().to_string());
    let student = grade.student.as_ref();
    let name = |part: Option<&String>| inert(part.map_or("", |it| it));
    let empty = String::new;
    [
        inert(&grade.name.assignment),
        empty(),
        empty(),
        grade.name.student.clone(),
        name(student.and_then(|it| it.last_name.as_ref())),
        name(student.and_then(|it| it.first_name.as_ref())),
        empty(),
        score.clone(),
        "0".to_owned(),
        score,
        max,
        name(student.and_then(|it| it.name.as_ref())),
        grade.state().to_string(),
        grade.unmarked().count().to_string(),
        grade.unmarked_points().to_string(),
        grade.mistakes.len().to_string(),
    ]
}
