//! The kinds of questions that a learning-management system has, one for each kind of item.

use crate::teach::item::{Choice, Criterion, Field, FieldValue, Item, Kind, Number, Order};
use crate::wire::decode::Flags;
use std::borrow::Cow;

/// An item as one of the kinds of questions that every quiz format has.
#[derive(Debug)]
pub(super) enum Question<'a> {
    /// Choices, and one explanation for all of them. The explanation is empty if each choice has
    /// its own.
    Choice(Cow<'a, [Choice]>, String),
    Number(Cow<'a, Number>),
    Order(&'a Order),
    Essay(&'a [Criterion]),
}

/// TCP flags to choose from. With choices, students need not know how to write the flags.
const FLAGS: [Flags; 5] = [
    Flags::SYN,
    Flags(Flags::SYN.0 | Flags::ACK.0),
    Flags::ACK,
    Flags(Flags::FIN.0 | Flags::ACK.0),
    Flags::RST,
];

impl<'a> Question<'a> {
    pub(super) fn of(item: &'a Item) -> Self {
        match &item.kind {
            Kind::Number(number) => Self::Number(Cow::Borrowed(number)),
            Kind::Choice(choices) => Self::Choice(Cow::Borrowed(choices), String::new()),
            Kind::Order(order) => Self::Order(order),
            Kind::Explanation(criteria) => Self::Essay(criteria),
            Kind::Field(field) => of_field(field),
        }
    }

    /// Returns a sentence about the format of the answer; `None` if a question of this kind needs
    /// no such sentence.
    pub(super) fn form(&self) -> Option<String> {
        match self {
            Self::Number(number) if number.unit.is_empty() => Some("A whole number.".to_owned()),
            Self::Number(number) => Some(format!("A number in {}, without the unit.", number.unit)),
            _ => None,
        }
    }

    /// Returns the explanation that all answers share; empty if each answer has its own.
    pub(super) fn explanation(&self) -> &str {
        match self {
            Self::Number(number) => &number.explanation,
            Self::Order(order) => &order.explanation,
            Self::Choice(_, explanation) => explanation,
            Self::Essay(_) => "",
        }
    }
}

/// Returns the question about a packet field: a multiple-choice question for flags, a whole number
/// for any other field.
fn of_field<'a>(field: &Field) -> Question<'a> {
    let right = match field.answer {
        FieldValue::Flags(right) => right,
        FieldValue::Number(number) => {
            let number = Number::new(float(number), 0.0, "", field.explanation.clone());
            let wrong = field.wrong.iter();
            let number = wrong.fold(number, |number, it| match it.value {
                FieldValue::Number(value) => number.wrong(float(value), it.explanation),
                FieldValue::Flags(_) => number,
            });
            return Question::Number(Cow::Owned(number));
        }
    };
    let others = FLAGS.into_iter().filter(|it| *it != right);
    let mut flags: Vec<Flags> = others.chain([right]).collect();
    flags.sort_by_key(ToString::to_string);
    let choice = |flags: Flags| Choice {
        text: flags.to_string(),
        is_right: flags == right,
        explanation: String::new(),
    };
    Question::Choice(flags.into_iter().map(choice).collect(), field.explanation.clone())
}

#[expect(clippy::cast_precision_loss, reason = "a field has at most 32 bits")]
const fn float(number: u64) -> f64 {
    number as f64
}

/// Returns a number with at most two decimals, as in the answer key.
pub(super) fn plain(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Returns the rubric, one line for each criterion.
pub(super) fn rubric(criteria: &[Criterion]) -> impl Iterator<Item = String> {
    criteria
        .iter()
        .map(|it| format!("{}: {}", crate::report::plural(it.points.into(), "point"), it.text))
}
