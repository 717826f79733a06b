//! Other people's programs read what `daytime lab grade` writes.
//!
//! Each test compares what the other program read with the same grades as `--format json`. `.ci/peers` installs the
//! programs. No program of Gradescope or Autolab itself can be installed: for Gradescope there are gslocal, which prints
//! a result as Gradescope shows it, and Gradescope's published format; for Autolab there are its rules, as Ruby.

mod autograders;
mod junit;
mod table;

use crate::lab_sheets::{Desk, of};
use crate::support::{good, run, stderr, stdout};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A text with the characters that have a meaning in XML, CSV, JSON or Ruby, and a control character.
const HOSTILE: &str = "a <b> & \"c\", 'd'; ]]> #{e} \\n f: ü\u{7}";
/// The assignment's name. It is in every row of a table and in every test suite.
const ASSIGNMENT: &str = "week 3, \"A & <B>\" ]]>";
const LABS: &str = "exchange,loss,stale,loop";

/// Answer files with every outcome: one student has all answers right, one has hostile ones, and one has none.
struct Graded(Desk);

/// One program beside this file.
fn beside(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/lab_grade_readers").join(name)
}

impl Graded {
    fn new() -> Self {
        let desk = Desk::new();
        desk.write("class.csv", "student_id\ns1\n\"O\"\"Neil, <b>&amp;\"\ns3\n");
        good(
            desk.lab(&format!("sheet {} --out sheets", of(LABS)))
                .args(["--assignment", ASSIGNMENT]),
        );
        let mut key = desk.lab(&format!("key {} --json", of(LABS)));
        let keys: Value = good(key.args(["--assignment", ASSIGNMENT])).parse().expect("JSON");
        let answers = Self(desk);
        answers.fill_in("s1", |item| item["answer"].as_str().map(str::to_owned), &keys["keys"][0]);
        answers.fill_in(&answers.folder(), hostile, &keys["keys"][1]);
        let comment = HOSTILE.replace('"', "\"\"");
        answers.0.write(
            "marks.csv",
            format!(
                "student_id,item,points,comment\ns1,loss-explanation,3,\ns1,stale-explanation,1.25,\"{comment}\"\n"
            ),
        );
        answers
    }

    /// Returns the folder of the student whose id no file system accepts.
    fn folder(&self) -> String {
        let folders = std::fs::read_dir(self.0.path("sheets")).expect("readable");
        let names =
            folders.map(|it| it.expect("an entry").file_name().into_string().expect("UTF-8"));
        names.into_iter().find(|name| !name.starts_with('s')).expect("a folder")
    }

    /// Writes a student's answers into the answer file.
    fn fill_in(&self, folder: &str, answer: impl Fn(&Value) -> Option<String>, key: &Value) {
        let name = format!("sheets/{folder}/answers.toml");
        let mut file = self.0.read(&name);
        let items = key["items"].as_array().expect("items");
        for (item, answer) in items.iter().filter_map(|item| Some((item, answer(item)?))) {
            let id = item["item"].as_str().expect("an id");
            let filled = format!("\n{id} = {}\n", toml(&answer));
            file = file.replace(&format!("\n{id} = ''\n"), &filled);
            file = file.replace(&format!("\n{id} = '''\n\n'''\n"), &filled);
        }
        self.0.write(&name, file);
    }

    /// Runs `daytime lab grade` on files, and returns its output. Its exit status is 1 if an answer cannot be read.
    fn output(&self, files: &str, format: &str, status: i32) -> String {
        let mut grade =
            self.0.lab(&format!("grade {files} --secret-file secret --format {format}"));
        let output = run(grade.args(["--marks", "marks.csv"]));
        assert_eq!(output.status.code(), Some(status), "{}", stderr(&output));
        stdout(&output)
    }

    /// Returns the grades of all students, as `--format json` has them.
    fn grades(&self) -> Vec<Value> {
        let grades: Value = self.output("sheets", "json", 1).parse().expect("JSON");
        let grades = grades["grades"].as_array().expect("grades").clone();
        assert_eq!(grades.len(), 3);
        for outcome in [
            "right",
            "partly right",
            "wrong",
            "no answer",
            "cannot be read",
            "not marked yet",
            "marked by hand",
        ] {
            let mut items = grades.iter().flat_map(items);
            assert!(items.any(|it| it["outcome"] == outcome), "no answer is {outcome}");
        }
        grades
    }
}

/// Returns an answer that is wrong, partly right or unreadable, with hostile characters where they are possible.
fn hostile(item: &Value) -> Option<String> {
    let id = item["item"].as_str()?;
    let answer = item["answer"].as_str();
    match (id.rsplit_once('-')?.1, answer) {
        ("order", Some(answer)) => {
            let mut letters: Vec<&str> = answer.split(' ').collect();
            letters.swap(0, 1);
            Some(letters.join(" "))
        }
        ("time", _) => Some("1 ms".to_owned()),
        ("acknowledgement", _) => None,
        _ => Some(HOSTILE.to_owned()),
    }
}

/// Returns a string of TOML. It has the same escapes as a string of JSON.
fn toml(text: &str) -> String {
    serde_json::to_string(text).expect("JSON")
}

/// Returns the items of a grade.
fn items(grade: &Value) -> &Vec<Value> {
    grade["items"].as_array().expect("items")
}

/// Runs another program that reads files of the program under test, and returns its standard output.
pub fn read_by(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{command:?}: {}{}", stdout(&output), stderr(&output));
    stdout(&output)
}
