//! Quizzes as GIFT, a text format that Moodle and other systems read.
//!
//! GIFT has no pictures, so sentences describe the packets. GIFT has no ordering questions either, so an item about an
//! order becomes a matching question.

use super::question::{Question, plain, rubric};
use super::{Category, Quiz, Variant, table};
use crate::teach::item::{Choice, Number, Order};

/// Characters that are special in GIFT.
const SPECIAL: [char; 7] = ['\\', '~', '=', '#', '{', '}', ':'];

/// Returns the quiz as one file.
pub(crate) fn gift(quiz: &Quiz) -> String {
    quiz.categories.iter().map(category).collect()
}

fn category(category: &Category) -> String {
    let path = format!("$CATEGORY: $course$/top/daytime/{}/{}\n\n", category.lab, category.id);
    let variants = (1..).zip(&category.variants).map(|(number, it)| variant(it, number));
    variants.fold(path, |all, it| all + &it)
}

fn variant(Variant { options, item, .. }: &Variant, number: usize) -> String {
    let asked = Question::of(item);
    let rows = item.table.as_ref().map(table::as_lines).unwrap_or_default();
    let form = asked.form();
    let paragraphs = options.iter().chain([&item.prompt]).chain(&form).chain(&rows);
    let text: Vec<&str> = paragraphs.map(String::as_str).collect();
    let answers = match &asked {
        Question::Choice(choices, _) => multichoice(choices),
        Question::Number(number) => numerical(number),
        Question::Order(order) => matching(order),
        Question::Essay(_) => String::new(),
    };
    let after = match &asked {
        Question::Essay(criteria) => rubric(criteria).collect::<Vec<_>>().join("\n"),
        _ => asked.explanation().to_owned(),
    };
    let after = if after.is_empty() { String::new() } else { format!("####{}", escaped(&after)) };
    let (name, text) = (escaped(&format!("{} {number}", item.id)), escaped(&text.join("\n")));
    format!("::{name}::[plain]{text} {{{answers}{after}}}\n\n")
}

fn multichoice(choices: &[Choice]) -> String {
    let answers = choices.iter().map(|it| {
        let sign = if it.is_right { '=' } else { '~' };
        format!("\n{sign}{}{}", answer(&it.text), feedback(&it.explanation))
    });
    answers.collect::<String>() + "\n"
}

fn numerical(number: &Number) -> String {
    let tolerance = plain(number.tolerance);
    let right = format!("#\n={}:{tolerance}", plain(number.answer));
    let wrong = number
        .wrong
        .iter()
        .map(|it| format!("\n=%0%{}:{tolerance}{}", plain(it.value), feedback(it.explanation)));
    wrong.fold(right, |all, it| all + &it) + "\n"
}

fn matching(order: &Order) -> String {
    let events = order.places().map(|(label, place)| format!("\n={} -> {place}", answer(label)));
    events.collect::<String>() + "\n"
}

/// Returns an answer's explanation in GIFT format; an empty string if there is no explanation.
fn feedback(explanation: &str) -> String {
    if explanation.is_empty() { String::new() } else { format!(" #{}", answer(explanation)) }
}

/// Returns the text of an answer. If the text begins like a format or a grade, puts the format `[plain]` before it.
/// Replaces `->` with an arrow character, because `->` would make the question a matching question and GIFT has no
/// escape for it.
fn answer(text: &str) -> String {
    let format = if text.starts_with(['[', '%']) { "[plain]" } else { "" };
    format!("{format}{}", escaped(&text.replace("->", "→")))
}

/// Returns the text with a backslash before each character that is special in GIFT. A line feed becomes `\n`, because
/// an empty line would end the question.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for it in text.trim().chars() {
        match it {
            '\n' => escaped.push_str("\\n"),
            _ if SPECIAL.contains(&it) => escaped.extend(['\\', it]),
            _ if it.is_control() => escaped.push('\u{fffd}'),
            _ => escaped.push(it),
        }
    }
    escaped
}
