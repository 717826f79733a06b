//! Reads a student's answer to a question from the text that the student entered.

use super::separators::advice;
use super::{AnswerForm, Choice, NumberAnswer, Question, unit_of_time};

/// Exclusive upper bound of a number. No lab counts or measures anything this large, and the digits of a smaller number
/// fit on a line.
const MAX_NUMBER: f64 = 1e12;

/// A student's answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Answer {
    /// The index of the choice that the student selected.
    Choice(usize),
    /// A number in the question's unit.
    Number(f64),
}

impl Question {
    /// Reads an answer. The answer to a multiple-choice question is the letter of a choice or its text. Any other
    /// answer is a number, whose unit may be omitted.
    ///
    /// # Errors
    /// Returns an error if the text is not an answer to this question. The error describes the expected format.
    pub(crate) fn read(&self, text: &str) -> Result<Answer, String> {
        let text = text.trim();
        match &self.form {
            AnswerForm::Choice(choices) => {
                let texts: Vec<&str> = choices.iter().map(|it| &*it.text).collect();
                chosen(text, &texts).map(Answer::Choice).ok_or_else(|| {
                    format!("enter a letter from {}, or the text of a choice", letters(choices))
                })
            }
            AnswerForm::Number(number) => number.read(text).map(Answer::Number),
        }
    }
}

/// Returns the letter that names the choice with this index: `a`, `b`. Many choices are numbers, so a number as a name
/// could be mistaken for the answer.
pub(crate) fn letter(index: usize) -> char {
    ('a'..='z').nth(index).unwrap_or('?')
}

/// Returns the first and the last letter of these choices, such as `a to d`.
pub(crate) fn letters(choices: &[Choice]) -> String {
    format!("{} to {}", letter(0), letter(choices.len().saturating_sub(1)))
}

/// Returns the index of the choice that its text or its letter names. Case does not count.
pub(crate) fn chosen(text: &str, choices: &[&str]) -> Option<usize> {
    let by_text = choices.iter().position(|it| it.eq_ignore_ascii_case(text));
    by_text.or_else(|| by_letter(text, choices.len()))
}

/// Returns the index of the choice that a letter names. `)` or a full stop may follow the letter.
fn by_letter(text: &str, count: usize) -> Option<usize> {
    let mut characters = text.strip_suffix(['.', ')']).unwrap_or(text).chars();
    let (given, None) = (characters.next()?, characters.next()) else { return None };
    (0..count).find(|index| letter(*index) == given.to_ascii_lowercase())
}

impl NumberAnswer {
    fn read(&self, text: &str) -> Result<f64, String> {
        if let Some(advice) = advice(text) {
            return Err(advice);
        }
        let of_unit = |it: char| !it.is_ascii_digit() && !matches!(it, '.' | ',' | '-' | '+');
        let (number, unit) = text.split_at(text.find(of_unit).unwrap_or(text.len()));
        let factor = self.factor(unit.trim());
        let number: Option<f64> = number.replace(',', ".").parse().ok();
        let read = number.zip(factor).map(|(number, factor)| number * factor);
        match read {
            // The sum turns -0 into 0.
            Some(number) if (0.0..MAX_NUMBER).contains(&number) => Ok(number + 0.0),
            Some(number) if number >= MAX_NUMBER => {
                Err(format!("enter a smaller number of {}", self.unit))
            }
            _ => Err(format!("enter a number of {0}, such as 12 or 12 {0}", self.unit)),
        }
    }

    /// Returns the factor that converts a number from this unit to the question's unit; `None` if the unit does not
    /// fit.
    fn factor(&self, unit: &str) -> Option<f64> {
        let is_own =
            unit.is_empty() || unit == self.unit || self.singular().is_some_and(|it| it == unit);
        if is_own {
            return Some(1.0);
        }
        Some(unit_of_time(self.unit)? / unit_of_time(unit)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::find;
    use crate::lab::question::Tolerance;
    use crate::transport::Transport;

    fn read(lab: &str, id: &str, text: &str) -> Option<Answer> {
        let questions = &find(lab).expect("a lab").text.questions;
        let question = questions.iter().find(|it| it.id == id).expect("a question");
        question.read(text).ok()
    }

    #[test]
    fn a_choice_is_named_by_its_letter_or_its_text() {
        let read = |text| read("exchange", "tcp-packets", text);
        for (text, index) in [(" a ", 0), ("D", 3), ("b)", 1), ("b.", 1), ("6 TO 9 packets", 2)] {
            assert_eq!(read(text), Some(Answer::Choice(index)), "{text}");
        }
        // One of the choices is "4 packets", so a number does not name the choice at this position.
        for wrong in ["4", "1", "0", "-1", "e", "ab", "a))", ")", "", "packets", "ä"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_comma_that_may_separate_thousands_is_asked_about() {
        let questions = &find("exchange").expect("a lab").text.questions;
        let question = questions.iter().find(|it| it.id == "tcp-time").expect("a question");
        for (text, meanings) in [
            ("1,080", ["1080", "1.080"]),
            ("+1,080", ["1080", "1.080"]),
            ("12,345 ms", ["12345", "12.345"]),
        ] {
            let expected = question.read(text).expect_err("it has two meanings");
            assert!(meanings.iter().all(|it| expected.contains(it)), "{expected}");
        }
        for text in ["0,080", "1,08", "1,0800", "1080"] {
            assert!(question.read(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_count_may_have_its_noun_in_the_singular_or_plural() {
        let of = |unit| NumberAnswer {
            transport: Transport::Tcp,
            what: "what",
            unit,
            within: Tolerance::Absolute(0.0),
            known: Vec::new(),
            why_right: String::new(),
            why_other: String::new(),
        };
        for (unit, text) in
            [("replies", "1 reply"), ("replies", "2 replies"), ("packets", "1 packet")]
        {
            assert!(of(unit).read(text).is_ok(), "{text}");
        }
        assert_eq!(
            (of("replies").in_words(1.0), of("replies").in_words(2.0)),
            ("1 reply".into(), "2 replies".into())
        );
        assert_eq!(
            (of("ms").in_words(1.0), of("%").in_words(40.62)),
            ("1 ms".into(), "40.62 %".into())
        );
    }

    #[test]
    fn a_number_may_have_its_unit_or_another_unit_of_time() {
        let read = |text| read("exchange", "tcp-time", text);
        for right in ["80", "80 ms", "80ms", "80,0", "0.08 s", "80000 µs", "80000us", "+80"] {
            let Some(Answer::Number(number)) = read(right) else { panic!("{right}") };
            assert!((number - 80.0).abs() < 1e-9, "{right}: {number}");
        }
        for wrong in
            ["", "ms", "-80", "80 m", "80 %", "80 packets", "1e3", "nan", "inf", "8 0", "1,0,0"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let questions = &find("exchange").expect("a lab").text.questions;
        let question = questions.iter().find(|it| it.id == "tcp-time").expect("a question");
        for large in ["1000000000000", "1000000000 s", &"9".repeat(400)] {
            let expected = question.read(large).expect_err("too large");
            assert!(expected.contains("smaller"), "{large}: {expected}");
        }
    }
}
