//! Every lab has its text in a page of `docs/labs`, and each page shows one drawing that the program prints today. On
//! `sim` the drawing is equal to the octet. On a real kernel its lines are compared without their figures and in any
//! order. `DAYTIME_UPDATE_DOCS=1` writes outdated drawings anew.

mod answers;

use crate::lab::{labs, name};
use crate::support::{daytime, run, skip, stdout};
use serde_json::Value;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;

/// Returns a guard if outdated pages are to be written. Only one test at a time has it, because both write each page.
fn permission_to_write() -> Option<MutexGuard<'static, ()>> {
    static PAGES: Mutex<()> = Mutex::new(());
    let is_update = env::var("DAYTIME_UPDATE_DOCS").as_deref() == Ok("1");
    is_update.then(|| PAGES.lock().unwrap_or_else(PoisonError::into_inner))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/labs")
}

/// Returns the output of a command, and asserts that its run is as predicted. `None` if the lab cannot run here.
fn as_predicted(command: &str) -> Option<String> {
    let folder = TempDir::new().expect("a temporary folder"); // for files that the command writes
    let words = command.split(' ').skip(1);
    let output = run(daytime().args(words).current_dir(folder.path()));
    let text = stdout(&output);
    if text.contains("\nNOT RUN\n") {
        skip(&format!("{command}: {text}"));
        return None;
    }
    assert_eq!(output.status.code(), Some(0), "{command}: {text}");
    Some(text)
}

#[test]
fn every_command_to_try_next_is_as_predicted() {
    let mut tried = 0;
    for lab in labs() {
        let all = lab["next"].as_array().expect("what to try next");
        assert!(!all.is_empty(), "{} names no further command", name(&lab));
        for next in all {
            let command = next["command"].as_str().expect("a command");
            let is_of_lab = command.starts_with("daytime lab ");
            tried += u32::from(is_of_lab && as_predicted(command).is_some());
        }
    }
    assert!(tried > 20, "{tried}");
}

/// The text of a screen in one line, so that line breaks do not matter.
fn in_one_line(screen: &str) -> String {
    screen.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_run_shows_the_answers_with_the_option_answers_only() {
    let print = |more: &str| {
        as_predicted(&format!("daytime lab run exchange{more}")).expect("the simulator runs")
    };
    let (plain, explained, answers) = (print(""), print(" --explain"), print(" --answers"));
    let exchange = labs().into_iter().find(|lab| name(lab) == "exchange").expect("the lab");
    let next = exchange["next"].as_array().expect("what to try next");
    assert!(!next.is_empty());
    for step in next {
        let [command, question, answer] =
            ["command", "question", "answer"].map(|key| step[key].as_str().expect("text"));
        let asked = format!("{command} {question}");
        assert!(!in_one_line(&plain).contains(&asked), "{plain}");
        assert!(in_one_line(&explained).contains(&asked), "{explained}");
        assert!(!in_one_line(&explained).contains(answer), "{explained}");
        let answered = format!("{asked} Answer: {answer}");
        assert!(in_one_line(&answers).contains(&answered), "{answers}");
    }
    assert!(!answers.contains("\nTHEORY\n"), "{answers}");
}

#[test]
fn every_page_spells_out_the_abbreviation_unp_and_links_the_glossary() {
    let mut spelled_out = 0;
    for lab in labs() {
        let file = format!("{}.md", name(&lab));
        let page = fs::read_to_string(folder().join(&file)).expect("a page");
        assert!(page.contains("](../GLOSSARY.md)"), "{file} has no link to the glossary");
        let words = in_one_line(&page);
        if let Some(first) = words.find("UNP") {
            let before = &words[..first];
            assert!(before.ends_with("UNIX Network Programming ("), "{file}: UNP is not explained");
            spelled_out += 1;
        }
    }
    assert!(spelled_out > 10, "{spelled_out}");
}

#[test]
fn the_introduction_links_every_page_with_its_question_and_every_page_has_a_lab() {
    let text = fs::read_to_string(folder().join("README.md")).expect("docs/labs/README.md");
    let labs = labs();
    for lab in &labs {
        let question = lab["question"].as_str().expect("a question");
        let row = format!("| [{0}]({0}.md) | {question} |", name(lab));
        assert!(text.contains(&row), "no {row}");
    }
    for entry in fs::read_dir(folder()).expect("docs/labs") {
        let file = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let known = |lab: &Value| file == format!("{}.md", name(lab));
        let is_other = ["README.md", "pictures"].contains(&&*file);
        assert!(is_other || labs.iter().any(known), "{file} has no lab");
    }
}

#[test]
fn every_page_shows_one_drawing_as_the_program_prints_it() {
    let may_write = permission_to_write();
    for lab in labs() {
        let path = folder().join(format!("{}.md", name(&lab)));
        let page = fs::read_to_string(&path).expect("a page");
        let blocks: Vec<&str> = page.split("```console\n").collect();
        let [before, block] = blocks[..] else { panic!("{}: not one block", path.display()) };
        let (block, after) = block.split_once("\n```\n").expect("the block ends");
        let lines: Vec<&str> = block.lines().collect();
        let [command, "…", title, shown @ .., "…"] = &lines[..] else {
            panic!("{}: not a command and a part of its output: {block}", path.display())
        };
        let begin = format!("$ daytime lab run {}", name(&lab));
        assert!(command.starts_with(&begin), "{command:?} does not begin with {begin:?}");
        let Some(screen) = as_predicted(&command["$ ".len()..]) else { continue };
        let drawn = drawing(&screen, title);
        let is_true = is_shown(shown, &drawn, screen.contains("\n  engine   sim: "));
        let drawn = drawn.join("\n");
        assert!(
            is_true || may_write.is_some(),
            "{}: {command}\nprints now (DAYTIME_UPDATE_DOCS=1 writes it there):\n{drawn}",
            path.display()
        );
        if !is_true {
            let block = format!("```console\n{command}\n…\n{title}\n{drawn}\n…\n```\n");
            fs::write(&path, [before, &block, after].concat()).expect("written");
        }
    }
}

/// Returns the lines of a drawing below its title.
fn drawing<'a>(screen: &'a str, title: &str) -> Vec<&'a str> {
    let from = screen.lines().skip_while(|line| *line != title).skip(1);
    let lines: Vec<&str> = from.take_while(|line| !line.is_empty()).collect();
    assert!(lines.len() >= 3, "no drawing {title:?}: {screen}");
    lines
}

/// Returns whether the page shows the drawing. Lines with a quoted reply of a real clock are not compared.
fn is_shown(shown: &[&str], drawn: &[&str], is_exact: bool) -> bool {
    let lines: Vec<String> = drawn.iter().map(|line| figures_aside(line)).collect();
    let is_drawn = |line: &&str| line.contains('"') || lines.contains(&figures_aside(line));
    if is_exact { shown == drawn } else { shown.len() >= 3 && shown.iter().all(is_drawn) }
}

/// Returns a line with all numbers, the unit in the heading, and the lengths of arrows made equal.
pub fn figures_aside(line: &str) -> String {
    let line = line.trim_start();
    let line = ["µs ", "ms ", "s "].iter().find_map(|unit| line.strip_prefix(unit)).unwrap_or(line);
    let figure = |it: char| it.is_ascii_digit() || it == '.';
    let mut plain: Vec<char> = line.chars().map(|it| if figure(it) { '0' } else { it }).collect();
    plain.dedup_by(|one, other| one == other && ['0', '─', ' '].contains(one));
    plain.into_iter().collect::<String>().trim().to_owned()
}

#[test]
fn the_comparison_of_drawings_can_fail() {
    let shown = ["ms client", "  0.1 │── SYN ──▶│", " 20.3 │ recv(9) = 26 octets"];
    let later = ["µs client", "100.1 │── SYN ─▶│", "again", " 120.3 │ recv(9) = 26 octets"];
    let other = ["ms client", "  0.1 │── SYN ──▶│", " 20.3 │ recv(9) = EAGAIN"];
    assert!(is_shown(&shown, &shown, true) && !is_shown(&shown, &later, true));
    assert!(is_shown(&shown, &later, false) && !is_shown(&shown, &other, false));
    assert!(!is_shown(&[], &shown, false));
}
