//! Each page of a lab lists the right answers to its questions, as runs without options show them. A question that no
//! such run asks has the answer from a command that the page names. `DAYTIME_UPDATE_DOCS=1` writes outdated lists anew.

use super::{folder, permission_to_write};
use crate::lab::{labs, name, words};
use crate::lab_ask::from_file;
use crate::support::skip;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::iter;

const INTRODUCTION: &str = "\
These answers are right in a run without options. With other options, or on another system, another answer may be
right. After each run, `--ask` says which answer the run shows.";

/// The right answers to a lab's questions by id, each as an item of the page's list.
type Answers = BTreeMap<String, String>;

#[test]
fn every_page_lists_the_right_answer_to_each_question_apart_from_the_questions() {
    let may_write = permission_to_write();
    let mut compared = 0;
    for lab in labs() {
        let path = folder().join(format!("{}.md", name(&lab)));
        let page = fs::read_to_string(&path).expect("a page");
        let Some(items) = items(&lab) else { continue };
        let (before, rest) = page.split_once("\n## Answers\n").expect("a section Answers");
        let (shown, after) = rest.split_once("\n### What to try next\n").expect("the other list");
        let expected = format!("\n### Questions\n\n{INTRODUCTION}\n\n{}", items.concat());
        if shown != expected && may_write.is_some() {
            let parts = [before, "\n## Answers\n", &expected, "\n### What to try next\n", after];
            fs::write(&path, parts.concat()).expect("written");
        } else {
            assert_eq!(shown, expected, "{} (DAYTIME_UPDATE_DOCS=1 writes it)", path.display());
        }
        compared += items.len();
    }
    assert!(compared > 10, "{compared}");
}

/// Returns the items of a page's list in the order of the lab's questions. `None` if an engine that a question needs
/// cannot run here.
fn items(lab: &Value) -> Option<Vec<String>> {
    let mut answers = Answers::new();
    for engine in words(&lab["engines"]) {
        add(lab, &format!("{} --engine {engine}", name(lab)), "", &mut answers);
    }
    let questions = lab["questions"].as_array().expect("questions");
    let mut commands = lab["next"].as_array().expect("what to try next").iter();
    while answers.len() < questions.len() {
        let Some(next) = commands.next() else {
            skip(&format!("{}: not every question is asked here", name(lab)));
            return None;
        };
        let command = next["command"].as_str().expect("a command");
        let run = command.strip_prefix("daytime lab run ").filter(|it| it.starts_with(name(lab)));
        if let Some(run) = run {
            add(lab, run, &format!("With `{command}`: "), &mut answers);
        }
    }
    Some(questions.iter().map(|it| answers[id(it)].clone()).collect())
}

/// Runs a lab, and adds the right answers that the run shows and that are not known yet.
fn add(lab: &Value, arguments: &str, command: &str, answers: &mut Answers) {
    let questions = lab["questions"].as_array().expect("questions");
    let empty = |it: &Value| format!("{} = {{ predicted = \"\", observed = \"\" }}\n", id(it));
    let head = iter::once(format!("[{}]\n", name(lab)));
    let file: String = head.chain(questions.iter().map(empty)).collect();
    let arguments: Vec<&str> = arguments.split(' ').chain(["--json"]).collect();
    let record: Value = from_file(&file, &arguments).parse().expect("JSON");
    for it in record["runs"][0]["answers"].as_array().into_iter().flatten() {
        let Some(right) = it["shown"].as_str() else { continue };
        let question = it["question"].as_str().expect("a question");
        let item = format!("- {question}\n  {command}**{right}**\n");
        let known = answers.entry(id(it).to_owned()).or_insert_with(|| item.clone());
        assert!(!command.is_empty() || *known == item, "engines differ: {known}{item}");
    }
}

fn id(question: &Value) -> &str {
    question["id"].as_str().expect("an id")
}
