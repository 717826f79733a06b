//! What a picture says, in its attributes and in its geometry. It is read with an XML parser, and knows nothing of the
//! code that draws.

use super::trace::{Call, Packet, State};
use roxmltree::Node;
use std::collections::BTreeMap;

/// One picture.
#[derive(Debug, Default)]
pub struct Picture {
    pub ns_per_px: f64,
    pub segments: Vec<Segment>,
    /// Gaps of the scale: the times between which nothing is drawn.
    pub breaks: Vec<(u64, u64)>,
    /// Lifelines, each with its x in percent of the stage.
    pub lifelines: BTreeMap<String, f64>,
    pub arrows: Vec<Arrow>,
    pub left_out: Vec<LeftOut>,
    /// Number of calls that breaks leave out, by their words: `left out: packets 11 to 997, 1974 calls`.
    pub calls_left_out: usize,
    pub bands: Vec<Band>,
    pub notes: Vec<Note>,
    /// Labels: the packet's number in the attribute, and the words.
    pub labels: Vec<(usize, String)>,
    /// Times at the axis: the text, its y, and the unit of all.
    pub times: Vec<(String, f64)>,
    pub unit: String,
    /// Number of crosses with the word "lost".
    pub crosses: usize,
}

/// A piece of the axis without a break.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    pub from: f64,
    pub to: f64,
    pub top: f64,
    pub bottom: f64,
}

/// A packet in the picture, with its lines.
#[derive(Debug)]
pub struct Arrow {
    pub number: usize,
    pub packet: Packet,
    pub nudge: f64,
    pub wires: Vec<Wire>,
    pub cross: Option<(f64, f64)>,
}

/// A line: x in percent of the stage, y in pixels.
#[derive(Clone, Copy, Debug)]
pub struct Wire {
    pub x1: f64,
    pub y1: f64,
    pub x2: f64,
    pub y2: f64,
}

/// Packets that a break leaves out.
#[derive(Debug)]
pub struct LeftOut {
    pub first: usize,
    pub last: usize,
    pub packets: Vec<(usize, Packet)>,
}

/// A band with its rectangles: top and bottom of each.
#[derive(Debug)]
pub struct Band {
    pub state: State,
    pub fills: Vec<(f64, f64)>,
}

/// A text beside a lifeline: a call, or a state that is too short for a band.
#[derive(Clone, Debug)]
pub struct Note {
    pub call: Call,
    pub is_state: bool,
    pub y: f64,
}

impl Picture {
    /// Reads an element `svg` with the class `ladder`.
    pub fn of(svg: Node<'_, '_>) -> Self {
        let mut it = Self {
            ns_per_px: number(svg, "data-ns-per-px"),
            segments: segments(attribute(svg, "data-segments")),
            ..Self::default()
        };
        it.read_lifelines(svg);
        for node in svg.descendants().filter(Node::is_element) {
            it.read(node);
        }
        it
    }

    fn read_lifelines(&mut self, svg: Node<'_, '_>) {
        for host in svg.descendants().filter(|it| it.has_attribute("data-host")) {
            let name = attribute(host, "data-host").to_owned();
            let again = self.lifelines.insert(name, percent(host, "x"));
            assert!(again.is_none(), "two lifelines of one host");
        }
    }

    fn read(&mut self, node: Node<'_, '_>) {
        if node.has_attribute("data-packet") {
            self.arrows.push(arrow(node));
        } else if node.has_attribute("data-left-out") {
            self.left_out.push(left_out(node));
        } else if node.has_attribute("data-state") {
            self.bands.push(band(node));
        } else if has_class(node, "silence") {
            self.calls_left_out += calls_left_out(&words(node));
        } else if has_class(node, "break") {
            self.breaks.push((time(node, "data-from-ns"), time(node, "data-to-ns")));
        } else if node.has_attribute("data-at-ns") {
            let beside = self.note(node);
            self.notes.push(beside);
        } else if node.has_attribute("data-label-of") {
            let number = attribute(node, "data-label-of").parse().expect("a number");
            self.labels.push((number, words(node)));
        } else if has_class(node, "time") {
            self.times.push((words(node), number(node, "y")));
        } else if has_class(node, "unit") {
            self.unit = words(node);
        } else if has_class(node, "cross") && words(node).starts_with("lost") {
            self.crosses += 1;
        }
    }

    /// Reads a text beside a lifeline. The column's x tells its host.
    fn note(&self, node: Node<'_, '_>) -> Note {
        let column = node.ancestors().find(|it| has_class(*it, "calls")).expect("a column");
        let x = percent(column, "x");
        let host = self.lifelines.iter().find(|it| near(*it.1, x)).map(|it| it.0.clone());
        let mut lines = node.children().filter(Node::is_element);
        let y = lines.next().map(|line| number(line, "y")).expect("a line");
        let call =
            Call { at: time(node, "data-at-ns"), host: host.expect("a host"), says: words(node) };
        Note { call, is_state: has_class(node, "state"), y }
    }

    /// Returns the y of a time, from the attributes alone.
    pub fn y(&self, time: u64) -> Option<f64> {
        let time = exact(time);
        let segment = self.segments.iter().find(|it| it.from <= time && time <= it.to)?;
        Some(segment.top + (time - segment.from) / self.ns_per_px)
    }
}

fn arrow(node: Node<'_, '_>) -> Arrow {
    let wires = node.descendants().filter(|it| has_class(*it, "wire"));
    let cross = node.descendants().find(|it| has_class(*it, "cross"));
    Arrow {
        number: attribute(node, "data-packet").parse().expect("a number"),
        packet: Packet {
            from: attribute(node, "data-from").to_owned(),
            to: attribute(node, "data-to").to_owned(),
            sent: time(node, "data-sent-ns"),
            arrived: times(attribute(node, "data-arrived-ns")),
            what: attribute(node, "data-what").to_owned(),
            fate: attribute(node, "data-fate").to_owned(),
        },
        nudge: number(node, "data-nudge"),
        wires: wires.map(wire).collect(),
        cross: cross.map(|it| (percent(it, "x"), number(it, "y"))),
    }
}

fn wire(line: Node<'_, '_>) -> Wire {
    let [x1, x2] = ["x1", "x2"].map(|name| percent(line, name));
    let [y1, y2] = ["y1", "y2"].map(|name| number(line, name));
    Wire { x1, y1, x2, y2 }
}

fn left_out(node: Node<'_, '_>) -> LeftOut {
    let (first, last) = attribute(node, "data-packets").split_once('-').expect("a range");
    let entries = attribute(node, "data-left-out").split(';').filter(|it| !it.is_empty());
    let packet = |entry: &str| {
        let [number, from, to, sent, arrived, _, fate] =
            entry.splitn(7, '|').collect::<Vec<_>>().try_into().expect("seven fields");
        let [from, to, fate] = [from, to, fate].map(str::to_owned);
        let (sent, arrived) = (sent.parse().expect("a time"), times(arrived));
        let packet = Packet { from, to, sent, arrived, what: String::new(), fate };
        (number.parse().expect("a number"), packet)
    };
    let [first, last] = [first, last].map(|it| it.parse().expect("a number"));
    LeftOut { first, last, packets: entries.map(packet).collect() }
}

fn calls_left_out(words: &str) -> usize {
    let calls = words.split(", ").find_map(|it| {
        let it = it.strip_prefix("left out: ").unwrap_or(it);
        it.strip_suffix(" calls").or_else(|| it.strip_suffix(" call"))
    });
    calls.map_or(0, |it| it.parse().expect("a number"))
}

fn band(node: Node<'_, '_>) -> Band {
    let host = node.ancestors().find_map(|it| it.attribute("data-host")).expect("a host");
    let to = attribute(node, "data-to-ns");
    let fills = node.descendants().filter(|it| has_class(*it, "fill"));
    let ends = |it: Node<'_, '_>| (number(it, "y"), number(it, "y") + number(it, "height"));
    Band {
        state: State {
            host: host.to_owned(),
            from: time(node, "data-from-ns"),
            to: (!to.is_empty()).then(|| to.parse().expect("a time")),
            name: attribute(node, "data-state").to_owned(),
        },
        fills: fills.map(ends).collect(),
    }
}

fn segments(list: &str) -> Vec<Segment> {
    let list: Vec<[f64; 4]> = serde_json::from_str(list).expect("segments");
    list.into_iter().map(|[from, to, top, bottom]| Segment { from, to, top, bottom }).collect()
}

/// Returns an attribute that must exist.
pub fn attribute<'a>(node: Node<'a, '_>, name: &str) -> &'a str {
    node.attribute(name).unwrap_or_else(|| panic!("no {name} in {node:?}"))
}

fn number(node: Node<'_, '_>, name: &str) -> f64 {
    attribute(node, name).parse().unwrap_or_else(|error| panic!("{name} of {node:?}: {error}"))
}

fn percent(node: Node<'_, '_>, name: &str) -> f64 {
    let percent = attribute(node, name).strip_suffix('%').expect("a percentage");
    percent.parse().expect("a number")
}

fn time(node: Node<'_, '_>, name: &str) -> u64 {
    attribute(node, name).parse().expect("a time")
}

fn times(list: &str) -> Vec<u64> {
    list.split_whitespace().map(|it| it.parse().expect("a time")).collect()
}

/// Returns whether an element has a class.
pub fn has_class(node: Node<'_, '_>, class: &str) -> bool {
    node.attribute("class").is_some_and(|it| it.split_whitespace().any(|it| it == class))
}

/// Returns all text of an element.
pub fn words(node: Node<'_, '_>) -> String {
    node.descendants().filter(Node::is_text).filter_map(|it| it.text()).collect()
}

/// Returns whether two places are the same within half a pixel.
pub fn near(one: f64, other: f64) -> bool {
    (one - other).abs() <= 0.5
}

/// Returns a time as a number with a fraction; the times of labs are far below the limit of 2^53 nanoseconds.
#[allow(clippy::cast_precision_loss)]
pub const fn exact(time: u64) -> f64 {
    time as f64
}
