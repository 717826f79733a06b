//! A picture as SVG, with the list of its system calls.
//!
//! The width of a picture is not known: x is in percent, y in pixels, and text never scales with the picture.

use super::bands::Band;
use super::calls::Row;
use super::events::{Events, LeftOut, PacketKind, ShownPacket};
use super::labels::Arrow;
use super::layout::{Column, Layout};
use super::number::Px;
use super::scale::{Break, TOP, host_x};
use crate::duration::{Unit, short};
use crate::report::plural;
use crate::transport::Transport;
use askama::Template;
use std::fmt::Write;
use std::time::Duration;

/// Height below the last line of a picture.
const MARGIN: f64 = 8.0;
/// Minimum distance of two labelled times.
const MIN_TIME_DISTANCE: f64 = 12.0;
/// Limit of a short picture. Its times in milliseconds have three decimals.
const SHORT: u64 = 10_000_000;

/// What a picture is made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style<'a> {
    /// Identifier of the picture, unique on its page.
    pub id: &'a str,
    /// Title of the part, such as `UDP, one try`.
    pub title: &'a str,
    pub transport: Transport,
    /// Unit of the axis.
    pub unit: Unit,
    /// Identifier of the element that describes the picture: the table of packets, or the list of calls.
    pub described_by: &'a str,
    /// Median flight of the whole run in nanoseconds, for a picture whose packets are all lost.
    pub usual_flight: u64,
    /// Maximum number of omitted packets that the picture lists in an attribute.
    pub max_listed: usize,
}

/// A picture of a trace.
#[derive(Debug, Template)]
#[template(path = "picture.svg")]
pub(crate) struct Picture {
    /// `None` if the picture is part of a page.
    frame: Option<Frame>,
    id: String,
    heading: String,
    class: String,
    title: String,
    description: String,
    described_by: String,
    height: Px,
    bottom: Px,
    ns_per_px: String,
    segments: String,
    unit: &'static str,
    ticks: Vec<Px>,
    times: Vec<(Px, String)>,
    pieces: Vec<(Px, Px)>,
    hosts: Vec<HostView>,
    columns: Vec<ColumnView>,
    breaks: Vec<BreakView>,
    /// The omitted packets, if no break shows them.
    loose: Option<LeftOutView>,
    packets: Vec<PacketView>,
    labels: Vec<LabelView>,
    pub(crate) calls: Vec<CallLine>,
    /// Whether the list of calls is visible at every width, because the picture shows letters only.
    pub(crate) needs_list: bool,
}

#[derive(Debug)]
struct HostView {
    x: Px,
    name: String,
    /// The name in lines, and the addresses below it.
    name_lines: Vec<(usize, String)>,
    addresses: Vec<(usize, String)>,
    name_x: i32,
    anchor: &'static str,
    band_x: i32,
    /// Each state, with the pieces of its band.
    bands: Vec<(Band, Vec<PieceView>)>,
}

/// A piece of a band.
#[derive(Debug)]
struct PieceView {
    top: Px,
    height: Px,
    /// Place of the state's name; `None` if the piece is too short.
    name: Option<(Px, Px)>,
}

#[derive(Debug)]
struct ColumnView {
    x: Px,
    anchor: &'static str,
    /// Distance of texts and of letters from the line; to the left if negative.
    text_x: i32,
    letter_x: i32,
    leader_x: (i32, i32),
    rows: Vec<RowView>,
    letters: Vec<(Px, String)>,
    letters_only: bool,
}

#[derive(Debug)]
struct RowView {
    class: &'static str,
    at: u64,
    lines: Vec<(Px, String)>,
    /// Begin and end of the line from the instant to the text.
    leader: Option<(Px, Px)>,
}

#[derive(Debug)]
struct BreakView {
    from: u64,
    to: u64,
    top: Px,
    /// Heights of both torn edges, and of the words.
    edges: [Px; 2],
    words: Px,
    text: String,
    left_out: Option<LeftOutView>,
}

/// Packets that the picture leaves out.
#[derive(Debug)]
struct LeftOutView {
    /// The numbers: `11-995`.
    packets: String,
    /// One entry for each packet, separated by semicolons.
    list: String,
    text: String,
}

#[derive(Debug)]
struct PacketView {
    packet: ShownPacket,
    from: String,
    to: String,
    arrived: String,
    nudge: Px,
    lines: Vec<LineView>,
    cross: Option<CrossView>,
}

#[derive(Debug)]
struct LineView {
    x1: Px,
    y1: Px,
    x2: Px,
    y2: Px,
    is_copy: bool,
}

#[derive(Debug)]
struct CrossView {
    x: Px,
    y: Px,
    text_x: i32,
    anchor: &'static str,
    reason: &'static str,
}

#[derive(Debug)]
struct LabelView {
    number: usize,
    what: String,
    below: String,
    x: Px,
    what_y: Px,
    below_y: Px,
    quote: Option<QuoteView>,
}

#[derive(Debug)]
struct QuoteView {
    x: Px,
    text_x: i32,
    anchor: &'static str,
    lines: Vec<(Px, String)>,
}

/// A line of the list of system calls and short states.
#[derive(Debug)]
pub(crate) struct CallLine {
    pub letter: String,
    pub time: String,
    pub host: String,
    pub text: String,
    /// Whether the picture shows the letter only, at every width.
    pub is_letter_only: bool,
}

impl Picture {
    /// Draws the events of a trace.
    pub(crate) fn of(events: &Events, style: Style) -> Self {
        let layout = Layout::of(events, style.usual_flight, |packet| below(packet, style.unit));
        let scale = &layout.scale;
        let bottom = layout.bottom();
        let name = |host: usize| events.hosts.get(host).map_or("", |host| &host.name);
        let left_out = events.left_out.as_ref();
        let left_out = left_out.map(|it| LeftOutView::of(events, it, style.max_listed));
        let breaks: Vec<BreakView> =
            scale.breaks.iter().map(|it| BreakView::of(it, events, style)).collect();
        let is_shown = breaks.iter().any(|it| it.left_out.is_some());
        Self {
            frame: None,
            id: style.id.to_owned(),
            heading: style.title.to_owned(),
            class: class(events, style.transport),
            title: title(events, style.title),
            description: description(events),
            described_by: style.described_by.to_owned(),
            height: Px(bottom + MARGIN),
            bottom: Px(bottom),
            ns_per_px: format!("{:.3}", scale.ns_per_px),
            segments: segments(&layout),
            unit: style.unit.name(),
            ticks: scale.ticks().into_iter().map(Px).collect(),
            times: axis(events, &layout, style.unit),
            pieces: scale
                .pieces(TOP, bottom)
                .into_iter()
                .map(|(top, end)| (Px(top), Px(end)))
                .collect(),
            hosts: (0..events.hosts.len())
                .map(|host| HostView::of(host, events, &layout))
                .collect(),
            columns: layout
                .columns
                .iter()
                .map(|it| ColumnView::of(it, events.hosts.len()))
                .collect(),
            breaks,
            loose: left_out.filter(|_| !is_shown),
            packets: layout.arrows.iter().map(|arrow| PacketView::of(arrow, name)).collect(),
            labels: layout.labels.iter().map(LabelView::of).collect(),
            calls: layout
                .listed
                .iter()
                .map(|(letter, note)| CallLine {
                    letter: letter.clone(),
                    time: style.unit.show(Duration::from_nanos(note.at)),
                    host: name(note.host).to_owned(),
                    text: note.text.clone(),
                    is_letter_only: is_middle(note.host, events.hosts.len()),
                })
                .collect(),
            needs_list: layout
                .columns
                .iter()
                .any(|it| is_middle(it.host, events.hosts.len()) && !it.rows.is_empty()),
        }
    }
}

impl Picture {
    /// Returns the height in pixels.
    pub(crate) const fn height(&self) -> f64 {
        self.height.0
    }

    /// Whether a packet has this class.
    pub(crate) fn has_class(&self, class: &str) -> bool {
        self.packets.iter().any(|it| it.class().split(' ').any(|it| it == class))
    }

    pub(crate) fn has_copies(&self) -> bool {
        self.packets.iter().any(|it| it.lines.len() > 1)
    }

    pub(crate) fn has_breaks(&self) -> bool {
        !self.breaks.is_empty()
    }

    pub(crate) fn has_bands(&self) -> bool {
        self.hosts.iter().any(|host| !host.bands.is_empty())
    }
}

const fn is_middle(host: usize, hosts: usize) -> bool {
    0 < host && host + 1 < hosts
}

/// Returns the classes of a picture. One without packets has more room for its calls.
fn class(events: &Events, transport: Transport) -> String {
    let wide =
        if events.packets.is_empty() && events.hosts.len() <= 2 { " calls-only" } else { "" };
    format!("{transport}{wide}")
}

fn title(events: &Events, title: &str) -> String {
    let names: Vec<&str> = events.hosts.iter().map(|host| host.name.as_str()).collect();
    let what = if events.packets.is_empty() { "system calls of" } else { "packets between" };
    let all = match &names[..] {
        [others @ .., last] if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        names => names.join(", "),
    };
    format!("{title}: {what} {all}, time runs downwards")
}

fn description(events: &Events) -> String {
    if events.packets.is_empty() {
        let calls = plural(events.calls.len() as u64, "system call");
        return format!("{calls}, no packets. The list below the picture has the same calls.");
    }
    let count = |is: fn(&ShownPacket) -> bool| events.packets.iter().filter(|it| is(it)).count();
    let (lost, again) =
        (count(|it| it.lost.is_some()), count(|it| it.kind == PacketKind::Retransmission));
    let packets = plural(events.packets.len() as u64, "packet");
    let quote = events.packets.iter().map(|packet| packet.quote.as_str()).find(|it| !it.is_empty());
    let quote = quote.map(|quote| format!(" The first text is {quote}.")).unwrap_or_default();
    format!(
        "{packets}, {lost} lost, {again} sent again.{quote} The table below the picture lists the same packets."
    )
}

fn segments(layout: &Layout) -> String {
    let one = |it: &super::scale::Segment| {
        format!("[{}, {}, {}, {}]", it.from, it.to, Px(it.top), Px(it.bottom))
    };
    let all: Vec<String> = layout.scale.segments.iter().map(one).collect();
    format!("[{}]", all.join(", "))
}

/// Returns the text below a packet's name: what is special, and the flight time.
fn below(packet: &ShownPacket, unit: Unit) -> String {
    let flight = match packet.arrivals.as_slice() {
        [first, copies @ ..] => {
            let after = |at: &u64| unit.show(Duration::from_nanos(at.saturating_sub(packet.sent)));
            let times = std::iter::once(first).chain(copies).map(after);
            times.collect::<Vec<_>>().join(" and ")
        }
        [] => String::new(),
    };
    match (packet.kind.word(), flight) {
        (word, flight) if flight.is_empty() => word.to_owned(),
        ("", flight) => flight,
        (word, flight) => format!("{word} · {flight}"),
    }
}

/// Returns the times at which something is sent or arrives, with their heights. In a picture without packets, these are
/// the times of the calls.
fn axis(events: &Events, layout: &Layout, unit: Unit) -> Vec<(Px, String)> {
    let packets = events.shown_packets().flat_map(ShownPacket::times);
    let notes = layout.columns.iter().flat_map(|it| &it.rows).map(|row| row.at);
    let mut times: Vec<u64> = packets.chain(notes).collect();
    times.sort_unstable();
    let mut labelled: Vec<(f64, u64)> = Vec::new();
    for time in times {
        let y = layout.scale.y(time);
        if labelled.last().is_none_or(|(last, _)| y - last >= MIN_TIME_DISTANCE) {
            labelled.push((y, time));
        }
    }
    let texts = axis_texts(&labelled, unit);
    labelled.into_iter().map(|(y, _)| Px(y)).zip(texts).collect()
}

/// Returns the times as numbers, with as many decimals as they need to differ.
fn axis_texts(times: &[(f64, u64)], unit: Unit) -> Vec<String> {
    const MAX_DECIMALS: usize = 4;
    let last = times.last().map_or(0, |(_, time)| *time);
    let least = match unit {
        Unit::Microseconds => 0,
        Unit::Milliseconds if last >= SHORT => 1,
        Unit::Milliseconds | Unit::Seconds => 3,
    };
    let texts = |decimals: usize| -> Vec<String> {
        let text = |(_, time): &(f64, u64)| unit.decimal(Duration::from_nanos(*time), decimals);
        times.iter().map(|time| short_decimal(&text(time)).to_owned()).collect()
    };
    let differ = |texts: &[String]| texts.windows(2).all(|pair| pair[0] != pair[1]);
    let distinct = (least..MAX_DECIMALS).map(texts).find(|texts| differ(texts));
    distinct.unwrap_or_else(|| texts(MAX_DECIMALS))
}

/// Removes the zeros at the end of a number with decimals.
fn short_decimal(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

impl HostView {
    fn of(host: usize, events: &Events, layout: &Layout) -> Self {
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
        // The names of three hosts have little room.
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
    fn all(band: &Band, x: i32) -> Vec<Self> {
        let one = |(top, bottom, fits): &(f64, f64, bool)| Self {
            top: Px(*top),
            height: Px(bottom - top),
            name: fits.then(|| (Px(f64::from(x) + 5.6), Px(top + 5.0))),
        };
        band.pieces.iter().map(one).collect()
    }
}

impl ColumnView {
    fn of(column: &Column, hosts: usize) -> Self {
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
    fn of(row: &Row) -> Self {
        let mut y = row.y;
        let line = |text: &String| {
            let at = Px(y);
            y += super::calls::LINE;
            (at, text.clone())
        };
        let lines = row.lines.iter().map(line).collect();
        let is_pushed = row.y - row.instant > 10.0;
        Self {
            class: if row.is_state { "state" } else { "made" },
            at: row.at,
            lines,
            leader: is_pushed.then(|| (Px(row.instant), Px(row.y - 4.0))),
        }
    }
}

impl BreakView {
    fn of(torn: &Break, events: &Events, style: Style) -> Self {
        let (last, next) = torn.silent;
        let time = short(Duration::from_nanos(next - last));
        let left_out = events.left_out.as_ref().filter(|_| torn.leaves_out);
        let left_out = left_out.map(|it| LeftOutView::of(events, it, style.max_listed));
        let text = match &left_out {
            Some(left_out) => format!("{}, {time}", left_out.text),
            None => format!("nothing for {time}"),
        };
        let (top, edges) = (Px(torn.top + 3.0), [Px(torn.top), Px(torn.top + 40.0)]);
        let words = Px(torn.top + 27.0);
        Self { from: torn.from, to: torn.to, top, edges, words, text, left_out }
    }
}

impl LeftOutView {
    fn of(events: &Events, left_out: &LeftOut, max_listed: usize) -> Self {
        let packets = &left_out.packets;
        let numbers = (packets.start + 1, packets.end);
        let what = match (packets.len(), left_out.calls.len()) {
            (0, calls) => plural(calls as u64, "call"),
            (1, _) => format!("packet {}", numbers.0),
            (_, 0) => format!("packets {} to {}", numbers.0, numbers.1),
            (_, calls) => {
                let calls = plural(calls as u64, "call");
                format!("packets {} to {}, {calls}", numbers.0, numbers.1)
            }
        };
        let is_listed = packets.len() <= max_listed;
        let listed = if is_listed { events.left_out_packets() } else { &[] };
        let list: Vec<String> = listed.iter().map(|packet| entry(packet, events)).collect();
        let packets =
            if packets.is_empty() { String::new() } else { format!("{}-{}", numbers.0, numbers.1) };
        Self { packets, list: list.join(";"), text: format!("left out: {what}") }
    }
}

/// Returns an omitted packet as an entry of `data-left-out`.
fn entry(packet: &ShownPacket, events: &Events) -> String {
    let name = |host: usize| events.hosts.get(host).map_or("", |host| &host.name);
    let ShownPacket { number, from, to, sent, kind, fate, .. } = packet;
    let (from, to, arrived, kind) = (name(*from), name(*to), arrived(packet), kind.name());
    format!("{number}|{from}|{to}|{sent}|{arrived}|{kind}|{fate}")
}

/// Returns the times of arrival in nanoseconds, separated by blanks.
fn arrived(packet: &ShownPacket) -> String {
    packet.arrivals.iter().fold(String::new(), |mut text, at| {
        let blank = if text.is_empty() { "" } else { " " };
        let _ = write!(text, "{blank}{at}");
        text
    })
}

impl PacketView {
    fn of<'a>(arrow: &Arrow, name: impl Fn(usize) -> &'a str) -> Self {
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

    /// Returns the classes of the group.
    fn class(&self) -> String {
        let lost = if self.packet.lost.is_some() { " lost" } else { "" };
        let (protocol, kind) = (self.packet.protocol.class(), self.packet.kind);
        let kind = if kind == PacketKind::Duplicate { "sent" } else { kind.name() };
        format!("{protocol} {kind}{lost}")
    }
}

impl LabelView {
    fn of(label: &super::labels::Label) -> Self {
        let quote = label.quote.as_ref().map(|quote| {
            let mut y = quote.y;
            let line = |text: &String| {
                let at = Px(y);
                y += super::labels::QUOTE_HEIGHT;
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

/// What surrounds a picture that is a file of its own.
#[derive(Debug)]
struct Frame {
    width: i32,
    /// Width beside the lines of the hosts, on the left.
    left: i32,
    /// Distance of the first line from the last one.
    stage: i32,
    style: String,
    /// Height with the heading and the list.
    height: Px,
    /// The calls that the picture shows as letters only, with their heights.
    listed: Vec<(Px, String)>,
}

/// Returns a picture as a file for a slide: of fixed width, in the light colours, with values in place of the variables
/// that some programs do not know.
pub(crate) fn standalone(mut picture: Picture) -> askama::Result<String> {
    const WIDTH: i32 = 680;
    /// Height of the heading, as in the template, and of a line of the list.
    const HEADING: f64 = 34.0;
    const LIST_LINE: f64 = 16.0;
    let is_wide = picture.class.contains("calls-only");
    let (left, right) = if is_wide { (280, 240) } else { (210, 170) };
    let style = without_variables(include_str!("../../../templates/picture.css"));
    let mut bottom = picture.height.0;
    let mut line = |call: &CallLine| {
        bottom += LIST_LINE;
        let CallLine { letter, time, host, text, .. } = call;
        (Px(bottom), format!("{letter}  {time}  {host}: {text}"))
    };
    let listed = picture.calls.iter().filter(|call| call.is_letter_only).map(&mut line).collect();
    let height = Px(bottom + HEADING + MARGIN);
    let stage = WIDTH - left - right;
    picture.frame = Some(Frame { width: WIDTH, left, stage, style, height, listed });
    picture.render()
}

/// Replaces each `var(--name)` by its value in the light colours.
fn without_variables(css: &str) -> String {
    let mut plain = css.to_owned();
    for (name, value) in variables(include_str!("../../../templates/colours.css")) {
        plain = plain.replace(&format!("var(--{name})"), value);
    }
    plain
}

/// Iterates over the variables of the first rule, which has the light colours.
fn variables(css: &str) -> impl Iterator<Item = (&str, &str)> {
    let first = css.split('}').next().unwrap_or_default();
    let rules = first.split(['{', ';', '\n']);
    rules.filter_map(|rule| rule.trim().strip_prefix("--")?.split_once(':'))
}
