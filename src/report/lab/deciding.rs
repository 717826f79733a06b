//! The event in a trace that decides a question, with its number, time and label.

use super::Detail;
use super::drawings::{pointer, title};
use super::observed::{name, row_name};
use super::phrases::value;
use crate::lab::question::verdict::Shown;
use crate::lab::question::{DecidingEvent, EventKind, Question};
use crate::lab::{Finding, Part, Report};
use crate::report::ladder::Pointer;
use crate::report::{escaped, packet};
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
    /// The event in the words and figures of the part's diagram.
    drawn: Pointer,
}

/// Returns the event that decides the question. Returns `None` if the lab's page does not name such an event, or if
/// none of the named events is in the diagrams of the run.
pub(crate) fn decision<'a>(report: &'a Report, question: &Question) -> Option<Decision<'a>> {
    question.decided_by.iter().find_map(|wanted| {
        let is_part = |(_, part): &(usize, &Part)| {
            part.transport == wanted.transport && wanted.part.is_none_or(|name| name == part.name)
        };
        let mut parts = report.parts().iter().enumerate().filter(is_part);
        parts.find_map(|(index, part)| {
            let found = find(part, wanted)?;
            Some(found.decision(part, wanted.kind, pointer(report, index, found.event)?))
        })
    })
}

/// An event with its number among the events of its kind, and its label.
#[derive(Debug)]
struct Found<'a> {
    number: usize,
    event: &'a Event,
    label: String,
}

/// Returns the part's first or last event with a label that contains the wanted text.
fn find<'a>(part: &'a Part, wanted: &DecidingEvent) -> Option<Found<'a>> {
    let events = part.trace.events.iter();
    let of_kind = events.filter_map(|event| Some((event, label(event, wanted.kind)?)));
    let numbered =
        (1..).zip(of_kind).map(|(number, (event, label))| Found { number, event, label });
    let mut is_after = wanted.after.is_none();
    let counts = |it: &Found| {
        let counts = is_after && it.label.contains(wanted.text);
        is_after |= wanted.after.is_some_and(|after| it.label.contains(after));
        counts
    };
    let mut found = numbered.filter(counts);
    if wanted.is_last { found.last() } else { found.next() }
}

impl Found<'_> {
    fn decision<'a>(&self, part: &'a Part, kind: EventKind, drawn: Pointer) -> Decision<'a> {
        let Self { number, event, label } = self;
        let host = part.trace.hosts.get(event.host.0).map_or("", |host| &host.name);
        Decision { part, kind, number: *number, at: event.at, host, label: label.clone(), drawn }
    }
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
    /// Returns the event in words, with its number, for a reader of the numbered tables: `Packet 7 of "TCP" decides
    /// (100.0 ms, server): ACK, arrived after 20 ms`.
    pub(crate) fn in_words(&self) -> String {
        let Self { part, kind, number, host, label, drawn, .. } = self;
        let kind = match kind {
            EventKind::Packet => "Packet",
            EventKind::Call => "Call",
            EventKind::State => "State",
        };
        format!("{kind} {number} of \"{}\" decides ({}, {host}): {label}", title(part), drawn.time)
    }

    /// Returns where a reader finds the event in the part's diagram, with its time and its text as drawn there: `Where to
    /// see it: in "TCP" at 100.0 ms, a packet from the server, "ACK", which arrives at 120.0 ms`. If the report has no
    /// diagrams, also says which option leaves them out.
    pub(crate) fn as_drawn(&self, detail: Detail) -> String {
        let Self { part, kind, host, drawn: Pointer { time, text, end, place }, .. } = self;
        let event = match kind {
            EventKind::Packet => format!("a packet from the {host}"),
            EventKind::Call => format!("a call of the {host}"),
            EventKind::State => format!("a state of the {host}"),
        };
        let end = if end.is_empty() { String::new() } else { format!(", {end}") };
        let place = place.as_ref().map(|it| format!(". It is {it}")).unwrap_or_default();
        let without = if detail == Detail::Brief { " without --brief" } else { "" };
        format!(
            "Where to see it{without}: in \"{}\" at {time}, {event}, \"{text}\"{end}{place}",
            title(part)
        )
    }
}

/// A row of the table of observed values.
#[derive(Debug)]
pub(crate) struct TableRow<'a> {
    finding: &'a Finding,
    value: String,
}

/// Returns the table rows from which the right answer follows.
pub(crate) fn rows<'a>(report: &'a Report, question: &Question, shown: Shown) -> Vec<TableRow<'a>> {
    let row = |finding: &'a Finding| {
        let value = value(finding.observed()?, report.lab.time_unit);
        Some(TableRow { finding, value })
    };
    let findings = question.deciding_findings(shown, report.findings());
    findings.into_iter().filter_map(row).collect()
}

impl TableRow<'_> {
    /// Returns the row for a record: `TCP packets sent: 7 packets`.
    pub(crate) fn in_record(&self) -> String {
        let Self { finding, value } = self;
        format!("{} {}: {value}", name(finding.transport()), finding.name())
    }

    /// Returns the row for a sentence, with its name as in the table: `"TCP: packets sent" is 7 packets`.
    pub(crate) fn in_sentence(&self) -> String {
        let Self { finding, value } = self;
        format!("\"{}\" is {value}", row_name(finding))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::question::tests::settings;
    use crate::lab::{Engine, LABS, Procedure, Setting, run_and_compare};
    use crate::report::lab::drawings;
    use crate::report::ladder::Form;

    /// Returns the settings to test. A simulated run takes almost no time, so all settings are tested. A real run is
    /// tested only with the first two.
    fn some_settings(procedure: &Procedure) -> Vec<Setting> {
        let count = if procedure.engine == Engine::Sim { usize::MAX } else { 2 };
        settings(procedure).into_iter().take(count).collect()
    }

    /// Whether the drawing of the event's part has rows that begin with the event's time and contain its text, or a line
    /// that stands for them. A long text is on several lines.
    fn is_drawn(decision: &Decision<'_>, drawings: &str) -> bool {
        let Pointer { time, text, end, place } = &decision.drawn;
        let title = title(decision.part);
        let of_part = drawings.lines().skip_while(|line| *line != title);
        let lines = of_part.take_while(|line| !line.is_empty()).chain([""; 3]);
        let lines: Vec<&str> = lines.collect();
        let pressed = |text: &str| text.replace([' ', '│', '─', '┼', '▶', '◀'], "");
        let number = |time: &str| time.split(' ').next().unwrap_or_default().to_owned();
        let of_axis = |line: &str| line.split(['│', '┊']).next().map(|it| it.trim().to_owned());
        let end = end.strip_prefix("which arrives at ").map_or(end.clone(), number);
        let is_there = lines.windows(4).any(|rows| {
            let pressed_rows = pressed(&rows.concat());
            of_axis(rows[0]) == Some(number(time))
                && [text, &end].iter().all(|it| pressed_rows.contains(&pressed(it)))
        });
        let span = place.as_ref().and_then(|it| it.split(" from ").nth(1)?.split(',').next());
        match (place, span) {
            (None, _) => is_there,
            (Some(_), Some(span)) => lines.iter().any(|it| it.contains(span)),
            (Some(_), None) => lines.iter().any(|it| it.contains("left out")),
        }
    }

    #[test]
    fn every_question_that_names_an_event_finds_one_that_is_drawn_with_its_time_and_text() {
        let mut count = 0;
        for lab in LABS {
            for procedure in lab.procedures {
                for setting in some_settings(procedure) {
                    let report = run_and_compare(lab, procedure, &setting);
                    if report.outcome.is_err() {
                        continue; // a different test reports engines that this system does not support
                    }
                    let drawings = drawings::drawings(&report, Form::Ladder(80));
                    let drawings = anstream::adapter::strip_str(&drawings).to_string();
                    for question in lab.questions(procedure, &setting) {
                        let decision = decision(&report, question);
                        let is_named = question.decided_by.is_empty() || decision.is_some();
                        let run = format!("{} on {}", lab.name, procedure.engine);
                        let options = &setting.options;
                        assert!(is_named, "{run}: nothing decides {}: {options:?}", question.id);
                        let drawn = decision.as_ref().is_none_or(|it| is_drawn(it, &drawings));
                        assert!(drawn, "{run}: {options:?}: {decision:?} in\n{drawings}");
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
        decision(&report, asked).expect("an event").in_words()
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
        let decide = |part: Option<&str>, is_last| {
            let transport = crate::transport::Transport::Tcp;
            let (kind, text) = (EventKind::Packet, "octets");
            let wanted = DecidingEvent { transport, part: None, kind, is_last, text, after: None };
            let is_part = |(_, it): &(usize, &Part)| part.is_none_or(|name| it.name == name);
            let mut parts = report.parts().iter().enumerate().filter(is_part);
            let found = parts.find_map(|(index, part)| {
                let found = find(part, &wanted)?;
                Some(found.decision(part, kind, pointer(&report, index, found.event)?))
            });
            found.map(|it| (it.in_words(), it.as_drawn(Detail::Usual)))
        };
        let (first, drawn) = decide(Some("reply lost"), false).expect("a packet");
        assert!(drawn.ends_with(", \"40 octets, FIN\", lost on purpose"), "{drawn}");
        assert_eq!(
            first,
            "Packet 4 of \"TCP, reply lost\" decides (60.0 ms, server): 40 octets, FIN, lost on purpose: the reply"
        );
        let (last, drawn) = decide(Some("reply lost"), true).expect("a packet");
        assert!(last.starts_with("Packet 5 of") && last.contains("arrived"), "{last}");
        assert_eq!(
            drawn,
            "Where to see it: in \"TCP, reply lost\" at 1060.0 ms, a packet from the server, \"again: 40 octets, FIN\", which \
             arrives at 1080.0 ms"
        );
        assert_eq!(decide(Some("nothing lost"), false), None);
    }
}
