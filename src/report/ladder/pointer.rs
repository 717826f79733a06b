//! Describes an event as its ladder shows it, so that a sentence can point to its row.

use super::fold::{Reference, fold};
use super::layout::{Layout, labelled};
use super::rows::{Arrow, ArrowEnd, ArrowKind, FoldKind, Item, Row, call_text, rows, state_text};
use super::{MIN_WIDTH, ReferenceTrace, ShownRows, reference_rows};
use crate::duration::Unit;
use crate::report::packet;
use crate::trace::{Action, Event, Trace};
use crate::wire::decode::decode;

/// An event in the words and figures of its ladder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pointer {
    /// The time on the time axis, with its unit: `20.0 ms`.
    pub time: String,
    /// The text at the arrow or at the host's line: `again: SYN`, `recv(10) = 10 octets`, `[CLOSED]`.
    pub text: String,
    /// The end of a packet's arrow, such as `which arrives at 40.0 ms` or `lost on purpose`; empty for other events.
    pub end: String,
    /// The place of an event that has no row of its own: `one of the repeated rows from 1.0 to 9.0 ms`.
    pub place: Option<String>,
}

/// Describes an event of a trace whose ladder has a time axis in this unit, and leaves out rows of the `other` trace.
/// Returns `None` if the ladder has no row for this event.
pub(crate) fn pointer(
    trace: &Trace,
    other: Option<ReferenceTrace<'_>>,
    event: &Event,
    unit: Unit,
) -> Option<Pointer> {
    let rows = rows(trace);
    let layout = Layout::new(&trace.hosts, &rows, unit, MIN_WIDTH);
    let row = rows.iter().find(|row| shows(row, event))?;
    let (text, end) = match &row.item {
        Item::Call(_, text) | Item::State(_, text) => (text.clone(), String::new()),
        Item::Arrow(arrow) => (labelled(arrow), end(&arrow.end, &layout)),
        Item::Folded(_) => return None,
    };
    let other = reference_rows(trace, other);
    let other = other.as_ref().map(|(rows, name)| Reference { rows, name });
    let place = place(row, &fold(&rows, &trace.hosts, other), &layout);
    Some(Pointer { time: layout.time(row.at), text, end, place })
}

/// Returns the place of a row that a ladder with these rows does not show.
fn place(row: &Row, folded: &[Row], layout: &Layout) -> Option<String> {
    let shown = ShownRows::of(folded, 0);
    let shown: Vec<&Row> = shown.first.iter().chain(shown.last).collect();
    if shown.contains(&row) {
        return None;
    }
    let fold = shown.iter().find_map(|it| match &it.item {
        Item::Folded(fold) if (fold.from..=fold.until).contains(&row.at) => Some(fold),
        _ => None,
    });
    let Some(fold) = fold else { return Some("one of the events left out".to_owned()) };
    let span = layout.span(fold.from, fold.until);
    Some(match &fold.kind {
        FoldKind::SameAs(name) => format!("one of the rows from {span}, which are as in {name}"),
        _ => format!("one of the repeated rows from {span}"),
    })
}

fn shows(row: &Row, event: &Event) -> bool {
    let is_same = match (&row.item, &event.action) {
        (Item::Call(host, text), Action::Call { call, outcome }) => {
            *host == event.host && *text == call_text(call, outcome)
        }
        (Item::State(host, text), Action::State(_, state)) => {
            *host == event.host && *text == state_text(state)
        }
        (Item::Arrow(arrow), Action::Packet(packet)) => {
            let Arrow { from, to, label, kind, .. } = arrow;
            (*from, *to) == (event.host, packet.to)
                && *kind != ArrowKind::Duplicate
                && decode(&packet.octets).is_none_or(|it| *label == packet::label(&it))
        }
        _ => false,
    };
    row.at == event.at && is_same
}

fn end(end: &ArrowEnd, layout: &Layout) -> String {
    match end {
        ArrowEnd::Arrived(at) => format!("which arrives at {}", layout.time(*at)),
        ArrowEnd::Lost(why) | ArrowEnd::Refused(why) => why.clone(),
        ArrowEnd::Unknown => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Fate, Host, HostId, Loss, Packet};
    use crate::transport::Transport;
    use std::time::Duration;

    const MS: Duration = Duration::from_millis(1);

    fn two() -> Trace {
        let host = |name: &str| Host { name: name.into(), addresses: Vec::new() };
        Trace::between(vec![host("client"), host("server")])
    }

    fn push(trace: &mut Trace, at: u32, action: Action) -> Event {
        let event = Event { at: at * MS, host: HostId(0), action };
        trace.push(event.clone());
        event
    }

    fn call(name: String) -> Action {
        Action::Call { call: name, outcome: "done".into() }
    }

    fn packet(fate: Fate) -> Action {
        Action::Packet(Packet { to: HostId(1), octets: vec![0; 5], fate })
    }

    /// Describes the event as text: `TIME: TEXT, END; PLACE`.
    fn described(trace: &Trace, other: Option<&Trace>, event: &Event) -> Option<String> {
        let other = other.map(|trace| ReferenceTrace { trace, name: "the first" });
        let pointer = pointer(trace, other, event, Unit::Milliseconds)?;
        let Pointer { time, text, end, place } = pointer;
        Some(format!("{time}: {text}, {end}; {}", place.unwrap_or_default()))
    }

    #[test]
    fn an_event_has_the_time_the_text_and_the_end_of_its_row() {
        let mut trace = two();
        let arrives = push(&mut trace, 1, packet(Fate::Arrived(vec![3 * MS, 4 * MS])));
        let lost = push(&mut trace, 2, packet(Fate::Lost(Loss::Cut)));
        let call = push(&mut trace, 3, call("send(5)".into()));
        let state = push(&mut trace, 3, Action::State(Transport::Tcp, "CLOSED".into()));
        let described = |event| described(&trace, None, event).expect("a row");
        assert_eq!(described(&arrives), "1.000 ms: 5 octets, which arrives at 3.000 ms; ");
        assert_eq!(described(&lost), "2.000 ms: 5 octets, lost: link cut; ");
        assert_eq!(described(&call), "3.000 ms: send(5) = done, ; ");
        assert_eq!(described(&state), "3.000 ms: [CLOSED], ; ");
    }

    #[test]
    fn an_event_without_a_row_of_its_own_has_the_line_that_replaces_it() {
        let mut trace = two();
        let mut last = None;
        for at in 0..20 {
            push(&mut trace, 2 * at, call("send(5)".into()));
            last = Some(push(&mut trace, 2 * at, packet(Fate::Seen)));
        }
        let place = "one of the repeated rows from 0.0 to 38.0 ms";
        let expected = Some(format!("38.0 ms: 5 octets, ; {place}"));
        assert_eq!(described(&trace, None, last.as_ref().expect("events")), expected);

        let (mut first, mut second) = (two(), two());
        let mut event = None;
        for trace in [&mut first, &mut second] {
            for number in 0..9 {
                event = Some(push(trace, number, call(format!("send({number})"))));
            }
        }
        let place = "one of the rows from 0.000 to 8.000 ms, which are as in the first";
        let expected = Some(format!("8.000 ms: send(8) = done, ; {place}"));
        assert_eq!(described(&second, Some(&first), event.as_ref().expect("events")), expected);

        let mut long = two();
        let events: Vec<Event> = (0..100)
            .map(|number| push(&mut long, number, call(format!("send({number})"))))
            .collect();
        let expected = Some("50.0 ms: send(50) = done, ; one of the events left out".to_owned());
        assert_eq!(described(&long, None, &events[50]), expected);
        assert_eq!(described(&two(), None, &events[50]), None, "another trace");
    }
}
