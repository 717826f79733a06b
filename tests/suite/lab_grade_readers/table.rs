//! The table of grades, read by Python's `csv` and by the spreadsheet Gnumeric.

use super::{ASSIGNMENT, Graded, read_by};
use crate::or_skip;
use crate::support::{program, python};
use roxmltree::Document;
use serde_json::Value;
use std::fs;
use std::process::Command;

/// Prints as JSON the rows that Python reads from the table that the argument names.
const READ: &str = "
import csv, json, sys
with open(sys.argv[1], newline='', encoding='utf-8') as file:
    json.dump(list(csv.DictReader(file, strict=True)), sys.stdout)
";

/// Returns the cells of a row that other cells than the points have, by column.
fn texts(grade: &Value) -> [(&'static str, &str); 2] {
    [("assignment", ASSIGNMENT), ("student_id", grade["student"].as_str().expect("an id"))]
}

/// Returns the points of a row by column.
fn points(grade: &Value) -> [(&'static str, f64); 4] {
    let [score, max] = ["score", "max_score"].map(|it| grade[it].as_f64().expect("points"));
    [("raw_score", score), ("score", score), ("max_score", max), ("late_submission_penalty", 0.0)]
}

#[test]
fn python_reads_the_points_of_each_student() {
    let python = or_skip!(python("csv"));
    let answers = Graded::new();
    answers.0.write("grades.csv", answers.output("sheets", "csv", 1));
    let mut reader = Command::new(python);
    reader.args(["-c", READ]).arg(answers.0.path("grades.csv"));
    let rows: Value = read_by(&mut reader).parse().expect("JSON");
    let rows = rows.as_array().expect("rows");
    let grades = answers.grades();
    assert_eq!(rows.len(), grades.len());
    for (row, grade) in rows.iter().zip(&grades) {
        // Python puts fields without a column below null, and null below a column without a field.
        let mut cells = row.as_object().expect("a row").iter();
        assert!(cells.all(|(column, cell)| column != "null" && cell.is_string()), "{row}");
        for (column, text) in texts(grade) {
            assert_eq!(row[column], text);
        }
        for (column, points) in points(grade) {
            let read = row[column].as_str().expect("a text");
            assert_eq!(read.parse(), Ok(points), "{column}");
        }
    }
}

/// Type of a cell that Gnumeric takes for a number, in its own files.
const NUMBER: &str = "40";
/// Type of a cell that Gnumeric takes for a text.
const TEXT: &str = "60";

#[test]
fn a_spreadsheet_reads_the_points_as_numbers_and_the_rest_as_text() {
    let convert = or_skip!(program("ssconvert"));
    let answers = Graded::new();
    answers.0.write("grades.csv", answers.output("sheets", "csv", 1));
    let mut reader = Command::new(convert);
    reader.arg("--export-type=Gnumeric_XmlIO:sax:0").current_dir(answers.0.path("."));
    // Gnumeric writes its configuration to the home directory.
    reader.env("HOME", answers.0.path(".")).args(["grades.csv", "grades.gnumeric"]);
    read_by(&mut reader);
    let sheet = fs::read_to_string(answers.0.path("grades.gnumeric")).expect("UTF-8");
    let sheet = Document::parse(&sheet).expect("XML");
    let cell = |row: usize, column: usize| {
        let is_it = |it: &roxmltree::Node| {
            it.tag_name().name() == "Cell"
                && it.attribute("Row") == Some(&*row.to_string())
                && it.attribute("Col") == Some(&*column.to_string())
        };
        let cell = sheet.descendants().find(is_it)?;
        Some((cell.attribute("ValueType")?.to_owned(), cell.text()?.to_owned()))
    };
    let columns: Vec<String> = (0..11).filter_map(|it| Some(cell(0, it)?.1)).collect();
    let column = |name: &str| columns.iter().position(|it| it == name).expect(name);
    for (row, grade) in answers.grades().iter().enumerate() {
        for (name, text) in texts(grade) {
            assert_eq!(cell(row + 1, column(name)), Some((TEXT.to_owned(), text.to_owned())));
        }
        for (name, points) in points(grade) {
            let (kind, read) = cell(row + 1, column(name)).expect("a cell");
            assert_eq!((&*kind, read.parse()), (NUMBER, Ok(points)), "{name}");
        }
    }
}
