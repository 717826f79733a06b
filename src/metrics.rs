//! What the services did, as counters that any thread may read while they run.

#[cfg(feature = "server")]
mod client_log;
#[cfg(feature = "server")]
mod counters;

#[cfg(feature = "server")]
pub(crate) use client_log::ClientLog;
#[cfg(feature = "server")]
pub(crate) use counters::Counters;

use crate::transport::{IpVersion, Transport};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// Something that is counted. Each has one counter for IPv4 and one for IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Event {
    /// A connection was accepted.
    TcpAccepted,
    /// A connection was sent the whole reply.
    TcpAnswered,
    /// A connection ended cleanly: the peer closed its side after the reply.
    TcpClosedByPeer,
    /// A connection was given up: the peer had not closed by the drain deadline.
    TcpDrainDeadline,
    /// A connection was given up: the peer had not taken the reply by the write deadline.
    TcpWriteDeadline,
    /// A connection was given up: the peer had sent more than the limit.
    TcpOctetLimit,
    /// A connection was given up to make room: no descriptor was left for a new one.
    TcpMadeRoom,
    /// A connection was answered and closed at once: its source has as many open as it may.
    TcpSourceLimit,
    /// A connection was answered and closed at once: as many are open as may be.
    TcpTotalLimit,
    /// A connection failed: reset by the peer, or a write error.
    TcpFailed,
    /// A connection was closed without a word: there is no time to tell.
    TcpNoTime,
    /// `accept(2)` found no descriptor left, and no connection to close for it (`EMFILE`, `ENFILE`).
    TcpNoDescriptor,
    /// `accept(2)` found no memory (`ENOBUFS`, `ENOMEM`).
    TcpNoMemory,
    /// A connection was gone before it was accepted (`ECONNABORTED`, `EPROTO` and what accept(2) lists
    /// with them).
    TcpAborted,
    /// `accept(2)` failed otherwise.
    TcpAcceptFailed,
    /// A datagram was received.
    UdpReceived,
    /// A datagram was answered.
    UdpAnswered,
    /// Not answered: from port 0, where nobody can be.
    UdpPortZero,
    /// Not answered: from a port below 1024, so likely from a service.
    UdpPortPrivileged,
    /// Not answered: from port 2049, which NFS servers use.
    UdpPortNfs,
    /// Not answered: from the port this service has itself.
    UdpPortOwn,
    /// Not answered: from an address that no single host has (unspecified, 0/8, multicast, broadcast).
    UdpSourceNoHost,
    /// Not answered: from a loopback address, but not received over loopback.
    UdpSourceLoopback,
    /// Not answered: sent to a broadcast or multicast address.
    UdpSentToMany,
    /// Not answered: shorter than the reply, where amplification is ruled out.
    UdpTooShort,
    /// Not answered: its content is itself a Daytime reply, so another service may have sent it.
    UdpContentIsReply,
    /// Not answered: its source has asked too often.
    UdpSourceLimit,
    /// Not answered: everybody together has asked too often.
    UdpTotalLimit,
    /// Not answered: there is no time to tell.
    UdpNoTime,
    /// An answer was lost: no memory for it (`ENOBUFS`, `ENOMEM`), or the send buffer is full.
    UdpNoMemory,
    /// An answer was lost: a firewall or the kernel forbids it (`EPERM`, `EACCES`).
    UdpNotPermitted,
    /// An answer was lost: no way leads there (`ENETUNREACH`, `EHOSTUNREACH`, `ENETDOWN`).
    UdpUnreachable,
    /// An answer was lost for another reason.
    UdpSendFailed,
    /// A datagram was lost before it was received: the kernel dropped it, since the receive buffer was full (socket(7),
    /// `SO_RCVBUF`), or rarely since its checksum was wrong. Over an IPv6 wildcard IPv4 counts as IPv6.
    UdpReceiveBufferFull,
    /// Receiving failed, as after an ICMP error to an earlier answer.
    UdpReceiveFailed,
}

/// What an [`Event`] is, beside its transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A client came.
    Arrival,
    /// It had its answer.
    Exchange,
    /// It gets none, for this reason.
    Ignored(&'static str),
    /// A connection ended this way.
    Ended(&'static str),
    /// Something went wrong.
    Error(&'static str),
}

impl Event {
    /// Each of them, in order.
    pub const ALL: [Self; 35] = [
        Self::TcpAccepted,
        Self::TcpAnswered,
        Self::TcpClosedByPeer,
        Self::TcpDrainDeadline,
        Self::TcpWriteDeadline,
        Self::TcpOctetLimit,
        Self::TcpMadeRoom,
        Self::TcpSourceLimit,
        Self::TcpTotalLimit,
        Self::TcpFailed,
        Self::TcpNoTime,
        Self::TcpNoDescriptor,
        Self::TcpNoMemory,
        Self::TcpAborted,
        Self::TcpAcceptFailed,
        Self::UdpReceived,
        Self::UdpAnswered,
        Self::UdpPortZero,
        Self::UdpPortPrivileged,
        Self::UdpPortNfs,
        Self::UdpPortOwn,
        Self::UdpSourceNoHost,
        Self::UdpSourceLoopback,
        Self::UdpSentToMany,
        Self::UdpTooShort,
        Self::UdpContentIsReply,
        Self::UdpSourceLimit,
        Self::UdpTotalLimit,
        Self::UdpNoTime,
        Self::UdpNoMemory,
        Self::UdpNotPermitted,
        Self::UdpUnreachable,
        Self::UdpSendFailed,
        Self::UdpReceiveBufferFull,
        Self::UdpReceiveFailed,
    ];

    /// The transport it happens on.
    #[must_use]
    pub fn transport(self) -> Transport {
        if self < Self::UdpReceived { Transport::Tcp } else { Transport::Udp }
    }

    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::TcpAccepted | Self::UdpReceived => Kind::Arrival,
            Self::TcpAnswered | Self::UdpAnswered => Kind::Exchange,
            Self::TcpClosedByPeer => Kind::Ended("peer"),
            Self::TcpDrainDeadline => Kind::Ended("drain-deadline"),
            Self::TcpWriteDeadline => Kind::Ended("write-deadline"),
            Self::TcpOctetLimit => Kind::Ended("octet-limit"),
            Self::TcpMadeRoom => Kind::Ended("made-room"),
            Self::TcpSourceLimit => Kind::Ended("source-limit"),
            Self::TcpTotalLimit => Kind::Ended("total-limit"),
            Self::TcpFailed => Kind::Ended("failed"),
            Self::TcpNoTime | Self::UdpNoTime => Kind::Ignored("no-time"),
            Self::TcpNoDescriptor => Kind::Error("no-descriptor"),
            Self::TcpNoMemory | Self::UdpNoMemory => Kind::Error("no-memory"),
            Self::TcpAborted => Kind::Error("aborted"),
            Self::TcpAcceptFailed => Kind::Error("accept"),
            Self::UdpPortZero => Kind::Ignored("port-zero"),
            Self::UdpPortPrivileged => Kind::Ignored("port-privileged"),
            Self::UdpPortNfs => Kind::Ignored("port-nfs"),
            Self::UdpPortOwn => Kind::Ignored("port-own"),
            Self::UdpSourceNoHost => Kind::Ignored("source-no-host"),
            Self::UdpSourceLoopback => Kind::Ignored("source-loopback"),
            Self::UdpSentToMany => Kind::Ignored("sent-to-many"),
            Self::UdpTooShort => Kind::Ignored("too-short"),
            Self::UdpContentIsReply => Kind::Ignored("reply"),
            Self::UdpSourceLimit => Kind::Ignored("source-limit"),
            Self::UdpTotalLimit => Kind::Ignored("total-limit"),
            Self::UdpNotPermitted => Kind::Error("not-permitted"),
            Self::UdpUnreachable => Kind::Error("unreachable"),
            Self::UdpSendFailed => Kind::Error("send"),
            Self::UdpReceiveBufferFull => Kind::Error("receive-buffer"),
            Self::UdpReceiveFailed => Kind::Error("receive"),
        }
    }

    /// What a notice reports about it; `None` for what needs no attention.
    pub(crate) fn notice(self) -> Option<&'static str> {
        Some(match self {
            Self::TcpAccepted
            | Self::TcpAnswered
            | Self::TcpClosedByPeer
            | Self::TcpFailed
            | Self::TcpAborted
            | Self::UdpReceived
            | Self::UdpAnswered => return None,
            Self::TcpDrainDeadline => "closed: the client did not close in time",
            Self::TcpWriteDeadline => "given up: the client did not take the reply in time",
            Self::TcpOctetLimit => "closed: the client sent too much",
            Self::TcpMadeRoom => "closed to make room: no descriptor left (ulimit -n)",
            Self::TcpSourceLimit => "answered and closed at once: too many from one source",
            Self::TcpTotalLimit => "answered and closed at once: too many in all",
            Self::TcpNoTime | Self::UdpNoTime => {
                "not answered: no time to tell, the clock is unsynchronised or beyond the calendar"
            }
            Self::TcpNoDescriptor => "cannot accept: no descriptor left (ulimit -n)",
            Self::TcpNoMemory => "cannot accept: no memory left",
            Self::TcpAcceptFailed => "cannot accept",
            Self::UdpPortZero => "ignored: from port 0",
            Self::UdpPortPrivileged => "ignored: from a port below 1024",
            Self::UdpPortNfs => "ignored: from port 2049",
            Self::UdpPortOwn => "ignored: from the port of this service",
            Self::UdpSourceNoHost => "ignored: from an address that no single host has",
            Self::UdpSourceLoopback => "ignored: loopback source, not received over loopback",
            Self::UdpSentToMany => "ignored: sent to a broadcast or multicast address",
            Self::UdpTooShort => "ignored: shorter than the reply",
            Self::UdpContentIsReply => "ignored: its content is a Daytime reply",
            Self::UdpSourceLimit => "ignored: too many from one source",
            Self::UdpTotalLimit => "ignored: too many in all",
            Self::UdpNoMemory => "answer lost: no memory left, or the send buffer is full",
            Self::UdpNotPermitted => "answer lost: not permitted, by a firewall perhaps",
            Self::UdpUnreachable => "answer lost: no route",
            Self::UdpSendFailed => "answer lost",
            Self::UdpReceiveBufferFull => "lost: the receive buffer is full (--receive-buffer)",
            Self::UdpReceiveFailed => "cannot receive",
        })
    }
}

/// What a notice shows about one of the events that it counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Example {
    /// The client, if one is known.
    pub peer: Option<SocketAddr>,
    /// The error of the call, if one failed.
    pub errno: Option<i32>,
}

impl fmt::Display for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = self.peer.map(|peer| peer.to_string());
        let error = self.errno.map(|errno| io::Error::from_raw_os_error(errno).to_string());
        let parts: Vec<String> = peer.into_iter().chain(error).collect();
        if parts.is_empty() { Ok(()) } else { write!(f, ", example {}", parts.join(": ")) }
    }
}

#[cfg(feature = "server")]
/// Counters of one server, from its start.
pub struct Metrics {
    workers: Vec<Arc<Counters>>,
    client_log: Arc<ClientLog>,
}

#[cfg(feature = "server")]
impl Default for Metrics {
    /// Those of one worker, all at 0.
    fn default() -> Self {
        Self::new(1)
    }
}

#[cfg(feature = "server")]
impl Metrics {
    pub(crate) fn new(workers: usize) -> Self {
        let client_log = Arc::<ClientLog>::default();
        let counters = || Arc::new(Counters::new(Arc::clone(&client_log)));
        Self { workers: (0..workers).map(|_| counters()).collect(), client_log }
    }

    /// What one worker counts, by its number from 0; it alone may.
    pub(crate) fn worker(&self, number: usize) -> Arc<Counters> {
        Arc::clone(&self.workers[number])
    }

    /// How often it has happened, over IPv4 and IPv6.
    #[must_use]
    pub fn count(&self, event: Event) -> u64 {
        IpVersion::BOTH.iter().map(|version| self.count_over(event, *version)).sum()
    }

    /// How often it has happened over one of them.
    #[must_use]
    pub fn count_over(&self, event: Event, version: IpVersion) -> u64 {
        self.workers.iter().map(|counters| counters.count(event, version)).sum()
    }

    pub(crate) fn client_log(&self) -> &ClientLog {
        &self.client_log
    }

    /// One of the events since the last call, if any worker has kept one.
    pub(crate) fn take_example(&self, event: Event) -> Option<Example> {
        // Of all workers, so that the next notice shows none that is older than this one.
        let examples: Vec<_> = self.workers.iter().map(|it| it.take_example(event)).collect();
        examples.into_iter().flatten().next()
    }

    /// Connections that are open now, over one version of IP.
    #[must_use]
    pub fn open_connections(&self, version: IpVersion) -> u64 {
        self.workers.iter().map(|counters| counters.open(version)).sum()
    }
}

#[cfg(feature = "server")]
impl fmt::Debug for Metrics {
    /// Those that are not 0.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = Event::ALL.iter().map(|event| (event, self.count(*event)));
        f.debug_map().entries(counts.filter(|(_, count)| *count > 0)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_stands_in_its_place() {
        for (place, event) in Event::ALL.iter().enumerate() {
            assert_eq!(*event as usize, place, "{event:?}");
            let name = format!("{event:?}");
            assert_eq!(event.transport() == Transport::Tcp, name.starts_with("Tcp"), "{name}");
        }
    }

    #[test]
    fn no_two_events_of_a_transport_are_of_the_same_kind() {
        for (place, event) in Event::ALL.iter().enumerate() {
            let same = |other: &&Event| {
                (other.transport(), other.kind()) == (event.transport(), event.kind())
            };
            assert_eq!(Event::ALL.iter().position(|other| same(&other)), Some(place), "{event:?}");
        }
    }

    #[cfg(feature = "server")]
    #[test]
    fn each_version_of_ip_has_its_own_counter_and_each_worker_its_own() {
        let metrics = Metrics::new(2);
        metrics.worker(0).add(Event::UdpAnswered, IpVersion::V4);
        metrics.worker(1).add_many(Event::UdpAnswered, IpVersion::V6, 2);
        metrics.worker(1).add(Event::UdpPortZero, IpVersion::V6);
        assert_eq!(metrics.count(Event::UdpAnswered), 3);
        assert_eq!(metrics.count_over(Event::UdpAnswered, IpVersion::V4), 1);
        assert_eq!(metrics.worker(0).troubles(), 0, "an answer is none");
        assert_eq!(metrics.worker(1).troubles(), 1);
        assert_eq!(format!("{metrics:?}"), "{UdpAnswered: 3, UdpPortZero: 1}");
    }
}
