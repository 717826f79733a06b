//! Events that the server counts. The table has one row per event.

use crate::transport::Transport;

/// Declares [`Event`] from a table. Each row holds an event's transport, kind and reason, and the
/// text of its notice if it has one.
macro_rules! events {
    ($(
        $(#[$about:meta])*
        $name:ident: $transport:ident $kind:ident $($reason:literal $(, $notice:literal)?)?;
    )*) => {
        named! {
            /// Event that a server counts. Each event has one counter for IPv4 and one for IPv6.
            /// The name of an event is the name of its variant.
            ///
            /// ```
            /// use daytime::{Event, UnknownName};
            /// assert_eq!(Event::TcpAnswered.name(), "TcpAnswered");
            /// assert_eq!("UdpPortZero".parse(), Ok(Event::UdpPortZero));
            /// assert_eq!("UdpPort".parse::<Event>(), Err(UnknownName));
            /// ```
            #[non_exhaustive]
            pub enum Event {
                $($(#[$about])* $name = stringify!($name),)*
            }
        }

        impl Event {
            /// Returns the transport of the event.
            #[must_use]
            pub fn transport(self) -> Transport {
                match self {
                    $(Self::$name => Transport::$transport,)*
                }
            }

            pub(crate) fn kind(self) -> Kind {
                match self {
                    $(Self::$name => Kind::$kind,)*
                }
            }

            /// Returns the label of the event's reason; empty if events of this kind need no
            /// reason.
            pub(crate) fn reason(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($reason)?),)*
                }
            }

            /// Returns the text of a notice about the event; `None` for an event that needs no
            /// attention.
            pub(crate) fn notice(self) -> Option<&'static str> {
                let notice = match self {
                    $(Self::$name => concat!($($($notice)?)?),)*
                };
                Some(notice).filter(|notice| !notice.is_empty())
            }
        }
    };
}

events! {
    /// The server accepted a connection.
    TcpAccepted: Tcp Arrival;
    /// The server sent the complete reply on a connection.
    TcpAnswered: Tcp Exchange;
    /// A connection ended cleanly: the client closed its side after the reply.
    TcpClosedByPeer: Tcp Ended "peer";
    /// The server gave up on a connection: the client did not close by the drain deadline.
    TcpDrainDeadline: Tcp Ended "drain-deadline", "closed: the client did not close in time";
    /// The server gave up on a connection: the client did not acknowledge the reply by the write
    /// deadline.
    TcpWriteDeadline: Tcp Ended "write-deadline",
        "given up: the client did not take the reply in time";
    /// The server gave up on a connection: the client sent more octets than the limit.
    TcpOctetLimit: Tcp Ended "octet-limit", "closed: the client sent more octets than the drain limit";
    /// The server gave up on a connection to free a descriptor for a new connection.
    TcpMadeRoom: Tcp Ended "made-room", "closed to make room: no descriptor left (ulimit -n)";
    /// The server answered a connection and closed it at once: the client's source has reached its
    /// limit on open connections.
    TcpSourceLimit: Tcp Ended "source-limit",
        "answered and closed at once: too many connections from one source";
    /// The server answered a connection and closed it at once: all sources together have reached
    /// the limit on open connections.
    TcpTotalLimit: Tcp Ended "total-limit", "answered and closed at once: too many connections in total";
    /// A connection failed: the client reset it, or a write failed.
    TcpFailed: Tcp Ended "failed";
    /// The server closed a connection without a reply, because the server had no valid time.
    TcpNoTime: Tcp Ignored "no-time",
        "not answered (no valid time: the clock is unsynchronised, or its year is out of range)";
    /// `accept(2)` failed for lack of a descriptor, and no connection could be closed to free one
    /// (`EMFILE`, `ENFILE`).
    TcpNoDescriptor: Tcp Error "no-descriptor", "cannot accept: no descriptor left (ulimit -n)";
    /// `accept(2)` failed for lack of memory (`ENOBUFS`, `ENOMEM`).
    TcpNoMemory: Tcp Error "no-memory", "cannot accept: no memory left";
    /// A connection failed before it was accepted (`ECONNABORTED`, `EPROTO`, and similar errors in
    /// accept(2)).
    TcpAborted: Tcp Error "aborted";
    /// `accept(2)` failed for another reason.
    TcpAcceptFailed: Tcp Error "accept", "cannot accept";
    /// The server received a datagram.
    UdpReceived: Udp Arrival;
    /// The server answered a datagram.
    UdpAnswered: Udp Exchange;
    /// The server ignored a datagram from port 0, which no client uses.
    UdpPortZero: Udp Ignored "port-zero", "ignored: from port 0";
    /// The server ignored a datagram from a port below 1024. A service probably sent it.
    UdpPortPrivileged: Udp Ignored "port-privileged", "ignored: from a port below 1024";
    /// The server ignored a datagram from port 2049, which NFS servers use.
    UdpPortNfs: Udp Ignored "port-nfs", "ignored: from port 2049";
    /// The server ignored a datagram that was sent from one of this service's own ports.
    UdpPortOwn: Udp Ignored "port-own", "ignored: from the port of this service";
    /// The server ignored a datagram from an address that cannot belong to a single host
    /// (unspecified, 0/8, multicast, broadcast).
    UdpSourceNoHost: Udp Ignored "source-no-host",
        "ignored: from an address that no single host has";
    /// The server ignored a datagram from a loopback address that did not arrive over loopback.
    UdpSourceLoopback: Udp Ignored "source-loopback",
        "ignored: loopback source, not received over loopback";
    /// The server ignored a datagram that was sent to a broadcast or multicast address.
    UdpSentToMany: Udp Ignored "sent-to-many", "ignored: sent to a broadcast or multicast address";
    /// The server ignored a datagram that is shorter than the reply, because the options forbid
    /// amplification.
    UdpTooShort: Udp Ignored "too-short", "ignored: shorter than the reply";
    /// The server ignored a datagram because its content is itself a Daytime reply, so a Daytime
    /// server may have sent it.
    UdpContentIsReply: Udp Ignored "reply", "ignored: its content is a Daytime reply";
    /// The server ignored a datagram because its source has reached its rate limit.
    UdpSourceLimit: Udp Ignored "source-limit", "ignored: too many datagrams from one source";
    /// The server ignored a datagram because all sources together have reached their rate limit.
    UdpTotalLimit: Udp Ignored "total-limit", "ignored: too many datagrams in total";
    /// The server ignored a datagram because the server has no valid time.
    UdpNoTime: Udp Ignored "no-time",
        "not answered (no valid time: the clock is unsynchronised, or its year is out of range)";
    /// A reply was lost: no memory (`ENOBUFS`, `ENOMEM`), or the send buffer is full.
    UdpNoMemory: Udp Error "no-memory", "reply lost: no memory left, or the send buffer is full";
    /// A reply was lost: a firewall or the kernel forbids it (`EPERM`, `EACCES`).
    UdpNotPermitted: Udp Error "not-permitted", "reply lost: not permitted, perhaps by a firewall";
    /// A reply was lost: no route to the client (`ENETUNREACH`, `EHOSTUNREACH`, `ENETDOWN`).
    UdpUnreachable: Udp Error "unreachable", "reply lost: no route";
    /// A reply was lost for another reason.
    UdpSendFailed: Udp Error "send", "reply lost";
    /// The kernel dropped a datagram before the server received it: the receive buffer was full
    /// (socket(7), `SO_RCVBUF`), or rarely the checksum was wrong. On an IPv6 wildcard, dropped
    /// IPv4 datagrams count as IPv6.
    UdpReceiveBufferFull: Udp Error "receive-buffer",
        "lost: the receive buffer is full (SO_RCVBUF)";
    /// A receive failed, for example because of an ICMP error that an earlier reply caused.
    UdpReceiveFailed: Udp Error "receive", "cannot receive";
}

/// Kind of an [`Event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A client opened a connection or sent a datagram.
    Arrival,
    /// The client got the complete reply.
    Exchange,
    /// The client got no reply, for a reason that the event names.
    Ignored,
    /// A connection ended, in a way that the event names.
    Ended,
    /// A system call failed.
    Error,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_events_number_is_its_place_in_the_list() {
        for (place, event) in Event::ALL.iter().enumerate() {
            assert_eq!(*event as usize, place, "{event:?}");
            let name = event.name();
            assert_eq!(event.transport() == Transport::Tcp, name.starts_with("Tcp"), "{name}");
        }
    }

    #[test]
    fn each_event_has_its_own_combination_of_labels() {
        for (place, event) in Event::ALL.iter().enumerate() {
            let label = |event: &Event| (event.transport(), event.kind(), event.reason());
            let first = Event::ALL.iter().position(|other| label(other) == label(event));
            assert_eq!(first, Some(place), "{event:?}");
        }
    }
}
