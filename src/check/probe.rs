//! Every probe, as a list: its name for scripts.

named! {
    /// What is asked of a server, in the order in which a check reports it.
    #[non_exhaustive]
    pub enum Probe {
        /// `tcp-ipv4`: it answers over TCP on its IPv4 addresses.
        TcpIpv4 = "tcp-ipv4",
        /// `tcp-ipv6`: it answers over TCP on its IPv6 addresses.
        TcpIpv6 = "tcp-ipv6",
        /// `udp-ipv4`: it answers over UDP on its IPv4 addresses.
        UdpIpv4 = "udp-ipv4",
        /// `udp-ipv6`: it answers over UDP on its IPv6 addresses.
        UdpIpv6 = "udp-ipv6",
        /// `tcp-closes`: it ends the stream by itself (RFC 867).
        TcpCloses = "tcp-closes",
        /// `tcp-crlf-first`: a client that sends CR LF before it reads gets the line and a clean end.
        TcpCrlfFirst = "tcp-crlf-first",
        /// `tcp-64k-first`: the same after 64 KiB.
        Tcp64kFirst = "tcp-64k-first",
        /// `tcp-half-close`: a client that closes its direction at once gets the line.
        TcpHalfClose = "tcp-half-close",
        /// `udp-empty`: one datagram answers an empty one.
        UdpEmpty = "udp-empty",
        /// `udp-one-octet`: one datagram answers one octet, alike.
        UdpOneOctet = "udp-one-octet",
        /// `udp-1400-octets`: one datagram answers 1400 octets, alike.
        Udp1400Octets = "udp-1400-octets",
        /// `udp-privileged-port`: a question from a port below 1024 gets no answer.
        UdpPrivilegedPort = "udp-privileged-port",
        /// `udp-own-port`: a question from the port of the service gets no answer.
        UdpOwnPort = "udp-own-port",
        /// `amplification`: at most one datagram of at most 512 octets for a question.
        Amplification = "amplification",
        /// `one-line`: the reply is one line (RFC 867).
        OneLine = "one-line",
        /// `printable-ascii`: it is printable ASCII, space, CR and LF (RFC 867).
        PrintableAscii = "printable-ascii",
        /// `length`: it has at most 512 octets.
        Length = "length",
        /// `no-leak`: no octets stand behind the line that are no text.
        NoLeak = "no-leak",
        /// `syntax`: a time can be read in it.
        Syntax = "syntax",
        /// `same-syntax`: both transports have the same one.
        SameSyntax = "same-syntax",
        /// `health`: it does not report itself unhealthy, nor contradict itself.
        Health = "health",
        /// `clock`: its clock and the local one agree, as far as the reply can tell.
        Clock = "clock",
    }
}

impl Probe {
    /// Whether it asks for nothing but an answer.
    pub(super) fn is_reach(self) -> bool {
        matches!(self, Self::TcpIpv4 | Self::TcpIpv6 | Self::UdpIpv4 | Self::UdpIpv6)
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
