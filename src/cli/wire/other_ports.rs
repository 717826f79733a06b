//! Counts packets on unwanted ports, for a hint if the capture has no packet on the wanted ports.

use crate::wire::decode::{Content, Decoded};
use std::collections::BTreeMap;

/// Number of packets on each port.
#[derive(Debug, Default)]
pub(super) struct OtherPorts(BTreeMap<u16, u64>);

impl OtherPorts {
    pub(super) fn note(&mut self, packet: &Decoded) {
        if let Content::Tcp { .. } | Content::Udp { .. } = packet.content
            // The server nearly always uses the lower port.
            && let Some(port) = packet.source.port.min(packet.destination.port)
        {
            *self.0.entry(port).or_default() += 1;
        }
    }

    /// Returns the ports with the most packets, at most `ports` of them.
    pub(super) fn busiest(&self, ports: usize) -> Vec<u16> {
        let mut all: Vec<(&u16, &u64)> = self.0.iter().collect();
        all.sort_by(|(_, one), (_, other)| other.cmp(one)); // stable: among equal counts, the lower port comes first
        all.into_iter().map(|(port, _)| *port).take(ports).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::decode::Endpoint;
    use std::net::Ipv4Addr;

    #[test]
    fn the_lower_ports_of_packets_are_sorted_by_their_count() {
        let mut other_ports = OtherPorts::default();
        for (source, destination) in [(40000, 53), (53, 40001), (40000, 37), (443, 80), (80, 80)] {
            let end = |port| Endpoint { address: Ipv4Addr::LOCALHOST.into(), port: Some(port) };
            let content = Content::Udp { payload: Vec::new() };
            let (source, destination) = (end(source), end(destination));
            let (protocol, carried, fragment_of) = (17, 0, None);
            other_ports.note(&Decoded {
                source,
                destination,
                protocol,
                content,
                octets: 28,
                carried,
                fragment_of,
            });
        }
        assert_eq!(other_ports.busiest(2), [53, 80]);
        assert_eq!(other_ports.busiest(9), [53, 80, 37]);
    }
}
