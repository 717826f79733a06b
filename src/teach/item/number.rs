//! An item whose answer is a number with a unit and a tolerance.

use crate::lab::question::verdict::is_within;

/// A number that the student calculates or observes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Number {
    /// The right answer. It has at most two decimals, so that keys and quizzes show all of it.
    pub answer: f64,
    /// Maximum difference between an accepted number and the right answer, in the same unit.
    pub tolerance: f64,
    /// Unit of the answer, such as `ms`, `%` or `datagrams`.
    pub unit: &'static str,
    /// The derivation of the right number.
    pub explanation: String,
    /// Wrong answers that result from common misconceptions. These answers are at least three tolerances away from the
    /// right answer and from each other.
    pub wrong: Vec<WrongNumber>,
}

/// A wrong answer, with the misconception that leads to it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WrongNumber {
    pub value: f64,
    pub explanation: &'static str,
}

/// Minimum difference between two possible answers, in tolerances. At two tolerances, one number could be accepted for
/// both.
const MIN_TOLERANCES_APART: f64 = 3.0;

impl Number {
    /// Creates a number without known wrong answers.
    pub(crate) fn new(
        answer: f64,
        tolerance: f64,
        unit: &'static str,
        explanation: String,
    ) -> Self {
        Self { answer: rounded(answer), tolerance, unit, explanation, wrong: Vec::new() }
    }

    /// Adds the wrong answer that a misconception leads to. Ignores a number that is too close to the right answer or
    /// to another wrong answer.
    pub(crate) fn wrong(mut self, value: f64, explanation: &'static str) -> Self {
        let value = rounded(value);
        let is_apart = |other: f64| self.are_apart(value, other);
        if is_apart(self.answer) && self.wrong.iter().all(|it| is_apart(it.value)) {
            self.wrong.push(WrongNumber { value, explanation });
        }
        self
    }

    /// Whether two possible answers are so far apart that no number is accepted for both.
    pub(crate) fn are_apart(&self, one: f64, other: f64) -> bool {
        (one - other).abs() >= MIN_TOLERANCES_APART * self.tolerance
    }

    /// Whether a student's number is right.
    pub(crate) fn accepts(&self, number: f64) -> bool {
        is_within(number, self.answer, self.tolerance)
    }

    /// Returns the known mistake that leads to this number, if there is one: a number of another unit, or a misconception.
    pub(crate) fn misconception(&self, number: f64) -> Option<&'static str> {
        let in_unit = |(factor, _): &&(f64, &str)| self.accepts(number * factor);
        let of_unit = unit_mistakes(self.unit).iter().find(in_unit).map(|it| it.1);
        let is_near = |wrong: &&WrongNumber| is_within(number, wrong.value, self.tolerance);
        of_unit.or_else(|| self.wrong.iter().find(is_near).map(|wrong| wrong.explanation))
    }

    pub(crate) fn right_answer(&self) -> String {
        let text = format!("{:.2}", self.answer);
        format!("{} {}", text.trim_end_matches('0').trim_end_matches('.'), self.unit)
    }
}

/// Rounds a number to two decimals.
fn rounded(number: f64) -> f64 {
    (100.0 * number).round() / 100.0
}

/// Returns the factors between the wrong units and the unit of an answer, each with the explanation of the mistake.
const fn unit_mistakes(unit: &str) -> &'static [(f64, &'static str)] {
    match unit.as_bytes() {
        b"ms" => &[
            (1e3, "This time is a thousand times too short: check the unit."),
            (1e-3, "This time is a thousand times too long: check the unit."),
        ],
        b"%" => &[(100.0, "This is the probability as a fraction: 1 is 100 %.")],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_number_is_known_only_if_it_is_three_tolerances_from_every_other() {
        let number = Number::new(80.0, 1.0, "ms", String::new())
            .wrong(82.9, "too close to the answer")
            .wrong(40.0, "one round trip")
            .wrong(42.0, "too close to another")
            .wrong(83.0, "far enough");
        let known: Vec<&str> = number.wrong.iter().map(|it| it.explanation).collect();
        assert_eq!(known, ["one round trip", "far enough"]);
        assert_eq!(number.misconception(40.5), Some("one round trip"));
        assert_eq!(number.misconception(50.0), None);
        assert!(number.accepts(81.0) && !number.accepts(81.1));
        assert_eq!(number.right_answer(), "80 ms");
    }

    /// 0.8 · 0.8 is a little more than 0.64 as a binary number, and 1 − 0.36² has more decimals than the key.
    #[test]
    fn both_edges_of_the_tolerance_that_the_key_prints_are_right() {
        let shares = [0.8 * 0.8, 1.0 - 0.36 * 0.36, 0.55 * 0.55].map(|it| 100.0 * it);
        for (answer, unit) in shares.map(|it| (it, "%")).into_iter().chain([(80.0, "ms")]) {
            let number = Number::new(answer, 1.0, unit, String::new()).wrong(0.1 * 3.0, "a third");
            let shown = number.right_answer().replace(&format!(" {unit}"), "");
            let shown: f64 = shown.parse().expect("a number");
            assert!(number.accepts(shown - 1.0) && number.accepts(shown + 1.0), "{number:?}");
            assert!(!number.accepts(shown - 1.01) && !number.accepts(shown + 1.01), "{number:?}");
            assert_eq!(number.misconception(1.3), Some("a third"));
        }
    }

    #[test]
    fn a_number_of_another_unit_is_a_known_mistake() {
        let reason = |unit, given| {
            let number = Number::new(42.25, 1.0, unit, String::new()).wrong(0.0, "nothing");
            number.misconception(given).unwrap_or_default()
        };
        assert!(reason("ms", 0.042).contains("a thousand times too short"));
        assert!(reason("ms", 42_250.0).contains("a thousand times too long"));
        assert!(reason("%", 0.42).contains("as a fraction"));
        assert_eq!(
            (reason("%", 0.2), reason("ms", 0.02), reason("ms", 43_300.0)),
            ("nothing", "nothing", "")
        );
        assert_eq!(reason("datagrams", 0.042), "nothing");
    }
}
