//! Draws a trace as a ladder diagram. Hosts are vertical lines, time runs downwards, and packets are arrows labelled
//! with their content. A host's own actions, such as system calls, are next to its line.

mod conversations;
mod fold;
mod layout;
mod line;
mod list;
#[cfg(feature = "lab")]
mod pointer;
pub(crate) mod retransmissions;
mod rows;
#[cfg(feature = "lab")]
mod side_by_side;
pub(crate) mod sighting;

pub(crate) use conversations::Ladders;
pub(crate) use line::Line;
#[cfg(feature = "lab")]
pub(crate) use pointer::{Pointer, pointer};
#[cfg(feature = "lab")]
pub(crate) use side_by_side::{half_width, side_by_side};
pub(crate) use sighting::Sighting;

use super::plural;
use crate::duration::Unit;
use crate::trace::{Host, Trace};
use anstyle::{AnsiColor, Style};
use fold::{Reference, fold};
use layout::Layout;
use rows::{Fold, FoldKind, Item, Row};
#[cfg(feature = "lab")]
use std::time::Duration;

/// Minimum width in columns of a ladder. A narrower terminal wraps the ladder's lines.
const MIN_WIDTH: usize = 40;

/// Maximum number of rows in a ladder that is drawn completely. A longer ladder leaves out its middle rows.
const MAX_ROWS: usize = 48;
const FIRST_ROWS: usize = 28;
const LAST_ROWS: usize = 12;

/// Style for packets that did not arrive.
const LOST: Style = AnsiColor::Red.on_default().bold();
/// Style for resets and ICMP errors.
const ERROR: Style = AnsiColor::Red.on_default();
/// Style for retransmissions, duplicates and overtaken packets.
const RETRANSMITTED: Style = AnsiColor::Yellow.on_default();
const RIGHTWARDS: Style = AnsiColor::Cyan.on_default();
const LEFTWARDS: Style = AnsiColor::Green.on_default();
const STRONG: Style = Style::new().bold();
const PLAIN: Style = Style::new();

/// The form of a diagram: a ladder or a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A ladder with this number of columns. The ladder is wider if the hosts or the times need more space.
    Ladder(usize),
    /// A numbered list of sentences, for a screen reader.
    List,
}

/// A trace whose diagram other diagrams can refer to by name.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "lab"), allow(dead_code, reason = "labs have traces"))]
pub(crate) struct ReferenceTrace<'a> {
    pub trace: &'a Trace,
    pub name: &'a str,
}

/// Draws a trace with a time axis in this unit. Folds repeated rows, and rows that also appear in the `other` trace.
#[cfg_attr(not(feature = "lab"), allow(dead_code, reason = "labs have traces"))]
pub(crate) fn draw(
    trace: &Trace,
    other: Option<ReferenceTrace<'_>>,
    title: &str,
    unit: Unit,
    form: Form,
) -> Vec<Line> {
    let (hosts, rows) = (&trace.hosts, rows::rows(trace));
    let other = reference_rows(trace, other);
    let other = other.as_ref().map(|(rows, name)| Reference { rows, name });
    Drawing { hosts, title, rows: &rows, missing: 0 }.lines(other, unit, form)
}

/// Returns the rows and the name of the other trace. A diagram refers only to a trace with the same hosts.
fn reference_rows<'a>(
    trace: &Trace,
    other: Option<ReferenceTrace<'a>>,
) -> Option<(Vec<Row>, &'a str)> {
    let other = other.filter(|it| it.trace.hosts == trace.hosts)?;
    Some((rows::rows(other.trace), other.name))
}

/// Returns the latest time that the trace's ladder shows.
#[cfg(feature = "lab")]
pub(crate) fn duration(trace: &Trace) -> Duration {
    layout::last(&rows::rows(trace))
}

/// The content of one diagram: its hosts, title and rows.
#[derive(Clone, Copy, Debug)]
struct Drawing<'a> {
    hosts: &'a [Host],
    title: &'a str,
    rows: &'a [Row],
    /// Number of events that are missing between the first [`FIRST_ROWS`] rows and the remaining rows.
    missing: u64,
}

impl Drawing<'_> {
    fn lines(self, other: Option<Reference<'_>>, unit: Unit, form: Form) -> Vec<Line> {
        let width = match form {
            Form::Ladder(width) => width.max(MIN_WIDTH),
            Form::List => MIN_WIDTH,
        };
        let layout = Layout::new(self.hosts, self.rows, unit, width);
        // If events are missing, nothing is folded, because a group of rows must not span the gap.
        let folded =
            if self.missing == 0 { fold(self.rows, self.hosts, other) } else { self.rows.to_vec() };
        match form {
            Form::Ladder(_) => ladder(self, &layout, ShownRows::of(&folded, self.missing)),
            // A list refers to its steps by number, so it shows all rows.
            Form::List if self.missing == 0 => {
                let all = ShownRows { first: &folded, left_out: 0, last: &[] };
                list::lines(self.hosts, self.title, &layout, all)
            }
            Form::List => {
                list::lines(self.hosts, self.title, &layout, ShownRows::of(&folded, self.missing))
            }
        }
    }
}

/// The rows that a diagram shows. A long diagram shows only its first and last rows.
#[derive(Clone, Copy, Debug)]
struct ShownRows<'a> {
    first: &'a [Row],
    /// Number of events between the first and the last rows.
    left_out: u64,
    last: &'a [Row],
}

impl<'a> ShownRows<'a> {
    fn of(rows: &'a [Row], missing: u64) -> Self {
        if rows.len() <= MAX_ROWS && missing == 0 {
            return Self { first: rows, left_out: 0, last: &[] };
        }
        let (first, rest) = rows.split_at(FIRST_ROWS.min(rows.len()));
        let (middle, last) = rest.split_at(last_rows(rest));
        let left_out = missing + middle.iter().map(|row| row.events).sum::<u64>();
        Self { first, left_out, last }
    }

    /// Returns a note with the number of omitted events; `None` if all events are shown.
    fn left_out(self) -> Option<String> {
        let events = plural(self.left_out, "event");
        (self.left_out > 0).then(|| format!("… {events} left out …"))
    }
}

/// Returns the index of the first row to draw after the omitted rows. Usually the last [`LAST_ROWS`] rows are drawn. If
/// they contain a fold, the whole group that the fold refers to is drawn too.
fn last_rows(rows: &[Row]) -> usize {
    let begin = rows.len().saturating_sub(LAST_ROWS);
    let groups = rows.iter().enumerate().skip(begin).filter_map(|(at, row)| match &row.item {
        Item::Folded(Fold { kind: FoldKind::SameAs(_), .. }) => None,
        Item::Folded(fold) => Some(at.saturating_sub(fold.rows)),
        _ => None,
    });
    groups.chain([begin]).min().unwrap_or(begin)
}

fn ladder(drawing: Drawing<'_>, layout: &Layout, shown: ShownRows<'_>) -> Vec<Line> {
    let mut lines = layout.head(drawing.hosts, drawing.title);
    layout.rows(shown.first, &mut lines);
    if let Some(text) = shown.left_out() {
        layout.left_out(&text, &mut lines);
    }
    layout.rows(shown.last, &mut lines);
    lines
}

/// Joins lines into one string.
pub(crate) fn text(lines: &[Line]) -> String {
    lines.iter().map(|line| line.render() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Action, Event, Fate, HostId, Loss, Packet};
    use crate::transport::Transport;
    use std::time::Duration;

    const MS: Duration = Duration::from_millis(1);
    const CLIENT: HostId = HostId(0);
    const SERVER: HostId = HostId(1);

    fn two() -> Trace {
        let host = |name: &str, address: &str| Host {
            name: name.into(),
            addresses: vec![address.parse().expect("address")],
        };
        Trace::between(vec![host("client", "192.0.2.1"), host("server", "192.0.2.2")])
    }

    fn call(trace: &mut Trace, at: u32, host: HostId, call: &str, outcome: &str) {
        let action = Action::Call { call: call.into(), outcome: outcome.into() };
        trace.push(Event { at: at * MS, host, action });
    }

    /// Adds a packet of this length in octets, whose content is not valid IP.
    fn packet(trace: &mut Trace, at: u32, host: HostId, octets: usize, fate: Fate) {
        let to = if host == CLIENT { SERVER } else { CLIENT };
        let action = Action::Packet(Packet { to, octets: vec![0; octets], fate });
        trace.push(Event { at: at * MS, host, action });
    }

    fn arrived(times: &[u32]) -> Fate {
        Fate::Arrived(times.iter().map(|at| *at * MS).collect())
    }

    /// Draws a trace with a time axis in the unit that suits the trace.
    fn draw(trace: &Trace, title: &str, width: usize) -> Vec<Line> {
        let unit = Unit::of(layout::last(&rows::rows(trace)));
        super::draw(trace, None, title, unit, Form::Ladder(width))
    }

    /// Returns the lines as plain text, beginning with line number `from`.
    fn rows(lines: &[Line], from: usize) -> Vec<String> {
        plain(&lines[from..]).lines().map(str::to_owned).collect()
    }

    fn plain(lines: &[Line]) -> String {
        anstream::adapter::strip_str(&text(lines)).to_string()
    }

    #[test]
    fn calls_stand_beside_their_host_and_packets_between_with_both_their_times() {
        let mut trace = two();
        call(&mut trace, 0, CLIENT, "connect()", "");
        packet(&mut trace, 0, CLIENT, 1, arrived(&[20]));
        call(&mut trace, 20, SERVER, "accept()", "done");
        let action = Action::State(Transport::Tcp, "ESTABLISHED".into());
        trace.push(Event { at: 20 * MS, host: SERVER, action });
        packet(&mut trace, 20, SERVER, 222, arrived(&[40]));
        assert_eq!(
            rows(&draw(&trace, "TCP", 50), 0),
            [
                "TCP",
                "     ms client                      server arrives",
                "        192.0.2.1                192.0.2.2",
                "    0.0 │ connect()                      │",
                "    0.0 │── 1 octet ────────────────────▶│    20.0",
                "   20.0 │                accept() = done │",
                "   20.0 │                  [ESTABLISHED] │",
                "   20.0 │◀───────────────── 222 octets ──│    40.0",
            ]
        );
    }

    #[test]
    fn what_is_lost_ends_on_its_way_with_the_reason() {
        let mut trace = two();
        packet(&mut trace, 1, CLIENT, 5, Fate::Lost(Loss::Chance));
        packet(&mut trace, 2, SERVER, 5, Fate::Lost(Loss::Ordered(2)));
        packet(&mut trace, 3, CLIENT, 5, Fate::Lost(Loss::Cut));
        packet(&mut trace, 4, CLIENT, 5, Fate::Lost(Loss::Overflow));
        packet(&mut trace, 99, CLIENT, 5, Fate::Seen);
        assert_eq!(
            rows(&draw(&trace, "UDP", 50), 3),
            [
                "    1.0 │── 5 octets ────────✗ lost      │",
                "    2.0 │                       5 octets │",
                "        │ lost on purpose ✗──────────────│",
                "    3.0 │── 5 octets ───✗ lost: link cut │",
                "    4.0 │── 5 octets ───────────────────✗│ dropped",
                "   99.0 │── 5 octets ───────────────────▶│",
            ]
        );
    }

    #[test]
    fn times_and_states_are_not_dim_so_that_a_projector_shows_them() {
        let mut trace = two();
        let state = Action::State(Transport::Tcp, "ESTABLISHED".into());
        trace.push(Event { at: 20 * MS, host: SERVER, action: state });
        packet(&mut trace, 20, SERVER, 5, arrived(&[40]));
        let drawn = text(&draw(&trace, "TCP", 60));
        assert!(drawn.contains("[ESTABLISHED]") && !drawn.contains("\x1b[2m"), "{drawn:?}");
    }

    #[test]
    fn equal_rows_of_a_trace_are_drawn_once_with_their_count() {
        let mut trace = two();
        for at in 0..10 {
            call(&mut trace, 10 * at, CLIENT, "send(0)", "0 octets");
            packet(&mut trace, 10 * at, CLIENT, 5, arrived(&[10 * at + 5]));
        }
        assert_eq!(
            rows(&draw(&trace, "UDP", 60), 3),
            [
                "    0.0 │ send(0) = 0 octets                       │",
                "    0.0 │── 5 octets ─────────────────────────────▶│     5.0",
                "        ┊    these 2 rows × 10, 0.0 to 90.0 ms     ┊",
            ]
        );
    }

    #[test]
    fn a_duplicate_has_a_row_of_its_own_and_what_is_overtaken_says_so() {
        let mut trace = two();
        packet(&mut trace, 0, CLIENT, 5, arrived(&[20, 41]));
        packet(&mut trace, 1, CLIENT, 6, arrived(&[40]));
        packet(&mut trace, 2, CLIENT, 7, arrived(&[22]));
        assert_eq!(
            rows(&draw(&trace, "UDP", 60), 3),
            [
                "    0.0 │── 5 octets ─────────────────────────────▶│    20.0",
                "    1.0 │── overtaken: 6 octets ──────────────────▶│    40.0",
                "    2.0 │── 7 octets ─────────────────────────────▶│    22.0",
                "        │╌╌ duplicate: 5 octets ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌▶│    41.0",
            ]
        );
    }

    #[test]
    fn a_label_without_room_stands_above_its_arrow() {
        let mut trace = two();
        call(&mut trace, 0, SERVER, "recvfrom(1024)", "4 octets from 192.0.2.1 port 49152");
        packet(&mut trace, 0, CLIENT, 10_000_000, arrived(&[20]));
        assert_eq!(
            rows(&draw(&trace, "UDP", 40), 3),
            [
                "    0.0 │   recvfrom(1024) = 4 │",
                "        │          octets from │",
                "        │       192.0.2.1 port │",
                "        │                49152 │",
                "    0.0 │ 10000000 octets      │",
                "        │─────────────────────▶│    20.0",
            ]
        );
    }

    #[test]
    fn the_same_call_many_times_is_told_once_with_their_number() {
        let mut trace = two();
        for at in 0..26 {
            call(&mut trace, at, CLIENT, "send(1)", "1 octet");
        }
        call(&mut trace, 26, CLIENT, "send(1)", "EPIPE");
        assert_eq!(
            rows(&draw(&trace, "TCP", 50), 3),
            [
                "    0.0 │ send(1) × 26 = 1 octet each            │",
                "   26.0 │ send(1) = EPIPE                        │",
            ]
        );
    }

    #[test]
    fn of_a_long_trace_the_middle_is_left_out_and_counted() {
        let mut trace = two();
        for at in 0..1000 {
            call(&mut trace, at, CLIENT, &format!("send({at})"), "");
        }
        let lines = rows(&draw(&trace, "TCP", 60), 3);
        assert_eq!(lines.len(), FIRST_ROWS + 1 + LAST_ROWS, "{lines:?}");
        assert_eq!(
            lines[FIRST_ROWS],
            "        ┊             … 960 events left out …              ┊"
        );
        assert!(lines[FIRST_ROWS - 1].contains("send(27)"), "{lines:?}");
        assert!(lines[FIRST_ROWS + 1].contains("send(988)"), "{lines:?}");
    }

    #[test]
    fn a_fold_among_the_last_rows_follows_its_whole_group() {
        let mut trace = two();
        let distinct = |from: u32, until: u32| (from..until).map(|at| (at, format!("send({at})")));
        let group = (40..80).map(|at| (at, format!("read({})", at % 4)));
        for (at, name) in distinct(0, 40).chain(group).chain(distinct(80, 91)) {
            call(&mut trace, at, CLIENT, &name, "");
        }
        let lines = rows(&draw(&trace, "TCP", 60), 3);
        let fold = lines.iter().position(|it| it.contains("these 4 rows × 10")).expect("a fold");
        assert!(lines[fold - 4].contains("read(0)"), "{lines:?}");
        let list = super::draw(&trace, None, "TCP", Unit::Milliseconds, Form::List);
        let list = plain(&list);
        assert!(list.contains("Steps 41 to 44: 10 times"), "{list}");
        assert!(!list.contains("left out"), "{list}");
    }

    #[test]
    fn three_hosts_have_a_line_each_and_an_arrow_crosses_the_one_between() {
        let mut trace = two();
        trace.hosts.push(Host { name: "victim".into(), addresses: Vec::new() });
        let action =
            Action::Packet(Packet { to: HostId(2), octets: vec![0; 5], fate: arrived(&[20]) });
        trace.push(Event { at: MS, host: CLIENT, action });
        call(&mut trace, 2, SERVER, "recv()", "");
        assert_eq!(
            rows(&draw(&trace, "UDP", 60), 3),
            [
                "    1.0 │── 5 octets ────────┼────────────────────▶│    20.0",
                "    2.0 │                    │ recv()              │",
            ]
        );
    }

    #[test]
    fn what_a_peer_sent_cannot_reach_the_terminal() {
        let mut trace = two();
        call(&mut trace, 0, CLIENT, "recv(10)", "\x1b[2J\r\n");
        let drawn = text(&draw(&trace, "TCP", 60));
        assert!(drawn.contains("recv(10) = \\u{1b}[2J\\r\\n"), "{drawn:?}");
    }

    #[test]
    fn a_screen_of_a_few_columns_has_a_ladder_all_the_same() {
        let mut trace = two();
        packet(&mut trace, 0, CLIENT, 5, arrived(&[20]));
        call(&mut trace, 20, SERVER, "recv(1024)", "5 octets");
        assert_eq!(text(&draw(&trace, "UDP", 1)), text(&draw(&trace, "UDP", MIN_WIDTH)));
    }

    #[test]
    fn a_time_of_hours_has_the_room_that_it_takes() {
        let mut trace = two();
        packet(&mut trace, 0, CLIENT, 5, arrived(&[20_000_000]));
        call(&mut trace, 20_000_000, SERVER, "recv()", "5 octets");
        assert_eq!(
            rows(&draw(&trace, "UDP", 56), 1),
            [
                "        s client                        server   arrives",
                "          192.0.2.1                  192.0.2.2",
                "    0.000 │── 5 octets ─────────────────────▶│ 20000.000",
                "20000.000 │                recv() = 5 octets │",
            ]
        );
    }

    #[test]
    fn addresses_that_would_cover_each_other_stand_below_each_other() {
        let mut trace = two();
        let address = |last: u8| format!("2001:db8:1111:2222:3333:4444:5555:{last:x}");
        for (host, last) in trace.hosts.iter_mut().zip([1, 2]) {
            host.addresses = vec![address(last).parse().expect("address")];
        }
        let lines = rows(&draw(&trace, "TCP", 60), 2);
        assert_eq!(lines, [format!("        {}", address(1)), format!("{:>60}", address(2))]);
    }

    #[test]
    fn the_axis_counts_in_what_suits_the_last_time() {
        let drawn = |at: Duration| {
            let mut trace = two();
            let action = Action::Call { call: "close()".into(), outcome: String::new() };
            trace.push(Event { at, host: CLIENT, action });
            let drawn = plain(&draw(&trace, "TCP", 50));
            let words: Vec<String> = drawn.split_whitespace().map(str::to_owned).collect();
            (words[1].clone(), words[6].clone())
        };
        let shown = |unit: &str, time: &str| (unit.to_owned(), time.to_owned());
        assert_eq!(drawn(Duration::from_nanos(38_400)), shown("µs", "38"));
        assert_eq!(drawn(Duration::from_micros(1_060_420)), shown("ms", "1060.4"));
        assert_eq!(drawn(Duration::from_secs(189)), shown("s", "189.000"));
    }

    #[cfg(feature = "lab")]
    #[test]
    fn a_short_drawing_keeps_its_microseconds_in_milliseconds() {
        let mut trace = two();
        let action = Action::Call { call: "close()".into(), outcome: String::new() };
        trace.push(Event { at: Duration::from_nanos(38_400), host: CLIENT, action });
        assert_eq!(duration(&trace), Duration::from_nanos(38_400));
        let drawn = |unit| plain(&super::draw(&trace, None, "TCP", unit, Form::Ladder(50)));
        let milliseconds = drawn(Unit::Milliseconds);
        assert!(milliseconds.contains("     ms client"), "{milliseconds}");
        assert!(milliseconds.contains("  0.038 │ close()"), "{milliseconds}");
        let seconds = drawn(Unit::Seconds);
        assert!(seconds.contains("      s client"), "{seconds}");
        assert!(seconds.contains("  0.000 │ close()"), "{seconds}");
    }
}
