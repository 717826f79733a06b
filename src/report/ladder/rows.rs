//! The rows of a ladder: repeated calls are one row, and a duplicate of a packet has a row of its own.

use super::retransmissions::Retransmissions;
use crate::report::{escaped, packet, plural};
use crate::trace::{Action, Event, Fate, HostId, Loss, Packet, Trace};
use crate::wire::decode::{Content, Decoded, Flags, decode};
use std::time::Duration;

/// Something to draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub at: Duration,
    pub item: Item,
    /// Number of events of the trace in this row.
    pub events: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    Call(HostId, String),
    State(HostId, String),
    Arrow(Arrow),
    /// Rows that repeat.
    Folded(Fold),
}

/// A line in place of rows that repeat.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fold {
    pub kind: FoldKind,
    /// Number of rows in the group.
    pub rows: usize,
    /// Time of the first row of the first group.
    pub from: Duration,
    /// Time of the last row of the last group.
    pub until: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FoldKind {
    /// The group above this line occurs this many times.
    Repeated(usize),
    /// The same, and the groups of the neighbouring folds occur in between.
    Alternating(usize),
    /// The ladder with this name shows the same rows.
    SameAs(String),
}

impl Fold {
    /// The text of the line; `span` formats two times.
    pub(super) fn words(&self, span: &str) -> String {
        let rows = match self.rows {
            1 => "this row".to_owned(),
            rows => format!("these {rows} rows"),
        };
        match &self.kind {
            FoldKind::Repeated(times) => format!("{rows} × {times}, {span}"),
            FoldKind::Alternating(times) => format!("{rows} × {times} in mixed order, {span}"),
            FoldKind::SameAs(name) => format!("{} rows as in {name}, {span}", self.rows),
        }
    }
}

/// A packet on its way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Arrow {
    pub from: HostId,
    pub to: HostId,
    pub label: String,
    /// What it carries for an application, safe to show; empty if nothing.
    pub payload: String,
    /// A reset, or an ICMP error.
    pub is_error: bool,
    pub end: ArrowEnd,
    pub kind: ArrowKind,
}

/// How an arrow ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ArrowEnd {
    Arrived(Duration),
    /// Somewhere on its way.
    Lost(String),
    /// At the receiver, which had no room for it.
    Refused(String),
    /// It was seen in one place only.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ArrowKind {
    Usual,
    /// TCP sent these octets, or this SYN or FIN, before.
    Retransmitted,
    /// A later packet arrived before it.
    Overtaken,
    /// The link delivered it a second time.
    Duplicate,
}

/// Repeats of a call from which on they are one row: two are no more to read than one with a note.
const MIN_REPEATS: usize = 3;

/// By time.
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
                let item = Item::State(host, format!("[{}]", escaped(&state)));
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

/// By time, since a packet that comes a second time has a row where its time has it, with those marked that a
/// later one overtakes.
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

/// True if one that is sent later the same way comes before it.
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

/// As a trace of system calls has it: `recv(10) = 10 octets`.
fn call_text(call: &str, outcome: &str) -> String {
    match outcome {
        "" => escaped(call),
        outcome => format!("{} = {}", escaped(call), escaped(outcome)),
    }
}

impl Arrow {
    /// A packet that a host has sent; how it ends is not known yet.
    pub(super) fn of(packet: &Decoded, from: HostId, to: HostId, is_retransmission: bool) -> Self {
        let is_error = match packet.content {
            Content::Icmp { .. } => true,
            Content::Tcp { flags, .. } => flags.contains(Flags::RST),
            _ => false,
        };
        let (kind, payload) = match &packet.content {
            // A second time there is nothing new in it.
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

    /// One row for each time that the packet arrives, or one if it does not.
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
