//! Labels on packets' arrows. A label is moved along its arrow until it overlaps no other label, or as little as
//! possible.

use super::events::ShownPacket;
use super::number::real_count;
use super::scale::{BREAK, Break, LEVEL, Scale, host_x, is_level};
use textwrap::{Options, WordSplitter};

/// Assumed distance in pixels between the first and the last host's line when text is placed. The true width is
/// unknown; this one fits a picture that takes half the width of a page.
const STAGE: f64 = 210.0;
/// Distance in pixels by which coinciding arrows are moved apart.
const APART: f64 = 7.0;
/// Arrows coincide if their ends are less than this many pixels apart.
const CLOSE: f64 = 6.0;
/// Widths of a character in each font size, in pixels.
const WIDE: f64 = 7.4;
const SMALL: f64 = 5.8;
const QUOTED: f64 = 5.6;
/// Maximum number of characters in one line of quoted text. `MAX_QUOTE` limits all lines together.
const QUOTE_LINE: usize = 21;
const MAX_QUOTE: usize = 62;
pub(super) const QUOTE_HEIGHT: f64 = 13.0;
/// Half the minimum distance between two labels side by side, in pixels.
const ASIDE: f64 = 4.0;
/// Cost of a pixel outside the picture. A square pixel that overlaps other text costs 1.
const OUTSIDE: f64 = 8.0;
/// Possible positions of a label on its arrow, as shares of the arrow's length. The best position is first.
const PLACES: [f64; 9] = [0.5, 0.3, 0.7, 0.4, 0.6, 0.2, 0.8, 0.25, 0.75];
const PLACES_OF_LOST: [f64; 4] = [0.42, 0.3, 0.55, 0.2];

/// An arrow with its position.
#[derive(Clone, Debug)]
pub(super) struct Arrow<'a> {
    pub packet: &'a ShownPacket,
    /// Distance by which the arrow was moved from the height of its times.
    pub nudge: f64,
    /// The arrow's lines, one for each arrival. A lost packet's line leads to the cross.
    pub lines: Vec<Line>,
}

/// A line between two points. `x` is in percent of the distance between the outer hosts' lines, and `y` is in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Line {
    pub x1: f64,
    pub y1: f64,
    pub x2: f64,
    pub y2: f64,
}

/// A packet's label, with the positions of its text.
#[derive(Clone, Debug)]
pub(super) struct Label {
    pub number: usize,
    pub what: String,
    pub below: String,
    pub x: f64,
    pub y: f64,
    pub quote: Option<Quote>,
}

/// Quoted payload beside the sender's line.
#[derive(Clone, Debug)]
pub(super) struct Quote {
    pub lines: Vec<String>,
    /// Height of the first line.
    pub y: f64,
    /// Whether the text ends at the sender's line. Otherwise it begins there.
    pub ends_at_line: bool,
    pub x: f64,
}

/// A rectangle in pixels.
#[derive(Clone, Copy, Debug)]
struct Area {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Area {
    fn overlap(&self, other: &Self) -> f64 {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        if width > 0.0 && height > 0.0 { width * height } else { 0.0 }
    }

    /// Whether a line passes through the area.
    fn is_crossed(&self, line: &Line) -> bool {
        const STEPS: u32 = 24;
        (0..=STEPS).any(|step| {
            let share = f64::from(step) / f64::from(STEPS);
            let (x, y) = line.at(share);
            (self.left..=self.right).contains(&px(x)) && (self.top..=self.bottom).contains(&y)
        })
    }
}

impl Line {
    /// Returns the point at this share of the line's length.
    pub(super) fn at(&self, share: f64) -> (f64, f64) {
        (self.x1 + (self.x2 - self.x1) * share, self.y1 + (self.y2 - self.y1) * share)
    }

    fn is_close(&self, other: &Self) -> bool {
        let same = |one: f64, other: f64| (one - other).abs() < 0.1;
        let near = |one: f64, other: f64| (one - other).abs() < CLOSE;
        let along = same(self.x1, other.x1) && same(self.x2, other.x2);
        let against = same(self.x1, other.x2) && same(self.x2, other.x1);
        (along && near(self.y1, other.y1) && near(self.y2, other.y2))
            || (against && near(self.y1, other.y2) && near(self.y2, other.y1))
    }

    fn moved(self, down: f64) -> Self {
        Self { y1: self.y1 + down, y2: self.y2 + down, ..self }
    }
}

fn px(percent: f64) -> f64 {
    percent * STAGE / 100.0
}

/// Places the arrows of all packets. If two arrows coincide, moves the one that was sent later.
pub(super) fn arrows<'a>(
    packets: impl Iterator<Item = &'a ShownPacket>,
    scale: &Scale,
    hosts: usize,
) -> Vec<Arrow<'a>> {
    let mut placed: Vec<Arrow> = Vec::new();
    let mut level: Option<(u64, f64)> = None;
    for packet in packets {
        let lines = lines(packet, scale, hosts);
        let nudge = if is_level(packet, scale.flight) {
            let row =
                level.filter(|(at, _)| *at == packet.sent).map_or(LEVEL / 2.0, |it| it.1 + LEVEL);
            level = Some((packet.sent, row));
            row
        } else {
            distance(&lines, &placed)
        };
        let lines = lines.into_iter().map(|line| line.moved(nudge)).collect();
        placed.push(Arrow { packet, nudge, lines });
    }
    placed
}

/// Returns the distance by which lines must be moved so that they do not coincide with other arrows.
fn distance(lines: &[Line], placed: &[Arrow]) -> f64 {
    const MAX_MOVES: u32 = 3;
    let is_free = |down: f64| {
        let coincides = |line: &Line| {
            placed
                .iter()
                .rev()
                .take(8)
                .flat_map(|it| &it.lines)
                .any(|it| line.moved(down).is_close(it))
        };
        !lines.iter().any(coincides)
    };
    let moves = (0..=MAX_MOVES).map(|moves| f64::from(moves) * APART);
    moves.into_iter().find(|down| is_free(*down)).unwrap_or(0.0)
}

fn lines(packet: &ShownPacket, scale: &Scale, hosts: usize) -> Vec<Line> {
    let (x1, x2) = (host_x(packet.from, hosts), host_x(packet.to, hosts));
    let y1 = scale.y(packet.sent);
    let arrived = |at: &u64| Line { x1, y1, x2, y2: scale.y(*at) };
    match packet.lost {
        Some(_) => {
            vec![Line { x1, y1, x2: f64::midpoint(x1, x2), y2: y1 + scale.flight_height() / 2.0 }]
        }
        None if packet.arrivals.is_empty() => vec![Line { x1, y1, x2, y2: y1 }],
        None => packet.arrivals.iter().map(arrived).collect(),
    }
}

/// Places the labels, in the order in which the packets were sent.
pub(super) fn labels(
    arrows: &[Arrow],
    breaks: &[Break],
    flight_text: impl Fn(&ShownPacket) -> String,
) -> Vec<Label> {
    let torn = |it: &Break| Area { left: 0.0, right: STAGE, top: it.top, bottom: it.top + BREAK };
    let crosses = arrows.iter().filter_map(cross_area);
    let mut taken: Vec<Area> = crosses.chain(breaks.iter().map(torn)).collect();
    let place = |arrow: &Arrow| {
        let mut below = flight_text(arrow.packet);
        let mut place = Place::of(arrow, &below, &taken);
        // If there is no room for the whole text, only the word for the kind of packet stays. The time in flight is
        // then only in the table.
        let word = arrow.packet.kind.word();
        if place.cost > 0.0 {
            let shorter = Place::of(arrow, word, &taken);
            if shorter.cost < place.cost {
                (place, below) = (shorter, word.to_owned());
            }
        }
        taken.push(place.area);
        let (number, what) = (arrow.packet.number, arrow.packet.label.clone());
        Label { number, what, below, x: place.x, y: place.y, quote: None }
    };
    let mut labels: Vec<Label> = arrows.iter().map(place).collect();
    let mut quoted: Vec<&str> = Vec::new();
    for (arrow, label) in arrows.iter().zip(&mut labels) {
        let quote = arrow.packet.quote.as_str();
        if !quote.is_empty() && !quoted.contains(&quote) {
            quoted.push(quote);
            if let Some((quote, area)) = place_quote(arrow, arrows, &taken) {
                taken.push(area);
                label.quote = Some(quote);
            }
        }
    }
    labels
}

/// A possible position of a label.
#[derive(Clone, Copy, Debug)]
struct Place {
    x: f64,
    y: f64,
    area: Area,
    /// Measures how much of the label overlaps other text or is outside the picture.
    cost: f64,
}

impl Place {
    /// Returns the best position on an arrow for its label. `below` is the text in the label's second line.
    fn of(arrow: &Arrow, below: &str, taken: &[Area]) -> Self {
        let line = arrow.lines.first().copied().unwrap_or_default();
        let digits = arrow.packet.number.to_string().len();
        let upper = real_count(arrow.packet.label.chars().count() + digits + 1) * WIDE;
        let half = upper.max(real_count(below.chars().count()) * SMALL) / 2.0 + ASIDE;
        let candidate = |share: &f64| {
            let (x, y) = line.at(*share);
            let (left, right) = (px(x) - half, px(x) + half);
            let bottom = if below.is_empty() { y + 3.0 } else { y + 13.0 };
            let area = Area { left, right, top: y - 12.0, bottom };
            let outside = (-left).max(0.0) + (right - STAGE).max(0.0);
            let cost = taken.iter().map(|it| it.overlap(&area)).sum::<f64>() + outside * OUTSIDE;
            Self { x, y, area, cost }
        };
        let places: &[f64] = if arrow.packet.lost.is_some() { &PLACES_OF_LOST } else { &PLACES };
        let best =
            places.iter().map(candidate).min_by(|one, other| one.cost.total_cmp(&other.cost));
        best.unwrap_or_else(|| candidate(&0.5))
    }
}

/// Returns the area that a lost packet's cross and the words beside it cover.
fn cross_area(arrow: &Arrow) -> Option<Area> {
    let reason = arrow.packet.lost?;
    let line = arrow.lines.first()?;
    let (x, y, width) = (px(line.x2), line.y2, 14.0 + real_count(reason.chars().count()) * SMALL);
    let (left, right) = if line.x1 < line.x2 { (x - 6.0, x + width) } else { (x - width, x + 6.0) };
    Some(Area { left, right, top: y - 8.0, bottom: y + 20.0 })
}

/// Places the quoted text below its arrow and beside the sender's line, where it does not overlap labels or arrows.
/// Returns `None` if there is no room.
fn place_quote(arrow: &Arrow, arrows: &[Arrow], taken: &[Area]) -> Option<(Quote, Area)> {
    const STEP: f64 = 4.0;
    const STEPS: u32 = 30;
    let lines = quote_lines(&arrow.packet.quote);
    let longest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let (width, height) =
        (real_count(longest) * QUOTED + 9.0, real_count(lines.len()) * QUOTE_HEIGHT);
    let Line { x1, y1, x2, .. } = arrow.lines.first().copied().unwrap_or_default();
    let ends_at_line = x2 < x1;
    let (left, right) =
        if ends_at_line { (px(x1) - width, px(x1)) } else { (px(x1), px(x1) + width) };
    let area = |top: f64| Area { left, right, top, bottom: top + height };
    let all: Vec<&Line> = arrows.iter().flat_map(|arrow| &arrow.lines).collect();
    let is_free = |area: &Area| {
        !taken.iter().any(|it| it.overlap(area) > 0.0)
            && !all.iter().any(|line| area.is_crossed(line))
    };
    let candidates = (2..STEPS).map(|step| area(y1 + f64::from(step) * STEP));
    let free = candidates.into_iter().find(is_free)?;
    Some((Quote { lines, y: free.top + 10.0, ends_at_line, x: x1 }, free))
}

/// Returns a quote in typographic quotation marks, in short lines. A long quote is shortened, but keeps its end,
/// because a reply's time is at the end.
fn quote_lines(quote: &str) -> Vec<String> {
    let cut = crate::report::packet::cut(quote, MAX_QUOTE);
    let inner = cut.strip_prefix('"').unwrap_or(&cut);
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    lines_of(&format!("“{inner}”"), QUOTE_LINE)
}

/// Breaks text into lines of at most `width` characters.
pub(super) fn lines_of(text: &str, width: usize) -> Vec<String> {
    let options = Options::new(width).word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(text, options).into_iter().map(String::from).collect()
}
