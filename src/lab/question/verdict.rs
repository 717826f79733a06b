//! Compares a student's prediction and observation with what the run shows.

use super::answer::Answer;
use super::{Amount, AnswerForm, Choice, Holds, NumberAnswer, Question, Tolerance};
use crate::lab::finding::{Finding, find};

/// What the run shows for a question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Shown {
    /// The index of the only choice that the findings support.
    Choice(usize),
    /// The number that the run observed, in the unit of the question.
    Number(f64),
}

/// Whether an answer is what the run shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Right,
    Wrong,
    /// The student gave no answer.
    None,
}

impl Question {
    /// Returns what the run shows; `None` if the findings support no choice or several, or lack the number.
    pub(crate) fn shown(&self, findings: &[Finding]) -> Option<Shown> {
        match &self.form {
            AnswerForm::Choice(choices) => match supported(choices, findings)[..] {
                [only] => Some(Shown::Choice(only)),
                _ => None,
            },
            AnswerForm::Number(number) => number.of_run(findings).map(Shown::Number),
        }
    }

    /// Compares an answer with what the run shows.
    pub(crate) fn mark(&self, answer: Option<Answer>, shown: Shown) -> Mark {
        let is_right = match (answer, shown) {
            (None, _) => return Mark::None,
            (Some(Answer::Choice(given)), Shown::Choice(right)) => given == right,
            (Some(Answer::Number(given)), Shown::Number(right)) => self.agrees(given, right),
            _ => false,
        };
        if is_right { Mark::Right } else { Mark::Wrong }
    }

    /// Returns why an answer is right or wrong.
    pub(crate) fn why(&self, answer: Answer, shown: Shown, findings: &[Finding]) -> &str {
        match (&self.form, answer) {
            (AnswerForm::Choice(choices), Answer::Choice(given)) => {
                choices.get(given).map_or("", |choice| &choice.why)
            }
            (AnswerForm::Number(number), Answer::Number(given)) => {
                match self.mark(Some(answer), shown) {
                    Mark::Right => &number.why_right,
                    _ => number.why_wrong(given, findings),
                }
            }
            _ => "",
        }
    }

    /// Returns why the run's answer is right.
    pub(crate) fn why_right(&self, shown: Shown) -> &str {
        match (&self.form, shown) {
            (AnswerForm::Choice(choices), Shown::Choice(right)) => {
                choices.get(right).map_or("", |choice| &choice.why)
            }
            (AnswerForm::Number(number), _) => &number.why_right,
            _ => "",
        }
    }

    fn agrees(&self, given: f64, right: f64) -> bool {
        matches!(&self.form, AnswerForm::Number(number) if number.within.allows(given, right))
    }
}

/// Returns the indices of the choices that the findings support.
fn supported(choices: &[Choice], findings: &[Finding]) -> Vec<usize> {
    let holds =
        |it: &Choice| matches!(&it.holds, Holds::If(condition) if condition.holds(findings));
    let supported: Vec<usize> = (0..choices.len()).filter(|at| holds(&choices[*at])).collect();
    if supported.is_empty() {
        let otherwise = |it: &Choice| matches!(it.holds, Holds::Otherwise);
        return choices.iter().position(otherwise).into_iter().collect();
    }
    supported
}

impl NumberAnswer {
    /// Returns the explanation of the first known wrong number that the answer agrees with, or the general one.
    fn why_wrong(&self, given: f64, findings: &[Finding]) -> &str {
        let is_it = |amount: &Amount| {
            self.amount(amount, findings).is_some_and(|it| self.within.allows(given, it))
        };
        let known = self.known.iter().find(|known| is_it(&known.amount));
        known.map_or(&self.why_other, |known| &known.why)
    }

    fn amount(&self, amount: &Amount, findings: &[Finding]) -> Option<f64> {
        match amount {
            Amount::Number(number) => Some(*number),
            Amount::Finding(times, transport, what) => {
                let value = find(findings, *transport, what)?.observed()?;
                Some(times * self.in_unit(value)?)
            }
        }
    }
}

impl Tolerance {
    fn allows(self, given: f64, right: f64) -> bool {
        /// Share of a number that a conversion between units may change.
        const ROUNDING: f64 = 1e-9;
        let tolerance = match self {
            Self::Share(share) => share * right.abs(),
            Self::Absolute(number) => number,
        };
        (given - right).abs() <= tolerance + right.abs() * ROUNDING
    }
}
