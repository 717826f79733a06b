//! Which segments TCP has sent before.

use crate::trace::HostId;
use crate::wire::decode::{Decoded, End, Flags, Kind, decode};
use std::collections::BTreeMap;

/// What each host has sent up to now.
#[derive(Debug, Default)]
pub(super) struct Again(BTreeMap<(HostId, End, End), Sent>);

/// One direction of a connection.
#[derive(Clone, Copy, Debug)]
struct Sent {
    /// The sequence number it began with, if that was seen.
    first: Option<u32>,
    /// The one that was due next, when the most was sent.
    next: u32,
}

/// Of a TCP segment what tells whether it was sent before.
#[derive(Clone, Copy, Debug)]
struct Segment {
    source: End,
    destination: End,
    sequence: u32,
    /// What it takes of the sequence: its octets, and one for SYN and for FIN (RFC 9293, section 3.4).
    length: u32,
    is_syn: bool,
}

impl Again {
    /// True if the host sends something that it has sent before. Whatever takes nothing of the sequence,
    /// such as a mere ACK, is never sent again.
    pub(super) fn is(&mut self, host: HostId, octets: &[u8]) -> bool {
        segment(octets).is_some_and(|segment| self.note(host, segment))
    }

    fn note(&mut self, host: HostId, segment: Segment) -> bool {
        let Segment { source, destination, sequence, length, is_syn } = segment;
        if length == 0 {
            return false;
        }
        let end = sequence.wrapping_add(length);
        let fresh = Sent { first: is_syn.then_some(sequence), next: end };
        let sent =
            self.0.entry((host, source, destination)).or_insert(Sent { next: sequence, ..fresh });
        if is_syn && sent.first != Some(sequence) {
            // A later connection between the same ports.
            *sent = fresh;
            return false;
        }
        let is_again = is_before(sequence, sent.next);
        if is_before(sent.next, end) {
            sent.next = end;
        }
        is_again
    }
}

/// Sequence numbers wrap (RFC 9293, section 3.4).
fn is_before(one: u32, other: u32) -> bool {
    one != other && other.wrapping_sub(one) < 1 << 31
}

fn segment(octets: &[u8]) -> Option<Segment> {
    let Decoded { source, destination, kind, .. } = decode(octets)?;
    let Kind::Tcp { flags, sequence, payload, .. } = kind else { return None };
    let controls = [Flags::SYN, Flags::FIN].iter().filter(|it| flags.contains(**it)).count();
    let length = u32::try_from(payload.len() + controls).ok()?;
    Some(Segment { source, destination, sequence, length, is_syn: flags.contains(Flags::SYN) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(sequence: u32, length: u32, is_syn: bool) -> Segment {
        let [source, destination] =
            [("192.0.2.1", 49152), ("192.0.2.2", 13)].map(|(address, port)| End {
                address: address.parse().expect("address"),
                port: Some(port),
            });
        Segment { source, destination, sequence, length, is_syn }
    }

    #[test]
    fn what_was_sent_before_is_sent_again_and_an_ack_never() {
        let mut again = Again::default();
        let mut note = |segment| again.note(HostId(0), segment);
        assert!(!note(segment(100, 1, true)), "the first SYN");
        assert!(note(segment(100, 1, true)), "the same");
        assert!(!note(segment(101, 0, false)), "an ACK");
        assert!(!note(segment(101, 0, false)), "another");
        assert!(!note(segment(101, 26, false)), "the octets");
        assert!(note(segment(101, 27, false)), "with the FIN, which is new");
        assert!(note(segment(127, 1, false)), "the FIN alone");
        assert!(!note(segment(9000, 1, true)), "a later connection");
        assert!(!note(segment(9001, 26, false)), "its octets");
    }

    #[test]
    fn sequence_numbers_wrap() {
        let mut again = Again::default();
        let mut note = |segment| again.note(HostId(1), segment);
        assert!(!note(segment(u32::MAX - 1, 10, false)));
        assert!(!note(segment(8, 10, false)));
        assert!(note(segment(u32::MAX - 1, 10, false)));
    }
}
