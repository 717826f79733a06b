//! Who talks to whom: packets sorted into exchanges of a client with a server, and which of them say
//! again what was said.

use super::Captured;
use super::decode::{Decoded, End, Flags, Kind, decode};
use super::segment::{Heard, Segment};
use crate::trace::{Event, Fate, Host, HostId, Packet, Trace, What};
use crate::transport::Transport;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

/// Exchanges that are remembered: the oldest is forgotten for a new one, so that nobody can fill the memory.
const MOST_TALKS: usize = 4096;

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
#[derive(Debug)]
pub(crate) struct Talks {
    ports: Vec<u16>,
    known: BTreeMap<Key, Talk>,
    /// From the oldest on.
    order: VecDeque<Key>,
    /// How many there have been.
    pub count: u64,
}

/// The interface too: a packet that passes two of them is no retransmission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    interface: Option<u32>,
    is_tcp: bool,
    client: End,
    server: End,
}

#[derive(Debug, Default)]
struct Talk {
    number: u64,
    /// A FIN or a RST was seen: what begins with a SYN then is another connection.
    is_over: bool,
    to_server: Heard,
    to_client: Heard,
}

impl Talks {
    pub(crate) fn with(ports: Vec<u16>) -> Self {
        Self { ports, known: BTreeMap::new(), order: VecDeque::new(), count: 0 }
    }

    /// What a packet says in which exchange; `None` if it is about none of these ports.
    pub(crate) fn hear(&mut self, interface: Option<u32>, packet: &Decoded) -> Option<Said> {
        let (about, transport) = match &packet.kind {
            Kind::Tcp { .. } | Kind::Other(6) => (packet, Transport::Tcp),
            Kind::Udp { .. } | Kind::Other(17) => (packet, Transport::Udp),
            Kind::Icmp { about: Some(about), .. } => match about.kind {
                Kind::Tcp { .. } | Kind::Other(6) => (&**about, Transport::Tcp),
                Kind::Udp { .. } | Kind::Other(17) => (&**about, Transport::Udp),
                _ => return None,
            },
            _ => return None,
        };
        let key =
            |client, server| Key { interface, is_tcp: transport == Transport::Tcp, client, server };
        let (there, back) =
            (key(about.source, about.destination), key(about.destination, about.source));
        let serves = |end: End| end.port.is_some_and(|port| self.ports.contains(&port));
        // Between two such ports the one who began is the client.
        let key = match (serves(about.destination), serves(about.source)) {
            (true, true) if self.known.contains_key(&back) => back,
            (true, _) => there,
            (false, true) => back,
            (false, false) => return None,
        };
        Some(self.say(key, transport, packet))
    }

    fn say(&mut self, key: Key, transport: Transport, packet: &Decoded) -> Said {
        let from = packet.source.address;
        let is_error = matches!(packet.kind, Kind::Icmp { .. });
        let to = match is_error {
            // An error goes to whoever sent what it is about.
            true if packet.destination.address == key.client.address => Side::Client,
            false if (packet.source, packet.destination) == (key.server, key.client) => {
                Side::Client
            }
            _ => Side::Server,
        };
        let sender = if to == Side::Client { key.server } else { key.client };
        let (number, is_first, is_repeat) = self.note(key, to, packet);
        Said {
            number,
            is_first,
            transport,
            client: key.client,
            server: key.server,
            to,
            third: Some(from).filter(|from| *from != sender.address),
            is_repeat,
        }
    }

    /// The number of the exchange, whether it is new, and whether the packet is not.
    fn note(&mut self, key: Key, to: Side, packet: &Decoded) -> (u64, bool, bool) {
        let segment = Segment::of(packet);
        if let (Some(segment), Some(talk)) = (&segment, self.known.get_mut(&key))
            && segment.flags.contains(Flags::SYN)
            && to == Side::Server
            && talk.is_over
            && !talk.to_server.has(segment)
        {
            self.forget(key);
        }
        let is_first = !self.known.contains_key(&key);
        if is_first {
            self.begin(key);
        }
        let Some(talk) = self.known.get_mut(&key) else { return (self.count, is_first, false) };
        let Some(segment) = segment else { return (talk.number, is_first, false) };
        talk.is_over |= segment.flags.0 & (Flags::FIN | Flags::RST).0 != 0;
        let heard = match to {
            Side::Client => &mut talk.to_client,
            Side::Server => &mut talk.to_server,
        };
        (talk.number, is_first, heard.again(&segment))
    }

    fn begin(&mut self, key: Key) {
        if self.known.len() >= MOST_TALKS
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.count += 1;
        self.known.insert(key, Talk { number: self.count, ..Talk::default() });
        self.order.push_back(key);
    }

    fn forget(&mut self, key: Key) {
        self.known.remove(&key);
        self.order.retain(|other| *other != key);
    }
}

/// Captured packets as a trace between clients and servers on these ports; others are left out.
#[cfg_attr(not(feature = "lab"), allow(dead_code, reason = "the laboratory needs it"))]
pub(crate) fn trace(packets: &[Captured], ports: Vec<u16>) -> Trace {
    let host = |name: &str| Host { name: name.into(), addresses: Vec::new() };
    let mut trace = Trace::between(vec![host("client"), host("server")]);
    let mut talks = Talks::with(ports);
    let mut start = None;
    for captured in packets {
        let Some(packet) = decode(&captured.octets) else { continue };
        let Some(said) = talks.hear(captured.interface, &packet) else { continue };
        for (host, end) in trace.hosts.iter_mut().zip([said.client, said.server]) {
            if !host.addresses.contains(&end.address) {
                host.addresses.push(end.address);
            }
        }
        let (from, to) = match said.to {
            Side::Client => (HostId(1), HostId(0)),
            Side::Server => (HostId(0), HostId(1)),
        };
        let at = captured.at.saturating_sub(*start.get_or_insert(captured.at));
        let what = Packet { to, octets: captured.octets.clone(), fate: Fate::Seen };
        trace.push(Event { at, host: from, what: What::Packet(what) });
    }
    trace
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const CLIENT: &str = "10.0.0.1:40000";
    const SERVER: &str = "10.0.0.2:13";

    fn end(text: &str) -> End {
        let socket: std::net::SocketAddr = text.parse().expect("an address");
        End { address: socket.ip(), port: Some(socket.port()) }
    }

    fn packet(from: &str, to: &str, kind: Kind) -> Decoded {
        Decoded { source: end(from), destination: end(to), kind, octets: 40 }
    }

    fn tcp(from: &str, to: &str, flags: Flags, sequence: u32, payload: &[u8]) -> Decoded {
        let payload = payload.to_vec();
        let kind = Kind::Tcp { flags, sequence, acknowledgement: 0, window: 0, payload };
        packet(from, to, kind)
    }

    fn talks() -> Talks {
        Talks::with(vec![13])
    }

    fn hear(talks: &mut Talks, packet: &Decoded) -> Said {
        talks.hear(Some(1), packet).expect("a Daytime packet")
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
        let udp = |from, to| packet(from, to, Kind::Udp { payload: Vec::new() });
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
        for interface in [Some(1), Some(2)] {
            let said = talks.hear(interface, &syn).expect("heard");
            assert!(!said.is_repeat && said.is_first);
        }
    }

    #[test]
    fn a_port_that_is_used_again_is_another_exchange() {
        let mut talks = talks();
        for (number, sequence) in [(1, 1), (2, 1000)] {
            let syn = tcp(CLIENT, SERVER, Flags::SYN, sequence, b"");
            let said = hear(&mut talks, &syn);
            assert_eq!((said.number, said.is_first, said.is_repeat), (number, true, false));
            assert!(hear(&mut talks, &syn).is_repeat);
            hear(&mut talks, &tcp(SERVER, CLIENT, Flags::RST, 0, b""));
        }
    }

    #[test]
    fn an_error_belongs_to_what_it_is_about() {
        let mut talks = talks();
        let asked = packet(CLIENT, SERVER, Kind::Udp { payload: Vec::new() });
        hear(&mut talks, &asked);
        for (from, third) in [("10.0.0.2", None), ("10.0.0.254", Some("10.0.0.254"))] {
            let what = "host unreachable".to_owned();
            let kind = Kind::Icmp { what, about: Some(Box::new(asked.clone())) };
            let [source, destination] = [from, "10.0.0.1"]
                .map(|address| End { address: address.parse().expect("an address"), port: None });
            let said = hear(&mut talks, &Decoded { source, destination, kind, octets: 56 });
            assert_eq!((said.number, said.to, said.transport), (1, Side::Client, Transport::Udp));
            assert_eq!(said.third, third.map(|address| address.parse().expect("an address")));
        }
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

    #[test]
    fn a_trace_has_a_client_and_a_server() {
        let mut octets = Vec::new();
        let builder = etherparse::PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64);
        builder.udp(40000, 13).write(&mut octets, b"").expect("written");
        let captured =
            Captured { at: Duration::from_secs(9), octets, interface: None, comment: None };
        let trace = trace(&[captured], vec![13]);
        assert_eq!(trace.hosts[1].addresses, [IpAddr::from([10, 0, 0, 2])]);
        let packets: Vec<_> = trace.packets().collect();
        let [(event, packet)] = packets[..] else { panic!("{trace:?}") };
        assert_eq!((event.at, event.host, packet.to), (Duration::ZERO, HostId(0), HostId(1)));
        assert_eq!(packet.fate, Fate::Seen);
    }
}
