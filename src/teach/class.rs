//! Reads a class list in the CSV format that learning-management systems export.

use super::formula::inert;
use super::mistake::{Mistake, line_of as line_at, line_of_row};
use crate::report::{escaped, plural};
use std::collections::BTreeMap;

/// A student in a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Student {
    /// Identifier in the class list, such as a number or an account name.
    pub id: String,
    /// Name printed on the sheet; `None` if the class list has no name column.
    pub name: Option<String>,
    /// Parts of the name; `None` if the class list has no column for the part.
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    /// Name of the student's folder. Every file system accepts this name.
    pub folder: String,
}

/// Columns that may have the identifier, the best first. Case, spaces and punctuation do not count.
pub(super) const ID_COLUMNS: [&str; 9] =
    ["studentid", "idnumber", "sid", "id", "student", "username", "login", "emailaddress", "email"];
const NAME_COLUMNS: [&str; 2] = ["name", "fullname"];
const FIRST_NAME_COLUMNS: [&str; 2] = ["firstname", "givenname"];
const LAST_NAME_COLUMNS: [&str; 3] = ["lastname", "surname", "familyname"];

/// Maximum number of students in a list.
const MAX_STUDENTS: usize = 10_000;
/// Maximum number of characters in an identifier.
const MAX_ID_CHARACTERS: usize = 100;
/// Maximum length of an identifier in octets. Most file systems accept file names of 255 octets.
const MAX_ID_OCTETS: usize = 200;

/// Reads a class list. `id_column` is the name of the column with the identifier, if the user gave one.
///
/// # Errors
/// Returns all mistakes in the list, in the order of its lines.
pub(crate) fn students(file: &[u8], id_column: Option<&str>) -> Result<Vec<Student>, Vec<Mistake>> {
    let text =
        std::str::from_utf8(file).map_err(|error| vec![not_utf8(file, error.valid_up_to())])?;
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter(text))
        .flexible(true)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| vec![Mistake::at(1, &error.to_string())]);
    let columns =
        Columns::of(header?, id_column).map_err(|reason| vec![Mistake::at(1, &reason)])?;
    let (mut class, mut mistakes) = (Class::default(), Vec::new());
    for record in reader.records() {
        let read = record.map_err(|error| Mistake::at(line_of(&error), &error.to_string()));
        if let Err(mistake) =
            read.and_then(|record| class.read(&columns, &record, line_of_row(text, &record)))
        {
            mistakes.push(mistake);
        }
    }
    if class.students.is_empty() && mistakes.is_empty() {
        mistakes.push(Mistake::at(1, "the list has no students below its header"));
    }
    if mistakes.is_empty() { Ok(class.students) } else { Err(mistakes) }
}

/// Returns the mistake of a file in which the octet at this index is not UTF-8.
pub(super) fn not_utf8(file: &[u8], at: usize) -> Mistake {
    let line = line_at(file, at);
    Mistake::at(line, "not UTF-8: save the file as CSV in UTF-8")
}

fn line_of(error: &csv::Error) -> usize {
    let position = error.position().map_or(1, csv::Position::line);
    usize::try_from(position).unwrap_or(usize::MAX)
}

/// Returns the delimiter of the header: a comma, or a semicolon or a tab as some spreadsheets write.
pub(super) fn delimiter(text: &str) -> u8 {
    let header = text.lines().next().unwrap_or_default();
    let header: String = header.split('"').step_by(2).collect(); // without the names in quotes
    let others = [b';', b'\t'].into_iter().find(|it| header.contains(char::from(*it)));
    if header.contains(',') { b',' } else { others.unwrap_or(b',') }
}

/// Columns of a list: their number, and the indices of those that are read.
struct Columns {
    /// Number of columns, and their number without the last ones that have no name.
    count: usize,
    named: usize,
    id: usize,
    name: Option<usize>,
    first_name: Option<usize>,
    last_name: Option<usize>,
}

impl Columns {
    fn of(header: &csv::StringRecord, id_column: Option<&str>) -> Result<Self, String> {
        one_line(header)?;
        let names: Vec<String> = header.iter().map(plain).collect();
        let find = |wanted: &[&str]| {
            wanted.iter().find_map(|wanted| names.iter().position(|name| name == wanted))
        };
        let id = match id_column {
            Some(column) => {
                find(&[&plain(column)]).ok_or_else(|| format!("no column \"{column}\""))
            }
            None => find(&ID_COLUMNS).ok_or_else(|| {
                "no column for the student's id, such as student_id, \"ID number\" or SID; \
                 --id-column names another one"
                    .to_owned()
            }),
        }?;
        Ok(Self {
            count: header.len(),
            named: length(header),
            id,
            name: find(&NAME_COLUMNS),
            first_name: find(&FIRST_NAME_COLUMNS),
            last_name: find(&LAST_NAME_COLUMNS),
        })
    }

    /// Rejects a row with a field too few or too many, because its fields may be in the wrong columns. Spreadsheets add
    /// empty fields at the end, which do no harm.
    fn check(&self, row: &csv::StringRecord) -> Result<(), String> {
        one_line(row)?;
        let (fields, columns) = (plural(row.len() as u64, "field"), self.count);
        if row.len() < self.named {
            Err(format!(
                "{fields}, but the header has {columns}: a separator or a quote is missing"
            ))
        } else if length(row) > columns {
            Err(format!(
                "{fields}, but the header has {columns}: put quotes around a field with a separator"
            ))
        } else {
            Ok(())
        }
    }
}

/// Returns the number of fields without the empty ones at the end.
fn length(row: &csv::StringRecord) -> usize {
    let is_empty = |at: &usize| row.get(*at).is_none_or(|field| field.trim().is_empty());
    row.len() - (0..row.len()).rev().take_while(is_empty).count()
}

/// Rejects a field that has a line break. If a quote is missing, the field contains the lines of the next students.
pub(super) fn one_line(row: &csv::StringRecord) -> Result<(), String> {
    match row.iter().find(|field| field.contains(['\n', '\r'])) {
        None => Ok(()),
        Some(field) => {
            let first = escaped(field.trim_start().lines().next().unwrap_or_default());
            Err(format!(
                "the field {first:?} goes on in the next line: a quote is missing or too many; \
                 a field must have one line"
            ))
        }
    }
}

/// Returns the name of a column in lower case, letters and digits only.
pub(super) fn plain(column: &str) -> String {
    column.chars().filter(|it| it.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The students read so far.
#[derive(Default)]
struct Class {
    students: Vec<Student>,
    /// For each folder name, the line on which it occurs. The keys are in lower case, because some file systems ignore
    /// case.
    folders: BTreeMap<String, (usize, String)>,
}

impl Class {
    /// Reads a row. Skips a row of separators only, as spreadsheets write it below a table.
    fn read(
        &mut self,
        columns: &Columns,
        row: &csv::StringRecord,
        line: usize,
    ) -> Result<(), Mistake> {
        columns.check(row).map_err(|reason| Mistake::at(line, &reason))?;
        if row.len() > 1 && length(row) == 0 {
            return Ok(());
        }
        self.add(columns, row, line)
    }

    fn add(
        &mut self,
        columns: &Columns,
        record: &csv::StringRecord,
        line: usize,
    ) -> Result<(), Mistake> {
        let field = |at: usize| record.get(at).unwrap_or_default().trim();
        let id = field(columns.id);
        let folder = folder(id).map_err(|reason| Mistake::at(line, &reason))?;
        if self.students.len() == MAX_STUDENTS {
            return Err(Mistake::at(line, &format!("more than {MAX_STUDENTS} students")));
        }
        let key = folder.to_lowercase();
        if let Some((earlier, other)) = self.folders.get(&key) {
            return Err(Mistake::at(
                line,
                &if other == id {
                    format!("the id {id:?} is already in line {earlier}")
                } else {
                    format!(
                        "the ids {id:?} and {other:?} (line {earlier}) give the same file name {key:?}"
                    )
                },
            ));
        }
        self.folders.insert(key, (line, id.to_owned()));
        let part = |column: Option<usize>| name_part(column.map_or("", field), line);
        let (first_name, last_name) = (part(columns.first_name)?, part(columns.last_name)?);
        let name = part(columns.name)?.or_else(|| joined(&[&first_name, &last_name]));
        self.students.push(Student { id: id.to_owned(), name, first_name, last_name, folder });
        Ok(())
    }
}

/// Returns a name or a part of it; `None` if it is empty.
fn name_part(text: &str, line: usize) -> Result<Option<String>, Mistake> {
    visible("name", text).map_err(|reason| Mistake::at(line, &reason))?;
    Ok(Some(text.to_owned()).filter(|name| !name.is_empty()))
}

/// Rejects text with an invisible character.
fn visible(what: &str, text: &str) -> Result<(), String> {
    match escaped(text) {
        shown if shown == text => Ok(()),
        shown => Err(format!("the {what} {shown:?} has an invisible character")),
    }
}

fn joined(parts: &[&Option<String>]) -> Option<String> {
    let parts: Vec<&str> = parts.iter().filter_map(|part| part.as_deref()).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// Returns the folder name for an identifier. A dash takes the place of each character that a file system may refuse.
pub(crate) fn folder(id: &str) -> Result<String, String> {
    if id.is_empty() {
        return Err("the student's id is empty".to_owned());
    }
    visible("id", id)?;
    if id.chars().count() > MAX_ID_CHARACTERS || id.len() > MAX_ID_OCTETS {
        return Err(format!(
            "the id has more than {MAX_ID_CHARACTERS} characters or {MAX_ID_OCTETS} octets"
        ));
    }
    if inert(id) != id {
        return Err(format!("a spreadsheet would take the id {id:?} for a formula"));
    }
    let safe = |it: char| it.is_alphanumeric() || matches!(it, '-' | '_' | '@' | '.' | '+');
    let name: String = id.chars().map(|it| if safe(it) { it } else { '-' }).collect();
    let name = name.trim_matches('.');
    if name.is_empty() {
        Err(format!("the id {id:?} has no letter or digit"))
    } else {
        Ok(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(file: &str) -> Vec<(String, Option<String>)> {
        let students = students(file.as_bytes(), None).expect("a list");
        students.into_iter().map(|it| (it.id, it.name)).collect()
    }

    fn reasons(file: &str) -> Vec<(usize, String)> {
        let mistakes = students(file.as_bytes(), None).expect_err("mistakes");
        mistakes.into_iter().map(|it| (it.line, it.reason)).collect()
    }

    #[test]
    fn lists_of_common_systems_are_read() {
        let both = |id: &str, name: &str| vec![(id.to_owned(), Some(name.to_owned()))];
        for nbgrader in [
            "id,last_name,first_name,email\ns1,Roe,Jo,jo@x\n",
            "\u{feff}id,surname,given name\r\ns1,Roe,Jo\r\n",
        ] {
            assert_eq!(ids(nbgrader), both("s1", "Jo Roe"));
        }
        let moodle = "Identifier,Full name,ID number,Email address\nParticipant 1,Jo Roe,s1,jo@x\n";
        assert_eq!(ids(moodle), both("s1", "Jo Roe"));
        assert_eq!(
            ids("Name,SID,Email,Role\n\"Roe, Jo\",s1,jo@x,Student\n"),
            both("s1", "Roe, Jo")
        );
        assert_eq!(ids("student_id;name\ns1;Jo Roe\n"), both("s1", "Jo Roe"));
        assert_eq!(ids("email\njo@x.org\n"), [("jo@x.org".to_owned(), None)]);
    }

    #[test]
    fn the_user_may_name_the_column() {
        let list = b"id,matriculation\n1,m7\n";
        let students = students(list, Some("Matriculation")).expect("a list");
        assert_eq!(students[0].id, "m7");
        let none = super::students(list, Some("other")).expect_err("no such column");
        assert_eq!(none, [Mistake::at(1, "no column \"other\"")]);
    }

    #[test]
    fn every_mistake_has_its_line() {
        let list = "id\ns1\n\ns2\ns1\n\" \"\nS2\na/b\na b\n...\n";
        let found = reasons(list);
        let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [5, 6, 7, 9, 10], "{found:?}");
        for (at, words) in
            ["already in line 2", "empty", "same file name", "same file name", "no letter"]
                .iter()
                .enumerate()
        {
            assert!(found[at].1.contains(words), "{found:?}");
        }
    }

    #[test]
    fn a_mistake_has_its_line_after_empty_lines_and_with_the_line_ends_of_windows() {
        let list = "id,name\ns1,Jo\n\n\ns1,Al\n";
        assert_eq!(reasons(list)[0].0, 5);
        let found = &reasons(&list.replace('\n', "\r\n"))[0];
        assert!(found.0 == 5 && found.1.ends_with("already in line 2"), "{found:?}");
    }

    #[test]
    fn a_list_without_ids_or_students_or_utf_8_is_refused() {
        assert!(reasons("first,last\nJo,Roe\n")[0].1.contains("no column for the student's id"));
        assert!(reasons("id\n")[0].1.contains("no students"));
        assert!(reasons("")[0].1.contains("no column"));
        let latin = students(b"id,name\ns1,J\xf6\n", None).expect_err("not UTF-8");
        assert_eq!(latin[0].line, 2);
    }

    #[test]
    fn a_missing_quote_in_the_list_is_named_and_no_student_is_lost_silently() {
        for list in ["id,name\ns1,\"Roe\ns2,Lee\n", "id,name\n\"s1,Roe\ns2,Lee\n"] {
            let found = reasons(list);
            assert!(found[0].0 == 2 && found[0].1.contains("a quote is missing"), "{found:?}");
        }
    }

    #[test]
    fn a_missing_quote_in_any_column_is_refused_because_it_hides_students() {
        for (list, line) in [
            ("id,name,email\ns1,Jo Roe,\"jo@x\ns2,Al Lee,al@x\n", 2),
            ("email,id,name\n\"jo@x,s1,Jo\nal@x,s2,Al\n\"b@x\",s3,B C\n", 2),
            ("id,name\ns1,Jo\ns2,\"Al\rs3,Li\"\n", 3),
            ("id,\"name\ns1,Jo\n\"x,s2,Al\n", 1),
        ] {
            let found = reasons(list);
            assert!(found[0].0 == line && found[0].1.contains("a quote is missing"), "{found:?}");
        }
    }

    #[test]
    fn a_row_with_a_field_too_few_or_too_many_is_refused() {
        for (row, reason) in [
            ("s2,Roe, Jo", "3 fields, but the header has 2: put quotes"),
            ("s2 Roe", "1 field, but the header has 2: a separator or a quote is missing"),
            ("s2,\"Roe\",,x", "4 fields"),
        ] {
            let found = reasons(&format!("id,name\ns1,Jo\n{row}\ns3,Li\n"));
            assert!(found.len() == 1 && found[0].0 == 3, "{row}: {found:?}");
            assert!(found[0].1.starts_with(reason), "{row}: {found:?}");
        }
    }

    #[test]
    fn empty_fields_at_the_end_and_rows_of_separators_are_harmless() {
        let expected = [("s1".to_owned(), Some("Jo".to_owned())), ("s2".to_owned(), None)];
        for list in [
            "id,name\ns1,Jo,,\ns2,, \n,\n,,,\n",
            "id,name,,\ns1,Jo\ns2,,\n,,,\n",
            "id;name;\r\ns1;Jo;note\r\ns2;;\r\n;;\r\n",
        ] {
            assert_eq!(ids(list), expected, "{list}");
        }
        assert!(reasons("id,name\n,Jo\n")[0].1.contains("id is empty"));
    }

    #[test]
    fn a_folder_has_no_separator_and_no_hidden_name() {
        assert_eq!(folder("../a\\b").as_deref(), Ok("-a-b"));
        for refused in ["a\nb", "a\u{202e}b", "=1+1", "+1", "@a", "-a", "＝1", "a;=1"] {
            assert!(folder(refused).is_err(), "{refused:?}");
        }
        assert!(folder(&"x".repeat(101)).is_err() && folder(&"語".repeat(67)).is_err());
        assert!(reasons("id,name\ns1,J\u{200b}o\n")[0].1.contains("invisible"));
        assert_eq!(ids("\"id, or number\";id\nx;s1\n"), [("s1".to_owned(), None)]);
    }
}
