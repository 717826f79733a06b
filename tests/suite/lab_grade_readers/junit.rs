//! JUnit XML, read by junitparser and by libxml2 with the schema of Jenkins.

use super::{ASSIGNMENT, Graded, beside, items, read_by};
use crate::or_skip;
use crate::support::{program, python, run, stderr, unpacked};
use serde_json::Value;
use std::process::Command;

/// Returns the result of a test case, as junitparser names it, for an item.
fn result(item: &Value) -> Option<&'static str> {
    match item["outcome"].as_str()? {
        "right" => None,
        "marked by hand" if item["score"] == item["max_score"] => None,
        "cannot be read" => Some("Error"),
        "not marked yet" => Some("Skipped"),
        _ => Some("Failure"),
    }
}

/// Returns a text without the characters that XML cannot have. junitparser reads an empty text as null.
fn of_xml(text: &Value) -> String {
    text.as_str().unwrap_or_default().replace('\u{7}', "")
}

/// Returns points as a report has them: whole, or with two decimals.
fn two_decimals(points: f64) -> String {
    if points.fract() == 0.0 { points.to_string() } else { format!("{points:.2}") }
}

#[test]
fn junitparser_reads_each_item_of_each_student_with_its_result_and_feedback() {
    let python = or_skip!(python("junitparser"));
    let answers = Graded::new();
    answers.0.write("grades.xml", answers.output("sheets", "junit", 1));
    let mut reader = Command::new(python);
    reader.arg(beside("junit.py")).arg(answers.0.path("grades.xml"));
    let suites: Value = read_by(&mut reader).parse().expect("JSON");
    let suites = suites.as_array().expect("suites");
    let grades = answers.grades();
    assert_eq!(suites.len(), grades.len());
    for (suite, grade) in suites.iter().zip(&grades) {
        let student = grade["student"].as_str().expect("an id");
        assert_eq!(suite["name"], format!("{ASSIGNMENT} {student}"));
        let cases = suite["cases"].as_array().expect("cases");
        assert_eq!(cases.len(), items(grade).len());
        for (case, item) in cases.iter().zip(items(grade)) {
            compare(case, item);
        }
        let count = |wanted| items(grade).iter().filter(|it| result(it) == Some(wanted)).count();
        assert_eq!(suite["tests"], cases.len());
        for (name, result) in [("errors", "Error"), ("failures", "Failure"), ("skipped", "Skipped")]
        {
            assert_eq!(suite[name], count(result), "{name}: {suite:#}");
        }
    }
}

fn compare(case: &Value, item: &Value) {
    assert_eq!((&case["name"], &case["class"]), (&item["item"], &ASSIGNMENT.into()));
    let results = case["results"].as_array().expect("results");
    let kinds: Vec<&str> = results.iter().filter_map(|it| it[0].as_str()).collect();
    assert_eq!(kinds, Vec::from_iter(result(item)), "{case:#} {item:#}");
    let feedback = of_xml(&item["feedback"]);
    if let Some(result) = results.first() {
        assert_eq!((&result[1], of_xml(&result[2])), (&item["outcome"], feedback.clone()));
    }
    let out = case["out"].as_str().expect("a text");
    let max = item["max_score"].as_f64().expect("points");
    let (head, rest) = out.split_once('\n').expect("two lines");
    assert_eq!(rest, feedback);
    assert!(head.ends_with(&format!(" {max} points")), "{head}");
    if let Some(points) = item["score"].as_f64() {
        assert_eq!(head, format!("{} of {max} points", two_decimals(points)));
    }
}

#[test]
fn the_report_holds_to_the_schema_by_which_jenkins_reads_junit_xml() {
    let xmllint = or_skip!(program("xmllint"));
    let schema = unpacked("pytest").join("testing/example_scripts/junit-10.xsd");
    or_skip!(schema.is_file().then_some(()).ok_or("junit-10.xsd is not here (.ci/peers)"));
    let answers = Graded::new();
    let report = answers.output("sheets", "junit", 1);
    answers.0.write("grades.xml", &report);
    let mut check = Command::new(xmllint);
    check.args(["--noout", "--schema"]).arg(schema).arg(answers.0.path("grades.xml"));
    let complaints = stderr(&run(&mut check));
    let wrong: Vec<&str> = complaints.lines().filter(|line| line.contains(": element ")).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(complaints.contains("grades.xml validates"), "{complaints}");
}
