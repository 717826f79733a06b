//! A number with its unit and its tolerance.

/// A number to calculate or to observe.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Number {
    pub answer: f64,
    /// Maximum distance of an accepted number from the answer, in the same unit.
    pub tolerance: f64,
    /// Unit of the answer: `ms`, `%`, `datagrams`.
    pub unit: &'static str,
    /// How the number follows.
    pub explanation: String,
    /// Numbers that follow from known misconceptions. Each is at least three tolerances from the answer and from each
    /// other.
    pub wrong: Vec<WrongNumber>,
}

/// A wrong number with the misconception that leads to it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WrongNumber {
    pub value: f64,
    pub explanation: &'static str,
}

/// Minimum distance of two alternatives, in tolerances. At two tolerances, one number would be accepted for both.
const MIN_TOLERANCES_APART: f64 = 3.0;

impl Number {
    /// Makes a number of the answer, its tolerance and its unit.
    pub(crate) fn new(
        answer: f64,
        tolerance: f64,
        unit: &'static str,
        explanation: String,
    ) -> Self {
        Self { answer, tolerance, unit, explanation, wrong: Vec::new() }
    }

    /// Adds the number of a misconception, unless it is too close to the answer or to another wrong number.
    pub(crate) fn wrong(mut self, value: f64, explanation: &'static str) -> Self {
        let is_apart = |other: f64| self.are_apart(value, other);
        if is_apart(self.answer) && self.wrong.iter().all(|it| is_apart(it.value)) {
            self.wrong.push(WrongNumber { value, explanation });
        }
        self
    }

    /// Whether two numbers are so far apart that no number is accepted for both.
    pub(crate) fn are_apart(&self, one: f64, other: f64) -> bool {
        (one - other).abs() >= MIN_TOLERANCES_APART * self.tolerance
    }

    /// Whether this number is right.
    pub(crate) fn accepts(&self, number: f64) -> bool {
        (number - self.answer).abs() <= self.tolerance
    }

    /// Returns the misconception that leads to this number, if one is known.
    pub(crate) fn misconception(&self, number: f64) -> Option<&'static str> {
        let is_near = |wrong: &&WrongNumber| (number - wrong.value).abs() <= self.tolerance;
        self.wrong.iter().find(is_near).map(|wrong| wrong.explanation)
    }

    pub(crate) fn right_answer(&self) -> String {
        let text = format!("{:.2}", self.answer);
        format!("{} {}", text.trim_end_matches('0').trim_end_matches('.'), self.unit)
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
}
