//! What is counted: each event in one row.

use crate::transport::Transport;

/// Declares [`Event`] from a table: transport, kind and reason of each event, and its notice if it has one.
macro_rules! events {
    ($(
        $(#[$about:meta])*
        $name:ident: $transport:ident $kind:ident $($reason:literal $(, $notice:literal)?)?;
    )*) => {
        named! {
            /// Something that is counted. Each has one counter for IPv4 and one for IPv6. Its name is that of the variant.
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
            /// The transport on which it happens.
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

            /// The reason or the way, in a word; empty where the kind says all.
            pub(crate) fn reason(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($reason)?),)*
                }
            }

            /// What a notice reports about it; `None` for what needs no attention.
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
    /// A connection was accepted.
    TcpAccepted: Tcp Arrival;
    /// A connection was sent the whole reply.
    TcpAnswered: Tcp Exchange;
    /// A connection ended cleanly: the peer closed its side after the reply.
    TcpClosedByPeer: Tcp Ended "peer";
    /// A connection was given up: the peer had not closed by the drain deadline.
    TcpDrainDeadline: Tcp Ended "drain-deadline", "closed: the client did not close in time";
    /// A connection was given up: the peer had not taken the reply by the write deadline.
    TcpWriteDeadline: Tcp Ended "write-deadline",
        "given up: the client did not take the reply in time";
    /// A connection was given up: the peer had sent more than the limit.
    TcpOctetLimit: Tcp Ended "octet-limit", "closed: the client sent too much";
    /// A connection was given up to make room: no descriptor was left for a new one.
    TcpMadeRoom: Tcp Ended "made-room", "closed to make room: no descriptor left (ulimit -n)";
    /// A connection was answered and closed at once: its source has as many open as it may.
    TcpSourceLimit: Tcp Ended "source-limit",
        "answered and closed at once: too many from one source";
    /// A connection was answered and closed at once: as many are open as may be.
    TcpTotalLimit: Tcp Ended "total-limit", "answered and closed at once: too many in all";
    /// A connection failed: reset by the peer, or a write error.
    TcpFailed: Tcp Ended "failed";
    /// A connection was closed without a word: there is no time to tell.
    TcpNoTime: Tcp Ignored "no-time",
        "not answered: no time to tell, the clock is unsynchronised or beyond the calendar";
    /// `accept(2)` found no descriptor left, and no connection to close for it (`EMFILE`, `ENFILE`).
    TcpNoDescriptor: Tcp Error "no-descriptor", "cannot accept: no descriptor left (ulimit -n)";
    /// `accept(2)` found no memory (`ENOBUFS`, `ENOMEM`).
    TcpNoMemory: Tcp Error "no-memory", "cannot accept: no memory left";
    /// A connection was gone before it was accepted (`ECONNABORTED`, `EPROTO` and what accept(2) lists
    /// with them).
    TcpAborted: Tcp Error "aborted";
    /// `accept(2)` failed otherwise.
    TcpAcceptFailed: Tcp Error "accept", "cannot accept";
    /// A datagram was received.
    UdpReceived: Udp Arrival;
    /// A datagram was answered.
    UdpAnswered: Udp Exchange;
    /// Not answered: from port 0, which no client has.
    UdpPortZero: Udp Ignored "port-zero", "ignored: from port 0";
    /// Not answered: from a port below 1024, so likely from a service.
    UdpPortPrivileged: Udp Ignored "port-privileged", "ignored: from a port below 1024";
    /// Not answered: from port 2049, which NFS servers use.
    UdpPortNfs: Udp Ignored "port-nfs", "ignored: from port 2049";
    /// Not answered: from the port this service has itself.
    UdpPortOwn: Udp Ignored "port-own", "ignored: from the port of this service";
    /// Not answered: from an address that no single host has (unspecified, 0/8, multicast, broadcast).
    UdpSourceNoHost: Udp Ignored "source-no-host",
        "ignored: from an address that no single host has";
    /// Not answered: from a loopback address, but not received over loopback.
    UdpSourceLoopback: Udp Ignored "source-loopback",
        "ignored: loopback source, not received over loopback";
    /// Not answered: sent to a broadcast or multicast address.
    UdpSentToMany: Udp Ignored "sent-to-many", "ignored: sent to a broadcast or multicast address";
    /// Not answered: shorter than the reply, where amplification is ruled out.
    UdpTooShort: Udp Ignored "too-short", "ignored: shorter than the reply";
    /// Not answered: its content is itself a Daytime reply, so another service may have sent it.
    UdpContentIsReply: Udp Ignored "reply", "ignored: its content is a Daytime reply";
    /// Not answered: its source has asked too often.
    UdpSourceLimit: Udp Ignored "source-limit", "ignored: too many from one source";
    /// Not answered: everybody together has asked too often.
    UdpTotalLimit: Udp Ignored "total-limit", "ignored: too many in all";
    /// Not answered: there is no time to tell.
    UdpNoTime: Udp Ignored "no-time",
        "not answered: no time to tell, the clock is unsynchronised or beyond the calendar";
    /// An answer was lost: no memory for it (`ENOBUFS`, `ENOMEM`), or the send buffer is full.
    UdpNoMemory: Udp Error "no-memory", "answer lost: no memory left, or the send buffer is full";
    /// An answer was lost: a firewall or the kernel forbids it (`EPERM`, `EACCES`).
    UdpNotPermitted: Udp Error "not-permitted", "answer lost: not permitted, by a firewall perhaps";
    /// An answer was lost: no way leads there (`ENETUNREACH`, `EHOSTUNREACH`, `ENETDOWN`).
    UdpUnreachable: Udp Error "unreachable", "answer lost: no route";
    /// An answer was lost for another reason.
    UdpSendFailed: Udp Error "send", "answer lost";
    /// A datagram was lost before it was received: the kernel dropped it, since the receive buffer was full (socket(7),
    /// `SO_RCVBUF`), or rarely since its checksum was wrong. Over an IPv6 wildcard IPv4 counts as IPv6.
    UdpReceiveBufferFull: Udp Error "receive-buffer",
        "lost: the receive buffer is full (--receive-buffer)";
    /// Receiving failed, as after an ICMP error to an earlier answer.
    UdpReceiveFailed: Udp Error "receive", "cannot receive";
}

/// The kind of an [`Event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A client came.
    Arrival,
    /// The client was sent the whole reply.
    Exchange,
    /// The client gets no reply, for a reason.
    Ignored,
    /// A connection ended, in a way.
    Ended,
    /// A system call failed.
    Error,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_stands_in_its_place() {
        for (place, event) in Event::ALL.iter().enumerate() {
            assert_eq!(*event as usize, place, "{event:?}");
            let name = event.name();
            assert_eq!(event.transport() == Transport::Tcp, name.starts_with("Tcp"), "{name}");
        }
    }

    #[test]
    fn no_two_events_of_a_transport_are_of_the_same_kind() {
        for (place, event) in Event::ALL.iter().enumerate() {
            let label = |event: &Event| (event.transport(), event.kind(), event.reason());
            let first = Event::ALL.iter().position(|other| label(other) == label(event));
            assert_eq!(first, Some(place), "{event:?}");
        }
    }
}
