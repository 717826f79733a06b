//! What a lab teaches: sentences, each with the findings that it rests on.
//!
//! A sentence is part of a run's lesson only where the run observed all of its grounds. Where a lab has several
//! parts, the sentence names the part that its grounds are from, so that no other row contradicts it.

use super::finding::{Expected, Finding, Value, Verdict};
use crate::transport::Transport::{self, Tcp, Udp};

/// A sentence to remember.
#[derive(Debug)]
pub(crate) struct Lesson {
    pub says: &'static str,
    /// The findings that make it true. Never empty.
    pub rests_on: &'static [Ground],
}

/// A finding, and what it must be.
#[derive(Debug)]
pub(crate) struct Ground {
    pub transport: Transport,
    /// The name of the finding.
    pub what: &'static str,
    pub must: Must,
}

/// What a run must have observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Must {
    /// More than this many, or than this share of a whole.
    BeAbove(u64),
    /// Exactly the one value that was predicted from the options.
    BeAsPredicted,
    /// This text.
    Be(&'static str),
    /// More than another finding of the same run.
    Exceed(Transport, &'static str),
    /// As many as another finding of the same run.
    Equal(Transport, &'static str),
    /// This many, or this share of a whole.
    Number(u64),
}

/// A finding over TCP.
pub(crate) const fn tcp(what: &'static str, must: Must) -> Ground {
    Ground { transport: Tcp, what, must }
}

/// A finding over UDP.
pub(crate) const fn udp(what: &'static str, must: Must) -> Ground {
    Ground { transport: Udp, what, must }
}

impl Lesson {
    /// Whether the findings of a run bear it out.
    pub(crate) fn holds(&self, findings: &[Finding]) -> bool {
        !self.rests_on.is_empty() && self.rests_on.iter().all(|ground| ground.holds(findings))
    }
}

impl Ground {
    /// The finding of this transport and name, if the run has it.
    pub(crate) fn finding<'a>(&self, findings: &'a [Finding]) -> Option<&'a Finding> {
        find(findings, self.transport, self.what)
    }

    fn holds(&self, findings: &[Finding]) -> bool {
        let Some(finding) = self.finding(findings) else { return false };
        let Some(observed) = &finding.observed else { return false };
        let number = || number(observed);
        let other = |transport, what| find(findings, transport, what)?.observed.as_ref();
        let exceeds = |least: f64| number().is_some_and(|number| number > least);
        match self.must {
            Must::BeAbove(least) => exceeds(real(least)),
            Must::BeAsPredicted => {
                let is_one = matches!(finding.prediction.expected, Expected::Is(_));
                is_one && finding.verdict == Verdict::AsPredicted
            }
            Must::Be(text) => *observed == text.into(),
            Must::Exceed(transport, what) => {
                other(transport, what).and_then(self::number).is_some_and(exceeds)
            }
            Must::Equal(transport, what) => {
                number().is_some() && other(transport, what).and_then(self::number) == number()
            }
            Must::Number(exactly) => number() == Some(real(exactly)),
        }
    }
}

fn find<'a>(findings: &'a [Finding], transport: Transport, what: &str) -> Option<&'a Finding> {
    let same = |it: &&Finding| (it.prediction.transport, it.prediction.what) == (transport, what);
    findings.iter().find(same)
}

/// A count, a share of a whole, or seconds.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Count(count, _) => Some(real(*count)),
        Value::Share(share) => Some(*share),
        Value::Text(_) => None,
        Value::Time(time) => Some(time.as_secs_f64()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "no lab counts to 2^53")]
fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Prediction;
    use std::time::Duration;

    fn finding(transport: Transport, what: &'static str, observed: impl Into<Value>) -> Finding {
        let (prediction, observed) = (Prediction::is(transport, what, "it"), observed.into());
        let is_it = observed == "it".into();
        let verdict = if is_it { Verdict::AsPredicted } else { Verdict::Differs };
        Finding { prediction, observed: Some(observed), verdict }
    }

    fn findings() -> Vec<Finding> {
        vec![
            finding(Tcp, "packets", (7, "packet")),
            finding(Udp, "packets", (2, "packet")),
            finding(Udp, "reads", (2, "read")),
            finding(Udp, "answered", Value::Share(1.0)),
            finding(Tcp, "end", "ECONNRESET"),
            finding(Tcp, "text", "it"),
            finding(Tcp, "time", Duration::from_millis(1)),
        ]
    }

    #[test]
    fn a_ground_holds_where_the_run_observed_it() {
        for ground in [
            tcp("packets", Must::BeAbove(6)),
            tcp("packets", Must::Number(7)),
            tcp("packets", Must::Exceed(Udp, "packets")),
            udp("packets", Must::Equal(Udp, "reads")),
            udp("answered", Must::Number(1)),
            udp("answered", Must::BeAbove(0)),
            tcp("end", Must::Be("ECONNRESET")),
            tcp("text", Must::BeAsPredicted),
            tcp("time", Must::BeAbove(0)),
        ] {
            assert!(ground.holds(&findings()), "{ground:?}");
        }
    }

    #[test]
    fn a_ground_that_the_run_refutes_or_does_not_have_does_not_hold() {
        for ground in [
            tcp("packets", Must::BeAbove(7)),
            tcp("packets", Must::Number(0)),
            udp("packets", Must::Exceed(Tcp, "packets")),
            udp("packets", Must::Exceed(Udp, "reads")),
            tcp("packets", Must::Equal(Udp, "packets")),
            tcp("end", Must::Be("the end")),
            tcp("end", Must::BeAsPredicted),
            tcp("end", Must::BeAbove(0)),
            tcp("end", Must::Equal(Tcp, "text")),
            udp("end", Must::Be("ECONNRESET")),
            tcp("nothing", Must::Number(0)),
        ] {
            assert!(!ground.holds(&findings()), "{ground:?}");
        }
    }

    #[test]
    fn a_prediction_of_a_range_is_too_wide_to_rest_on() {
        let low = Value::from((0, "packet"));
        let expected = Expected::Between(low.clone(), (9, "packet").into());
        let prediction = Prediction::new(Tcp, "packets", expected);
        let verdict = Verdict::AsPredicted;
        let findings = [Finding { prediction, observed: Some(low), verdict }];
        assert!(!tcp("packets", Must::BeAsPredicted).holds(&findings));
    }

    #[test]
    fn a_sentence_holds_with_all_of_its_grounds_and_never_without_any() {
        const BOTH: &[Ground] = &[tcp("packets", Must::Number(7)), tcp("time", Must::BeAbove(0))];
        const ONE: &[Ground] = &[tcp("packets", Must::Number(7)), tcp("time", Must::Number(0))];
        let holds = |rests_on| Lesson { says: "", rests_on }.holds(&findings());
        assert_eq!([BOTH, ONE, &[]].map(holds), [true, false, false]);
    }
}
