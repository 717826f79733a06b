//! What was predicted, what was observed, and whether the one is the other.

use super::Observation;
use crate::sys;
use crate::transport::Transport;
use std::time::Duration;

/// What will be observed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Prediction {
    pub transport: Transport,
    /// The observation that it is about, in a few words: `reads to the end`.
    pub what: &'static str,
    pub expected: Expected,
    /// Why another system than Linux may show something else; `None` if it may not.
    pub varies: Option<&'static str>,
}

/// What an observation has to be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expected {
    Is(Value),
    /// Both ends included; of the same kind of value.
    Between(Value, Value),
    AtLeast(Value),
}

/// Something that can be observed.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub(crate) enum Value {
    /// How many, of what: in the singular, such as `packet`.
    Count(u64, String),
    /// Of something else: 1 is as much as that.
    Share(f64),
    Text(String),
    Time(Duration),
}

/// A prediction with what was observed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub prediction: Prediction,
    /// `None` if the run did not come to it.
    pub observed: Option<Value>,
    pub verdict: Verdict,
}

/// Whether what was predicted was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    AsPredicted,
    Differs,
    /// It differs, as it is known to on systems other than the one it was predicted for.
    Varies,
}

impl Prediction {
    /// That this and nothing else will be observed.
    pub(crate) fn is(transport: Transport, what: &'static str, value: impl Into<Value>) -> Self {
        Self::new(transport, what, Expected::Is(value.into()))
    }

    pub(crate) fn new(transport: Transport, what: &'static str, expected: Expected) -> Self {
        Self { transport, what, expected, varies: None }
    }

    /// Where other systems than Linux may show something else, and why.
    pub(crate) fn varies(mut self, why: &'static str) -> Self {
        self.varies = Some(why);
        self
    }
}

impl Expected {
    /// From the one to the other; where both are the same, that and nothing else.
    pub(crate) fn range(low: impl Into<Value>, high: impl Into<Value>) -> Self {
        let (low, high) = (low.into(), high.into());
        if low == high { Self::Is(low) } else { Self::Between(low, high) }
    }

    fn holds(&self, observed: &Value) -> bool {
        match self {
            Self::Is(value) => observed == value,
            Self::Between(low, high) => observed.same_kind(low) && (low..=high).contains(&observed),
            Self::AtLeast(low) => observed.same_kind(low) && observed >= low,
        }
    }
}

impl Value {
    /// A count is of the same kind as a count of the same things only.
    fn same_kind(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Count(_, one), Self::Count(_, other)) => one == other,
            (Self::Share(_), Self::Share(_))
            | (Self::Text(_), Self::Text(_))
            | (Self::Time(_), Self::Time(_)) => true,
            _ => false,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Duration> for Value {
    fn from(time: Duration) -> Self {
        Self::Time(time)
    }
}

impl From<(u64, &'static str)> for Value {
    fn from((count, of): (u64, &'static str)) -> Self {
        Self::Count(count, of.to_owned())
    }
}

/// Holds each prediction against the observation of the same transport and name. What nobody predicted
/// is a mistake of the lab, which a test finds.
pub(super) fn compare(predictions: Vec<Prediction>, observed: &[Observation]) -> Vec<Finding> {
    let find = |prediction: &Prediction| {
        let same =
            |it: &&Observation| it.transport == prediction.transport && it.what == prediction.what;
        observed.iter().find(same).map(|it| it.value.clone())
    };
    let judge = |prediction: Prediction| {
        let observed = find(&prediction);
        let holds = observed.as_ref().is_some_and(|value| prediction.expected.holds(value));
        let verdict = match (holds, prediction.varies) {
            (true, _) => Verdict::AsPredicted,
            (false, Some(_)) if !sys::IS_LINUX => Verdict::Varies,
            (false, _) => Verdict::Differs,
        };
        Finding { prediction, observed, verdict }
    };
    predictions.into_iter().map(judge).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(expected: Expected, observed: impl Into<Value>) -> Verdict {
        let prediction = Prediction::new(Transport::Tcp, "reads", expected);
        let value = observed.into();
        let observed = [Observation { transport: Transport::Tcp, what: "reads".into(), value }];
        compare(vec![prediction], &observed)[0].verdict
    }

    #[test]
    fn a_range_of_one_is_that_one() {
        assert_eq!(Expected::range((1, "read"), (1, "read")), Expected::Is((1, "read").into()));
        let two = Expected::Between((1, "read").into(), (2, "read").into());
        assert_eq!(Expected::range((1, "read"), (2, "read")), two);
    }

    #[test]
    fn what_is_observed_has_to_be_what_was_predicted() {
        let reads = |count| Value::from((count, "read"));
        assert_eq!(verdict(Expected::Is(reads(2)), (2, "read")), Verdict::AsPredicted);
        assert_eq!(verdict(Expected::Is(reads(2)), (3, "read")), Verdict::Differs);
        let between = Expected::Between(reads(1), reads(20));
        assert_eq!(verdict(between.clone(), (20, "read")), Verdict::AsPredicted);
        assert_eq!(verdict(between, (21, "read")), Verdict::Differs);
        assert_eq!(verdict(Expected::AtLeast(reads(2)), (1, "read")), Verdict::Differs);
    }

    #[test]
    fn a_value_of_another_kind_never_agrees() {
        let reads = Value::from((2, "read"));
        assert_eq!(verdict(Expected::AtLeast(reads.clone()), "nothing"), Verdict::Differs);
        assert_eq!(verdict(Expected::AtLeast(reads), (5, "packet")), Verdict::Differs);
    }

    #[test]
    fn what_was_not_observed_differs() {
        let predictions = vec![Prediction::is(Transport::Udp, "reads", (1, "read"))];
        let value = (1, "read").into();
        let other = [Observation { transport: Transport::Tcp, what: "reads".into(), value }];
        let findings = compare(predictions, &other);
        assert_eq!((findings[0].observed.clone(), findings[0].verdict), (None, Verdict::Differs));
    }
}
