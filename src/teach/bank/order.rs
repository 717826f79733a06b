//! Creates items that ask for the order of timed events. Exactly one order is right.

use crate::report::packet::label;
use crate::teach::draw::Draw;
use crate::teach::item::Order;
use crate::trace::{Fate, HostId, Trace};
use crate::wire::decode::decode;
use crate::wire::segment::{Segment, SentSegments};
use std::collections::BTreeMap;
use std::time::Duration;

/// Maximum number of labels. Putting six labels in order takes a student about two minutes.
const MAX_LABELS: usize = 6;
/// Minimum number of labels. Two labels have only two orders, so a guess would be right too often.
const MIN_LABELS: usize = 3;

/// Creates the item's labels and their right order. Leaves out labels that occur more than once. If several events have
/// the same time, keeps only the first. Returns `None` if fewer than three labels are left.
pub(super) fn of(
    mut events: Vec<(Duration, String)>,
    explanation: &str,
    draw: &mut Draw,
) -> Option<Order> {
    let labels: Vec<String> = events.iter().map(|(_, label)| label.clone()).collect();
    events.retain(|(_, label)| labels.iter().filter(|it| *it == label).count() == 1);
    events.sort_by_key(|(at, _)| *at);
    events.dedup_by_key(|(at, _)| *at);
    while events.len() > MAX_LABELS {
        events.remove(draw.below(events.len()));
    }
    let is_enough = events.len() >= MIN_LABELS;
    let mut shown: Vec<usize> = (0..events.len()).collect();
    draw.shuffle(&mut shown);
    let right = (0..events.len()).filter_map(|at| shown.iter().position(|it| *it == at)).collect();
    let labels = shown.iter().filter_map(|at| events.get(*at)).map(|(_, label)| label.clone());
    let explanation = explanation.to_owned();
    is_enough.then(|| Order { labels: labels.collect(), right, explanation })
}

/// Returns a trace's packets, each with its time and a label that names its sender.
pub(super) fn packets(trace: &Trace) -> Vec<(Duration, String)> {
    let mut sent: BTreeMap<HostId, SentSegments> = BTreeMap::new();
    let packets = trace.packets().filter_map(|(event, packet)| {
        let decoded = decode(&packet.octets)?;
        let sent = sent.entry(event.host).or_default();
        let is_again = Segment::of(&decoded).is_some_and(|segment| sent.record(&segment));
        let again = if is_again { "again: " } else { "" };
        let lost = if matches!(packet.fate, Fate::Lost(_)) { " (lost)" } else { "" };
        let HostId(host) = event.host;
        let host = trace.hosts.get(host).map_or("", |host| &host.name);
        Some((event.at, format!("The {host} sends {again}{}{lost}", label(&decoded))))
    });
    packets.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: u64, label: &str) -> (Duration, String) {
        (Duration::from_millis(at), label.to_owned())
    }

    #[test]
    fn equal_labels_and_equal_times_leave_no_ambiguity() {
        let events = vec![
            event(1, "SYN"),
            event(2, "ACK"),
            event(3, "reply"),
            event(3, "state"),
            event(4, "ACK"),
            event(5, "FIN"),
        ];
        let order = of(events, "", &mut Draw::seeded(1, "test")).expect("three are left");
        assert_eq!(order.in_order().collect::<Vec<_>>(), ["SYN", "reply", "FIN"]);
    }

    #[test]
    fn two_labels_are_too_few_and_six_are_enough() {
        let events = |count| (0..count).map(|at| event(at, &at.to_string())).collect();
        assert_eq!(of(events(2), "", &mut Draw::seeded(1, "test")), None);
        let order = of(events(20), "", &mut Draw::seeded(1, "test")).expect("enough");
        assert_eq!(order.labels.len(), MAX_LABELS);
        assert!(order.in_order().map(|it| it.parse::<u8>().expect("a number")).is_sorted());
    }
}
