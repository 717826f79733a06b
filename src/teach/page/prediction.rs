//! A student's predictions and observations, with the verdicts on the predictions.

use crate::lab::Report;
use crate::lab::fill;
use crate::lab::question::verdict::{AnsweredQuestion, Mark};
use crate::report::lab::ask::{in_words, shown_in_words};
use crate::report::lab::deciding;

/// A lab's question and a student's answers to it, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StudentAnswer {
    pub question: String,
    /// The student's prediction.
    pub prediction: String,
    /// The student's observation after the run; `None` if the student entered nothing.
    pub observation: Option<String>,
    /// The right answer according to the run.
    pub result: String,
    /// Whether the prediction was right.
    pub is_right: bool,
    /// The explanation for the student's prediction. Without a prediction, the explanation of the right answer.
    pub reason: String,
    /// The packet, call or state that decides the question, with its number and time.
    pub decided_by: Option<String>,
}

impl StudentAnswer {
    /// Returns the student's answers in words. Leaves out questions that this run does not decide.
    pub(super) fn all(answers: &[AnsweredQuestion], report: &Report) -> Vec<Self> {
        answers.iter().filter_map(|it| Self::of(it, report)).collect()
    }

    fn of(answered: &AnsweredQuestion, report: &Report) -> Option<Self> {
        let AnsweredQuestion { question, prediction, observation } = *answered;
        let marked = answered.marked(report.findings())?;
        let values = (report.procedure.values)(&report.setting);
        let reason = marked.prediction.why.unwrap_or_else(|| question.why_right(marked.shown));
        Some(Self {
            question: fill(&question.text, &values),
            prediction: in_words(question, prediction, &values),
            observation: observation.map(|it| in_words(question, Some(it), &values)),
            result: shown_in_words(question, marked.shown, &values),
            is_right: marked.prediction.mark == Mark::Right,
            reason: fill(reason, &values),
            decided_by: deciding::decision(report, question).map(|it| it.in_words()),
        })
    }
}
