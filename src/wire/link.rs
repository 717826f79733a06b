//! Removes the link-layer header before an IP packet (<https://www.tcpdump.org/linktypes.html>).

const NULL: u32 = 0;
const EN10MB: u32 = 1;
/// Link type for frames that start with the IP header.
pub(super) const RAW: u32 = 101;
const LOOP: u32 = 108;
const LINUX_SLL: u32 = 113;
const IPV4: u32 = 228;
const IPV6: u32 = 229;
const LINUX_SLL2: u32 = 276;
/// Other numbers for RAW, found in files whose link type is the system's own number: 14 on OpenBSD,
/// 12 on other systems.
const OLD_RAW: [u32; 2] = [12, 14];

/// EtherTypes that this program reads: IPv4 and IPv6.
const IP_TYPES: [u16; 2] = [0x0800, 0x86dd];
/// EtherTypes that mark a VLAN tag. Another EtherType follows the tag (IEEE 802.1Q).
const TAG_TYPES: [u16; 3] = [0x8100, 0x88a8, 0x9100];

/// Whether this program can read packets with this link type.
pub(super) fn is_read(link_type: u32) -> bool {
    let known = [NULL, EN10MB, RAW, LOOP, LINUX_SLL, IPV4, IPV6, LINUX_SLL2];
    known.contains(&link_type) || OLD_RAW.contains(&link_type)
}

/// Returns the IP packet in a frame, or `None` if the frame contains another protocol.
pub(super) fn packet(link_type: u32, frame: &[u8]) -> Option<&[u8]> {
    let packet = match link_type {
        // The number of the address family before the packet differs between systems, so the
        // version in the IP header decides.
        NULL | LOOP => frame.get(4..)?,
        EN10MB => after_tags(number(frame, 12)?, frame.get(14..)?)?,
        // This header has three two-octet fields (packet type, hardware type, address length), an
        // eight-octet address, and an EtherType.
        LINUX_SLL => after_tags(number(frame, 14)?, frame.get(16..)?)?,
        // This header has a two-octet EtherType, two reserved octets, a four-octet interface index,
        // and twelve octets about the link-layer address.
        LINUX_SLL2 => after_tags(number(frame, 0)?, frame.get(20..)?)?,
        RAW | IPV4 | IPV6 => frame,
        _ if OLD_RAW.contains(&link_type) => frame,
        _ => return None,
    };
    matches!(packet.first()? >> 4, 4 | 6).then_some(packet)
}

/// Returns the index of the interface through which a packet passed. Only a capture on all
/// interfaces records this index.
pub(super) fn passed_interface(link_type: u32, frame: &[u8]) -> Option<u32> {
    let index = frame.get(4..).filter(|_| link_type == LINUX_SLL2)?;
    index.first_chunk().copied().map(u32::from_be_bytes)
}

/// Skips the VLAN tags in an Ethernet frame. After a tag's EtherType come two octets of tag data
/// and another EtherType.
fn after_tags(mut kind: u16, mut frame: &[u8]) -> Option<&[u8]> {
    while TAG_TYPES.contains(&kind) {
        (kind, frame) = (number(frame, 2)?, frame.get(4..)?);
    }
    IP_TYPES.contains(&kind).then_some(frame)
}

fn number(frame: &[u8], at: usize) -> Option<u16> {
    frame.get(at..)?.first_chunk().copied().map(u16::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PACKET: &[u8] = &[0x45, 1, 2, 3];

    fn with_header(header: &[u8]) -> Vec<u8> {
        [header, PACKET].concat()
    }

    #[test]
    fn the_header_of_each_link_type_is_removed() {
        let ethernet = [0; 12];
        let tagged = [&ethernet[..], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 7, 8, 0]].concat();
        let mut newer = [0; 20];
        newer[..8].copy_from_slice(&[0x86, 0xdd, 0, 0, 0, 0, 1, 7]);
        let mut newer_tagged = [newer.as_slice(), &[0, 5, 8, 0]].concat();
        newer_tagged[..2].copy_from_slice(&[0x81, 0]);
        for (link_type, frame) in [
            (NULL, with_header(&[2, 0, 0, 0])),
            (LOOP, with_header(&[0, 0, 0, 2])),
            (EN10MB, with_header(&[&ethernet[..], &[8, 0]].concat())),
            (EN10MB, with_header(&tagged)),
            (LINUX_SLL, with_header(&[&[0; 14][..], &[8, 0]].concat())),
            (LINUX_SLL2, with_header(&newer)),
            (LINUX_SLL2, with_header(&newer_tagged)),
            (RAW, with_header(&[])),
            (12, with_header(&[])),
        ] {
            assert!(is_read(link_type));
            assert_eq!(packet(link_type, &frame), Some(PACKET), "{link_type}");
            let index = (link_type == LINUX_SLL2).then_some(0x107);
            assert_eq!(passed_interface(link_type, &frame), index, "{link_type}");
        }
    }

    #[test]
    fn a_frame_without_an_ip_packet_is_skipped() {
        let arp = [&[0; 12][..], &[8, 6, 0, 1]].concat();
        // The frame `session` is PPPoE. The frame `snap` is LLC with SNAP, which has a length in
        // place of the EtherType.
        let session =
            [&[0; 12][..], &[0x88, 0x64, 0x11, 0, 0, 1], &[0, 6, 0, 0x21], PACKET].concat();
        let snap = [&[0; 12][..], &[0, 12, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0], PACKET].concat();
        for frame in [arp, session, snap] {
            assert_eq!(packet(EN10MB, &frame), None);
        }
        assert_eq!(packet(RAW, &[0x10]), None);
        assert_eq!(packet(127, PACKET), None);
        assert!(!is_read(127));
    }

    proptest! {
        #[test]
        fn no_frame_panics(link_type in 0..300_u32, frame: Vec<u8>) {
            packet(link_type, &frame);
            passed_interface(link_type, &frame);
        }
    }
}
