//! Records what happened between hosts, in order of time. The laboratory's engines and the module `wire` record traces;
//! the module `report` draws them.
//!
//! Packets are kept as octets from the IP header on. So diagrams and capture files show the octets that were really
//! sent.

use crate::transport::Transport;
use std::net::IpAddr;
use std::time::Duration;

/// The events between hosts in order: packets, system calls and socket states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The hosts, in the order of their columns in a diagram from left to right.
    pub(crate) hosts: Vec<Host>,
    /// The events in order of time. Events at the same time are in the order in which they were recorded.
    pub(crate) events: Vec<Event>,
}

/// An event in a [`Trace`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceEvent<'a> {
    /// Time since the trace began. In the simulator (`sim`), this is virtual time.
    pub at: Duration,
    /// The name of the host, such as `client`.
    pub host: &'a str,
    /// The call, packet or state of this event.
    pub action: TraceAction<'a>,
}

/// An action at a host: a system call, a packet or a change of state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceAction<'a> {
    /// The program made a system call.
    Call {
        /// The call, as a program contains it: `recv(10)`.
        call: &'a str,
        /// The result of the call, such as `10 octets` or `ECONNREFUSED`.
        outcome: &'a str,
    },
    /// The host sent a packet.
    Packet {
        /// The name of the host at the other end of the link.
        to: &'a str,
        /// The packet's octets, from the IP header on.
        octets: &'a [u8],
        /// Times of arrival since the trace began. Empty if the packet was lost, or if a capture saw the packet in one
        /// place only.
        arrivals: &'a [Duration],
        /// A description of the packet's fate, such as `arrived after 20 ms` or `lost by chance`.
        fate: String,
    },
    /// A socket changed its state.
    State {
        /// The transport of the socket.
        transport: Transport,
        /// The state, with its name from RFC 9293, section 3.3.2: `ESTABLISHED`.
        state: &'a str,
    },
}

/// A host in a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "lab", derive(serde::Serialize))]
pub(crate) struct Host {
    /// The name, such as `client`.
    pub name: String,
    pub addresses: Vec<IpAddr>,
}

/// The index of a host in its trace's list of hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HostId(pub usize);

/// One event at a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Time since the trace began.
    pub at: Duration,
    pub host: HostId,
    pub action: Action,
}

/// An action at a host: a system call, a packet or a change of state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The program made a system call.
    Call {
        /// The call, as a program contains it: `recv(10)`.
        call: String,
        /// The result of the call, such as `10 octets` or `ECONNREFUSED`.
        outcome: String,
    },
    /// The host sent a packet.
    Packet(Packet),
    /// A socket changed to this state (RFC 9293, section 3.3.2): `ESTABLISHED`.
    State(Transport, String),
}

/// A packet and its fate on the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    /// The host at the other end of the link.
    pub to: HostId,
    /// The packet's octets, from the IP header on.
    pub octets: Vec<u8>,
    pub fate: Fate,
}

/// The fate of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The packet arrived at these times since the trace began. A link that duplicates packets
    /// causes several arrivals. Never empty.
    Arrived(Vec<Duration>),
    /// The packet was lost.
    Lost(Loss),
    /// A capture saw the packet in one place only, so the rest of its path is unknown.
    Seen,
}

/// The reason why a packet was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The link dropped the packet by chance.
    Chance,
    /// The link was cut, so it dropped every packet.
    Cut,
    /// The lab made the link drop this packet on purpose. The value is the packet's number: packets are numbered from
    /// 1, in the order in which they were sent.
    Ordered(u64),
    /// The packet arrived, but the receiving host dropped it because a buffer was full.
    Overflow,
    /// The lab made the link drop the first packet that carries the reply.
    Reply,
}

impl Trace {
    /// Returns a trace of these hosts that contains no events yet.
    pub(crate) fn between(hosts: Vec<Host>) -> Self {
        Self { hosts, events: Vec::new() }
    }

    /// Inserts an event so that the events stay in order of time.
    pub(crate) fn push(&mut self, event: Event) {
        let at = self.events.partition_point(|earlier| earlier.at <= event.at);
        self.events.insert(at, event);
    }

    /// Returns a copy of the trace in which repeated calls are merged. If a call repeats at least `least` times in a
    /// row, its events become one event at the time of the first: `send(1) × 26 = 1 octet each`. Calls before and after
    /// the arrival of a packet's duplicate are not merged, because the arrival has a row of its own.
    pub(crate) fn with_repeats_joined(&self, least: usize) -> Self {
        let mut duplicates: Vec<Duration> =
            self.events.iter().flat_map(Event::duplicates).collect();
        duplicates.sort_unstable();
        let so_far = |event: &Event| duplicates.partition_point(|at| *at <= event.at);
        let is_same = |one: &Event, other: &Event| {
            (one.host, &one.action) == (other.host, &other.action) && so_far(one) == so_far(other)
        };
        let join = |same: &[Event]| match &same[0] {
            Event { at, host, action: Action::Call { call, outcome } } if same.len() >= least => {
                let each = if outcome.is_empty() { "" } else { " each" };
                let (call, outcome) =
                    (format!("{call} × {}", same.len()), format!("{outcome}{each}"));
                vec![Event { at: *at, host: *host, action: Action::Call { call, outcome } }]
            }
            _ => same.to_vec(),
        };
        let events = self.events.chunk_by(is_same).flat_map(join).collect();
        Self { hosts: self.hosts.clone(), events }
    }

    /// Iterates over the names of the hosts.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(|host| host.name.as_str())
    }

    /// Iterates over all events in order of time.
    pub fn events(&self) -> impl Iterator<Item = TraceEvent<'_>> {
        let name = |HostId(number): HostId| self.hosts.get(number).map_or("", |host| &host.name);
        self.events.iter().map(move |Event { at, host, action }| {
            let action = match action {
                Action::Call { call, outcome } => TraceAction::Call { call, outcome },
                Action::Packet(Packet { to, octets, fate }) => TraceAction::Packet {
                    to: name(*to),
                    octets,
                    arrivals: fate.arrivals(),
                    fate: fate.words(*at),
                },
                Action::State(transport, state) => {
                    TraceAction::State { transport: *transport, state }
                }
            };
            TraceEvent { at: *at, host: name(*host), action }
        })
    }

    /// Iterates over all packets. Each packet comes with its event, which holds the time and the sender.
    pub(crate) fn packets(&self) -> impl Iterator<Item = (&Event, &Packet)> {
        self.events.iter().filter_map(|event| match &event.action {
            Action::Packet(packet) => Some((event, packet)),
            Action::Call { .. } | Action::State(..) => None,
        })
    }
}

impl Event {
    /// Returns the times at which duplicates of this packet arrived.
    fn duplicates(&self) -> Vec<Duration> {
        match &self.action {
            Action::Packet(packet) => packet.fate.arrivals().iter().skip(1).copied().collect(),
            Action::Call { .. } | Action::State(..) => Vec::new(),
        }
    }
}

impl Fate {
    fn arrivals(&self) -> &[Duration] {
        match self {
            Self::Arrived(times) => times,
            Self::Lost(_) | Self::Seen => &[],
        }
    }

    /// Describes the fate in words, as the comment on a packet in a capture file does.
    pub(crate) fn words(&self, sent: Duration) -> String {
        let after = |at: &Duration| milliseconds(at.saturating_sub(sent));
        match self {
            Self::Arrived(times) => match &times[..] {
                [once] => format!("arrived after {}", after(once)),
                many => {
                    let times: Vec<String> = many.iter().map(after).collect();
                    format!("duplicated: arrived after {}", times.join(" and after "))
                }
            },
            Self::Lost(Loss::Chance) => "lost by chance".into(),
            Self::Lost(Loss::Cut) => "lost: the link was cut".into(),
            Self::Lost(Loss::Ordered(number)) => format!("lost on purpose: packet {number}"),
            Self::Lost(Loss::Reply) => "lost on purpose: the reply".into(),
            Self::Lost(Loss::Overflow) => "lost: no room at the receiver".into(),
            Self::Seen => "seen here".into(),
        }
    }
}

/// Formats milliseconds with at most three decimals, without zeros at the end.
fn milliseconds(time: Duration) -> String {
    let text = format!("{:.3}", time.as_secs_f64() * 1e3);
    format!("{} ms", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mentions::mentions;

    const MS: Duration = Duration::from_millis(1);

    fn call(at: Duration, name: &str) -> Event {
        let action = Action::Call { call: name.into(), outcome: String::new() };
        Event { at, host: HostId(0), action }
    }

    #[test]
    fn events_are_sorted_by_time_and_then_by_arrival() {
        let mut trace = Trace::default();
        for (at, name) in [(2, "third"), (1, "first"), (1, "second"), (2, "fourth")] {
            trace.push(call(at * MS, name));
        }
        let names: Vec<&str> = trace
            .events
            .iter()
            .map(|event| match &event.action {
                Action::Call { call, .. } => call.as_str(),
                Action::Packet(_) | Action::State(..) => "none",
            })
            .collect();
        assert_eq!(names, ["first", "second", "third", "fourth"]);
    }

    #[test]
    fn repeated_calls_are_merged_but_not_across_the_arrival_of_a_duplicate() {
        let fate = Fate::Arrived(vec![MS, 4 * MS]);
        let packet = Action::Packet(Packet { to: HostId(0), octets: vec![1], fate });
        let mut trace = Trace::default();
        trace.push(Event { at: Duration::ZERO, host: HostId(1), action: packet });
        for at in [1, 2, 3, 4, 5, 6] {
            trace.push(call(at * MS, "recv()"));
        }
        let joined = trace.with_repeats_joined(2);
        let times: Vec<Duration> = joined.events.iter().skip(1).map(|event| event.at).collect();
        assert_eq!(times, [MS, 4 * MS], "{joined:?}");
    }

    #[test]
    fn a_fate_is_described_in_words() {
        let arrived = |times: &[u32]| Fate::Arrived(times.iter().map(|time| *time * MS).collect());
        mentions(&arrived(&[25]).words(5 * MS), &["arrived", "20 ms"]);
        let odd = Fate::Arrived(vec![Duration::from_nanos(20_088_768)]);
        mentions(&odd.words(Duration::ZERO), &["arrived", "20.089 ms"]);
        let twice = arrived(&[25, 27]).words(5 * MS);
        mentions(&twice, &["duplicated", "20 ms", "22 ms"]);
        mentions(&Fate::Lost(Loss::Ordered(3)).words(MS), &["lost", "on purpose", "packet 3"]);
    }
}
