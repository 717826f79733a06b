//! Compares a student's prediction and observation with the answer that the run shows.

use super::answer::Answer;
use super::{Amount, AnswerForm, Choice, Condition, NumberAnswer, Question, Tolerance};
use crate::lab::finding::{Finding, find};
use crate::transport::Transport;

/// A question, with a student's answers to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnsweredQuestion {
    pub question: &'static Question,
    /// The student's answer before the run; `None` if the student gave none.
    pub prediction: Option<Answer>,
    /// The student's answer after the run; `None` if the student gave none.
    pub observation: Option<Answer>,
}

/// A student's two answers to a question, with their verdicts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MarkedAnswers {
    /// The right answer.
    pub shown: Shown,
    pub prediction: MarkedAnswer,
    pub observation: MarkedAnswer,
}

/// A prediction or an observation with its verdict.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MarkedAnswer {
    pub answer: Option<Answer>,
    pub mark: Mark,
    /// The reason why the answer is right or wrong; `None` without an answer.
    pub why: Option<&'static str>,
}

/// The right answer to a question, according to the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Shown {
    /// The index of the only choice that the findings support.
    Choice(usize),
    /// The number that the run observed, in the question's unit.
    Number(f64),
}

named! {
    /// The verdict on an answer.
    pub(crate) enum Mark {
        Right = "right",
        Wrong = "wrong",
        /// The student gave no answer.
        None = "no answer",
    }
}

/// How much a number that a student reads from the run may differ from the number there.
const READING: Tolerance = Tolerance::Share(0.01);
/// How much a percentage that a student reads may differ at least, because the table rounds it to 0.1.
const READING_PERCENT: Tolerance = Tolerance::Absolute(0.05);

impl From<Shown> for Answer {
    /// Returns the right answer.
    fn from(shown: Shown) -> Self {
        match shown {
            Shown::Choice(index) => Self::Choice(index),
            Shown::Number(number) => Self::Number(number),
        }
    }
}

impl AnsweredQuestion {
    /// Returns both answers with mark and reason. Returns `None` if the run does not show the right answer.
    pub(crate) fn marked(&self, findings: &[Finding]) -> Option<MarkedAnswers> {
        let question = self.question;
        let shown = question.shown(findings)?;
        let [prediction, mut observation] =
            [self.prediction, self.observation].map(|answer| MarkedAnswer {
                answer,
                mark: question.mark(answer, shown),
                why: answer.map(|it| question.why(it, shown, findings)),
            });
        if observation.mark == Mark::Right && !question.is_read_from_run(self.observation, shown) {
            observation.mark = Mark::Wrong;
            observation.why = Some("The run shows another number. Look at the table again.");
        }
        Some(MarkedAnswers { shown, prediction, observation })
    }
}

impl Question {
    /// Returns the answer that the run shows. Returns `None` if the findings do not support exactly one choice, or do
    /// not contain the number.
    pub(crate) fn shown(&self, findings: &[Finding]) -> Option<Shown> {
        match &self.form {
            AnswerForm::Choice(choices) => match supported(choices, findings)[..] {
                [only] => Some(Shown::Choice(only)),
                _ => None,
            },
            AnswerForm::Number(number) => number.of_run(findings).map(Shown::Number),
        }
    }

    /// Compares an answer with the answer that the run shows, by the question's tolerance.
    pub(super) fn mark(&self, answer: Option<Answer>, shown: Shown) -> Mark {
        let is_right = match (answer, shown) {
            (None, _) => return Mark::None,
            (Some(Answer::Choice(given)), Shown::Choice(right)) => given == right,
            (Some(Answer::Number(given)), Shown::Number(right)) => {
                matches!(&self.form, AnswerForm::Number(it) if it.within.allows(given, right))
            }
            _ => false,
        };
        if is_right { Mark::Right } else { Mark::Wrong }
    }

    /// Whether an observation can be a number that the student read from the run. The table rounds numbers.
    fn is_read_from_run(&self, answer: Option<Answer>, shown: Shown) -> bool {
        let (Some(Answer::Number(given)), Shown::Number(right)) = (answer, shown) else {
            return true;
        };
        let is_percent = matches!(&self.form, AnswerForm::Number(it) if it.unit == "%");
        READING.allows(given, right) || is_percent && READING_PERCENT.allows(given, right)
    }

    /// Returns the reason why an answer is right or wrong by the question's tolerance.
    pub(super) fn why(&self, answer: Answer, shown: Shown, findings: &[Finding]) -> &str {
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

    /// Returns the reason why the answer that the run shows is right.
    pub(crate) fn why_right(&self, shown: Shown) -> &str {
        match (&self.form, shown) {
            (AnswerForm::Choice(choices), Shown::Choice(right)) => {
                choices.get(right).map_or("", |choice| &choice.why)
            }
            (AnswerForm::Number(number), _) => &number.why_right,
            _ => "",
        }
    }

    /// Returns the findings from which the right answer follows.
    pub(crate) fn deciding_findings<'a>(
        &self,
        shown: Shown,
        findings: &'a [Finding],
    ) -> Vec<&'a Finding> {
        let names = match (&self.form, shown) {
            (AnswerForm::Choice(choices), Shown::Choice(right)) => {
                choices.get(right).map(Choice::findings).unwrap_or_default()
            }
            (AnswerForm::Number(number), _) => vec![(number.transport, number.what)],
            _ => Vec::new(),
        };
        names.into_iter().filter_map(|(transport, what)| find(findings, transport, what)).collect()
    }
}

/// Returns the indices of the choices that the findings support.
fn supported(choices: &[Choice], findings: &[Finding]) -> Vec<usize> {
    let is_right =
        |it: &Choice| it.is_right_if.as_ref().is_some_and(|condition| condition.holds(findings));
    (0..choices.len()).filter(|at| is_right(&choices[*at])).collect()
}

impl Choice {
    /// Returns the names of the findings in the condition, without duplicates.
    fn findings(&self) -> Vec<(Transport, &'static str)> {
        let Some(Condition(alternatives)) = &self.is_right_if else { return Vec::new() };
        let mut names = Vec::new();
        for ground in alternatives.iter().flatten() {
            let name = (ground.transport, ground.what);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

impl NumberAnswer {
    /// Returns the explanation for the first common wrong answer that the student's number matches. If none matches,
    /// returns the general explanation.
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
        match self {
            Self::Share(share) => is_within(given, right, share * right.abs()),
            Self::Absolute(number) => is_within(given, right, number),
        }
    }
}

/// Whether a number differs from the right one by at most the tolerance. Both edges count.
pub(crate) fn is_within(given: f64, right: f64, tolerance: f64) -> bool {
    /// Maximum relative error that binary fractions and a conversion between units may cause.
    const ROUNDING: f64 = 1e-9;
    (given - right).abs() <= tolerance + right.abs() * ROUNDING
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{Engine, Report, Setting, find};

    /// Returns a question from the lab `exchange`, and a run of that lab with this delay in milliseconds.
    fn asked(id: &str, delay: u64) -> (&'static Question, Report) {
        let lab = find("exchange").expect("a lab");
        let question = lab.text.questions.iter().find(|it| it.id == id).expect("a question");
        let setting = Setting::default().delay(std::time::Duration::from_millis(delay));
        (question, lab.run(Engine::Sim, &setting).expect("it ran"))
    }

    #[test]
    fn the_right_choice_follows_from_the_run() {
        let (question, report) = asked("tcp-packets", 20);
        assert_eq!(question.shown(report.findings()), Some(Shown::Choice(2)));
        let (question, report) = asked("tcp-packets", 1000);
        assert_eq!(question.shown(report.findings()), Some(Shown::Choice(3)), "a retransmission");
        assert_eq!(question.shown(&[]), None, "no finding, no verdict");
    }

    #[test]
    fn an_observed_number_may_differ_by_rounding_only() {
        let lab = find("loss").expect("a lab");
        let report = lab.run(Engine::Sim, &Setting::default()).expect("a run");
        let question = lab.text.questions.iter().find(|it| it.id == "udp-share").expect("it");
        let shown = question.shown(report.findings()).expect("a share");
        let Shown::Number(share) = shown else { panic!("{shown:?}") };
        let marked = |answer| {
            let answered = AnsweredQuestion { question, prediction: answer, observation: answer };
            answered.marked(report.findings()).expect("a verdict")
        };
        for (given, prediction, observation) in [
            (share + 0.2, Mark::Right, Mark::Right),
            (share + 5.0, Mark::Right, Mark::Wrong),
            (share + 20.0, Mark::Wrong, Mark::Wrong),
        ] {
            let marked = marked(Some(Answer::Number(given)));
            assert_eq!(marked.prediction.mark, prediction, "{given}");
            assert_eq!(marked.observation.mark, observation, "{given}");
            let why = marked.observation.why.expect("a reason");
            assert_eq!(why.contains("table again"), prediction != observation, "{given}: {why}");
        }
        let none = marked(None);
        assert_eq!([none.prediction.mark, none.observation.mark], [Mark::None; 2]);
        assert_eq!([none.prediction.why, none.observation.why], [None; 2]);
        // The table shows 0.7 % for this share.
        assert!(question.is_read_from_run(Some(Answer::Number(0.7)), Shown::Number(0.714)));
    }

    #[test]
    fn a_number_is_right_within_its_tolerance_and_a_known_mistake_has_its_own_explanation() {
        let (question, report) = asked("tcp-time", 200);
        let shown = question.shown(report.findings()).expect("a time");
        assert_eq!(shown, Shown::Number(800.0));
        for (given, expected, beginning) in [
            (800.0, Mark::Right, "Four packets follow"),
            (808.0, Mark::Right, "Four packets follow"),
            (792.0, Mark::Right, "Four packets follow"),
            (809.0, Mark::Wrong, "Count the packets"),
            (400.0, Mark::Wrong, "One round trip is enough"),
            (1200.0, Mark::Wrong, "The third round trip"),
        ] {
            let answer = Answer::Number(given);
            assert_eq!(question.mark(Some(answer), shown), expected, "{given}");
            let why = question.why(answer, shown, report.findings());
            assert!(why.starts_with(beginning), "{given}: {why}");
        }
        assert_eq!(question.mark(None, shown), Mark::None);
        assert_eq!(question.mark(Some(Answer::Choice(0)), shown), Mark::Wrong);
    }
}
