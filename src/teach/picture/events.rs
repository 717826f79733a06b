//! The content of a trace: packets with their numbers, system calls, and states of sockets.

use super::number::{median, nanoseconds};
use crate::report::ladder::retransmissions::Retransmissions;
use crate::report::{escaped, packet, plural};
use crate::trace::{Action, Event, Fate, Host, HostId, Loss, Packet, Trace};
use crate::transport::Transport;
use crate::wire::decode::{Content, Decoded, decode};
use std::ops::Range;

/// Minimum number of consecutive equal calls that are merged into one call with a count.
const MIN_REPEATS: usize = 3;
/// Maximum number of packets and calls that a picture shows. If a trace has more, the picture leaves out the middle.
const MAX_SHOWN: usize = 64;
/// Number of packets and calls that are shown before the omitted ones. `LAST_SHOWN` are shown after them.
const FIRST_SHOWN: usize = 20;
const LAST_SHOWN: usize = 8;

/// The content of a trace.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    pub hosts: Vec<Host>,
    pub packets: Vec<ShownPacket>,
    pub calls: Vec<Call>,
    pub states: Vec<State>,
    /// The packets and calls that the picture leaves out; `None` if it shows all of them.
    pub left_out: Option<LeftOut>,
}

/// A packet. Packets are numbered from 1 in the order in which they were sent.
#[derive(Clone, Debug)]
pub(crate) struct ShownPacket {
    pub number: usize,
    pub from: usize,
    pub to: usize,
    /// Time of sending in nanoseconds since the trace began.
    pub sent: u64,
    /// Time of each arrival in nanoseconds since the trace began. Empty if the packet was lost.
    pub arrivals: Vec<u64>,
    pub label: String,
    pub protocol: Protocol,
    pub kind: PacketKind,
    /// The packet's fate in words, as in a run's JSON.
    pub fate: String,
    /// The reason why the packet was lost; `None` if it was not lost.
    pub lost: Option<&'static str>,
    /// The payload as quoted text. Empty if the packet has no payload.
    pub quote: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Icmp,
    Tcp,
    Udp,
}

/// The kind of a packet: normal, or special in one of several ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PacketKind {
    Sent,
    /// TCP has already sent these octets, or this SYN or FIN.
    Retransmission,
    /// The link delivered the packet more than once.
    Duplicate,
    /// A later packet arrived before this packet.
    Overtaken,
}

/// A system call and its result.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub at: u64,
    pub host: usize,
    pub text: String,
    /// Position in the trace. It gives the order of calls, states and packets that have the same time.
    order: usize,
}

/// A TCP connection's state at one host, from one state change to the next.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub from: u64,
    /// End of the state; `None` for the last state.
    pub to: Option<u64>,
    pub host: usize,
    pub name: String,
    /// Position in the trace, as in [`Call`].
    pub order: usize,
}

/// The omitted middle of a long trace.
#[derive(Clone, Debug)]
pub(crate) struct LeftOut {
    /// Positions in [`Events::packets`].
    pub packets: Range<usize>,
    /// Positions in [`Events::calls`].
    pub calls: Range<usize>,
}

impl Events {
    /// Lists a trace's content, and chooses the events that a picture shows.
    pub(crate) fn of(trace: &Trace) -> Self {
        let hosts = trace.hosts.clone();
        let mut events = Self {
            hosts,
            packets: Vec::new(),
            calls: Vec::new(),
            states: Vec::new(),
            left_out: None,
        };
        let mut sent = Retransmissions::default();
        // Between packets, each call has its own place.
        let has_packets = trace.packets().next().is_some();
        let repeats = if has_packets { usize::MAX } else { MIN_REPEATS };
        let joined = trace.with_repeats_joined(repeats).events;
        let mut order_of_packets = Vec::new();
        for (order, event) in joined.iter().enumerate() {
            if matches!(event.action, Action::Packet(_)) {
                order_of_packets.push(order);
            }
            events.add(order, event, &mut sent);
        }
        events.mark_overtaken();
        events.end_states();
        events.left_out = events.find_left_out(&order_of_packets);
        events
    }

    fn add(&mut self, order: usize, event: &Event, sent: &mut Retransmissions) {
        let Event { at, host: HostId(host), action } = event;
        let (at, host) = (nanoseconds(*at), *host);
        match action {
            Action::Call { call, outcome } => {
                let is = if outcome.is_empty() { "" } else { " = " };
                let text = escaped(&format!("{call}{is}{outcome}"));
                self.calls.push(Call { at, host, text, order });
            }
            Action::State(Transport::Tcp, name) => {
                self.states.push(State { from: at, to: None, host, name: escaped(name), order });
            }
            Action::State(Transport::Udp, _) => {}
            Action::Packet(packet) => {
                let number = self.packets.len() + 1;
                self.packets.push(ShownPacket::of(number, event, packet, sent));
            }
        }
    }

    /// Marks each packet that was overtaken by a later packet in the same direction.
    fn mark_overtaken(&mut self) {
        for at in 0..self.packets.len() {
            let (one, later) = (&self.packets[at], &self.packets[at + 1..]);
            let Some(arrived) = one.arrivals.first() else { continue };
            let before_it = later.iter().take_while(|other| other.sent < *arrived);
            let is_overtaken = before_it.into_iter().any(|other| {
                (other.from, other.to) == (one.from, one.to)
                    && other.arrivals.first().is_some_and(|other| other < arrived)
            });
            if is_overtaken && one.kind == PacketKind::Sent {
                self.packets[at].kind = PacketKind::Overtaken;
            }
        }
    }

    /// Ends each state when the same host's next state begins.
    fn end_states(&mut self) {
        for at in 0..self.states.len() {
            let host = self.states[at].host;
            self.states[at].to =
                self.states[at + 1..].iter().find(|it| it.host == host).map(|it| it.from);
        }
    }

    /// Returns the middle of a trace, which the picture leaves out, if packets and calls together exceed [`MAX_SHOWN`].
    fn find_left_out(&self, order_of_packets: &[usize]) -> Option<LeftOut> {
        let calls = self.calls.iter().map(|call| call.order);
        let mut orders: Vec<usize> = calls.chain(order_of_packets.iter().copied()).collect();
        if orders.len() <= MAX_SHOWN {
            return None;
        }
        orders.sort_unstable();
        let (from, until) = (orders[FIRST_SHOWN], orders[orders.len() - LAST_SHOWN]);
        let place = |orders: &[usize]| {
            orders.partition_point(|order| *order < from)
                ..orders.partition_point(|order| *order < until)
        };
        let calls: Vec<usize> = self.calls.iter().map(|call| call.order).collect();
        Some(LeftOut { packets: place(order_of_packets), calls: place(&calls) })
    }

    /// Iterates over the packets that the picture shows.
    pub(crate) fn shown_packets(&self) -> impl Iterator<Item = &ShownPacket> {
        let hidden = self.left_out.as_ref().map_or(0..0, |it| it.packets.clone());
        self.packets
            .iter()
            .enumerate()
            .filter(move |(at, _)| !hidden.contains(at))
            .map(|(_, it)| it)
    }

    /// Returns the packets that the picture leaves out.
    pub(crate) fn left_out_packets(&self) -> &[ShownPacket] {
        self.left_out.as_ref().map_or(&[], |it| &self.packets[it.packets.clone()])
    }

    /// Iterates over the calls that the picture shows.
    pub(crate) fn shown_calls(&self) -> impl Iterator<Item = &Call> {
        let hidden = self.left_out.as_ref().map_or(0..0, |it| it.calls.clone());
        self.calls.iter().enumerate().filter(move |(at, _)| !hidden.contains(at)).map(|(_, it)| it)
    }

    /// Returns the interval that contains the omitted events: the time of the last event before them, and the time of
    /// the first event after them.
    pub(super) fn gap(&self) -> Option<(u64, u64)> {
        let LeftOut { packets, calls } = self.left_out.as_ref()?;
        let before_packets = self.packets[..packets.start].iter().flat_map(ShownPacket::times);
        let before_calls = self.calls[..calls.start].iter().map(|call| call.at);
        let after_packets = self.packets[packets.end..].iter().map(|packet| packet.sent);
        let after_calls = self.calls[calls.end..].iter().map(|call| call.at);
        let before = before_packets.chain(before_calls).max()?;
        let after = after_packets.chain(after_calls).min()?;
        (before < after).then_some((before, after))
    }
}

impl Call {
    /// Returns the position in the trace.
    pub(super) const fn order(&self) -> usize {
        self.order
    }
}

impl ShownPacket {
    fn of(number: usize, event: &Event, packet: &Packet, sent: &mut Retransmissions) -> Self {
        let Packet { to: HostId(to), octets, fate } = packet;
        let decoded = decode(octets);
        let again = decoded.as_ref().is_some_and(|it| sent.record(event.host, it));
        let arrivals: Vec<u64> = match fate {
            Fate::Arrived(times) => times.iter().copied().map(nanoseconds).collect(),
            Fate::Lost(_) | Fate::Seen => Vec::new(),
        };
        let kind = match () {
            () if again => PacketKind::Retransmission,
            () if arrivals.len() > 1 => PacketKind::Duplicate,
            () => PacketKind::Sent,
        };
        let label = match &decoded {
            Some(decoded) => packet::label(decoded),
            None => plural(octets.len() as u64, "octet"),
        };
        Self {
            number,
            from: event.host.0,
            to: *to,
            sent: nanoseconds(event.at),
            arrivals,
            label: escaped(&label),
            protocol: decoded.as_ref().map_or(Protocol::Udp, Protocol::of),
            kind,
            fate: fate.words(event.at),
            lost: match fate {
                Fate::Lost(loss) => Some(reason(*loss)),
                Fate::Arrived(_) | Fate::Seen => None,
            },
            quote: decoded.filter(|_| !again).map(|it| quote(&it)).unwrap_or_default(),
        }
    }

    /// Iterates over the time at which the packet was sent and the times at which it arrived.
    pub(crate) fn times(&self) -> impl Iterator<Item = u64> {
        std::iter::once(self.sent).chain(self.arrivals.iter().copied())
    }

    /// Returns the time in flight until the first arrival; `None` if the packet did not arrive.
    pub(crate) fn flight(&self) -> Option<u64> {
        self.arrivals.first().map(|at| at.saturating_sub(self.sent))
    }
}

impl Protocol {
    fn of(packet: &Decoded) -> Self {
        match packet.protocol {
            1 | 58 => Self::Icmp,
            6 => Self::Tcp,
            _ => Self::Udp,
        }
    }

    /// Returns the CSS class that gives an arrow its colour.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Icmp => "icmp",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl PacketKind {
    /// Returns the value of the SVG attribute `data-kind`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Retransmission => "retransmission",
            Self::Duplicate => "duplicate",
            Self::Overtaken => "overtaken",
        }
    }

    /// Returns the word that is shown on the arrow and in the table. Empty for a normal packet.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Sent => "",
            Self::Duplicate | Self::Overtaken | Self::Retransmission => self.name(),
        }
    }
}

fn quote(packet: &Decoded) -> String {
    match &packet.content {
        Content::Tcp { payload, .. } | Content::Udp { payload } if !payload.is_empty() => {
            packet::quoted(payload)
        }
        _ => String::new(),
    }
}

/// Returns the median time in flight over all packets in these traces, in nanoseconds. Returns 0 if no packet arrives.
pub(crate) fn usual_flight<'a>(traces: impl Iterator<Item = &'a Trace>) -> u64 {
    let flight = |(event, packet): (&Event, &Packet)| match &packet.fate {
        Fate::Arrived(times) => times.first().map(|at| nanoseconds(at.saturating_sub(event.at))),
        Fate::Lost(_) | Fate::Seen => None,
    };
    median(traces.flat_map(Trace::packets).filter_map(flight))
}

/// Returns the reason for a loss, which is shown below the word `lost`.
const fn reason(loss: Loss) -> &'static str {
    match loss {
        Loss::Chance => "by chance",
        Loss::Cut => "link cut",
        Loss::Ordered(_) | Loss::Reply => "on purpose",
        Loss::Overflow => "no room at the receiver",
    }
}
