//! Predictions, observations, and verdicts on whether the two agree.

use super::Observation;
use crate::sys;
use crate::transport::Transport;
use serde::{Serialize, Serializer};
use std::mem;
use std::time::Duration;

/// A lab's prediction for one observation in a run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Prediction {
    pub transport: Transport,
    /// Short name of the observation, such as `reads to the end`.
    pub what: &'static str,
    pub expected: Expected,
    /// The reason why systems other than Linux may behave differently; `None` if all systems should behave the same.
    pub varies: Option<&'static str>,
}

/// The value that theory predicts for an observation: a single value, a range of values, or nothing.
///
/// Theory predicts nothing if no formula gives the value, for example if the user chooses an arbitrary set of packets
/// to drop.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    lowest: Option<Value>,
    highest: Option<Value>,
}

/// An observed or expected value.
#[derive(Clone, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Value {
    /// A count with its noun. `Display` prints the noun in the plural where needed: `2 packets`.
    Count {
        /// The count.
        count: u64,
        /// Noun in the singular, such as `packet`.
        of: String,
    },
    /// A fraction of a total, or the ratio of two values.
    Share {
        /// The fraction or ratio; 1 means 100 %. A ratio, such as one wait divided by the previous wait, may exceed 1.
        share: f64,
    },
    /// The name of an error, an address, or other text.
    Text {
        /// The text, which may contain octets from a peer. Escape it before printing it on a terminal.
        text: String,
    },
    /// A duration.
    Time {
        /// The duration, in virtual time on the engine `sim`.
        #[serde(rename = "time_ns", serialize_with = "nanoseconds")]
        time: Duration,
    },
}

fn nanoseconds<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)) // the limit is 584 years, longer than any run
}

/// A predicted value, the observed value, and a verdict on whether the two agree.
///
/// ```
/// use daytime::Transport::{Tcp, Udp};
/// use daytime::lab::{self, Engine, Setting, Verdict};
///
/// let loss = lab::find("loss").expect("a lab of that name");
/// let report = loss.run(Engine::Sim, &Setting::default().count(100))?;
///
/// let time = report.finding(Tcp, "chosen: time to reply").expect("a finding");
/// assert_eq!(time.verdict(), Verdict::AsPredicted);
/// assert_eq!(time.expected().only(), time.observed());
/// assert_eq!(time.expected().to_string(), "1.08 s");
/// assert_eq!(time.observed().map(ToString::to_string), Some("1.08 s".to_owned()));
///
/// let share = report.finding(Udp, "random: reply in 1 try").expect("a finding").expected();
/// assert!(share.lowest() < share.highest());
///
/// let report = loss.run(Engine::Sim, &Setting::default().count(100).loss(70.0))?;
/// let failed = report.finding(Tcp, "random: without a reply").expect("a finding"); // no formula gives their number
/// assert_eq!((failed.expected().lowest(), failed.expected().highest()), (None, None));
/// assert_eq!(failed.verdict().to_string(), "observed");
/// # Ok::<(), lab::LabError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub(crate) prediction: Prediction,
    /// The observed value; `None` if the run did not get far enough to observe it.
    pub(crate) observed: Option<Value>,
    pub(crate) verdict: Verdict,
}

named! {
    /// Whether an observation agrees with theory.
    #[non_exhaustive]
    pub enum Verdict {
        /// The observation agrees with the prediction.
        AsPredicted = "as predicted",
        /// The observation differs from the prediction.
        Differs = "differs",
        /// Theory predicts nothing, so the observation is not compared.
        Observed = "observed",
        /// The observation differs from the prediction, but this difference is known to occur on systems other than
        /// Linux.
        Varies = "varies here",
    }
}

impl Prediction {
    /// Predicts exactly this value.
    pub(crate) fn is(transport: Transport, what: &'static str, value: impl Into<Value>) -> Self {
        Self::new(transport, what, Expected::is(value))
    }

    pub(crate) fn new(transport: Transport, what: &'static str, expected: Expected) -> Self {
        Self { transport, what, expected, varies: None }
    }

    /// Adds the reason why systems other than Linux may behave differently.
    pub(crate) fn varies(mut self, why: &'static str) -> Self {
        self.varies = Some(why);
        self
    }
}

impl Finding {
    /// The transport that the observation is about.
    #[must_use]
    pub const fn transport(&self) -> Transport {
        self.prediction.transport
    }

    /// The name of the observation, such as `packets sent` or `time to the reply`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.prediction.what
    }

    /// Returns the value that theory predicts.
    #[must_use]
    pub const fn expected(&self) -> &Expected {
        &self.prediction.expected
    }

    /// Returns the value that the run observed; `None` if the run did not get far enough to observe it.
    #[must_use]
    pub const fn observed(&self) -> Option<&Value> {
        self.observed.as_ref()
    }

    /// Whether the observation agrees with the prediction.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }
}

impl Expected {
    /// Expects nothing, because no formula gives the value. Any observation is accepted.
    pub(crate) const OBSERVE: Self = Self { lowest: None, highest: None };

    /// Expects exactly this value.
    pub(crate) fn is(value: impl Into<Value>) -> Self {
        let value = value.into();
        Self { lowest: Some(value.clone()), highest: Some(value) }
    }

    /// Expects a value in this range, both bounds included.
    pub(crate) fn between(lowest: impl Into<Value>, highest: impl Into<Value>) -> Self {
        Self { lowest: Some(lowest.into()), highest: Some(highest.into()) }
    }

    /// Expects this value or more.
    pub(crate) fn at_least(lowest: impl Into<Value>) -> Self {
        Self { lowest: Some(lowest.into()), highest: None }
    }

    /// The lowest value that agrees with theory; `None` if there is no lower limit.
    #[must_use]
    pub const fn lowest(&self) -> Option<&Value> {
        self.lowest.as_ref()
    }

    /// The highest value that agrees with theory; `None` if there is no upper limit.
    #[must_use]
    pub const fn highest(&self) -> Option<&Value> {
        self.highest.as_ref()
    }

    /// The expected value, if theory predicts exactly one.
    #[must_use]
    pub fn only(&self) -> Option<&Value> {
        self.lowest().filter(|_| self.lowest == self.highest)
    }

    fn agrees(&self, observed: &Value) -> bool {
        let is_above = |lowest: &Value| observed.is_comparable(lowest) && observed >= lowest;
        let is_below = |highest: &Value| observed.is_comparable(highest) && observed <= highest;
        self.lowest().is_none_or(is_above) && self.highest().is_none_or(is_below)
    }
}

impl Value {
    pub(crate) const fn share(share: f64) -> Self {
        Self::Share { share }
    }

    /// Whether two values can be compared: two counts with the same noun, two shares, two strings or two times.
    pub(crate) fn is_comparable(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Count { of: one, .. }, Self::Count { of: other, .. }) => one == other,
            _ => mem::discriminant(self) == mem::discriminant(other),
        }
    }

    /// Returns the value as a number: a count, a share, or a time in seconds. Returns `None` for a string.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Count { count, .. } => Some(to_f64(*count)),
            Self::Share { share } => Some(*share),
            Self::Text { .. } => None,
            Self::Time { time } => Some(time.as_secs_f64()),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "no lab counts to 2^53")]
pub(super) fn to_f64(count: u64) -> f64 {
    count as f64
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text { text: text.to_owned() }
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text { text }
    }
}

impl From<Duration> for Value {
    fn from(time: Duration) -> Self {
        Self::Time { time }
    }
}

impl From<(u64, &'static str)> for Value {
    fn from((count, of): (u64, &'static str)) -> Self {
        Self::Count { count, of: of.to_owned() }
    }
}

/// Returns the finding with this name for this transport.
pub(super) fn find<'a>(
    findings: &'a [Finding],
    transport: Transport,
    name: &str,
) -> Option<&'a Finding> {
    findings.iter().find(|it| it.transport() == transport && it.name() == name)
}

/// Compares each prediction with the observation that has the same transport and name. An observation that no
/// prediction matches is a bug in the lab; the tests detect it.
pub(super) fn compare(predictions: Vec<Prediction>, observed: &[Observation]) -> Vec<Finding> {
    let find = |prediction: &Prediction| {
        let same =
            |it: &&Observation| it.transport == prediction.transport && it.what == prediction.what;
        observed.iter().find(same).map(|it| it.value.clone())
    };
    let judge = |prediction: Prediction| {
        let observed = find(&prediction);
        let verdict = verdict(&prediction, observed.as_ref());
        Finding { prediction, observed, verdict }
    };
    predictions.into_iter().map(judge).collect()
}

fn verdict(prediction: &Prediction, observed: Option<&Value>) -> Verdict {
    match (&prediction.expected, prediction.varies) {
        (expected, _) if *expected == Expected::OBSERVE && observed.is_some() => Verdict::Observed,
        (expected, _) if observed.is_some_and(|it| expected.agrees(it)) => Verdict::AsPredicted,
        (_, Some(_)) if !sys::IS_LINUX => Verdict::Varies,
        _ => Verdict::Differs,
    }
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
    fn a_range_of_one_value_is_that_value() {
        let expected = Expected::between((1, "read"), (1, "read"));
        assert_eq!(expected, Expected::is((1, "read")));
        assert_eq!(expected.only(), Some(&(1, "read").into()));
        assert_eq!(Expected::between((1, "read"), (2, "read")).only(), None);
        assert_eq!(Expected::OBSERVE.only(), None);
    }

    #[test]
    fn where_theory_expects_nothing_no_observation_differs() {
        assert_eq!(verdict(Expected::OBSERVE, (7, "packet")), Verdict::Observed);
        let prediction = Prediction::new(Transport::Tcp, "reads", Expected::OBSERVE);
        assert_eq!(
            compare(vec![prediction], &[])[0].verdict,
            Verdict::Differs,
            "it was not observed"
        );
    }

    #[test]
    fn what_is_observed_has_to_be_what_was_predicted() {
        let reads = |count| Value::from((count, "read"));
        assert_eq!(verdict(Expected::is(reads(2)), (2, "read")), Verdict::AsPredicted);
        assert_eq!(verdict(Expected::is(reads(2)), (3, "read")), Verdict::Differs);
        let between = Expected::between(reads(1), reads(20));
        assert_eq!(verdict(between.clone(), (20, "read")), Verdict::AsPredicted);
        assert_eq!(verdict(between, (21, "read")), Verdict::Differs);
        assert_eq!(verdict(Expected::at_least(reads(2)), (1, "read")), Verdict::Differs);
    }

    #[test]
    fn a_value_of_another_kind_never_agrees() {
        let reads = Value::from((2, "read"));
        assert_eq!(verdict(Expected::at_least(reads.clone()), "nothing"), Verdict::Differs);
        assert_eq!(verdict(Expected::at_least(reads), (5, "packet")), Verdict::Differs);
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
