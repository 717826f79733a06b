//! `daytime lab key` and `grade`, as a teacher marks explanations by hand: names, the file for the marks, and its mistakes.

use crate::lab_sheets::{Desk, good_with_notes, of};
use crate::support::{bad, good, run, stderr, stdout};
use serde_json::Value;
use std::fs;

#[test]
fn a_key_has_the_names_of_the_class_list() {
    let desk = Desk::new();
    let text = good(&mut desk.lab(&format!("key {}", of("exchange"))));
    assert!(text.starts_with("s1, Jo Roe, daytime, sheet "), "{text}");
    assert!(text.contains("\ns2, Ann Lee, daytime, sheet "), "{text}");
    let names = |json: &str| {
        let keys: Value = json.parse().expect("JSON");
        let keys = keys["keys"].as_array().expect("keys").iter();
        keys.map(|key| [&key["student"], &key["name"]].map(Value::clone)).collect::<Vec<_>>()
    };
    let json = good(&mut desk.lab(&format!("key {} --json --student s3", of("exchange"))));
    assert_eq!(names(&json), [[Value::from("s3"), Value::from("Li Wei")]]);
    desk.write("class.csv", "id\ns1\n");
    let json = good(&mut desk.lab(&format!("key {} --json", of("exchange"))));
    assert_eq!(names(&json), [[Value::from("s1"), Value::Null]]);
}

#[test]
fn the_key_and_the_grades_have_the_number_of_each_item_on_the_sheet() {
    let desk = Desk::new();
    desk.sheets("exchange,loss");
    let key = good(&mut desk.lab(&format!("key {} --student s1", of("exchange,loss"))));
    let grade = good(&mut desk.lab("grade sheets/s1 --secret-file secret"));
    let (file, page) = (desk.read("sheets/s1/answers.toml"), desk.read("sheets/s1/sheet.html"));
    let tasks = file.lines().filter(|line| line.contains(" point"));
    let ids = file.lines().filter_map(|line| line.split_once(" = ''")).map(|it| it.0);
    let (tasks, ids): (Vec<&str>, Vec<&str>) = (tasks.collect(), ids.collect());
    assert_eq!((tasks.len(), ids.len()), (16, 16));
    for (number, (task, id)) in (1..).zip(tasks.iter().zip(ids)) {
        assert!(task.starts_with(&format!("# {number}. (")), "{task}");
        assert!(page.contains(&format!(">{number}. ")), "{number}");
        for text in [&key, &grade] {
            assert!(text.contains(&format!(" {number}. {id}: ")), "{number} {id}: {text}");
        }
    }
}

#[test]
fn the_file_with_explanations_is_filled_in_and_read_as_marks() {
    let desk = Desk::new();
    desk.sheets("exchange,loss");
    for (student, text) in [("s1", "=1+1\n\"As\", I think"), ("s2", "Because.")] {
        let name = format!("sheets/{student}/answers.toml");
        desk.write(&name, desk.read(&name).replace("'''\n\n'''", &format!("'''\n{text}\n'''")));
    }
    let command = "--format csv --class class.csv --explanations marks.csv";
    let unmarked = good_with_notes(&mut desk.grade(command));
    assert_eq!(unmarked.matches("not marked yet").count(), 2, "{unmarked}");
    let file = desk.read("marks.csv");
    assert!(file.contains("\"s1\",\"Jo Roe\",\"loss-explanation\",\"1: "), "{file}");
    assert!(file.contains(",\"'=1+1 ¶ \"\"As\"\", I think\",\"3\",\"\",\"\"\n"), "{file}");
    assert_eq!(file.lines().count(), 5, "{file}");
    // The empty file is readable too.
    let again =
        good_with_notes(&mut desk.grade("--format csv --class class.csv --marks marks.csv"));
    assert_eq!(again, unmarked);
    // As a spreadsheet saves the file in a country with decimal commas.
    desk.write("marks.csv", file.replace("\"\",\"\"\n", "\"1,5\",Good\n"));
    let marked = good(&mut desk.grade("--format csv --class class.csv --marks marks.csv"));
    let score = |row: &str| row.split(',').nth(9).map(str::to_owned);
    let scores: Vec<_> = marked.lines().skip(1).filter_map(score).collect();
    assert_eq!(scores, ["3", "3", "0"], "{marked}");
    let refused = bad(1, &mut desk.grade("--explanations marks.csv --marks marks.csv"));
    assert!(refused.contains("marks.csv exists: name another file"), "{refused}");
    good(&mut desk.grade("--marks marks.csv --explanations next.csv"));
    assert!(desk.read("next.csv").contains(",\"3\",\"1.50\",\"Good\"\n"));
    let left = fs::read_dir(desk.path(".")).expect("readable").count();
    assert_eq!(left, 5, "class list, secret, sheets and two files with marks");
}

#[test]
fn a_run_without_explanations_writes_no_file_that_is_in_the_way_of_the_next_run() {
    let desk = Desk::new();
    desk.sheets("exchange");
    let command = |path| format!("grade {path} --secret-file secret --explanations marks.csv");
    let refused = bad(1, &mut desk.lab(&command("nosuch")));
    assert!(refused.contains("no explanation to mark: marks.csv is not written"), "{refused}");
    good_with_notes(&mut desk.lab(&command("sheets")));
    assert!(!desk.path("marks.csv").exists(), "all explanations are empty");
    let name = "sheets/s1/answers.toml";
    desk.write(name, desk.read(name).replace("'''\n\n'''", "'Because.'"));
    good_with_notes(&mut desk.lab(&command("sheets")));
    assert_eq!(desk.read("marks.csv").lines().count(), 2);
}

#[test]
fn a_missing_quote_in_the_marks_is_reported_with_its_line() {
    let desk = Desk::new();
    desk.sheets("exchange");
    for student in ["s1", "s2", "s3"] {
        let name = format!("sheets/{student}/answers.toml");
        desk.write(&name, desk.read(&name).replace("'''\n\n'''", "'Because.'"));
    }
    let row =
        |student: &str, comment: &str| format!("{student},exchange-explanation,1,{comment}\n");
    let rows = [row("s1", "Good"), row("s2", "\"Good, but short"), row("s3", "Good")];
    desk.write("marks.csv", "student_id,item,points,comment\n".to_owned() + &rows.concat());
    let output = run(&mut desk.grade("--marks marks.csv"));
    assert_eq!((output.status.code(), &*stdout(&output)), (Some(1), ""));
    let complaint = stderr(&output);
    assert!(
        complaint.contains("marks.csv:3: the field \"Good, but short\" goes on"),
        "{complaint}"
    );
}

#[test]
fn an_autograder_shows_why_other_files_of_the_student_have_no_grade() {
    let desk = Desk::new();
    desk.sheets("exchange");
    let file = desk.read("sheets/s1/answers.toml");
    desk.write("sheets/s1/old.toml", file.replace("\ntag = \"", "\ntag = "));
    std::os::unix::fs::symlink("answers.toml", desk.path("sheets/s1/link.toml")).expect("a link");
    let output = |format| {
        let command = format!("grade sheets/s1 --secret-file secret --format {format}");
        let output = run(&mut desk.lab(&command));
        assert_eq!(output.status.code(), Some(1));
        stdout(&output)
    };
    let result: Value = output("gradescope").parse().expect("JSON");
    assert!(result["tests"].as_array().is_some_and(|it| it.len() > 5), "{result:#}");
    let autolab = output("autolab");
    for shown in [result["output"].as_str().expect("a text"), &autolab] {
        assert!(shown.contains("\nOther files have no grade:\nlink.toml is a symbolic"), "{shown}");
        assert!(shown.contains("\nold.toml:8: not TOML"), "{shown}");
    }
    assert!(autolab.lines().last().is_some_and(|it| it.starts_with("{\"scores\":")), "{autolab}");
}

#[test]
fn gradescope_gets_the_reason_why_a_file_has_no_points() {
    let desk = Desk::new();
    desk.sheets("exchange");
    let file = desk.read("sheets/s1/answers.toml");
    desk.write("sheets/s1/answers.toml", file.replace("\ntag = \"", "\ntag = "));
    let output =
        run(&mut desk.lab("grade sheets/s1/answers.toml --secret-file secret --format gradescope"));
    assert_eq!(output.status.code(), Some(1));
    let result: Value = stdout(&output).parse().expect("JSON");
    assert_eq!(result["score"], 0.0);
    let reason = result["output"].as_str().expect("a text");
    assert!(reason.contains("answers.toml:") && reason.contains("not TOML"), "{reason}");
}
