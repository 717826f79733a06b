//! `daytime lab sheet` and `grade`: a mistake that costs one answer, what is not marked yet, sheets without
//! explanations, class lists as spreadsheets write them, and a command that Ctrl-C stops.

use crate::lab_sheets::{Desk, files, good_with_notes, of};
use crate::support::{assert_fits_80_columns, bad, good, run, stderr, stdout};
use serde_json::Value;
use std::fs::{self, File};
use std::io::Write;
use std::process::{Command, Stdio};

/// Returns the rows of a table with the named columns.
fn columns<const N: usize>(table: &str, names: [&str; N]) -> Vec<[String; N]> {
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let header = reader.headers().expect("a header").clone();
    let places = names.map(|name| header.iter().position(|it| it == name).expect(name));
    let rows = reader.records().map(|row| row.expect("a row"));
    rows.map(|row| places.map(|at| row[at].to_owned())).collect()
}

#[test]
fn a_missing_quote_costs_one_item_and_is_reported_with_its_line_and_advice() {
    let desk = Desk::new();
    desk.sheets("exchange,loss");
    desk.fill_in("exchange,loss");
    let before = columns(&good_with_notes(&mut desk.grade("--format csv")), ["score", "mistakes"]);
    let file = desk.read("sheets/s1/answers.toml");
    let line = file.lines().position(|it| it.starts_with("loss-tcp-order")).expect("the line");
    let broken = file.replacen("loss-tcp-order = '", "loss-tcp-order = ", 1);
    desk.write("sheets/s1/answers.toml", &broken);
    let output = run(&mut desk.grade("--format csv"));
    assert_eq!(output.status.code(), Some(1));
    let expected = format!(
        "answers.toml:{}: loss-tcp-order: the quotes are missing; write loss-tcp-order = 'ANSWER'",
        line + 1
    );
    assert!(stderr(&output).contains(&expected), "{}", stderr(&output));
    let after = columns(&stdout(&output), ["score", "mistakes"]);
    let score = |row: &[String; 2]| row[0].parse::<f64>().expect("a number");
    assert!((score(&before[0]) - score(&after[0]) - 3.0).abs() < 1e-9, "{after:?}");
    assert_eq!((&*after[0][1], &after[1..]), ("1", &before[1..]));
    let shown = stdout(&run(&mut desk.lab("grade sheets/s1 --secret-file secret")));
    assert!(shown.contains(". loss-tcp-order: 0 of 3, cannot be read\n    answer: "), "{shown}");
}

#[test]
fn rows_have_the_names_of_the_class_list_and_its_order() {
    let desk = Desk::new();
    desk.write(
        "class.csv",
        "\u{feff}Surname;First name;ID number\r\n\"Roe; Jr.\";Jo;m2\r\nÖztürk;Ayşe;m1\r\n\
         \"Li \"\"Wei\"\"\";;m3\r\n",
    );
    desk.sheets("exchange");
    desk.write("part.csv", "id,name\nm3,Li Wei\n");
    let table = good_with_notes(&mut desk.grade("--format csv --class class.csv"));
    let wanted = ["student_id", "last_name", "first_name", "name"];
    let expected = [
        ["m2", "Roe; Jr.", "Jo", "Jo Roe; Jr."],
        ["m1", "Öztürk", "Ayşe", "Ayşe Öztürk"],
        ["m3", "Li \"Wei\"", "", "Li \"Wei\""],
    ];
    assert_eq!(columns(&table, wanted), expected.map(|row| row.map(str::to_owned)));
    let part = run(&mut desk.grade("--format csv --class part.csv"));
    let ids: Vec<[String; 2]> = columns(&stdout(&part), ["student_id", "name"]);
    let expected = [["m3", "Li Wei"], ["m1", ""], ["m2", ""]];
    assert_eq!(ids, expected.map(|row| row.map(str::to_owned)), "strangers follow by id");
}

#[test]
fn the_maximum_does_not_depend_on_marks_and_the_state_says_what_is_missing() {
    let desk = Desk::new();
    desk.sheets("exchange,loss");
    for student in ["s1", "s2"] {
        let name = format!("sheets/{student}/answers.toml");
        desk.write(&name, desk.read(&name).replace("'''\n\n'''", "'''\nBecause.\n'''"));
    }
    desk.write("marks.csv", "id,item,points\ns1,loss-explanation,2\ns1,exchange-explanation,1\n");
    let output = run(&mut desk.grade("--format csv --marks marks.csv"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("2 explanations not marked yet"), "{}", stderr(&output));
    let names = ["student_id", "score", "max_score", "state", "not_marked", "not_marked_points"];
    let expected = [
        ["s1", "3", "27", "complete", "0", "0"],
        ["s2", "0", "27", "not marked yet", "2", "6"],
        ["s3", "0", "27", "complete", "0", "0"], // its explanations are empty
    ];
    assert_eq!(columns(&stdout(&output), names), expected.map(|row| row.map(str::to_owned)));
    let text = good(&mut desk.grade("--class class.csv --marks marks.csv"));
    assert!(text.contains("s1, Jo Roe, daytime: 3 of 27 points\n"), "{text}");
    assert_fits_80_columns(&text);
    let text = text.replace("\n  ", " ");
    assert!(text.contains(
        "s2, Ann Lee, daytime: 0 of 27 points so far; not marked yet: 2 explanations with 6 points"
    ));
}

#[test]
fn a_sheet_without_explanations_is_graded_at_once_and_no_student_can_make_one() {
    let desk = Desk::new();
    let labs = "exchange,loss --no-explanations";
    desk.sheets("exchange,loss");
    good(&mut desk.lab(&format!("sheet {} --out short", of(labs))));
    let (file, short) = (desk.read("sheets/s1/answers.toml"), desk.read("short/s1/answers.toml"));
    assert!(short.contains("\nexplanations = false\n") && !short.contains("-explanation"));
    assert!(!desk.read("short/s1/sheet.html").contains("<textarea"));
    assert!(!good(&mut desk.lab(&format!("key {}", of(labs)))).contains("explanation"));
    let table = good(&mut desk.lab("grade short --secret-file secret --format csv"));
    let all = vec![["21".to_owned(), "complete".to_owned()]; 3];
    assert_eq!(columns(&table, ["max_score", "state"]), all);

    // A student has only the own sheet, with explanations: the line, with or without the items, makes it foreign.
    let added = file.replace("\nitems = ", "\nexplanations = false\nitems = ");
    assert_ne!(added, file);
    let items = |file: &str| file.lines().find(|it| it.starts_with("items")).map(str::to_owned);
    let [own, other] = [&file, &short].map(|it| items(it).expect("a line"));
    for edited in
        [added.clone(), added.replace(&own, &other), short.replace("explanations = false\n", "")]
    {
        desk.write("edited.toml", edited);
        let complaint = desk.complaint("grade edited.toml --secret-file secret");
        assert!(complaint.contains(": the lines above [answers] are edited"), "{complaint}");
    }
    desk.write("edited.toml", file.replace("\nitems = ", "\nexplanations = 'no'\nitems = "));
    let complaint = desk.complaint("grade edited.toml --secret-file secret");
    assert!(complaint.contains("edited.toml:7: explanations is not false"), "{complaint}");
}

#[test]
fn a_lab_with_only_an_explanation_is_left_out_and_alone_is_an_error() {
    let desk = Desk::new();
    let both = of("hold,unread --no-explanations");
    let output = run(&mut desk.lab(&format!("sheet {both} --out sheets")));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("leave out unread"), "{}", stderr(&output));
    assert!(desk.read("sheets/s1/answers.toml").contains("labs = [\"hold\"]"));
    let alone = of("unread --no-explanations");
    let complaint = bad(2, &mut desk.lab(&format!("sheet {alone} --out other")));
    assert!(complaint.contains("no items"), "{complaint}");
    assert!(!desk.path("other").exists());
}

#[test]
fn a_signal_stops_between_two_students_and_leaves_no_half_file() {
    let desk = Desk::new();
    desk.sheets("exchange");
    fs::create_dir_all(desk.path("again/s2")).expect("created");
    // The command compares a file that exists with its own, so it waits for the writer of this FIFO.
    let fifo = desk.path("again/s2/answers.toml");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
    let mut command = desk.lab(&format!("sheet {} --out again", of("exchange")));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut writer = File::options().write(true).open(&fifo).expect("the command opens it");
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-s", "INT", &id]).status().expect("kill").success());
    writer.write_all(desk.read("sheets/s2/answers.toml").as_bytes()).expect("written");
    drop(writer);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("stopped after 2 of 3 sheets"), "{}", stderr(&output));
    fs::remove_file(&fifo).expect("removed");
    let there: Vec<_> = files(&desk.path("again")).into_iter().collect();
    assert_eq!(there.len(), 3, "{there:?}");
    for (path, content) in there {
        let name = path.strip_prefix(desk.path("again")).expect("below").to_owned();
        assert_eq!(content, fs::read(desk.path("sheets").join(&name)).expect("a whole file"));
    }
}

#[test]
fn a_hostile_answer_file_is_graded_with_few_lines() {
    let desk = Desk::new();
    desk.sheets("exchange");
    let file = desk.read("sheets/s1/answers.toml");
    for line in ["x = '\n", "x = '''\n", "exchange-udp-time = '\n", "'\n", "a=[", "\u{1b}[2J\n"] {
        let body = line.repeat((250 * 1024 - file.len()) / line.len());
        desk.write("sheets/s1/answers.toml", file.clone() + &body);
        let complaints = desk.complaint("grade sheets/s1 --secret-file secret");
        assert!(complaints.lines().count() <= 21 && !complaints.contains('\x1b'), "{complaints}");
    }
}

#[test]
fn json_of_a_mistake_has_its_line() {
    let desk = Desk::new();
    desk.sheets("exchange");
    let file = desk.read("sheets/s1/answers.toml");
    desk.write("sheets/s1/answers.toml", file.replacen(" = ''", " = '", 1));
    let output = run(&mut desk.lab("grade sheets/s1 --secret-file secret --format json"));
    let grades: Value = stdout(&output).parse().expect("JSON");
    let mistake = &grades["grades"][0]["mistakes"][0];
    assert_eq!(mistake["line"], 13);
    assert!(mistake["reason"].as_str().is_some_and(|it| it.contains("closing ' is missing")));
}
