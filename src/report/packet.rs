//! A packet in a few words, the same in every drawing.

use super::plural;
use crate::wire::decode::{Decoded, Flags, Kind};

/// What a packet is: `SYN, ACK`, `42 octets, FIN`, `empty datagram`, `port unreachable`.
///
/// What nearly every segment has is left out: ACK, unless it is all there is or answers a SYN, and PSH. It
/// holds nothing of what a stranger sent but numbers, so it is safe to show.
pub(crate) fn label(packet: &Decoded) -> String {
    match &packet.kind {
        Kind::Tcp { flags, payload, .. } => segment(*flags, payload.len()),
        Kind::Udp { payload } if payload.is_empty() => "empty datagram".to_owned(),
        Kind::Udp { payload } => plural(payload.len() as u64, "octet"),
        Kind::Icmp { what, .. } => what.clone(),
        Kind::Fragment { offset, .. } => format!("fragment, from octet {offset} on"),
        Kind::Other(6) => "TCP, cut off".to_owned(),
        Kind::Other(17) => "UDP, cut off".to_owned(),
        Kind::Other(1 | 58) => "ICMP, cut off".to_owned(),
        Kind::Other(number) => format!("protocol {number}"),
    }
}

fn segment(flags: Flags, payload: usize) -> String {
    let usual = if flags.contains(Flags::SYN) { Flags::PSH } else { Flags::PSH | Flags::ACK };
    let special = flags.without(usual).to_string();
    match (payload, special.as_str()) {
        (0, "") if flags.contains(Flags::ACK) => "ACK".to_owned(),
        (0, "") => "no flags".to_owned(),
        (0, _) => special,
        (_, "") => plural(payload as u64, "octet"),
        (_, _) => format!("{}, {special}", plural(payload as u64, "octet")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_told_by_what_is_special_in_it() {
        assert_eq!(segment(Flags::SYN, 0), "SYN");
        assert_eq!(segment(Flags::SYN | Flags::ACK, 0), "SYN, ACK");
        assert_eq!(segment(Flags::ACK, 0), "ACK");
        assert_eq!(segment(Flags::PSH | Flags::ACK, 1), "1 octet");
        assert_eq!(segment(Flags::FIN | Flags::PSH | Flags::ACK, 42), "42 octets, FIN");
        assert_eq!(segment(Flags::FIN | Flags::ACK, 0), "FIN");
        assert_eq!(segment(Flags::RST | Flags::ACK, 0), "RST");
        assert_eq!(segment(Flags(0), 0), "no flags");
    }
}
