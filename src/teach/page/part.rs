//! One part of a run, such as one conversation, on a page: its picture, its system calls, and the table of its packets.

use crate::duration::Unit;
use crate::lab::{Part, Report};
use crate::report::lab::drawings;
use crate::report::plural;
use crate::teach::picture::{
    CallLine, Events, Lettered, Picture, ShownPacket, Slice, SliceLimits, Style, usual_flight,
};
use crate::transport::Transport;
use std::time::Duration;

/// Maximum number of omitted packets that a page lists one by one. With more, the page would exceed
/// [`MAX_OCTETS`](super::MAX_OCTETS).
pub(super) const MAX_LISTED: usize = 1_500;

/// Height in pixels of a printed page, and of a part's caption, at [`SCALE`].
const PAGE: f64 = 960.0 / SCALE;
const CAPTION: f64 = 120.0;
/// Scale of a part on a printed page, as in `page.css`. The smallest text has 10 pixels on the screen, and so 6 points
/// on paper.
const SCALE: f64 = 0.8;

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
    /// Packets before the omitted ones. If no packets are omitted, all packets.
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
    /// One row for each omitted packet. Empty if there are too many for a page.
    pub rows: Vec<Row>,
}

/// A packet as a row of the table.
#[derive(Debug)]
pub(super) struct Row {
    pub number: usize,
    pub sent: String,
    /// The times of arrival. Empty for a packet that did not arrive.
    pub arrived: String,
    pub from: String,
    pub to: String,
    pub what: String,
    /// A word such as `retransmission` for a special packet. Empty for any other packet.
    pub word: &'static str,
    pub fate: String,
    pub is_lost: bool,
}

/// Settings common to all pictures of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shared {
    unit: Unit,
    usual_flight: u64,
    lettered: Lettered,
    max_listed: usize,
}

impl Shared {
    /// Collects the settings common to all pictures of a run. Each picture lists at most `max_listed` omitted packets.
    pub(super) fn of(report: &Report, max_listed: usize) -> Self {
        let traces = report.parts().iter().map(|part| &part.trace);
        let (unit, usual_flight) = (drawings::axis_unit(report), usual_flight(traces));
        Self { unit, usual_flight, lettered: Lettered::All, max_listed }
    }

    fn picture(self, part: &Part, id: &str, described_by: &str, events: &Events) -> Picture {
        let Self { unit, usual_flight, lettered, max_listed } = self;
        let (title, transport) = (&drawings::title(part), part.transport);
        let style =
            Style { id, title, transport, unit, described_by, usual_flight, lettered, max_listed };
        Picture::of(events, style)
    }
}

/// Returns the pictures of all parts of a run for files of their own, each with its part.
pub(crate) fn pictures(report: &Report) -> impl Iterator<Item = (&Part, Picture)> {
    let shared = Shared { lettered: Lettered::MiddleHosts, ..Shared::of(report, MAX_LISTED) };
    report.parts().iter().enumerate().map(move |(number, part)| {
        let id = id(part, number);
        (part, shared.picture(part, &id, "", &Events::of(&part.trace)))
    })
}

/// Returns a part's identifier. It consists of the transport, and the part's number on the page (1-based).
fn id(part: &Part, number: usize) -> String {
    format!("{}{}", part.transport, number + 1)
}

impl PartView {
    /// Makes the view of a part. `number` is the part's index on the page (0-based).
    pub(super) fn of(part: &Part, number: usize, shared: Shared) -> Self {
        let (id, unit) = (id(part, number), shared.unit);
        let events = Events::of(&part.trace);
        let described = if events.packets.is_empty() { "c" } else { "p" };
        let picture = shared.picture(part, &id, &format!("{id}-{described}"), &events);
        let row = |packet: &ShownPacket| Row::of(packet, &events, unit);
        let hidden =
            events.left_out.as_ref().map(|it| it.packets.clone()).filter(|it| !it.is_empty());
        let end = hidden.as_ref().map_or(events.packets.len(), |it| it.start);
        let rest = hidden.as_ref().map_or(events.packets.len(), |it| it.end);
        let left_out = hidden.map(|hidden| LeftOut {
            from: hidden.start + 1,
            to: hidden.end,
            count: hidden.len(),
            rows: if hidden.len() <= shared.max_listed {
                events.packets[hidden].iter().map(row).collect()
            } else {
                Vec::new()
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

    /// Whether the part is longer than a printed page. Only such a part may have a page break inside: above its table,
    /// between rows of the table, or between slices of the picture.
    pub(super) fn is_tall(&self) -> bool {
        const ROW: f64 = 27.0;
        // On paper, the list has two columns, and only the calls that the picture shows as letters.
        let listed = self.calls().iter().filter(|call| call.is_letter_only).count().div_ceil(2);
        let rows = self.first.len() + self.last.len() + listed;
        let rows = f64::from(u32::try_from(rows).unwrap_or(u32::MAX));
        self.picture.height() + CAPTION + ROW * rows > PAGE
    }

    /// Returns the first slice and the others, if the picture alone is longer than a printed page.
    pub(super) fn slices(&self) -> Option<(Slice, Vec<Slice>)> {
        let slices = self.picture.slices(SliceLimits { first: PAGE - CAPTION, other: PAGE });
        let (first, others) = slices.split_first()?;
        (!others.is_empty()).then(|| (*first, others.to_vec()))
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

/// Returns a caption with the numbers of packets, losses and retransmissions. For a part without packets, returns the
/// number of system calls.
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
