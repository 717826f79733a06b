//! Questions that a student answers before a run (the prediction) and after it (the observation).
//!
//! The questions are on a lab's page (`page`). The module `answer` reads a student's answer, and `verdict` compares it
//! with the run's findings. The right answer is therefore always the one that the run shows, whatever the engine and
//! the options.

pub(crate) mod answer;
pub(crate) mod page;
pub(crate) mod separators;
pub(crate) mod verdict;

use super::finding::{Finding, Prediction, Value, Verdict, find};
use super::{Engine, Ground, Requirement};
use crate::lab::Comparand;
use crate::transport::Transport;

/// A question and its possible answers.
#[derive(Debug)]
pub(crate) struct Question {
    /// Short name that answer files use, such as `tcp-packets`. Each name is unique on its lab's page.
    pub id: &'static str,
    /// The text of the question, which may contain placeholders for the options' values.
    pub text: String,
    /// Engines for which the question makes sense. If the list is empty, it makes sense for every engine.
    engines: Vec<Engine>,
    /// Conditions on the predictions. The question is asked only if all of them hold.
    only_if: Vec<Condition>,
    pub form: AnswerForm,
    /// Candidates for the event that decides the question. The first candidate that occurs in the run decides.
    pub decided_by: Vec<DecidingEvent>,
}

/// The kind of answer that a question has: one of several choices, or a number.
#[derive(Debug)]
pub(crate) enum AnswerForm {
    Choice(Vec<Choice>),
    Number(NumberAnswer),
}

/// A choice, with the explanation of why it is right or wrong.
#[derive(Debug)]
pub(crate) struct Choice {
    pub text: String,
    /// The condition under which the choice is right; `None` if it is wrong in every run.
    is_right_if: Option<Condition>,
    /// The reason why the choice is right or wrong.
    pub why: String,
}

/// A condition on a run's findings. It holds if all grounds in at least one of these lists hold. A ground is a single
/// comparison with a finding.
#[derive(Debug)]
pub(crate) struct Condition(Vec<Vec<Ground>>);

/// A numeric answer. The run observes this number.
#[derive(Debug)]
pub(crate) struct NumberAnswer {
    transport: Transport,
    what: &'static str,
    /// The unit that the student sees: `ms`, `s`, `µs`, `%`, or a plural noun for a count, such as `packets`.
    pub unit: &'static str,
    within: Tolerance,
    /// Common wrong answers, each with an explanation of the mistake.
    known: Vec<KnownNumber>,
    /// The reason why the right number is right.
    pub why_right: String,
    /// The explanation for every wrong number that is not in `known`.
    pub why_other: String,
}

/// The maximum difference between an accepted answer and the number that the run observed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tolerance {
    /// A share of the observed number.
    Share(f64),
    /// A number in the question's unit.
    Absolute(f64),
}

/// A wrong answer that students commonly give.
#[derive(Debug)]
struct KnownNumber {
    amount: Amount,
    why: String,
}

/// An amount in the question's unit.
#[derive(Debug, PartialEq)]
enum Amount {
    Number(f64),
    /// A multiple of one of the run's findings.
    Finding(f64, Transport, &'static str),
}

/// The event in a trace that decides a question: the first or the last event of this kind whose label contains `text`.
/// Events up to the one that `after` names do not count.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DecidingEvent {
    pub transport: Transport,
    /// The name of the run's part in which the event occurs; `None` for the first part over this transport that
    /// contains the event.
    pub part: Option<&'static str>,
    pub kind: EventKind,
    pub is_last: bool,
    /// Text that the event's label must contain. A packet's label includes the packet's fate.
    pub text: &'static str,
    /// Text in the label of an earlier event of the same kind.
    pub after: Option<&'static str>,
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
    /// Returns the choices. A question that asks for a number has no choices.
    pub(crate) fn choices(&self) -> &[Choice] {
        match &self.form {
            AnswerForm::Choice(choices) => choices,
            AnswerForm::Number(_) => &[],
        }
    }

    /// Whether the question makes sense for a run on this engine with these predictions.
    pub(crate) fn applies(&self, engine: Engine, predictions: &[Prediction]) -> bool {
        let expected: Vec<Finding> = predictions.iter().map(as_expected).collect();
        (self.engines.is_empty() || self.engines.contains(&engine))
            && self.only_if.iter().all(|it| it.holds(&expected))
            && self.form.is_possible(&expected)
    }
}

impl NumberAnswer {
    /// Returns a number as text with the unit, such as `80 ms`. The number has at most three decimals.
    pub(crate) fn in_words(&self, number: f64) -> String {
        let text = format!("{number:.3}");
        let singular = self.singular().filter(|_| text == "1.000");
        let unit = singular.as_deref().unwrap_or(self.unit);
        format!("{} {unit}", text.trim_end_matches('0').trim_end_matches('.'))
    }

    /// Returns the unit in the singular; `None` if the unit is not a noun.
    fn singular(&self) -> Option<String> {
        if unit_of_time(self.unit).is_some() {
            return None;
        }
        let of_y = self.unit.strip_suffix("ies").map(|stem| format!("{stem}y"));
        of_y.or_else(|| self.unit.strip_suffix('s').map(str::to_owned))
    }
}

/// Returns the finding for a run that observes the lowest value that theory predicts.
fn as_expected(prediction: &Prediction) -> Finding {
    let observed = prediction.expected.lowest().cloned();
    Finding { prediction: prediction.clone(), observed, verdict: Verdict::AsPredicted }
}

impl AnswerForm {
    /// Whether a run with these findings can decide the question. This requires the findings to which the answers
    /// refer.
    fn is_possible(&self, expected: &[Finding]) -> bool {
        match self {
            Self::Choice(choices) => {
                let mut conditions = choices.iter().filter_map(|it| it.is_right_if.as_ref());
                conditions.all(|it| it.is_about(expected))
            }
            Self::Number(number) => find(expected, number.transport, number.what).is_some(),
        }
    }
}

impl Condition {
    pub(crate) fn holds(&self, findings: &[Finding]) -> bool {
        self.0.iter().any(|grounds| grounds.iter().all(|ground| ground.holds(findings)))
    }

    /// Whether at least one of the lists refers only to findings that exist.
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
    /// Returns the number that the run observed, in the question's unit.
    pub(crate) fn of_run(&self, findings: &[Finding]) -> Option<f64> {
        self.observed(findings).and_then(|value| self.in_unit(value))
    }

    /// Returns the value that the run observed.
    pub(crate) fn observed<'a>(&self, findings: &'a [Finding]) -> Option<&'a Value> {
        find(findings, self.transport, self.what)?.observed()
    }

    /// Converts a value to the question's unit. Returns `None` if the unit does not fit the value.
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

/// Returns how many of these units make up a second; `None` for anything but a unit of time.
fn unit_of_time(unit: &str) -> Option<f64> {
    match unit {
        "s" => Some(1.0),
        "ms" => Some(1e3),
        "µs" | "us" => Some(1e6),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests;
