//! Assertions shared by the labs' tests.

use crate::lab::finding::compare;
use crate::lab::{Engine, Lab, LabOptions, Outcome, Part, Setting, Verdict};
use crate::trace::{Action, Event, HostId};
use crate::transport::Transport;
use std::collections::BTreeMap;

/// Runs a lab, and asserts that there is exactly one observation for each prediction, and that the two agree.
pub(super) fn as_predicted(
    lab: &'static Lab,
    engine: Engine,
    seed: u64,
    options: LabOptions,
) -> Outcome {
    let (procedure, setting) =
        (lab.procedure_on(engine).expect("the lab has this engine"), Setting { seed, options });
    for option in setting.options.given() {
        let range = procedure.range_of(option).expect("it has the option");
        assert!(setting.options.of(option).into_iter().all(|at| range.allows(at)), "{setting:?}");
    }
    let run = procedure.perform(&setting).expect("the lab runs here");
    let mut observed: Vec<_> = run.observed.iter().map(|it| (it.transport, &*it.what)).collect();
    let predictions = (procedure.predict)(&setting);
    let mut predicted: Vec<_> = predictions.iter().map(|it| (it.transport, it.what)).collect();
    observed.sort_unstable();
    predicted.sort_unstable();
    assert_eq!(observed, predicted, "one observation for each prediction");
    assert!(predicted.windows(2).all(|two| two[0] != two[1]), "twice the same: {predicted:?}");
    let findings = compare(predictions, &run.observed);
    let outcome = Outcome { findings, parts: run.parts };
    assert!(!outcome.findings.is_empty());
    for finding in &outcome.findings {
        let agrees = matches!(finding.verdict, Verdict::AsPredicted | Verdict::Observed);
        assert!(agrees, "{setting:?}: {finding:?}");
    }
    outcome
}

/// Runs a lab on loopback, and asserts that each observation agrees with its prediction. Also asserts that the labels
/// fit into their column and that no effect precedes its cause.
pub(super) fn all_is_as_predicted(lab: &'static Lab, options: LabOptions) -> Outcome {
    let outcome = as_predicted(lab, Engine::Loopback, 0, options);
    for finding in &outcome.findings {
        let what = finding.prediction.what;
        assert!(what.chars().count() <= COLUMN, "{what:?} is longer than a line of its column");
    }
    for part in &outcome.parts {
        no_effect_is_before_its_cause(part);
    }
    labels_name_calls_as_drawn(&outcome);
    outcome
}

/// Asserts that each call in a label, such as `recvfrom()`, has the same name in a drawing.
fn labels_name_calls_as_drawn(outcome: &Outcome) {
    let calls: Vec<&str> = outcome
        .parts
        .iter()
        .flat_map(|part| &part.trace.events)
        .filter_map(|event| match &event.action {
            Action::Call { call, .. } => call.split('(').next(),
            _ => None,
        })
        .collect();
    for finding in &outcome.findings {
        let words = finding.prediction.what.split(' ');
        for word in words.filter_map(|word| word.trim_end_matches(',').strip_suffix("()")) {
            assert!(calls.contains(&word), "{:?}: {calls:?}", finding.prediction.what);
        }
    }
}

/// Width in columns of a finding's label in the table.
const COLUMN: usize = 24;

/// Asserts that, at any time, no host has received more than the other hosts have sent: octets over TCP, datagrams over
/// UDP. Skips a part whose trace does not show the server's calls, because it does not show the server's sends either.
fn no_effect_is_before_its_cause(part: &Part) {
    let calls: Vec<Success> = part.trace.events.iter().filter_map(success).collect();
    if !calls.iter().any(|it| part.trace.hosts[it.host.0].name.ends_with("server")) {
        return;
    }
    let (mut connected, mut given) = (0, BTreeMap::<HostId, i64>::new());
    let mut taken = given.clone();
    for success in &calls {
        let amount = if part.transport == Transport::Tcp { success.octets } else { success.times };
        if success.is("connect") {
            connected += success.times;
        } else if success.is("accept") {
            connected -= success.times;
        } else if success.is("send") {
            *given.entry(success.host).or_default() += amount;
        } else if success.is("recv") {
            *taken.entry(success.host).or_default() += amount;
        }
        let by_others = |host| given.iter().filter(|(it, _)| **it != host).map(|it| it.1).sum();
        assert!(connected >= 0, "accepted before it connected: {part:?}");
        assert!(taken.iter().all(|(host, octets)| *octets <= by_others(*host)), "{part:?}");
    }
}

/// A successful call, or several equal successful calls merged into one trace entry.
struct Success<'a> {
    host: HostId,
    call: &'a str,
    times: i64,
    /// Total number of octets in all these calls.
    octets: i64,
}

impl Success<'_> {
    fn is(&self, name: &str) -> bool {
        self.call.starts_with(name)
    }
}

/// Returns the event's call if it succeeded; `None` for a failed call, whose outcome begins with the error's name, and
/// for other events.
fn success(event: &Event) -> Option<Success<'_>> {
    let Action::Call { call, outcome } = &event.action else { return None };
    if outcome.starts_with('E') {
        return None;
    }
    let times = call.split_once(" × ").map_or(1, |(_, times)| times.parse().expect("a number"));
    let octets = match outcome.split_once(" octet") {
        Some((octets, _)) => octets.parse().unwrap_or(0),
        None => 0,
    };
    Some(Success { host: event.host, call, times, octets: times * octets })
}

/// Returns whether any of the traces shows this call.
pub(super) fn is_shown(outcome: &Outcome, call: &str) -> bool {
    let mut events = outcome.parts.iter().flat_map(|part| &part.trace.events);
    events.any(|event| matches!(&event.action, Action::Call { call: shown, .. } if shown == call))
}
