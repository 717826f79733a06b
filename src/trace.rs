//! What happened between hosts, in the order it happened: written by the engines of the laboratory and
//! by `wire`, drawn by `report`.
//!
//! Packets are kept as octets from the IP header on, so that whatever draws or saves them shows what
//! was sent and not what was meant.

use crate::transport::Transport;
use std::net::IpAddr;
use std::time::Duration;

/// What happened between hosts: packets, system calls and states of sockets, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// In the order of their columns in a drawing, from the left.
    pub(crate) hosts: Vec<Host>,
    /// By time; of two at the same time, the one that came first is first.
    pub(crate) events: Vec<Event>,
}

/// An event of a [`Trace`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceEvent<'a> {
    /// Since the trace began; on `sim` in virtual time.
    pub at: Duration,
    /// The name of the host, such as `client`.
    pub host: &'a str,
    /// What happened there.
    pub action: TraceAction<'a>,
}

/// What happened at a host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceAction<'a> {
    /// The program made a system call.
    Call {
        /// As a program writes it: `recv(10)`.
        call: &'a str,
        /// Its result: `10 octets`, `ECONNREFUSED`.
        outcome: &'a str,
    },
    /// The host sent a packet.
    Packet {
        /// The name of the host to which the link leads.
        to: &'a str,
        /// From the IP header on.
        octets: &'a [u8],
        /// Each arrival since the trace began. Empty if the packet was lost, or seen at one place only.
        arrivals: &'a [Duration],
        /// In words: `arrived after 20 ms`, `lost by chance`.
        fate: String,
    },
    /// A socket changed its state.
    State {
        /// The transport of the socket.
        transport: Transport,
        /// As RFC 9293, section 3.3.2, has it: `ESTABLISHED`.
        state: &'a str,
    },
}

/// A place where events happen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "lab", derive(serde::Serialize))]
pub(crate) struct Host {
    /// Such as `client`.
    pub name: String,
    pub addresses: Vec<IpAddr>,
}

/// The number of a host in its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HostId(pub usize);

/// Something that happened at a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Since the trace began.
    pub at: Duration,
    pub host: HostId,
    pub action: Action,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The program made a system call.
    Call {
        /// As it would be written: `recv(10)`.
        call: String,
        /// What came of it: `10 octets`, `ECONNREFUSED`.
        outcome: String,
    },
    /// The host put a packet on the link.
    Packet(Packet),
    /// A socket came into a state (RFC 9293, section 3.3.2): `ESTABLISHED`.
    State(Transport, String),
}

/// A packet on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    /// Whom the link leads to.
    pub to: HostId,
    /// From the IP header on.
    pub octets: Vec<u8>,
    pub fate: Fate,
}

/// What became of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It came, once or, duplicated by the link, several times; since the trace began. Never empty.
    Arrived(Vec<Duration>),
    /// The link lost it.
    Lost(Loss),
    /// It was seen at one place only, which says nothing about the rest of its way.
    Seen,
}

/// Why a packet was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// By chance.
    Chance,
    /// The link was cut.
    Cut,
    /// It was the packet with this number, counted from 1, which was to be lost.
    Ordered(u64),
    /// It came, but the host had no room for it.
    Overflow,
    /// It was the first with the reply, which was to be lost.
    Reply,
}

impl Trace {
    /// A trace of nothing yet.
    pub(crate) fn between(hosts: Vec<Host>) -> Self {
        Self { hosts, events: Vec::new() }
    }

    /// Puts an event where its time has it.
    pub(crate) fn push(&mut self, event: Event) {
        let at = self.events.partition_point(|earlier| earlier.at <= event.at);
        self.events.insert(at, event);
    }

    /// The same with each call that was made at least this often in a row as one event, at the time of the first:
    /// `send(1) × 26 = 1 octet each`.
    pub(crate) fn with_repeats_joined(&self, least: usize) -> Self {
        let is_same =
            |one: &Event, other: &Event| (one.host, &one.action) == (other.host, &other.action);
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

    /// The names of the hosts.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(|host| host.name.as_str())
    }

    /// Every event, by time.
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

    /// Every packet, with its time and the host that sent it.
    pub(crate) fn packets(&self) -> impl Iterator<Item = (&Event, &Packet)> {
        self.events.iter().filter_map(|event| match &event.action {
            Action::Packet(packet) => Some((event, packet)),
            Action::Call { .. } | Action::State(..) => None,
        })
    }
}

impl Fate {
    fn arrivals(&self) -> &[Duration] {
        match self {
            Self::Arrived(times) => times,
            Self::Lost(_) | Self::Seen => &[],
        }
    }

    /// In words, as the comment of a packet in a capture file says it.
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

/// To the microsecond, without zeros at the end.
fn milliseconds(time: Duration) -> String {
    let text = format!("{:.3}", time.as_secs_f64() * 1e3);
    format!("{} ms", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn call(at: Duration, name: &str) -> Event {
        let action = Action::Call { call: name.into(), outcome: String::new() };
        Event { at, host: HostId(0), action }
    }

    #[test]
    fn events_are_kept_by_time_and_at_the_same_time_as_they_came() {
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
    fn a_fate_is_told_in_words() {
        let arrived = |times: &[u32]| Fate::Arrived(times.iter().map(|time| *time * MS).collect());
        assert_eq!(arrived(&[25]).words(5 * MS), "arrived after 20 ms");
        let odd = Fate::Arrived(vec![Duration::from_nanos(20_088_768)]);
        assert_eq!(odd.words(Duration::ZERO), "arrived after 20.089 ms");
        let twice = arrived(&[25, 27]).words(5 * MS);
        assert_eq!(twice, "duplicated: arrived after 20 ms and after 22 ms");
        assert_eq!(Fate::Lost(Loss::Ordered(3)).words(MS), "lost on purpose: packet 3");
    }
}
