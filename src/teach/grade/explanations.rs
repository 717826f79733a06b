//! The explanations of all students as CSV, with empty columns for the marks. [`super::Marks`] reads the same file once
//! the teacher has filled it in.

use super::csv::text_of;
use super::{Grade, GradedItem, Outcome};
use crate::report::escaped;
use crate::teach::formula::inert;
use crate::teach::item::Criterion;
use std::collections::HashMap;

const COLUMNS: [&str; 8] =
    ["student_id", "name", "item", "rubric", "answer", "max_points", "points", "comment"];

/// Maximum number of characters of an explanation in a cell, with escapes. Spreadsheets hold 32 767.
const MAX_CHARACTERS: usize = 8_000;
/// Takes the place of a line break. Each field has one line, so that a missing quote is found.
const LINE_BREAK: &str = " ¶ ";

/// Returns the header, and one row for each explanation that a teacher marks: those of one item after another, so that
/// they are marked alike. The items are in the order of the sheet. A mark that is there already is in its row. An explanation without a text has no row.
///
/// # Errors
/// Returns an error if the rows cannot be written to memory.
pub(crate) fn explanations(grades: &[Grade]) -> Result<String, ::csv::Error> {
    let items = |grade| {
        let grade: &Grade = grade;
        grade.items.iter().filter(|item| item.has_row()).map(move |item| (grade, item))
    };
    let mut rows: Vec<(&Grade, &GradedItem)> = grades.iter().flat_map(items).collect();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for item in grades.iter().flat_map(|grade| &grade.items) {
        let next = places.len();
        places.entry(&item.id).or_insert(next);
    }
    rows.sort_by_key(|(_, item)| places.get(&*item.id));
    // Some spreadsheets split a field without quotes at semicolons.
    let always = ::csv::QuoteStyle::Always;
    let mut writer = ::csv::WriterBuilder::new().quote_style(always).from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for (grade, item) in rows {
        writer.write_record(row(grade, item))?;
    }
    // Without the byte order mark, some spreadsheets do not read UTF-8.
    Ok(format!("\u{feff}{}", text_of(writer)?))
}

fn row(grade: &Grade, item: &GradedItem) -> [String; 8] {
    let is_marked = item.outcome == Outcome::Marked;
    let points = item.points.filter(|_| is_marked).map(|points| points.to_string());
    let comment = if is_marked { &*item.feedback } else { "" };
    let criterion = |it: &Criterion| format!("{}: {}", it.points, it.text);
    let rubric: Vec<String> = item.rubric.iter().map(criterion).collect();
    [
        grade.name.student.clone(),
        inert(grade.student_name()),
        item.id.clone(),
        inert(&rubric.join(LINE_BREAK)),
        inert(&one_line(&item.answer)),
        item.max.to_string(),
        points.unwrap_or_default(),
        inert(comment),
    ]
}

/// Returns a student's text on one line, safe to print, and not longer than a cell may be.
fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let (mut cell, mut count) = (String::new(), 0);
    for it in lines.join(LINE_BREAK).chars() {
        let shown = escaped(it.encode_utf8(&mut [0; 4]));
        count += shown.chars().count();
        if count > MAX_CHARACTERS {
            return cell + " … (the rest is in the answer file)";
        }
        cell += &shown;
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::super::tests::graded_explanations;
    use super::super::{Marks, Points};
    use super::*;

    /// Returns the rows below the header.
    fn rows(grades: &[Grade]) -> Vec<[String; 8]> {
        let table = explanations(grades).expect("a table");
        let table = table.strip_prefix('\u{feff}').expect("a byte order mark");
        let mut reader = ::csv::Reader::from_reader(table.as_bytes());
        assert!(reader.headers().expect("a header").iter().eq(COLUMNS));
        let rows = reader.records().map(|row| row.expect("a row"));
        rows.map(|row| std::array::from_fn(|at| row[at].to_owned())).collect()
    }

    #[test]
    fn each_explanation_has_a_row_with_its_rubric_and_empty_columns_for_the_mark() {
        let grades = ["s1", "s2"].map(|it| graded_explanations(it, "One.\n\n Two.", &[]));
        let rows = rows(&grades);
        let of = |row: &[String; 8]| format!("{} {}", row[2], row[0]);
        let labs = ["exchange", "loss", "stale"];
        let wanted = labs.map(|lab| ["s1", "s2"].map(|it| format!("{lab}-explanation {it}")));
        assert_eq!(rows.iter().map(of).collect::<Vec<_>>(), wanted.concat());
        for [_, _, _, rubric, answer, max, points, comment] in rows {
            assert_eq!((&*answer, &*max), ("One. ¶ Two.", "3"));
            assert!(rubric.starts_with("1: ") && rubric.matches(" ¶ 1: ").count() == 2, "{rubric}");
            assert_eq!(points + &comment, "");
        }
    }

    #[test]
    fn the_items_are_in_the_order_of_the_sheet() {
        let mut grades = ["s1", "s2"].map(|it| graded_explanations(it, "So.", &[]));
        for grade in &mut grades {
            grade.items.reverse();
        }
        // The first student's text for the first item is empty.
        grades[0].items[0].outcome = Outcome::Empty;
        let ids: Vec<String> = rows(&grades).into_iter().map(|it| it[2].clone()).collect();
        let labs = ["stale", "loss", "loss", "exchange", "exchange"];
        assert_eq!(ids, labs.map(|lab| format!("{lab}-explanation")));
    }

    #[test]
    fn a_filled_table_gives_marks_and_the_next_table_has_them() {
        let mark = ("loss-explanation", Points(150), "-1 for \"UDP\", sorry");
        let table = explanations(&[graded_explanations("s1", "So.", &[mark])]).expect("a table");
        let marks = Marks::read(table.as_bytes()).expect("marks");
        let read = marks.of("s1", "loss-explanation").expect("a mark");
        assert_eq!((read.points, &*read.comment), (mark.1, mark.2));
        assert_eq!(marks.of("s1", "stale-explanation"), None, "not filled in");
    }

    #[test]
    fn a_hostile_explanation_is_one_short_cell_and_no_formula() {
        let long = "=x\"\r\n,;\u{202e}\u{1b}\u{9b}".to_owned() + &"ä".repeat(20_000);
        let rows = rows(&[graded_explanations("s1", &long, &[])]);
        let cell = &rows[0][4];
        assert!(cell.starts_with("'=x\" ¶ ,;\\u{202e}\\u{1b}\\u{9b}ä"), "{}", &cell[..80]);
        assert!(cell.ends_with("ä … (the rest is in the answer file)"));
        assert!(cell.chars().count() < 9_000 && !cell.contains(['\n', '\r']));
        assert!(rows[0].iter().all(|it| !it.starts_with(['=', '+', '-', '@', '\t', '\r'])));
    }

    #[test]
    fn a_text_of_invisible_characters_is_cut_after_a_whole_escape() {
        for (text, most) in [("\u{202e}", 1_000), ("ä\u{202e}", 888)] {
            let rows = rows(&[graded_explanations("s1", &text.repeat(5_000), &[])]);
            let cell = rows[0][4].strip_suffix(" … (the rest is in the answer file)").expect("cut");
            assert_eq!(cell.matches("\\u{202e}").count(), most);
            assert!(cell.chars().count() <= MAX_CHARACTERS && cell.ends_with(['}', 'ä']));
        }
    }

    #[test]
    fn no_cell_is_a_formula_in_a_spreadsheet_that_splits_at_semicolons_or_tabs() {
        let mark = ("loss-explanation", Points(100), "Good;=1;\t-1");
        for text in ["Fine;=1+1;@SUM(1)", "\"; +1", "；\";\"＝1\";－1", "-1"] {
            let table = explanations(&[graded_explanations("s1", text, &[mark])]).expect("a table");
            for delimiter in [b',', b';', b'\t'] {
                let mut builder = ::csv::ReaderBuilder::new();
                let builder = builder.delimiter(delimiter).flexible(true).has_headers(false);
                let mut count = 0;
                for row in builder.from_reader(table.as_bytes()).records() {
                    for cell in &row.expect("a row") {
                        let start = cell.trim_start_matches([' ', '"', '\t']);
                        assert!(!start.starts_with(['=', '+', '-', '@', '＝', '－']), "{table}");
                        count += 1;
                    }
                }
                assert!(count > 3, "{table}");
            }
            let marks = Marks::read(table.as_bytes()).expect("marks");
            assert_eq!(marks.of("s1", mark.0).map(|it| &*it.comment), Some(mark.2));
        }
    }

    #[test]
    fn an_explanation_without_a_text_has_no_row() {
        assert_eq!(rows(&[graded_explanations("s1", "  ", &[])]).len(), 0);
    }
}
