//! Creates multiple-choice items from the questions on a lab's page.
//!
//! A lab that has the engine `sim` is run on that engine with default options. Any other lab is not run: the lowest and
//! the highest values that theory predicts for every machine take the place of its findings. A question is left out if
//! these findings do not decide it, or if two engines or the two values decide it differently.

use super::runs::Runs;
use crate::lab::question::Question;
use crate::lab::question::verdict::Shown;
use crate::lab::{Engine, Finding, Lab, Prediction, Procedure, Setting, Values, fill};
use crate::teach::draw::Draw;
use crate::teach::item::{Choice, Item, Kind};

/// Minimum number of choices. With only two choices, a student who always guesses the same choice would be right half
/// of the time.
const MIN_CHOICES: usize = 3;

/// Creates one item for each multiple-choice question that the lab decides with its default options.
pub(super) fn of(lab: &'static Lab, draw: &mut Draw, runs: &mut Runs) -> Vec<Item> {
    let decided = runs.decided(lab, decide);
    let questions = lab.text.questions.iter().zip(decided.iter());
    questions.filter_map(|(question, right)| item(lab, question, (*right)?, draw)).collect()
}

/// Returns the index of the right choice for each question; `None` for a question that is left out.
fn decide(lab: &'static Lab, runs: &mut Runs) -> Vec<Option<usize>> {
    let setting = Setting::default();
    let cases: Vec<Case> = if let Some(procedure) = lab.procedure_on(Engine::Sim) {
        let run = runs.get(lab.name(), &setting);
        run.map(|run| Case::new(procedure, run.findings().to_vec())).into_iter().collect()
    } else {
        let cases = lab
            .procedures
            .iter()
            .flat_map(|it| it.certain_findings(&setting).map(|findings| Case::new(it, findings)));
        cases.collect()
    };
    lab.text.questions.iter().map(|question| agreed(question, &cases)).collect()
}

/// Returns the index of the right choice if all cases agree on it.
fn agreed(question: &Question, cases: &[Case]) -> Option<usize> {
    let rights: Vec<Option<usize>> = cases.iter().map(|case| case.right(question)).collect();
    let right = rights.first().copied().flatten()?;
    let is_agreed = rights.iter().all(|it| *it == Some(right));
    (is_agreed && question.choices().len() >= MIN_CHOICES).then_some(right)
}

/// A procedure, with the findings that decide the questions.
struct Case {
    procedure: &'static Procedure,
    predictions: Vec<Prediction>,
    findings: Vec<Finding>,
}

impl Case {
    fn new(procedure: &'static Procedure, findings: Vec<Finding>) -> Self {
        let predictions = (procedure.predict)(&Setting::default());
        Self { procedure, predictions, findings }
    }

    /// Returns the index of the right choice; `None` if the question does not apply or is not decided.
    fn right(&self, question: &Question) -> Option<usize> {
        if !question.applies(self.procedure.engine, &self.predictions) {
            return None;
        }
        match question.shown(&self.findings) {
            Some(Shown::Choice(right)) => Some(right),
            _ => None,
        }
    }
}

fn item(lab: &Lab, question: &Question, right: usize, draw: &mut Draw) -> Option<Item> {
    let values: Values = (lab.procedures.first()?.values)(&Setting::default());
    let numbered = question.choices().iter().enumerate();
    let mut choices: Vec<Choice> = numbered
        .map(|(number, choice)| Choice {
            text: fill(&choice.text, &values),
            is_right: number == right,
            explanation: fill(&choice.why, &values),
        })
        .collect();
    draw.shuffle(&mut choices);
    let id = format!("{}-{}", lab.name(), question.id);
    let prompt = format!("In a run of this lab without options: {}", fill(&question.text, &values));
    Some(Item { id, points: 1, prompt, table: None, kind: Kind::Choice(choices) })
}
