//! Classifies packets by the terms that a networking course uses (SYN, FIN, datagram), and forges packets.

use crate::transport::PORT;
use crate::wire::decode::{self, Flags, decode};
use etherparse::{IpHeaders, PacketBuilder, PacketBuilderStep};
use std::net::SocketAddrV4;

/// Kind of packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A TCP segment, with the number of application octets that it carries.
    Segment(Control, usize),
    /// A UDP datagram, with the number of application octets that it carries.
    Datagram(usize),
    /// An ICMP message that reports a closed port: a datagram was sent to a port that no socket is bound to.
    PortUnreachable,
    Other,
}

/// Purpose of a TCP segment, as its control bits show (RFC 9293, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    /// The segment has none of the control bits RST, SYN and FIN.
    Ack,
    Fin,
    Rst,
    Syn,
    SynAck,
}

/// Returns a packet's kind. The octets begin with the IP header.
pub(super) fn kind(packet: &[u8]) -> Kind {
    match decode(packet).map(|decoded| decoded.content) {
        Some(decode::Content::Tcp { flags, payload, .. }) => {
            Kind::Segment(control(flags), payload.len())
        }
        Some(decode::Content::Udp { payload }) => Kind::Datagram(payload.len()),
        Some(decode::Content::Icmp { message, .. }) if message == "port unreachable" => {
            Kind::PortUnreachable
        }
        _ => Kind::Other,
    }
}

fn control(flags: Flags) -> Control {
    let has = |flag| flags.contains(flag);
    match (has(Flags::RST), has(Flags::SYN), has(Flags::ACK), has(Flags::FIN)) {
        (true, ..) => Control::Rst,
        (_, true, true, _) => Control::SynAck,
        (_, true, ..) => Control::Syn,
        (.., true) => Control::Fin,
        _ => Control::Ack,
    }
}

impl Kind {
    /// Returns the number of application octets that the packet carries.
    pub(super) fn octets(self) -> usize {
        match self {
            Self::Segment(_, octets) | Self::Datagram(octets) => octets,
            Self::PortUnreachable | Self::Other => 0,
        }
    }

    /// Returns the name that a networking course uses for this kind: `SYN-ACK`, `datagram`.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Segment(Control::Rst, _) => "RST",
            Self::Segment(Control::SynAck, _) => "SYN-ACK",
            Self::Segment(Control::Syn, _) => "SYN",
            Self::Segment(Control::Fin, _) => "FIN",
            Self::Segment(Control::Ack, 0) => "ACK",
            Self::Segment(Control::Ack, _) => "octets",
            Self::Datagram(_) => "datagram",
            Self::PortUnreachable => "ICMP port unreachable",
            Self::Other => "other",
        }
    }
}

/// Returns the client's port: the first of the packet's two ports that is not Daytime's. Returns `None` if there is no
/// such port.
pub(super) fn client_port(packet: &[u8]) -> Option<u16> {
    let decoded = decode(packet)?;
    [decoded.source.port, decoded.destination.port].into_iter().flatten().find(|it| *it != PORT)
}

/// Returns an IP packet with an empty UDP datagram: 28 octets of headers.
pub(super) fn empty_datagram(from: SocketAddrV4, to: SocketAddrV4) -> Vec<u8> {
    datagram(from, to, &[])
}

/// Returns an IP packet with a UDP datagram that carries these octets.
pub(super) fn datagram(from: SocketAddrV4, to: SocketAddrV4, octets: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    // Writing to a Vec cannot fail, and the octets fit into a datagram.
    let _ = ipv4(from, to).udp(from.port(), to.port()).write(&mut packet, octets);
    packet
}

/// Returns an IP packet with a SYN segment without options.
pub(super) fn syn(from: SocketAddrV4, to: SocketAddrV4) -> Vec<u8> {
    let mut packet = Vec::new();
    let segment = ipv4(from, to).tcp(from.port(), to.port(), 0, u16::MAX).syn();
    let _ = segment.write(&mut packet, &[]);
    packet
}

/// Begins an IPv4 packet without header options and with a time to live (TTL) of 64.
fn ipv4(from: SocketAddrV4, to: SocketAddrV4) -> PacketBuilderStep<IpHeaders> {
    PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use smoltcp::wire::{IpAddress, Ipv4Packet, TcpPacket, UdpPacket};

    /// Length in octets of an IPv4 header without options (RFC 791, section 3.1).
    const IP_HEADER: usize = 20;

    fn addresses() -> (SocketAddrV4, SocketAddrV4) {
        ("10.0.0.1:13".parse().expect("address"), "10.0.0.2:13".parse().expect("address"))
    }

    #[test]
    fn what_is_forged_has_right_checksums() {
        let (from, to) = addresses();
        let (one, other) = (IpAddress::from(*from.ip()), IpAddress::from(*to.ip()));
        let (segment, datagram) = (syn(from, to), empty_datagram(from, to));
        assert_eq!((segment.len(), datagram.len()), (40, 28));
        let tcp = TcpPacket::new_checked(&segment[IP_HEADER..]).expect("TCP");
        assert!(tcp.verify_checksum(&one, &other));
        let udp = UdpPacket::new_checked(&datagram[IP_HEADER..]).expect("UDP");
        assert!(udp.verify_checksum(&one, &other) && udp.checksum() != 0);
        for packet in [segment, datagram] {
            assert!(Ipv4Packet::new_checked(&packet).expect("IPv4").verify_checksum());
        }
    }

    #[test]
    fn a_packet_is_known_by_the_clients_port_whichever_way_it_goes() {
        let (_, server) = addresses();
        let client = "10.0.0.1:50000".parse().expect("address");
        assert_eq!(client_port(&syn(client, server)), Some(50_000));
        assert_eq!(client_port(&empty_datagram(server, client)), Some(50_000));
        assert_eq!((client_port(&syn(server, server)), client_port(&[])), (None, None));
    }

    #[test]
    fn packets_are_told_apart() {
        let (from, to) = addresses();
        assert_eq!(kind(&syn(from, to)).words(), "SYN");
        assert_eq!(kind(&empty_datagram(from, to)), Kind::Datagram(0));
        assert_eq!(kind(&datagram(from, to, b"time")), Kind::Datagram(4));
        let mut icmp = Vec::new();
        // Type 3 and code 3 mean "destination unreachable, port unreachable" (RFC 792).
        let unreachable = ipv4(to, from).icmpv4_raw(3, 3, [0; 4]);
        unreachable.write(&mut icmp, &empty_datagram(from, to)).expect("written");
        assert_eq!(kind(&icmp), Kind::PortUnreachable);
        let controls = [
            (Flags::ACK, "ACK"),
            (Flags::SYN | Flags::ACK, "SYN-ACK"),
            (Flags::FIN | Flags::ACK, "FIN"),
            (Flags::RST | Flags::ACK, "RST"),
        ];
        for (flags, words) in controls {
            assert_eq!(Kind::Segment(control(flags), 0).words(), words);
        }
        assert_eq!(kind(&[]), Kind::Other);
    }
}
