//! What links put before an IP packet, as capture files have it (<https://www.tcpdump.org/linktypes.html>).

const NULL: u32 = 0;
const EN10MB: u32 = 1;
const RAW: u32 = 101;
const LOOP: u32 = 108;
const LINUX_SLL: u32 = 113;
const IPV4: u32 = 228;
const IPV6: u32 = 229;
const LINUX_SLL2: u32 = 276;
/// The number of RAW on OpenBSD and on the others: that of the system's own, which some files have.
const OLD_RAW: [u32; 2] = [12, 14];

/// `ETHERTYPE` of what is read.
const IP_TYPES: [u16; 2] = [0x0800, 0x86dd];
/// Those of a tag, with another type behind it (IEEE 802.1Q).
const TAG_TYPES: [u16; 3] = [0x8100, 0x88a8, 0x9100];

/// True if packets behind a header of this type are found.
pub(super) fn is_read(link_type: u32) -> bool {
    let known = [NULL, EN10MB, RAW, LOOP, LINUX_SLL, IPV4, IPV6, LINUX_SLL2];
    known.contains(&link_type) || OLD_RAW.contains(&link_type)
}

/// The packet in a frame, from the IP header on; `None` where there is something else.
pub(super) fn packet(link_type: u32, frame: &[u8]) -> Option<&[u8]> {
    let packet = match link_type {
        // The family before it is numbered by the system that wrote the file; the packet itself tells.
        NULL | LOOP => frame.get(4..)?,
        EN10MB => behind_type(frame, 12)?,
        // Type, kind and length of the address, address; then what an Ethernet would have.
        LINUX_SLL => behind_type(frame, 14)?,
        LINUX_SLL2 => IP_TYPES.contains(&number(frame, 0)?).then(|| frame.get(20..))??,
        RAW | IPV4 | IPV6 => frame,
        _ if OLD_RAW.contains(&link_type) => frame,
        _ => return None,
    };
    matches!(packet.first()? >> 4, 4 | 6).then_some(packet)
}

/// What stands behind a type of Ethernet at this octet, and behind tags.
fn behind_type(frame: &[u8], mut at: usize) -> Option<&[u8]> {
    while TAG_TYPES.contains(&number(frame, at)?) {
        at += 4;
    }
    IP_TYPES.contains(&number(frame, at)?).then(|| frame.get(at + 2..))?
}

fn number(frame: &[u8], at: usize) -> Option<u16> {
    frame.get(at..)?.first_chunk().copied().map(u16::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PACKET: &[u8] = &[0x45, 1, 2, 3];

    fn behind(header: &[u8]) -> Vec<u8> {
        [header, PACKET].concat()
    }

    #[test]
    fn the_packet_stands_behind_the_header_of_its_link() {
        let ethernet = [0; 12];
        let tagged = [&ethernet[..], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 7, 8, 0]].concat();
        let mut newer = [0; 20];
        newer[..2].copy_from_slice(&[0x86, 0xdd]);
        for (link_type, frame) in [
            (NULL, behind(&[2, 0, 0, 0])),
            (LOOP, behind(&[0, 0, 0, 2])),
            (EN10MB, behind(&[&ethernet[..], &[8, 0]].concat())),
            (EN10MB, behind(&tagged)),
            (LINUX_SLL, behind(&[&[0; 14][..], &[8, 0]].concat())),
            (LINUX_SLL2, behind(&newer)),
            (RAW, behind(&[])),
            (12, behind(&[])),
        ] {
            assert!(is_read(link_type));
            assert_eq!(packet(link_type, &frame), Some(PACKET), "{link_type}");
        }
    }

    #[test]
    fn what_is_no_ip_packet_is_passed_over() {
        let arp = [&[0; 12][..], &[8, 6, 0, 1]].concat();
        assert_eq!(packet(EN10MB, &arp), None);
        assert_eq!(packet(RAW, &[0x10]), None);
        assert_eq!(packet(127, PACKET), None);
        assert!(!is_read(127));
    }

    proptest! {
        #[test]
        fn no_frame_panics(link_type in 0..300_u32, frame: Vec<u8>) {
            packet(link_type, &frame);
        }
    }
}
