//! A picture's scale. It maps times to heights, and marks long silences as breaks.
//!
//! The same scale applies to the whole picture, with two exceptions. A long silence becomes a break. An instant at
//! which packets are sent that arrive without any delay gets as much height as these packets need, so that a later time
//! is never further up.

use super::events::{Events, ShownPacket};
use super::number::{median, real, real_count, whole};
use std::collections::BTreeMap;

/// Vertical position of the first instant. The hosts' names are above it.
pub(super) const TOP: f64 = 64.0;
/// Height of the median time in flight. If no packet spends time in flight, `INTERVAL` is the height of the median
/// interval between two events.
const FLIGHT: f64 = 80.0;
const INTERVAL: f64 = 36.0;
/// Minimum height of a silence that becomes a break: four times in flight. `LONG_PAUSE` is the minimum if no packet
/// spends time in flight.
const LONG_SILENCE: f64 = 4.0 * FLIGHT;
const LONG_PAUSE: f64 = 200.0;
/// A long time without packets is shortened by a break in the axis. This is the height drawn on each side of the break.
const STAY: f64 = 26.0;
/// Height of the torn band that marks a break.
pub(super) const BREAK: f64 = 46.0;
/// Height reserved for a packet that arrives without any delay.
pub(super) const LEVEL: f64 = 28.0;
/// Maximum number of breaks. If a picture exceeds this number or `MAX_HEIGHT`, the scale becomes coarser.
const MAX_BREAKS: usize = 8;
const MAX_HEIGHT: f64 = 1700.0;
/// Factor by which one step makes the scale coarser. `MAX_STEPS` steps are enough to go from nanoseconds to hours.
const COARSER: f64 = 1.2;
const MAX_STEPS: usize = 160;

/// One picture's scale.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    pub ns_per_px: f64,
    /// Median time in flight in nanoseconds; 0 if no packet takes any time.
    pub flight: u64,
    pub segments: Vec<Segment>,
    pub breaks: Vec<Break>,
}

/// A span of time that is drawn to scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Segment {
    pub from: u64,
    pub to: u64,
    pub top: f64,
    pub bottom: f64,
}

/// A span of time that is not drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Break {
    /// Start of the omitted span.
    pub from: u64,
    pub to: u64,
    /// The times of the last event before the break and of the first event after it.
    pub silent: (u64, u64),
    pub top: f64,
    /// Whether the break leaves out events, and not only silence.
    pub leaves_out: bool,
}

/// The data from which a scale is made.
#[derive(Debug)]
pub(super) struct Instants {
    /// The times that are drawn, in ascending order and without duplicates.
    times: Vec<u64>,
    /// For each instant at which packets arrive without delay, the height that these packets need.
    stretched: BTreeMap<u64, f64>,
    gap: Option<(u64, u64)>,
    flight: u64,
}

impl Instants {
    /// Collects the times of the shown events. If all packets in the picture are lost, `usual_flight` replaces the time
    /// in flight.
    pub(super) fn of(events: &Events, usual_flight: u64) -> Self {
        let flights = || events.shown_packets().filter_map(ShownPacket::flight);
        let flight = match flights().next() {
            None if !events.packets.is_empty() => usual_flight,
            _ => median(flights().filter(|it| *it > 0)),
        };
        let mut times: Vec<u64> = events
            .shown_packets()
            .flat_map(|packet| packet.times().chain([end(packet, flight)]))
            .chain(events.shown_calls().map(|call| call.at))
            .chain(events.states.iter().map(|state| state.from))
            .collect();
        times.sort_unstable();
        times.dedup();
        let gap = events.gap();
        times.retain(|time| gap.is_none_or(|(from, to)| *time <= from || *time >= to));
        let mut stretched = BTreeMap::new();
        for packet in events.shown_packets().filter(|it| is_level(it, flight)) {
            *stretched.entry(packet.sent).or_insert(0.0) += LEVEL;
        }
        Self { times, stretched, gap, flight }
    }

    /// Returns the number of nanoseconds per pixel, and the minimum height of a silence that becomes a break.
    fn unit(&self) -> (f64, f64) {
        let intervals = self.times.windows(2).map(|pair| pair[1] - pair[0]);
        match (self.flight, median(intervals)) {
            (0, 0) => (1.0, LONG_PAUSE),
            (0, interval) => (real(interval) / INTERVAL, LONG_PAUSE),
            (flight, _) => (real(flight) / FLIGHT, LONG_SILENCE),
        }
    }
}

/// Returns the time at which a packet's arrow ends. This is the packet's last arrival. A lost packet's arrow ends after
/// half the time in flight.
pub(super) fn end(packet: &ShownPacket, flight: u64) -> u64 {
    let midway =
        if packet.lost.is_some() { packet.sent.saturating_add(flight / 2) } else { packet.sent };
    packet.arrivals.iter().copied().max().unwrap_or(midway)
}

/// Whether a packet's arrow is horizontal. This is the case if the packet arrives at the instant at which it is sent.
pub(super) fn is_level(packet: &ShownPacket, flight: u64) -> bool {
    end(packet, flight) == packet.sent
}

impl Scale {
    /// Makes the scale. `room` returns the height that the notes at an instant need. No break may begin within this
    /// height.
    pub(super) fn new(instants: &Instants, room: &impl Fn(u64) -> f64) -> Self {
        let (mut ns_per_px, long) = instants.unit();
        let mut scale = Self::with(instants, ns_per_px, long, room);
        for _ in 0..MAX_STEPS {
            if scale.breaks.len() <= MAX_BREAKS && scale.bottom() <= MAX_HEIGHT {
                break;
            }
            ns_per_px *= COARSER;
            scale = Self::with(instants, ns_per_px, long, room);
        }
        scale
    }

    fn with(instants: &Instants, ns_per_px: f64, long: f64, room: &impl Fn(u64) -> f64) -> Self {
        let first = instants.times.first().copied().unwrap_or(0);
        let begin = Segment { from: first, to: first, top: TOP, bottom: TOP };
        let mut scale =
            Self { ns_per_px, flight: instants.flight, segments: vec![begin], breaks: Vec::new() };
        let mut last = first;
        for time in instants.times.iter().copied() {
            let leaves_out = instants.gap == Some((last, time));
            if leaves_out || real(time - last) / ns_per_px > long {
                scale.tear(last, time, leaves_out, room(last));
            } else {
                scale.extend(time);
            }
            scale.stretch(time, instants.stretched.get(&time).copied().unwrap_or(0.0));
            last = time;
        }
        scale.extend(last.saturating_add(whole(STAY.max(room(last)) * ns_per_px)));
        scale
    }

    /// Extends the last segment to this time.
    fn extend(&mut self, to: u64) {
        let ns_per_px = self.ns_per_px;
        if let Some(segment) = self.segments.last_mut() {
            segment.to = to;
            segment.bottom = segment.top + real(to - segment.from) / ns_per_px;
        }
    }

    /// Gives an instant this height. The next segment begins at the same time, but further down.
    fn stretch(&mut self, at: u64, height: f64) {
        let Some(bottom) = self.segments.last().map(|it| it.bottom).filter(|_| height > 0.0) else {
            return;
        };
        let top = bottom + height;
        self.segments.push(Segment { from: at, to: at, top, bottom: top });
    }

    /// Adds a break. It ends the last segment shortly after the time `last`, and begins a new segment shortly before
    /// the time `next`.
    fn tear(&mut self, last: u64, next: u64, leaves_out: bool, room: f64) {
        let silence = next - last;
        let side = |height: f64| whole(height * self.ns_per_px).min(silence / 3);
        let (from, to) = (last + side(STAY.max(room)), next - side(STAY));
        self.extend(from);
        let top = self.segments.last().map_or(TOP, |it| it.bottom);
        self.breaks.push(Break { from, to, silent: (last, next), top, leaves_out });
        let top = top + BREAK;
        self.segments.push(Segment { from: to, to, top, bottom: top });
        self.extend(next);
    }

    /// Returns the height of a time. A time inside a break has the height at which the break begins.
    pub(super) fn y(&self, time: u64) -> f64 {
        let within = self.segments.iter().find(|it| (it.from..=it.to).contains(&time));
        let Some(segment) = within else {
            let before = self.segments.iter().rev().find(|segment| segment.to < time);
            return before.map_or(TOP, |segment| segment.bottom);
        };
        segment.top + real(time - segment.from) / self.ns_per_px
    }

    /// Returns the height at which the last segment ends.
    pub(super) fn bottom(&self) -> f64 {
        self.segments.last().map_or(TOP, |it| it.bottom)
    }

    /// Divides a vertical line between two heights into the pieces that breaks leave.
    pub(super) fn pieces(&self, from: f64, to: f64) -> Vec<(f64, f64)> {
        let mut pieces = Vec::new();
        let mut top = from;
        for torn in self.breaks.iter().filter(|it| it.top + BREAK > from && it.top < to) {
            pieces.push((top, torn.top));
            top = torn.top + BREAK;
        }
        pieces.push((top, to));
        pieces.retain(|(top, bottom)| top < bottom);
        pieces
    }

    /// Returns the height of the median time in flight.
    pub(super) fn flight_height(&self) -> f64 {
        real(self.flight) / self.ns_per_px
    }

    /// Returns the heights of the axis's ticks. Ticks are at round times, at least 15 pixels apart.
    pub(super) fn ticks(&self) -> Vec<f64> {
        const MIN_APART: f64 = 15.0;
        const MAX_TICKS: usize = 200;
        let least = MIN_APART * self.ns_per_px;
        let powers = (0..19).map(|power| 10_u64.pow(power));
        let steps = powers.flat_map(|power| [1, 2, 5].map(|it| it * power));
        let Some(step) = steps.into_iter().find(|step| real(*step) >= least) else {
            return Vec::new();
        };
        let of = |Segment { from, to, top, .. }: &Segment| {
            let (from, top) = (*from, *top);
            let times = (from.div_ceil(step)..=to / step).map(move |number| number * step);
            times.map(move |at| (from, top, at))
        };
        let height = |(from, top, at): (u64, f64, u64)| top + real(at - from) / self.ns_per_px;
        self.segments.iter().flat_map(of).take(MAX_TICKS).map(height).collect()
    }
}

/// Returns the horizontal position of a host's line, in percent of the width.
pub(super) fn host_x(host: usize, hosts: usize) -> f64 {
    100.0 * real_count(host) / real_count(hosts.saturating_sub(1).max(1))
}

/// Whether a host is neither the first nor the last.
pub(super) const fn is_middle(host: usize, hosts: usize) -> bool {
    0 < host && host + 1 < hosts
}
