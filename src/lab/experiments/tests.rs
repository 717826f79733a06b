//! What the tests of every lab ask of it.

use crate::lab::finding::compare;
use crate::lab::{Engine, Lab, LabOptions, Outcome, Part, Setting, Verdict};
use crate::trace::{Action, Event, HostId};
use crate::transport::Transport;
use std::collections::BTreeMap;

/// Runs a lab and has every finding as predicted, with one observation for each.
pub(super) fn as_predicted(
    lab: &'static Lab,
    engine: Engine,
    seed: u64,
    options: LabOptions,
) -> Outcome {
    let (procedure, setting) =
        (lab.procedure_on(engine).expect("it runs there"), Setting { seed, options });
    for option in setting.options.given() {
        let range = procedure.range_of(option).expect("it has the option");
        assert!(setting.options.of(option).into_iter().all(|at| range.allows(at)), "{setting:?}");
    }
    let run = procedure.perform(&setting).expect("nothing is in the way");
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

/// The same for a lab on loopback, where nothing comes from a seed, but much from the moment.
pub(super) fn all_is_as_predicted(lab: &'static Lab, options: LabOptions) -> Outcome {
    let outcome = as_predicted(lab, Engine::Loopback, 0, options);
    for finding in &outcome.findings {
        let what = finding.prediction.what;
        assert!(what.chars().count() <= COLUMN, "{what:?} needs two lines");
    }
    for part in &outcome.parts {
        no_effect_is_before_its_cause(part);
    }
    outcome
}

/// The columns that a screen has for what a finding is about.
const COLUMN: usize = 24;

/// At no moment has anybody taken what nobody has given: octets of a stream, datagrams one by one. Where a
/// server's own calls are not in the trace, nothing can be said of what its clients took.
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

/// A call that succeeded, or several that did the same.
struct Success<'a> {
    host: HostId,
    call: &'a str,
    times: i64,
    /// Of all of them.
    octets: i64,
}

impl Success<'_> {
    fn is(&self, name: &str) -> bool {
        self.call.starts_with(name)
    }
}

/// An outcome that is an error begins with its name.
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

/// True if such a call stands in a trace.
pub(super) fn is_shown(outcome: &Outcome, call: &str) -> bool {
    let mut events = outcome.parts.iter().flat_map(|part| &part.trace.events);
    events.any(|event| matches!(&event.action, Action::Call { call: shown, .. } if shown == call))
}
