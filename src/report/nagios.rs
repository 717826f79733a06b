//! Formats the result of `daytime check` as a monitoring plugin does: one status line, then `|` and performance data
//! (Nagios Plugin Development Guidelines, "Plugin Output" and "Performance data").

use crate::check::{Check, Finding, Verdict};
use std::fmt::Write;

/// State of a service, as a monitoring plugin reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The server passed.
    Ok,
    /// The server answers, but another probe failed.
    Warning,
    /// At least one address or transport gives no reply.
    Critical,
    /// This host could not ask the server.
    Unknown,
}

impl State {
    pub(crate) fn of(check: &Check) -> Self {
        let reach = |verdict| {
            let is_it = |it: &&Finding| it.probe.is_reach() && it.verdict == verdict;
            check.findings.iter().any(|it| is_it(&it))
        };
        match (reach(Verdict::Fail), reach(Verdict::Pass), check.count(Verdict::Fail)) {
            (true, ..) => Self::Critical,
            (false, false, _) => Self::Unknown,
            (false, true, 1..) => Self::Warning,
            (false, true, 0) => Self::Ok,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// Returns the status line: the state, the failed probes with their reasons (if no address could be asked, the reasons for
/// this), the totals and the performance data.
pub(crate) fn line(check: &Check) -> String {
    let state = State::of(check);
    let mut text = String::new();
    // Without any reply, the reasons why the addresses were not asked are all there is to know.
    let is_unknown = |it: &&Finding| state == State::Unknown && it.probe.is_reach();
    let is_named = |it: &&Finding| it.verdict == Verdict::Fail || is_unknown(it);
    for named in check.findings.iter().filter(is_named) {
        let _ = write!(text, "{}: {}; ", named.probe, named.reason);
    }
    let [pass, fail, not_tried] =
        [Verdict::Pass, Verdict::Fail, Verdict::NotTried].map(|verdict| check.count(verdict));
    let _ = write!(text, "{pass} passed, {fail} failed, {not_tried} not tried");
    let measured: Vec<String> = check.findings.iter().flat_map(performance).collect();
    let bar = if measured.is_empty() { "" } else { "|" };
    format!("{}{bar}{}\n", status(state, &text), measured.join(" "))
}

/// Returns the status line of a check that has no result.
pub(crate) fn unknown(why: &str) -> String {
    format!("{}\n", status(State::Unknown, why))
}

/// Returns the state and a text in one line. A `|` in the text, for example from the server's reply, would begin the
/// performance data, so a slash replaces it.
fn status(state: State, text: &str) -> String {
    let one_line = text.lines().collect::<Vec<_>>().join(" ");
    format!("DAYTIME {} - {}", state.name(), one_line.replace('|', "/"))
}

/// Returns the performance data of a finding, in seconds: the duration of an exchange, or the clock's offset with its
/// uncertainty.
fn performance(finding: &Finding) -> Vec<String> {
    let labelled = |(name, microseconds): &(&'static str, f64)| {
        let label = match *name {
            "elapsed_us" => finding.probe.name(),
            "offset_us" => "offset",
            "uncertainty_us" => "uncertainty",
            _ => return None,
        };
        Some(format!("{label}={:.6}s", microseconds / 1e6))
    };
    finding.numbers.iter().filter_map(labelled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Probe;

    fn finding(probe: Probe, verdict: Verdict, numbers: &[(&'static str, f64)]) -> Finding {
        Finding { probe, verdict, reason: "its reason".to_owned(), numbers: numbers.to_vec() }
    }

    fn check(findings: Vec<Finding>) -> Check {
        Check { target: "192.0.2.1:13".parse().expect("a target"), findings }
    }

    fn of_verdicts(reach: &[Verdict], clock: Verdict) -> Check {
        let reach = Probe::ALL.iter().zip(reach).map(|(probe, it)| finding(*probe, *it, &[]));
        check(reach.chain([finding(Probe::Clock, clock, &[])]).collect())
    }

    #[test]
    fn the_state_is_critical_without_a_reply_and_a_warning_for_any_other_failure() {
        use Verdict::{Fail, NotTried, Pass};
        for (reach, clock, state) in [
            (&[Pass, NotTried][..], Pass, State::Ok),
            (&[Pass, NotTried], NotTried, State::Ok),
            (&[Pass, NotTried], Fail, State::Warning),
            (&[Pass, Fail], Pass, State::Critical),
            (&[Fail, Fail], NotTried, State::Critical),
            (&[NotTried, NotTried], NotTried, State::Unknown),
        ] {
            assert_eq!(State::of(&of_verdicts(reach, clock)), state, "{reach:?} {clock:?}");
        }
    }

    #[test]
    fn the_line_names_each_failed_probe_with_its_reason_before_the_totals() {
        let failed = of_verdicts(&[Verdict::Pass, Verdict::Fail], Verdict::Fail);
        assert_eq!(
            line(&failed),
            "DAYTIME CRITICAL - tcp-ipv6: its reason; clock: its reason; 1 passed, 2 failed, \
             0 not tried\n"
        );
    }

    #[test]
    fn a_line_without_any_reply_names_the_reasons() {
        let unknown = of_verdicts(&[Verdict::NotTried], Verdict::NotTried);
        assert_eq!(
            line(&unknown),
            "DAYTIME UNKNOWN - tcp-ipv4: its reason; 0 passed, 0 failed, 2 not tried\n"
        );
    }

    #[test]
    fn the_performance_data_is_in_seconds() {
        let tcp = [("octets", 41.0), ("elapsed_us", 213.0), ("round_trip_us", 199.0)];
        let clock = [("offset_us", -1_250_000.0), ("uncertainty_us", 1_000_200.0)];
        let findings = vec![
            finding(Probe::TcpIpv4, Verdict::Pass, &tcp),
            finding(Probe::Clock, Verdict::Pass, &clock),
        ];
        assert_eq!(
            line(&check(findings)),
            "DAYTIME OK - 2 passed, 0 failed, 0 not tried\
             |tcp-ipv4=0.000213s offset=-1.250000s uncertainty=1.000200s\n"
        );
    }

    #[test]
    fn no_text_begins_performance_data_or_another_line() {
        let mut failed = finding(Probe::Syntax, Verdict::Fail, &[]);
        failed.reason = "found \"OK|offset=0s\"\nOK".to_owned();
        let text = line(&check(vec![failed]));
        assert!(!text.contains('|') && text.lines().count() == 1, "{text}");
        assert_eq!(unknown("no a|b\nc"), "DAYTIME UNKNOWN - no a/b c\n");
    }
}
