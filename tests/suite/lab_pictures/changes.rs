//! The checker finds each kind of difference: one change in the JSON, or one change in the picture or the table.

use super::check::complaints;
use super::trace::Trace;
use super::{Shot, figures, read, shown};
use serde_json::{Value, json};

/// A change of one event, with its name.
type Change = (&'static str, fn(&mut Vec<Value>, usize));

/// Changes of a packet.
const OF_A_PACKET: [Change; 11] = [
    ("sent a nanosecond later", |events, at| later(&mut events[at]["at_ns"])),
    ("arrived a nanosecond later", |events, at| match &mut events[at]["arrived_ns"] {
        Value::Array(times) => later(&mut times[0]),
        lost => *lost = json!([1]),
    }),
    ("lost", |events, at| {
        let event = events[at].as_object_mut().expect("an event");
        if event.remove("arrived_ns").is_none() {
            event.insert("arrived_ns".into(), json!([2]));
        }
    }),
    ("arrived twice", |events, at| match &mut events[at]["arrived_ns"] {
        Value::Array(times) => times.push(times[0].clone()),
        lost => *lost = json!([3, 3]),
    }),
    ("another sender", |events, at| events[at]["host"] = "stranger".into()),
    ("another receiver", |events, at| events[at]["to"] = events[at]["host"].clone()),
    ("another direction", |events, at| {
        let (host, to) = (events[at]["host"].clone(), events[at]["to"].clone());
        (events[at]["host"], events[at]["to"]) = (to, host);
    }),
    ("another fate", |events, at| events[at]["fate"] = "arrived after 1 s".into()),
    ("another kind", |events, at| events[at]["packet"] = "URG".into()),
    ("one removed", |events, at| drop(events.remove(at))),
    ("one added", |events, at| events.insert(at, events[at].clone())),
];

/// Changes of a call or a state.
const OF_ANOTHER: [Change; 5] = [
    // The list of a middle host's calls has rounded times.
    ("a second later", |events, at| {
        let time = events[at]["at_ns"].as_u64().expect("a time");
        events[at]["at_ns"] = (time + 1_000_000_000).into();
    }),
    ("on another host", |events, at| events[at]["host"] = "stranger".into()),
    ("another name", |events, at| {
        let key = if events[at]["call"].is_string() { "call" } else { "state" };
        events[at][key] = "socket()".into();
    }),
    ("one removed", |events, at| drop(events.remove(at))),
    ("one added", |events, at| events.insert(at, events[at].clone())),
];

fn later(time: &mut Value) {
    *time = (time.as_u64().expect("a time") + 1).into();
}

#[test]
fn one_change_of_any_event_in_the_json_is_found() {
    let mut tried = 0;
    for run in Shot::of_engine("sim").runs {
        let page = read(&run["html"]);
        for figure in figures(&page) {
            let (number, shown) = shown(figure);
            let part = &run["parts"][number];
            let events = part["events"].as_array().expect("events");
            for at in places(events) {
                let is_packet = events[at]["packet"].is_string();
                let changes = if is_packet { &OF_A_PACKET[..] } else { &OF_ANOTHER };
                for (name, change) in changes {
                    let mut other = part.clone();
                    change(other["events"].as_array_mut().expect("events"), at);
                    let found = complaints(&Trace::of(&other), &shown);
                    assert!(!found.is_empty(), "{}: {name}: {}", run["lab"], events[at]);
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 1000, "{tried}");
}

/// Returns the places of the events to change: of long traces only some, and those also in the omitted middle. What a
/// call in the middle of such a trace says is not shown.
fn places(events: &[Value]) -> Vec<usize> {
    if events.len() < 100 {
        return (0..events.len()).collect();
    }
    let packets = (0..events.len()).filter(|it| events[*it]["packet"].is_string());
    packets.step_by(97).collect()
}

/// Changes of the page: what to replace, and by what. The first place is changed.
const OF_THE_PAGE: [(&str, &str, &str); 16] = [
    ("an arrow begins lower", "x1=\"0%\" y1=\"64\"", "x1=\"0%\" y1=\"65\""),
    ("an arrow begins beside its lifeline", "x1=\"0%\" y1=\"64\"", "x1=\"1%\" y1=\"64\""),
    ("an arrow ends higher", "x2=\"100%\" y2=\"144\"", "x2=\"100%\" y2=\"143\""),
    ("an arrow ends beside its lifeline", "x2=\"100%\" y2=\"144\"", "x2=\"99%\" y2=\"144\""),
    ("the scale is another", "data-ns-per-px=\"", "data-ns-per-px=\"9"),
    (
        "a band begins lower",
        "<rect class=\"fill\" x=\"-20\" y=\"64\"",
        "<rect class=\"fill\" x=\"-20\" y=\"66\"",
    ),
    ("a state has another name", "data-state=\"SYN-SENT\"", "data-state=\"CLOSED\""),
    ("a state begins later", "data-from-ns=\"0\"", "data-from-ns=\"1\""),
    ("a call is earlier", "data-at-ns=\"0\"", "data-at-ns=\"5000000\""),
    ("an arrow has another number", "data-packet=\"2\" data-kind", "data-packet=\"3\" data-kind"),
    ("a label has another number", "data-label-of=\"2\"", "data-label-of=\"3\""),
    ("a label has no arrow", "data-label-of=\"2\"", "data-label-of=\"99\""),
    ("a row has another number", "no\">2</td>", "no\">3</td>"),
    ("a row has another time", "sent\">0</td>", "sent\">1</td>"),
    ("a row has another receiver", "to\">server</td>", "to\">client</td>"),
    ("a row has another fate", "fate\">arrived after", "fate\">lost after"),
];

#[test]
fn one_change_of_the_picture_or_of_the_table_is_found() {
    let shot = Shot::of(&["exchange"]);
    let (run, page) = (&shot.runs[0], read(&shot.runs[0]["html"]));
    let figure = figures(&page)[0];
    let trace = Trace::of(&run["parts"][0]);
    assert!(complaints(&trace, &shown(figure).1).is_empty());
    for (name, old, new) in OF_THE_PAGE {
        let changed = figure.replacen(old, new, 1);
        assert!(changed != figure, "{name}: nothing to change: {figure}");
        // The attribute of a row says the number once more, so both change.
        let changed = if name == "a row has another number" {
            changed.replacen("<tr data-packet=\"2\"", "<tr data-packet=\"3\"", 1)
        } else {
            changed
        };
        let found = complaints(&trace, &shown(&changed).1);
        assert!(!found.is_empty(), "{name} was not found");
    }
}
