//! A part of a run on a page: its picture, its system calls, and the table of its packets.

use crate::duration::Unit;
use crate::lab::Part;
use crate::report::lab::drawings;
use crate::report::plural;
use crate::teach::picture::{CallLine, Events, Picture, ShownPacket, Style};
use crate::transport::Transport;
use std::time::Duration;

/// Maximum number of omitted packets that a page lists one by one. More would make it larger than
/// [`MAX_OCTETS`](super::MAX_OCTETS).
const MAX_LISTED: usize = 1_100;

/// A part of a run.
#[derive(Debug)]
pub(super) struct PartView {
    pub id: String,
    pub transport: Transport,
    pub name: &'static str,
    pub part: String,
    pub caption: String,
    pub picture: Picture,
    pub unit: &'static str,
    /// Packets before the omitted ones, and after them.
    pub first: Vec<Row>,
    pub left_out: Option<LeftOut>,
    pub last: Vec<Row>,
}

/// The packets that the picture leaves out.
#[derive(Debug)]
pub(super) struct LeftOut {
    pub from: usize,
    pub to: usize,
    pub count: usize,
    /// Empty if they are too many for a page.
    pub rows: Vec<Row>,
}

/// A packet as a row of the table.
#[derive(Debug)]
pub(super) struct Row {
    pub number: usize,
    pub sent: String,
    /// Empty for a packet that did not arrive.
    pub arrived: String,
    pub from: String,
    pub to: String,
    pub what: String,
    /// What is special: `retransmission`. Empty for a usual packet.
    pub word: &'static str,
    pub fate: String,
    pub is_lost: bool,
}

/// Returns the picture of a part alone.
pub(crate) fn picture_of(part: &Part, id: &str, unit: Unit) -> Picture {
    let title = drawings::title(part);
    let style =
        Style { id, title: &title, transport: part.transport, unit, described_by: id, max_listed: MAX_LISTED };
    Picture::of(&Events::of(&part.trace), style)
}

impl PartView {
    /// Makes the view of a part; `number` counts the parts of the page from 1.
    pub(super) fn of(part: &Part, number: usize, unit: Unit) -> Self {
        let id = format!("{}{number}", part.transport);
        let events = Events::of(&part.trace);
        let described = if events.packets.is_empty() { "c" } else { "p" };
        let (title, described_by) = (drawings::title(part), format!("{id}-{described}"));
        let style = Style {
            id: &id,
            title: &title,
            transport: part.transport,
            unit,
            described_by: &described_by,
            max_listed: MAX_LISTED,
        };
        let picture = Picture::of(&events, style);
        let row = |packet: &ShownPacket| Row::of(packet, &events, unit);
        let hidden = events.left_out.as_ref().map(|it| it.packets.clone()).filter(|it| !it.is_empty());
        let end = hidden.as_ref().map_or(events.packets.len(), |it| it.start);
        let rest = hidden.as_ref().map_or(events.packets.len(), |it| it.end);
        let left_out = hidden.map(|hidden| LeftOut {
            from: hidden.start + 1,
            to: hidden.end,
            count: hidden.len(),
            rows: match hidden.len() <= MAX_LISTED {
                true => events.packets[hidden].iter().map(row).collect(),
                false => Vec::new(),
            },
        });
        Self {
            transport: part.transport,
            name: crate::report::lab::observed::name(part.transport),
            part: part.name.clone(),
            caption: caption(&events),
            picture,
            unit: unit.name(),
            first: events.packets[..end].iter().map(row).collect(),
            left_out,
            last: events.packets[rest..].iter().map(row).collect(),
            id,
        }
    }

    pub(super) fn calls(&self) -> &[CallLine] {
        &self.picture.calls
    }

    pub(super) fn has_packets(&self) -> bool {
        !self.first.is_empty()
    }
}

impl Row {
    fn of(packet: &ShownPacket, events: &Events, unit: Unit) -> Self {
        let name = |host: usize| events.hosts.get(host).map_or("", |host| &host.name).to_owned();
        let time = |at: u64| unit.plain_number(Duration::from_nanos(at));
        let arrived: Vec<String> = packet.arrivals.iter().copied().map(time).collect();
        Self {
            number: packet.number,
            sent: time(packet.sent),
            arrived: arrived.join(" "),
            from: name(packet.from),
            to: name(packet.to),
            what: packet.label.clone(),
            word: packet.kind.word(),
            fate: packet.fate.clone(),
            is_lost: packet.lost.is_some(),
        }
    }
}

/// Counts packets, losses and retransmissions, or the calls of a part without packets.
fn caption(events: &Events) -> String {
    let packets = &events.packets;
    if packets.is_empty() {
        return format!("{}.", plural(events.calls.len() as u64, "system call"));
    }
    let count = |is: fn(&ShownPacket) -> bool| packets.iter().filter(|it| is(it)).count() as u64;
    let lost = count(|it| it.lost.is_some());
    let again = count(|it| it.kind.name() == "retransmission");
    let twice = count(|it| it.arrivals.len() > 1);
    let some = |count: u64, text: String| (count > 0).then_some(text);
    let words = [
        Some(plural(packets.len() as u64, "packet")),
        some(lost, format!("{lost} lost")),
        some(again, plural(again, "retransmission")),
        some(twice, format!("{twice} delivered twice")),
    ];
    format!("{}.", words.into_iter().flatten().collect::<Vec<_>>().join(", "))
}
