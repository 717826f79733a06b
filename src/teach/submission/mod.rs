//! Reads an answer file. The file is untrusted input: a student may have written anything into it.
//!
//! The lines above `[answers]` identify the sheet and must be intact. A mistake below them costs only the answer in
//! which it is.

mod cause;
mod lines;
mod recovery;

use super::draw::{SheetName, VERSION};
use super::mistake::{Mistake, line_of};
use super::sheet::{Explanations, Header};
use std::collections::BTreeSet;
use toml::de::{DeTable, DeValue};

/// An answer file: the header of its sheet, and the answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Submission {
    pub header: Header,
    /// Number of the line with the student's id, for messages about the header.
    pub header_line: usize,
    body: Body,
}

/// The part of an answer file below `[answers]`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Body {
    Read(Vec<Answer>),
    /// A text with a mistake in its form. Its answers can be read only if the items of the sheet are known.
    Broken {
        text: String,
        first_line: usize,
    },
}

/// The answers in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answers {
    /// The answers in the order of their lines. No two of them are for the same item.
    pub answers: Vec<Answer>,
    /// Mistakes below `[answers]` that belong to no answer.
    pub mistakes: Vec<Mistake>,
}

/// An answer in the student's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Identifier of the item.
    pub id: String,
    /// The answer's text without white space at both ends. Empty if the student gave no answer. If the answer has a
    /// mistake, this is the text in the file.
    pub text: String,
    pub line: usize,
    /// The reason why the answer cannot be read.
    pub mistake: Option<Mistake>,
}

/// Maximum length of an answer file in octets.
pub(crate) const MAX_OCTETS: usize = 256 * 1024;

/// Keys of the header, in the order of the file.
const KEYS: [&str; 9] = [
    "version",
    "sheet",
    "assignment",
    "student",
    "labs",
    "explanations",
    "items",
    "tag",
    "answers",
];

/// Reads an answer file. Does not check whether the header is genuine: [`Header::is_genuine`] does this.
///
/// # Errors
/// Returns the first mistake in the header's format, or the reason why the file is not an answer file.
pub(crate) fn read(file: &[u8]) -> Result<Submission, Mistake> {
    if file.len() > MAX_OCTETS {
        return Err(Mistake::at(1, &format!("longer than {} KiB", MAX_OCTETS / 1024)));
    }
    let text = String::from_utf8_lossy(file);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let not_utf8 = std::str::from_utf8(file).err().map(|error| {
        Mistake::at(line_of(file, error.valid_up_to()), "not UTF-8: save the file as UTF-8")
    });
    match DeTable::parse(text) {
        Ok(table) if not_utf8.is_none() => {
            let read = File::new(text, table.get_ref()).submission();
            read.or_else(|mistake| recovered(text, mistake))
        }
        parsed => {
            let mistake = not_utf8.or_else(|| parsed.err().map(|error| not_toml(text, &error)));
            recovered(text, mistake.unwrap_or_else(|| Mistake::at(1, "not TOML")))
        }
    }
}

/// Reads a file with a mistake in its form. The answers are read one by one if the mistake is below `[answers]`.
fn recovered(text: &str, mistake: Mistake) -> Result<Submission, Mistake> {
    let end = recovery::end_of_header(text).ok_or_else(|| mistake.clone())?;
    let (header, answers) = text.split_at(end);
    let first_line = line_of(text.as_bytes(), end);
    if mistake.line < first_line {
        return Err(mistake);
    }
    let table = DeTable::parse(header).map_err(|error| not_toml(header, &error))?;
    let submission = File::new(header, table.get_ref()).submission()?;
    let body = Body::Broken { text: answers.to_owned(), first_line };
    Ok(Submission { body, ..submission })
}

impl Submission {
    /// Returns the answers. The sheet has the items with these identifiers.
    pub(crate) fn answers(&self, ids: &BTreeSet<&str>) -> Answers {
        match &self.body {
            Body::Read(answers) => Answers { answers: answers.clone(), mistakes: Vec::new() },
            Body::Broken { text, first_line } => {
                recovery::answers(&lines::Lines::new(text, ids), *first_line)
            }
        }
    }
}

/// Maximum length of a student's text in a message, in characters.
const EXCERPT_CHARS: usize = 40;

/// Returns the beginning of a student's text, safe to print in a message.
pub(crate) fn excerpt(text: &str) -> String {
    let end = text.char_indices().nth(EXCERPT_CHARS).map(|(at, _)| at);
    let start = text[..end.unwrap_or(text.len())].escape_debug();
    if end.is_some() { format!("{start}…") } else { start.to_string() }
}

fn not_toml(text: &str, error: &toml::de::Error) -> Mistake {
    let at = error.span().map_or(0, |span| span.start);
    let advice = "copy the lines above [answers] from the file that was handed out";
    let reason = format!("not TOML: {}; {advice}", error.message());
    Mistake::at(line_of(text.as_bytes(), at), &reason)
}

/// A parsed file.
struct File<'a> {
    /// Indexes of the octets at which the lines begin.
    line_starts: Vec<usize>,
    table: &'a DeTable<'a>,
}

impl<'a> File<'a> {
    fn new(text: &str, table: &'a DeTable<'a>) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { line_starts: [0].into_iter().chain(ends).collect(), table }
    }

    fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at)
    }

    fn check_keys(&self) -> Result<(), Mistake> {
        let foreign = self.table.iter().find(|(key, _)| !KEYS.contains(&&**key.get_ref()));
        match foreign {
            Some((key, _)) => {
                let name = excerpt(key.get_ref());
                let reason = format!("the key {name} is not in the file that was handed out");
                Err(Mistake::at(self.line(key.span().start), &reason))
            }
            None => Ok(()),
        }
    }

    /// Returns the value of a key in the header, and the value's line.
    fn value(&self, name: &str) -> Result<(&'a DeValue<'a>, usize), Mistake> {
        let value = self.table.iter().find(|(key, _)| &**key.get_ref() == name);
        let missing =
            || Mistake::at(1, &format!("the line of {name} is missing: is this answers.toml?"));
        let (_, value) = value.ok_or_else(missing)?;
        Ok((value.get_ref(), self.line(value.span().start)))
    }

    fn string(&self, name: &str) -> Result<String, Mistake> {
        let (value, line) = self.value(name)?;
        let text = value.as_str().map(str::to_owned);
        text.ok_or_else(|| Mistake::at(line, &format!("{name} is not a text in quotes")))
    }

    fn version(&self) -> Result<u64, Mistake> {
        let (value, line) = self.value("version")?;
        match value.as_integer().and_then(|it| it.as_str().parse().ok()) {
            Some(VERSION) => Ok(VERSION),
            _ => Err(Mistake::at(line, &format!("this program grades version {VERSION} only"))),
        }
    }

    fn labs(&self) -> Result<Vec<String>, Mistake> {
        let (value, line) = self.value("labs")?;
        let names = value
            .as_array()
            .map(|names| names.iter().map(|it| it.get_ref().as_str().map(str::to_owned)).collect());
        names.flatten().ok_or_else(|| Mistake::at(line, "labs is not a list of names"))
    }

    /// Reads the line that only a sheet without explanations has.
    fn explanations(&self) -> Result<Explanations, Mistake> {
        let Some(value) = self.table.get("explanations") else { return Ok(Explanations::Asked) };
        match value.get_ref() {
            DeValue::Boolean(false) => Ok(Explanations::LeftOut),
            _ => Err(Mistake::at(self.line(value.span().start), "explanations is not false")),
        }
    }

    fn submission(&self) -> Result<Submission, Mistake> {
        self.check_keys()?;
        let header = Header {
            version: self.version()?,
            name: SheetName {
                assignment: self.string("assignment")?,
                student: self.string("student")?,
            },
            labs: self.labs()?,
            explanations: self.explanations()?,
            sheet: self.string("sheet")?,
            items: self.string("items")?,
            tag: self.string("tag")?,
        };
        let (_, header_line) = self.value("student")?;
        let answers = self.answers()?;
        Ok(Submission { header, header_line, body: Body::Read(answers) })
    }

    fn answers(&self) -> Result<Vec<Answer>, Mistake> {
        let (value, line) = self.value("answers")?;
        let table = value.as_table().ok_or_else(|| Mistake::at(line, "[answers] is missing"))?;
        if let Some((key, _)) = table.iter().find(|(_, value)| has_table(value.get_ref())) {
            let line = self.line(key.span().start);
            return Err(Mistake::at(line, "a table in place of an answer"));
        }
        let answers = table.iter().map(|(key, value)| {
            Answer::new(key.get_ref(), value.get_ref(), self.line(key.span().start))
        });
        let mut answers: Vec<Answer> = answers.collect();
        answers.sort_by_key(|answer| answer.line);
        Ok(answers)
    }
}

impl Answer {
    /// Makes an answer from a value in TOML.
    fn new(id: &str, value: &DeValue<'_>, line: usize) -> Self {
        let text = text(value);
        let mistake = text.is_none().then(|| {
            let reason = format!("not a text in quotes; write {} = 'ANSWER'", excerpt(id));
            Mistake::at(line, &reason)
        });
        let text = text.unwrap_or_default().trim().to_owned();
        Self { id: id.to_owned(), text, line, mistake }
    }
}

/// Whether a value is a table or a list of tables, as a line such as `[answers.x]` makes it.
fn has_table(value: &DeValue<'_>) -> bool {
    let is_list_of_tables =
        |values: &toml::de::DeArray<'_>| values.iter().any(|it| it.get_ref().is_table());
    value.is_table() || value.as_array().is_some_and(is_list_of_tables)
}

/// Returns an answer as text. Also accepts a number without quotes, and a list of letters.
fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Array(values) => {
            let texts: Option<Vec<String>> =
                values.iter().map(|it| it.get_ref().as_str().map(str::to_owned)).collect();
            texts.map(|texts| texts.join(" "))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
