//! The verdict on a student's answers to one question, with the reasons.

use super::{in_words, shown_in_words};
use crate::lab::question::Question;
use crate::lab::question::answer::Answer;
use crate::lab::question::verdict::{AnsweredQuestion, Mark, MarkedAnswer, MarkedAnswers};
use crate::lab::{Report, Values, fill};
use crate::report::lab::Detail;
use crate::report::lab::deciding::{self, TableRow};
use crate::report::lab::marked;
use crate::report::page::{BAD, Columns, GOOD, PLAIN, Page, STRONG};
use anstyle::Style;

/// Widths of a verdict's columns: the kind of answer (prediction, observation or result), the mark, and the answer.
const VERDICT: Columns<3> = Columns(2, [13, 8, 53]);

/// Returns the verdict on the student's prediction and observation for one question, with the reasons.
pub(crate) fn verdict(answered: &AnsweredQuestion, report: &Report, detail: Detail) -> String {
    let question = answered.question;
    let values = (report.procedure.values)(&report.setting);
    let mut page = Page::default();
    page.line("");
    let Some(answers) = answered.marked(report.findings()) else {
        page.paragraph(2, "No verdict: this run does not show the answer.");
        return page.finish();
    };
    for (whose, given) in [("prediction", answers.prediction), ("observation", answers.observation)]
    {
        let (style, mark) = mark(given.mark);
        let answer = in_words(question, given.answer, &values);
        page.row(&VERDICT, [(PLAIN, whose), (style, mark), (PLAIN, &answer)]);
    }
    let right = shown_in_words(question, answers.shown, &values);
    page.row(&VERDICT, [(PLAIN, "the run shows"), (PLAIN, ""), (STRONG, &right)]);
    page.line("");
    for reason in reasons(question, answers, report) {
        marked(&mut page, "  - ", &reason);
    }
    if let Some(decision) = deciding::decision(report, question) {
        marked(&mut page, "  - ", &format!("{}.", decision.as_drawn(detail)));
    }
    page.finish()
}

/// Returns the explanations of the student's wrong answers and of the right answer, and the findings that decide.
fn reasons(question: &Question, answers: MarkedAnswers, report: &Report) -> Vec<String> {
    let values = &(report.procedure.values)(&report.setting);
    let shown = answers.shown;
    let mut reasons = wrong_answers([answers.prediction, answers.observation], question, values);
    let right = quoted(question, shown.into(), values);
    reasons.push(format!("{right} is right: {}", fill(question.why_right(shown), values)));
    let rows = deciding::rows(report, question, shown);
    if !rows.is_empty() {
        let rows: Vec<String> = rows.iter().map(TableRow::in_sentence).collect();
        reasons.push(format!("Observed: {}.", rows.join("; ")));
    }
    reasons
}

/// Returns the student's wrong answers with their explanations. Two answers with the same explanation have one sentence.
fn wrong_answers(answers: [MarkedAnswer; 2], question: &Question, values: &Values) -> Vec<String> {
    let wrong = answers.into_iter().filter(|it| it.mark == Mark::Wrong);
    let explained =
        |it: MarkedAnswer| Some((quoted(question, it.answer?, values), fill(it.why?, values)));
    let wrong: Vec<_> = wrong.filter_map(explained).collect();
    match &wrong[..] {
        [(one, why), (other, same)] if why == same && one != other => {
            vec![format!("{one} and {other} are wrong: {why}")]
        }
        [one, other] if one == other => vec![format!("{} is wrong: {}", one.0, one.1)],
        each => each.iter().map(|(it, why)| format!("{it} is wrong: {why}")).collect(),
    }
}

/// Returns an answer in words. The text of a choice is in quotation marks.
fn quoted(question: &Question, answer: Answer, values: &Values) -> String {
    let words = in_words(question, Some(answer), values);
    if matches!(answer, Answer::Choice(_)) { format!("\"{words}\"") } else { words }
}

fn mark(mark: Mark) -> (Style, &'static str) {
    match mark {
        Mark::Right => (GOOD, "✓ right"),
        Mark::Wrong => (BAD, "✗ wrong"),
        Mark::None => (PLAIN, "–"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{self, Setting};

    #[test]
    fn two_wrong_answers_with_the_same_explanation_have_one_sentence() {
        let lab = lab::find("exchange").expect("a lab");
        let setting = Setting::default();
        let report = lab::run_and_compare(lab, &lab.procedures[0], &setting);
        let questions = lab.questions(&lab.procedures[0], &setting);
        let question = questions.into_iter().find(|it| it.id == "tcp-time").expect("a question");
        let count = |prediction, observation| {
            let [prediction, observation] =
                [prediction, observation].map(|it| Some(Answer::Number(it)));
            let verdict = verdict(
                &AnsweredQuestion { question, prediction, observation },
                &report,
                Detail::Usual,
            );
            let words = verdict.split_whitespace().collect::<Vec<_>>().join(" ");
            ["1 ms and 2 ms are wrong: ", "1 ms is wrong: ", "40 ms is wrong: "]
                .map(|it| words.matches(it).count())
        };
        assert_eq!(count(1.0, 2.0), [1, 0, 0], "the general explanation");
        assert_eq!(count(1.0, 40.0), [0, 1, 1], "two explanations");
        assert_eq!(count(1.0, 1.0), [0, 1, 0], "the same answer twice");
        assert_eq!(count(80.0, 80.0), [0, 0, 0], "right answers");
    }
}
