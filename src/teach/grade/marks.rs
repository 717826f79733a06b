//! Points that a teacher gave by hand.

use super::{Grade, GradedItem, Points};
use crate::teach::class::{ID_COLUMNS, delimiter, not_utf8, one_line, plain};
use crate::teach::formula::active;
use crate::teach::mistake::{Mistake, line_of_row};
use crate::teach::submission::excerpt;
use std::collections::BTreeMap;

/// The marks, by student and item.
#[derive(Debug, Default)]
pub(crate) struct Marks(BTreeMap<(String, String), Mark>);

/// The mark for one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub points: Points,
    /// Feedback for the student. May be empty.
    pub comment: String,
    pub line: usize,
}

impl Marks {
    /// Reads CSV with the columns `item`, `points`, `comment`, and the student's id as in a class list. Ignores other
    /// columns, and rows without points and comment. `comment` may be missing.
    ///
    /// # Errors
    /// Returns an error for the first mistake in the file.
    pub(crate) fn read(file: &[u8]) -> Result<Self, Mistake> {
        let text =
            std::str::from_utf8(file).map_err(|error| not_utf8(file, error.valid_up_to()))?;
        let text = text.trim_start_matches('\u{feff}');
        let mut reader = ::csv::ReaderBuilder::new()
            .delimiter(delimiter(text))
            .flexible(true)
            .from_reader(text.as_bytes());
        let header = reader.headers().map_err(|error| not_csv(&error))?.clone();
        let columns = Columns::of(&header).map_err(|reason| Mistake::at(1, &reason))?;
        let mut marks = Self::default();
        for record in reader.records() {
            let record = record.map_err(|error| not_csv(&error))?;
            let line = line_of_row(text, &record);
            let row = columns.row(&record).map_err(|reason| Mistake::at(line, &reason))?;
            let Some((key, points, comment)) = row else { continue };
            if marks.0.insert(key, Mark { points, comment, line }).is_some() {
                return Err(Mistake::at(line, "this student has two marks for this item"));
            }
        }
        Ok(marks)
    }

    pub(super) fn of(&self, student: &str, item: &str) -> Option<&Mark> {
        self.0.get(&(student.to_owned(), item.to_owned()))
    }

    /// Returns the mistakes in the marks. A mark is a mistake if it does not belong to an item that is marked by hand,
    /// or if it exceeds the item's maximum.
    pub(crate) fn mistakes(&self, grades: &[Grade]) -> Vec<Mistake> {
        let wrong = self.0.iter().filter_map(|((student, id), mark)| {
            let mut grades = grades.iter().filter(|grade| grade.name.student == *student);
            let item = grades.find_map(|grade| grade.items.iter().find(|it| it.id == *id));
            let reason = match item {
                None => "no graded file has this student with this item".to_owned(),
                Some(item) if !item.is_by_hand() => "this item is not marked by hand".to_owned(),
                Some(GradedItem { max, .. }) if mark.points > *max => {
                    format!("more than the maximum of {max} points: the item has no mark")
                }
                Some(_) => return None,
            };
            let (student, item) = (excerpt(student), excerpt(id));
            let reason = format!("student {student}, item {item}: {reason}");
            Some(Mistake { line: mark.line, reason })
        });
        let mut wrong: Vec<Mistake> = wrong.collect();
        wrong.sort_by_key(|mistake| mistake.line);
        wrong
    }
}

fn not_csv(error: &::csv::Error) -> Mistake {
    let line = error.position().map_or(1, ::csv::Position::line);
    Mistake::at(usize::try_from(line).unwrap_or(usize::MAX), &error.to_string())
}

/// Columns of a file with marks: their number, and the indices of those that are read.
struct Columns {
    count: usize,
    student: usize,
    item: usize,
    points: usize,
    comment: Option<usize>,
}

impl Columns {
    fn of(header: &::csv::StringRecord) -> Result<Self, String> {
        one_line(header)?;
        let names: Vec<String> = header.iter().map(plain).collect();
        let column = |name: &str| names.iter().position(|it| it == name);
        let student = ID_COLUMNS.iter().find_map(|name| column(name));
        let (Some(student), Some(item), Some(points)) = (student, column("item"), column("points"))
        else {
            return Err("the header needs student_id, item and points".to_owned());
        };
        let comment = column("comment");
        let read = [student, item, points].into_iter().chain(comment);
        match read
            .map(|at| &names[at])
            .find(|name| names.iter().filter(|it| it == name).count() > 1)
        {
            None => Ok(Self { count: header.len(), student, item, points, comment }),
            Some(name) => Err(format!("the header has two columns {name:?}: keep one")),
        }
    }

    /// Reads a row: student and item, the points and the comment. Returns `None` for a row that the teacher has not
    /// filled in. Spreadsheets leave out empty fields at the end.
    fn row(&self, row: &::csv::StringRecord) -> Result<Option<Row>, String> {
        one_line(row)?;
        if row.iter().skip(self.count).any(|it| !it.trim().is_empty()) {
            let advice =
                "more fields than the header has: put a comment with a separator into quotes";
            return Err(advice.to_owned());
        }
        let field = |at: usize| row.get(at).unwrap_or_default().trim().to_owned();
        let comment = active(&self.comment.map(field).unwrap_or_default());
        if row.len() <= self.student.max(self.item) && row.iter().any(|it| !it.trim().is_empty()) {
            return Err("no student or no item: a separator or a quote is missing".to_owned());
        }
        if field(self.points).is_empty() {
            let is_empty = comment.is_empty();
            return if is_empty { Ok(None) } else { Err("a comment without points".to_owned()) };
        }
        let points = read_points(&field(self.points))
            .ok_or_else(|| "points is not a number such as 2 or 1.5".to_owned())?;
        Ok(Some(((field(self.student), field(self.item)), points, comment)))
    }
}

/// Student and item, points, and comment.
type Row = ((String, String), Points, String);

/// Reads a number of points with at most two decimals. A decimal comma is as good as a point.
fn read_points(text: &str) -> Option<Points> {
    let (whole, part) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    if !is_digits(whole) || !is_digits(part) || part.len() > 2 {
        return None;
    }
    let part: u32 = format!("{part:0<2}").parse().ok()?;
    whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(part).map(Points)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_have_points_with_two_decimals_and_a_comment() {
        let file = b"student_id,item,points,comment\ns1,loss-explanation,1.5,\"good, but short\"\n";
        let marks = Marks::read(file).expect("marks");
        let mark = marks.of("s1", "loss-explanation").expect("a mark");
        assert_eq!((mark.points, &*mark.comment, mark.line), (Points(150), "good, but short", 2));
        assert_eq!(marks.of("s2", "loss-explanation"), None);
        let as_spreadsheet = "\u{feff}ID number;Item;Points\ns1;loss-explanation;2\n";
        let marks = Marks::read(as_spreadsheet.as_bytes()).expect("marks");
        assert!(marks.of("s1", "loss-explanation").is_some());
    }

    #[test]
    fn a_mistake_has_its_line() {
        let line = |file: &str| Marks::read(file.as_bytes()).expect_err("a mistake").line;
        assert_eq!(line("id,item,points,comment\ns1,a,1,Good, but short\n"), 2, "a cut comment");
        assert!(Marks::read(b"id,item,points\ns1,a,1,,\n").is_ok(), "empty fields at the end");
        assert_eq!(line("student,item\n"), 1);
        for points in ["-1", "1.234", "\"1,080\"", "two", "99999999999", "1.", ".5"] {
            assert_eq!(line(&format!("student_id,item,points\ns1,a,1\ns1,b,{points}\n")), 3);
        }
        assert_eq!(line("student_id,item,points\ns1,a,1\ns1,a,2\n"), 3);
        assert_eq!(line("student_id,item,points\ns1,a,1\ns1;a;2\n"), 3, "a wrong separator");
    }

    #[test]
    fn a_mistake_has_its_line_with_the_line_ends_of_windows() {
        let line = |rows: &str| {
            let file = format!("id,item,points\r\n{rows}");
            Marks::read(file.as_bytes()).expect_err("a mistake").line
        };
        assert_eq!((line("s1,a,two\r\n"), line("s1,a,1\r\n\r\ns1,b,two\r\n")), (2, 4));
        let marks = Marks::read(b"id,item,points\r\ns1,a,1\r\n").expect("marks");
        assert_eq!(marks.of("s1", "a").map(|mark| mark.line), Some(2));
    }

    #[test]
    fn a_row_without_its_empty_fields_at_the_end_is_no_mark() {
        let header = "id,name,item,answer,max_points,points,comment\n";
        let file = format!("{header}s1,Jo,a,So.,3\ns2,Al,a,So.,3,2\ns3,Li,a\n,,\n\"\"\n");
        let marks = Marks::read(file.as_bytes()).expect("marks");
        assert_eq!(marks.of("s2", "a").map(|it| it.points), Some(Points(200)));
        assert_eq!(marks.0.len(), 1);
        let mistake = Marks::read(format!("{header}s1;Jo;a;So.;3;2\n").as_bytes());
        assert!(mistake.expect_err("a wrong separator").reason.contains("a separator or a quote"));
    }

    #[test]
    fn marks_that_are_not_utf_8_are_refused() {
        let mistake = Marks::read(b"id,item,points,comment\ns1,a,1,Gut\ns2,a,1,M\xfcller\n");
        let mistake = mistake.expect_err("not UTF-8");
        assert!(mistake.line == 3 && mistake.reason.starts_with("not UTF-8"), "{mistake}");
    }

    #[test]
    fn two_columns_of_the_same_name_are_refused() {
        for (header, name) in [
            ("id,item,points,points", "points"),
            ("id,item,Points,comment,points", "points"),
            ("id,item,points,comment,Comment", "comment"),
            ("id,ID,item,points", "id"),
        ] {
            let mistake = Marks::read(format!("{header}\n").as_bytes()).expect_err("two columns");
            let reason = format!("the header has two columns \"{name}\": keep one");
            assert_eq!(mistake, Mistake::at(1, &reason));
        }
        assert!(Marks::read(b"id,student_id,item,points,note,note\n").is_ok());
    }

    #[test]
    fn a_missing_quote_has_its_line_and_swallows_no_mark() {
        for (file, line) in [
            ("id,item,points,comment\ns1,a,1,\"good\ns2,a,2,\ns3,a,1,\n", 2),
            ("id,item,points,comment\ns1,a,1,\ns2,a,1,\"good\ns3,a,2,\"fine\"\n", 3),
            ("id,item,points,comment\ns1,a,1,\"good\ns2,a,2,x\ns3,a,1,fine\"\n", 2),
            ("id,item,points,comment\n\"s1,a,1,\ns2,a,2,\n", 2),
            ("id,item,points,\"comment\ns1,a,1,\ns2,a,2,\n", 1),
        ] {
            let mistake = Marks::read(file.as_bytes()).expect_err("a quote is missing");
            assert_eq!(mistake.line, line, "{file}: {mistake}");
            assert!(mistake.reason.contains("a quote is missing"), "{mistake}");
        }
    }

    #[test]
    fn a_row_without_points_is_no_mark_but_a_comment_needs_points() {
        let read = |rows: &str| Marks::read(format!("id,item,points,comment\n{rows}").as_bytes());
        let marks = read("s1,a,,\n,,,\ns2,a,\" \",\ns3,a,\"1,5\",\n").expect("marks");
        assert_eq!(marks.0.len(), 1);
        assert_eq!(marks.of("s3", "a").map(|mark| mark.points), Some(Points(150)));
        let mistake = read("s1,a,,\ns2,a,,good\n").expect_err("a comment");
        assert_eq!(mistake, Mistake::at(3, "a comment without points"));
        assert_eq!(read("s1\n").expect_err("no item").line, 2);
    }
}
