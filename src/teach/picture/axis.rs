//! The times shown beside a picture's axis.

use super::events::{Events, ShownPacket};
use super::layout::Layout;
use super::number::Px;
use crate::duration::Unit;
use std::time::Duration;

/// Minimum distance between two labelled times, in pixels.
const MIN_TIME_DISTANCE: f64 = 12.0;
/// Duration in nanoseconds below which a picture is short. In a short picture, times in milliseconds have three
/// decimals.
const SHORT: u64 = 10_000_000;

/// Returns the labelled times with their heights: the times at which packets are sent or arrive, at which calls return,
/// and at which TCP states begin. Leaves out a time that is too close to the previous one.
pub(super) fn axis(events: &Events, layout: &Layout, unit: Unit) -> Vec<(Px, String)> {
    let packets = events.shown_packets().flat_map(ShownPacket::times);
    let notes = layout.columns.iter().flat_map(|it| &it.rows).map(|row| row.at);
    let states = events.states.iter().map(|state| state.from);
    let mut times: Vec<u64> = packets.chain(notes).chain(states).collect();
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

/// Converts times to numbers. Uses as many decimals as are needed to tell the times apart.
fn axis_texts(times: &[(f64, u64)], unit: Unit) -> Vec<String> {
    const MAX_DECIMALS: usize = 4;
    let last = times.last().map_or(0, |(_, time)| *time);
    let few = match unit {
        Unit::Microseconds => 0,
        Unit::Milliseconds if last >= SHORT => 1,
        Unit::Milliseconds | Unit::Seconds => 3,
    };
    let texts = |decimals: usize| -> Vec<String> {
        let text = |(_, time): &(f64, u64)| unit.decimal(Duration::from_nanos(*time), decimals);
        times.iter().map(|time| short_decimal(&text(time)).to_owned()).collect()
    };
    let differ = |texts: &[String]| texts.windows(2).all(|pair| pair[0] != pair[1]);
    let distinct = (few..MAX_DECIMALS).map(texts).find(|texts| differ(texts));
    distinct.unwrap_or_else(|| texts(MAX_DECIMALS))
}

/// Removes trailing zeros from a number with decimals.
fn short_decimal(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}
