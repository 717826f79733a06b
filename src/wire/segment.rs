//! Detects TCP retransmissions (RFC 9293, section 3.4).

use super::decode::{Content, Decoded, Flags};
use std::collections::VecDeque;

/// Maximum number of segments remembered for each direction. A Daytime exchange needs only four.
const MAX_SEGMENTS: usize = 64;

/// A TCP segment's flags and sequence numbers.
#[derive(Debug)]
pub(crate) struct Segment {
    pub flags: Flags,
    begin: u32,
    end: u32,
}

/// The segments that one side of a connection has sent. Each entry is a segment's range of sequence
/// numbers: the first number, and the number after the last.
#[derive(Debug, Default)]
pub(crate) struct SentSegments(VecDeque<(u32, u32)>);

impl Segment {
    pub(crate) fn of(packet: &Decoded) -> Option<Self> {
        let Content::Tcp { flags, sequence, .. } = packet.content else { return None };
        let counted = [Flags::SYN, Flags::FIN].iter().filter(|flag| flags.contains(**flag)).count();
        let length = u32::try_from(packet.carried + counted).unwrap_or(u32::MAX);
        Some(Self { flags, begin: sequence, end: sequence.wrapping_add(length) })
    }
}

impl SentSegments {
    /// Whether the segment starts a new connection between the same ports: the segment is a SYN,
    /// and its sequence numbers are new.
    pub(crate) fn is_new_connection(&self, segment: &Segment) -> bool {
        segment.flags.contains(Flags::SYN) && !self.0.is_empty() && !self.has(segment)
    }

    /// Whether a single earlier segment covers all of this segment's sequence numbers.
    fn has(&self, segment: &Segment) -> bool {
        let length = segment.end.wrapping_sub(segment.begin);
        self.0.iter().any(|(begin, end)| {
            let after = segment.begin.wrapping_sub(*begin);
            u64::from(after) + u64::from(length) <= u64::from(end.wrapping_sub(*begin))
        })
    }

    /// Records a segment. Returns true if it is a retransmission: a single earlier segment covers
    /// all its sequence numbers.
    pub(crate) fn record(&mut self, segment: &Segment) -> bool {
        if segment.begin == segment.end {
            return false;
        }
        if self.is_new_connection(segment) {
            self.0.clear();
        }
        let is_retransmission = self.has(segment);
        if !is_retransmission {
            if self.0.len() == MAX_SEGMENTS {
                self.0.pop_front();
            }
            self.0.push_back((segment.begin, segment.end));
        }
        is_retransmission
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::decode::Endpoint;
    use std::net::Ipv4Addr;

    fn segment(begin: u32, length: u32) -> Segment {
        Segment { flags: Flags::ACK, begin, end: begin.wrapping_add(length) }
    }

    #[test]
    fn octets_sent_before_are_a_retransmission_and_an_ack_is_not() {
        let mut sent = SentSegments::default();
        let mut record = |segment| sent.record(&segment);
        assert!(!record(segment(100, 1)), "the SYN");
        assert!(record(segment(100, 1)), "the same");
        assert!(!record(segment(101, 0)), "an ACK");
        assert!(!record(segment(101, 0)), "another");
        assert!(!record(segment(101, 26)), "the octets");
        assert!(!record(segment(101, 27)), "with the FIN, which is new");
        assert!(record(segment(127, 1)), "the FIN alone");
        assert!(record(segment(105, 4)), "a part of the octets");
    }

    #[test]
    fn a_cut_segment_has_all_its_sequence_numbers() {
        let end = Endpoint { address: Ipv4Addr::LOCALHOST.into(), port: Some(13) };
        let (flags, payload) = (Flags::FIN, b"Mon".to_vec());
        let content = Content::Tcp { flags, sequence: 100, acknowledgement: 0, window: 0, payload };
        let (source, destination, protocol, octets, carried) = (end, end, 6, 80, 40);
        let fragment_of = None;
        let cut = Decoded { source, destination, protocol, content, octets, carried, fragment_of };
        let mut sent = SentSegments::default();
        assert!(!sent.record(&Segment::of(&cut).expect("TCP")));
        assert!(sent.record(&segment(140, 1)), "the FIN alone");
    }

    #[test]
    fn sequence_numbers_wrap() {
        let mut sent = SentSegments::default();
        assert!(!sent.record(&segment(u32::MAX - 1, 10)));
        assert!(!sent.record(&segment(8, 10)));
        assert!(sent.record(&segment(u32::MAX - 1, 10)));
        assert!(sent.has(&segment(1, 2)) && !sent.has(&segment(17, 2)));
    }

    #[test]
    fn the_oldest_segment_is_forgotten_for_a_new_one() {
        let mut sent = SentSegments::default();
        for number in 0..=u32::try_from(MAX_SEGMENTS).expect("few") {
            assert!(!sent.record(&segment(number * 100, 10)));
        }
        assert_eq!(sent.0.len(), MAX_SEGMENTS);
        assert!(!sent.has(&segment(0, 10)) && sent.has(&segment(100, 10)));
    }
}
