//! Which segments TCP has sent before.

use crate::trace::HostId;
use crate::wire::decode::{Decoded, End, decode};
use crate::wire::segment::{Heard, Segment};
use std::collections::BTreeMap;

/// What each host has sent up to now, in each direction of its connections.
#[derive(Debug, Default)]
pub(super) struct Again(BTreeMap<(HostId, End, End), Heard>);

impl Again {
    /// True if the host sends something that it has sent before. Whatever takes nothing of the sequence,
    /// such as a mere ACK, is never sent again.
    pub(super) fn is(&mut self, host: HostId, octets: &[u8]) -> bool {
        decode(octets).is_some_and(|packet| self.note(host, &packet))
    }

    fn note(&mut self, host: HostId, packet: &Decoded) -> bool {
        let Some(segment) = Segment::of(packet) else { return false };
        let sent = self.0.entry((host, packet.source, packet.destination)).or_default();
        if sent.is_over_with(&segment) {
            *sent = Heard::default();
        }
        sent.again(&segment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::decode::{Flags, Kind};

    fn segment(flags: Flags, sequence: u32, octets: usize) -> Decoded {
        let end = |address: &str, port| End {
            address: address.parse().expect("address"),
            port: Some(port),
        };
        let (source, destination) = (end("192.0.2.1", 49152), end("192.0.2.2", 13));
        let payload = vec![0; octets];
        let kind = Kind::Tcp { flags, sequence, acknowledgement: 0, window: 0, payload };
        let (whole, carried) = (40 + octets, octets);
        Decoded { source, destination, kind, octets: whole, carried, fragment_of: None }
    }

    #[test]
    fn what_a_host_sends_again_is_known_and_a_later_connection_sends_nothing_again() {
        let mut again = Again::default();
        let mut note = |host, packet| again.note(HostId(host), &packet);
        assert!(!note(0, segment(Flags::SYN, 100, 0)), "the first SYN");
        assert!(note(0, segment(Flags::SYN, 100, 0)), "the same");
        assert!(!note(1, segment(Flags::SYN, 100, 0)), "another host's");
        assert!(!note(0, segment(Flags::ACK, 101, 26)), "the octets");
        assert!(note(0, segment(Flags::ACK, 101, 26)), "the same");
        assert!(!note(0, segment(Flags::SYN, 9000, 0)), "a later connection");
        assert!(!note(0, segment(Flags::ACK, 101, 26)), "which may have the same numbers");
    }
}
