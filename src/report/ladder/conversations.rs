//! Ladder diagrams for the conversations that `wire` captures. Packets are added one by one as they are captured, and
//! only the rows that will be drawn are kept.

use super::layout::last;
use super::rows::{Arrow, ArrowEnd, Item, Row, in_order};
use super::sighting::{Sighting, hosts, in_unit};
use super::{Drawing, FIRST_ROWS, Form, MAX_ROWS, text};
use crate::duration::Unit;
use crate::report::plural;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Maximum number of ladders to draw. More would be too long to read.
const MAX_LADDERS: u64 = 20;

/// Ladders of the first conversations, by conversation number.
#[derive(Debug, Default)]
pub(crate) struct Ladders {
    drawn: BTreeMap<u64, Conversation>,
    /// Number of further conversations, for which no ladder is drawn.
    left_out: u64,
}

#[derive(Debug, Default)]
struct Conversation {
    title: String,
    /// Nanoseconds from the capture's first packet to the conversation's first packet.
    since_ns: i64,
    is_timed: bool,
    first: Vec<Row>,
    last: VecDeque<Row>,
    /// Number of events between `first` and `last`, whose rows are not kept.
    missing: u64,
}

impl Ladders {
    /// Adds a packet to its conversation's ladder.
    pub(crate) fn add(&mut self, seen: &Sighting) {
        let number = seen.role.number;
        if number > MAX_LADDERS {
            self.left_out = self.left_out.max(number - MAX_LADDERS);
            return;
        }
        let begin = || Conversation {
            title: seen.title(),
            since_ns: seen.since_ns,
            ..Conversation::default()
        };
        let conversation = self.drawn.entry(number).or_insert_with(begin);
        let at = conversation.time(seen.captured.at);
        seen.arrow().rows(at, seen.fate).into_iter().for_each(|row| conversation.keep(row));
    }

    /// Draws all ladders, one below the other.
    pub(crate) fn draw(&self, form: Form) -> String {
        let mut drawn: Vec<String> = self.drawn.values().map(|it| it.draw(form)).collect();
        if self.left_out > 0 {
            let more = plural(self.left_out, "more exchange");
            drawn.push(format!("… {more}: without --ladder all are shown\n"));
        }
        drawn.join("\n")
    }
}

impl Conversation {
    /// Returns a packet's time, or 0 if the packet has no timestamp. The first timestamp in the conversation is also
    /// assigned to all packets before it.
    fn time(&mut self, at: Option<Duration>) -> Duration {
        let Some(at) = at else { return Duration::ZERO };
        if !self.is_timed {
            self.first.iter_mut().chain(&mut self.last).for_each(|row| row.at = at);
            self.is_timed = true;
        }
        at
    }

    fn keep(&mut self, row: Row) {
        if self.first.len() < FIRST_ROWS {
            self.first.push(row);
            return;
        }
        if self.last.len() == MAX_ROWS - FIRST_ROWS
            && let Some(row) = self.last.pop_front()
        {
            self.missing += row.events;
        }
        self.last.push_back(row);
    }

    fn draw(&self, form: Form) -> String {
        let rows = self.rows();
        let title = match self.since_ns {
            0 => self.title.clone(),
            since => format!("{}, at {:.6} s", self.title, in_unit(since, 1e9)),
        };
        let unit = Unit::of(last(&rows));
        let drawing =
            Drawing { hosts: &hosts(), title: &title, rows: &rows, missing: self.missing };
        text(&drawing.lines(None, unit, form))
    }

    /// Returns the rows, with times relative to the earliest row.
    fn rows(&self) -> Vec<Row> {
        let begin = self.first.iter().chain(&self.last).map(|row| row.at).min().unwrap_or_default();
        let since =
            |rows: Vec<Row>| in_order(rows.into_iter().map(|row| row.since(begin)).collect());
        let (first, last) = (self.first.clone(), self.last.iter().cloned());
        if self.missing == 0 {
            return since(first.into_iter().chain(last).collect());
        }
        // The omitted rows are between `first` and `last`. The two parts are therefore sorted separately, and no row
        // moves from one to the other.
        [since(first), since(last.collect())].concat()
    }
}

impl Row {
    fn since(mut self, begin: Duration) -> Self {
        self.at = self.at.saturating_sub(begin);
        if let Item::Arrow(Arrow { end: ArrowEnd::Arrived(at), .. }) = &mut self.item {
            *at = at.saturating_sub(begin);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::sighting::tests::{self as sample, end};
    use super::*;
    use crate::mentions::mentions;
    use crate::trace::Fate;
    use crate::transport::Transport;
    use crate::wire::conversation::{PacketRole, Side};
    use crate::wire::decode::{Content, Decoded};
    use crate::wire::{Captured, Interface, InterfaceId};

    const MS: Duration = Duration::from_millis(1);

    fn role(number: u64, to: Side) -> PacketRole {
        let client = end("[2001:db8:1111:2222:3333:4444:5555:6666]:40000");
        let server = end("[2001:db8:1111:2222:3333:4444:5555:7777]:13");
        PacketRole { number, transport: Transport::Udp, client, server, ..sample::role(to) }
    }

    fn packet(payload: &[u8]) -> Decoded {
        let (source, destination) = (end("192.0.2.1:40000"), end("192.0.2.2:13"));
        let (content, carried) = (Content::Udp { payload: payload.to_vec() }, payload.len());
        let (octets, fragment_of) = (28 + carried, None);
        Decoded { source, destination, protocol: 17, content, octets, carried, fragment_of }
    }

    fn seen(at: u32) -> Captured {
        Captured { at: Some(1_000_000 * MS + at * MS), ..sample::captured(&[]) }
    }

    fn add(ladders: &mut Ladders, role: &PacketRole, packet: &Decoded, captured: &Captured) {
        add_with(ladders, role, packet, captured, &Fate::Seen);
    }

    fn add_with(
        ladders: &mut Ladders,
        role: &PacketRole,
        packet: &Decoded,
        captured: &Captured,
        fate: &Fate,
    ) {
        let since = captured.at.map_or(0, |at| at.abs_diff(1_000_000 * MS).as_nanos());
        let since_ns = i64::try_from(since).expect("short");
        ladders.add(&Sighting { role, packet, captured, since_ns, fate });
    }

    fn plain(ladders: &Ladders, width: usize) -> Vec<String> {
        let drawn = anstream::adapter::strip_str(&ladders.draw(Form::Ladder(width))).to_string();
        drawn.lines().map(str::to_owned).collect()
    }

    #[test]
    fn each_conversation_has_a_ladder_with_its_own_time_and_says_who_talks_where() {
        let mut ladders = Ladders::default();
        let id = InterfaceId { number: 1, passed: None };
        let interface = Interface { id, name: Some(b"br\x1b0"[..].into()) };
        let there = Captured { interface: Some(interface), ..seen(0) };
        add(&mut ladders, &role(1, Side::Server), &packet(b""), &there);
        add(&mut ladders, &role(2, Side::Server), &packet(b""), &seen(1500));
        let third_party = Some([192, 0, 2, 254].into());
        let back = PacketRole { third_party, is_retransmission: true, ..role(2, Side::Client) };
        add(&mut ladders, &back, &packet(b"noon"), &seen(1520));
        assert_eq!(
            plain(&ladders, 60),
            [
                "udp 1: [2001:db8:1111:2222:3333:4444:5555:6666]:40000 →",
                "[2001:db8:1111:2222:3333:4444:5555:7777]:13, on br\\x1b0",
                "     µs client                                        server",
                "      0 │── empty datagram ───────────────────────────────▶│",
                "",
                "udp 2: [2001:db8:1111:2222:3333:4444:5555:6666]:40000 →",
                "[2001:db8:1111:2222:3333:4444:5555:7777]:13, at 1.500000 s",
                "     ms client                                        server",
                "    0.0 │── empty datagram ───────────────────────────────▶│",
                "   20.0 │◀────────────────────────────── again: 4 octets ──│",
            ]
        );
    }

    #[test]
    fn an_error_of_a_router_is_not_the_servers() {
        let mut ladders = Ladders::default();
        let third_party = Some([192, 0, 2, 254].into());
        let back = PacketRole { third_party, ..role(1, Side::Client) };
        let content = Content::Icmp { message: "host unreachable".into(), subject: None };
        let error = Decoded { content, ..packet(b"") };
        add(&mut ladders, &back, &error, &seen(0));
        let drawn = plain(&ladders, 80);
        assert!(drawn[3].contains("── host unreachable ──"), "{drawn:?}");
        assert!(drawn[4].contains(" says 192.0.2.254 │"), "{drawn:?}");
    }

    #[test]
    fn of_a_long_conversation_the_first_and_the_very_last_packets_are_kept() {
        let mut ladders = Ladders::default();
        for at in 0..1000_u32 {
            let payload = vec![b'x'; 1 + at as usize];
            add(&mut ladders, &role(1, Side::Client), &packet(&payload), &seen(at));
        }
        let conversation = &ladders.drawn[&1];
        assert_eq!(
            (conversation.first.len(), conversation.last.len()),
            (FIRST_ROWS, MAX_ROWS - FIRST_ROWS)
        );
        let drawn = plain(&ladders, 80).join("\n");
        mentions(&drawn, &["960 events"]);
        assert!(drawn.contains("── 28 octets ──") && !drawn.contains("── 29 octets ──"), "{drawn}");
        assert!(
            drawn.contains("── 989 octets ──") && !drawn.contains("── 988 octets ──"),
            "{drawn}"
        );
        assert!(drawn.contains("── 1000 octets ──"), "{drawn}");
    }

    #[test]
    fn of_many_conversations_the_first_are_drawn_and_the_others_counted() {
        let mut ladders = Ladders::default();
        for number in 1..=MAX_LADDERS + 3 {
            add(&mut ladders, &role(number, Side::Server), &packet(b""), &seen(0));
        }
        let drawn = plain(&ladders, 80);
        assert_eq!(drawn.iter().filter(|line| line.contains("▶│")).count() as u64, MAX_LADDERS);
        mentions(drawn.last().expect("a line"), &["3 more exchanges", "--ladder"]);
    }

    #[test]
    fn what_is_known_of_arrivals_is_drawn() {
        let mut ladders = Ladders::default();
        let fate = Fate::Arrived(vec![1_000_020 * MS, 1_000_030 * MS]);
        add_with(&mut ladders, &role(1, Side::Server), &packet(b"a"), &seen(0), &fate);
        let fate = Fate::Arrived(vec![1_000_010 * MS]);
        add_with(&mut ladders, &role(1, Side::Server), &packet(b"b"), &seen(5), &fate);
        let drawn = plain(&ladders, 80);
        assert!(drawn[2].ends_with("server arrives"), "{drawn:?}");
        assert!(drawn[3].contains("overtaken: 1 octet") && drawn[3].ends_with("20.0"), "{drawn:?}");
        assert!(drawn[5].contains("── 1 octet ──") && drawn[5].ends_with("10.0"), "{drawn:?}");
        assert!(drawn[7].contains("duplicate") && drawn[7].ends_with("30.0"), "{drawn:?}");
    }

    #[test]
    fn packets_out_of_order_and_without_a_time_stand_where_they_belong() {
        let mut ladders = Ladders::default();
        let untimed = sample::captured(&[]);
        for (captured, octets) in [(untimed, 1), (seen(20), 3), (seen(10), 2)] {
            let packet = packet(&vec![b'x'; octets]);
            add(&mut ladders, &role(1, Side::Server), &packet, &captured);
        }
        let rows = ladders.drawn[&1].rows();
        let shown: Vec<_> = rows
            .iter()
            .map(|row| match &row.item {
                Item::Arrow(arrow) => (row.at, arrow.label.as_str()),
                item => panic!("{item:?}"),
            })
            .collect();
        assert_eq!(
            shown,
            [(Duration::ZERO, "2 octets"), (10 * MS, "1 octet"), (10 * MS, "3 octets")]
        );
    }
}
