//! Sentences that sum up what a lab teaches, each with the findings that support it.
//!
//! A run prints only the sentences whose grounds it observed: a ground is a finding and a condition on its value. If a
//! lab tests several cases, the sentence names the case that its grounds come from, because another row of the table
//! may conflict with the sentence.

use super::finding::{Finding, Verdict, find, to_f64};
use crate::transport::Transport;

/// A sentence that a student should remember after the run.
#[derive(Debug)]
pub(crate) struct Lesson {
    pub says: String,
    /// Conditions on findings that together make the sentence true. The list is never empty.
    pub rests_on: Vec<Ground>,
}

/// A finding and the condition that its value must meet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ground {
    pub transport: Transport,
    /// Name of the finding.
    pub what: &'static str,
    pub must: Requirement,
}

/// Condition on a finding's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Requirement {
    /// The value equals the prediction, which must be a single value and not a range.
    BeAsPredicted,
    Equal(Comparand),
    Exceed(Comparand),
    FallBelow(Comparand),
}

/// The value to compare a finding with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparand {
    /// Another finding of the same run.
    Finding(Transport, &'static str),
    /// A number to compare with the finding's count, share, or time in seconds.
    Number(u64),
    Text(&'static str),
}

impl Lesson {
    /// Returns whether a run's findings support the sentence.
    pub(crate) fn holds(&self, findings: &[Finding]) -> bool {
        !self.rests_on.is_empty() && self.rests_on.iter().all(|ground| ground.holds(findings))
    }
}

impl Ground {
    /// Parses a ground in the syntax of the lab's page in `docs/labs`: `tcp packets > 6`, `tcp packets < 9`,
    /// `tcp packets > udp packets`,
    /// `udp answered = 1`, `tcp recv() = "EAGAIN"`, or `tcp packets as predicted`.
    pub(super) fn parse(text: &'static str) -> Option<Self> {
        let (left, must) = if let Some(left) = text.strip_suffix(" as predicted") {
            (left, Requirement::BeAsPredicted)
        } else if let Some((left, right)) = text.split_once(" > ") {
            (left, Requirement::Exceed(Comparand::parse(right)?))
        } else if let Some((left, right)) = text.split_once(" < ") {
            (left, Requirement::FallBelow(Comparand::parse(right)?))
        } else {
            let (left, right) = text.split_once(" = ")?;
            (left, Requirement::Equal(Comparand::parse(right)?))
        };
        let (transport, what) = transport_and_name(left)?;
        Some(Self { transport, what, must })
    }

    pub(super) fn holds(&self, findings: &[Finding]) -> bool {
        let Some(finding) = find(findings, self.transport, self.what) else { return false };
        let Some(observed) = &finding.observed else { return false };
        let both = |other: Comparand| observed.number().zip(other.number(findings));
        match self.must {
            Requirement::BeAsPredicted => {
                let is_one = finding.prediction.expected.only().is_some();
                is_one && finding.verdict == Verdict::AsPredicted
            }
            Requirement::Equal(Comparand::Text(text)) => *observed == text.into(),
            Requirement::Equal(other) => {
                both(other).is_some_and(|(it, other)| it.total_cmp(&other).is_eq())
            }
            Requirement::Exceed(other) => both(other).is_some_and(|(it, other)| it > other),
            Requirement::FallBelow(other) => both(other).is_some_and(|(it, other)| it < other),
        }
    }
}

impl Comparand {
    fn parse(text: &'static str) -> Option<Self> {
        if let Ok(number) = text.parse() {
            return Some(Self::Number(number));
        }
        let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let finding =
            || transport_and_name(text).map(|(transport, what)| Self::Finding(transport, what));
        quoted.map(Self::Text).or_else(finding)
    }

    fn number(self, findings: &[Finding]) -> Option<f64> {
        match self {
            Self::Finding(transport, what) => find(findings, transport, what)?.observed()?.number(),
            Self::Number(number) => Some(to_f64(number)),
            Self::Text(_) => None,
        }
    }
}

/// Parses a transport and a finding's name, such as `tcp packets`. The name must not contain a line break.
pub(super) fn transport_and_name(text: &'static str) -> Option<(Transport, &'static str)> {
    let (transport, what) = text.split_once(' ').filter(|_| !text.contains('\n'))?;
    let transport = Transport::BOTH.into_iter().find(|it| it.to_string() == transport)?;
    Some((transport, what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{Expected, Prediction, Value};
    use crate::transport::Transport::{Tcp, Udp};
    use std::time::Duration;

    fn parse(ground: &'static str) -> Ground {
        Ground::parse(ground).unwrap_or_else(|| panic!("{ground} is not a ground"))
    }

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
            finding(Udp, "answered", Value::share(1.0)),
            finding(Tcp, "end", "ECONNRESET"),
            finding(Tcp, "text", "it"),
            finding(Tcp, "time", Duration::from_millis(1)),
        ]
    }

    #[test]
    fn a_ground_holds_if_the_run_observed_it() {
        for ground in [
            "tcp packets > 6",
            "tcp packets < 8",
            "tcp packets = 7",
            "tcp packets > udp packets",
            "udp packets = udp reads",
            "udp answered = 1",
            "udp answered > 0",
            "tcp end = \"ECONNRESET\"",
            "tcp text as predicted",
            "tcp time > 0",
        ] {
            assert!(parse(ground).holds(&findings()), "{ground}");
        }
    }

    #[test]
    fn a_ground_does_not_hold_if_the_run_refutes_or_lacks_it() {
        for ground in [
            "tcp packets > 7",
            "tcp packets < 7",
            "tcp packets = 0",
            "udp packets > tcp packets",
            "udp packets > udp reads",
            "tcp packets = udp packets",
            "tcp end = \"the end\"",
            "tcp end as predicted",
            "tcp end > 0",
            "tcp end = tcp text",
            "tcp end > \"ECONNRESET\"",
            "udp end = \"ECONNRESET\"",
            "tcp nothing = 0",
        ] {
            assert!(!parse(ground).holds(&findings()), "{ground}");
        }
    }

    #[test]
    fn a_ground_has_a_transport_a_finding_and_a_condition() {
        let ground = |what, must| Some(Ground { transport: Tcp, what, must });
        let must = Requirement::Exceed(Comparand::Finding(Udp, "b (c)"));
        assert_eq!(Ground::parse("tcp a, b > udp b (c)"), ground("a, b", must));
        for wrong in ["", "tcp", "tcp a", "sctp a > 1", "tcp a > b", "tcp a\n  b > 1", "tcp a <= 1"]
        {
            assert_eq!(Ground::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_predicted_range_supports_no_sentence() {
        let low = Value::from((0, "packet"));
        let expected = Expected::between(low.clone(), (9, "packet"));
        let prediction = Prediction::new(Tcp, "packets", expected);
        let verdict = Verdict::AsPredicted;
        let findings = [Finding { prediction, observed: Some(low), verdict }];
        assert!(!parse("tcp packets as predicted").holds(&findings));
    }

    #[test]
    fn a_sentence_holds_with_all_of_its_grounds_and_never_without_any() {
        let holds = |grounds: &[&'static str]| {
            let rests_on = grounds.iter().map(|ground| parse(ground)).collect();
            Lesson { says: String::new(), rests_on }.holds(&findings())
        };
        assert!(holds(&["tcp packets = 7", "tcp time > 0"]));
        assert!(!holds(&["tcp packets = 7", "tcp time = 0"]));
        assert!(!holds(&[]));
    }
}
