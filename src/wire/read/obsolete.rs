//! The Packet Block of the first pcapng files, which Enhanced Packet Blocks have replaced
//! (draft-ietf-opsawg-pcapng, appendix A). pcap-parser does not read it.

/// Its type.
pub(super) const PACKET_BLOCK: u32 = 2;

/// A packet as such a block has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    /// Of its interface in the section.
    pub interface: u32,
    /// Its time in the interface's units.
    pub count: u64,
    /// From the header of its link on.
    pub frame: &'a [u8],
    pub comments: Vec<Vec<u8>>,
}

/// What stands between the lengths of the block; `None` if it is shorter than it says.
pub(super) fn packet(body: &[u8], big_endian: bool) -> Option<Packet<'_>> {
    const FIXED: usize = 20;
    let (head, rest) = body.split_first_chunk::<FIXED>()?;
    let interface = short(head, big_endian)?.into();
    let [high, low, captured] = [4, 8, 12].map(|at| long(&head[at..], big_endian));
    let (count, captured) = (u64::from(high?) << 32 | u64::from(low?), captured? as usize);
    let frame = rest.get(..captured)?;
    let options = rest.get(captured.next_multiple_of(4)..).unwrap_or_default();
    Some(Packet { interface, count, frame, comments: comments(options, big_endian) })
}

/// As far as the options are whole.
fn comments(mut options: &[u8], big_endian: bool) -> Vec<Vec<u8>> {
    const COMMENT: u16 = 1;
    let mut comments = Vec::new();
    while let (Some(code @ 1..), Some(length)) =
        (short(options, big_endian), options.get(2..).and_then(|it| short(it, big_endian)))
    {
        let length = usize::from(length);
        let Some(value) = options.get(4..4 + length) else { break };
        if code == COMMENT {
            comments.push(value.to_vec());
        }
        options = options.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
    }
    comments
}

fn short(octets: &[u8], big_endian: bool) -> Option<u16> {
    let octets = *octets.first_chunk()?;
    Some(if big_endian { u16::from_be_bytes(octets) } else { u16::from_le_bytes(octets) })
}

fn long(octets: &[u8], big_endian: bool) -> Option<u32> {
    let octets = *octets.first_chunk()?;
    Some(if big_endian { u32::from_be_bytes(octets) } else { u32::from_le_bytes(octets) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_has_interface_time_frame_and_comments() {
        // Interface 3, packets lost before it, the time, both lengths.
        let mut little = vec![3, 0, 9, 9, 1, 0, 0, 0, 5, 0, 0, 0, 5, 0, 0, 0, 60, 0, 0, 0];
        little.extend(b"noon!\0\0\0");
        // A hash of the packet, and two comments.
        little.extend([3, 0, 1, 0, 7, 0, 0, 0, 1, 0, 2, 0, b'o', b'n', 0, 0]);
        little.extend([1, 0, 1, 0, b'e', 0, 0, 0, 0, 0, 0, 0]);
        let comments = vec![b"on".to_vec(), b"e".to_vec()];
        let expected = Packet { interface: 3, count: 1 << 32 | 5, frame: b"noon!", comments };
        assert_eq!(packet(&little, false), Some(expected));
        let mut big = vec![0, 3, 9, 9, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0, 5, 0, 0, 0, 60];
        big.extend(b"noon!");
        let expected =
            Packet { interface: 3, count: 1 << 32 | 5, frame: b"noon!", comments: Vec::new() };
        assert_eq!(packet(&big, true), Some(expected));
        assert_eq!(packet(&big[..24], true), None, "it is shorter than it says");
        assert_eq!(packet(&big[..19], true), None);
    }

    proptest! {
        #[test]
        fn no_octets_panic(body: Vec<u8>, big_endian: bool) {
            packet(&body, big_endian);
            comments(&body, big_endian);
        }
    }
}
