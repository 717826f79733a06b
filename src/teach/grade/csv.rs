//! Grades as CSV with the same columns as nbgrader's export.

use super::Grade;

const COLUMNS: [&str; 11] = [
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

/// Returns the header and one row per grade. Dates, names and addresses are empty, because answer files do not contain
/// them.
///
/// # Errors
/// Returns an error if the rows cannot be written to memory.
pub(crate) fn csv(grades: &[Grade]) -> Result<String, ::csv::Error> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for grade in grades {
        let (score, max) = (grade.points().to_string(), grade.max().to_string());
        let (assignment, student) = (&*grade.name.assignment, &*grade.name.student);
        writer
            .write_record([assignment, "", "", student, "", "", "", &score, "0", &score, &max])?;
    }
    let octets = writer.into_inner().map_err(::csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}
