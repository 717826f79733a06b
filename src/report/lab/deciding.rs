//! The event in a trace that decides a question, with its number, time and label.

use super::drawings::{axis_unit, title};
use super::observed::name;
use super::phrases::value;
use crate::duration::Unit;
use crate::lab::question::verdict::Shown;
use crate::lab::question::{DecidingEvent, EventKind, Question};
use crate::lab::{Finding, Part, Report};
use crate::report::{escaped, ladder, packet};
use crate::trace::{Action, Event, Packet};
use crate::wire::decode::decode;
use std::time::Duration;

/// The event that decides a question.
#[derive(Debug)]
pub(crate) struct Decision<'a> {
    pub part: &'a Part,
    pub kind: EventKind,
    /// The number of the packet, call or state within its part of the run (1-based, ordered by time).
    pub number: usize,
    pub at: Duration,
    pub host: &'a str,
    /// A packet's content and fate, a call and its result, or a state.
    pub label: String,
}

/// Returns the event that decides the question. Returns `None` if the lab's page does not name such an event, or if
/// none of the named events occurs in the run.
pub(crate) fn decision<'a>(report: &'a Report, question: &Question) -> Option<Decision<'a>> {
    question.decided_by.iter().find_map(|wanted| {
        let is_part = |part: &&Part| {
            part.transport == wanted.transport && wanted.part.is_none_or(|name| name == part.name)
        };
        report.parts().iter().filter(is_part).find_map(|part| find(part, wanted))
    })
}

/// Returns the part's first or last event with a label that contains the wanted text.
fn find<'a>(part: &'a Part, wanted: &DecidingEvent) -> Option<Decision<'a>> {
    let events = part.trace.events.iter();
    let of_kind = events.filter_map(|event| Some((event, label(event, wanted.kind)?)));
    let mut is_after = wanted.after.is_none();
    let counts = |(_, (_, label)): &(usize, (&Event, String))| {
        let counts = is_after && label.contains(wanted.text);
        is_after |= wanted.after.is_some_and(|after| label.contains(after));
        counts
    };
    let mut found = of_kind.enumerate().filter(counts).map(|(index, (event, label))| Decision {
        part,
        kind: wanted.kind,
        number: index + 1,
        at: event.at,
        host: part.trace.hosts.get(event.host.0).map_or("", |host| &host.name),
        label,
    });
    if wanted.is_last { found.last() } else { found.next() }
}

/// Returns the event's label; `None` if the event is of a different kind.
fn label(event: &Event, kind: EventKind) -> Option<String> {
    match (&event.action, kind) {
        (Action::Packet(Packet { octets, fate, .. }), EventKind::Packet) => {
            let content = decode(octets).map_or("packet".to_owned(), |it| packet::label(&it));
            Some(format!("{content}, {}", fate.words(event.at)))
        }
        (Action::Call { call, outcome }, EventKind::Call) if outcome.is_empty() => {
            Some(escaped(call))
        }
        (Action::Call { call, outcome }, EventKind::Call) => {
            Some(escaped(&format!("{call} = {outcome}")))
        }
        (Action::State(_, state), EventKind::State) => Some(escaped(state)),
        _ => None,
    }
}

impl Decision<'_> {
    /// Returns the event in words, such as `Packet 7 of "TCP" decides (100.0 ms, server): ACK, arrived after 20 ms`. The
    /// time has as many decimals as in the drawing, so that a reader finds the event there.
    pub(crate) fn in_words(&self, unit: Unit) -> String {
        let Self { part, kind, number, at, host, label } = self;
        let kind = match kind {
            EventKind::Packet => "Packet",
            EventKind::Call => "Call",
            EventKind::State => "State",
        };
        let time = unit.decimal(*at, ladder::decimals(&part.trace, unit));
        let (part, unit) = (title(part), unit.name());
        format!("{kind} {number} of \"{part}\" decides ({time} {unit}, {host}): {label}")
    }
}

/// Returns the unit of time in a run's diagrams. The time of the deciding event has the same unit.
pub(crate) fn unit(report: &Report) -> Unit {
    axis_unit(report)
}

/// Returns the table rows from which the right answer follows, such as `TCP packets sent: 7 packets`.
pub(crate) fn rows(report: &Report, question: &Question, shown: Shown) -> Vec<String> {
    let row = |finding: &Finding| {
        let observed = value(finding.observed()?, report.lab.time_unit);
        Some(format!("{} {}: {observed}", name(finding.transport()), finding.name()))
    };
    let findings = question.deciding_findings(shown, report.findings());
    findings.into_iter().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::question::tests::settings;
    use crate::lab::{Engine, LABS, Procedure, Setting, run_and_compare};

    /// Returns the settings to test. A simulated run takes almost no time, so all settings are tested. A real run is
    /// tested only with the first two.
    fn some_settings(procedure: &Procedure) -> Vec<Setting> {
        let count = if procedure.engine == Engine::Sim { usize::MAX } else { 2 };
        settings(procedure).into_iter().take(count).collect()
    }

    #[test]
    fn every_question_that_names_an_event_finds_one_in_each_run() {
        let mut count = 0;
        for lab in LABS {
            for procedure in lab.procedures {
                for setting in some_settings(procedure) {
                    let report = run_and_compare(lab, procedure, &setting);
                    if report.outcome.is_err() {
                        continue; // a different test reports engines that this system does not support
                    }
                    for question in lab.questions(procedure, &setting) {
                        let decision = decision(&report, question);
                        let is_named = question.decided_by.is_empty() || decision.is_some();
                        let run = format!("{} on {}", lab.name, procedure.engine);
                        let options = &setting.options;
                        assert!(is_named, "{run}: nothing decides {}: {options:?}", question.id);
                        count += usize::from(decision.is_some());
                    }
                }
            }
        }
        assert!(count > 30, "{count}");
    }

    /// Returns the event that decides a question, in words.
    #[cfg(all(feature = "client", feature = "server"))]
    fn deciding_event(lab: &str, question: &str) -> String {
        let lab = crate::lab::find(lab).expect("a lab");
        let report = run_and_compare(lab, &lab.procedures[0], &Setting::default());
        let asked = lab.text.questions.iter().find(|it| it.id == question).expect("a question");
        decision(&report, asked).expect("an event").in_words(unit(&report))
    }

    #[cfg(all(feature = "client", feature = "server"))]
    #[test]
    fn the_read_after_the_one_with_the_small_buffer_decides_what_became_of_the_rest() {
        let event = deciding_event("truncate", "tcp-rest");
        assert!(
            event.starts_with("Call 7 of \"TCP\"") && event.ends_with("= 16 octets"),
            "{event}"
        );
    }

    #[cfg(all(feature = "client", feature = "server"))]
    #[test]
    fn the_time_of_the_event_has_as_many_decimals_as_its_drawing() {
        let event = deciding_event("refused", "udp-connected");
        let (_, rest) = event.split_once(" decides (").expect("a time");
        let (time, _) = rest.split_once(" ms").expect("milliseconds");
        assert_eq!(time.split_once('.').map(|(_, decimals)| decimals.len()), Some(3), "{event}");
    }

    #[test]
    fn the_last_event_and_the_part_can_be_named() {
        let loss = crate::lab::find("loss").expect("a lab");
        let report = run_and_compare(loss, &loss.procedures[0], &Setting::default());
        let decide = |part, is_last| {
            let transport = crate::transport::Transport::Tcp;
            let (kind, text) = (EventKind::Packet, "octets");
            let wanted = [DecidingEvent { transport, part, kind, is_last, text, after: None }];
            let found = wanted.iter().find_map(|wanted| {
                let is_part = |it: &&Part| part.is_none_or(|name| it.name == name);
                report.parts().iter().filter(is_part).find_map(|part| find(part, wanted))
            });
            found.map(|it| it.in_words(Unit::Milliseconds))
        };
        let first = decide(Some("reply lost"), false).expect("a packet");
        assert_eq!(
            first,
            "Packet 4 of \"TCP, reply lost\" decides (60.0 ms, server): 40 octets, FIN, lost on purpose: the reply"
        );
        let last = decide(Some("reply lost"), true).expect("a packet");
        assert!(last.starts_with("Packet 5 of") && last.contains("arrived"), "{last}");
        assert_eq!(decide(Some("nothing lost"), false), None);
    }
}
