//! Questions that a student answers before a run (the prediction) and after it (the observation).
//!
//! A lab's page has the questions (`page`). `answer` reads what a student enters, `verdict` compares it with the
//! findings of the run. So an answer is right on every engine and with every option if the run shows it.

pub(crate) mod answer;
pub(crate) mod page;
pub(crate) mod verdict;

use super::finding::{Finding, Prediction, Value, Verdict, find};
use super::{Engine, Ground, Requirement};
use crate::lab::Comparand;
use crate::transport::Transport;

/// A question with its answers.
#[derive(Debug)]
pub(crate) struct Question {
    /// Short name that answer files use: `tcp-packets`. Unique on its page.
    pub id: &'static str,
    /// The question; it may have places for values of options.
    pub text: String,
    /// Engines on which the question makes sense; empty for every engine.
    engines: Vec<Engine>,
    /// Conditions on the predictions; the question is asked if all hold.
    only_if: Vec<Condition>,
    pub form: AnswerForm,
    /// The event that decides. The first one that the run has counts.
    pub decided_by: Vec<DecidingEvent>,
}

/// How a question is answered.
#[derive(Debug)]
pub(crate) enum AnswerForm {
    Choice(Vec<Choice>),
    Number(NumberAnswer),
}

/// A choice with its explanation.
#[derive(Debug)]
pub(crate) struct Choice {
    pub text: String,
    holds: Holds,
    /// Why the choice is right or wrong.
    pub why: String,
}

/// When a choice is right.
#[derive(Debug)]
enum Holds {
    /// The choice is wrong in every run.
    Never,
    /// The choice is right if no other choice is.
    Otherwise,
    If(Condition),
}

/// A condition on the findings of a run: all grounds of one of these lists hold.
#[derive(Debug)]
pub(crate) struct Condition(Vec<Vec<Ground>>);

/// A number that the run observes.
#[derive(Debug)]
pub(crate) struct NumberAnswer {
    transport: Transport,
    what: &'static str,
    /// The unit that the student sees: `ms`, `s`, `µs`, `%`, or the noun of a count in the plural.
    pub unit: &'static str,
    within: Tolerance,
    /// Common wrong answers, each with an explanation of the mistake.
    known: Vec<KnownNumber>,
    /// Why the right number is right.
    pub why_right: String,
    /// The explanation of every other number.
    pub why_other: String,
}

/// How far an answer may be from the number of the run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tolerance {
    /// This share of the run's number.
    Share(f64),
    /// This number in the unit of the question.
    Absolute(f64),
}

/// A wrong number that students are known to predict.
#[derive(Debug)]
struct KnownNumber {
    amount: Amount,
    why: String,
}

/// A number in the unit of the question.
#[derive(Debug, PartialEq)]
enum Amount {
    Number(f64),
    /// This multiple of a finding of the run.
    Finding(f64, Transport, &'static str),
}

/// The event of a trace that decides a question: the first or the last event of a kind with a text in its label.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DecidingEvent {
    pub transport: Transport,
    /// The name of the part; `None` for the first part of the transport that has the event.
    pub part: Option<&'static str>,
    pub kind: EventKind,
    pub is_last: bool,
    /// A part of the event's label. The label of a packet includes its fate.
    pub text: &'static str,
}

named! {
    /// The kind of an event in a trace.
    pub(crate) enum EventKind {
        Packet = "packet",
        Call = "call",
        State = "state",
    }
}

impl Question {
    /// Returns the choices; none for a number.
    pub(crate) fn choices(&self) -> &[Choice] {
        match &self.form {
            AnswerForm::Choice(choices) => choices,
            AnswerForm::Number(_) => &[],
        }
    }

    /// Returns whether the question makes sense for a run on this engine with these predictions.
    pub(crate) fn applies(&self, engine: Engine, predictions: &[Prediction]) -> bool {
        let expected: Vec<Finding> = predictions.iter().map(as_expected).collect();
        (self.engines.is_empty() || self.engines.contains(&engine))
            && self.only_if.iter().all(|it| it.holds(&expected))
            && self.form.is_possible(&expected)
    }
}

impl NumberAnswer {
    /// Returns a number as text, with at most three decimals and the unit: `80 ms`.
    pub(crate) fn in_words(&self, number: f64) -> String {
        let text = format!("{number:.3}");
        let singular = self.singular().filter(|_| text == "1.000");
        let unit = singular.as_deref().unwrap_or(self.unit);
        format!("{} {unit}", text.trim_end_matches('0').trim_end_matches('.'))
    }

    /// Returns the singular of a noun; `None` if the unit is not a noun.
    fn singular(&self) -> Option<String> {
        if unit_of_time(self.unit).is_some() {
            return None;
        }
        let of_y = self.unit.strip_suffix("ies").map(|stem| format!("{stem}y"));
        of_y.or_else(|| self.unit.strip_suffix('s').map(str::to_owned))
    }
}

/// Returns the finding of a run that observes the lowest value which theory expects.
fn as_expected(prediction: &Prediction) -> Finding {
    let observed = prediction.expected.lowest().cloned();
    Finding { prediction: prediction.clone(), observed, verdict: Verdict::AsPredicted }
}

impl AnswerForm {
    /// Returns whether the run has the findings on which the answers rest.
    fn is_possible(&self, expected: &[Finding]) -> bool {
        match self {
            Self::Choice(choices) => choices.iter().all(|choice| match &choice.holds {
                Holds::Never | Holds::Otherwise => true,
                Holds::If(condition) => condition.is_about(expected),
            }),
            Self::Number(number) => find(expected, number.transport, number.what).is_some(),
        }
    }
}

impl Condition {
    pub(crate) fn holds(&self, findings: &[Finding]) -> bool {
        self.0.iter().any(|grounds| grounds.iter().all(|ground| ground.holds(findings)))
    }

    /// Whether all findings of one of the lists exist.
    fn is_about(&self, findings: &[Finding]) -> bool {
        let has = |transport, what| find(findings, transport, what).is_some();
        let knows = |ground: &Ground| {
            has(ground.transport, ground.what)
                && match ground.must {
                    Requirement::Equal(Comparand::Finding(transport, what))
                    | Requirement::Exceed(Comparand::Finding(transport, what))
                    | Requirement::FallBelow(Comparand::Finding(transport, what)) => {
                        has(transport, what)
                    }
                    _ => true,
                }
        };
        self.0.iter().any(|grounds| grounds.iter().all(knows))
    }
}

impl NumberAnswer {
    /// Returns the number that the run observed, in the unit of the question.
    pub(crate) fn of_run(&self, findings: &[Finding]) -> Option<f64> {
        self.observed(findings).and_then(|value| self.in_unit(value))
    }

    /// Returns the value that the run observed.
    pub(crate) fn observed<'a>(&self, findings: &'a [Finding]) -> Option<&'a Value> {
        find(findings, self.transport, self.what)?.observed()
    }

    /// Returns a value in the unit of the question; `None` if the unit does not fit the value.
    fn in_unit(&self, value: &Value) -> Option<f64> {
        let number = value.number()?;
        match (value, unit_of_time(self.unit), self.unit) {
            (Value::Time { .. }, Some(unit), _) => Some(number * unit),
            (Value::Share { .. }, None, "%") => Some(number * 100.0),
            (Value::Count { .. }, None, _) => Some(number),
            _ => None,
        }
    }
}

/// Returns how many of this unit are in a second; `None` if it is not a unit of time.
fn unit_of_time(unit: &str) -> Option<f64> {
    match unit {
        "s" => Some(1.0),
        "ms" => Some(1e3),
        "µs" | "us" => Some(1e6),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
