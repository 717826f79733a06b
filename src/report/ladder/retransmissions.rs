//! Recognises retransmissions: segments that a host has sent before.

use crate::trace::HostId;
use crate::wire::decode::{Decoded, Endpoint};
use crate::wire::segment::{Segment, SentSegments};
use std::collections::BTreeMap;

/// The segments that each host has already sent on each connection.
#[derive(Debug, Default)]
pub(crate) struct Retransmissions(BTreeMap<(HostId, Endpoint, Endpoint), SentSegments>);

impl Retransmissions {
    /// Records a segment that a host sends. Returns true if the host has already sent everything in the segment. A
    /// segment that occupies no sequence numbers, such as a pure ACK, is never a retransmission.
    pub(crate) fn record(&mut self, host: HostId, packet: &Decoded) -> bool {
        Segment::of(packet).is_some_and(|segment| {
            self.0.entry((host, packet.source, packet.destination)).or_default().record(&segment)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::decode::{Content, Flags};

    fn segment(flags: Flags, sequence: u32, octets: usize) -> Decoded {
        let end = |address: &str, port| Endpoint {
            address: address.parse().expect("address"),
            port: Some(port),
        };
        let (source, destination) = (end("192.0.2.1", 49152), end("192.0.2.2", 13));
        let payload = vec![0; octets];
        let content = Content::Tcp { flags, sequence, acknowledgement: 0, window: 0, payload };
        let (whole, carried) = (40 + octets, octets);
        Decoded {
            source,
            destination,
            protocol: 6,
            content,
            octets: whole,
            carried,
            fragment_of: None,
        }
    }

    #[test]
    fn what_a_host_sends_again_is_known_and_a_later_connection_sends_nothing_again() {
        let mut sent = Retransmissions::default();
        let mut record = |host, packet| sent.record(HostId(host), &packet);
        assert!(!record(0, segment(Flags::SYN, 100, 0)), "the first SYN");
        assert!(record(0, segment(Flags::SYN, 100, 0)), "the same");
        assert!(!record(1, segment(Flags::SYN, 100, 0)), "another host's");
        assert!(!record(0, segment(Flags::ACK, 101, 26)), "the octets");
        assert!(record(0, segment(Flags::ACK, 101, 26)), "the same");
        assert!(!record(0, segment(Flags::SYN, 9000, 0)), "a later connection");
        assert!(!record(0, segment(Flags::ACK, 101, 26)), "which may have the same numbers");
    }
}
