//! Reads an answer file. The file is untrusted input: a student may have written anything into it.
//!
//! The lines above `[answers]` identify the sheet and must be intact. A mistake below them costs only the answer in
//! which it is.

mod recovery;

use super::draw::{SheetName, VERSION};
use super::mistake::{Mistake, line_of};
use super::sheet::{Explanations, Header};
use toml::de::{DeTable, DeValue};

/// An answer file: the header of its sheet, and the answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Submission {
    pub header: Header,
    /// Number of the line with the student's id, for messages about the header.
    pub header_line: usize,
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
        Ok(table) if not_utf8.is_none() => File::new(text, table.get_ref()).submission(),
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
    let read = recovery::answers(answers, first_line, &submission.header.labs);
    Ok(Submission { answers: read.answers, mistakes: read.mistakes, ..submission })
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
                let name = key.get_ref().escape_debug();
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
        Ok(Submission { header, header_line, answers, mistakes: Vec::new() })
    }

    fn answers(&self) -> Result<Vec<Answer>, Mistake> {
        let (value, line) = self.value("answers")?;
        let table = value.as_table().ok_or_else(|| Mistake::at(line, "[answers] is missing"))?;
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
            let reason = format!("not a text in quotes; write {} = 'ANSWER'", id.escape_debug());
            Mistake::at(line, &reason)
        });
        let text = text.unwrap_or_default().trim().to_owned();
        Self { id: id.to_owned(), text, line, mistake }
    }
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
mod tests {
    use super::*;
    use crate::teach::bank::Runs;
    use crate::teach::draw::Secret;
    use crate::teach::sheet::{Sheet, answers_file};
    use proptest::prelude::*;

    fn file() -> String {
        let secret = Secret::of(b"the secret of the tests").expect("long enough");
        let name = SheetName { assignment: "week 1".into(), student: "s1".into() };
        let (labs, explanations) = (["exchange"], Explanations::Asked);
        answers_file(&Sheet::new(&secret, name, &labs, explanations, &mut Runs::default()))
    }

    fn mistake(file: &str) -> Mistake {
        read(file.as_bytes()).expect_err("a mistake")
    }

    #[test]
    fn the_file_that_was_handed_out_is_read() {
        let text = file();
        let read = read(text.as_bytes()).expect("a submission");
        assert_eq!(
            (&*read.header.name.student, &read.header.labs[..]),
            ("s1", &["exchange".to_owned()][..])
        );
        assert!(read.answers.iter().all(|answer| answer.text.is_empty()));
        let line = text.lines().nth(read.answers[0].line - 1).expect("the line");
        assert_eq!(line, "exchange-tcp-time = ''");
    }

    #[test]
    fn answers_may_be_texts_numbers_and_lists() {
        let filled = file()
            .replace("exchange-tcp-time = ''", "exchange-tcp-time = 80")
            .replace("exchange-udp-time = ''", "exchange-udp-time = 40.5")
            .replace("exchange-sequence = ''", "exchange-sequence = [\"B\", \"A\"]")
            .replace("exchange-control = ''", "exchange-control = \" SYN \"");
        let read = read(filled.as_bytes()).expect("a submission");
        let texts: Vec<&str> =
            read.answers.iter().map(|it| &*it.text).filter(|it| !it.is_empty()).collect();
        assert_eq!(texts, ["80", "40.5", "B A", "SYN"]);
    }

    #[test]
    fn an_answer_may_have_a_backslash_and_quotes() {
        let text = "A \\d \"reply\", the client's\nC:\\u";
        let filled = file().replace("'''\n\n'''", &format!("'''\n{text}\n'''"));
        let read = read(filled.as_bytes()).expect("a submission");
        assert!(read.answers.iter().any(|answer| answer.text == text), "{:?}", read.answers);
    }

    /// Returns the only answer with a mistake in a file in which every answer is `7`, except for this change.
    fn only_mistake(from: &str, to: &str) -> Answer {
        let changed = file().replace("= ''\n", "= '7'\n").replacen(from, to, 1);
        let read = read(changed.as_bytes()).expect("a submission");
        assert_eq!((read.answers.len(), read.mistakes.len()), (8, 0), "{changed}");
        let (mut bad, good): (Vec<Answer>, Vec<_>) =
            read.answers.into_iter().partition(|it| it.mistake.is_some());
        assert_eq!(good.iter().filter(|it| it.text == "7").count(), 6, "{changed}");
        assert_eq!(bad.len(), 1, "{changed}");
        bad.remove(0)
    }

    #[test]
    fn a_mistake_in_an_answer_costs_only_this_answer() {
        for wrong in ["'80", "'80' ms", "80 ms", "", "1982-02-02", "'7'\nexchange-tcp-time = '8'"] {
            let to = format!("exchange-tcp-time = {wrong}");
            let bad = only_mistake("exchange-tcp-time = '7'", &to);
            let mistake = bad.mistake.expect("a mistake");
            let line = 13 + wrong.matches('\n').count();
            assert_eq!((&*bad.id, mistake.line), ("exchange-tcp-time", line), "{wrong}");
        }
    }

    #[test]
    fn an_answer_that_is_not_utf_8_costs_only_this_answer() {
        let text = file().replacen("''\n", "'80 \u{b5}s'\n", 1);
        let latin: Vec<u8> = text.chars().map(|it| u8::try_from(it).expect("Latin-1")).collect();
        let read = read(&latin).expect("a submission");
        let bad: Vec<&Mistake> = read.answers.iter().filter_map(|it| it.mistake.as_ref()).collect();
        assert_eq!(bad, [&Mistake::at(13, "not UTF-8; save the file as UTF-8")]);
        let utf16: Vec<u8> = file().encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(super::read(&utf16).is_err());
    }

    #[test]
    fn every_mistake_in_the_header_names_its_line_and_the_file_is_refused() {
        let file = file();
        let student = file.lines().position(|it| it.starts_with("student")).expect("a line") + 1;
        let broken = mistake(&file.replace("student = \"s1\"", "student = \"s1"));
        assert!(broken.line == student && broken.reason.starts_with("not TOML"), "{broken:?}");
        let number = mistake(&file.replace("student = \"s1\"", "student = 7"));
        assert!(number.line == student && number.reason.contains("student"), "{number:?}");
        let version = mistake(&file.replace("version = 1", "version = 2"));
        assert!(version.line == 2 && version.reason.contains("version 1"), "{version:?}");
        let foreign = mistake(&file.replace("tag = ", "extra = 1\ntag = "));
        assert!(foreign.reason.contains("extra"), "{foreign:?}");
        let both = file.replace("student = \"s1\"", "student = \"s1").replacen("''", "'", 1);
        assert_eq!(mistake(&both).line, student);
        assert!(mistake(&file.replace("[answers]", "[answers")).reason.starts_with("not TOML"));
    }

    #[test]
    fn another_file_or_no_utf_8_or_a_huge_file_is_refused() {
        assert!(mistake("").reason.contains("is missing"));
        assert!(mistake("PK\u{3}\u{4}").reason.starts_with("not TOML"));
        let latin = read(b"version = 1\nstudent = \"J\xf6\"\n").expect_err("not UTF-8");
        assert_eq!(latin.line, 2);
        let huge = vec![b'#'; MAX_OCTETS + 1];
        assert!(read(&huge).expect_err("huge").reason.contains("longer than 256 KiB"));
        assert!(read(&huge[..MAX_OCTETS]).expect_err("empty").reason.contains("missing"));
        assert!(read(&b"[".repeat(100_000)).is_err(), "deep nesting ends");
    }

    proptest! {
        #[test]
        fn no_octets_panic(octets in proptest::collection::vec(any::<u8>(), 0..200), at in 0_usize..600) {
            let _ = read(&octets);
            let mut file = file().into_bytes();
            let at = at.min(file.len());
            file.splice(at..at, octets);
            let _ = read(&file);
        }
    }
}
