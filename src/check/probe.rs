//! Every probe, as a list: its name for scripts, its title for the table.

use crate::transport::{IpVersion, Transport};
use std::fmt;

/// What is asked of a server. The names ([`Display`](fmt::Display)) are fixed: scripts may rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Probe {
    /// `tcp-ipv4` and so on: it answers over this transport, on its addresses of this version.
    Reach(Transport, IpVersion),
    /// `tcp-closes`: it ends the stream by itself (RFC 867).
    TcpCloses,
    /// `tcp-crlf-first`: a client that sends CR LF before it reads gets the line and a clean end.
    TcpCrlfFirst,
    /// `tcp-64k-first`: the same after 64 KiB.
    Tcp64kFirst,
    /// `tcp-half-close`: a client that closes its direction at once gets the line.
    TcpHalfClose,
    /// `udp-empty`: one datagram answers an empty one.
    UdpEmpty,
    /// `udp-one-octet`: one datagram answers one octet, alike.
    UdpOneOctet,
    /// `udp-1400-octets`: one datagram answers 1400 octets, alike.
    Udp1400Octets,
    /// `udp-privileged-port`: nobody is answered who asks from a port below 1024.
    UdpPrivilegedPort,
    /// `udp-own-port`: nobody is answered who asks from the port of the service.
    UdpOwnPort,
    /// `amplification`: at most one datagram of at most 512 octets for a question.
    Amplification,
    /// `one-line`: the reply is one line (RFC 867).
    OneLine,
    /// `printable-ascii`: it is printable ASCII, space, CR and LF (RFC 867).
    PrintableAscii,
    /// `length`: it has at most 512 octets.
    Length,
    /// `no-leak`: no octets stand behind the line that are no text.
    NoLeak,
    /// `syntax`: a time can be read in it.
    Syntax,
    /// `same-syntax`: both transports have the same one.
    SameSyntax,
    /// `health`: it does not report itself unhealthy, nor contradict itself.
    Health,
    /// `clock`: its clock and the local one agree, as far as the reply can tell.
    Clock,
}

impl Probe {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 22] = [
        Self::Reach(Transport::Tcp, IpVersion::V4),
        Self::Reach(Transport::Tcp, IpVersion::V6),
        Self::Reach(Transport::Udp, IpVersion::V4),
        Self::Reach(Transport::Udp, IpVersion::V6),
        Self::TcpCloses,
        Self::TcpCrlfFirst,
        Self::Tcp64kFirst,
        Self::TcpHalfClose,
        Self::UdpEmpty,
        Self::UdpOneOctet,
        Self::Udp1400Octets,
        Self::UdpPrivilegedPort,
        Self::UdpOwnPort,
        Self::Amplification,
        Self::OneLine,
        Self::PrintableAscii,
        Self::Length,
        Self::NoLeak,
        Self::Syntax,
        Self::SameSyntax,
        Self::Health,
        Self::Clock,
    ];
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Reach(Transport::Tcp, IpVersion::V4) => "tcp-ipv4",
            Self::Reach(Transport::Tcp, IpVersion::V6) => "tcp-ipv6",
            Self::Reach(Transport::Udp, IpVersion::V4) => "udp-ipv4",
            Self::Reach(Transport::Udp, IpVersion::V6) => "udp-ipv6",
            Self::TcpCloses => "tcp-closes",
            Self::TcpCrlfFirst => "tcp-crlf-first",
            Self::Tcp64kFirst => "tcp-64k-first",
            Self::TcpHalfClose => "tcp-half-close",
            Self::UdpEmpty => "udp-empty",
            Self::UdpOneOctet => "udp-one-octet",
            Self::Udp1400Octets => "udp-1400-octets",
            Self::UdpPrivilegedPort => "udp-privileged-port",
            Self::UdpOwnPort => "udp-own-port",
            Self::Amplification => "amplification",
            Self::OneLine => "one-line",
            Self::PrintableAscii => "printable-ascii",
            Self::Length => "length",
            Self::NoLeak => "no-leak",
            Self::Syntax => "syntax",
            Self::SameSyntax => "same-syntax",
            Self::Health => "health",
            Self::Clock => "clock",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_name_is_given_twice() {
        let names: HashSet<String> = Probe::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), Probe::ALL.len());
    }
}
