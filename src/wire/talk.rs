//! Who talks to whom: packets sorted into exchanges of a client with a server, and which of them say
//! again what was said.

use super::InterfaceId;
use super::decode::{Decoded, End, Kind};
use super::segment::{Heard, Segment};
use crate::transport::Transport;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

/// Exchanges that are remembered: the oldest is forgotten for a new one, so that nobody can fill the memory.
const MOST_TALKS: usize = 4096;
/// Likewise of packets whose further fragments may come.
const MOST_FRAGMENTED: usize = 256;

/// A packet of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// Exchanges are numbered from 1, as they begin.
    pub number: u64,
    /// It is the first packet of this exchange that was seen.
    pub is_first: bool,
    pub transport: Transport,
    pub client: End,
    pub server: End,
    pub to: Side,
    /// Who says it, if that is neither of them: a router, with an ICMP error.
    pub third: Option<IpAddr>,
    /// All of it was seen before, on the same interface: a TCP retransmission.
    pub is_repeat: bool,
}

/// An end of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// The exchanges with servers on certain ports.
///
/// Over TCP one is a connection. Over UDP it is what passes between two ports until the client asks again
/// after an answer: questions without one are the same, asked again.
#[derive(Debug)]
pub(crate) struct Talks {
    ports: Vec<u16>,
    known: BTreeMap<Key, Talk>,
    /// By their numbers, so from the oldest on.
    order: BTreeMap<u64, Key>,
    /// From the oldest on: only the first fragment of a packet has ports in it.
    fragmented: VecDeque<(Whole, Key, Side)>,
    /// How many there have been.
    pub count: u64,
}

/// The interface too: a packet that passes two of them is no retransmission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    interface: Option<InterfaceId>,
    is_tcp: bool,
    client: End,
    server: End,
}

/// What all fragments of a packet have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    interface: Option<InterfaceId>,
    pub source: IpAddr,
    pub destination: IpAddr,
    is_tcp: Option<bool>,
    identification: u32,
}

impl Whole {
    /// Returns the packet that this is a fragment of; `None` for a whole packet.
    pub(crate) fn of(interface: Option<InterfaceId>, packet: &Decoded) -> Option<Self> {
        packet.fragment_of.map(|identification| Self {
            interface,
            source: packet.source.address,
            destination: packet.destination.address,
            is_tcp: is_tcp(packet),
            identification,
        })
    }
}

#[derive(Debug, Default)]
struct Talk {
    number: u64,
    /// An answer over UDP was seen.
    is_answered: bool,
    to_server: Heard,
    to_client: Heard,
}

impl Talks {
    pub(crate) fn with(ports: Vec<u16>) -> Self {
        let (known, order, fragmented) = (BTreeMap::new(), BTreeMap::new(), VecDeque::new());
        Self { ports, known, order, fragmented, count: 0 }
    }

    /// What a packet says in which exchange; `None` if it is about none of these ports.
    pub(crate) fn hear(
        &mut self,
        interface: Option<InterfaceId>,
        packet: &Decoded,
    ) -> Option<Said> {
        let about = match &packet.kind {
            Kind::Icmp { about, .. } => about.as_deref()?,
            _ => packet,
        };
        let is_tcp = is_tcp(about)?;
        let whole = Whole::of(interface, about);
        let (key, to) = if let Kind::Fragment { .. } = about.kind {
            let mut known = self.fragmented.iter().rev();
            known.find(|(it, ..)| Some(*it) == whole).map(|(_, key, to)| (*key, *to))?
        } else {
            let key = self.key(interface, is_tcp, about)?;
            let is_back = (about.source, about.destination) == (key.server, key.client);
            (key, if is_back { Side::Client } else { Side::Server })
        };
        // An error goes to whoever sent what it is about.
        if matches!(packet.kind, Kind::Icmp { .. }) {
            return Some(self.say(key, to.other(), packet));
        }
        if let Some(whole) = whole {
            self.expect_fragments(whole, key, to);
        }
        Some(self.say(key, to, packet))
    }

    fn key(&self, interface: Option<InterfaceId>, is_tcp: bool, about: &Decoded) -> Option<Key> {
        let key = |client, server| Key { interface, is_tcp, client, server };
        let (there, back) =
            (key(about.source, about.destination), key(about.destination, about.source));
        let serves = |end: End| end.port.is_some_and(|port| self.ports.contains(&port));
        // Between two such ports the one who began is the client.
        match (serves(about.destination), serves(about.source)) {
            (true, true) if self.known.contains_key(&back) => Some(back),
            (true, _) => Some(there),
            (false, true) => Some(back),
            (false, false) => None,
        }
    }

    fn expect_fragments(&mut self, whole: Whole, key: Key, to: Side) {
        self.fragmented.retain(|(other, ..)| *other != whole);
        if self.fragmented.len() >= MOST_FRAGMENTED {
            self.fragmented.pop_front();
        }
        self.fragmented.push_back((whole, key, to));
    }

    fn say(&mut self, key: Key, to: Side, packet: &Decoded) -> Said {
        let sender = if to == Side::Client { key.server } else { key.client };
        let (number, is_first, is_repeat) = self.note(key, to, packet);
        Said {
            number,
            is_first,
            transport: if key.is_tcp { Transport::Tcp } else { Transport::Udp },
            client: key.client,
            server: key.server,
            to,
            third: Some(packet.source.address).filter(|from| *from != sender.address),
            is_repeat,
        }
    }

    /// The number of the exchange, whether it is new, and whether the packet is not.
    fn note(&mut self, key: Key, to: Side, packet: &Decoded) -> (u64, bool, bool) {
        let segment = Segment::of(packet);
        let is_datagram =
            !key.is_tcp && !matches!(packet.kind, Kind::Icmp { .. } | Kind::Fragment { .. });
        let is_new = |talk: &Talk| match &segment {
            Some(segment) => to == Side::Server && talk.to_server.is_over_with(segment),
            None => to == Side::Server && is_datagram && talk.is_answered,
        };
        let is_first = self.known.get(&key).is_none_or(is_new);
        if is_first {
            self.begin(key);
        }
        let Some(talk) = self.known.get_mut(&key) else { return (self.count, is_first, false) };
        talk.is_answered |= to == Side::Client && is_datagram;
        let Some(segment) = segment else { return (talk.number, is_first, false) };
        let heard = match to {
            Side::Client => &mut talk.to_client,
            Side::Server => &mut talk.to_server,
        };
        (talk.number, is_first, heard.again(&segment))
    }

    /// Begins an exchange, after whatever was between these ends before.
    fn begin(&mut self, key: Key) {
        self.count += 1;
        let talk = Talk { number: self.count, ..Talk::default() };
        if let Some(before) = self.known.insert(key, talk) {
            self.order.remove(&before.number);
        }
        self.order.insert(self.count, key);
        if self.known.len() > MOST_TALKS
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.known.remove(&oldest);
        }
    }
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// True for a segment, false for a datagram, `None` for what is neither.
fn is_tcp(packet: &Decoded) -> Option<bool> {
    match packet.kind {
        Kind::Tcp { .. } => Some(true),
        Kind::Udp { .. } => Some(false),
        Kind::Fragment { protocol, .. } | Kind::Other(protocol) | Kind::BadHeader(protocol) => {
            [(6, true), (17, false)].into_iter().find(|(it, _)| *it == protocol).map(|(_, it)| it)
        }
        Kind::Icmp { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::decode::Flags;

    const CLIENT: &str = "10.0.0.1:40000";
    const SERVER: &str = "10.0.0.2:13";

    fn end(text: &str) -> End {
        let socket: std::net::SocketAddr = text.parse().expect("an address");
        End { address: socket.ip(), port: Some(socket.port()) }
    }

    fn packet(from: &str, to: &str, kind: Kind) -> Decoded {
        let carried = match &kind {
            Kind::Tcp { payload, .. } | Kind::Udp { payload } => payload.len(),
            _ => 0,
        };
        let (source, destination) = (end(from), end(to));
        Decoded { source, destination, kind, octets: 40, carried, fragment_of: None }
    }

    fn tcp(from: &str, to: &str, flags: Flags, sequence: u32, payload: &[u8]) -> Decoded {
        let payload = payload.to_vec();
        let kind = Kind::Tcp { flags, sequence, acknowledgement: 0, window: 0, payload };
        packet(from, to, kind)
    }

    fn udp(from: &str, to: &str) -> Decoded {
        packet(from, to, Kind::Udp { payload: Vec::new() })
    }

    fn interface(number: u32) -> InterfaceId {
        InterfaceId { number, passed: None }
    }

    fn talks() -> Talks {
        Talks::with(vec![13])
    }

    fn hear(talks: &mut Talks, packet: &Decoded) -> Said {
        talks.hear(Some(interface(1)), packet).expect("a Daytime packet")
    }

    #[test]
    fn the_server_is_at_the_port() {
        let mut talks = talks();
        let there = hear(&mut talks, &tcp(CLIENT, SERVER, Flags::SYN, 1, b""));
        assert!(there.is_first && there.to == Side::Server);
        let back = hear(&mut talks, &tcp(SERVER, CLIENT, Flags::SYN | Flags::ACK, 9, b""));
        assert!(!back.is_first && back.to == Side::Client);
        assert_eq!((back.number, back.client, back.third), (1, end(CLIENT), None));
        assert_eq!(talks.hear(None, &tcp(CLIENT, "10.0.0.2:80", Flags::SYN, 1, b"")), None);
    }

    #[test]
    fn between_two_servers_who_began_is_the_client() {
        let (one, other) = ("10.0.0.1:13", "10.0.0.2:13");
        let mut talks = talks();
        assert_eq!(hear(&mut talks, &udp(one, other)).to, Side::Server);
        let back = hear(&mut talks, &udp(other, one));
        assert_eq!((back.to, back.client, back.number), (Side::Client, end(one), 1));
    }

    #[test]
    fn a_retransmission_is_known_even_in_part() {
        let mut talks = talks();
        let mut repeats = |flags, sequence, payload: &[u8]| {
            hear(&mut talks, &tcp(SERVER, CLIENT, flags, sequence, payload)).is_repeat
        };
        let begin = u32::MAX - 2; // so that the numbers wrap
        assert!(!repeats(Flags::SYN | Flags::ACK, begin, b""));
        assert!(repeats(Flags::SYN | Flags::ACK, begin, b""));
        assert!(!repeats(Flags::FIN | Flags::ACK, begin.wrapping_add(1), b"noon"));
        assert!(repeats(Flags::ACK, begin.wrapping_add(1), b"noon"));
        assert!(repeats(Flags::FIN | Flags::ACK, begin.wrapping_add(5), b""));
        assert!(!repeats(Flags::ACK, begin.wrapping_add(6), b""));
        assert!(!repeats(Flags::ACK, begin.wrapping_add(6), b""), "an ACK takes no numbers");
    }

    #[test]
    fn a_segment_that_was_overtaken_is_no_retransmission() {
        let mut talks = talks();
        let fin = tcp(SERVER, CLIENT, Flags::FIN, 5, b"");
        assert!(!hear(&mut talks, &fin).is_repeat);
        assert!(!hear(&mut talks, &tcp(SERVER, CLIENT, Flags::ACK, 1, b"noon")).is_repeat);
    }

    #[test]
    fn the_same_packet_on_another_interface_is_no_retransmission() {
        let mut talks = talks();
        let syn = tcp(CLIENT, SERVER, Flags::SYN, 1, b"");
        for number in [1, 2] {
            let said = talks.hear(Some(interface(number)), &syn).expect("heard");
            assert!(!said.is_repeat && said.is_first);
        }
    }

    #[test]
    fn a_port_that_is_used_again_is_another_exchange() {
        let mut talks = talks();
        // Whether its end was seen or not.
        for (number, sequence, end) in
            [(1, 1, Flags::RST), (2, 1000, Flags::ACK), (3, 9, Flags::ACK)]
        {
            let syn = tcp(CLIENT, SERVER, Flags::SYN, sequence, b"");
            let said = hear(&mut talks, &syn);
            assert_eq!((said.number, said.is_first, said.is_repeat), (number, true, false));
            assert!(hear(&mut talks, &syn).is_repeat);
            hear(&mut talks, &tcp(SERVER, CLIENT, end, 0, b""));
        }
        assert_eq!((talks.count, talks.known.len(), talks.order.len()), (3, 1, 1));
    }

    #[test]
    fn an_error_belongs_to_what_it_is_about() {
        let mut talks = talks();
        let asked = udp(CLIENT, SERVER);
        hear(&mut talks, &asked);
        for (from, third) in [("10.0.0.2", None), ("10.0.0.254", Some("10.0.0.254"))] {
            let what = "host unreachable".to_owned();
            let kind = Kind::Icmp { what, about: Some(Box::new(asked.clone())) };
            let said = hear(&mut talks, &without_ports(from, "10.0.0.1", kind));
            assert_eq!((said.number, said.to, said.transport), (1, Side::Client, Transport::Udp));
            assert_eq!(said.third, third.map(|address| address.parse().expect("an address")));
        }
    }

    fn without_ports(from: &str, to: &str, kind: Kind) -> Decoded {
        let [source, destination] = [from, to]
            .map(|address| End { address: address.parse().expect("an address"), port: None });
        Decoded { source, destination, kind, octets: 56, carried: 0, fragment_of: None }
    }

    #[test]
    fn where_both_ends_have_one_address_an_error_goes_to_who_sent_what_it_is_about() {
        let (client, server) = ("127.0.0.1:40000", "127.0.0.1:13");
        let mut talks = talks();
        let (asked, answered) = (udp(client, server), udp(server, client));
        for (about, to) in [(asked, Side::Client), (answered, Side::Server)] {
            hear(&mut talks, &about);
            let kind = Kind::Icmp { what: String::new(), about: Some(Box::new(about)) };
            let said = hear(&mut talks, &without_ports("127.0.0.1", "127.0.0.1", kind));
            assert_eq!((said.number, said.to, said.third), (1, to, None));
        }
    }

    #[test]
    fn over_udp_a_question_after_an_answer_is_another_exchange_and_one_without_is_asked_again() {
        let mut talks = talks();
        let mut number = |from, to| hear(&mut talks, &udp(from, to)).number;
        let (question, answer) = ((CLIENT, SERVER), (SERVER, CLIENT));
        let all = [question, question, answer, answer, question, answer, question];
        assert_eq!(all.map(|(from, to)| number(from, to)), [1, 1, 1, 1, 2, 2, 3]);
    }

    #[test]
    fn a_later_fragment_belongs_to_the_exchange_of_the_first() {
        let mut talks = talks();
        let part = |identification, packet| Decoded { fragment_of: Some(identification), ..packet };
        let later = |protocol| {
            without_ports("10.0.0.2", "10.0.0.1", Kind::Fragment { protocol, offset: 1480 })
        };
        hear(&mut talks, &udp(CLIENT, SERVER));
        hear(&mut talks, &part(7, udp(SERVER, CLIENT)));
        let said = hear(&mut talks, &part(7, later(17)));
        assert_eq!((said.number, said.to, said.third), (1, Side::Client, None));
        // Of a packet that was not seen, of another protocol, the other way, and elsewhere.
        let back = Kind::Fragment { protocol: 17, offset: 1480 };
        let back = without_ports("10.0.0.1", "10.0.0.2", back);
        for other in [part(8, later(17)), part(7, later(6)), part(7, back)] {
            assert_eq!(talks.hear(Some(interface(1)), &other), None);
        }
        assert_eq!(talks.hear(Some(interface(2)), &part(7, later(17))), None);
        // No more are remembered than there is room for.
        for number in 0..=u32::try_from(MOST_FRAGMENTED).expect("few") {
            hear(&mut talks, &part(100 + number, udp(SERVER, CLIENT)));
        }
        assert_eq!(talks.hear(Some(interface(1)), &part(7, later(17))), None);
        assert_eq!(talks.fragmented.len(), MOST_FRAGMENTED);
    }

    #[test]
    fn the_oldest_exchange_is_forgotten() {
        let mut talks = talks();
        let most = u16::try_from(MOST_TALKS).expect("a port");
        for port in (1000..=1000 + most).chain([1000]) {
            let asked = packet(&format!("10.0.0.1:{port}"), SERVER, Kind::Other(17));
            assert!(hear(&mut talks, &asked).is_first, "{port}");
        }
        assert_eq!((talks.known.len(), talks.order.len()), (MOST_TALKS, MOST_TALKS));
    }
}
