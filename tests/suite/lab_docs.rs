//! Every lab has its page in `docs/labs`, and what it shows there is what the program prints today: to
//! the octet on `sim`; on the others with figures made the same, and with the drawings left aside, for
//! a kernel takes its time. With `DAYTIME_UPDATE_DOCS=1` blocks that are no longer true are written anew.

use crate::lab::{labs, name, words};
use crate::support::{daytime, run, skip, stdout};
use serde_json::Value;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const SECTIONS: [&str; 4] = ["## Question", "## Theory", "## What to try next", "## Output"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/labs")
}

fn page(lab: &Value) -> (PathBuf, String) {
    let path = folder().join(format!("{}.md", name(lab)));
    let text = fs::read_to_string(&path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (path, text)
}

#[test]
fn every_lab_has_a_page_with_its_question_its_theory_and_what_to_try_next() {
    for lab in labs() {
        let (path, text) = page(&lab);
        let path = path.display();
        let headings: Vec<&str> = text.lines().filter(|line| line.starts_with("## ")).collect();
        let of_ours: Vec<&str> =
            headings.into_iter().filter(|heading| SECTIONS.contains(heading)).collect();
        assert_eq!(of_ours, SECTIONS, "{path}");
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let question = lab["question"].as_str().expect("a question");
        assert!(flat.contains(question), "{path} does not ask {question:?}");
        for theory in lab["theory"].as_array().expect("theory") {
            let source = theory["source"].as_str().expect("a source");
            assert!(flat.contains(source), "{path} does not name {source:?}");
        }
    }
}

#[test]
fn what_a_lab_says_to_try_next_is_on_its_page_and_as_predicted() {
    let mut tried = 0;
    for lab in labs() {
        let (path, text) = page(&lab);
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let all = lab["next"].as_array().expect("what to try next");
        assert!(!all.is_empty(), "{} is the end of a course", name(&lab));
        for next in all {
            let [command, watch] =
                ["command", "watch"].map(|key| next[key].as_str().expect("text"));
            let bullet = format!("- `{command}`: {watch}");
            assert!(flat.contains(&bullet), "{} does not say {bullet:?}", path.display());
            tried += u32::from(command.starts_with("daytime lab ") && is_as_predicted(command));
        }
    }
    assert!(tried > 20, "{tried}");
}

/// False if it cannot run here.
fn is_as_predicted(command: &str) -> bool {
    let folder = TempDir::new().expect("a temporary folder"); // for what it may write
    let words = command.split(' ').skip(1);
    let output = run(daytime().args(words).current_dir(folder.path()));
    let text = stdout(&output);
    if text.contains("\nNOT RUN\n") {
        skip(&format!("{command}: {text}"));
        return false;
    }
    assert_eq!(output.status.code(), Some(0), "{command}: {text}");
    true
}

#[test]
fn the_introduction_leads_to_every_page_and_there_is_none_without_a_lab() {
    let text = fs::read_to_string(folder().join("README.md")).expect("docs/labs/README.md");
    let labs = labs();
    for lab in &labs {
        let link = format!("[{0}]({0}.md)", name(lab));
        assert!(text.contains(&link), "no {link}");
    }
    for entry in fs::read_dir(folder()).expect("docs/labs") {
        let file = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let known = |lab: &Value| file == format!("{}.md", name(lab));
        assert!(file == "README.md" || labs.iter().any(known), "{file} is of no lab");
    }
}

#[test]
fn every_output_shown_is_what_the_program_prints() {
    let update = env::var("DAYTIME_UPDATE_DOCS").as_deref() == Ok("1");
    for lab in labs() {
        let (path, text) = page(&lab);
        let (before, output) = text.split_once("## Output\n").expect("the section");
        let blocks: Vec<&str> = output.split("```console\n").skip(1).collect();
        assert!(!blocks.is_empty(), "{}: no console block", path.display());
        let mut updated = format!("{before}## Output\n");
        updated.push_str(output.split("```console\n").next().unwrap_or_default());
        for block in blocks {
            let (shown, rest) = block.split_once("```").expect("the block ends");
            let (command, shown) = shown.split_once('\n').expect("a command");
            let printed = printed(&lab, command).unwrap_or_else(|| shown.to_owned());
            let is_true = skeleton(command, &lab, &printed) == skeleton(command, &lab, shown);
            assert!(
                is_true || update,
                "{}: {command}\nprints now (DAYTIME_UPDATE_DOCS=1 writes it there):\n{printed}",
                path.display()
            );
            let kept = if is_true { shown } else { &printed };
            updated.extend(["```console\n", command, "\n", kept, "```", rest]);
        }
        if update && updated != text {
            fs::write(&path, updated).expect("written");
        }
    }
}

/// What a command prints; `None` if it cannot run here, which is told.
fn printed(lab: &Value, command: &str) -> Option<String> {
    let begin = format!("$ daytime lab run {} --explain", name(lab));
    assert!(command.starts_with(&begin), "{command:?} does not begin with {begin:?}");
    let words = command.split(' ').skip(2);
    let output = run(daytime().args(words));
    let text = stdout(&output);
    if text.contains("\nNOT RUN\n") {
        skip(&format!("{command}: {text}"));
        return None;
    }
    assert_eq!(output.status.code(), Some(0), "{command}: {text}");
    Some(text)
}

/// What has to be the same in two runs.
fn skeleton(command: &str, lab: &Value, text: &str) -> Vec<String> {
    let first = words(&lab["engines"])[0];
    let engine = command.split("--engine ").nth(1).and_then(|rest| rest.split(' ').next());
    if engine.unwrap_or(first) == "sim" {
        return text.lines().map(str::to_owned).collect();
    }
    let mut section = String::new();
    let mut kept = Vec::new();
    for line in text.lines() {
        if ["WHAT HAPPENED", "OBSERVED", "LESSON"].contains(&line) {
            line.clone_into(&mut section);
        }
        match section.as_str() {
            // Of the drawings their titles.
            "WHAT HAPPENED" if line.starts_with(' ') => {}
            "OBSERVED" => kept.push(figures_aside(&without_observed(line))),
            _ => kept.push(figures_aside(line)),
        }
    }
    kept.retain(|line| !line.is_empty());
    kept
}

/// A row without what was observed: that it is as predicted, its verdict tells.
fn without_observed(row: &str) -> String {
    row.chars().enumerate().filter(|(at, _)| !(46..65).contains(at)).map(|(_, it)| it).collect()
}

/// Every number made the same, and the name of the kernel, and units of time.
fn figures_aside(line: &str) -> String {
    if line.starts_with("  engine ") {
        return line.split(", ").next().unwrap_or_default().to_owned();
    }
    let word = |word: &str| {
        if ["ns", "µs", "ms", "s"].contains(&word) {
            return "unit".to_owned();
        }
        let figure = |it: char| it.is_ascii_digit() || it == '.';
        let mut plain: Vec<char> =
            word.chars().map(|it| if figure(it) { '0' } else { it }).collect();
        plain.dedup_by(|one, other| *one == '0' && *other == '0');
        plain.into_iter().collect()
    };
    line.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_comparison_of_outputs_can_fail() {
    let loopback = serde_json::json!({ "name": "x", "engines": ["loopback", "sim"] });
    let text = |engine: &str, prediction: &str, seen: &str, verdict: &str, drawn: &str| {
        let row = format!("  {:24}  {prediction:17}  {seen:17}  {verdict}", "reads");
        format!(
            "x: Why?\n  engine   {engine}\n\nWHAT HAPPENED\nTCP\n  {drawn}\n\nOBSERVED\n{row}\n"
        )
    };
    let same = |command: &str, one: &str, other: &str| {
        skeleton(command, &loopback, one) == skeleton(command, &loopback, other)
    };
    let one = text("loopback: here, Linux 6.1", "1 to 20 reads", "3 reads", "as predicted", "a");
    let here = "$ daytime lab run x --explain";
    let other = text("loopback: here, Linux 7.2", "1 to 20 reads", "1 read", "as predicted", "b");
    assert!(same(here, &one, &other));
    let worse = text("loopback: here, Linux 7.2", "1 to 20 reads", "3 reads", "differs", "a");
    assert!(!same(here, &one, &worse));
    let predicted = text("loopback: here, Linux 6.1", "20 writes", "3 reads", "as predicted", "a");
    assert!(!same(here, &one, &predicted));
    assert!(!same("$ daytime lab run x --explain --engine sim", &one, &other));
}
