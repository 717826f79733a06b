//! Assigns packets to conversations between a client and a server, and detects retransmissions.

use super::InterfaceId;
use super::decode::{Content, Decoded, Endpoint};
use super::segment::{Segment, SentSegments};
use crate::transport::Transport;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

/// Maximum number of conversations remembered, so that no peer can exhaust the memory. Above this number, each new
/// conversation replaces the oldest one.
const MAX_CONVERSATIONS: usize = 4096;
/// Maximum number of fragmented packets remembered while their later fragments may still arrive.
const MAX_FRAGMENTED: usize = 256;

/// A packet's role in its conversation: which conversation, its direction, and whether the packet is a retransmission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PacketRole {
    /// The conversation's number. Conversations are numbered from 1, in the order of their first packets.
    pub number: u64,
    /// Whether this is the conversation's first packet in this capture.
    pub is_first: bool,
    pub transport: Transport,
    pub client: Endpoint,
    pub server: Endpoint,
    pub to: Side,
    /// The packet's sender, if it is neither the client nor the server: for example, a router that reports an ICMP
    /// error.
    pub third_party: Option<IpAddr>,
    /// Whether this is a TCP retransmission: a single earlier segment on the same interface covered all its sequence
    /// numbers.
    pub is_retransmission: bool,
}

/// One of the two ends of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// All conversations with servers on the given ports.
///
/// Over TCP, each connection is one conversation. Over UDP, a query that follows an answer starts a new conversation,
/// and a query that follows an unanswered query is a retry.
#[derive(Debug)]
pub(crate) struct Conversations {
    ports: Vec<u16>,
    known: BTreeMap<Key, Conversation>,
    /// The conversations' keys by number, so that the oldest comes first.
    order: BTreeMap<u64, Key>,
    /// Packets whose later fragments may still arrive, oldest first. These packets are remembered because only a
    /// packet's first fragment has ports.
    fragmented: VecDeque<(FragmentedPacket, Key, Side)>,
    /// Number of conversations that have begun.
    pub count: u64,
}

/// Identifies a conversation. The key includes the interface, so that a packet captured on two interfaces does not
/// count as a retransmission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    interface: Option<InterfaceId>,
    transport: Transport,
    client: Endpoint,
    server: Endpoint,
}

/// Identifies a packet that was sent in fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FragmentedPacket {
    interface: Option<InterfaceId>,
    pub source: IpAddr,
    pub destination: IpAddr,
    transport: Option<Transport>,
    identification: u32,
}

impl FragmentedPacket {
    /// Returns the identity of the whole packet to which this fragment belongs, or `None` if `packet` is not a
    /// fragment.
    pub(crate) fn of(interface: Option<InterfaceId>, packet: &Decoded) -> Option<Self> {
        packet.fragment_of.map(|identification| Self {
            interface,
            source: packet.source.address,
            destination: packet.destination.address,
            transport: transport(packet),
            identification,
        })
    }
}

#[derive(Debug, Default)]
struct Conversation {
    number: u64,
    /// Whether the capture contains a UDP answer in this conversation.
    is_answered: bool,
    to_server: SentSegments,
    to_client: SentSegments,
}

impl Conversations {
    pub(crate) fn with(ports: Vec<u16>) -> Self {
        let (known, order, fragmented) = (BTreeMap::new(), BTreeMap::new(), VecDeque::new());
        Self { ports, known, order, fragmented, count: 0 }
    }

    /// Assigns a packet to its conversation. Returns `None` if the packet belongs to no conversation with a server on
    /// the given ports.
    pub(crate) fn assign(
        &mut self,
        interface: Option<InterfaceId>,
        packet: &Decoded,
    ) -> Option<PacketRole> {
        let subject = match &packet.content {
            Content::Icmp { subject, .. } => subject.as_deref()?,
            _ => packet,
        };
        let transport = transport(subject)?;
        let whole = FragmentedPacket::of(interface, subject);
        let (key, to) = if let Content::Fragment { .. } = subject.content {
            let mut known = self.fragmented.iter().rev();
            known.find(|(it, ..)| Some(*it) == whole).map(|(_, key, to)| (*key, *to))?
        } else {
            let key = self.key(interface, transport, subject)?;
            let is_back = (subject.source, subject.destination) == (key.server, key.client);
            (key, if is_back { Side::Client } else { Side::Server })
        };
        // An ICMP error goes back to the sender of the packet that it quotes.
        if matches!(packet.content, Content::Icmp { .. }) {
            let back = if to == Side::Client { Side::Server } else { Side::Client };
            return Some(self.role(key, back, packet));
        }
        if let Some(whole) = whole {
            self.expect_fragments(whole, key, to);
        }
        Some(self.role(key, to, packet))
    }

    fn key(
        &self,
        interface: Option<InterfaceId>,
        transport: Transport,
        subject: &Decoded,
    ) -> Option<Key> {
        let key = |client, server| Key { interface, transport, client, server };
        let (there, back) =
            (key(subject.source, subject.destination), key(subject.destination, subject.source));
        let serves = |end: Endpoint| end.port.is_some_and(|port| self.ports.contains(&port));
        // If both ends use a server port, the end that sends first is the client.
        match (serves(subject.destination), serves(subject.source)) {
            (true, true) if self.known.contains_key(&back) => Some(back),
            (true, _) => Some(there),
            (false, true) => Some(back),
            (false, false) => None,
        }
    }

    fn expect_fragments(&mut self, whole: FragmentedPacket, key: Key, to: Side) {
        self.fragmented.retain(|(other, ..)| *other != whole);
        if self.fragmented.len() >= MAX_FRAGMENTED {
            self.fragmented.pop_front();
        }
        self.fragmented.push_back((whole, key, to));
    }

    fn role(&mut self, key: Key, to: Side, packet: &Decoded) -> PacketRole {
        let segment = Segment::of(packet);
        let is_datagram = key.transport == Transport::Udp
            && !matches!(packet.content, Content::Icmp { .. } | Content::Fragment { .. });
        let is_new = |before: &Conversation| match &segment {
            Some(segment) => to == Side::Server && before.to_server.is_new_connection(segment),
            None => to == Side::Server && is_datagram && before.is_answered,
        };
        let is_first = self.known.get(&key).is_none_or(is_new);
        if is_first {
            self.begin(key);
        }
        let conversation = self.known.entry(key).or_default();
        conversation.is_answered |= to == Side::Client && is_datagram;
        let (sender, sent) = match to {
            Side::Client => (key.server, &mut conversation.to_client),
            Side::Server => (key.client, &mut conversation.to_server),
        };
        PacketRole {
            number: conversation.number,
            is_first,
            transport: key.transport,
            client: key.client,
            server: key.server,
            to,
            third_party: Some(packet.source.address).filter(|from| *from != sender.address),
            is_retransmission: segment.is_some_and(|segment| sent.record(&segment)),
        }
    }

    /// Starts a conversation, which replaces any earlier one between the same endpoints.
    fn begin(&mut self, key: Key) {
        self.count += 1;
        let conversation = Conversation { number: self.count, ..Conversation::default() };
        if let Some(before) = self.known.insert(key, conversation) {
            self.order.remove(&before.number);
        }
        self.order.insert(self.count, key);
        if self.known.len() > MAX_CONVERSATIONS
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.known.remove(&oldest);
        }
    }
}

/// Returns the transport of a packet or fragment, or `None` for ICMP and other protocols.
fn transport(packet: &Decoded) -> Option<Transport> {
    const TCP: u8 = 6;
    const UDP: u8 = 17;
    match packet.protocol {
        TCP => Some(Transport::Tcp),
        UDP => Some(Transport::Udp),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::decode::Flags;

    const CLIENT: &str = "10.0.0.1:40000";
    const SERVER: &str = "10.0.0.2:13";

    fn end(text: &str) -> Endpoint {
        let socket: std::net::SocketAddr = text.parse().expect("an address");
        Endpoint { address: socket.ip(), port: Some(socket.port()) }
    }

    fn packet(from: &str, to: &str, content: Content) -> Decoded {
        let (protocol, carried) = match &content {
            Content::Tcp { payload, .. } => (6, payload.len()),
            Content::Udp { payload } => (17, payload.len()),
            _ => (17, 0),
        };
        let (source, destination) = (end(from), end(to));
        Decoded { source, destination, protocol, content, octets: 40, carried, fragment_of: None }
    }

    fn tcp(from: &str, to: &str, flags: Flags, sequence: u32, payload: &[u8]) -> Decoded {
        let payload = payload.to_vec();
        let content = Content::Tcp { flags, sequence, acknowledgement: 0, window: 0, payload };
        packet(from, to, content)
    }

    fn udp(from: &str, to: &str) -> Decoded {
        packet(from, to, Content::Udp { payload: Vec::new() })
    }

    fn interface(number: u32) -> InterfaceId {
        InterfaceId { number, passed: None }
    }

    fn conversations() -> Conversations {
        Conversations::with(vec![13])
    }

    fn assign(conversations: &mut Conversations, packet: &Decoded) -> PacketRole {
        conversations.assign(Some(interface(1)), packet).expect("a Daytime packet")
    }

    #[test]
    fn the_end_with_the_server_port_is_the_server() {
        let mut conversations = conversations();
        let there = assign(&mut conversations, &tcp(CLIENT, SERVER, Flags::SYN, 1, b""));
        assert!(there.is_first && there.to == Side::Server);
        let back =
            assign(&mut conversations, &tcp(SERVER, CLIENT, Flags::SYN | Flags::ACK, 9, b""));
        assert!(!back.is_first && back.to == Side::Client);
        assert_eq!((back.number, back.client, back.third_party), (1, end(CLIENT), None));
        assert_eq!(
            conversations.assign(None, &tcp(CLIENT, "10.0.0.2:80", Flags::SYN, 1, b"")),
            None
        );
    }

    #[test]
    fn between_two_server_ports_the_first_sender_is_the_client() {
        let (one, other) = ("10.0.0.1:13", "10.0.0.2:13");
        let mut conversations = conversations();
        assert_eq!(assign(&mut conversations, &udp(one, other)).to, Side::Server);
        let back = assign(&mut conversations, &udp(other, one));
        assert_eq!((back.to, back.client, back.number), (Side::Client, end(one), 1));
    }

    #[test]
    fn a_retransmission_of_a_part_is_detected() {
        let mut conversations = conversations();
        let mut repeats = |flags, sequence, payload: &[u8]| {
            assign(&mut conversations, &tcp(SERVER, CLIENT, flags, sequence, payload))
                .is_retransmission
        };
        let begin = u32::MAX - 2; // the sequence numbers wrap around soon after this
        assert!(!repeats(Flags::SYN | Flags::ACK, begin, b""));
        assert!(repeats(Flags::SYN | Flags::ACK, begin, b""));
        assert!(!repeats(Flags::FIN | Flags::ACK, begin.wrapping_add(1), b"noon"));
        assert!(repeats(Flags::ACK, begin.wrapping_add(1), b"noon"));
        assert!(repeats(Flags::FIN | Flags::ACK, begin.wrapping_add(5), b""));
        assert!(!repeats(Flags::ACK, begin.wrapping_add(6), b""));
        assert!(!repeats(Flags::ACK, begin.wrapping_add(6), b""), "an ACK takes no numbers");
    }

    #[test]
    fn a_reordered_segment_is_not_a_retransmission() {
        let mut conversations = conversations();
        let fin = tcp(SERVER, CLIENT, Flags::FIN, 5, b"");
        assert!(!assign(&mut conversations, &fin).is_retransmission);
        assert!(
            !assign(&mut conversations, &tcp(SERVER, CLIENT, Flags::ACK, 1, b"noon"))
                .is_retransmission
        );
    }

    #[test]
    fn the_same_packet_on_another_interface_is_not_a_retransmission() {
        let mut conversations = conversations();
        let syn = tcp(CLIENT, SERVER, Flags::SYN, 1, b"");
        for number in [1, 2] {
            let role = conversations.assign(Some(interface(number)), &syn).expect("heard");
            assert!(!role.is_retransmission && role.is_first);
        }
    }

    #[test]
    fn a_reused_port_starts_a_new_conversation() {
        let mut conversations = conversations();
        // The result is the same whether or not the capture contains the end of the previous connection.
        for (number, sequence, end) in
            [(1, 1, Flags::RST), (2, 1000, Flags::ACK), (3, 9, Flags::ACK)]
        {
            let syn = tcp(CLIENT, SERVER, Flags::SYN, sequence, b"");
            let role = assign(&mut conversations, &syn);
            assert_eq!((role.number, role.is_first, role.is_retransmission), (number, true, false));
            assert!(assign(&mut conversations, &syn).is_retransmission);
            assign(&mut conversations, &tcp(SERVER, CLIENT, end, 0, b""));
        }
        assert_eq!(
            (conversations.count, conversations.known.len(), conversations.order.len()),
            (3, 1, 1)
        );
    }

    #[test]
    fn an_icmp_error_belongs_to_the_conversation_of_its_quoted_packet() {
        let mut conversations = conversations();
        let asked = udp(CLIENT, SERVER);
        assign(&mut conversations, &asked);
        for (from, third_party) in [("10.0.0.2", None), ("10.0.0.254", Some("10.0.0.254"))] {
            let message = "host unreachable".to_owned();
            let content = Content::Icmp { message, subject: Some(Box::new(asked.clone())) };
            let role = assign(&mut conversations, &without_ports(from, "10.0.0.1", 1, content));
            assert_eq!((role.number, role.to, role.transport), (1, Side::Client, Transport::Udp));
            assert_eq!(
                role.third_party,
                third_party.map(|address| address.parse().expect("an address"))
            );
        }
    }

    fn without_ports(from: &str, to: &str, protocol: u8, content: Content) -> Decoded {
        let [source, destination] = [from, to]
            .map(|address| Endpoint { address: address.parse().expect("an address"), port: None });
        Decoded {
            source,
            destination,
            protocol,
            content,
            octets: 56,
            carried: 0,
            fragment_of: None,
        }
    }

    #[test]
    fn between_ends_with_one_address_an_icmp_error_goes_to_the_sender_of_the_quoted_packet() {
        let (client, server) = ("127.0.0.1:40000", "127.0.0.1:13");
        let mut conversations = conversations();
        let (asked, answered) = (udp(client, server), udp(server, client));
        for (subject, to) in [(asked, Side::Client), (answered, Side::Server)] {
            assign(&mut conversations, &subject);
            let content =
                Content::Icmp { message: String::new(), subject: Some(Box::new(subject)) };
            let role =
                assign(&mut conversations, &without_ports("127.0.0.1", "127.0.0.1", 1, content));
            assert_eq!((role.number, role.to, role.third_party), (1, to, None));
        }
    }

    #[test]
    fn over_udp_only_a_question_after_an_answer_starts_a_new_conversation() {
        let mut conversations = conversations();
        let mut number = |from, to| assign(&mut conversations, &udp(from, to)).number;
        let (question, answer) = ((CLIENT, SERVER), (SERVER, CLIENT));
        let all = [question, question, answer, answer, question, answer, question];
        assert_eq!(all.map(|(from, to)| number(from, to)), [1, 1, 1, 1, 2, 2, 3]);
    }

    #[test]
    fn a_later_fragment_belongs_to_the_conversation_of_the_first() {
        let mut conversations = conversations();
        let part = |identification, packet| Decoded { fragment_of: Some(identification), ..packet };
        let later = |protocol| {
            without_ports("10.0.0.2", "10.0.0.1", protocol, Content::Fragment { offset: 1480 })
        };
        assign(&mut conversations, &udp(CLIENT, SERVER));
        assign(&mut conversations, &part(7, udp(SERVER, CLIENT)));
        let role = assign(&mut conversations, &part(7, later(17)));
        assert_eq!((role.number, role.to, role.third_party), (1, Side::Client, None));
        // Four fragments that belong to no known packet: an unseen packet, another protocol, the opposite direction,
        // and another interface.
        let back = without_ports("10.0.0.1", "10.0.0.2", 17, Content::Fragment { offset: 1480 });
        for other in [part(8, later(17)), part(7, later(6)), part(7, back)] {
            assert_eq!(conversations.assign(Some(interface(1)), &other), None);
        }
        assert_eq!(conversations.assign(Some(interface(2)), &part(7, later(17))), None);
        // At the maximum number of remembered packets, a new packet replaces the oldest one.
        for number in 0..=u32::try_from(MAX_FRAGMENTED).expect("few") {
            assign(&mut conversations, &part(100 + number, udp(SERVER, CLIENT)));
        }
        assert_eq!(conversations.assign(Some(interface(1)), &part(7, later(17))), None);
        assert_eq!(conversations.fragmented.len(), MAX_FRAGMENTED);
    }

    #[test]
    fn the_oldest_conversation_is_forgotten() {
        let mut conversations = conversations();
        let most = u16::try_from(MAX_CONVERSATIONS).expect("a port");
        for port in (1000..=1000 + most).chain([1000]) {
            let asked = packet(&format!("10.0.0.1:{port}"), SERVER, Content::Other);
            assert!(assign(&mut conversations, &asked).is_first, "{port}");
        }
        assert_eq!(
            (conversations.known.len(), conversations.order.len()),
            (MAX_CONVERSATIONS, MAX_CONVERSATIONS)
        );
    }
}
