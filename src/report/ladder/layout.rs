//! The columns of a ladder: the time axis, the hosts' vertical lines, and the arrival times.

use super::rows::{Arrow, ArrowEnd, ArrowKind, Item, Row};
use super::{ERROR, LEFTWARDS, LOST, Line, MIN_WIDTH, PLAIN, RETRANSMITTED, RIGHTWARDS, STRONG};
use crate::duration::Unit;
use crate::report::packet::{cut, cut_end};
use crate::report::page::wrap;
use crate::trace::{Host, HostId};
use anstyle::Style;
use std::time::Duration;

/// Minimum width of a time in columns, including the space after it.
const MIN_TIME_COLUMNS: usize = 8;
/// Minimum length in columns of an arrow's shaft, not counting its label.
const MIN_SHAFT: usize = 6;
/// Duration below which a diagram shows milliseconds with three decimals, so that microseconds are visible.
const SHORT_DRAWING: Duration = Duration::from_millis(10);

/// The columns of one ladder.
#[derive(Debug)]
pub(super) struct Layout {
    /// Column of each host's vertical line, from left to right.
    lines: Vec<usize>,
    width: usize,
    unit: Unit,
    decimals: usize,
    /// Width of the time axis in columns: the longest time and the space after it.
    time: usize,
    /// Whether the diagram has a column for arrival times.
    arrivals: bool,
}

/// Returns the latest time in a diagram, whether of an event or of an arrival.
pub(super) fn last(rows: &[Row]) -> Duration {
    let arrived = rows.iter().filter_map(|row| match &row.item {
        Item::Arrow(Arrow { end: ArrowEnd::Arrived(at), .. }) => Some(*at),
        Item::Arrow(_) | Item::Call(..) | Item::Folded(_) | Item::State(..) => None,
    });
    rows.iter().map(|row| row.at).chain(arrived).max().unwrap_or_default()
}

/// Returns the number of decimals of the times in a diagram whose latest time is `last`.
fn decimals(last: Duration, unit: Unit) -> usize {
    match unit {
        Unit::Microseconds => 0,
        Unit::Milliseconds if last >= SHORT_DRAWING => 1,
        Unit::Milliseconds | Unit::Seconds => 3,
    }
}

impl Layout {
    /// Computes the columns for a diagram with these rows, and with times in this unit.
    pub(super) fn new(hosts: &[Host], rows: &[Row], unit: Unit, width: usize) -> Self {
        let ends = rows.iter().filter_map(|row| match &row.item {
            Item::Arrow(arrow) => Some(&arrow.end),
            Item::Call(..) | Item::Folded(_) | Item::State(..) => None,
        });
        let last = last(rows);
        let decimals = decimals(last, unit);
        let time = MIN_TIME_COLUMNS.max(unit.decimal(last, decimals).len() + 1);
        let arrivals = ends.clone().any(|end| *end != ArrowEnd::Unknown);
        let axes = if arrivals { 2 } else { 1 };
        // If a time has many digits, such as a time of several years, the diagram becomes wider, so that the hosts do
        // not move closer together.
        let width = width.max(MIN_WIDTH + axes * (time - MIN_TIME_COLUMNS));
        let right = width - (axes - 1) * time - 1;
        let between = hosts.len().saturating_sub(1).max(1);
        let lines = (0..hosts.len()).map(|host| time + host * (right - time) / between);
        Self { lines: lines.collect(), width, unit, decimals, time, arrivals }
    }

    /// Returns the columns for the live packet list, with times in milliseconds. The client's line is in column
    /// `client`, the server's line in the last column.
    pub(super) fn of_conversation(time: usize, client: usize, width: usize) -> Self {
        let (lines, unit) = (vec![client, width - 1], Unit::Milliseconds);
        Self { lines, width, unit, decimals: 3, time, arrivals: false }
    }

    /// Returns the lines above the rows: the title, the hosts' names and addresses, and the headings of the time
    /// columns.
    pub(super) fn head(&self, hosts: &[Host], title: &str) -> Vec<Line> {
        let mut head: Vec<Line> = wrap(title, self.width).iter().map(|part| strong(part)).collect();
        let names = self.names(hosts.iter().map(|host| host.name.clone()), STRONG);
        head.extend(names);
        if let Some(names) = head.last_mut() {
            names.put_before(self.time - 1, self.unit.name(), PLAIN);
            if self.arrivals {
                names.put_before(self.width, "arrives", PLAIN);
            }
        }
        let here = hosts.first().map(|host| &host.addresses);
        if hosts.iter().any(|host| Some(&host.addresses) != here) {
            let first = |host: &Host| host.addresses.first().map(ToString::to_string);
            head.extend(
                self.names(hosts.iter().map(|host| first(host).unwrap_or_default()), PLAIN),
            );
        }
        head
    }

    /// Puts each name at its host's line. A name that would overlap the previous one moves to the next line of text.
    fn names(&self, names: impl Iterator<Item = String>, style: Style) -> Vec<Line> {
        let mut lines = vec![Line::default()];
        let mut end = 0;
        for (number, name) in names.enumerate() {
            let begin = self.begin(number, &name);
            if begin < end {
                lines.push(Line::default());
            }
            if let Some(line) = lines.last_mut() {
                line.put(begin, &name, style);
            }
            end = begin + name.chars().count() + 1;
        }
        lines
    }

    /// Returns the column where a host's name begins. The first name begins at its host's line, the last name ends at
    /// its host's line, and the others are centred on theirs.
    fn begin(&self, host: usize, name: &str) -> usize {
        let (column, length) = (self.lines[host], name.chars().count());
        match host {
            0 => column,
            _ if host + 1 == self.lines.len() => (column + 1).saturating_sub(length),
            _ => column.saturating_sub(length / 2),
        }
    }

    pub(super) fn rows(&self, rows: &[Row], lines: &mut Vec<Line>) {
        for row in rows {
            let begin = lines.len();
            match &row.item {
                Item::Call(host, text) | Item::State(host, text) => {
                    self.put_at_host(*host, text, PLAIN, lines);
                }
                Item::Arrow(arrow) => self.arrow(arrow, lines),
                Item::Folded(fold) => {
                    self.left_out(&fold.words(&self.span(fold.from, fold.until)), lines);
                }
            }
            // A duplicate has only an arrival time, and a fold's text contains the fold's times.
            let has_own_time = match &row.item {
                Item::Arrow(arrow) => arrow.kind == ArrowKind::Duplicate,
                Item::Folded(_) => true,
                Item::Call(..) | Item::State(..) => false,
            };
            if let (Some(line), false) = (lines.get_mut(begin), has_own_time) {
                line.put_before(self.time - 1, &self.unit.decimal(row.at, self.decimals), PLAIN);
            }
        }
    }

    /// Formats a time as on the time axis, with its unit: `20.0 ms`.
    pub(super) fn time(&self, time: Duration) -> String {
        format!("{} {}", self.unit.decimal(time, self.decimals), self.unit.name())
    }

    /// Formats the beginning and the end of a time span as on the time axis: `20.0 to 40.0 ms`.
    pub(super) fn span(&self, from: Duration, until: Duration) -> String {
        format!("{} to {}", self.unit.decimal(from, self.decimals), self.time(until))
    }

    /// Adds a note about omitted rows, centred between the first host's line and the last host's.
    pub(super) fn left_out(&self, text: &str, lines: &mut Vec<Line>) {
        let (left, right) = self.ends();
        for part in wrap(text, (right - left).saturating_sub(3).max(1)) {
            let mut line = Line::default();
            self.lines.iter().for_each(|column| line.set(*column, '┊', PLAIN));
            let part = format!(" {part} ");
            let room = (right - left).saturating_sub(part.chars().count());
            line.put(left + (room / 2).max(1), &part, PLAIN);
            lines.push(line);
        }
    }

    /// Adds a line of text below an arrow. Cuts the end of a text that is too long.
    pub(super) fn note(&self, text: &str, lines: &mut Vec<Line>) {
        let (left, right) = self.ends();
        let mut line = self.blank();
        line.put(left + 2, &cut_end(text, (right - left).saturating_sub(3)), PLAIN);
        lines.push(line);
    }

    /// Returns the columns of the first and the last host's line.
    fn ends(&self) -> (usize, usize) {
        let (left, right) = (self.lines.first(), self.lines.last());
        (left.copied().unwrap_or(self.time), right.copied().unwrap_or(self.width - 1))
    }

    fn blank(&self) -> Line {
        let mut line = Line::default();
        self.lines.iter().for_each(|column| line.set(*column, '│', PLAIN));
        line
    }

    /// Writes a host's action next to the host's line, on the side towards the other hosts.
    fn put_at_host(&self, HostId(host): HostId, text: &str, style: Style, lines: &mut Vec<Line>) {
        let Some(column) = self.lines.get(host).copied() else { return };
        let is_last = host > 0 && host + 1 == self.lines.len();
        let other = if is_last {
            self.lines[host - 1]
        } else {
            self.lines.get(host + 1).copied().unwrap_or(self.width)
        };
        for part in wrap(text, column.abs_diff(other).saturating_sub(4).max(1)) {
            let mut line = self.blank();
            if is_last {
                line.put_before(column - 1, &part, style);
            } else {
                line.put(column + 2, &part, style);
            }
            lines.push(line);
        }
    }

    pub(super) fn arrow(&self, arrow: &Arrow, lines: &mut Vec<Line>) {
        let column = |HostId(host): HostId| self.lines.get(host).copied();
        let (Some(from), Some(to)) = (column(arrow.from), column(arrow.to)) else { return };
        let label = labelled(arrow);
        if from == to {
            return self.put_at_host(arrow.from, &format!("{label} (to itself)"), PLAIN, lines);
        }
        let span = Span { from, to };
        let (style, length) = (style(arrow), span.length(&arrow.end));
        let fits = label.chars().count() + 2 + MIN_SHAFT <= length;
        let beside = |text: &str, style| {
            let mut line = self.blank();
            span.put(1, text, style, &mut line);
            line
        };
        let above = if fits { Vec::new() } else { wrap(&label, span.inner() - 2) };
        lines.extend(above.iter().map(|part| beside(part, style)));
        let mut line = self.blank();
        span.shaft(length, arrow.kind, style, &mut line);
        self.lines.iter().for_each(|between| span.cross(*between, length, style, &mut line));
        if fits {
            span.put(2, &format!(" {label} "), style, &mut line);
        }
        self.end(&arrow.end, span, style, &mut line);
        lines.push(line);
        if !arrow.payload.is_empty() {
            lines.push(beside(&cut(&arrow.payload, span.inner() - 2), PLAIN));
        }
    }

    /// Draws an arrow's end: the arrival time, or the reason why the packet does not arrive.
    fn end(&self, end: &ArrowEnd, span: Span, style: Style, line: &mut Line) {
        let length = span.length(end);
        match end {
            ArrowEnd::Arrived(at) => {
                line.put_before(self.width, &self.unit.decimal(*at, self.decimals), PLAIN);
            }
            ArrowEnd::Lost(why) => {
                span.set(length - 1, '✗', style, line);
                span.put(length + 1, why, style, line);
            }
            ArrowEnd::Refused(why) => {
                span.set(length - 1, '✗', style, line);
                line.put_before(self.width, why, style);
            }
            ArrowEnd::Unknown => {}
        }
    }
}

fn style(arrow: &Arrow) -> Style {
    match (&arrow.end, arrow.kind) {
        (ArrowEnd::Lost(_) | ArrowEnd::Refused(_), _) => LOST,
        _ if arrow.is_error => ERROR,
        (_, ArrowKind::Usual) if arrow.from < arrow.to => RIGHTWARDS,
        (_, ArrowKind::Usual) => LEFTWARDS,
        _ => RETRANSMITTED,
    }
}

/// Returns the text at a packet's arrow, such as `SYN` or `again: SYN`.
pub(super) fn labelled(arrow: &Arrow) -> String {
    match arrow.kind {
        ArrowKind::Usual => arrow.label.clone(),
        ArrowKind::Retransmitted => format!("again: {}", arrow.label),
        ArrowKind::Overtaken => format!("overtaken: {}", arrow.label),
        ArrowKind::Duplicate => format!("duplicate: {}", arrow.label),
    }
}

fn strong(title: &str) -> Line {
    let mut line = Line::default();
    line.put(0, title, STRONG);
    line
}

/// The columns between two hosts' lines, counted from the sender's line.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: usize,
    to: usize,
}

impl Span {
    fn inner(self) -> usize {
        self.from.abs_diff(self.to) - 1
    }

    /// Returns an arrow's length in columns. A lost packet's arrow is shorter, so that the reason for the loss fits
    /// after it.
    fn length(self, end: &ArrowEnd) -> usize {
        match end {
            ArrowEnd::Lost(why) => {
                let room = self.inner().saturating_sub(why.chars().count() + 2);
                room.min(self.inner() * 2 / 3).max(1)
            }
            ArrowEnd::Arrived(_) | ArrowEnd::Refused(_) | ArrowEnd::Unknown => self.inner(),
        }
    }

    fn column(self, at: usize) -> usize {
        if self.from > self.to { self.from - 1 - at } else { self.from + 1 + at }
    }

    fn set(self, at: usize, character: char, style: Style, line: &mut Line) {
        line.set(self.column(at), character, style);
    }

    /// Writes text at a distance of `at` columns from the sender's line.
    fn put(self, at: usize, text: &str, style: Style, line: &mut Line) {
        if self.from > self.to {
            line.put_before(self.column(at) + 1, text, style);
        } else {
            line.put(self.column(at), text, style);
        }
    }

    /// Draws a crossing in column `between` if the arrow crosses the host's line there.
    fn cross(self, between: usize, length: usize, style: Style, line: &mut Line) {
        if (0..length).any(|at| self.column(at) == between) {
            line.set(between, '┼', style);
        }
    }

    fn shaft(self, length: usize, kind: ArrowKind, style: Style, line: &mut Line) {
        let shaft = if kind == ArrowKind::Duplicate { '╌' } else { '─' };
        (0..length).for_each(|at| self.set(at, shaft, style, line));
        if length == self.inner() {
            let head = if self.from < self.to { '▶' } else { '◀' };
            self.set(length - 1, head, style, line);
        }
    }
}
