//! Ethernet frames that carry IPv4 packets.

use crate::trace::HostId;
use smoltcp::wire::{IpProtocol, Ipv4Packet, UdpPacket};

/// Length in octets of the Ethernet header: two addresses and the protocol number.
const HEADER: usize = 14;
/// Protocol number of IPv4 in the Ethernet header.
const IPV4: [u8; 2] = [0x08, 0x00];
/// Destination port of probes: the discard port (RFC 863). A probe is a datagram that only shows that a cable works.
pub(super) const DISCARD: u16 = 9;

/// Returns the hardware address (MAC address) of a host's end of its cable.
pub(super) fn hardware(host: HostId) -> [u8; 6] {
    [2, 0, 0, 0, 0, u8::try_from(host.0 + 1).unwrap_or(u8::MAX)]
}

/// Wraps a packet in an Ethernet frame.
pub(super) fn wrap(from: HostId, to: HostId, packet: &[u8]) -> Vec<u8> {
    [&hardware(to)[..], &hardware(from), &IPV4, packet].concat()
}

/// Returns the IPv4 packet that a frame carries, without the frame's padding. Returns `None` unless the packet is TCP,
/// UDP or ICMP.
pub(super) fn packet(frame: &mut [u8]) -> Option<&mut [u8]> {
    let (header, packet) = frame.split_at_mut_checked(HEADER)?;
    let ip = Ipv4Packet::new_checked(&packet).ok()?;
    let known = [IpProtocol::Icmp, IpProtocol::Tcp, IpProtocol::Udp].contains(&ip.next_header());
    let octets = usize::from(ip.total_len());
    (known && header.ends_with(&IPV4)).then(|| &mut packet[..octets])
}

/// Returns whether a packet is a probe.
pub(super) fn is_probe(packet: &[u8]) -> bool {
    let Ok(ip) = Ipv4Packet::new_checked(packet) else { return false };
    ip.next_header() == IpProtocol::Udp
        && UdpPacket::new_checked(ip.payload()).is_ok_and(|udp| udp.dst_port() == DISCARD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::packet::empty_datagram;
    use std::net::SocketAddrV4;

    fn addresses() -> (SocketAddrV4, SocketAddrV4) {
        let [from, to] = super::super::ADDRESSES.map(|address| SocketAddrV4::new(address, 13));
        (from, to)
    }

    #[test]
    fn a_packet_is_taken_out_of_its_frame_without_padding() {
        let (from, to) = addresses();
        let datagram = empty_datagram(from, to);
        assert_eq!(datagram.len(), 28);
        let mut frame = wrap(HostId(0), HostId(1), &datagram);
        frame.resize(60, 0); // Ethernet pads a frame to at least 60 octets before its checksum
        assert_eq!(packet(&mut frame), Some(&mut datagram.clone()[..]));
    }

    #[test]
    fn a_frame_without_ipv4_has_no_packet() {
        let (from, to) = addresses();
        let mut frame = wrap(HostId(0), HostId(1), &empty_datagram(from, to));
        frame[12..14].copy_from_slice(&[0x08, 0x06]); // 0x0806 means ARP
        assert_eq!(packet(&mut frame), None);
        assert_eq!(packet(&mut [0; 13]), None);
        for cut in 0..42 {
            let mut frame = wrap(HostId(0), HostId(1), &empty_datagram(from, to));
            frame.truncate(cut);
            assert_eq!(packet(&mut frame), None, "{cut} octets");
        }
    }

    #[test]
    fn a_probe_is_known_by_its_port() {
        let (from, to) = addresses();
        assert!(!is_probe(&empty_datagram(from, to)));
        assert!(is_probe(&empty_datagram(from, SocketAddrV4::new(*to.ip(), DISCARD))));
    }
}
