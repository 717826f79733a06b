//! Ethernet frames with IPv4 in them, and what there is to see in the packet.

use crate::trace::HostId;
use smoltcp::wire::{
    Icmpv4DstUnreachable, Icmpv4Message, Icmpv4Packet, IpAddress, IpProtocol, Ipv4Packet,
    TcpPacket, UdpPacket,
};
use std::net::{Ipv4Addr, SocketAddrV4};

/// Octets before the packet: two addresses and the protocol.
const HEADER: usize = 14;
/// The protocol IPv4 in that header.
const IPV4: [u8; 2] = [0x08, 0x00];
/// The discard port (RFC 863): what goes there only shows that the way is open.
pub(super) const DISCARD: u16 = 9;

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::lab) enum Kind {
    /// With so many octets for the application.
    Segment(Flag, usize),
    /// With so many octets for the application.
    Datagram(usize),
    /// ICMP says that nobody has the port that a datagram was sent to.
    PortUnreachable,
    Other,
}

/// What a TCP segment is there for besides its octets (RFC 9293, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::lab) enum Flag {
    /// Acknowledges only.
    Ack,
    Fin,
    Rst,
    Syn,
    SynAck,
}

/// The address that a host's end of the cable has.
pub(super) fn hardware(host: HostId) -> [u8; 6] {
    [2, 0, 0, 0, 0, u8::try_from(host.0 + 1).unwrap_or(u8::MAX)]
}

/// Puts a packet into a frame.
pub(super) fn wrap(from: HostId, to: HostId, packet: &[u8]) -> Vec<u8> {
    [&hardware(to)[..], &hardware(from), &IPV4, packet].concat()
}

/// The IPv4 packet in a frame, if it is TCP, UDP or ICMP, without what may follow it.
pub(super) fn packet(frame: &mut [u8]) -> Option<&mut [u8]> {
    let (header, packet) = frame.split_at_mut_checked(HEADER)?;
    let ip = Ipv4Packet::new_checked(&packet).ok()?;
    let known = [IpProtocol::Icmp, IpProtocol::Tcp, IpProtocol::Udp].contains(&ip.next_header());
    let octets = usize::from(ip.total_len());
    (known && header.ends_with(&IPV4)).then(|| &mut packet[..octets])
}

/// Makes the checksum whole: a kernel leaves that of a packet on a veth to hardware, which is not there.
pub(super) fn fill_checksum(packet: &mut [u8]) {
    let Ok(mut ip) = Ipv4Packet::new_checked(packet) else { return };
    // A fragment has the checksum of the whole datagram, which is made before it is cut.
    if ip.more_frags() || ip.frag_offset() > 0 {
        return;
    }
    let (from, to) = (IpAddress::from(ip.src_addr()), IpAddress::from(ip.dst_addr()));
    match ip.next_header() {
        IpProtocol::Tcp => {
            if let Ok(mut tcp) = TcpPacket::new_checked(ip.payload_mut()) {
                tcp.fill_checksum(&from, &to);
            }
        }
        IpProtocol::Udp => {
            if let Ok(mut udp) = UdpPacket::new_checked(ip.payload_mut()) {
                udp.fill_checksum(&from, &to);
            }
        }
        _ => {}
    }
}

/// True for what only shows that the way is open.
pub(super) fn is_discarded(packet: &[u8]) -> bool {
    let Ok(ip) = Ipv4Packet::new_checked(packet) else { return false };
    ip.next_header() == IpProtocol::Udp
        && UdpPacket::new_checked(ip.payload()).is_ok_and(|udp| udp.dst_port() == DISCARD)
}

/// What a packet is.
pub(in crate::lab) fn kind(packet: &[u8]) -> Kind {
    let Ok(ip) = Ipv4Packet::new_checked(packet) else { return Kind::Other };
    match ip.next_header() {
        IpProtocol::Tcp => TcpPacket::new_checked(ip.payload())
            .map_or(Kind::Other, |tcp| Kind::Segment(flag(&tcp), tcp.payload().len())),
        IpProtocol::Udp => UdpPacket::new_checked(ip.payload())
            .map_or(Kind::Other, |udp| Kind::Datagram(udp.payload().len())),
        IpProtocol::Icmp => match Icmpv4Packet::new_checked(ip.payload()) {
            Ok(icmp)
                if icmp.msg_type() == Icmpv4Message::DstUnreachable
                    && icmp.msg_code() == u8::from(Icmpv4DstUnreachable::PortUnreachable) =>
            {
                Kind::PortUnreachable
            }
            _ => Kind::Other,
        },
        _ => Kind::Other,
    }
}

fn flag(tcp: &TcpPacket<&[u8]>) -> Flag {
    match (tcp.rst(), tcp.syn(), tcp.ack(), tcp.fin()) {
        (true, ..) => Flag::Rst,
        (_, true, true, _) => Flag::SynAck,
        (_, true, ..) => Flag::Syn,
        (.., true) => Flag::Fin,
        _ => Flag::Ack,
    }
}

impl Kind {
    /// The octets that it carries for the application.
    pub(in crate::lab) fn octets(self) -> usize {
        match self {
            Self::Segment(_, octets) | Self::Datagram(octets) => octets,
            Self::PortUnreachable | Self::Other => 0,
        }
    }

    /// As a student would call it.
    pub(in crate::lab) fn words(self) -> &'static str {
        match self {
            Self::Segment(Flag::Rst, _) => "RST",
            Self::Segment(Flag::SynAck, _) => "SYN-ACK",
            Self::Segment(Flag::Syn, _) => "SYN",
            Self::Segment(Flag::Fin, _) => "FIN",
            Self::Segment(Flag::Ack, 0) => "ACK",
            Self::Segment(Flag::Ack, _) => "octets",
            Self::Datagram(_) => "datagram",
            Self::PortUnreachable => "ICMP port unreachable",
            Self::Other => "other",
        }
    }
}

/// A datagram without octets: 28 octets with its headers.
pub(in crate::lab) fn empty_datagram(from: SocketAddrV4, to: SocketAddrV4) -> Vec<u8> {
    let mut packet = ipv4(IpProtocol::Udp, *from.ip(), *to.ip(), 8);
    let mut udp = UdpPacket::new_unchecked(&mut packet[20..]);
    udp.set_src_port(from.port());
    udp.set_dst_port(to.port());
    udp.set_len(8);
    fill_checksum(&mut packet);
    packet
}

/// The segment that asks for a connection, without options.
pub(in crate::lab) fn syn(from: SocketAddrV4, to: SocketAddrV4) -> Vec<u8> {
    let mut packet = ipv4(IpProtocol::Tcp, *from.ip(), *to.ip(), 20);
    let mut tcp = TcpPacket::new_unchecked(&mut packet[20..]);
    tcp.set_header_len(20);
    tcp.set_src_port(from.port());
    tcp.set_dst_port(to.port());
    tcp.set_syn(true);
    tcp.set_window_len(u16::MAX);
    fill_checksum(&mut packet);
    packet
}

/// An IPv4 packet with room for so many octets, all 0.
fn ipv4(protocol: IpProtocol, from: Ipv4Addr, to: Ipv4Addr, octets: u16) -> Vec<u8> {
    let mut packet = vec![0; 20 + usize::from(octets)];
    let mut ip = Ipv4Packet::new_unchecked(&mut packet);
    ip.set_version(4);
    ip.set_header_len(20);
    ip.set_total_len(20 + octets);
    ip.set_hop_limit(64);
    ip.set_next_header(protocol);
    ip.set_src_addr(from);
    ip.set_dst_addr(to);
    ip.fill_checksum();
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> (SocketAddrV4, SocketAddrV4) {
        let [from, to] = super::super::ADDRESSES.map(|address| SocketAddrV4::new(address, 13));
        (from, to)
    }

    #[test]
    fn a_packet_comes_out_of_its_frame_without_padding() {
        let (from, to) = addresses();
        let datagram = empty_datagram(from, to);
        assert_eq!(datagram.len(), 28);
        let mut frame = wrap(HostId(0), HostId(1), &datagram);
        frame.resize(60, 0); // the least that Ethernet carries
        assert_eq!(packet(&mut frame), Some(&mut datagram.clone()[..]));
    }

    #[test]
    fn what_is_no_ipv4_is_no_packet() {
        let (from, to) = addresses();
        let mut frame = wrap(HostId(0), HostId(1), &empty_datagram(from, to));
        frame[12..14].copy_from_slice(&[0x08, 0x06]); // ARP
        assert_eq!(packet(&mut frame), None);
        assert_eq!(packet(&mut [0; 13]), None);
        for cut in 0..42 {
            let mut frame = wrap(HostId(0), HostId(1), &empty_datagram(from, to));
            frame.truncate(cut);
            assert_eq!(packet(&mut frame), None, "{cut} octets");
        }
    }

    #[test]
    fn a_checksum_is_made_whole() {
        let (from, to) = addresses();
        let (one, other) = (IpAddress::from(*from.ip()), IpAddress::from(*to.ip()));
        let mut segment = syn(from, to);
        segment[36..38].copy_from_slice(&[0x14, 0x2c]); // as a kernel leaves it
        assert!(
            !TcpPacket::new_checked(&segment[20..]).expect("TCP").verify_checksum(&one, &other)
        );
        fill_checksum(&mut segment);
        assert!(TcpPacket::new_checked(&segment[20..]).expect("TCP").verify_checksum(&one, &other));
        let datagram = empty_datagram(from, to);
        assert!(
            UdpPacket::new_checked(&datagram[20..]).expect("UDP").verify_checksum(&one, &other)
        );
        assert!(Ipv4Packet::new_checked(&datagram).expect("IPv4").verify_checksum());
    }

    #[test]
    fn packets_are_told_apart() {
        let (from, to) = addresses();
        assert_eq!(kind(&syn(from, to)).words(), "SYN");
        assert_eq!(kind(&empty_datagram(from, to)), Kind::Datagram(0));
        assert!(!is_discarded(&empty_datagram(from, to)));
        assert!(is_discarded(&empty_datagram(from, SocketAddrV4::new(*to.ip(), DISCARD))));
        let mut icmp = ipv4(IpProtocol::Icmp, *to.ip(), *from.ip(), 8 + 28);
        icmp[20..22].copy_from_slice(&[3, 3]); // RFC 792: destination unreachable, port
        assert_eq!(kind(&icmp).words(), "ICMP port unreachable");
    }
}
