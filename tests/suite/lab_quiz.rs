//! `daytime lab quiz`: the command line, and the files that it writes.

use crate::lab::lab;
use crate::lab_sheets::Desk;
use crate::support::{good, run, stderr};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use tempfile::TempDir;

const FORMATS: [&str; 3] = ["moodle", "gift", "text2qti"];
/// A seed that no other number in a quiz is like.
const SEED: &str = "12345678987654321";

/// Returns the words of a command that makes a quiz.
fn words<'a>(format: &'a str, labs: &'a str, variants: &'a str) -> Vec<&'a str> {
    vec!["quiz", "--format", format, "--lab", labs, "--variants", variants, "--seed", SEED]
}

#[test]
fn each_format_is_the_same_twice_on_standard_output_and_in_a_file_and_does_not_name_the_seed() {
    let folder = TempDir::new().expect("a folder");
    for format in FORMATS {
        let printed = good(&mut lab(&words(format, "exchange,stale", "3")));
        let file = folder.path().join(format);
        let out = good(lab(&words(format, "exchange,stale", "3")).arg("--out").arg(&file));
        assert_eq!(out, "");
        assert_eq!(fs::read_to_string(file).expect("UTF-8"), printed, "{format}");
        assert!(printed.contains("exchange-tcp-time 3") && !printed.contains(SEED), "{format}");
    }
}

#[test]
fn a_quiz_of_all_labs_has_a_category_for_each_item_of_each_lab() {
    let quiz = good(&mut lab(&words("gift", "all", "1")));
    let categories: BTreeSet<&str> = quiz
        .lines()
        .filter_map(|line| line.strip_prefix("$CATEGORY: $course$/top/daytime/"))
        .collect();
    // A sheet of all labs has the same items.
    let items = Desk::new().keys("all").remove("s1").expect("a key");
    let category = |item: &Value| {
        let (id, command) = (&item["item"], item["command"].as_str().expect("a command"));
        let lab = command.split(' ').nth(3).expect("a lab");
        format!("{lab}/{}", id.as_str().expect("an id"))
    };
    let expected: BTreeSet<String> = items.iter().map(category).collect();
    assert!(expected.len() > 2 * 17, "{expected:?}");
    assert!(categories.iter().copied().eq(expected.iter()), "{categories:?} {expected:?}");
    let labs: BTreeSet<&str> = categories.iter().filter_map(|it| it.split('/').next()).collect();
    assert_eq!(labs.len(), 17);
}

#[test]
fn without_ordering_questions_an_order_is_a_matching_question() {
    let with = good(&mut lab(&words("moodle", "loss", "2")));
    let without = good(lab(&words("moodle", "loss", "2")).arg("--no-ordering"));
    let [ordering, matching] = ["type=\"ordering\"", "type=\"matching\""];
    assert!(with.contains(ordering) && !with.contains(matching));
    assert!(!without.contains(ordering) && without.contains(matching));
}

#[test]
fn a_quiz_needs_a_seed_a_format_and_at_least_one_variant() {
    let all = words("gift", "loss", "1");
    for (missing, name) in [(7, "--seed"), (1, "--format")] {
        let mut words = all.clone();
        words.drain(missing..missing + 2);
        let output = run(&mut lab(&words));
        assert_eq!(output.status.code(), Some(2));
        let complaint = stderr(&output);
        let (reason, _) = complaint.split_once("Usage").expect("the usage");
        assert!(reason.contains(name), "{complaint}");
    }
    for variants in ["0", "201", "-1"] {
        assert_eq!(run(&mut lab(&words("gift", "loss", variants))).status.code(), Some(2));
    }
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let output = run(lab(&words("gift", "loss", "1")).args(["--out", "/nowhere/quiz.txt"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("/nowhere/quiz.txt"), "{}", stderr(&output));
}
