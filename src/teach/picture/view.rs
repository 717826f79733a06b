//! A picture as SVG, with the list of its system calls.
//!
//! A picture's width is not known in advance. Therefore x is in percent and y in pixels, and text does not scale with
//! the picture.

use super::axis::axis;
use super::calls::Note;
use super::events::{Events, PacketKind, ShownPacket};
use super::frame::{Frame, frame};
use super::items::{BreakView, CallLine, ColumnView, HostView, LabelView, LeftOutView, PacketView};
use super::layout::{Layout, Lettered};
use super::number::{Px, real_count};
use super::scale::{Segment, TOP, is_middle};
use super::slices::{self, Slice, SliceLimits};
use crate::duration::Unit;
use crate::report::plural;
use crate::transport::Transport;
use askama::Template;
use std::time::Duration;

/// Height of the space below a picture's last line.
const MARGIN: f64 = 8.0;
/// Height of a text above and below its baseline.
const ASCENT: f64 = 10.0;
const DESCENT: f64 = 3.0;
/// Maximum width of a letter in a state's name.
const LETTER: f64 = 7.0;
/// Distance from the tick of a time to the baseline of its text.
const TIME_BASELINE: f64 = 3.8;
/// The settings for a picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style<'a> {
    /// Identifier of the picture, which is unique on its page.
    pub id: &'a str,
    /// Title of the part of the run, such as `UDP, one try`.
    pub title: &'a str,
    pub transport: Transport,
    /// Unit of the axis.
    pub unit: Unit,
    /// Identifier of the element that describes the picture, which is the table of packets or the list of calls.
    pub described_by: &'a str,
    /// Median time in flight over the whole run, in nanoseconds. Used for a picture whose packets are all lost.
    pub usual_flight: u64,
    pub lettered: Lettered,
    /// Maximum number of omitted packets that the picture lists in the attribute `data-left-out`.
    pub max_listed: usize,
}

/// A picture of a trace.
#[derive(Debug, Template)]
#[template(path = "picture.svg")]
pub(crate) struct Picture {
    /// The frame of a standalone file; `None` if the picture is part of a page.
    frame: Option<Frame>,
    head: Head,
    scale: ScaleView,
    hosts: Vec<HostView>,
    columns: Vec<ColumnView>,
    breaks: Vec<BreakView>,
    /// The omitted packets, if the picture has no break that shows them.
    loose: Option<LeftOutView>,
    packets: Vec<PacketView>,
    labels: Vec<LabelView>,
    pub(crate) calls: Vec<CallLine>,
    /// Whether the list of calls is visible at every width. This is the case if the picture shows only letters for some
    /// calls.
    pub(crate) needs_list: bool,
}

/// A picture's title, and the identifier of its description.
#[derive(Debug)]
struct Head {
    id: String,
    heading: String,
    class: String,
    title: String,
    description: String,
    alternative: &'static str,
    described_by: String,
}

/// A picture's scale and axis.
#[derive(Debug)]
struct ScaleView {
    height: Px,
    bottom: Px,
    ns_per_px: String,
    segments: String,
    unit: &'static str,
    ticks: Vec<Px>,
    times: Vec<(Px, String)>,
    /// Top and bottom of each piece of a host's line. All hosts' lines have the same pieces.
    pieces: Vec<(Px, Px)>,
}

impl Picture {
    /// Draws a trace's events.
    pub(crate) fn of(events: &Events, style: Style) -> Self {
        let Style { usual_flight, lettered, unit, .. } = style;
        let layout = Layout::of(events, usual_flight, lettered, |packet| below(packet, unit));
        let hosts = events.hosts.len();
        let name = |host: usize| events.hosts.get(host).map_or("", |host| &host.name);
        let torn = layout.scale.breaks.iter();
        let breaks: Vec<BreakView> =
            torn.map(|it| BreakView::of(it, events, style.max_listed)).collect();
        let loose =
            events.left_out.as_ref().filter(|_| !breaks.iter().any(|it| it.left_out.is_some()));
        let has_letters_only =
            layout.columns.iter().any(|it| is_middle(it.host, hosts) && !it.rows.is_empty());
        Self {
            frame: None,
            head: Head::of(events, style),
            scale: ScaleView::of(events, &layout, style.unit),
            hosts: (0..hosts).map(|host| HostView::of(host, events, &layout)).collect(),
            columns: layout.columns.iter().map(|it| ColumnView::of(it, hosts)).collect(),
            loose: loose.map(|it| LeftOutView::of(events, it, style.max_listed)),
            breaks,
            packets: layout.arrows.iter().map(|arrow| PacketView::of(arrow, name)).collect(),
            labels: layout.labels.iter().map(LabelView::of).collect(),
            calls: calls(events, &layout, style.unit),
            needs_list: has_letters_only,
        }
    }
}

/// Returns the list of system calls and short states.
fn calls(events: &Events, layout: &Layout, unit: Unit) -> Vec<CallLine> {
    let line = |(letter, note): &(String, Note)| CallLine {
        letter: letter.clone(),
        time: unit.show(Duration::from_nanos(note.at)),
        host: events.hosts.get(note.host).map(|host| host.name.clone()).unwrap_or_default(),
        text: note.text.clone(),
        is_letter_only: is_middle(note.host, events.hosts.len()),
    };
    layout.listed.iter().map(line).collect()
}

impl Head {
    fn of(events: &Events, style: Style) -> Self {
        Self {
            id: style.id.to_owned(),
            heading: style.title.to_owned(),
            class: class(events, style.transport),
            title: title(events, style.title),
            description: description(events, style.transport),
            alternative: alternative(events),
            described_by: style.described_by.to_owned(),
        }
    }
}

impl ScaleView {
    fn of(events: &Events, layout: &Layout, unit: Unit) -> Self {
        let (scale, bottom) = (&layout.scale, layout.bottom());
        let pieces = scale.pieces(TOP, bottom).into_iter();
        Self {
            height: Px(bottom + MARGIN),
            bottom: Px(bottom),
            ns_per_px: format!("{:.3}", scale.ns_per_px),
            segments: segments(layout),
            unit: unit.name(),
            ticks: scale.ticks().into_iter().map(Px).collect(),
            times: axis(events, layout, unit),
            pieces: pieces.map(|(top, end)| (Px(top), Px(end))).collect(),
        }
    }
}

impl Picture {
    /// Returns the picture's height in pixels.
    pub(crate) const fn height(&self) -> f64 {
        self.scale.height.0
    }

    /// Returns the picture's CSS classes.
    pub(crate) fn class(&self) -> &str {
        &self.head.class
    }

    /// Cuts the picture into slices for paper.
    pub(crate) fn slices(&self, limits: SliceLimits) -> Vec<Slice> {
        let lines = self.baselines().map(|y| (y - ASCENT, y + DESCENT));
        let breaks = self.breaks.iter().map(|it| (it.edges[0].0 - 1.0, it.edges[1].0 + 7.0));
        let texts: Vec<_> = lines.chain(breaks).chain(self.band_names()).collect();
        slices::slices(self.height(), &texts, limits)
    }

    /// Iterates over the top and the bottom of each state's name, which runs downwards.
    fn band_names(&self) -> impl Iterator<Item = (f64, f64)> {
        let bands = self.hosts.iter().flat_map(|it| &it.bands);
        let named = bands.flat_map(|(band, pieces)| {
            pieces.iter().filter_map(|it| Some((it.name?.1.0, band.name.len())))
        });
        named.map(|(y, letters)| (y, y + LETTER * real_count(letters)))
    }

    /// Iterates over the baselines of all texts that are not in a break or a band.
    fn baselines(&self) -> impl Iterator<Item = f64> {
        let quotes = self.labels.iter().filter_map(|it| it.quote.as_ref());
        let rows = self.columns.iter().filter(|it| !it.letters_only).flat_map(|it| &it.rows);
        let letters = self.columns.iter().filter(|it| it.letters_only).flat_map(|it| &it.letters);
        let crosses = self.packets.iter().filter_map(|it| it.cross.as_ref());
        let labels = self.labels.iter().flat_map(|it| [it.what_y, it.below_y]);
        let lines = quotes.flat_map(|it| &it.lines).chain(rows.flat_map(|it| &it.lines));
        let times = self.scale.times.iter().map(|(y, _)| y.0 + TIME_BASELINE);
        let crosses = crosses.flat_map(|it| [it.y.0 + 4.0, it.y.0 + 17.0]);
        lines
            .chain(letters)
            .map(|(y, _)| y.0)
            .chain(labels.map(|y| y.0))
            .chain(times)
            .chain(crosses)
    }

    /// Whether any packet has this CSS class.
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

/// Returns a picture's CSS classes. A picture without packets has more room for its calls.
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

/// Returns the picture's numbers in words. Only TCP retransmits: over UDP a program that asks again sends a new datagram.
fn description(events: &Events, transport: Transport) -> String {
    if events.packets.is_empty() {
        let calls = plural(events.calls.len() as u64, "system call");
        return format!("{calls}, no packets.");
    }
    let count = |is: fn(&ShownPacket) -> bool| events.packets.iter().filter(|it| is(it)).count();
    let lost = count(|it| it.lost.is_some());
    let again = match transport {
        Transport::Tcp => {
            format!(", {} retransmitted", count(|it| it.kind == PacketKind::Retransmission))
        }
        Transport::Udp => String::new(),
    };
    let packets = plural(events.packets.len() as u64, "packet");
    let quote = events.packets.iter().map(|packet| packet.quote.as_str()).find(|it| !it.is_empty());
    let quote = quote.map(|quote| format!(" The first text is {quote}.")).unwrap_or_default();
    format!("{packets}, {lost} lost{again}.{quote}")
}

/// Returns what a page has below the picture. A picture that is a file of its own has nothing there.
fn alternative(events: &Events) -> &'static str {
    if events.packets.is_empty() {
        "The list below the picture has the same calls."
    } else {
        "The table below the picture lists the same packets."
    }
}

fn segments(layout: &Layout) -> String {
    let one = |it: &Segment| format!("[{}, {}, {}, {}]", it.from, it.to, Px(it.top), Px(it.bottom));
    let all: Vec<String> = layout.scale.segments.iter().map(one).collect();
    format!("[{}]", all.join(", "))
}

/// Returns the text below a packet's name: a word such as `retransmission` for a special packet, and the time in
/// flight.
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

/// Returns a picture as a standalone file, for example for a slide.
///
/// # Errors
/// Returns an error if the template cannot be written to memory.
pub(crate) fn standalone(mut picture: Picture) -> askama::Result<String> {
    let is_wide = picture.head.class.contains("calls-only");
    picture.frame = Some(frame(is_wide, picture.scale.height.0, &picture.calls));
    picture.render()
}
