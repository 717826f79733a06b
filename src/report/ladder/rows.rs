//! What is drawn of a trace, row by row: repeated calls as one, and the second coming of a packet as a
//! row of its own.

use super::again::Again;
use crate::reply::Printable;
use crate::report::{packet, plural, shown};
use crate::trace::{Event, Fate, HostId, Loss, Packet, Trace, What};
use crate::wire::decode::{Kind as Carried, decode};
use std::time::Duration;

/// Something to draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub at: Duration,
    pub item: Item,
    /// How many events of the trace it stands for.
    pub events: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Call(HostId, String),
    State(HostId, String),
    Arrow(Arrow),
}

/// A packet on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arrow {
    pub from: HostId,
    pub to: HostId,
    pub label: String,
    /// What it carries for an application, safe to show; empty if nothing.
    pub payload: String,
    pub end: End,
    pub kind: Kind,
}

/// How an arrow ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Arrived(Duration),
    /// Somewhere on its way.
    Lost(String),
    /// At the receiver, which had no room for it.
    Refused(String),
    /// Nobody knows.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Usual,
    /// TCP sent these octets, or this SYN or FIN, before.
    Retransmitted,
    /// A later packet came before it.
    Overtaken,
    /// The link made it out of one that has come already.
    Duplicate,
}

/// By time.
pub(super) fn rows(trace: &Trace) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut again = Again::default();
    let mut events = &trace.events[..];
    while let [event, rest @ ..] = events {
        let same = |it: &&Event| it.host == event.host && it.what == event.what;
        let mut repeats = 0;
        match &event.what {
            What::Call { call, outcome } => {
                // Two are no more to read than one with a note.
                repeats =
                    Some(rest.iter().take_while(same).count()).filter(|it| *it > 1).unwrap_or(0);
                let item = Item::Call(event.host, call_text(call, outcome, repeats + 1));
                rows.push(Row { at: event.at, item, events: repeats as u64 + 1 });
            }
            What::State(_, state) => {
                let item = Item::State(event.host, format!("[{}]", shown(state)));
                rows.push(Row { at: event.at, item, events: 1 });
            }
            What::Packet(packet) => {
                let kind = match again.is(event.host, &packet.octets) {
                    true => Kind::Retransmitted,
                    false if is_overtaken(packet, event.host, rest) => Kind::Overtaken,
                    false => Kind::Usual,
                };
                arrows(event, packet, kind, &mut rows);
            }
        }
        events = &rest[repeats..];
    }
    // The second coming of a packet stands where its time has it; the rest is in order already.
    rows.sort_by_key(|row| row.at);
    rows
}

/// As a trace of system calls has it: `recv(10) = 10 octets`.
fn call_text(call: &str, outcome: &str, times: usize) -> String {
    let call = match outcome {
        "" => shown(call),
        outcome => format!("{} = {}", shown(call), shown(outcome)),
    };
    match times {
        1 => call,
        times => format!("{call}, {}", plural(times as u64, "time")),
    }
}

/// One for each time that the packet comes, or one for that it does not.
fn arrows(event: &Event, packet: &Packet, kind: Kind, rows: &mut Vec<Row>) {
    let (label, payload) = content(&packet.octets);
    let arrow = |end, kind| {
        // A second time there is nothing new in it.
        let is_again = matches!(kind, Kind::Duplicate | Kind::Retransmitted);
        let payload = if is_again { String::new() } else { payload.clone() };
        let (from, to, label) = (event.host, packet.to, label.clone());
        Item::Arrow(Arrow { from, to, label, payload, end, kind })
    };
    let end = match &packet.fate {
        Fate::Arrived(times) => {
            let copies = times.iter().skip(1).map(|at| Row {
                at: *at,
                item: arrow(End::Arrived(*at), Kind::Duplicate),
                events: 0,
            });
            rows.extend(copies);
            times.first().map_or(End::Unknown, |at| End::Arrived(*at))
        }
        Fate::Lost(loss) => lost(*loss),
        Fate::Seen => End::Unknown,
    };
    rows.push(Row { at: event.at, item: arrow(end, kind), events: 1 });
}

fn lost(loss: Loss) -> End {
    match loss {
        Loss::Chance => End::Lost("lost".to_owned()),
        Loss::Cut => End::Lost("link cut".to_owned()),
        Loss::Ordered(number) => End::Lost(format!("lost: no. {number}")),
        Loss::Reply => End::Lost("lost: the reply".to_owned()),
        Loss::Overflow => End::Refused("no room".to_owned()),
    }
}

/// What it is, and what it carries.
fn content(octets: &[u8]) -> (String, String) {
    let Some(decoded) = decode(octets) else {
        return (plural(octets.len() as u64, "octet"), String::new());
    };
    let payload = match &decoded.kind {
        Carried::Tcp { payload, .. } | Carried::Udp { payload } if !payload.is_empty() => {
            format!("\"{}\"", Printable(payload))
        }
        _ => String::new(),
    };
    (packet::label(&decoded), payload)
}

/// True if one that is sent later the same way comes before it.
fn is_overtaken(packet: &Packet, from: HostId, later: &[Event]) -> bool {
    let first = |packet: &Packet| match &packet.fate {
        Fate::Arrived(times) => times.first().copied(),
        Fate::Lost(_) | Fate::Seen => None,
    };
    let Some(comes) = first(packet) else { return false };
    later.iter().take_while(|event| event.at < comes).any(|event| match &event.what {
        What::Packet(other) => {
            event.host == from && other.to == packet.to && first(other).is_some_and(|it| it < comes)
        }
        What::Call { .. } | What::State(..) => false,
    })
}
