//! Reads a student's answer and compares it with the right one.

use super::Points;
use crate::lab::question::answer::chosen;
use crate::lab::question::separators::{advice, advice_on_whole};
use crate::teach::item::{Choice, Field, FieldValue, Item, Kind, Number, Order, letter};
use crate::teach::submission::excerpt;
use crate::wire::decode::Flags;

/// Points and feedback for an answer.
type Judged = (Points, String);

/// Compares an answer with the right one. Returns the points and the feedback.
///
/// # Errors
/// Returns an error if the text does not have the form of an answer to this item. The error describes the expected
/// form.
pub(super) fn judge(item: &Item, answer: &str) -> Result<Judged, String> {
    let all = Points::whole(item.points);
    match &item.kind {
        Kind::Number(number) => judge_number(number, answer, all),
        Kind::Choice(choices) => judge_choice(choices, answer, all),
        Kind::Order(order) => judge_order(order, answer, all),
        Kind::Field(field) => judge_field(field, answer, all),
        Kind::Explanation(_) => Err("a teacher marks this answer".to_owned()),
    }
}

/// Returns the right answer to an item, with the reason.
pub(super) fn solution(item: &Item) -> String {
    match &item.kind {
        Kind::Number(number) => corrected("", &number.right_answer(), &number.explanation),
        Kind::Choice(choices) => corrected_choice("", choices),
        Kind::Order(order) => corrected_order("", order),
        Kind::Field(field) => corrected("", &field.answer.to_string(), &field.explanation),
        Kind::Explanation(_) => String::new(),
    }
}

/// Combines the mistake, the right answer and its reason into one feedback text.
fn corrected(wrong: &str, right: &str, reason: &str) -> String {
    let space = if wrong.is_empty() { "" } else { " " };
    format!("{wrong}{space}Right: {right}. {reason}")
}

/// Combines the mistake with the letter, the text and the reason of the right choice.
fn corrected_choice(wrong: &str, choices: &[Choice]) -> String {
    let right = choices.iter().enumerate().find(|(_, it)| it.is_right);
    right.map_or_else(String::new, |(number, right)| {
        let named = format!("{}, \"{}\"", letter(number), right.text);
        corrected(wrong, &named, &right.explanation)
    })
}

/// Combines the mistake with the letters and the names of the events in the right order, and the reason.
fn corrected_order(wrong: &str, order: &Order) -> String {
    let labels: Vec<&str> = order.in_order().collect();
    let right = format!("{}. That is: {}", order.right_answer(), labels.join("; "));
    corrected(wrong, &right, &order.explanation)
}

fn judge_number(number: &Number, answer: &str, all: Points) -> Result<Judged, String> {
    if let Some(advice) = advice(answer) {
        return Err(advice);
    }
    let given = read_number(answer, number.unit)
        .ok_or_else(|| format!("not a number of {} such as 12.5", number.unit))?;
    if number.accepts(given) {
        return Ok((all, number.explanation.clone()));
    }
    let misconception = number.misconception(given).unwrap_or_default();
    Ok((Points(0), corrected(misconception, &number.right_answer(), &number.explanation)))
}

/// Reads a number with a decimal point or a decimal comma. The unit may be omitted, and a time may use a different unit of time.
fn read_number(text: &str, unit: &str) -> Option<f64> {
    let is_digit = |it: char| it.is_ascii_digit() || matches!(it, '.' | ',' | '-' | '+');
    let (number, given) = text.split_at(text.find(|it| !is_digit(it)).unwrap_or(text.len()));
    let number: f64 = number.replace(',', ".").parse().ok().filter(|it: &f64| it.is_finite())?;
    let given = given.trim();
    let is_singular = per_second(unit).is_none() && Some(given) == unit.strip_suffix('s');
    let is_own = given.is_empty() || given == unit || is_singular;
    match (per_second(unit), per_second(given)) {
        _ if is_own => Some(number),
        (Some(unit), Some(given)) => Some(number * unit / given),
        _ => None,
    }
}

fn per_second(unit: &str) -> Option<f64> {
    match unit {
        "s" => Some(1.0),
        "ms" => Some(1e3),
        "µs" | "us" => Some(1e6),
        _ => None,
    }
}

fn judge_choice(choices: &[Choice], answer: &str, all: Points) -> Result<Judged, String> {
    let texts: Vec<&str> = choices.iter().map(|it| &*it.text).collect();
    let given = chosen(answer, &texts).and_then(|number| choices.get(number));
    let last = letter(choices.len().saturating_sub(1));
    let given = given
        .ok_or_else(|| format!("not one letter from A to {last}, and not the text of a choice"))?;
    if given.is_right {
        return Ok((all, given.explanation.clone()));
    }
    Ok((Points(0), corrected_choice(&given.explanation, choices)))
}

fn judge_order(order: &Order, answer: &str, all: Points) -> Result<Judged, String> {
    let count = order.labels.len();
    let letters = answer.chars().filter(char::is_ascii_alphabetic);
    let given: Vec<usize> =
        letters.map(|it| usize::from(it.to_ascii_uppercase() as u8 - b'A')).collect();
    let mut sorted = given.clone();
    sorted.sort_unstable();
    let is_other = |it: char| !it.is_ascii_alphabetic() && !" ,;>-".contains(it);
    if answer.contains(is_other) || !sorted.iter().copied().eq(0..count) {
        let last = letter(count.saturating_sub(1));
        return Err(format!("not each letter from A to {last} once"));
    }
    let right = given.iter().zip(&order.right).filter(|(one, other)| one == other).count();
    if right == count {
        return Ok((all, order.explanation.clone()));
    }
    let Points(all) = all;
    let share = u64::from(all) * right as u64 / count.max(1) as u64;
    let feedback = corrected_order(&format!("{right} of {count} are in their place."), order);
    Ok((Points(u32::try_from(share).unwrap_or(0)), feedback))
}

fn judge_field(field: &Field, answer: &str, all: Points) -> Result<Judged, String> {
    let given = match field.answer {
        FieldValue::Flags(_) => FieldValue::Flags(read_flags(answer)?),
        FieldValue::Number(_) => {
            let number = answer.parse().map_err(|_| {
                advice_on_whole(answer).unwrap_or_else(|| "not a whole number".to_owned())
            })?;
            FieldValue::Number(number)
        }
    };
    if given == field.answer {
        return Ok((all, field.explanation.clone()));
    }
    let mistake = field.mistake(given).unwrap_or_default();
    Ok((Points(0), corrected(mistake, &field.answer.to_string(), &field.explanation)))
}

/// Reads the names of TCP flags, in any order. Ignores PSH.
fn read_flags(text: &str) -> Result<Flags, String> {
    let names = text.split(|it: char| !it.is_alphabetic()).filter(|name| !name.is_empty());
    let mut flags = Flags::default();
    for name in names {
        let name = name.to_uppercase();
        let flag = Flags::named(&name).ok_or_else(|| {
            format!("{} is not a flag: write names such as SYN, ACK", excerpt(&name))
        })?;
        flags = flags | flag;
    }
    Ok(flags.without(Flags::PSH))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::teach::item::PacketField;

    fn item(points: u32, kind: Kind) -> Item {
        Item { id: "it".to_owned(), points, prompt: String::new(), table: None, kind }
    }

    fn points(item: &Item, answer: &str) -> u32 {
        judge(item, answer).unwrap_or_else(|reason| panic!("{answer}: {reason}")).0.0
    }

    fn number() -> Item {
        let number = Number::new(80.0, 1.0, "ms", "Two round trips.".to_owned())
            .wrong(40.0, "One round trip.");
        item(2, Kind::Number(number))
    }

    #[test]
    fn a_number_is_right_within_its_tolerance_and_in_any_unit_of_time() {
        for right in
            ["80", "80 ms", "79", "81.0ms", "+80", "0.08 s", "80000 µs", "80000us", "0,08 s"]
        {
            assert_eq!(points(&number(), right), 200, "{right}");
        }
        for wrong in ["78.9", "80 s", "-80", "0"] {
            assert_eq!(points(&number(), wrong), 0, "{wrong}");
        }
        for text in ["eighty", "80 m", "8,0,0", "1e1", "nan", "inf", "8 0", "--", "80 %"] {
            assert!(judge(&number(), text).is_err(), "{text}");
        }
    }

    #[test]
    fn separators_of_thousands_get_advice_and_no_points() {
        let reason = |answer| judge(&number(), answer).expect_err("separators");
        assert_eq!(reason("1,080,000"), "write 1080000, without separators");
        assert_eq!(reason("1,080 ms"), "write 1080 or 1.080, without a comma");
        let field = Field {
            blank: 0,
            asked: PacketField::Sequence,
            answer: FieldValue::Number(4_294_967_295),
            explanation: String::new(),
            wrong: Vec::new(),
        };
        let reason = judge(&item(1, Kind::Field(field)), "4,294,967,295").expect_err("separators");
        assert_eq!(reason, "write 4294967295, without separators");
    }

    #[test]
    fn a_wrong_number_gets_the_reason_of_its_misconception() {
        let (_, feedback) = judge(&number(), "40").expect("an answer");
        assert_eq!(feedback, "One round trip. Right: 80 ms. Two round trips.");
        let (_, feedback) = judge(&number(), "50").expect("an answer");
        assert_eq!(feedback, "Right: 80 ms. Two round trips.");
    }

    #[test]
    fn the_feedback_on_a_wrong_unit_is_true_in_any_unit_that_the_student_writes() {
        for (answer, ratio) in
            [("0.08", "short"), ("80 µs", "short"), ("80000", "long"), ("80 s", "long")]
        {
            let (points, feedback) = judge(&number(), answer).expect("an answer");
            let wanted =
                format!("This time is a thousand times too {ratio}: check the unit. Right: ");
            assert!(points == Points(0) && feedback.starts_with(&wanted), "{answer}: {feedback}");
        }
    }

    #[test]
    fn a_choice_is_a_letter_or_its_text() {
        let choice = |text: &str, is_right| Choice {
            text: text.to_owned(),
            is_right,
            explanation: format!("Because {text}."),
        };
        let choices = item(1, Kind::Choice(vec![choice("no", false), choice("yes", true)]));
        assert_eq!(
            (points(&choices, "B"), points(&choices, "b)"), points(&choices, "a")),
            (100, 100, 0)
        );
        assert_eq!((points(&choices, "Yes"), points(&choices, "no")), (100, 0));
        let (_, feedback) = judge(&choices, "A").expect("an answer");
        assert_eq!(feedback, "Because no. Right: B, \"yes\". Because yes.");
        for text in ["C", "AB", "1", "yes, no"] {
            assert!(judge(&choices, text).is_err(), "{text}");
        }
        assert_eq!(solution(&choices), "Right: B, \"yes\". Because yes.");
    }

    #[test]
    fn an_order_gets_points_for_each_place() {
        let labels = ["x", "y", "z"].map(str::to_owned).to_vec();
        let order = Order { labels, right: vec![2, 0, 1], explanation: "So.".to_owned() };
        let order = item(3, Kind::Order(order));
        assert_eq!(
            (points(&order, "C A B"), points(&order, "c,a,b"), points(&order, "CAB")),
            (300, 300, 300)
        );
        assert_eq!((points(&order, "C B A"), points(&order, "A B C")), (100, 0));
        let (_, feedback) = judge(&order, "C B A").expect("an answer");
        assert_eq!(feedback, "1 of 3 are in their place. Right: C A B. That is: z; x; y. So.");
        assert_eq!(solution(&order), "Right: C A B. That is: z; x; y. So.");
        for text in ["C A", "A A B", "A B C D", "3 1 2", "ö"] {
            assert!(judge(&order, text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_field_is_a_whole_number_or_names_of_flags() {
        let field = |field, answer| {
            item(
                1,
                Kind::Field(Field {
                    blank: 0,
                    asked: field,
                    answer,
                    explanation: String::new(),
                    wrong: Vec::new(),
                }),
            )
        };
        let sequence = field(PacketField::Sequence, FieldValue::Number(4_294_967_295));
        assert_eq!((points(&sequence, "4294967295"), points(&sequence, "7")), (100, 0));
        assert!(judge(&sequence, "7.5").is_err() && judge(&sequence, "0x7").is_err());
        let flags = field(PacketField::Flags, FieldValue::Flags(Flags::SYN | Flags::ACK));
        for right in ["SYN, ACK", "ack syn", "SYN-ACK", "SYN+ACK+PSH"] {
            assert_eq!(points(&flags, right), 100, "{right}");
        }
        assert_eq!(points(&flags, "SYN"), 0);
        assert!(judge(&flags, "SIN").is_err());
        let reason = judge(&flags, &"A".repeat(200_000)).expect_err("no flag");
        assert!(reason.starts_with("AAAA") && reason.len() < 100, "{}", reason.len());
    }
}
