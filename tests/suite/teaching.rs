//! The pages for teachers in `docs/teaching`: they name every lab in the order of the program, their minutes add up, and
//! their numbers of words are those of the screen.

use crate::lab::{lab, labs, name};
use crate::lab_sheets::Desk;
use crate::support::{skip, stdout};
use serde_json::Value;
use std::fs;
use std::process::Output;
use tempfile::NamedTempFile;

fn page(name: &str) -> String {
    fs::read_to_string(format!("docs/teaching/{name}")).expect("a page")
}

/// A row of a plan: `| minutes | lab | step |`. The lab may be empty.
#[derive(Clone, Debug)]
struct Row {
    minutes: u64,
    lab: String,
}

/// Returns the rows of the first plan in a text.
fn plan(text: &str) -> Vec<Row> {
    let heading = "| minutes | lab | step |\n|---|---|---|\n";
    let (_, table) = text.split_once(heading).expect("a plan");
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let minutes = cells[1].parse().unwrap_or_else(|_| panic!("no minutes: {line}"));
        Row { minutes, lab: cells[2].to_owned() }
    };
    table.lines().take_while(|line| line.starts_with('|')).map(row).collect()
}

fn sum(rows: &[Row]) -> u64 {
    rows.iter().map(|row| row.minutes).sum()
}

/// Returns each lab of a plan with the sum of its minutes, in the order of the plan.
fn minutes_of_labs(rows: &[Row]) -> Vec<(String, u64)> {
    let mut labs: Vec<(String, u64)> = Vec::new();
    for Row { minutes, lab } in rows.iter().filter(|row| !row.lab.is_empty()) {
        match labs.last_mut().filter(|(last, _)| last == lab) {
            Some((_, sum)) => *sum += minutes,
            None => labs.push((lab.clone(), *minutes)),
        }
    }
    labs
}

/// Returns the name and the minutes of each lab, in the order of `lab list`.
fn listed() -> Vec<(String, u64)> {
    let minutes = |lab: &Value| lab["minutes"].as_u64().expect("minutes");
    labs().iter().map(|lab| (name(lab).to_owned(), minutes(lab))).collect()
}

#[test]
fn the_course_has_every_lab_in_the_order_of_the_list_with_its_minutes() {
    let text = page("course.md");
    let sessions: Vec<&str> = text.split("\n## Session ").skip(1).collect();
    assert_eq!(sessions.len(), 8);
    let plans: Vec<Vec<Row>> = sessions.iter().map(|session| plan(session)).collect();
    for rows in &plans {
        assert_eq!(sum(rows), 60, "{rows:?}");
    }
    assert_eq!(minutes_of_labs(&plans.concat()), listed());
    for (session, rows) in sessions.iter().zip(&plans) {
        let labs: Vec<String> = minutes_of_labs(rows).into_iter().map(|(lab, _)| lab).collect();
        let sheet = format!(" --lab {} ", labs.join(","));
        assert!(session.contains(&sheet), "no{sheet}in session {session}");
        for part in [
            "Aim",
            "Know before",
            "Script",
            "Misconceptions",
            "Discussion",
            "Sheet",
            "How to check",
        ] {
            assert_eq!(session.matches(&format!("\n**{part}")).count(), 1, "{part}: {session}");
        }
        for lab in labs {
            let refutes = format!("| `{lab}");
            assert!(session.contains(&refutes), "{lab} refutes no misconception");
        }
    }
}

#[test]
fn the_minutes_of_the_lesson_add_up_to_90_and_each_lab_has_those_of_the_list() {
    let text = page("lesson.md");
    let rows = plan(&text);
    assert_eq!(sum(&rows), 90, "{rows:?}");
    let of_labs = minutes_of_labs(&rows);
    let names: Vec<&str> = of_labs.iter().map(|(lab, _)| lab.as_str()).collect();
    assert_eq!(names, ["exchange", "boundaries", "truncate", "flood", "loss", "refused"]);
    let listed = listed();
    for (lab, minutes) in of_labs {
        assert!(listed.contains(&(lab.clone(), minutes)), "{lab}: {minutes}");
        let (total, steps) = minutes_of_section(&text, &lab);
        assert_eq!((total, steps.len(), steps.iter().sum()), (minutes, 3, minutes), "{lab}");
    }
    for section in ["Opening", "Debrief"] {
        let row = text.lines().find(|line| line.contains(&format!("| [{section}](")));
        let minutes = row.and_then(|row| row.split('|').nth(1)?.trim().parse().ok());
        let (total, steps) = minutes_of_section(&text, section);
        assert_eq!((Some(total), steps.iter().sum()), (minutes, total), "{section}");
    }
}

/// Returns the minutes in the first sentence of a section, such as `10 minutes: predict 3, observe 4, explain 3.`: the
/// total, and those of the steps.
fn minutes_of_section(text: &str, section: &str) -> (u64, Vec<u64>) {
    let begin = format!("\n## {section}\n\n");
    let (sentence, _) =
        text.split_once(&begin).expect("a section").1.split_once('.').expect("an end");
    let words = sentence.split(|it: char| !it.is_ascii_digit());
    let mut numbers = words.filter_map(|word| word.parse().ok());
    (numbers.next().expect("the minutes"), numbers.collect())
}

#[test]
fn the_lesson_has_the_points_of_its_sheet() {
    let text = page("lesson.md");
    let (_, labs) = text.split_once(" --lab ").expect("the labs of the sheet");
    let (labs, _) = labs.split_once(' ').expect("an end");
    let items = Desk::new().keys(labs).remove("s1").expect("a key");
    let points = |item: &Value| item["points"].as_u64().expect("points");
    let all: u64 = items.iter().map(points).sum();
    let by_hand: u64 = items.iter().filter(|it| !it["rubric"].is_null()).map(points).sum();
    let sentence = format!(
        "Each sheet has {all} points. The program gives {} of them, and you mark explanations with {by_hand} points",
        all - by_hand
    );
    assert!(text.contains(&sentence), "{sentence}");
}

#[test]
fn the_introduction_to_the_labs_and_the_guide_have_the_labs_in_the_order_of_the_list() {
    let names: Vec<String> = listed().into_iter().map(|(lab, _)| lab).collect();
    let links = |text: &str, begin: &str| -> Vec<String> {
        let found = text.split(begin).skip(1).filter_map(|rest| rest.split_once(']'));
        found.map(|(lab, _)| lab.to_owned()).collect()
    };
    let introduction = fs::read_to_string("docs/labs/README.md").expect("a page");
    assert_eq!(links(&introduction, "\n| ["), names);
    let guide = page("guide.md");
    let (_, answers) = guide.split_once("\n| session | answers |\n").expect("the answers");
    let (table, _) = answers.split_once("\n\n").expect("an end");
    assert_eq!(links(table, "["), names);
}

/// Runs a lab with the first choice as each prediction and the second one as each observation. Returns the screen.
fn answered(lab_of_list: &Value) -> String {
    let questions = lab_of_list["questions"].as_array().expect("questions");
    let answer = |question: &Value| {
        let id = question["id"].as_str().expect("a name");
        let [first, second] =
            if question["choices"].is_array() { ["\"a\"", "\"b\""] } else { ["1", "2"] };
        format!("{id} = {{ predicted = {first}, observed = {second} }}\n")
    };
    let answers: String = questions.iter().map(answer).collect();
    let name = name(lab_of_list);
    let file = NamedTempFile::new().expect("a file");
    fs::write(file.path(), format!("[{name}]\n{answers}")).expect("written");
    let output: Output =
        lab(&["run", name, "--ask-from"]).arg(file.path()).output().expect("it runs");
    stdout(&output)
}

/// Returns the number of words that a student reads before the run, and the number of those after it. Drawings and
/// tables do not count.
fn words(screen: &str) -> Option<(usize, usize)> {
    let count = |text: &str| text.split_whitespace().count();
    let (method, rest) = screen.split_once("\nWHAT HAPPENED\n")?;
    let (_, rest) = rest.split_once("\nQUESTION ")?;
    let (mut before, mut after) = (count(method), 0);
    for question in rest.split("\nQUESTION ") {
        let (question, verdict) = question.split_once("\n  prediction ")?;
        before += count(question);
        after += count(verdict);
    }
    Some((before, after))
}

#[test]
fn the_guide_has_the_words_of_each_lab_and_the_minutes_of_its_plan() {
    let (guide, course) = (page("guide.md"), page("course.md"));
    let (_, table) =
        guide.split_once("| lab | plan | words before | words after |\n").expect("times");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .skip(1)
        .map_while(|line| line.strip_prefix("| "))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let all = labs();
    assert_eq!(rows.len(), all.len());
    for (row, lab_of_list) in rows.iter().zip(&all) {
        let [lab, minutes, before, after, ..] = row[..] else { panic!("{row:?}") };
        assert_eq!(lab, name(lab_of_list));
        let phases = ["Predict", "Observe", "Explain"];
        for (minutes, phase) in minutes.split(", ").zip(phases) {
            let row = format!("\n| {minutes} | {lab} | {phase}");
            assert_eq!(course.matches(&row).count(), 1, "{row}");
        }
        let screen = answered(lab_of_list);
        // Only an engine of the real system may be missing here.
        if screen.contains("cannot run here") && lab_of_list["engines"][0] != "sim" {
            skip(&format!("{lab} cannot run here"));
            continue;
        }
        let counted = words(&screen).unwrap_or_else(|| panic!("{lab}: {screen}"));
        for (said, counted) in [(before, counted.0), (after, counted.1)] {
            let said: usize = said.parse().expect("a number");
            assert!(said.abs_diff(counted) * 10 <= counted, "{lab}: {said} words, not {counted}");
        }
    }
}
