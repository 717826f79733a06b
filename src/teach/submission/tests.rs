//! Reads answer files, with and without mistakes.

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

/// Returns the answers in a file like that of [`file`].
fn answers(file: &[u8]) -> Answers {
    let ids = file_ids();
    let ids: BTreeSet<&str> = ids.iter().map(|id| &**id).collect();
    read(file).expect("a submission").answers(&ids)
}

/// Returns the identifiers of the items.
fn file_ids() -> Vec<String> {
    let table: toml::Table = file().parse().expect("TOML");
    table["answers"].as_table().expect("a table").keys().cloned().collect()
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
    let read = answers(text.as_bytes()).answers;
    assert!(read.iter().all(|answer| answer.text.is_empty()));
    let line = text.lines().nth(read[0].line - 1).expect("the line");
    assert_eq!(line, "exchange-tcp-time = ''");
}

#[test]
fn answers_may_be_texts_numbers_and_lists() {
    let filled = file()
        .replace("exchange-tcp-time = ''", "exchange-tcp-time = 80")
        .replace("exchange-udp-time = ''", "exchange-udp-time = 40.5")
        .replace("exchange-sequence = ''", "exchange-sequence = [\"B\", \"A\"]")
        .replace("exchange-control = ''", "exchange-control = \" SYN \"");
    let read = answers(filled.as_bytes());
    let texts: Vec<&str> =
        read.answers.iter().map(|it| &*it.text).filter(|it| !it.is_empty()).collect();
    assert_eq!(texts, ["80", "40.5", "B A", "SYN"]);
}

#[test]
fn an_answer_may_have_a_backslash_and_quotes() {
    let text = "A \\d \"reply\", the client's\nC:\\u";
    let filled = file().replace("'''\n\n'''", &format!("'''\n{text}\n'''"));
    let read = answers(filled.as_bytes());
    assert!(read.answers.iter().any(|answer| answer.text == text), "{:?}", read.answers);
}

/// Returns the only answer with a mistake in a file in which every answer is `7`, except for this change.
fn only_mistake(from: &str, to: &str) -> Answer {
    let changed = file().replace("= ''\n", "= '7'\n").replacen(from, to, 1);
    let read = answers(changed.as_bytes());
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
    let read = answers(&latin);
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
fn a_header_of_a_table_among_the_answers_costs_no_other_answer() {
    for header in ["[x]", "[1]", "[[a.b]]", "[answers.x]", "[[answers.x]]", "[labs]", "a.b = 1"] {
        let changed = file().replace("= ''\n", "= '7'\n");
        let changed = changed.replacen("= '7'\n", &format!("= '7'\n{header}\n"), 1);
        let read = answers(changed.as_bytes());
        assert_eq!(read.answers.iter().filter(|it| it.text == "7").count(), 7, "{header}");
        let lines: Vec<usize> = read.mistakes.iter().map(|it| it.line).collect();
        assert_eq!(lines, [14], "{header}: {read:?}");
    }
    let above = file().replace("\n[answers]\n", "\n[x]\n[answers]\n");
    assert!(mistake(&above).reason.contains("the key x is not"), "{above}");
}

#[test]
fn the_line_above_the_answers_may_have_blanks_in_its_brackets() {
    let changed = file().replace("[answers]", "[ answers\t] # mine").replacen("''\n", "'7\n", 1);
    let read = answers(changed.as_bytes());
    assert_eq!((read.answers.len(), &*read.answers[0].text), (8, "7"), "{read:?}");
}

#[test]
fn a_long_name_is_cut_in_a_message() {
    let long = "x".repeat(200_000);
    let above = mistake(&file().replace("tag = ", &format!("{long} = 1\ntag = ")));
    let read = answers((file() + &format!("{long} = 1979-05-27\n")).as_bytes());
    let broken = answers((file() + &format!("{long} = '\n")).as_bytes());
    let reasons = [read, broken]
        .map(|it| it.answers.last().and_then(|it| it.mistake.clone()).expect("a mistake").reason);
    for reason in [above.reason].iter().chain(&reasons) {
        assert!(reason.len() < 150 && reason.contains("xxx…"), "{}", reason.len());
    }
    assert_eq!(excerpt("\u{1b}ab"), "\\u{1b}ab");
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
