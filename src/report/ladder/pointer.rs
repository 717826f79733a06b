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
/// Returns `None` if no row of the ladder stands for this event.
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
