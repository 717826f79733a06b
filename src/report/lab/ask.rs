//! The text that `lab run --ask` prints: questions before and after a run, and verdicts on a student's answers.

mod verdict;

pub(crate) use verdict::verdict;

use super::{Detail, NextSteps, ending, lesson, marked, observed, programs, theory, what_happened};
use crate::lab::question::answer::{Answer, letter, letters};
use crate::lab::question::verdict::{AnsweredQuestion, Mark, Shown};
use crate::lab::question::{AnswerForm, Question};
use crate::lab::{self, Lab, Procedure, Report, Setting, Values, fill};
use crate::report::ladder::Form;
use crate::report::page::{Columns, PLAIN, Page, STRONG, WIDTH, wrap};
use crate::report::plural;

/// The moment at which a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Before the run.
    Prediction,
    /// After the run.
    Observation,
    /// After both answers. They come from a file, and the question is shown above the verdict on them.
    Verdict,
}

/// The position of a question among its lab's questions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position {
    /// The number of the question (1-based).
    pub number: usize,
    pub count: usize,
}

/// Returns the description of the lab's method, and the programs that the lab examines. A student reads them before the
/// first question.
pub(crate) fn method(lab: &Lab, procedure: &Procedure, setting: &Setting) -> String {
    let mut page = Page::default();
    page.heading("WHAT IS DONE");
    page.paragraph(2, &lab.method(procedure, setting));
    programs(&mut page, &lab.text.programs);
    page.finish()
}

/// Returns the line that a run without `--ask` prints as a hint at `--ask`.
pub(crate) fn hint(name: &str) -> String {
    format!("\nPredict it yourself: daytime lab run {name} --ask\n")
}

/// Returns the instructions for a student at a terminal.
pub(crate) fn instructions(questions: &[AnsweredQuestion]) -> String {
    let mut page = Page::default();
    page.heading("YOUR TURN");
    let count = plural(u64::try_from(questions.len()).unwrap_or(u64::MAX), "question");
    page.paragraph(
        2,
        &format!(
            "{count}. First you predict each answer. Then the lab runs, and you enter what you observe. You type:"
        ),
    );
    for (keys, effect) in keys(questions) {
        page.row(&KEYS, [(STRONG, keys), (PLAIN, effect)]);
    }
    page.finish()
}

/// Widths of the columns in the instructions: what a student types, and its effect.
const KEYS: Columns<2> = Columns(4, [10, 61]);

/// Returns each kind of input with its effect.
fn keys(questions: &[AnsweredQuestion]) -> Vec<(&'static str, &'static str)> {
    let has_choices = |it: &AnsweredQuestion| !it.question.choices().is_empty();
    let choice = ("a, b, …", "the letter of your choice");
    let value = ("12", "your value, with or without its unit: 12 ms, 12 %");
    let others = [
        ("?", "to read the question again"),
        ("Enter", "without an answer, to skip the question"),
        ("Ctrl-D", "to stop"),
    ];
    let choice = questions.iter().any(has_choices).then_some(choice);
    let value = questions.iter().any(|it| !has_choices(it)).then_some(value);
    choice.into_iter().chain(value).chain(others).collect()
}

/// Returns the note that is printed in place of the instructions if a run has no questions.
pub(crate) fn no_questions() -> String {
    let mut page = Page::default();
    page.line("");
    page.paragraph(
        2,
        "This lab has no questions for this engine and these options, so it only runs.",
    );
    page.finish()
}

/// Returns the text of a question and its choices. `values` contains the options' values.
pub(crate) fn question(
    question: &Question,
    values: &Values,
    phase: Phase,
    Position { number, count }: Position,
) -> String {
    let mut page = Page::default();
    let aim = match phase {
        Phase::Prediction => "PREDICT",
        Phase::Observation => "OBSERVE",
        Phase::Verdict => "QUESTION",
    };
    page.heading(&format!("{aim} {number} of {count}"));
    for line in wrap(&fill(&question.text, values), WIDTH - 2) {
        page.line(format_args!("  {STRONG}{line}{STRONG:#}"));
    }
    if let AnswerForm::Choice(choices) = &question.form {
        for (index, choice) in choices.iter().enumerate() {
            marked(&mut page, &format!("  {}) ", letter(index)), &fill(&choice.text, values));
        }
    }
    page.finish()
}

/// Returns the prompt at which a student types the answer.
pub(crate) fn prompt(question: &Question, phase: Phase) -> String {
    let (whose, more) = match phase {
        Phase::Prediction => ("Your prediction", ""),
        Phase::Observation | Phase::Verdict => ("Your observation", ", r: the run again"),
    };
    match &question.form {
        AnswerForm::Choice(choices) => format!("{whose} ({}{more}): ", letters(choices)),
        AnswerForm::Number(number) => format!("{whose} ({}{more}): ", number.unit),
    }
}

/// Returns the message for input that comes while no question is open.
pub(crate) fn no_question_open() -> &'static str {
    "  That is not used: no question was open when you typed it.\n"
}

/// Returns the message for input that is not an answer.
pub(crate) fn not_an_answer(expected: &str) -> String {
    format!("  That is not an answer: {expected}.\n  An empty line skips the question.\n")
}

/// Returns the diagrams and the observed values of a run. Leaves out the predictions that theory makes.
pub(crate) fn observations(report: &Report, detail: Detail, form: Form) -> String {
    let mut page = Page::default();
    if detail != Detail::Brief {
        what_happened(&mut page, report, form);
    }
    observed::values(&mut page, report.findings(), report.lab.time_unit);
    page.finish()
}

/// Returns the student's score and the run's lesson. With `--explain`, also returns the theory and the notes on other
/// systems.
pub(crate) fn debrief(answers: &[AnsweredQuestion], report: &Report, detail: Detail) -> String {
    let mut page = Page::default();
    if !answers.is_empty() {
        page.heading("SCORE");
        page.line(format_args!("  {}", score(answers, report)));
    }
    if report.is_as_predicted() {
        page.heading("LESSON");
    } else {
        observed::observed(&mut page, report.findings(), report.lab.time_unit);
        page.heading("LESSON");
    }
    lesson(&mut page, report, "  ");
    if detail == Detail::Explained {
        theory(&mut page, report.lab);
        page.heading("ELSEWHERE");
        page.paragraph(2, &report.lab.text.other_systems);
    }
    page.finish()
}

/// Returns the number of right predictions and observations, such as `2 of 3 predictions right, 3 of 3 observations
/// right`.
fn score(answers: &[AnsweredQuestion], report: &Report) -> String {
    let marked = || answers.iter().filter_map(|it| it.marked(report.findings()));
    let predicted = marked().filter(|it| it.prediction.mark == Mark::Right).count();
    let observed = marked().filter(|it| it.observation.mark == Mark::Right).count();
    let count = answers.len();
    format!("{predicted} of {count} predictions right, {observed} of {count} observations right")
}

/// Returns where a student may go on after a lab: further commands, unless they are already on the screen, and the next
/// lab of the course with its number there.
pub(crate) fn go_on(lab: &Lab, shown: NextSteps) -> String {
    let mut page = Page::default();
    let labs: Vec<&Lab> = lab::all().collect();
    let numbered = (1..).zip(&labs);
    let next = numbered.skip_while(|(_, it)| it.name() != lab.name()).nth(1);
    page.line("");
    if shown == NextSteps::Hidden {
        let name = lab.name();
        page.line(format_args!(
            "Try more: daytime lab run {name} --explain (--answers adds the answers)"
        ));
    }
    match next {
        Some((number, next)) => page.line(format_args!(
            "Next lab ({number} of {}): daytime lab run {} --ask",
            labs.len(),
            next.name()
        )),
        None => page.line("This was the last lab of the course."),
    }
    page.finish()
}

/// Returns the reason why the lab did not run. It is printed after the student's predictions.
pub(crate) fn not_run(report: &Report) -> String {
    let mut page = Page::default();
    page.heading("NOT RUN");
    page.paragraph(2, &ending(report).1);
    page.finish()
}

/// Returns an answer in words.
pub(crate) fn in_words(question: &Question, answer: Option<Answer>, values: &Values) -> String {
    match (&question.form, answer) {
        (AnswerForm::Choice(choices), Some(Answer::Choice(index))) => {
            choices.get(index).map(|it| fill(&it.text, values)).unwrap_or_default()
        }
        (AnswerForm::Number(number), Some(Answer::Number(given))) => number.in_words(given),
        _ => "none".to_owned(),
    }
}

/// Returns the answer that the run shows, in words.
pub(crate) fn shown_in_words(question: &Question, shown: Shown, values: &Values) -> String {
    in_words(question, Some(shown.into()), values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::LABS;

    #[test]
    fn the_instructions_and_the_first_question_fit_on_one_screen() {
        const LINES: usize = 24;
        let mut count = 0;
        for lab in LABS {
            for procedure in lab.procedures {
                let setting = Setting::default();
                let values = (procedure.values)(&setting);
                let questions = lab.questions(procedure, &setting);
                let Some(first) = questions.first() else { continue };
                let unanswered =
                    |question| AnsweredQuestion { question, prediction: None, observation: None };
                let all: Vec<AnsweredQuestion> =
                    questions.iter().copied().map(unanswered).collect();
                let position = Position { number: 1, count: all.len() };
                let screen =
                    instructions(&all) + &question(first, &values, Phase::Prediction, position);
                assert!(
                    screen.lines().count() < LINES,
                    "{} has no room for the prompt: {screen}",
                    lab.name
                );
                count += 1;
            }
        }
        // Without sockets only the labs on the simulator remain.
        assert!(count >= 5, "{count}");
    }
}
