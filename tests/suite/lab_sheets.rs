//! `daytime lab sheet`, `key` and `grade`: from a class list to grades, and everything that may be wrong with the files.

use crate::lab::lab;
use crate::or_skip;
use crate::support::{assert_fits_80_columns, bad, good, run, stderr, stdout, without_override};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A teacher's folder: class list and secret.
pub struct Desk(TempDir);

const SECRET: &str = "c2VjcmV0IG9mIHRoZSB0ZXN0cywgbmV2ZXIgc2hvd24=";
const CLASS: &str = "student_id,name\ns1,Jo Roe\ns2,Ann Lee\ns3,Li Wei\n";

impl Desk {
    pub fn new() -> Self {
        let desk = Self(TempDir::new().expect("a folder"));
        desk.write("class.csv", CLASS);
        desk.write("secret", SECRET);
        desk.permit("secret", 0o600);
        desk
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).expect("written");
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect(name)
    }

    pub fn permit(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).expect("permitted");
    }

    /// Runs a subcommand of `daytime lab` in the folder.
    pub fn lab(&self, arguments: &str) -> Command {
        let words: Vec<&str> = arguments.split(' ').collect();
        let mut command = lab(&words);
        command.current_dir(self.0.path());
        command
    }

    /// Writes the sheets of the labs to `sheets`.
    pub fn sheets(&self, labs: &str) {
        good(&mut self.lab(&format!("sheet {} --out sheets", of(labs))));
    }

    pub fn grade(&self, more: &str) -> Command {
        self.lab(format!("grade sheets --secret-file secret {more}").trim_end())
    }

    /// Returns the key of each student: the answers by item.
    pub fn keys(&self, labs: &str) -> BTreeMap<String, Vec<Value>> {
        let keys: Value =
            good(&mut self.lab(&format!("key {} --json", of(labs)))).parse().expect("JSON");
        let keys = keys["keys"].as_array().expect("keys").clone();
        assert!(!keys.is_empty());
        keys.iter()
            .map(|it| {
                let items = it["items"].as_array().expect("items").clone();
                (it["student"].as_str().expect("an id").to_owned(), items)
            })
            .collect()
    }

    /// Fills in the answer files with the right answers.
    pub fn fill_in(&self, labs: &str) {
        for (student, items) in self.keys(labs) {
            let name = format!("sheets/{student}/answers.toml");
            let mut file = self.read(&name);
            for item in items {
                let (id, answer) = (item["item"].as_str().expect("an id"), item["answer"].as_str());
                if let Some(answer) = answer {
                    file =
                        file.replace(&format!("\n{id} = ''\n"), &format!("\n{id} = '{answer}'\n"));
                }
            }
            self.write(&name, file);
        }
    }

    /// Runs a command that fails, and returns standard error.
    pub fn complaint(&self, arguments: &str) -> String {
        let output = run(&mut self.lab(arguments));
        assert_eq!(output.status.code(), Some(1), "{arguments}: {}", stderr(&output));
        stderr(&output)
    }
}

/// Returns the options of the subcommands that draw sheets.
pub fn of(labs: &str) -> String {
    format!("--class class.csv --secret-file secret --lab {labs}")
}

/// Returns all files below a folder with their content.
pub fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).expect("readable"));
        }
    }
    found
}

#[test]
fn each_student_gets_a_sheet_and_the_right_answers_get_all_points() {
    let desk = Desk::new();
    desk.sheets("exchange,loss,silent,stale,loop,notes");
    assert_eq!(files(&desk.path("sheets")).len(), 6);
    let page = desk.read("sheets/s2/sheet.html");
    assert!(page.contains("s2, Ann Lee") && page.contains("daytime lab run exchange --delay "));
    desk.fill_in("exchange,loss,silent,stale,loop,notes");
    let grades: Value = good_with_notes(&mut desk.grade("--format json")).parse().expect("JSON");
    let grades = grades["grades"].as_array().expect("grades");
    assert_fits_80_columns(&good_with_notes(&mut desk.grade("--format text")));
    assert_fits_80_columns(&good(&mut desk.lab(&format!("key {}", of("exchange,loss,loop")))));
    assert_eq!(grades.len(), 3);
    for grade in grades {
        assert!(grade["score"].as_f64() > Some(20.0), "{grade:#}");
        let items = grade["items"].as_array().expect("items");
        let by_hand =
            |item: &&Value| item["item"].as_str().is_some_and(|it| it.ends_with("-explanation"));
        assert_eq!(items.iter().filter(by_hand).count(), 6);
        for item in items.iter().filter(|item| !by_hand(item)) {
            assert_eq!(item["score"], item["max_score"], "{item:#}");
        }
    }
}

#[test]
fn the_same_files_come_out_twice_and_no_file_has_the_secret() {
    let desk = Desk::new();
    let labs = "exchange,loss,silent,stale,loop";
    desk.sheets(labs);
    good(&mut desk.lab(&format!("sheet {} --out again", of(labs))));
    let [one, again] = ["sheets", "again"].map(|it| files(&desk.path(it)));
    assert_eq!(one.len(), 6);
    assert!(one.values().eq(again.values()));
    good(&mut desk.lab(&format!("key {} --pcapng packets", of(labs))));
    let shown: Vec<Vec<u8>> = [desk.keys(labs), desk.keys(labs)]
        .map(|it| format!("{it:?}").into_bytes())
        .into_iter()
        .chain(["text", "json", "csv", "junit"].map(|it| {
            let format = format!("--format {it}");
            let [one, again] = [(); 2].map(|()| good_with_notes(&mut desk.grade(&format)));
            assert_eq!(one, again);
            one.into_bytes()
        }))
        .chain(one.into_values())
        .chain(files(&desk.path("packets")).into_values())
        .collect();
    assert_eq!(shown[0], shown[1]);
    let decoded = "secret of the tests";
    for text in &shown {
        let text = String::from_utf8_lossy(text);
        assert!(
            !text.contains(SECRET) && !text.contains(decoded) && !text.contains("seed"),
            "{text}"
        );
    }
}

#[test]
fn filled_answers_are_never_overwritten() {
    let desk = Desk::new();
    desk.sheets("exchange");
    desk.write("sheets/s1/answers.1.new", "half"); // as a killed run leaves it
    desk.sheets("exchange"); // the same files
    desk.fill_in("exchange");
    let complaint = desk.complaint(&format!("sheet {} --out sheets", of("exchange")));
    assert!(complaint.contains("sheets/s1/answers.toml exists and is different"), "{complaint}");
    assert_eq!(files(&desk.path("sheets")).len(), 6, "no file with half of its content is left");
}

#[test]
fn a_sheet_is_not_written_through_a_symbolic_link() {
    let desk = Desk::new();
    fs::create_dir_all(desk.path("sheets/s1")).expect("created");
    std::os::unix::fs::symlink("../../else", desk.path("sheets/s1/sheet.html")).expect("a link");
    let complaint = desk.complaint(&format!("sheet {} --out sheets", of("exchange")));
    assert!(complaint.contains("sheets/s1/sheet.html is a symbolic link"), "{complaint}");
    assert!(!desk.path("else").exists());
}

#[test]
fn a_secret_that_others_may_read_or_that_is_short_or_missing_is_refused() {
    let desk = Desk::new();
    let command = format!("sheet {} --out sheets", of("exchange"));
    for mode in [0o640, 0o604, 0o620, 0o602, 0o644] {
        desk.permit("secret", mode);
        let complaint = desk.complaint(&command);
        assert!(complaint.contains("chmod 600 secret"), "{mode:o}: {complaint}");
    }
    desk.permit("secret", 0o400);
    good(&mut desk.lab(&command));
    desk.permit("secret", 0o600);
    for short in ["", "\n\n", "fifteen octets!\n"] {
        desk.write("secret", short);
        let complaint = desk.complaint(&command);
        assert!(
            complaint.contains("shorter than 16") && complaint.contains("/dev/urandom"),
            "{complaint}"
        );
    }
    let complaint = desk.complaint("grade sheets --secret-file .");
    assert!(complaint.contains("the secret file . is a directory"), "{complaint}");
    fs::remove_file(desk.path("secret")).expect("removed");
    let complaint = desk.complaint("grade sheets --secret-file secret");
    assert!(complaint.contains("cannot read the secret file secret"), "{complaint}");
}

#[test]
fn every_mistake_of_a_class_list_has_its_line() {
    let desk = Desk::new();
    desk.write("class.csv", "student_id\ns1\n\"\"\ns1\nS1\n");
    let complaint = desk.complaint(&format!("sheet {} --out sheets", of("exchange")));
    for line in ["class.csv:3: the student's id is empty", "class.csv:4: ", "class.csv:5: "] {
        assert!(complaint.contains(line), "{complaint}");
    }
    assert!(!desk.path("sheets").exists());
    desk.write("class.csv", "first,last\nJo,Roe\n");
    let complaint = desk.complaint(&format!("key {}", of("exchange")));
    assert!(complaint.contains("class.csv:1: no column for the student's id"), "{complaint}");
    desk.write("class.csv", "matriculation\nm7\n");
    let key = good(&mut desk.lab(&format!("key {} --id-column matriculation", of("exchange"))));
    assert!(key.starts_with("m7, daytime, sheet "), "{key}");
}

#[test]
fn a_list_whose_quotes_or_separators_hide_a_student_gives_no_sheet() {
    let desk = Desk::new();
    for (list, reason) in [
        ("id,name,email\ns1,Jo Roe,\"jo@x\ns2,Al Lee,al@x\n", "a quote is missing"),
        ("id,name\ns1,Roe, Jo\n", "3 fields, but the header has 2"),
    ] {
        desk.write("class.csv", list);
        let complaint = desk.complaint(&format!("sheet {} --out sheets", of("exchange")));
        assert!(complaint.contains("class.csv:2: ") && complaint.contains(reason), "{complaint}");
        assert!(!desk.path("sheets").exists());
    }
}

#[test]
fn what_cannot_be_graded_is_reported_and_the_others_are_graded() {
    let desk = Desk::new();
    desk.sheets("exchange");
    desk.fill_in("exchange");
    let file = desk.read("sheets/s1/answers.toml");
    fs::remove_dir_all(desk.path("sheets/s1")).expect("removed");
    desk.write("sheets/edited.toml", file.replace("\"s1\"", "\"s7\""));
    desk.write("sheets/broken.toml", file.replace("tag = \"", "tag = "));
    desk.write("sheets/huge.toml", "#".repeat(300_000));
    desk.write("sheets/binary.toml", [0xff, 0xfe, 0]);
    desk.write("sheets/empty.toml", "");
    desk.write("sheets/wild\x1b[2J.toml", "");
    let others = desk.read("sheets/s2/answers.toml");
    desk.write("sheets/s2/answers.toml", others.replace("exchange-sequence", "exchange-sequenz"));
    let not_a_number = file.replace("exchange-tcp-time = '", "exchange-tcp-time = 'ca. ");
    desk.write("sheets/text.toml", not_a_number);
    desk.write("sheets/notes.txt", "not an answer file");
    std::os::unix::fs::symlink("nowhere", desk.path("sheets/gone.toml")).expect("a link");
    let output = run(&mut desk.grade("--format csv --class class.csv --assignment daytime"));
    let complaints = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{complaints}");
    for expected in [
        "edited.toml:5: the lines above [answers] are edited",
        "broken.toml:8: not TOML",
        "huge.toml:1: longer than 256 KiB",
        "binary.toml:1: not UTF-8",
        "empty.toml:1: the line of version is missing",
        "s2/answers.toml:19: the sheet has no item exchange-sequenz",
        "s2/answers.toml:34: exchange-sequence: the line is missing",
        "text.toml:13: exchange-tcp-time: not a number of ms",
        "sheets/gone.toml is a symbolic link",
    ] {
        assert!(complaints.contains(expected), "{expected}: {complaints}");
    }
    assert!(!complaints.contains("notes.txt") && !complaints.contains('\x1b'), "{complaints}");
    assert!(!complaints.contains("write the answer between"), "advice on answers: {complaints}");
    let table = stdout(&output);
    let students: Vec<&str> =
        table.lines().skip(1).filter_map(|row| row.split(',').nth(3)).collect();
    assert_eq!(students, ["s1", "s2", "s3"], "{table}");
}

#[test]
fn two_files_of_one_student_a_missing_student_and_a_stranger_are_reported() {
    let desk = Desk::new();
    desk.sheets("exchange");
    fs::copy(desk.path("sheets/s1/answers.toml"), desk.path("sheets/copy.toml")).expect("copied");
    fs::remove_dir_all(desk.path("sheets/s2")).expect("removed");
    desk.write("other.csv", "id\ns1\ns2\n");
    let output = run(&mut desk.grade("--format csv --class other.csv"));
    let complaints = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{complaints}");
    for expected in [
        "sheets/copy.toml:1: one of 2 files of student s1",
        "sheets/s1/answers.toml:1: one of 2 files of student s1",
        "no graded answer file of student s2",
        "student s3 is not in the class list",
    ] {
        assert!(complaints.contains(expected), "{expected}: {complaints}");
    }
    assert_eq!(stdout(&output).lines().count(), 2, "only s3 is graded");
    let other = desk.complaint("grade sheets/s3 --secret-file secret --assignment other");
    assert!(
        other.contains("answers.toml:5: the file is for the assignment \"daytime\""),
        "{other}"
    );
    let nothing = desk.complaint("grade nowhere --secret-file secret");
    assert!(nothing.contains("nowhere cannot be read"), "{nothing}");
}

#[test]
fn another_secret_grades_nothing() {
    let desk = Desk::new();
    desk.sheets("exchange");
    desk.write("secret", "another secret of another teacher");
    let output = run(&mut desk.grade("--format text"));
    assert_eq!((output.status.code(), &*stdout(&output)), (Some(1), ""));
    assert_eq!(stderr(&output).matches("made with another secret").count(), 3);
}

#[test]
fn autograders_get_one_student_and_marks_by_hand_count() {
    let desk = Desk::new();
    desk.sheets("exchange");
    desk.fill_in("exchange");
    let both = run(&mut desk.grade("--format gradescope"));
    assert_eq!(both.status.code(), Some(2));
    assert!(stderr(&both).contains("name one answer file"));
    let one = "grade sheets/s1/answers.toml --secret-file secret";
    let results: Value = good_with_notes(&mut desk.lab(&format!("{one} --format gradescope")))
        .parse()
        .expect("JSON");
    let test = &results["tests"][0];
    assert_eq!((&test["score"], &test["max_score"]), (&2.0.into(), &2.0.into()));
    assert_eq!(test["visibility"], "after_published");
    let autolab = good_with_notes(&mut desk.lab(&format!("{one} --format autolab")));
    let scores: Value = autolab.lines().last().expect("a line").parse().expect("JSON");
    assert_eq!(scores["scores"]["exchange-udp-time"], 2.0);
    desk.write("marks.csv", "student_id,item,points,comment\ns1,exchange-explanation,2.5,Good\n");
    let marked = good(&mut desk.lab(&format!("{one} --marks marks.csv")));
    assert!(marked.contains(". exchange-explanation: 2.50 of 3, marked by hand"), "{marked}");
    desk.write("marks.csv", "student_id,item,points\r\ns1,exchange-explanation,9\r\n");
    let complaint = desk.complaint(&format!("{one} --marks marks.csv"));
    let wanted =
        "marks.csv:2: student s1, item exchange-explanation: more than the maximum of 3 points";
    assert!(complaint.contains(wanted), "{complaint}");
    desk.write("marks.csv", "student_id,item,points\ns1,exchange-explanation,many\n");
    assert!(desk.complaint(&format!("{one} --marks marks.csv")).contains("marks.csv:2: points"));
}

#[test]
fn a_terminal_that_shows_grades_as_json_gets_no_control_character_of_an_answer() {
    let desk = Desk::new();
    desk.sheets("exchange");
    let file = desk.read("sheets/s1/answers.toml");
    let answer = "a\u{9b}2J\u{202e}b";
    desk.write(
        "sheets/s1/answers.toml",
        file.replace("\nexchange-udp-time = ''", &format!("\nexchange-udp-time = '{answer}'")),
    );
    let shown = stdout(&run(&mut desk.lab("grade sheets/s1 --secret-file secret --format json")));
    assert!(shown.contains(r"a\u009b2J\u202eb") && !shown.contains(answer), "{shown}");
}

#[test]
fn an_unreadable_folder_a_deep_folder_and_a_link_are_reported_and_the_others_are_graded() {
    let desk = Desk::new();
    desk.sheets("exchange");
    let deep = "sheets/s3/1/2/3/4/5/6/7/8/9";
    fs::create_dir_all(desk.path(deep)).expect("created");
    fs::rename(desk.path("sheets/s3/answers.toml"), desk.path(&format!("{deep}/answers.toml")))
        .expect("moved");
    fs::create_dir_all(desk.path("sheets/a")).expect("created");
    desk.permit("sheets/a", 0);
    fs::create_dir_all(desk.path("sheets/__MACOSX")).expect("created");
    desk.write("sheets/__MACOSX/answers.toml", "");
    desk.write("sheets/s1/._answers.toml", "");
    std::os::unix::fs::symlink("../s2/answers.toml", desk.path("sheets/s1/copy.toml"))
        .expect("a link");
    let mut command =
        desk.lab("grade sheets sheets/s2/answers.toml --secret-file secret --format csv");
    if nix::unistd::geteuid().is_root() {
        command = or_skip!(without_override(&command));
    }
    let output = run(&mut command);
    desk.permit("sheets/a", 0o700);
    let complaints = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{complaints}");
    assert!(complaints.contains("sheets/s1/copy.toml is a symbolic link"), "{complaints}");
    assert!(complaints.contains("is more than 8 folders deep"), "{complaints}");
    assert!(complaints.contains("sheets/a cannot be read"), "{complaints}");
    assert!(!complaints.contains("MACOSX") && !complaints.contains("._"), "{complaints}");
    let table = stdout(&output);
    let students: Vec<&str> =
        table.lines().skip(1).filter_map(|row| row.split(',').nth(3)).collect();
    assert_eq!(students, ["s1", "s2"], "one file with two names is one file");
}

#[test]
fn a_file_with_many_foreign_lines_is_reported_with_few_lines_and_at_once() {
    let desk = Desk::new();
    desk.sheets("exchange");
    let file = desk.read("sheets/s1/answers.toml");
    let foreign: Vec<String> = (0..20_000).map(|number| format!("x{number}=1\n")).collect();
    desk.write("sheets/s1/answers.toml", file + &foreign.concat());
    let began = std::time::Instant::now();
    let complaints = desk.complaint("grade sheets/s1 --secret-file secret");
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    assert_eq!(complaints.lines().count(), 21, "{complaints}");
    assert!(complaints.contains("19980 more mistakes"), "{complaints}");
}

#[test]
fn the_status_of_grade_does_not_depend_on_a_reader_of_standard_output() {
    let desk = Desk::new();
    desk.sheets("exchange");
    desk.write("sheets/s1/answers.toml", "");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = desk.grade("--format json");
    let status = command.stdout(writer).stderr(std::process::Stdio::null()).status();
    assert_eq!(status.expect("it runs").code(), Some(1));
}

/// Returns standard output of a command that succeeds and may write notes to standard error.
pub fn good_with_notes(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

#[test]
fn wrong_command_lines_are_usage_errors() {
    let desk = Desk::new();
    for wrong in [
        "sheet --class class.csv --secret-file secret --lab nonsense --out sheets",
        "sheet --class class.csv --secret-file secret --out sheets",
        "grade --secret-file secret",
        "grade sheets --secret-file secret --format html",
    ] {
        let output = run(&mut desk.lab(wrong));
        assert_eq!(output.status.code(), Some(2), "{wrong}");
    }
    let unknown = bad(1, &mut desk.lab(&format!("key {} --student s9", of("exchange"))));
    assert!(unknown.contains("no student \"s9\""), "{unknown}");
}

#[test]
fn the_page_for_teachers_shows_what_the_program_prints() {
    let page = fs::read_to_string("docs/teaching/sheets.md").expect("UTF-8");
    let desk = TempDir::new().expect("a folder");
    let program = Path::new(env!("CARGO_BIN_EXE_daytime")).parent().expect("a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").expect("a path"));
    let mut commands = 0;
    for block in page.split("```console\n").skip(1) {
        let block = block.split("```").next().expect("a block");
        for entry in block.split("$ ").skip(1) {
            let (command, wanted) = entry.split_once('\n').expect("a line");
            let mut shell = Command::new("sh");
            shell
                .args(["-c", &format!("exec 2>&1; {command}")])
                .current_dir(desk.path())
                .env("PATH", &path);
            let output = shell.output().expect("it runs");
            assert_eq!(stdout(&output), wanted.trim_end_matches(' '), "$ {command}");
            commands += 1;
        }
    }
    assert!(commands >= 8, "only {commands} commands");
}
