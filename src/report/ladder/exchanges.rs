//! Ladders of what `wire` sees, one for each exchange. Packets are told as they come, and only the rows that
//! will be drawn are kept of them.

use super::rows::{Arrow, End, Item, Row, Sent, in_order, payload};
use super::{FIRST, MOST, lines, text};
use crate::reply::Printable;
use crate::report::{packet, plural};
use crate::trace::{Fate, Host, HostId};
use crate::wire::Interface;
use crate::wire::decode::Decoded;
use crate::wire::talk::{Said, Side};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Exchanges that are drawn: more are more than anybody reads.
const MOST_EXCHANGES: u64 = 20;

const CLIENT: HostId = HostId(0);
const SERVER: HostId = HostId(1);

/// The first exchanges of those that were seen, by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Exchanges {
    drawn: BTreeMap<u64, Exchange>,
    /// How many more there were.
    left_out: u64,
}

#[derive(Debug)]
struct Exchange {
    title: String,
    /// How long after the first packet of all it began.
    since_ns: i64,
    is_timed: bool,
    first: Vec<Row>,
    last: VecDeque<Row>,
    /// Packets that are in neither.
    missing: u64,
}

/// When and where a packet was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight<'a> {
    pub at: Option<Duration>,
    /// How long after the first packet of all that was.
    pub since_ns: i64,
    pub interface: Option<&'a Interface>,
}

impl Exchanges {
    /// Notes a packet of an exchange, when it was seen and what became of it.
    pub(crate) fn note(&mut self, said: &Said, packet: &Decoded, sight: Sight, fate: &Fate) {
        if said.number > MOST_EXCHANGES {
            self.left_out = self.left_out.max(said.number - MOST_EXCHANGES);
            return;
        }
        let begin = || Exchange {
            title: title(said, sight.interface),
            since_ns: sight.since_ns,
            is_timed: false,
            first: Vec::new(),
            last: VecDeque::new(),
            missing: 0,
        };
        let exchange = self.drawn.entry(said.number).or_insert_with(begin);
        let at = exchange.time(sight.at);
        sent(said, packet, at).rows(fate).into_iter().for_each(|row| exchange.keep(row));
    }

    /// All ladders, one below the other.
    pub(crate) fn draw(&self, width: usize) -> String {
        let mut drawn: Vec<String> =
            self.drawn.values().map(|exchange| exchange.draw(width)).collect();
        if self.left_out > 0 {
            let more = plural(self.left_out, "more exchange");
            drawn.push(format!("… {more}: without --ladder all are shown\n"));
        }
        drawn.join("\n")
    }
}

/// Who asks whom, and where that was seen.
fn title(said: &Said, interface: Option<&Interface>) -> String {
    let Said { transport, number, client, server, .. } = said;
    let name = interface.and_then(|it| it.name.as_deref());
    let on = name.map(|name| format!(", on {}", Printable(name))).unwrap_or_default();
    format!("{transport} {number}: {client} → {server}{on}")
}

fn sent(said: &Said, packet: &Decoded, at: Duration) -> Sent {
    let (from, to) = match said.to {
        Side::Client => (SERVER, CLIENT),
        Side::Server => (CLIENT, SERVER),
    };
    // Without a line of its own, who says it stands below what is said.
    let payload = match said.third {
        Some(third) => format!("says {third}"),
        None => payload(packet),
    };
    Sent { at, from, to, label: packet::label(packet), payload, is_again: said.is_repeat }
}

impl Exchange {
    /// What came before the first time that there is, in a file, has that.
    fn time(&mut self, at: Option<Duration>) -> Duration {
        let Some(at) = at else { return Duration::ZERO };
        if !self.is_timed {
            self.first.iter_mut().chain(&mut self.last).for_each(|row| row.at = at);
            self.is_timed = true;
        }
        at
    }

    fn keep(&mut self, row: Row) {
        if self.first.len() < FIRST {
            self.first.push(row);
            return;
        }
        if self.last.len() == MOST - FIRST
            && let Some(row) = self.last.pop_front()
        {
            self.missing += row.events;
        }
        self.last.push_back(row);
    }

    fn draw(&self, width: usize) -> String {
        let rows = self.rows();
        let hosts =
            ["client", "server"].map(|name| Host { name: name.to_owned(), addresses: Vec::new() });
        let title = match self.since_ns {
            0 => self.title.clone(),
            since => format!("{}, at {:.6} s", self.title, seconds(since)),
        };
        text(&lines(&hosts, &rows, self.missing, &title, Duration::ZERO, width))
    }

    /// With the times since the first of them.
    fn rows(&self) -> Vec<Row> {
        let begin = self.first.iter().chain(&self.last).map(|row| row.at).min().unwrap_or_default();
        let since =
            |rows: Vec<Row>| in_order(rows.into_iter().map(|row| row.since(begin)).collect());
        let (first, last) = (self.first.clone(), self.last.iter().cloned());
        if self.missing == 0 {
            return since(first.into_iter().chain(last).collect());
        }
        // What is left out stands between them, whatever the times say.
        [since(first), since(last.collect())].concat()
    }
}

impl Row {
    fn since(mut self, begin: Duration) -> Self {
        self.at = self.at.saturating_sub(begin);
        if let Item::Arrow(Arrow { end: End::Arrived(at), .. }) = &mut self.item {
            *at = at.saturating_sub(begin);
        }
        self
    }
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a century are exact enough")]
fn seconds(nanoseconds: i64) -> f64 {
    nanoseconds as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Transport;
    use crate::wire::InterfaceId;
    use crate::wire::decode::{End as Place, Kind};

    const MS: Duration = Duration::from_millis(1);

    fn place(text: &str) -> Place {
        let socket: std::net::SocketAddr = text.parse().expect("an address");
        Place { address: socket.ip(), port: Some(socket.port()) }
    }

    fn said(number: u64, to: Side) -> Said {
        Said {
            number,
            is_first: false,
            transport: Transport::Udp,
            client: place("[2001:db8:1111:2222:3333:4444:5555:6666]:40000"),
            server: place("[2001:db8:1111:2222:3333:4444:5555:7777]:13"),
            to,
            third: None,
            is_repeat: false,
        }
    }

    fn packet(payload: &[u8]) -> Decoded {
        let (source, destination) = (place("192.0.2.1:40000"), place("192.0.2.2:13"));
        let (kind, carried) = (Kind::Udp { payload: payload.to_vec() }, payload.len());
        Decoded { source, destination, kind, octets: 28 + carried, carried, fragment_of: None }
    }

    fn sight(at: u32) -> Sight<'static> {
        let since_ns = i64::from(at) * 1_000_000;
        Sight { at: Some(1_000_000 * MS + at * MS), since_ns, interface: None }
    }

    fn plain(exchanges: &Exchanges, width: usize) -> Vec<String> {
        let drawn = anstream::adapter::strip_str(&exchanges.draw(width)).to_string();
        drawn.lines().map(str::to_owned).collect()
    }

    #[test]
    fn each_exchange_has_a_ladder_with_its_own_time_and_says_who_talks_where() {
        let mut exchanges = Exchanges::default();
        let id = InterfaceId { number: 1, passed: None };
        let interface = Interface { id, name: Some(b"br\x1b0"[..].into()) };
        let there = Sight { interface: Some(&interface), ..sight(0) };
        exchanges.note(&said(1, Side::Server), &packet(b""), there, &Fate::Seen);
        exchanges.note(&said(2, Side::Server), &packet(b""), sight(1500), &Fate::Seen);
        let third = Some([192, 0, 2, 254].into());
        let back = Said { third, is_repeat: true, ..said(2, Side::Client) };
        exchanges.note(&back, &packet(b"noon"), sight(1520), &Fate::Seen);
        assert_eq!(
            plain(&exchanges, 60),
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
        let mut exchanges = Exchanges::default();
        let third = Some([192, 0, 2, 254].into());
        let back = Said { third, ..said(1, Side::Client) };
        let kind = Kind::Icmp { what: "host unreachable".into(), about: None };
        let error = Decoded { kind, ..packet(b"") };
        exchanges.note(&back, &error, sight(0), &Fate::Seen);
        let drawn = plain(&exchanges, 80);
        assert!(drawn[3].contains("── host unreachable ──"), "{drawn:?}");
        assert!(drawn[4].contains(" says 192.0.2.254 │"), "{drawn:?}");
    }

    #[test]
    fn of_a_long_exchange_the_first_and_the_very_last_packets_are_kept() {
        let mut exchanges = Exchanges::default();
        for at in 0..1000_u32 {
            let payload = vec![b'x'; 1 + at as usize];
            exchanges.note(&said(1, Side::Client), &packet(&payload), sight(at), &Fate::Seen);
        }
        let exchange = &exchanges.drawn[&1];
        assert_eq!((exchange.first.len(), exchange.last.len()), (FIRST, MOST - FIRST));
        let drawn = plain(&exchanges, 80).join("\n");
        assert!(drawn.contains("… 960 events left out …"), "{drawn}");
        assert!(drawn.contains("── 28 octets ──") && !drawn.contains("── 29 octets ──"), "{drawn}");
        assert!(
            drawn.contains("── 989 octets ──") && !drawn.contains("── 988 octets ──"),
            "{drawn}"
        );
        assert!(drawn.contains("── 1000 octets ──"), "{drawn}");
    }

    #[test]
    fn of_many_exchanges_the_first_are_drawn_and_the_others_counted() {
        let mut exchanges = Exchanges::default();
        for number in 1..=MOST_EXCHANGES + 3 {
            exchanges.note(&said(number, Side::Server), &packet(b""), sight(0), &Fate::Seen);
        }
        let drawn = plain(&exchanges, 80);
        assert_eq!(drawn.iter().filter(|line| line.contains("▶│")).count() as u64, MOST_EXCHANGES);
        let told = drawn.last().map(String::as_str);
        assert_eq!(told, Some("… 3 more exchanges: without --ladder all are shown"));
    }

    #[test]
    fn what_is_known_of_arrivals_is_drawn() {
        let mut exchanges = Exchanges::default();
        let fate = Fate::Arrived(vec![1_000_020 * MS, 1_000_030 * MS]);
        exchanges.note(&said(1, Side::Server), &packet(b"a"), sight(0), &fate);
        let fate = Fate::Arrived(vec![1_000_010 * MS]);
        exchanges.note(&said(1, Side::Server), &packet(b"b"), sight(5), &fate);
        let drawn = plain(&exchanges, 80);
        assert!(drawn[2].ends_with("server arrives"), "{drawn:?}");
        assert!(drawn[3].contains("overtaken: 1 octet") && drawn[3].ends_with("20.0"), "{drawn:?}");
        assert!(drawn[5].contains("── 1 octet ──") && drawn[5].ends_with("10.0"), "{drawn:?}");
        assert!(drawn[7].contains("duplicate") && drawn[7].ends_with("30.0"), "{drawn:?}");
    }

    #[test]
    fn packets_out_of_order_and_without_a_time_stand_where_they_belong() {
        let mut exchanges = Exchanges::default();
        let untimed = Sight { at: None, since_ns: 0, interface: None };
        for (sight, octets) in [(untimed, 1), (sight(20), 3), (sight(10), 2)] {
            let packet = packet(&vec![b'x'; octets]);
            exchanges.note(&said(1, Side::Server), &packet, sight, &Fate::Seen);
        }
        let rows = exchanges.drawn[&1].rows();
        let told: Vec<_> = rows
            .iter()
            .map(|row| match &row.item {
                Item::Arrow(arrow) => (row.at, arrow.label.as_str()),
                item => panic!("{item:?}"),
            })
            .collect();
        assert_eq!(
            told,
            [(Duration::ZERO, "2 octets"), (10 * MS, "1 octet"), (10 * MS, "3 octets")]
        );
    }
}
