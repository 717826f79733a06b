//! What links put before an IP packet, as capture files have it (<https://www.tcpdump.org/linktypes.html>).

const NULL: u32 = 0;
const EN10MB: u32 = 1;
/// The IP header itself.
pub(super) const RAW: u32 = 101;
const LOOP: u32 = 108;
const LINUX_SLL: u32 = 113;
const IPV4: u32 = 228;
const IPV6: u32 = 229;
const LINUX_SLL2: u32 = 276;
/// The number of RAW on OpenBSD and on the others: that of the system's own, which some files have.
const OLD_RAW: [u32; 2] = [12, 14];

/// The `ETHERTYPE`s that are read.
const IP_TYPES: [u16; 2] = [0x0800, 0x86dd];
/// Those of tags, which another type follows (IEEE 802.1Q).
const TAG_TYPES: [u16; 3] = [0x8100, 0x88a8, 0x9100];

/// Whether packets of this type of link are read.
pub(super) fn is_read(link_type: u32) -> bool {
    let known = [NULL, EN10MB, RAW, LOOP, LINUX_SLL, IPV4, IPV6, LINUX_SLL2];
    known.contains(&link_type) || OLD_RAW.contains(&link_type)
}

/// The packet in a frame, from the IP header on; `None` where there is something else.
pub(super) fn packet(link_type: u32, frame: &[u8]) -> Option<&[u8]> {
    let packet = match link_type {
        // Each system numbers the family before it differently; the packet itself has its version.
        NULL | LOOP => frame.get(4..)?,
        EN10MB => after_tags(number(frame, 12)?, frame.get(14..)?)?,
        // Type, kind and length of the address, address; then what an Ethernet would have.
        LINUX_SLL => after_tags(number(frame, 14)?, frame.get(16..)?)?,
        // What an Ethernet would have; then a reserved number, the interface and its address.
        LINUX_SLL2 => after_tags(number(frame, 0)?, frame.get(20..)?)?,
        RAW | IPV4 | IPV6 => frame,
        _ if OLD_RAW.contains(&link_type) => frame,
        _ => return None,
    };
    matches!(packet.first()? >> 4, 4 | 6).then_some(packet)
}

/// The interface that a packet passed, in a capture of all of them.
pub(super) fn passed_interface(link_type: u32, frame: &[u8]) -> Option<u32> {
    let index = frame.get(4..).filter(|_| link_type == LINUX_SLL2)?;
    index.first_chunk().copied().map(u32::from_be_bytes)
}

/// The packet after the tags of an Ethernet frame: each tag has two octets, and then another type.
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
    fn the_packet_stands_behind_the_header_of_its_link() {
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
    fn what_is_no_ip_packet_is_passed_over() {
        let arp = [&[0; 12][..], &[8, 6, 0, 1]].concat();
        // PPPoE, and LLC with SNAP, which has a length in place of the type.
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
