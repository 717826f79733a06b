//! Items: the single tasks of a sheet or a quiz, each with its answer and the feedback for wrong answers.
//!
//! An item does not depend on any output format. Sheets, keys, grades and quizzes all use the same items.

mod number;
mod order;
mod packets;

pub(crate) use number::Number;
pub(crate) use order::Order;
pub(crate) use packets::{
    Blank, Cell, Field, FieldValue, PacketField, PacketRow, PacketTable, WrongValue,
};

/// One task for a student.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    /// Identifier of the item on its sheet, such as `exchange-tcp-time`. Contains only lower-case letters, digits and
    /// dashes.
    pub id: String,
    pub points: u32,
    /// Text of the task, without markup. Includes the randomly drawn options.
    pub prompt: String,
    /// Table that the task is about. All of a lab's items that ask for a field share one table with all their blanks,
    /// so no item shows a value that another item asks for.
    pub table: Option<PacketTable>,
    pub kind: Kind,
}

/// The kind of task, with the right answer to it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Number(Number),
    Choice(Vec<Choice>),
    Order(Order),
    Field(Field),
    Explanation(Vec<Criterion>),
}

/// One choice of a multiple-choice item. Exactly one choice per item is right. The choices are stored in the order in
/// which they are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub text: String,
    pub is_right: bool,
    /// The reason why the choice is right or wrong.
    pub explanation: String,
}

/// A statement that a good explanation contains, for the teacher who marks explanations by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Criterion {
    pub points: u32,
    pub text: String,
}

/// Returns the letter that names the n-th choice, label or blank (0-based): `A`, `B`.
pub(crate) fn letter(number: usize) -> char {
    u8::try_from(number).ok().filter(|it| *it < 26).map_or('?', |it| char::from(b'A' + it))
}

impl Item {
    /// Returns the right answer as a student would write it; `None` if a teacher marks the item by hand.
    pub(crate) fn right_answer(&self) -> Option<String> {
        match &self.kind {
            Kind::Number(number) => Some(number.right_answer()),
            Kind::Choice(choices) => {
                choices.iter().position(|it| it.is_right).map(|it| letter(it).to_string())
            }
            Kind::Order(order) => Some(order.right_answer()),
            Kind::Field(field) => Some(field.answer.to_string()),
            Kind::Explanation(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_choice_is_the_letter_of_the_right_one() {
        let choice =
            |is_right| Choice { text: String::new(), is_right, explanation: String::new() };
        let kind = Kind::Choice(vec![choice(false), choice(false), choice(true)]);
        let item = Item { id: "one".into(), points: 1, prompt: String::new(), table: None, kind };
        assert_eq!(item.right_answer().as_deref(), Some("C"));
        let by_hand = Item { kind: Kind::Explanation(Vec::new()), ..item };
        assert_eq!(by_hand.right_answer(), None);
    }
}
