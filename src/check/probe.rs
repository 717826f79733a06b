//! All probes, with the names that scripts see.

named! {
    /// A test of one aspect of a server's behaviour. The variants are in report order.
    #[non_exhaustive]
    pub enum Probe {
        /// `tcp-ipv4`: the server answers over TCP on its IPv4 addresses.
        TcpIpv4 = "tcp-ipv4",
        /// `tcp-ipv6`: the server answers over TCP on its IPv6 addresses.
        TcpIpv6 = "tcp-ipv6",
        /// `udp-ipv4`: the server answers over UDP on its IPv4 addresses.
        UdpIpv4 = "udp-ipv4",
        /// `udp-ipv6`: the server answers over UDP on its IPv6 addresses.
        UdpIpv6 = "udp-ipv6",
        /// `tcp-closes`: the server closes the connection after its reply (RFC 867).
        TcpCloses = "tcp-closes",
        /// `tcp-crlf-first`: a client that sends CR LF before it reads gets the complete reply and no reset.
        TcpCrlfFirst = "tcp-crlf-first",
        /// `tcp-64k-first`: a client that sends 64 KiB before it reads gets the complete reply and no reset.
        Tcp64kFirst = "tcp-64k-first",
        /// `tcp-half-close`: a client that half-closes before it reads gets the complete reply.
        TcpHalfClose = "tcp-half-close",
        /// `udp-empty`: an empty datagram gets exactly one datagram.
        UdpEmpty = "udp-empty",
        /// `udp-one-octet`: a datagram of 1 octet gets exactly one datagram, a reply in the usual form.
        UdpOneOctet = "udp-one-octet",
        /// `udp-1400-octets`: a datagram of 1400 octets gets exactly one datagram, a reply in the usual form.
        Udp1400Octets = "udp-1400-octets",
        /// `udp-privileged-port`: a query from a port below 1024 gets no answer.
        UdpPrivilegedPort = "udp-privileged-port",
        /// `udp-own-port`: a query whose source port is the server's own port number gets no answer.
        UdpOwnPort = "udp-own-port",
        /// `amplification`: a query gets at most one datagram, of at most 512 octets.
        Amplification = "amplification",
        /// `one-line`: the reply is one line (RFC 867).
        OneLine = "one-line",
        /// `printable-ascii`: the reply contains only printable ASCII, space, CR and LF (RFC 867).
        PrintableAscii = "printable-ascii",
        /// `length`: the reply is at most 512 octets long.
        Length = "length",
        /// `no-leak`: no binary octets follow the line. Such octets may come from the server's memory.
        NoLeak = "no-leak",
        /// `syntax`: the reply has a known form and contains a time.
        Syntax = "syntax",
        /// `same-syntax`: the replies over TCP and UDP have the same form.
        SameSyntax = "same-syntax",
        /// `health`: the reply does not report the server as unhealthy, and does not contradict itself.
        Health = "health",
        /// `clock`: the server's clock and the local clock agree within the measurement's uncertainty.
        Clock = "clock",
    }
}

impl Probe {
    /// Whether this probe checks only that the server can be reached.
    pub(crate) fn is_reach(self) -> bool {
        matches!(self, Self::TcpIpv4 | Self::TcpIpv6 | Self::UdpIpv4 | Self::UdpIpv6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_probe_has_a_different_name() {
        let names: HashSet<String> = Probe::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), Probe::ALL.len());
    }
}
