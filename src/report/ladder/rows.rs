//! The rows of a ladder. Repeated calls are merged into one row, and each duplicate of a packet has its own row.

use super::retransmissions::Retransmissions;
use crate::report::{escaped, packet, plural};
use crate::trace::{Action, Event, Fate, HostId, Loss, Packet, Trace};
use crate::wire::decode::{Content, Decoded, Flags, decode};
use std::time::Duration;

/// A row of a diagram: an action or a packet, with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub at: Duration,
    pub item: Item,
    /// Number of trace events that this row shows or, if it is a fold, hides. Equal calls that are merged into one row
    /// count as one event.
    pub events: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    Call(HostId, String),
    State(HostId, String),
    Arrow(Arrow),
    /// A fold, which replaces repeated rows.
    Folded(Fold),
}

/// A line that replaces rows that are already drawn elsewhere. The line says which rows it replaces, how often they
/// occur, and how much time they span.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fold {
    pub kind: FoldKind,
    /// Number of rows in the group that repeats.
    pub rows: usize,
    /// Time of the first row in the first occurrence of the group.
    pub from: Duration,
    /// Time of the last row in the last occurrence of the group.
    pub until: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FoldKind {
    /// How often the group above this line occurs.
    Repeated(usize),
    /// How often the group above this line occurs, if its occurrences are interleaved with those of the groups in the
    /// adjacent folds.
    Alternating(usize),
    /// The group above this line occurs `times` times. Interleaved with these occurrences, the same group occurs
    /// `other_times` times with the host `other` in place of another host.
    Mirrored { times: usize, other: String, other_times: usize },
    /// The ladder with this name already shows the same rows.
    SameAs(String),
}

impl Fold {
    /// Returns the fold's text; `span` is the formatted time span.
    pub(super) fn words(&self, span: &str) -> String {
        let rows = match self.rows {
            1 => "this row".to_owned(),
            rows => format!("these {rows} rows"),
        };
        match &self.kind {
            FoldKind::Repeated(times) => format!("{rows} × {times}, {span}"),
            FoldKind::Alternating(times) => format!("{rows} × {times} in mixed order, {span}"),
            FoldKind::Mirrored { times, other, other_times } => {
                format!("{rows} × {times}, with the {other} × {other_times}, {span}")
            }
            FoldKind::SameAs(name) => format!("{span}: {} rows as in {name}", self.rows),
        }
    }
}

/// A packet, drawn as an arrow between two hosts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Arrow {
    pub from: HostId,
    pub to: HostId,
    pub label: String,
    /// The payload as quoted text that is safe to print; empty if there is no payload.
    pub payload: String,
    /// Whether the packet is a reset or an ICMP error.
    pub is_error: bool,
    pub end: ArrowEnd,
    pub kind: ArrowKind,
}

/// The known fate of a packet, which determines how the packet's arrow ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ArrowEnd {
    Arrived(Duration),
    /// The link dropped the packet, for this reason.
    Lost(String),
    /// The packet reached the receiver, which dropped it for this reason.
    Refused(String),
    /// The packet was captured in one place only, so it is unknown whether it arrived.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ArrowKind {
    Usual,
    /// The host has already sent these octets, or this SYN or FIN.
    Retransmitted,
    /// A packet sent later arrived before this one.
    Overtaken,
    /// A further copy of a packet that has already arrived.
    Duplicate,
}

/// Minimum number of equal consecutive calls to merge into one row. Two rows take no longer to read than one row with a
/// count.
const MIN_REPEATS: usize = 3;

/// Returns the rows of a trace, ordered by time.
pub(super) fn rows(trace: &Trace) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut sent = Retransmissions::default();
    for Event { at, host, action } in trace.with_repeats_joined(MIN_REPEATS).events {
        match action {
            Action::Call { call, outcome } => {
                let item = Item::Call(host, call_text(&call, &outcome));
                rows.push(Row { at, item, events: 1 });
            }
            Action::State(_, state) => {
                let item = Item::State(host, state_text(&state));
                rows.push(Row { at, item, events: 1 });
            }
            Action::Packet(Packet { to, octets, fate }) => {
                let arrow = match decode(&octets) {
                    Some(decoded) => Arrow::of(&decoded, host, to, sent.record(host, &decoded)),
                    None => Arrow::labelled(host, to, plural(octets.len() as u64, "octet")),
                };
                rows.extend(arrow.rows(at, &fate));
            }
        }
    }
    in_order(rows)
}

/// Sorts rows by time, and marks each packet that a later packet overtakes. The rows need sorting because a duplicate's
/// time is its arrival time.
pub(super) fn in_order(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by_key(|row| row.at);
    let overtaken: Vec<usize> = (0..rows.len())
        .filter(|number| is_overtaken(&rows[*number], &rows[number + 1..]))
        .collect();
    for number in overtaken {
        if let Item::Arrow(Arrow { kind, .. }) = &mut rows[number].item {
            *kind = ArrowKind::Overtaken;
        }
    }
    rows
}

/// Whether a packet sent later in the same direction arrives before this packet.
fn is_overtaken(row: &Row, later: &[Row]) -> bool {
    let Item::Arrow(Arrow {
        from, to, end: ArrowEnd::Arrived(comes), kind: ArrowKind::Usual, ..
    }) = &row.item
    else {
        return false;
    };
    later.iter().take_while(|row| row.at < *comes).any(|row| match &row.item {
        Item::Arrow(other) if other.kind != ArrowKind::Duplicate => {
            (other.from, other.to) == (*from, *to)
                && matches!(other.end, ArrowEnd::Arrived(at) if at < *comes)
        }
        Item::Arrow(_) | Item::Call(..) | Item::Folded(_) | Item::State(..) => false,
    })
}

/// Formats the state of a TCP connection: `[CLOSED]`.
pub(super) fn state_text(state: &str) -> String {
    format!("[{}]", escaped(state))
}

/// Formats a call and its outcome in the style of strace(1): `recv(10) = 10 octets`.
pub(super) fn call_text(call: &str, outcome: &str) -> String {
    match outcome {
        "" => escaped(call),
        outcome => format!("{} = {}", escaped(call), escaped(outcome)),
    }
}

impl Arrow {
    /// Creates the arrow for a packet that the host `from` sends. How the arrow ends is not known yet.
    pub(super) fn of(packet: &Decoded, from: HostId, to: HostId, is_retransmission: bool) -> Self {
        let is_error = match packet.content {
            Content::Icmp { .. } => true,
            Content::Tcp { flags, .. } => flags.contains(Flags::RST),
            _ => false,
        };
        let (kind, payload) = match &packet.content {
            // The diagram already shows the payload where it was first transmitted.
            _ if is_retransmission => (ArrowKind::Retransmitted, String::new()),
            Content::Tcp { payload, .. } | Content::Udp { payload } if !payload.is_empty() => {
                (ArrowKind::Usual, packet::quoted(payload))
            }
            _ => (ArrowKind::Usual, String::new()),
        };
        Self { payload, is_error, kind, ..Self::labelled(from, to, packet::label(packet)) }
    }

    fn labelled(from: HostId, to: HostId, label: String) -> Self {
        let (payload, end, kind) = (String::new(), ArrowEnd::Unknown, ArrowKind::Usual);
        Self { from, to, label, payload, is_error: false, end, kind }
    }

    /// Returns one row for each copy of the packet that arrives, or a single row if none does.
    pub(super) fn rows(self, at: Duration, fate: &Fate) -> Vec<Row> {
        let (end, copies) = match fate {
            Fate::Arrived(times) => match &times[..] {
                [first, copies @ ..] => (ArrowEnd::Arrived(*first), copies),
                [] => (ArrowEnd::Unknown, &[][..]),
            },
            Fate::Lost(loss) => (lost(*loss), &[][..]),
            Fate::Seen => (ArrowEnd::Unknown, &[][..]),
        };
        let copy = |at: &Duration| {
            let arrow = Self::labelled(self.from, self.to, self.label.clone());
            let arrow = Self { end: ArrowEnd::Arrived(*at), kind: ArrowKind::Duplicate, ..arrow };
            Row { at: *at, item: Item::Arrow(arrow), events: 0 }
        };
        let copies: Vec<Row> = copies.iter().map(copy).collect();
        let first = Row { at, item: Item::Arrow(Self { end, ..self }), events: 1 };
        std::iter::once(first).chain(copies).collect()
    }
}

fn lost(loss: Loss) -> ArrowEnd {
    match loss {
        Loss::Chance => ArrowEnd::Lost("lost".to_owned()),
        Loss::Cut => ArrowEnd::Lost("lost: link cut".to_owned()),
        Loss::Ordered(_) | Loss::Reply => ArrowEnd::Lost("lost on purpose".to_owned()),
        Loss::Overflow => ArrowEnd::Refused("dropped".to_owned()),
    }
}
