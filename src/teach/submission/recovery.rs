//! Reads the answers of a file that is not TOML as a whole: one answer after the other, so that a mistake costs only
//! the answer in which it is.

use super::cause::{advice, cause, without_quotes};
use super::lines::{Lines, Opening};
use super::{Answer, Answers};
use crate::teach::mistake::Mistake;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;
use toml::de::DeTable;

/// Reason for a line such as `loss-tcp-time: '80'`.
const NO_EQUALS: &str = "the = is missing";

/// What the lines below `[answers]` contain.
#[derive(Debug, Default)]
struct Recovered {
    read: Answers,
    /// Number of answers above the last text that belongs to no answer.
    answers_above_stray: Option<usize>,
}

/// Returns the index of the octet after the line `[answers]`.
pub(super) fn end_of_header(text: &str) -> Option<usize> {
    let mut end = 0;
    text.split_inclusive('\n').find_map(|line| {
        end += line.len();
        let line = line.split('#').next().unwrap_or_default().trim();
        let name = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')).map(str::trim);
        (name == Some("answers")).then_some(end)
    })
}

/// Reads the lines below `[answers]`. `first_line` is the number of the first one.
pub(super) fn answers(lines: &Lines<'_>, first_line: usize) -> Answers {
    let (mut recovered, mut at) = (Recovered::default(), 0);
    while let Some(line) = lines.get(at) {
        let number = first_line + at;
        if let Some(opening) = lines.opening(line) {
            let count = lines.count(at, &opening);
            recovered.read.answers.push(answer(&opening, &lines.concat(at, count), number));
            at += count;
        } else {
            recovered.add_stray(line.trim(), number);
            at += 1;
        }
    }
    recovered.merge_repeated();
    recovered.read
}

/// Reads the lines of one answer.
fn answer(opening: &Opening<'_>, text: &str, line: usize) -> Answer {
    let id = opening.id;
    let raw = text[opening.value_at..].trim();
    let table = DeTable::parse(text);
    let value = table.as_ref().ok().and_then(|table| table.get_ref().get(id));
    match value {
        Some(value) if !text.contains(char::REPLACEMENT_CHARACTER) => {
            Answer::new(id, value.get_ref(), line)
        }
        _ => {
            let reason = table.err().map(|error| error.message().to_owned()).unwrap_or_default();
            let cause = if opening.has_equals { cause(raw, &reason) } else { NO_EQUALS.to_owned() };
            let mistake = Mistake::at(line, &format!("{cause}; {}", advice(id, raw)));
            let text = if opening.has_equals { None } else { value_of(raw) };
            let text = text.unwrap_or_else(|| without_quotes(raw).to_owned());
            Answer { id: id.to_owned(), text, line, mistake: Some(mistake) }
        }
    }
}

/// Returns the text of a value that is right in itself.
fn value_of(raw: &str) -> Option<String> {
    let line = format!("it = {raw}");
    let table = DeTable::parse(&line).ok()?;
    super::text(table.get_ref().get("it")?.get_ref()).map(|text| text.trim().to_owned())
}

impl Recovered {
    /// Adds a line that is not the beginning of an answer. A text below an empty answer, or below an answer with a
    /// mistake, belongs to that answer.
    fn add_stray(&mut self, line: &str, number: usize) {
        if line.is_empty() || line.starts_with('#') {
            return;
        }
        let outside = || Mistake::at(number, "this text is outside the quotes of an answer");
        let above = Some(self.read.answers.len());
        match self.read.answers.last_mut() {
            Some(answer) if answer.text.is_empty() || answer.mistake.is_some() => {
                answer.mistake.get_or_insert_with(outside);
                let space = if answer.text.is_empty() { "" } else { "\n" };
                answer.text.extend([space, line]);
            }
            // One mistake for all lines between two answers.
            _ if self.answers_above_stray == above => {}
            _ => {
                self.answers_above_stray = above;
                self.read.mistakes.push(outside());
            }
        }
    }

    /// Makes one answer of several for the same item. The answer has a mistake, because the file does not say which of
    /// them counts.
    fn merge_repeated(&mut self) {
        let mut indices: BTreeMap<String, usize> = BTreeMap::new();
        let mut merged: Vec<Answer> = Vec::new();
        for answer in self.read.answers.drain(..) {
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
        self.read.answers = merged;
    }
}

#[cfg(test)]
mod tests;
