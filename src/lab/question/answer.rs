//! Reads what a student enters as the answer to a question.

use super::{AnswerForm, NumberAnswer, Question, unit_of_time};

/// A student's answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Answer {
    /// The index of a choice.
    Choice(usize),
    /// A number in the unit of the question.
    Number(f64),
}

impl Question {
    /// Reads an answer: the number or the text of a choice, or a number with or without its unit.
    ///
    /// # Errors
    /// The text is not an answer to this question. The error says what an answer looks like.
    pub(crate) fn read(&self, text: &str) -> Result<Answer, String> {
        let text = text.trim();
        match &self.form {
            AnswerForm::Choice(choices) => {
                let count = choices.len();
                let by_text = choices.iter().position(|it| it.text.eq_ignore_ascii_case(text));
                let by_number = text.parse().ok().filter(|it| (1..=count).contains(it));
                let index = by_number.map(|it: usize| it - 1).or(by_text);
                index.map(Answer::Choice).ok_or_else(|| format!("enter a number from 1 to {count}"))
            }
            AnswerForm::Number(number) => number.read(text).map(Answer::Number),
        }
    }
}

impl NumberAnswer {
    fn read(&self, text: &str) -> Result<f64, String> {
        let of_unit = |it: char| !it.is_ascii_digit() && !matches!(it, '.' | ',' | '-' | '+');
        let (number, unit) = text.split_at(text.find(of_unit).unwrap_or(text.len()));
        let factor = self.factor(unit.trim());
        let number: Option<f64> = number.replace(',', ".").parse().ok();
        let read = number.zip(factor).map(|(number, factor)| number * factor);
        let good = read.filter(|it| it.is_finite() && *it >= 0.0);
        good.ok_or_else(|| {
            format!("enter a number of {}, such as 12 or 12 {}", self.unit, self.unit)
        })
    }

    /// Returns by how much a number with this unit is multiplied; `None` for a foreign unit.
    fn factor(&self, unit: &str) -> Option<f64> {
        let is_own =
            unit.is_empty() || unit == self.unit || self.unit.strip_suffix('s') == Some(unit);
        if is_own {
            return Some(1.0);
        }
        Some(unit_of_time(self.unit)? / unit_of_time(unit)?)
    }
}
