//! Grades as JUnit XML: one test suite per student, one test case per item.

use super::{Grade, GradedItem, Outcome};
use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

/// Returns all grades as one JUnit report.
///
/// # Errors
/// Returns an error if the XML cannot be written to memory.
pub(crate) fn junit(grades: &[Grade]) -> Result<String, SerializeError> {
    let mut report = Report::new("daytime lab grade");
    for grade in grades {
        let mut suite = TestSuite::new(format!("{} {}", grade.name.assignment, grade.name.student));
        suite.add_property(("student", grade.name.student.as_str()));
        if !grade.student_name().is_empty() {
            suite.add_property(("name", grade.student_name()));
        }
        suite.add_property(("state", grade.state().name()));
        suite.add_property(("score", &*grade.points().to_string()));
        suite.add_property(("max_score", &*grade.max().to_string()));
        suite.add_property(("not_marked_points", &*grade.unmarked_points().to_string()));
        suite.add_test_cases(grade.items.iter().map(|item| case(grade, item)));
        report.add_test_suite(suite);
    }
    Ok(without_skipped(&report.to_string()?))
}

/// Removes the attribute `skipped` from the start tag of all suites together, because the schema by which Jenkins reads
/// JUnit XML forbids it there. quick-junit always writes it.
fn without_skipped(report: &str) -> String {
    let at = report.find("<testsuites").unwrap_or_default();
    let (head, rest) = report.split_at(at);
    let (tag, suites) = rest.split_at(rest.find('>').unwrap_or_default());
    let attributes = tag.split(' ').filter(|word| !word.starts_with("skipped="));
    [head, &attributes.collect::<Vec<_>>().join(" "), suites].concat()
}

fn case(grade: &Grade, item: &GradedItem) -> TestCase {
    let mut case = TestCase::new(item.id.as_str(), status(item));
    case.set_classname(grade.name.assignment.as_str());
    let points = match item.points {
        Some(points) => format!("{points} of {} points", item.max),
        None => format!("not marked yet, at most {} points", item.max),
    };
    case.set_system_out(format!("{points}\n{}", item.feedback));
    case
}

/// Returns an item's status. An item with full points is a success, and an item that is not marked yet is skipped.
fn status(item: &GradedItem) -> TestCaseStatus {
    let mut status = match item.outcome {
        Outcome::Right => return TestCaseStatus::success(),
        Outcome::Marked if item.points == Some(item.max) => return TestCaseStatus::success(),
        Outcome::Unmarked => TestCaseStatus::skipped(),
        Outcome::Unreadable => TestCaseStatus::non_success(NonSuccessKind::Error),
        Outcome::Empty | Outcome::Marked | Outcome::Partly | Outcome::Wrong => {
            TestCaseStatus::non_success(NonSuccessKind::Failure)
        }
    };
    status.set_message(item.outcome.name());
    status.set_description(item.feedback.as_str());
    status
}
