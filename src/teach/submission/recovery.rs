//! Reads the answers of a file that is not TOML as a whole: one answer after the other, so that a mistake costs only
//! the answer in which it is.
//!
//! Each line is looked at once, or twice at the end of a text without its closing quotes.

use super::Answer;
use crate::teach::mistake::Mistake;
use std::collections::btree_map::Entry as MapEntry;
use std::collections::{BTreeMap, BTreeSet};
use toml::de::DeTable;

/// The quotes of a text on several lines.
const LONG_QUOTES: [&str; 2] = ["'''", "\"\"\""];
/// Quotes that word processors put in place of straight ones.
const CURLY_QUOTES: [char; 7] = ['‘', '’', '‚', '“', '”', '„', '`'];

/// What the lines below `[answers]` contain.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    pub answers: Vec<Answer>,
    /// Mistakes that belong to no answer.
    pub mistakes: Vec<Mistake>,
    /// Number of answers above the last text that belongs to no answer.
    answers_above_stray: Option<usize>,
}

/// Returns the index of the octet after the line `[answers]`.
pub(super) fn end_of_header(text: &str) -> Option<usize> {
    let mut end = 0;
    text.split_inclusive('\n').find_map(|line| {
        end += line.len();
        let line = line.split('#').next().unwrap_or_default().trim();
        (line == "[answers]").then_some(end)
    })
}

/// Reads the text below `[answers]`. `first_line` is the number of its first line. The labs are those of the header:
/// the identifier of each item begins with its lab.
pub(super) fn answers(text: &str, first_line: usize, labs: &[String]) -> Recovered {
    let labs: BTreeSet<&str> = labs.iter().map(String::as_str).collect();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (mut recovered, mut at) = (Recovered::default(), 0);
    while let Some(line) = lines.get(at) {
        let number = first_line + at;
        if let Some((id, value)) = assignment(line) {
            let count = lines_of(value, &lines[at..], &labs);
            let text = lines[at..at + count].concat();
            recovered.answers.push(answer(id, &text, number));
            at += count;
        } else {
            recovered.add_stray(line.trim(), number);
            at += 1;
        }
    }
    recovered.merge_repeated();
    recovered
}

/// Splits a line such as `loss-tcp-time = ''` into the item's identifier and the value.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (id, value) = line.split_once('=')?;
    let id = id.trim();
    let is_bare = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_');
    (!id.is_empty() && id.chars().all(is_bare)).then_some((id, value.trim()))
}

/// Returns the number of lines that an answer takes. `lines` begins with its first line. A text on several lines ends
/// with its closing quotes. If these are missing, the text ends before the next item of the labs and its comment.
fn lines_of(value: &str, lines: &[&str], labs: &BTreeSet<&str>) -> usize {
    let Some(quotes) = LONG_QUOTES.into_iter().find(|it| value.starts_with(it)) else { return 1 };
    if value[quotes.len()..].contains(quotes) {
        return 1;
    }
    let is_item = |line: &str| {
        let lab = assignment(line).and_then(|(id, _)| id.split('-').next());
        lab.is_some_and(|lab| labs.contains(lab))
    };
    let rest = lines.iter().enumerate().skip(1);
    let end = rest.clone().find(|(_, line)| is_item(line) || line.contains(quotes));
    match end {
        Some((at, line)) if !is_item(line) => at + 1,
        _ => {
            let is_text = |line: &str| !line.trim().is_empty() && !line.starts_with('#');
            let mut texts = rest.take(end.map_or(lines.len(), |(at, _)| at).saturating_sub(1));
            texts.rfind(|(_, line)| is_text(line)).map_or(1, |(at, _)| at + 1)
        }
    }
}

/// Reads the lines of one answer.
fn answer(id: &str, text: &str, line: usize) -> Answer {
    let table = DeTable::parse(text);
    let value = table.as_ref().ok().and_then(|table| table.get_ref().get(id));
    match value {
        Some(value) if !text.contains(char::REPLACEMENT_CHARACTER) => {
            Answer::new(id, value.get_ref(), line)
        }
        _ => {
            let raw = text.split_once('=').map_or("", |(_, value)| value.trim());
            let reason = table.err().map(|error| error.message().to_owned()).unwrap_or_default();
            let mistake =
                Mistake::at(line, &format!("{}; {}", cause(raw, &reason), advice(id, raw)));
            Answer { id: id.to_owned(), text: raw.to_owned(), line, mistake: Some(mistake) }
        }
    }
}

/// Returns the reason why a value cannot be read. `otherwise` is the parser's reason.
fn cause(value: &str, otherwise: &str) -> String {
    let long = LONG_QUOTES.into_iter().find(|it| value.starts_with(it));
    let short = ['\'', '"'].into_iter().find(|it| value.starts_with(*it));
    match (long, short) {
        _ if value.contains(char::REPLACEMENT_CHARACTER) => "not UTF-8".to_owned(),
        (Some(quotes), _) if !value[quotes.len()..].contains(quotes) => {
            format!("the closing {quotes} is missing")
        }
        (Some(quotes), _) => format!("text after the closing {quotes}"),
        (None, Some(quote)) => match value[1..].split_once(quote) {
            None => format!("the closing {quote} is missing"),
            Some((_, after)) if after.trim_end_matches(quote).is_empty() && !after.is_empty() => {
                format!("a {quote} too many")
            }
            Some((_, after)) if after.ends_with(quote) => format!("the answer contains {quote}"),
            Some((_, after)) if !after.trim().is_empty() => {
                format!("text after the closing {quote}")
            }
            Some(_) => otherwise.to_owned(),
        },
        (None, None) if value.is_empty() => "the quotes are missing".to_owned(),
        (None, None) if value.starts_with(CURLY_QUOTES) => "the quotes are curly".to_owned(),
        (None, None) if !value.starts_with(['[', '{']) => "the quotes are missing".to_owned(),
        _ => otherwise.to_owned(),
    }
}

/// Returns what the student can do about a value that cannot be read.
fn advice(id: &str, value: &str) -> String {
    if value.contains(char::REPLACEMENT_CHARACTER) {
        "save the file as UTF-8".to_owned()
    } else if LONG_QUOTES.iter().any(|it| value.starts_with(it)) || has_inner_quote(value) {
        format!("write {id} = '''ANSWER'''")
    } else {
        format!("write {id} = 'ANSWER'")
    }
}

/// Whether there is a quote between the quotes.
fn has_inner_quote(value: &str) -> bool {
    value.ends_with('\'') && value.trim_matches('\'').contains('\'')
}

impl Recovered {
    /// Adds a line that is not the beginning of an answer. A text below an empty answer, or below an answer with a
    /// mistake, belongs to that answer.
    fn add_stray(&mut self, line: &str, number: usize) {
        if line.is_empty() || line.starts_with('#') {
            return;
        }
        let outside = || Mistake::at(number, "this text is outside the quotes of an answer");
        let above = Some(self.answers.len());
        match self.answers.last_mut() {
            Some(answer) if answer.text.is_empty() || answer.mistake.is_some() => {
                answer.mistake.get_or_insert_with(outside);
                let space = if answer.text.is_empty() { "" } else { "\n" };
                answer.text.extend([space, line]);
            }
            // One mistake for all lines between two answers.
            _ if self.answers_above_stray == above => {}
            _ => {
                self.answers_above_stray = above;
                self.mistakes.push(outside());
            }
        }
    }

    /// Makes one answer of several for the same item. The answer has a mistake, because the file does not say which of
    /// them counts.
    fn merge_repeated(&mut self) {
        let mut indices: BTreeMap<String, usize> = BTreeMap::new();
        let mut merged: Vec<Answer> = Vec::new();
        for answer in self.answers.drain(..) {
            match indices.entry(answer.id.clone()) {
                MapEntry::Vacant(entry) => {
                    entry.insert(merged.len());
                    merged.push(answer);
                }
                MapEntry::Occupied(entry) => {
                    let first = &mut merged[*entry.get()];
                    let reason = format!("there twice, first in line {}; keep one", first.line);
                    let space = if first.text.is_empty() { "" } else { "\n" };
                    first.text.extend([space, &answer.text]);
                    first.mistake = Some(Mistake::at(answer.line, &reason));
                }
            }
        }
        self.answers = merged;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABS: [&str; 2] = ["loop", "loss"];

    fn recovered(text: &str) -> Recovered {
        answers(text, 11, &LABS.map(str::to_owned))
    }

    /// Returns the texts of the answers without a mistake, and the others' lines with the first part of the reason.
    fn of(text: &str) -> (Vec<String>, Vec<(usize, String)>) {
        let (good, bad): (Vec<Answer>, _) =
            recovered(text).answers.into_iter().partition(|it| it.mistake.is_none());
        let bad = bad.into_iter().filter_map(|it| it.mistake);
        let reason = |it: Mistake| (it.line, it.reason.split(';').next().unwrap_or("").to_owned());
        (good.into_iter().map(|it| it.text).collect(), bad.map(reason).collect())
    }

    #[test]
    fn a_bad_line_costs_one_answer_and_says_why() {
        for (line, reason) in [
            ("loss-b = '80", "the closing ' is missing"),
            ("loss-b = \"80", "the closing \" is missing"),
            ("loss-b = '80''", "a ' too many"),
            ("loss-b = 'client's'", "the answer contains '"),
            ("loss-b = '80' ms", "text after the closing '"),
            ("loss-b = '''80''' ms", "text after the closing '''"),
            ("loss-b = ", "the quotes are missing"),
            ("loss-b = 80 ms", "the quotes are missing"),
            ("loss-b = ‘80’", "the quotes are curly"),
            ("loss-b = '80\u{fffd}s'", "not UTF-8"),
            ("loss-b = ['A'", "unclosed array, expected `]`"),
            ("loss-b = 2026-11-29", "not a text in quotes"),
            ("loss-b = {}", "not a text in quotes"),
        ] {
            let text = format!("\n# 1.\nloss-a = '1'\n\n{line}\r\n# 3.\nloss-c = \"3\"\n");
            let (good, bad) = of(&text);
            assert_eq!(
                (&*good.join(" "), &bad[..]),
                ("1 3", &[(15, reason.to_owned())][..]),
                "{line}"
            );
        }
    }

    #[test]
    fn a_long_text_ends_at_its_quotes_and_without_them_before_the_next_item_of_a_lab() {
        let (good, bad) = of("loss-a = '''\nTCP = retransmits\nx = 1\n'''\nloss-b = '\n");
        assert_eq!((&*good.join("|"), bad.len()), ("TCP = retransmits\nx = 1", 1));
        let unclosed = recovered("loss-a = '''\nTCP\nx = 1\n\n# 2.\nloop-b = '''\nUDP\n'''\n");
        let [a, b] = &unclosed.answers[..] else { panic!("{unclosed:?}") };
        assert_eq!((&*b.text, b.line), ("UDP", 16));
        assert!(!a.text.contains("# 2."), "{a:?}");
        assert!(
            a.text.contains("TCP\nx = 1") && a.mistake.as_ref().is_some_and(|it| it.line == 11)
        );
    }

    #[test]
    fn a_text_below_an_empty_answer_belongs_to_it_and_below_another_to_none() {
        let found = recovered("loss-a = ''\n80 ms\nor 90 ms\n\nloss-b = 'B'\nI think\n\nso\n");
        let [a, b] = &found.answers[..] else { panic!("{found:?}") };
        assert_eq!((&*a.text, a.mistake.as_ref().map(|it| it.line)), ("80 ms\nor 90 ms", Some(12)));
        assert_eq!((&*b.text, &b.mistake), ("B", &None));
        let lines: Vec<usize> = found.mistakes.iter().map(|it| it.line).collect();
        assert_eq!(lines, [16], "{found:?}");
    }

    #[test]
    fn two_lines_for_one_item_are_one_mistake() {
        let found = recovered("loss-a = '1'\nloss-b = ''\nloss-a = '2'\nloss-a = '3'\n");
        let [a, b] = &found.answers[..] else { panic!("{found:?}") };
        let mistake = a.mistake.as_ref().expect("a mistake");
        assert!(mistake.line == 14 && mistake.reason.contains("twice"), "{mistake:?}");
        assert!(b.mistake.is_none());
    }

    #[test]
    fn a_hostile_text_ends_soon_and_has_few_mistakes() {
        let began = std::time::Instant::now();
        let many = |line: &str| line.repeat(crate::teach::submission::MAX_OCTETS / line.len());
        for line in [
            "x\n",
            "a='''\n",
            "'''\n",
            "loss-a='''\n",
            "a=[",
            "a=[\n",
            "[a]\n",
            "=\n",
            "a=\"\"\"\\",
        ] {
            let found = recovered(&many(line));
            assert!(found.answers.len() <= 1 && found.mistakes.len() <= 1, "{line}");
        }
        let labs: Vec<String> = (0..50_000).map(|it| it.to_string()).collect();
        let found = answers(&("a='''\n".to_owned() + &many("a=\n")), 11, &labs);
        assert_eq!(found.answers.len(), 1);
        assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    }
}
