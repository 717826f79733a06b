//! The guard: decides which datagrams get no answer. This module uses no sockets.
//!
//! The sender of a datagram can forge its source address, so the reply may go to a victim. Two services that answer
//! each other's replies never stop: CERT CA-1996-01 ("UDP Port Denial-of-Service Attack"), CVE-1999-0103, and
//! CVE-2024-2169 ("Loop DoS"), which names Daytime. To limit what an attacker gains from a forged address, the reply is
//! only one line in one datagram. To prevent loops, the guard rejects each datagram that may come from a service, or
//! whose content is itself a reply (`content.rs`).

use super::content;
use crate::metrics::Event;
use crate::sys::{LOOPBACK_INTERFACE, Received};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

options! {
    /// Options of the guard, which decides whether the server answers a datagram.
    ///
    /// ```
    /// let guard = daytime::server::GuardOptions::default().no_amplification(true);
    /// assert!(guard.no_amplification && !guard.answer_privileged_ports);
    /// ```
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct GuardOptions {
        /// Whether to answer datagrams from ports 1 to 1023. Most services send from these ports, and so do some old
        /// clients.
        pub answer_privileged_ports: bool,
        /// Whether to answer only datagrams that are at least as long as the reply. With this
        /// option, an attacker who forges addresses gains no amplification.
        pub no_amplification: bool,
    }
}

/// The guard: the rules that decide whether the server answers a datagram.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    options: GuardOptions,
    /// Ports of this service. The guard rejects datagrams from these ports, because two of the
    /// service's sockets could answer each other.
    ports: Vec<u16>,
    /// Broadcast addresses of this host's interfaces, as of the start. Addresses that are added
    /// later do no harm: the kernel refuses to send to them, because no socket of the service has
    /// `SO_BROADCAST` (ip(7)).
    broadcasts: Vec<Ipv4Addr>,
}

/// Port on which NFS servers listen, and from which they also send.
const NFS: u16 = 2049;

impl Guard {
    pub(crate) fn new(options: GuardOptions, ports: Vec<u16>, broadcasts: Vec<Ipv4Addr>) -> Self {
        Self { options, ports, broadcasts }
    }

    /// Checks the ports and addresses of a datagram. `local` is the address of the socket. The
    /// error is the event that counts the ignored datagram.
    pub(crate) fn admit(&self, datagram: &Received, local: SocketAddr) -> Result<(), Event> {
        let privileged = !self.options.answer_privileged_ports;
        match datagram.peer.port() {
            0 => Err(Event::UdpPortZero),
            port if self.ports.contains(&port) => Err(Event::UdpPortOwn),
            1..1024 if privileged => Err(Event::UdpPortPrivileged),
            NFS => Err(Event::UdpPortNfs),
            _ if datagram.sent_to_many => Err(Event::UdpSentToMany),
            _ => self.source(datagram, local).map_or(Ok(()), Err),
        }
    }

    /// Checks the length of a datagram if the options forbid amplification.
    pub(crate) fn admit_length(&self, octets: usize, reply_octets: usize) -> Result<(), Event> {
        let is_short = self.options.no_amplification && octets < reply_octets;
        if is_short { Err(Event::UdpTooShort) } else { Ok(()) }
    }

    /// If the server must ignore a datagram because of its source, returns the event that counts it. A loopback
    /// source is trusted in two cases. First, the kernel reports that the datagram arrived over the
    /// loopback interface. Second, the socket is bound to a loopback address: in that case the
    /// kernel drops loopback sources from outside (`ip_route_input_slow`, unless `route_localnet`).
    fn source(&self, datagram: &Received, local: SocketAddr) -> Option<Event> {
        let over_loopback =
            datagram.destination.is_some_and(|it| it.interface == LOOPBACK_INTERFACE);
        let trusted = over_loopback || in_ipv4(local.ip()).is_loopback();
        let loopback = (!trusted).then_some(Event::UdpSourceLoopback);
        match in_ipv4(datagram.peer.ip()) {
            IpAddr::V4(v4) if v4.is_loopback() => loopback,
            IpAddr::V4(v4) => self.no_host_v4(v4).then_some(Event::UdpSourceNoHost),
            IpAddr::V6(v6) if v6.is_loopback() => loopback,
            IpAddr::V6(v6) => {
                let no_host = v6.is_unspecified() || v6.is_multicast();
                no_host.then_some(Event::UdpSourceNoHost)
            }
        }
    }

    /// Whether this address cannot belong to a single host: multicast, broadcast, or 0/8. The block
    /// 0/8 means "this network" and includes the unspecified address (RFC 1122, 3.2.1.3).
    fn no_host_v4(&self, address: Ipv4Addr) -> bool {
        address.octets()[0] == 0
            || address.is_multicast()
            || address.is_broadcast()
            || self.broadcasts.contains(&address)
    }
}

/// Checks the content of a datagram, which may be truncated. `reply` is the reply that the service
/// would send.
pub(crate) fn admit_content(content: &[u8], reply: &[u8]) -> Result<(), Event> {
    let is_reply = !content.is_empty() && content::is_reply(content, reply);
    if is_reply { Err(Event::UdpContentIsReply) } else { Ok(()) }
}

/// Converts an IPv6 address that embeds an IPv4 address to IPv4. Such addresses are mapped
/// (`::ffff:192.0.2.1`, RFC 4291, 2.5.5.2) or compatible (`::192.0.2.1`, 2.5.5.1, deprecated).
fn in_ipv4(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let has_no_ipv4 = v6 == Ipv6Addr::UNSPECIFIED || v6 == Ipv6Addr::LOCALHOST;
    if has_no_ipv4 { address } else { v6.to_ipv4().map_or(address, IpAddr::V4) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Destination;

    const LAN: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 255);

    fn from(peer: &str) -> Received {
        let peer = peer.parse().expect("peer");
        Received { peer, octets: 0, sent_to_many: false, destination: None }
    }

    fn decide_with(options: GuardOptions, peer: &str, local: &str) -> Result<(), Event> {
        let local: SocketAddr = local.parse().expect("local");
        Guard::new(options, vec![local.port(), 9998], vec![LAN]).admit(&from(peer), local)
    }

    fn decide(peer: &str, local: &str) -> Result<(), Event> {
        decide_with(GuardOptions::default(), peer, local)
    }

    #[test]
    fn an_ordinary_client_is_answered() {
        for peer in ["192.0.2.1:40000", "192.0.2.1:1024", "[2001:db8::1]:40000", "[fe80::1]:40000"]
        {
            assert_eq!(decide(peer, "192.0.2.7:13"), Ok(()), "{peer}");
        }
        assert_eq!(decide("192.0.2.1:40000", "[::]:13"), Ok(()));
        assert_eq!(decide("[::ffff:192.0.2.1]:40000", "[::]:13"), Ok(()));
    }

    #[test]
    fn a_port_that_a_service_may_have_is_not_answered() {
        let local = "192.0.2.7:9999";
        for (port, event) in [
            (0, Event::UdpPortZero),
            (1, Event::UdpPortPrivileged),
            (7, Event::UdpPortPrivileged),
            (13, Event::UdpPortPrivileged),
            (19, Event::UdpPortPrivileged),
            (1023, Event::UdpPortPrivileged),
            (2049, Event::UdpPortNfs),
            (9999, Event::UdpPortOwn),
            (9998, Event::UdpPortOwn), // another socket of this service has this port
        ] {
            assert_eq!(decide(&format!("192.0.2.1:{port}"), local), Err(event));
        }
    }

    #[test]
    fn privileged_ports_are_answered_on_request_except_0_and_the_services_own() {
        let options = GuardOptions { answer_privileged_ports: true, ..GuardOptions::default() };
        let decide = |peer: &str| decide_with(options, peer, "192.0.2.7:13");
        assert_eq!(decide("192.0.2.1:1"), Ok(()));
        assert_eq!(decide("192.0.2.1:1023"), Ok(()));
        assert_eq!(decide("192.0.2.1:0"), Err(Event::UdpPortZero));
        assert_eq!(decide("192.0.2.1:13"), Err(Event::UdpPortOwn));
        assert_eq!(decide("192.0.2.1:2049"), Err(Event::UdpPortNfs));
    }

    #[test]
    fn a_source_that_is_not_a_single_host_is_not_answered() {
        for source in [
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "239.255.255.255",
            "255.255.255.255",
            "198.51.100.255", // this is the broadcast address of the LAN
            "[::]",
            "[ff02::1]",
            "[::ffff:224.0.0.1]",
            "[::ffff:255.255.255.255]",
            "[::ffff:0.0.0.0]",
            "[::ffff:198.51.100.255]",
            "[::224.0.0.1]",
            "[::255.255.255.255]",
            "[::0.1.2.3]",
        ] {
            let ignored = Err(Event::UdpSourceNoHost);
            assert_eq!(decide(&format!("{source}:40000"), "[::]:13"), ignored, "{source}");
        }
    }

    #[test]
    fn loopback_is_answered_on_loopback_only() {
        let ignored = Err(Event::UdpSourceLoopback);
        for source in
            ["127.0.0.1", "127.255.255.255", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[::1]"]
        {
            let peer = format!("{source}:40000");
            for local in ["192.0.2.7:13", "0.0.0.0:13", "[::]:13", "[2001:db8::1]:13"] {
                assert_eq!(decide(&peer, local), ignored, "{peer} to {local}");
            }
            for local in ["127.0.0.1:13", "127.0.0.2:13", "[::1]:13", "[::ffff:127.0.0.1]:13"] {
                assert_eq!(decide(&peer, local), Ok(()), "{peer} to {local}");
            }
        }
    }

    #[test]
    fn a_datagram_to_a_broadcast_or_multicast_address_is_not_answered() {
        let datagram = Received { sent_to_many: true, ..from("192.0.2.1:40000") };
        let local = "0.0.0.0:13".parse().expect("local");
        let guard = Guard::new(GuardOptions::default(), vec![13], Vec::new());
        assert_eq!(guard.admit(&datagram, local), Err(Event::UdpSentToMany));
    }

    #[test]
    fn a_loopback_source_is_trusted_over_the_loopback_interface() {
        let decide = |peer: &str, interface| {
            let local: SocketAddr = "[::]:13".parse().expect("local");
            let destination = Some(Destination { address: local.ip(), interface });
            let datagram = Received { destination, ..from(peer) };
            Guard::new(GuardOptions::default(), vec![13], vec![LAN]).admit(&datagram, local)
        };
        for peer in ["127.0.0.1:40000", "[::ffff:127.0.0.1]:40000", "[::1]:40000"] {
            assert_eq!(decide(peer, LOOPBACK_INTERFACE), Ok(()), "{peer}");
            let ignored = Err(Event::UdpSourceLoopback);
            assert_eq!(decide(peer, LOOPBACK_INTERFACE + 1), ignored, "{peer}");
        }
        let broadcast = Err(Event::UdpSourceNoHost);
        assert_eq!(decide("198.51.100.255:40000", LOOPBACK_INTERFACE), broadcast);
    }

    #[test]
    fn without_amplification_a_question_is_as_long_as_the_reply() {
        let options = GuardOptions { no_amplification: true, ..GuardOptions::default() };
        let guard = Guard::new(options, vec![13], Vec::new());
        let short = Err(Event::UdpTooShort);
        assert_eq!(guard.admit_length(39, 40), short);
        assert_eq!(guard.admit_length(40, 40), Ok(()));
        let usual = Guard::new(GuardOptions::default(), vec![13], Vec::new());
        assert_eq!(usual.admit_length(0, 40), Ok(()));
    }

    #[test]
    fn a_reply_is_not_answered_and_a_question_is() {
        let reply = b"Wednesday, November 25, 2026 10:44:03-UTC\r\n";
        let is_reply = Err(Event::UdpContentIsReply);
        assert_eq!(admit_content(b"Sun Feb 29 00:00:00 2004\n", reply), is_reply);
        assert_eq!(admit_content(b"", reply), Ok(()));
        assert_eq!(admit_content(b"?", reply), Ok(()));
    }
}
