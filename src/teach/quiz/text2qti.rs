//! Quizzes as text for text2qti, which converts them to a QTI file for Canvas.
//!
//! The format supports neither pictures nor ordering questions. So sentences describe the packets, and a student gives
//! an order as a sequence of letters. Each category is a group, from which Canvas picks one question for each student.

use super::markdown::markdown;
use super::question::{Question, plain, rubric};
use super::{Category, Quiz, Variant, table};
use crate::teach::item::{Choice, Number, Order, letter};
use std::iter::once;

/// The smallest number that text2qti accepts.
const MIN_NUMBER: f64 = 0.0001;

/// Returns the quiz as one file.
pub(crate) fn text2qti(quiz: &Quiz) -> String {
    let labs: Vec<&str> = quiz.categories.iter().map(|it| it.lab).collect();
    let mut names = labs.clone();
    names.dedup();
    let title = format!("Quiz title: daytime: {}\n", names.join(", "));
    quiz.categories.iter().map(category).fold(title, |all, it| all + &it)
}

fn category(Category { variants, .. }: &Category) -> String {
    let points = variants.first().map_or(1, |it| it.item.points);
    let questions: String = (1..).zip(variants).map(|(number, it)| variant(it, number)).collect();
    format!("\nGROUP\npick: 1\npoints per question: {points}\n{questions}\nEND_GROUP\n")
}

fn variant(Variant { options, item, .. }: &Variant, number: usize) -> String {
    let asked = Question::of(item);
    let (rows, form) = (item.table.as_ref().map(table::as_lines), asked.form());
    let paragraphs = options.iter().chain([&item.prompt]).chain(&form).chain(rows.iter().flatten());
    let mut text: Vec<String> = paragraphs.map(|it| markdown(it)).collect();
    let answers = match &asked {
        Question::Choice(choices, _) => multichoice(choices),
        Question::Number(number) => numerical(number),
        Question::Order(order) => {
            text.extend(letters(order));
            in_order(order)
        }
        Question::Essay(_) => "___\n".to_owned(),
    };
    let explanation = match &asked {
        Question::Essay(criteria) => solution(rubric(criteria)),
        _ => feedback(asked.explanation()),
    };
    let text = text.join("\n\n    ");
    format!("\nTitle: {} {number}\n1.  {text}\n{explanation}{answers}", item.id)
}

/// Returns the rubric as the solution, which only the teacher sees.
fn solution(rubric: impl Iterator<Item = String>) -> String {
    let lines: Vec<String> = rubric.map(|it| markdown(&it)).collect();
    format!("!   {}\n", lines.join("\n\n    "))
}

fn multichoice(choices: &[Choice]) -> String {
    let answers = (0..).zip(choices).map(|(number, it)| {
        let (sign, letter) =
            (if it.is_right { "*" } else { "" }, letter(number).to_ascii_lowercase());
        format!("{sign}{letter}) {}\n{}", markdown(&it.text), feedback(&it.explanation))
    });
    answers.collect()
}

/// Returns an explanation in text2qti's format; an empty string if there is no explanation.
fn feedback(explanation: &str) -> String {
    match explanation {
        "" => String::new(),
        _ => format!("... {}\n", markdown(explanation)),
    }
}

/// Writes the right number. A number below [`MIN_NUMBER`], such as 0, becomes a short answer, because text2qti rejects
/// it as a number.
fn numerical(number: &Number) -> String {
    let (answer, tolerance) = (number.answer, number.tolerance);
    if answer < MIN_NUMBER {
        format!("*   {}\n", plain(answer))
    } else if answer - tolerance < MIN_NUMBER {
        format!("=   [{MIN_NUMBER}, {}]\n", plain(answer + tolerance))
    } else {
        format!("=   {} +- {}\n", plain(answer), plain(tolerance))
    }
}

/// Returns a sentence about the format of the answer, followed by the events with their letters.
fn letters(order: &Order) -> impl Iterator<Item = String> {
    let form = "Answer with all letters, the first event first, without spaces.".to_owned();
    let events = order.labels.iter().enumerate();
    once(form).chain(events.map(|(at, label)| format!("{}: {}", letter(at), markdown(label))))
}

/// Writes the letters in the right order, with and without spaces.
fn in_order(order: &Order) -> String {
    let letters: Vec<String> = order.right.iter().map(|at| letter(*at).to_string()).collect();
    ["", " ", ", "].map(|between| format!("*   {}\n", letters.join(between))).concat()
}
