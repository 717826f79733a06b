//! The results for Gradescope, read by gslocal, and those for Autolab, read by its rules.

use super::{Graded, HOSTILE, beside, items, read_by};
use crate::or_skip;
use crate::support::{program, unpacked};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::process::Command;

/// Prints a result of an autograder as gslocal does.
const SHOW: &str =
    "import sys, pathlib, gslocal.results as it; it.format_results(pathlib.Path(sys.argv[1]))";

/// Returns a command that shows `results.json` by gslocal.
fn gslocal(answers: &Graded) -> Result<Command, String> {
    let folder = unpacked("gslocal");
    if !folder.join("gslocal").is_dir() {
        return Err("gslocal is not here (.ci/peers)".to_owned());
    }
    let mut show = Command::new(program("python3")?);
    show.args(["-c", SHOW]).arg(answers.0.path("results.json"));
    // Python would write its compiled files into the folder.
    show.env("PYTHONPATH", folder).env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(show)
}

/// Returns a screen without its colours.
fn plain(screen: &str) -> String {
    let mut parts = screen.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.filter_map(|part| Some(part.split_once('m')?.1)).fold(first, |text, part| text + part)
}

/// An answer file, the exit status of grading it alone, and the grade that it must get.
struct Case<'a> {
    file: String,
    status: i32,
    grade: &'a Value,
}

impl Case<'_> {
    /// Returns the items for Gradescope: all but explanations without a mark.
    fn items(&self) -> Vec<&Value> {
        let is_explanation =
            |item: &Value| item["item"].as_str().expect("an id").ends_with("-explanation");
        let is_left_out =
            |item: &Value| is_explanation(item) && item["outcome"] != "marked by hand";
        items(self.grade).iter().filter(|item| !is_left_out(item)).collect()
    }

    /// Returns the scores by item, for Autolab: an item that is still to mark has none.
    fn scores(&self) -> BTreeMap<String, Value> {
        let id = |item: &Value| item["item"].as_str().expect("an id").to_owned();
        let marked = items(self.grade).iter().filter(|item| !item["score"].is_null());
        marked.map(|item| (id(item), item["score"].clone())).collect()
    }
}

/// Returns an item's points. An item that is still to mark has none.
fn score(item: &Value) -> f64 {
    item["score"].as_f64().unwrap_or_default()
}

/// Returns the words of a text with one space between them. The results have wrapped lines.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the feedback for an item as the results have it, without a control character.
fn feedback(item: &Value) -> String {
    words(item["feedback"].as_str().expect("a text")).replace('\u{7}', "\\u{7}")
}

/// Returns the cases of the two students whose answers are right and hostile.
fn cases<'a>(answers: &Graded, grades: &'a [Value]) -> [Case<'a>; 2] {
    let case = |folder: &str, status, is_it: fn(&str) -> bool| {
        let is_it = |grade: &&Value| is_it(grade["student"].as_str().expect("an id"));
        let grade = grades.iter().find(is_it).expect("a grade");
        Case { file: format!("sheets/{folder}/answers.toml"), status, grade }
    };
    [case("s1", 0, |id| id == "s1"), case(&answers.folder(), 1, |id| !id.starts_with('s'))]
}

#[test]
fn gslocal_shows_each_item_with_its_points_and_feedback() {
    let answers = Graded::new();
    let mut show = or_skip!(gslocal(&answers));
    let grades = answers.grades();
    for case in cases(&answers, &grades) {
        answers.0.write("results.json", answers.output(&case.file, "gradescope", case.status));
        let screen = plain(&read_by(&mut show));
        let wanted = case.items();
        let rows: Vec<Vec<&str>> = screen
            .lines()
            .filter(|line| line.starts_with("  PASS  ") || line.starts_with("  FAIL  "))
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(rows.len(), wanted.len(), "{screen}");
        for (row, item) in rows.iter().zip(&wanted) {
            let verdict = if item["score"] == item["max_score"] { "PASS" } else { "FAIL" };
            let points = format!("{:?}/{}", score(item), item["max_score"]);
            assert_eq!(row[..], [verdict, &points, item["item"].as_str().expect("an id")]);
            // gslocal shows the feedback for an item only if points are missing.
            assert!(verdict == "PASS" || words(&screen).contains(&feedback(item)), "{screen}");
        }
        let points: f64 = wanted.iter().map(|item| score(item)).sum();
        let max: f64 = wanted.iter().filter_map(|item| item["max_score"].as_f64()).sum();
        assert!(screen.contains(&format!("Score: {points:.2} / {max:.2}")), "{screen}");
        assert_eq!(case.grade["score"].as_f64(), Some(points));
    }
}

#[test]
fn gslocal_shows_why_a_file_is_refused() {
    let answers = Graded::new();
    let mut show = or_skip!(gslocal(&answers));
    answers.0.write("sheets/s1/answers.toml", format!("version = '{HOSTILE}"));
    let refusal = answers.output("sheets/s1/answers.toml", "gradescope", 1);
    follows_the_format(&refusal.parse().expect("JSON"));
    answers.0.write("results.json", refusal);
    let screen = plain(&read_by(&mut show));
    assert!(screen.contains("answers.toml:1: not TOML"), "{screen}");
}

#[test]
fn gradescope_gets_the_reason_why_several_files_have_no_grade() {
    let answers = Graded::new();
    let file = answers.0.read("sheets/s1/answers.toml");
    answers.0.write("sheets/s1/copy.toml", file);
    let two_files = "2 files of student s1: hand in one file";
    let two_students = "files of 2 students: hand in one file";
    for (files, status, reason) in [("sheets/s1", 1, two_files), ("sheets", 2, two_students)] {
        let results: Value = answers.output(files, "gradescope", status).parse().expect("JSON");
        follows_the_format(&results);
        assert_eq!(results["score"], 0.0);
        let output = results["output"].as_str().expect("a text");
        assert!(output.starts_with(&format!("This file cannot be graded:\n{reason}")), "{output}");
        assert!(output.ends_with(two_files), "{output}");
    }
}

#[test]
fn each_result_follows_the_published_format_of_gradescope() {
    let answers = Graded::new();
    let grades = answers.grades();
    for case in cases(&answers, &grades) {
        let results: Value =
            answers.output(&case.file, "gradescope", case.status).parse().expect("JSON");
        follows_the_format(&results);
        assert_eq!(results["score"], case.grade["score"]);
        let tests = results["tests"].as_array().expect("tests");
        let wanted = case.items();
        assert_eq!(tests.len(), wanted.len());
        for (test, item) in tests.iter().zip(wanted) {
            assert_eq!(
                [&test["name"], &test["score"], &test["max_score"]],
                [&item["item"], &score(item).into(), &item["max_score"]]
            );
            let output = words(test["output"].as_str().expect("a text"));
            assert!(output.contains(&feedback(item)), "{test:#}");
        }
    }
}

/// Checks a result by <https://gradescope-autograders.readthedocs.io/en/latest/specs/>, "Output format": its keys, their
/// types, and a score in the result or in each test.
fn follows_the_format(results: &Value) {
    let visibility = ["hidden", "after_due_date", "after_published", "visible"];
    let is_right = |key: &str, value: &Value| match key {
        "score" | "max_score" => value.as_f64().is_some_and(|it| it >= 0.0),
        "name" | "output" => value.is_string(),
        "visibility" => value.as_str().is_some_and(|it| visibility.contains(&it)),
        "tests" => value.is_array(),
        _ => false,
    };
    let tests = results["tests"].as_array().expect("tests");
    for object in tests.iter().chain([results]) {
        for (key, value) in object.as_object().expect("an object") {
            assert!(is_right(key, value), "{key}: {value}");
        }
        assert!(object["score"].is_f64(), "{object}");
    }
    // Before the teacher publishes the grades, students see neither feedback nor right answers.
    assert!(tests.iter().all(|test| test["visibility"] == "after_published"), "{results:#}");
}

#[test]
fn the_rules_of_autolab_find_the_points_in_the_last_line() {
    let ruby = or_skip!(program("ruby"));
    let answers = Graded::new();
    let grades = answers.grades();
    for case in cases(&answers, &grades) {
        answers.0.write("output", answers.output(&case.file, "autolab", case.status));
        let mut reader = Command::new(&ruby);
        reader
            .arg(beside("autolab.rb"))
            .stdin(File::open(answers.0.path("output")).expect("a file"));
        let scores: BTreeMap<String, Value> =
            serde_json::from_str(&read_by(&mut reader)).expect("JSON");
        assert_eq!(scores, case.scores());
    }
}
