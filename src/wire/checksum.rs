//! Completes checksums that the kernel leaves to the network card (checksum offload).
//!
//! A capture sees a packet before the network card does, and on loopback there is no card. Instead
//! of the TCP or UDP checksum, such a packet may contain only the pseudo-header's sum. Other
//! programs would report the packet as damaged.

use etherparse::checksum::Sum16BitWords;
use etherparse::{IpNumber, LaxIpSlice};
use std::net::IpAddr;

/// Completes the checksum of a packet that is neither truncated nor fragmented, if the checksum
/// contains only the pseudo-header's sum. Leaves any other checksum unchanged, whether right or
/// wrong.
pub(crate) fn complete(packet: &mut [u8]) {
    let Some((at, checksum)) = missing(packet) else { return };
    if let Some(field) = packet.get_mut(at..at + 2) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
}

/// Returns the checksum's position and complete value, or `None` if the checksum must not be
/// changed.
fn missing(packet: &[u8]) -> Option<(usize, u16)> {
    let (ip, _) = LaxIpSlice::from_slice(packet).ok()?;
    let inside = ip.payload();
    let segment = inside.payload;
    let field = match inside.ip_number {
        IpNumber::TCP => 16,
        IpNumber::UDP => 6,
        _ => return None,
    };
    if inside.incomplete || inside.fragmented {
        return None;
    }
    let pseudo = pseudo_header(&ip, inside.ip_number, segment.len())?;
    // Checksums are in network byte order, as etherparse returns them.
    let partial = !pseudo.ones_complement();
    let there = u16::from_ne_bytes(*segment.get(field..)?.first_chunk()?);
    if there != partial {
        return None;
    }
    let sum = pseudo.add_slice(segment.get(..field)?).add_slice(segment.get(field + 2..)?);
    let sum = match inside.ip_number {
        // In UDP, a checksum field of 0 means "no checksum" (RFC 768).
        IpNumber::UDP => sum.to_ones_complement_with_no_zero(),
        _ => sum.ones_complement(),
    };
    let before = segment.as_ptr().addr() - packet.as_ptr().addr();
    Some((before + field, u16::from_be(sum)))
}

/// Returns the pseudo-header's sum. RFC 9293, section 3.1, and RFC 8200, section 8.1, define the
/// pseudo-header.
fn pseudo_header(ip: &LaxIpSlice, protocol: IpNumber, octets: usize) -> Option<Sum16BitWords> {
    let octets = u32::try_from(octets).ok()?;
    let mut sum = Sum16BitWords::new();
    for address in [ip.source_addr(), ip.destination_addr()] {
        sum = match address {
            IpAddr::V4(v4) => sum.add_4bytes(v4.octets()),
            IpAddr::V6(v6) => sum.add_16bytes(v6.octets()),
        };
    }
    Some(sum.add_4bytes(octets.to_be_bytes()).add_2bytes([0, protocol.0]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::PacketBuilder;
    use proptest::prelude::*;

    /// Returns sample packets, each with its checksum's position.
    fn packets(payload: &[u8]) -> Vec<(Vec<u8>, usize)> {
        let v4 = || PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64);
        let v6 = || PacketBuilder::ipv6([1; 16], [2; 16], 64);
        let mut octets = [(); 4].map(|()| Vec::new());
        let [udp, tcp, udp6, tcp6] = &mut octets;
        v4().udp(13, 40000).write(udp, payload).expect("written");
        v4().tcp(13, 40000, 7, 512).fin().write(tcp, payload).expect("written");
        v6().udp(13, 40000).write(udp6, payload).expect("written");
        v6().tcp(13, 40000, 7, 512).fin().write(tcp6, payload).expect("written");
        octets.into_iter().zip([20 + 6, 20 + 16, 40 + 6, 40 + 16]).collect()
    }

    /// Replaces the checksum with the pseudo-header's sum, as a kernel does when it leaves the rest
    /// to the network card.
    fn begin(packet: &mut [u8], at: usize) {
        let (ip, _) = LaxIpSlice::from_slice(packet).expect("an IP header");
        let (protocol, octets) = (ip.payload().ip_number, ip.payload().payload.len());
        let sum = !pseudo_header(&ip, protocol, octets).expect("short").ones_complement();
        packet[at..at + 2].copy_from_slice(&sum.to_ne_bytes());
    }

    proptest! {
        #[test]
        fn an_unfinished_checksum_is_completed(payload: Vec<u8>) {
            for (whole, at) in packets(&payload) {
                let mut packet = whole.clone();
                begin(&mut packet, at);
                complete(&mut packet);
                prop_assert_eq!(packet, whole);
            }
        }

        #[test]
        fn no_octets_panic(mut octets: Vec<u8>) {
            complete(&mut octets);
        }
    }

    #[test]
    fn the_unfinished_checksum_is_the_sum_of_the_pseudo_header() {
        // The pseudo-header's sum is 0a00 + 0001 + 0a00 + 0002 + 0011 + 000c.
        let (mut packet, at) = packets(b"noon").swap_remove(0);
        begin(&mut packet, at);
        assert_eq!(packet[at..at + 2], [0x14, 0x20]);
    }

    #[test]
    fn a_wrong_checksum_stays_wrong() {
        for (whole, at) in packets(b"noon") {
            let mut packet = whole;
            packet[at] ^= 1;
            let wrong = packet.clone();
            complete(&mut packet);
            assert_eq!(packet, wrong);
        }
    }
}
