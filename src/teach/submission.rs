//! Reads an answer file. The file is untrusted input: a student may have written anything into it.

use super::draw::{SheetName, VERSION};
use super::mistake::{Mistake, line_of};
use super::sheet::Header;
use toml::de::{DeTable, DeValue};

/// An answer file: the header of its sheet, and the answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Submission {
    pub header: Header,
    /// Number of the line with the student's id, for messages about the header.
    pub header_line: usize,
    pub answers: Vec<Answer>,
}

/// An answer in the student's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Identifier of the item.
    pub id: String,
    /// The answer's text without white space at both ends. Empty if the student gave no answer.
    pub text: String,
    pub line: usize,
}

/// Maximum length of an answer file in octets.
pub(crate) const MAX_OCTETS: usize = 256 * 1024;

/// Keys of the header, in the order of the file.
const KEYS: [&str; 8] =
    ["version", "sheet", "assignment", "student", "labs", "items", "tag", "answers"];

/// Reads an answer file. Does not check whether the header is genuine: [`Header::is_genuine`] does this.
///
/// # Errors
/// Returns the first mistake in the file's format.
pub(crate) fn read(file: &[u8]) -> Result<Submission, Mistake> {
    if file.len() > MAX_OCTETS {
        return Err(Mistake::at(1, &format!("longer than {} KiB", MAX_OCTETS / 1024)));
    }
    let text = std::str::from_utf8(file).map_err(|error| {
        Mistake::at(line_of(file, error.valid_up_to()), "not UTF-8: save the file as UTF-8")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let table = DeTable::parse(text).map_err(|error| not_toml(text, &error))?;
    let ends = text.match_indices('\n').map(|(at, _)| at + 1);
    let file = File { line_starts: [0].into_iter().chain(ends).collect(), table: table.get_ref() };
    file.check_keys()?;
    file.submission()
}

fn not_toml(text: &str, error: &toml::de::Error) -> Mistake {
    let at = error.span().map_or(0, |span| span.start);
    let is_answer = text.find("\n[answers]").is_some_and(|head| at > head);
    let advice = if is_answer { "; write the answer between the quotes" } else { "" };
    let reason = format!("not TOML: {}{advice}", error.message());
    Mistake::at(line_of(text.as_bytes(), at), &reason)
}

/// A parsed file.
struct File<'a> {
    /// Indexes of the octets at which the lines begin.
    line_starts: Vec<usize>,
    table: &'a DeTable<'a>,
}

impl<'a> File<'a> {
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

    fn submission(&self) -> Result<Submission, Mistake> {
        let header = Header {
            version: self.version()?,
            name: SheetName {
                assignment: self.string("assignment")?,
                student: self.string("student")?,
            },
            labs: self.labs()?,
            sheet: self.string("sheet")?,
            items: self.string("items")?,
            tag: self.string("tag")?,
        };
        let (_, header_line) = self.value("student")?;
        Ok(Submission { header, header_line, answers: self.answers()? })
    }

    fn answers(&self) -> Result<Vec<Answer>, Mistake> {
        let (value, line) = self.value("answers")?;
        let table = value.as_table().ok_or_else(|| Mistake::at(line, "[answers] is missing"))?;
        let mut answers = Vec::new();
        for (key, value) in table {
            let (id, line) = (key.get_ref().to_string(), self.line(key.span().start));
            let text = text(value.get_ref()).ok_or_else(|| {
                let name = id.escape_debug();
                Mistake::at(line, &format!("the answer of {name} is not a text in quotes"))
            })?;
            answers.push(Answer { id, text: text.trim().to_owned(), line });
        }
        answers.sort_by_key(|answer| answer.line);
        Ok(answers)
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
        answers_file(&Sheet::new(&secret, name, &["exchange"], &mut Runs::default()))
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

    #[test]
    fn a_mistake_in_an_answer_says_where_answers_go() {
        let outside =
            mistake(&file().replace("exchange-tcp-time = ''", "exchange-tcp-time = '' 80"));
        assert!(outside.reason.ends_with("write the answer between the quotes"), "{outside:?}");
    }

    #[test]
    fn every_mistake_names_its_line() {
        let file = file();
        let student = file.lines().position(|it| it.starts_with("student")).expect("a line") + 1;
        let broken = mistake(&file.replace("student = \"s1\"", "student = \"s1"));
        assert!(broken.line == student && broken.reason.starts_with("not TOML"), "{broken:?}");
        let number = mistake(&file.replace("student = \"s1\"", "student = 7"));
        assert!(number.line == student && number.reason.contains("student"), "{number:?}");
        let version = mistake(&file.replace("version = 1", "version = 2"));
        assert!(version.line == 2 && version.reason.contains("version 1"), "{version:?}");
        let twice = mistake(&file.replace("exchange-udp-time", "exchange-tcp-time"));
        assert!(twice.reason.contains("duplicate"), "{twice:?}");
        let foreign = mistake(&file.replace("tag = ", "extra = 1\ntag = "));
        assert!(foreign.reason.contains("extra"), "{foreign:?}");
        let date =
            mistake(&file.replace("exchange-tcp-time = ''", "exchange-tcp-time = 1982-02-02"));
        assert!(date.reason.contains("exchange-tcp-time"), "{date:?}");
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
