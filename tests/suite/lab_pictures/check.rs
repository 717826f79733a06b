//! Compares a trace with its picture and its table. Each difference is one complaint.

use super::picture::{Arrow, Band, LeftOut, Note, Picture, Wire, exact, near};
use super::table::{Figure, Item, Row};
use super::trace::{Call, Packet, State, Trace};
use std::collections::BTreeMap;

/// Height of a letter's middle above its baseline, as texts beside the axis and the lifelines have it.
const BASELINE: f64 = 4.0;

/// A picture with what is below it. A picture alone has neither table nor list.
#[derive(Debug)]
pub struct Shown {
    pub picture: Picture,
    pub rows: Option<Vec<Row>>,
    pub listed: Option<Vec<Item>>,
}

/// Returns every difference between a trace and what is shown of it.
pub fn complaints(trace: &Trace, shown: &Shown) -> Vec<String> {
    let picture = &shown.picture;
    let mut found = scale(picture);
    found.extend(axis(picture));
    found.extend(monotone(trace, picture));
    found.extend(packets(trace, picture));
    found.extend(picture.arrows.iter().flat_map(|it| geometry(it, picture)));
    found.extend(labels(picture));
    if let Some(rows) = &shown.rows {
        found.extend(table(trace, rows));
    }
    found.extend(states(trace, picture));
    found.extend(picture.bands.iter().filter_map(|it| band(it, picture)));
    found.extend(calls(trace, shown));
    found.extend(picture.notes.iter().filter_map(|it| note(it, picture)));
    found
}

fn unless(is_good: bool, complaint: impl FnOnce() -> String) -> Option<String> {
    (!is_good).then(complaint)
}

/// The pieces of the scale follow each other in time and downwards; what is between two of them is a break.
fn scale(picture: &Picture) -> Vec<String> {
    let mut found = Vec::new();
    for it in &picture.segments {
        let bottom = it.top + (it.to - it.from) / picture.ns_per_px;
        found.extend(unless(it.from <= it.to && near(bottom, it.bottom), || format!("{it:?}")));
    }
    for pair in picture.segments.windows(2) {
        let is_down = pair[0].to <= pair[1].from && pair[0].bottom < pair[1].top;
        found.extend(unless(is_down, || format!("{pair:?} do not go down")));
    }
    let gaps = picture.segments.windows(2).map(|pair| (pair[0].to, pair[1].from));
    // Level arrows stand below each other at one time.
    let gaps = gaps.filter(|it| it.0 < it.1);
    let breaks = picture.breaks.iter().map(|it| (exact(it.0), exact(it.1)));
    found.extend(unless(gaps.eq(breaks), || "the breaks are not the gaps of the scale".into()));
    found
}

/// A number beside the axis is at the height of its time, and 12 pixels from its neighbours.
fn axis(picture: &Picture) -> Vec<String> {
    let mut found = Vec::new();
    for (text, y) in &picture.times {
        let (from, to) = Figure::read(text, &picture.unit).range();
        let is_there = picture.segments.iter().any(|it| {
            let y_of = |time: f64| it.top + (time - it.from) / picture.ns_per_px;
            it.from <= to
                && from <= it.to
                && y_of(from) - 0.5 <= y - 3.8
                && y - 3.8 <= y_of(to) + 0.5
        });
        found.extend(unless(is_there, || format!("{text} is at the axis at {y}")));
    }
    let close = picture.times.windows(2).filter(|it| it[1].1 - it[0].1 < 11.9);
    found.extend(close.map(|it| format!("{it:?} are close to each other")));
    found
}

/// A later event is never above an earlier one.
fn monotone(trace: &Trace, picture: &Picture) -> Vec<String> {
    let packets = trace.packets.iter().flat_map(|it| it.arrived.iter().copied().chain([it.sent]));
    let others = trace.calls.iter().map(|it| it.at).chain(trace.states.iter().map(|it| it.from));
    let mut times: Vec<u64> = packets.chain(others).collect();
    times.sort_unstable();
    let heights: Vec<f64> = times.into_iter().filter_map(|it| picture.y(it)).collect();
    let up = heights.windows(2).filter(|it| it[0] > it[1]);
    up.map(|it| format!("time goes up from {} to {}", it[0], it[1])).collect()
}

/// Each packet is in the picture exactly once, as an arrow or in the list of a break.
fn packets(trace: &Trace, picture: &Picture) -> Vec<String> {
    let mut found = Vec::new();
    let mut times_shown: BTreeMap<usize, usize> = BTreeMap::new();
    for it in &picture.arrows {
        *times_shown.entry(it.number).or_default() += 1;
        let is_same = trace.packets.get(it.number - 1) == Some(&it.packet);
        found.extend(unless(is_same, || format!("the arrow {} is {:?}", it.number, it.packet)));
    }
    for range in &picture.left_out {
        found.extend(left_out(trace, range, &mut times_shown));
    }
    let whole = (1..=trace.packets.len()).map(|number| (number, 1));
    found.extend(unless(times_shown.clone().into_iter().eq(whole), || {
        let wrong = times_shown.iter().filter(|it| *it.1 != 1 || *it.0 > trace.packets.len());
        format!(
            "{} packets, {} shown, wrong: {:?}",
            trace.packets.len(),
            times_shown.len(),
            wrong.collect::<Vec<_>>()
        )
    }));
    found
}

fn left_out(trace: &Trace, range: &LeftOut, shown: &mut BTreeMap<usize, usize>) -> Vec<String> {
    let mut found = Vec::new();
    let numbers = range.packets.iter().map(|it| it.0);
    found.extend(unless(numbers.eq(range.first..=range.last), || format!("{range:?}")));
    for (number, packet) in &range.packets {
        *shown.entry(*number).or_default() += 1;
        let like = |it: &Packet| Packet { what: String::new(), ..it.clone() } == *packet;
        let is_same = trace.packets.get(number - 1).is_some_and(like);
        found.extend(unless(is_same, || format!("packet {number} is left out as {packet:?}")));
    }
    found
}

/// A line for each arrival, from the sender's lifeline to the receiver's; or one line to a cross midway.
fn geometry(arrow: &Arrow, picture: &Picture) -> Vec<String> {
    let Arrow { number, packet, nudge, wires, cross } = arrow;
    let ends = [&packet.from, &packet.to].map(|host| picture.lifelines.get(host).copied());
    let [Some(from), Some(to)] = ends else { return vec![format!("{number}: no lifeline")] };
    let Some(top) = picture.y(packet.sent) else { return vec![format!("{number} is in a break")] };
    let begins = |it: &Wire| near(it.x1, from) && near(it.y1, top + nudge) && it.y1 <= it.y2;
    let mut found = Vec::new();
    found.extend(unless(wires.iter().all(begins), || format!("{number} begins wrong: {wires:?}")));
    let is_lost = is_lost(packet);
    let crossed =
        |it: &Wire| near(it.x2, f64::midpoint(from, to)) && *cross == Some((it.x2, it.y2));
    let is_good = if is_lost {
        wires.len() == 1 && wires.iter().all(crossed)
    } else if packet.arrived.is_empty() {
        // Its arrival was not recorded, so the arrow is level.
        packet.fate == "seen here"
            && matches!(&wires[..], [it] if near(it.x2, to) && near(it.y1, it.y2))
    } else {
        let ended = |(it, time): (&Wire, &u64)| {
            near(it.x2, to) && picture.y(*time).is_some_and(|y| near(it.y2, y + nudge))
        };
        wires.len() == packet.arrived.len() && wires.iter().zip(&packet.arrived).all(ended)
    };
    found.extend(unless(is_good && cross.is_some() == is_lost, || {
        format!("{number} ends wrong: {wires:?}, {cross:?}")
    }));
    found
}

fn is_lost(packet: &Packet) -> bool {
    packet.arrived.is_empty() && packet.fate.starts_with("lost")
}

/// Each arrow has one label, which begins with its number and says what the packet is. Each cross has its word.
fn labels(picture: &Picture) -> Vec<String> {
    let mut found = Vec::new();
    for arrow in &picture.arrows {
        let own: Vec<_> = picture.labels.iter().filter(|it| it.0 == arrow.number).collect();
        let begin = squeezed(&format!("{} {}", arrow.number, arrow.packet.what));
        let is_good = own.len() == 1 && squeezed(&own[0].1).starts_with(&begin);
        found.extend(unless(is_good, || format!("{begin:?} has the labels {own:?}")));
    }
    let lost = picture.arrows.iter().filter(|it| is_lost(&it.packet)).count();
    found.extend(unless(lost == picture.crosses, || "a cross without the word".into()));
    found.extend(unless(picture.labels.len() == picture.arrows.len(), || "a stray label".into()));
    found
}

/// Each packet is one row, in order.
fn table(trace: &Trace, rows: &[Row]) -> Vec<String> {
    let mut by_number: BTreeMap<usize, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        by_number.entry(row.number).or_default().push(row);
    }
    let mut found = Vec::new();
    let whole = 1..=trace.packets.len();
    found.extend(unless(by_number.keys().copied().eq(whole), || {
        format!("{} packets, {} numbers in the table", trace.packets.len(), by_number.len())
    }));
    for (number, rows) in by_number {
        let packet = number.checked_sub(1).and_then(|it| trace.packets.get(it));
        let is_good = rows.len() == 1 && packet.is_some_and(|it| is_row_of(rows[0], it));
        found.extend(unless(is_good, || format!("{number} is in the table as {rows:?}")));
    }
    found
}

fn is_row_of(row: &Row, packet: &Packet) -> bool {
    let fate = row.fate.strip_prefix("✗ ").unwrap_or(&row.fate);
    row.from == packet.from
        && row.to == packet.to
        && fate == packet.fate
        && row.what.starts_with(&packet.what)
        && row.sent.is(exact(packet.sent))
        && row.arrived.len() == packet.arrived.len()
        && row.arrived.iter().zip(&packet.arrived).all(|(shown, time)| shown.is(exact(*time)))
}

/// Each state is one band; one that ended at once is a note.
fn states(trace: &Trace, picture: &Picture) -> Vec<String> {
    let mut found = Vec::new();
    for state in &trace.states {
        let twins = trace.states.iter().filter(|it| *it == state).count();
        let bands = picture.bands.iter().filter(|it| it.state == *state).count();
        let is_good = twins == bands + times_noted(state, picture);
        found.extend(unless(is_good, || format!("{twins} {state:?}, {bands} bands")));
    }
    for band in &picture.bands {
        let is_known = trace.states.contains(&band.state);
        found.extend(unless(is_known, || format!("{band:?} is not in the trace")));
    }
    for note in picture.notes.iter().filter(|it| it.is_state) {
        let is_known = trace.states.iter().any(|it| note_is_of(note, it));
        found.extend(unless(is_known, || format!("{note:?} is not in the trace")));
    }
    found
}

/// Returns how many notes say that this state ended at once.
fn times_noted(state: &State, picture: &Picture) -> usize {
    let is_over =
        |it: &&Note| squeezed(&it.call.says).ends_with("atonce") && state.to == Some(state.from);
    picture.notes.iter().filter(|it| note_is_of(it, state)).filter(is_over).count()
}

fn note_is_of(note: &Note, state: &State) -> bool {
    let Note { call, is_state, .. } = note;
    let name = squeezed(&call.says).starts_with(&state.name);
    *is_state && name && call.host == state.host && call.at == state.from
}

/// The rectangles of a band cover its time, except breaks.
fn band(band: &Band, picture: &Picture) -> Option<String> {
    let end = picture.segments.last().map(|it| it.bottom);
    let top = picture.y(band.state.from);
    let bottom = band.state.to.map_or(end, |to| picture.y(to));
    let (Some(top), Some(bottom)) = (top, bottom) else {
        return Some(format!("{band:?} ends in a break"));
    };
    let pieces = picture.segments.iter().map(|it| (it.top.max(top), it.bottom.min(bottom)));
    let pieces: Vec<(f64, f64)> = pieces.filter(|it| it.1 - it.0 > 0.05).collect();
    let fills = &band.fills;
    let covers =
        |(one, other): (&(f64, f64), &(f64, f64))| near(one.0, other.0) && near(one.1, other.1);
    let is_good = fills.len() == pieces.len() && fills.iter().zip(&pieces).all(covers);
    unless(is_good, || format!("{:?} covers {fills:?}, not {pieces:?}", band.state))
}

/// Each call is a text beside its lifeline and an item of the list, if there is a list; or a break counts it.
fn calls(trace: &Trace, shown: &Shown) -> Vec<String> {
    let picture = &shown.picture;
    let is_outer = |it: &&Call| matches!(picture.lifelines.get(&it.host), Some(0.0 | 100.0));
    let outer = trace.calls.iter().filter(is_outer).map(squeezed_call).collect();
    let noted = picture.notes.iter().filter(|it| !it.is_state).map(|it| squeezed_call(&it.call));
    let omitted = match difference(outer, noted.collect()) {
        Ok(omitted) => omitted,
        Err(call) => return vec![format!("{call:?} is not in the trace")],
    };
    let mut found: Vec<String> = omitted.iter().filter_map(|it| in_break(it, picture)).collect();
    let counted = picture.calls_left_out;
    found.extend(unless(omitted.len() <= counted, || format!("not shown: {omitted:?}")));
    let is_state = |it: &&Item| trace.states.iter().any(|state| it.says.starts_with(&state.name));
    let listed = shown.listed.iter().flatten().filter(|it| !is_state(it));
    let mut unlisted = trace.calls.clone();
    for item in listed {
        match unlisted.iter().position(|it| item.is(&it.host, &it.says, exact(it.at))) {
            Some(at) => drop(unlisted.remove(at)),
            None => found.push(format!("{item:?} is not in the trace")),
        }
    }
    let is_whole = shown.listed.is_none() || unlisted.len() == counted;
    found.extend(unless(is_whole, || format!("{} calls not in the list", unlisted.len())));
    found
}

/// A call that is not shown is in a break: between the last event before it and the first event after it.
fn in_break(call: &Call, picture: &Picture) -> Option<String> {
    let packets =
        picture.arrows.iter().flat_map(|it| it.packet.arrived.iter().chain([&it.packet.sent]));
    let times: Vec<u64> =
        packets.copied().chain(picture.notes.iter().map(|it| it.call.at)).collect();
    let is_in = picture.breaks.iter().any(|(from, to)| {
        let before = times.iter().filter(|it| *it <= from).max();
        let after = times.iter().filter(|it| *it >= to).min();
        before.is_none_or(|it| *it <= call.at) && after.is_none_or(|it| call.at <= *it)
    });
    unless(is_in, || format!("{call:?} is missing"))
}

/// Takes the parts from the whole. Returns what is left, or the part that is not in the whole.
fn difference<T: Ord>(mut whole: Vec<T>, mut parts: Vec<T>) -> Result<Vec<T>, T> {
    whole.sort();
    parts.sort();
    let mut left = Vec::new();
    let mut parts = parts.into_iter().peekable();
    for it in whole {
        if parts.peek() == Some(&it) {
            parts.next();
        } else {
            left.push(it);
        }
    }
    parts.next().map_or(Ok(left), Err)
}

/// A text beside a lifeline is never above its time.
fn note(note: &Note, picture: &Picture) -> Option<String> {
    let y = picture.y(note.call.at);
    let is_good = y.is_some_and(|y| note.y - BASELINE >= y - 0.5);
    unless(is_good, || format!("{note:?} belongs to {y:?}"))
}

fn squeezed_call(call: &Call) -> Call {
    Call { says: squeezed(&call.says), ..call.clone() }
}

/// Returns a text without blanks, which lines break at.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}
