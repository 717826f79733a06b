//! Reads pictures back, and checks every height against its time.

use super::*;
use crate::duration::Unit;
use crate::lab::{self, Engine, Report, Setting};
use crate::teach::page::pictures;
use crate::trace::{Action, Event, Fate, Host, HostId, Loss, Packet, Trace};
use crate::transport::Transport;
use askama::Template;
use quick_xml::Reader;
use quick_xml::events::Event as Xml;
use std::collections::BTreeMap;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// An SVG element's name and attributes. Coordinates such as `x1` are attributes too.
type Element = (String, BTreeMap<String, String>);

fn element(start: &quick_xml::events::BytesStart) -> Element {
    let name = String::from_utf8_lossy(start.name().as_ref()).into_owned();
    let attribute = |it: Result<quick_xml::events::attributes::Attribute, _>| {
        let it = it.expect("an attribute");
        let key = String::from_utf8_lossy(it.key.as_ref()).into_owned();
        (key, String::from_utf8_lossy(&it.value).into_owned())
    };
    (name, start.attributes().map(attribute).collect())
}

/// Returns all elements of a picture in document order.
fn elements(svg: &str) -> Vec<Element> {
    let mut reader = Reader::from_str(svg);
    let mut all = Vec::new();
    loop {
        match reader.read_event().expect("well-formed") {
            Xml::Start(start) | Xml::Empty(start) => all.push(element(&start)),
            Xml::Eof => return all,
            _ => {}
        }
    }
}

fn number(element: &Element, name: &str) -> f64 {
    let value = element.1.get(name).unwrap_or_else(|| panic!("{name} of {element:?}"));
    value.trim_end_matches('%').parse().expect("a number")
}

/// Returns the segments of a picture's scale. Each has a start time, an end time, a top and a bottom.
fn segments(root: &Element) -> Vec<[f64; 4]> {
    let all: Vec<Vec<f64>> = serde_json::from_str(&root.1["data-segments"]).expect("JSON");
    all.into_iter().map(|it| it.try_into().expect("four numbers")).collect()
}

fn y(segments: &[[f64; 4]], ns_per_px: f64, at: f64) -> f64 {
    let [from, _, top, _] =
        segments.iter().find(|it| (it[0]..=it[1]).contains(&at)).expect("a time of a segment");
    top + (at - from) / ns_per_px
}

/// Checks each packet's geometry against its times. Returns the numbers of all packets, whether drawn or only listed.
fn packets(svg: &str) -> Vec<usize> {
    let all = elements(svg);
    let root = &all[0];
    let (segments, ns_per_px) = (segments(root), number(root, "data-ns-per-px"));
    let mut numbers = Vec::new();
    for (at, group) in all.iter().enumerate() {
        if let Some(list) = group.1.get("data-left-out") {
            let number = |entry: &str| {
                entry.split('|').next().map(|it| it.parse::<usize>().expect("a number"))
            };
            numbers.extend(list.split(';').filter_map(number));
        }
        if !group.1.contains_key("data-packet") {
            continue;
        }
        numbers.push(group.1["data-packet"].parse().expect("a number"));
        let nudge = number(group, "data-nudge");
        let sent = y(&segments, ns_per_px, number(group, "data-sent-ns")) + nudge;
        let arrived: Vec<f64> = group.1["data-arrived-ns"]
            .split_whitespace()
            .map(|it| y(&segments, ns_per_px, it.parse().expect("a time")) + nudge)
            .collect();
        let lines: Vec<&Element> = all[at + 1..].iter().take_while(|it| it.0 == "line").collect();
        assert_eq!(lines.len(), arrived.len().max(1), "{group:?}");
        for (line, arrived) in lines.iter().zip(&arrived) {
            assert!((number(line, "y2") - arrived).abs() < 0.2, "{group:?} {line:?}");
        }
        assert!((number(lines[0], "y1") - sent).abs() < 0.2, "{group:?} {lines:?}");
    }
    numbers.sort_unstable();
    numbers
}

fn report(name: &str, setting: &Setting) -> Report {
    lab::find(name).expect("a lab").run(Engine::Sim, setting).expect("a run")
}

/// Runs the simulated labs, with options that affect a picture.
fn reports() -> Vec<Report> {
    let usual = lab::all().filter(|lab| lab.engines().any(|it| it == Engine::Sim));
    let mut reports: Vec<Report> =
        usual.map(|lab| report(lab.name(), &Setting::default())).collect();
    let zero = Setting::default().delay(Duration::ZERO);
    reports.push(report("exchange", &zero));
    reports.push(report("loss", &Setting::default().duplicate(100.0).count(5)));
    reports.push(report("loss", &Setting::default().delay(Duration::from_secs(2)).count(5)));
    reports
}

#[test]
fn every_packet_is_in_the_picture_once_and_its_heights_follow_from_its_times() {
    let mut pictures_seen = 0;
    for report in reports() {
        for (part, picture) in pictures(&report) {
            let count = part.trace.packets().count();
            let expected: Vec<usize> = (1..=count).collect();
            assert_eq!(packets(&picture.render().expect("SVG")), expected, "{}", report.lab.name);
            pictures_seen += 1;
        }
    }
    assert!(pictures_seen >= 15, "{pictures_seen}");
}

#[test]
fn a_later_time_is_never_further_up() {
    for report in reports() {
        for (_, picture) in pictures(&report) {
            let all = elements(&picture.render().expect("SVG"));
            let segments = segments(&all[0]);
            for pair in segments.windows(2) {
                let [[_, to, _, bottom], [from, _, top, _]] = [pair[0], pair[1]];
                assert!(to <= from && bottom <= top, "{segments:?}");
            }
            for [from, to, top, bottom] in segments {
                let ns_per_px = number(&all[0], "data-ns-per-px");
                let length = (to - from) / ns_per_px;
                assert!((bottom - top - length).abs() < 0.2, "{from} {to} {top} {bottom}");
            }
        }
    }
}

/// Returns an empty trace with two hosts.
fn two() -> Trace {
    let host = |name: &str| Host { name: name.into(), addresses: Vec::new() };
    Trace::between(vec![host("client"), host("server")])
}

/// Adds a packet that the client sends. Its content is not valid IP.
fn send(trace: &mut Trace, at: Duration, fate: Fate) {
    let action = Action::Packet(Packet { to: HostId(1), octets: vec![0; 5], fate });
    trace.push(Event { at, host: HostId(0), action });
}

fn call(trace: &mut Trace, at: Duration, call: &str) {
    let action = Action::Call { call: call.into(), outcome: String::new() };
    trace.push(Event { at, host: HostId(0), action });
}

fn draw(trace: &Trace) -> String {
    let style = Style {
        id: "p",
        title: "TCP",
        transport: Transport::Tcp,
        unit: Unit::Milliseconds,
        described_by: "t",
        usual_flight: 0,
        lettered: Lettered::All,
        max_listed: 100,
    };
    Picture::of(&Events::of(trace), style).render().expect("SVG")
}

#[test]
fn the_median_flight_is_80_pixels_and_a_silence_of_more_than_four_flights_is_a_break() {
    let mut trace = two();
    for at in [0, 20, 100, 201] {
        send(&mut trace, at * MS, Fate::Arrived(vec![(at + 20) * MS]));
    }
    let svg = draw(&trace);
    let all = elements(&svg);
    assert!((number(&all[0], "data-ns-per-px") - 250_000.0).abs() < 0.001);
    let segments = segments(&all[0]);
    assert_eq!(segments.len(), 2, "the silence from 120 to 201 ms only: {segments:?}");
    let [[_, to, _, bottom], [from, _, top, _]] = [segments[0], segments[1]];
    assert_eq!((to, from), (126.5e6, 194.5e6), "26 pixels on each side");
    assert!((top - bottom - 46.0).abs() < 0.1, "{segments:?}");
    assert!(svg.contains("nothing for 81 ms"), "{svg}");
}

#[test]
fn a_lost_packet_ends_midway_at_a_cross_with_the_word_and_the_reason() {
    let mut trace = two();
    send(&mut trace, Duration::ZERO, Fate::Arrived(vec![20 * MS]));
    send(&mut trace, 20 * MS, Fate::Lost(Loss::Chance));
    let svg = draw(&trace);
    let all = elements(&svg);
    let at = all.iter().position(|it| it.1.get("data-packet").is_some_and(|it| it == "2"));
    let (group, line) = (&all[at.expect("a packet")], &all[at.expect("a packet") + 1]);
    assert_eq!((&*group.1["data-arrived-ns"], &*group.1["data-fate"]), ("", "lost by chance"));
    assert!((number(line, "x2") - 50.0).abs() < 0.1 && (number(line, "y2") - 184.0).abs() < 0.1);
    assert!(svg.contains(">lost</text>") && svg.contains(">by chance</text>"), "{svg}");
}

#[test]
fn a_packet_that_arrives_twice_has_two_lines_and_the_word() {
    let mut trace = two();
    send(&mut trace, Duration::ZERO, Fate::Arrived(vec![20 * MS, 30 * MS]));
    let svg = draw(&trace);
    assert_eq!(packets(&svg), [1]);
    assert_eq!(svg.matches("class=\"wire duplicate\"").count(), 1, "{svg}");
    assert!(svg.contains("duplicate · 20 ms and 30 ms"), "{svg}");
}

#[test]
fn packets_without_any_delay_are_below_each_other_and_later_ones_below_them() {
    let mut trace = two();
    for at in [0, 0, 0, 50] {
        send(&mut trace, at * MS, Fate::Arrived(vec![at * MS]));
    }
    let svg = draw(&trace);
    assert_eq!(packets(&svg), [1, 2, 3, 4]);
    let lines =
        elements(&svg).into_iter().filter(|it| it.1.get("class").is_some_and(|it| it == "wire"));
    let heights: Vec<f64> = lines.map(|line| number(&line, "y1")).collect();
    assert!(heights.windows(2).all(|pair| pair[1] - pair[0] > 20.0), "{heights:?}");
}

#[test]
fn a_long_trace_leaves_out_its_middle_and_names_every_packet_there() {
    let mut trace = two();
    for at in 0..100 {
        send(&mut trace, at * MS, Fate::Arrived(vec![(at + 1) * MS]));
    }
    let svg = draw(&trace);
    assert_eq!(packets(&svg), (1..=100).collect::<Vec<_>>());
    assert_eq!(svg.matches("data-packet=").count(), 28);
    assert!(svg.contains("data-packets=\"21-92\""), "{svg}");
    assert!(svg.contains("21|client|server|20000000|21000000|sent|arrived after 1 ms;"), "{svg}");
    assert!(svg.contains("left out: packets 21 to 92"), "{svg}");
}

/// Returns the texts with this class, each with its position and its anchor.
fn texts<'a>(svg: &'a str, class: &str) -> Vec<&'a str> {
    let begin = format!("class=\"{class}\"");
    let texts = svg.split("<text ").filter(|it| it.contains(&begin));
    texts.map(|it| it.split("</text>").next().unwrap_or(it)).collect()
}

#[test]
fn a_state_that_begins_after_a_break_has_its_time_beside_the_axis() {
    let mut trace = two();
    send(&mut trace, Duration::ZERO, Fate::Arrived(vec![20 * MS]));
    for (at, state) in [(20, "TIME-WAIT"), (10_020, "CLOSED")] {
        let action = Action::State(Transport::Tcp, state.into());
        trace.push(Event { at: at * MS, host: HostId(1), action });
    }
    // Makes the last band long enough for its name, so that no note has the time.
    send(&mut trace, 10_040 * MS, Fate::Arrived(vec![10_060 * MS]));
    let svg = draw(&trace);
    assert!(svg.contains("nothing for 10 s"), "{svg}");
    let times = texts(&svg, "time");
    assert!(times.iter().any(|it| it.ends_with(">10020")), "{times:?}");
}

#[test]
fn the_text_on_a_break_fits_the_narrowest_picture() {
    const NARROWEST: usize = 31;
    let mut trace = two();
    for at in 0..1000 {
        call(&mut trace, at * MS, "sendto()");
        send(&mut trace, at * MS, Fate::Arrived(vec![(at + 1) * MS]));
        call(&mut trace, (at + 1) * MS, "recvfrom()");
    }
    let svg = draw(&trace);
    let lines = texts(&svg, "silence").into_iter().filter_map(|it| it.split_once('>'));
    let lines: Vec<&str> = lines.map(|it| it.1).collect();
    assert_eq!(lines, ["left out: packets 8 to 997", "1982 calls, in 990 ms"]);
    assert!(lines.iter().all(|it| it.chars().count() <= NARROWEST), "{lines:?}");
}

#[test]
fn a_trace_without_packets_or_without_any_event_is_drawn_too() {
    assert!(draw(&Trace::default()).contains("<svg"));
    let mut trace = two();
    for at in [0, 1, 2, 900] {
        call(&mut trace, at * MS, &format!("recv({at})"));
    }
    let svg = draw(&trace);
    assert!(svg.contains("calls-only") && svg.contains("recv(900)"), "{svg}");
    assert!(svg.contains("898 ms later"), "{svg}");
}

#[test]
fn a_hostile_text_is_inert_in_a_picture() {
    let mut trace = two();
    call(&mut trace, Duration::ZERO, "<script>]]>\u{202e}\u{7}");
    let svg = draw(&trace);
    elements(&svg);
    assert!(!svg.contains("<script") && !svg.contains("]]>"), "{svg}");
    assert!(svg.contains("\\u{202e}") && svg.contains("\\u{7}"), "{svg}");
    assert!(!svg.contains('\u{202e}') && !svg.contains('\u{7}'));
}

#[test]
fn a_picture_alone_is_a_whole_file_without_variables() {
    let report = report("exchange", &Setting::default());
    let (_, picture) = pictures(&report).next().expect("a part");
    let svg = standalone(picture).expect("SVG");
    assert!(elements(&svg)[0].1.contains_key("viewBox"), "{svg}");
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""), "{svg}");
    assert!(!svg.contains("var(--") && svg.contains("#1b5e9e"), "{svg}");
}

#[test]
fn only_over_tcp_does_the_description_count_retransmissions() {
    let report = report("loss", &Setting::default().count(1));
    let of = |part: &str| {
        let (_, picture) = pictures(&report).find(|(it, _)| it.name == part).expect("a part");
        let svg = picture.render().expect("a picture");
        let (_, description) = svg.split_once("-d\">").expect("a description");
        description.split('.').next().unwrap_or_default().to_owned()
    };
    assert_eq!(of("SYN lost"), "8 packets, 1 lost, 1 retransmitted");
    assert_eq!(of("question lost"), "3 packets, 1 lost");
}

#[test]
fn a_picture_alone_has_dark_colours_for_a_dark_screen_only() {
    let report = report("exchange", &Setting::default());
    let (_, picture) = pictures(&report).next().expect("a part");
    let svg = standalone(picture).expect("SVG");
    let (light, dark) = svg
        .split_once("@media screen and (prefers-color-scheme:dark){")
        .expect("a rule for a dark screen");
    let (dark, _) = dark.split_once("}}").expect("an end");
    assert!(light.contains(".tcp .wire{stroke:#1b5e9e}") && !light.contains("#7ab6ee"), "{light}");
    assert!(
        dark.contains(":root .tcp .wire{stroke:#7ab6ee}") && !dark.contains("#1b5e9e"),
        "{dark}"
    );
    let rules: Vec<&str> = dark.split('}').collect();
    assert!(rules.len() > 20 && rules.iter().all(|it| it.starts_with(":root ")), "{rules:?}");
    let (_, light) = light.split_once("<style>").expect("a style");
    let coloured = light.split('}').filter(|it| it.contains('#')).filter(|it| it.contains('{'));
    assert_eq!(coloured.count(), rules.len(), "{svg}");
}

#[test]
fn a_picture_alone_has_letters_for_the_calls_of_middle_hosts_only() {
    let report = report("loop", &Setting::default());
    let (_, picture) = pictures(&report).nth(1).expect("a part");
    let svg = standalone(picture).expect("SVG");
    let letters: Vec<&str> =
        texts(&svg, "letter").into_iter().filter_map(|it| it.split('>').nth(1)).collect();
    assert_eq!(letters, ["a b", "c d", "e f", "g", "h i"]);
    let listed = texts(&svg, "call made").into_iter().filter_map(|it| it.split('>').nth(1));
    let listed: Vec<&str> = listed.filter(|it| it.contains(" server: ")).collect();
    assert_eq!(listed.len(), 9, "{listed:?}");
    assert!(listed[2].starts_with("c  3 ms  server: recvfrom()"), "{listed:?}");
}
