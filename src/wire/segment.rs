//! Which segments of TCP say again what was said (RFC 9293, section 3.4).

use super::decode::{Decoded, Flags, Kind};
use std::collections::VecDeque;

/// Segments of each direction that are remembered. An exchange of Daytime has four.
const MOST: usize = 64;

/// What a TCP segment takes of the sequence numbers.
#[derive(Debug)]
pub(crate) struct Segment {
    pub flags: Flags,
    begin: u32,
    end: u32,
}

/// What one side of a connection has sent: the sequence numbers that its segments began and ended with.
#[derive(Debug, Default)]
pub(crate) struct Heard(VecDeque<(u32, u32)>);

impl Segment {
    pub(crate) fn of(packet: &Decoded) -> Option<Self> {
        let Kind::Tcp { flags, sequence, .. } = packet.kind else { return None };
        let counted = [Flags::SYN, Flags::FIN].iter().filter(|flag| flags.contains(**flag)).count();
        let length = u32::try_from(packet.carried + counted).unwrap_or(u32::MAX);
        Some(Self { flags, begin: sequence, end: sequence.wrapping_add(length) })
    }
}

impl Heard {
    /// True if it begins another connection between the same ports: a SYN with numbers that are not among
    /// those heard before.
    pub(crate) fn is_over_with(&self, segment: &Segment) -> bool {
        segment.flags.contains(Flags::SYN) && !self.0.is_empty() && !self.has(segment)
    }

    /// True if all that it takes was heard in one segment before.
    pub(crate) fn has(&self, segment: &Segment) -> bool {
        let length = segment.end.wrapping_sub(segment.begin);
        self.0.iter().any(|(begin, end)| {
            let after = segment.begin.wrapping_sub(*begin);
            u64::from(after) + u64::from(length) <= u64::from(end.wrapping_sub(*begin))
        })
    }

    /// Notes a segment; true if it takes sequence numbers, and all of them were heard in one before.
    pub(crate) fn again(&mut self, segment: &Segment) -> bool {
        if segment.begin == segment.end {
            return false;
        }
        let is_repeat = self.has(segment);
        if !is_repeat {
            if self.0.len() == MOST {
                self.0.pop_front();
            }
            self.0.push_back((segment.begin, segment.end));
        }
        is_repeat
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::decode::End;
    use std::net::Ipv4Addr;

    fn segment(begin: u32, length: u32) -> Segment {
        Segment { flags: Flags::ACK, begin, end: begin.wrapping_add(length) }
    }

    #[test]
    fn what_was_heard_before_is_heard_again_and_an_ack_never() {
        let mut heard = Heard::default();
        let mut again = |segment| heard.again(&segment);
        assert!(!again(segment(100, 1)), "the SYN");
        assert!(again(segment(100, 1)), "the same");
        assert!(!again(segment(101, 0)), "an ACK");
        assert!(!again(segment(101, 0)), "another");
        assert!(!again(segment(101, 26)), "the octets");
        assert!(!again(segment(101, 27)), "with the FIN, which is new");
        assert!(again(segment(127, 1)), "the FIN alone");
        assert!(again(segment(105, 4)), "a part of the octets");
    }

    #[test]
    fn a_segment_that_a_capture_has_cut_takes_all_the_numbers_that_it_took() {
        let end = End { address: Ipv4Addr::LOCALHOST.into(), port: Some(13) };
        let (flags, payload) = (Flags::FIN, b"Mon".to_vec());
        let kind = Kind::Tcp { flags, sequence: 100, acknowledgement: 0, window: 0, payload };
        let (octets, carried) = (80, 40);
        let cut =
            Decoded { source: end, destination: end, kind, octets, carried, fragment_of: None };
        let mut heard = Heard::default();
        assert!(!heard.again(&Segment::of(&cut).expect("TCP")));
        assert!(heard.again(&segment(140, 1)), "the FIN alone");
    }

    #[test]
    fn sequence_numbers_wrap() {
        let mut heard = Heard::default();
        assert!(!heard.again(&segment(u32::MAX - 1, 10)));
        assert!(!heard.again(&segment(8, 10)));
        assert!(heard.again(&segment(u32::MAX - 1, 10)));
        assert!(heard.has(&segment(1, 2)) && !heard.has(&segment(17, 2)));
    }

    #[test]
    fn the_oldest_is_forgotten_for_a_new_one() {
        let mut heard = Heard::default();
        for number in 0..=u32::try_from(MOST).expect("few") {
            assert!(!heard.again(&segment(number * 100, 10)));
        }
        assert_eq!(heard.0.len(), MOST);
        assert!(!heard.has(&segment(0, 10)) && heard.has(&segment(100, 10)));
    }
}
