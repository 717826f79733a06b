//! Replaces the initial sequence numbers in a trace.
//!
//! The simulated hosts always begin with the same numbers. On the sheet, random numbers replace them. A student who
//! runs the lab therefore does not see the values that the sheet leaves blank.

use crate::lab::Part;
use crate::teach::draw::Draw;
use crate::trace::{Action, Event, HostId};
use smoltcp::wire::{IpAddress, IpProtocol, Ipv4Packet, TcpPacket, TcpSeqNumber};

/// Returns a copy of one of a run's conversations with random initial sequence numbers and recomputed checksums.
pub(super) fn with_drawn_numbers(part: &Part, draw: &mut Draw) -> Part {
    let mut part = part.clone();
    let trace = &mut part.trace;
    let offsets: Vec<u32> = trace.hosts.iter().map(|_| draw.word()).collect();
    let offset = |HostId(host): HostId| offsets.get(host).copied().unwrap_or(0);
    for Event { host, action, .. } in &mut trace.events {
        if let Action::Packet(packet) = action {
            renumber(&mut packet.octets, offset(*host), offset(packet.to));
        }
    }
    part
}

/// Adds the offset `sequence` to a TCP segment's sequence number, and the offset `acknowledgement` to its
/// acknowledgement number. Leaves all other packets unchanged.
fn renumber(packet: &mut [u8], sequence: u32, acknowledgement: u32) {
    let Ok(mut ip) = Ipv4Packet::new_checked(packet) else { return };
    let ends = [ip.src_addr(), ip.dst_addr()].map(IpAddress::from);
    if ip.next_header() != IpProtocol::Tcp {
        return;
    }
    let Ok(mut tcp) = TcpPacket::new_checked(ip.payload_mut()) else { return };
    let plus =
        |number: TcpSeqNumber, more: u32| TcpSeqNumber(number.0.wrapping_add(more.cast_signed()));
    tcp.set_seq_number(plus(tcp.seq_number(), sequence));
    if tcp.ack() {
        tcp.set_ack_number(plus(tcp.ack_number(), acknowledgement));
    }
    tcp.fill_checksum(&ends[0], &ends[1]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{self, Engine, Setting};
    use crate::trace::Trace;
    use crate::wire::decode::{Content, decode};

    fn numbers(trace: &Trace) -> Vec<(u32, u32)> {
        let segments =
            trace.packets().filter_map(|(_, packet)| match decode(&packet.octets)?.content {
                Content::Tcp { sequence, acknowledgement, .. } => Some((sequence, acknowledgement)),
                _ => None,
            });
        segments.collect()
    }

    #[test]
    fn every_number_moves_by_the_offset_of_its_host_and_the_checksums_are_right() {
        let exchange = lab::find("exchange").expect("a lab of that name");
        let report = exchange.run(Engine::Sim, &Setting::default()).expect("it runs");
        let before = &report.parts()[0];
        let after = with_drawn_numbers(before, &mut Draw::seeded(1, "test")).trace;
        let (old, new) = (numbers(&before.trace), numbers(&after));
        let [client, server] = [0, 1].map(|row: usize| new[row].0.wrapping_sub(old[row].0));
        assert!(client != 0 && server != 0 && client != server);
        assert_eq!((new[0].1, new[1].1), (0, old[1].1.wrapping_add(client)));
        assert_eq!(new[3].0, old[3].0.wrapping_add(server));
        for (_, packet) in after.packets() {
            let ip = Ipv4Packet::new_checked(&packet.octets[..]).expect("IPv4");
            let ends = [ip.src_addr(), ip.dst_addr()].map(IpAddress::from);
            let tcp = TcpPacket::new_checked(ip.payload()).expect("TCP");
            assert!(tcp.verify_checksum(&ends[0], &ends[1]));
        }
    }
}
