//! The elements of a picture in the form in which its template writes them.

use super::bands::Band;
use super::calls::{LINE, Row};
use super::events::{Events, LeftOut, PacketKind, ShownPacket};
use super::labels::{Arrow, Label, QUOTE_HEIGHT};
use super::layout::{Column, Layout};
use super::number::Px;
use super::scale::{Break, host_x, is_middle};
use crate::duration::short;
use crate::report::plural;
use std::fmt::Write;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct HostView {
    pub(super) x: Px,
    pub(super) name: String,
    /// The lines of the host's name, each with its position from the top.
    pub(super) name_lines: Vec<(usize, String)>,
    pub(super) addresses: Vec<(usize, String)>,
    pub(super) name_x: i32,
    pub(super) anchor: &'static str,
    pub(super) band_x: i32,
    /// Each state's band, with the pieces of the band.
    pub(super) bands: Vec<(Band, Vec<PieceView>)>,
}

/// One piece of a state's band.
#[derive(Debug)]
pub(super) struct PieceView {
    pub(super) top: Px,
    pub(super) height: Px,
    /// Position of the state's name; `None` if the piece is too short for it.
    pub(super) name: Option<(Px, Px)>,
}

#[derive(Debug)]
pub(super) struct ColumnView {
    pub(super) x: Px,
    pub(super) anchor: &'static str,
    /// Distance of the notes' text from the host's line. A negative distance is to the left.
    pub(super) text_x: i32,
    pub(super) letter_x: i32,
    pub(super) leader_x: (i32, i32),
    pub(super) rows: Vec<RowView>,
    pub(super) letters: Vec<(Px, String)>,
    pub(super) letters_only: bool,
}

#[derive(Debug)]
pub(super) struct RowView {
    pub(super) class: &'static str,
    pub(super) at: u64,
    pub(super) lines: Vec<(Px, String)>,
    /// Start and end of the line that connects the instant with the text.
    pub(super) leader: Option<(Px, Px)>,
}

#[derive(Debug)]
pub(super) struct BreakView {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) top: Px,
    /// Heights of the break's two torn edges.
    pub(super) edges: [Px; 2],
    /// The lines of the text on the break, each with its height.
    pub(super) lines: Vec<(Px, String)>,
    pub(super) left_out: Option<LeftOutView>,
}

/// The packets that a picture leaves out.
#[derive(Debug)]
pub(super) struct LeftOutView {
    /// The packets' numbers, such as `11-995`.
    pub(super) packets: String,
    /// One entry for each packet, separated by semicolons.
    pub(super) list: String,
    /// The omitted packets in words, or the omitted calls if no packet is omitted.
    what: String,
    /// The omitted calls in words. Empty if `what` says all.
    calls: String,
}

#[derive(Debug)]
pub(super) struct PacketView {
    pub(super) packet: ShownPacket,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) arrived: String,
    pub(super) nudge: Px,
    pub(super) lines: Vec<LineView>,
    pub(super) cross: Option<CrossView>,
}

#[derive(Debug)]
pub(super) struct LineView {
    pub(super) x1: Px,
    pub(super) y1: Px,
    pub(super) x2: Px,
    pub(super) y2: Px,
    pub(super) is_copy: bool,
}

#[derive(Debug)]
pub(super) struct CrossView {
    pub(super) x: Px,
    pub(super) y: Px,
    pub(super) text_x: i32,
    pub(super) anchor: &'static str,
    pub(super) reason: &'static str,
}

#[derive(Debug)]
pub(super) struct LabelView {
    pub(super) number: usize,
    pub(super) what: String,
    pub(super) below: String,
    pub(super) x: Px,
    pub(super) what_y: Px,
    pub(super) below_y: Px,
    pub(super) quote: Option<QuoteView>,
}

#[derive(Debug)]
pub(super) struct QuoteView {
    pub(super) x: Px,
    pub(super) text_x: i32,
    pub(super) anchor: &'static str,
    pub(super) lines: Vec<(Px, String)>,
}

/// A line in the list of system calls and short states.
#[derive(Debug)]
pub(crate) struct CallLine {
    pub letter: String,
    pub time: String,
    pub host: String,
    pub text: String,
    /// Whether the picture shows only the letter, at every width.
    pub is_letter_only: bool,
}

impl HostView {
    pub(super) fn of(host: usize, events: &Events, layout: &Layout) -> Self {
        let hosts = events.hosts.len();
        let outwards = events.packets.is_empty() && hosts <= 2;
        let (name_x, anchor) = match (host, outwards) {
            _ if is_middle(host, hosts) => (0, "middle"),
            (0, true) => (-2, "end"),
            (_, true) => (2, "start"),
            (0, false) if hosts > 2 => (14, "end"),
            (_, false) if hosts > 2 => (-14, "start"),
            (0, false) => (-20, "start"),
            (_, false) => (20, "end"),
        };
        let own = events.hosts.get(host);
        let first = events.hosts.first().map(|it| &it.addresses);
        let differ = events.hosts.iter().any(|it| Some(&it.addresses) != first);
        let addresses = own.filter(|_| differ).map_or(&[][..], |it| &it.addresses);
        let name = own.map_or("", |it| &it.name);
        // With three or more hosts, each name has little room.
        let words = if hosts > 2 { 2 } else { 1 };
        let name_lines: Vec<String> = name.splitn(words, ' ').map(str::to_owned).collect();
        let first = if hosts > 2 { 8 } else { 18 };
        let below = first + 14 * name_lines.len() + 1;
        let lines = [below, below + 13].into_iter().zip(addresses);
        let own_bands = layout.bands.iter().filter(|band| band.host == host);
        let band_x = if host == 0 { -20 } else { 2 };
        Self {
            x: Px(host_x(host, hosts)),
            name: name.to_owned(),
            name_lines: name_lines
                .into_iter()
                .enumerate()
                .map(|(at, it)| (first + 14 * at, it))
                .collect(),
            addresses: lines.map(|(y, address)| (y, address.to_string())).collect(),
            name_x,
            anchor,
            band_x,
            bands: own_bands.map(|band| (band.clone(), PieceView::all(band, band_x))).collect(),
        }
    }
}

impl PieceView {
    pub(super) fn all(band: &Band, x: i32) -> Vec<Self> {
        let one = |(top, bottom, fits): &(f64, f64, bool)| Self {
            top: Px(*top),
            height: Px(bottom - top),
            name: fits.then(|| (Px(f64::from(x) + 5.6), Px(top + 5.0))),
        };
        band.pieces.iter().map(one).collect()
    }
}

impl ColumnView {
    pub(super) fn of(column: &Column, hosts: usize) -> Self {
        let is_left = column.host == 0;
        let side = if is_left { -1 } else { 1 };
        Self {
            x: Px(host_x(column.host, hosts)),
            anchor: if is_left { "end" } else { "start" },
            text_x: 26 * side,
            letter_x: 23 * side,
            leader_x: (21 * side, 25 * side),
            rows: column.rows.iter().map(RowView::of).collect(),
            letters: column.letters.iter().map(|(y, text)| (Px(*y), text.clone())).collect(),
            letters_only: is_middle(column.host, hosts),
        }
    }
}

impl RowView {
    pub(super) fn of(row: &Row) -> Self {
        let mut y = row.y;
        let line = |text: &String| {
            let at = Px(y);
            y += LINE;
            (at, text.clone())
        };
        let lines = row.lines.iter().map(line).collect();
        let is_pushed = row.y - row.instant > 10.0;
        Self {
            class: if row.is_state { "state" } else { "made" },
            at: row.at,
            lines,
            leader: is_pushed.then_some((Px(row.instant), Px(row.y - 4.0))),
        }
    }
}

impl BreakView {
    pub(super) fn of(torn: &Break, events: &Events, max_listed: usize) -> Self {
        let (last, next) = torn.silent;
        let time = short(Duration::from_nanos(next - last));
        let left_out = events.left_out.as_ref().filter(|_| torn.leaves_out);
        let left_out = left_out.map(|it| LeftOutView::of(events, it, max_listed));
        // In a narrow picture, a break has room for some 30 characters a line.
        let lines = match &left_out {
            Some(it) => vec![(21.0, it.what.clone()), (35.0, it.rest(&time))],
            None if events.packets.is_empty() => vec![(27.0, format!("{time} later"))],
            None => vec![(27.0, format!("nothing for {time}"))],
        };
        let lines = lines.into_iter().map(|(y, line)| (Px(torn.top + y), line)).collect();
        let (top, edges) = (Px(torn.top + 3.0), [Px(torn.top), Px(torn.top + 40.0)]);
        Self { from: torn.from, to: torn.to, top, edges, lines, left_out }
    }
}

impl LeftOutView {
    pub(super) fn of(events: &Events, left_out: &LeftOut, max_listed: usize) -> Self {
        let packets = &left_out.packets;
        let numbers = (packets.start + 1, packets.end);
        let calls = match left_out.calls.len() {
            0 => String::new(),
            calls => plural(calls as u64, "call"),
        };
        let (what, calls) = match packets.len() {
            0 => (calls, String::new()),
            1 => (format!("packet {}", numbers.0), calls),
            _ => (format!("packets {} to {}", numbers.0, numbers.1), calls),
        };
        let is_listed = packets.len() <= max_listed;
        let listed = if is_listed { events.left_out_packets() } else { &[] };
        let list: Vec<String> = listed.iter().map(|packet| entry(packet, events)).collect();
        let packets =
            if packets.is_empty() { String::new() } else { format!("{}-{}", numbers.0, numbers.1) };
        Self { packets, list: list.join(";"), what: format!("left out: {what}"), calls }
    }

    /// Returns what follows [`Self::what`] on a break: the omitted calls, and the time in which all this happened.
    fn rest(&self, time: &str) -> String {
        if self.calls.is_empty() {
            format!("in {time}")
        } else {
            format!("{}, in {time}", self.calls)
        }
    }

    /// Returns the text for a picture that has no break.
    pub(super) fn text(&self) -> String {
        if self.calls.is_empty() {
            self.what.clone()
        } else {
            format!("{}, {}", self.what, self.calls)
        }
    }
}

/// Returns the entry for an omitted packet in the SVG attribute `data-left-out`.
fn entry(packet: &ShownPacket, events: &Events) -> String {
    let name = |host: usize| events.hosts.get(host).map_or("", |host| &host.name);
    let ShownPacket { number, from, to, sent, kind, fate, .. } = packet;
    let (from, to, arrived, kind) = (name(*from), name(*to), arrived(packet), kind.name());
    format!("{number}|{from}|{to}|{sent}|{arrived}|{kind}|{fate}")
}

/// Returns the arrival times in nanoseconds, separated by spaces.
fn arrived(packet: &ShownPacket) -> String {
    packet.arrivals.iter().fold(String::new(), |mut text, at| {
        let blank = if text.is_empty() { "" } else { " " };
        let _ = write!(text, "{blank}{at}");
        text
    })
}

impl PacketView {
    pub(super) fn of<'a>(arrow: &Arrow, name: impl Fn(usize) -> &'a str) -> Self {
        let packet = arrow.packet.clone();
        let lines = arrow.lines.iter().enumerate().map(|(number, line)| LineView {
            x1: Px(line.x1),
            y1: Px(line.y1),
            x2: Px(line.x2),
            y2: Px(line.y2),
            is_copy: number > 0,
        });
        let cross = packet.lost.zip(arrow.lines.first()).map(|(reason, line)| {
            let is_rightwards = line.x1 < line.x2;
            let (text_x, anchor) = if is_rightwards { (11, "start") } else { (-11, "end") };
            CrossView { x: Px(line.x2), y: Px(line.y2), text_x, anchor, reason }
        });
        Self {
            from: name(packet.from).to_owned(),
            to: name(packet.to).to_owned(),
            arrived: arrived(&packet),
            nudge: Px(arrow.nudge),
            lines: lines.collect(),
            cross,
            packet,
        }
    }

    /// Returns the CSS classes of the SVG group.
    pub(super) fn class(&self) -> String {
        let lost = if self.packet.lost.is_some() { " lost" } else { "" };
        let (protocol, kind) = (self.packet.protocol.class(), self.packet.kind);
        let kind = if kind == PacketKind::Duplicate { "sent" } else { kind.name() };
        format!("{protocol} {kind}{lost}")
    }
}

impl LabelView {
    pub(super) fn of(label: &Label) -> Self {
        let quote = label.quote.as_ref().map(|quote| {
            let mut y = quote.y;
            let line = |text: &String| {
                let at = Px(y);
                y += QUOTE_HEIGHT;
                (at, text.clone())
            };
            let lines = quote.lines.iter().map(line).collect();
            let (text_x, anchor) = if quote.ends_at_line { (-9, "end") } else { (9, "start") };
            QuoteView { x: Px(quote.x), text_x, anchor, lines }
        });
        Self {
            number: label.number,
            what: label.what.clone(),
            below: label.below.clone(),
            x: Px(label.x),
            what_y: Px(label.y - 1.5),
            below_y: Px(label.y + 10.5),
            quote,
        }
    }
}
