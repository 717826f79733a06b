//! Describes a packet in a few words, for ladder diagrams and the JSON output.

use super::plural;
use crate::reply::Printable;
use crate::wire::decode::{Content, Decoded, Flags};

/// Returns a packet's label: `SYN, ACK`, `42 octets, FIN`, `empty datagram`, `port unreachable`. If not all of the
/// packet was captured, or if the packet is a first fragment, the label says so: `42 octets (10 captured)`, `152 octets
/// (first fragment)`.
///
/// The label omits the flags that nearly every segment has: PSH, and ACK unless the segment only acknowledges or
/// answers a SYN. The only part of the label that comes from the peer is numbers, so it is safe to print.
pub(crate) fn label(packet: &Decoded) -> String {
    match &packet.content {
        Content::Tcp { flags, payload, .. } => segment(*flags, &octets(packet, payload)),
        Content::Udp { payload } => match octets(packet, payload) {
            none if none.is_empty() => "empty datagram".to_owned(),
            some => some,
        },
        Content::Icmp { message, .. } => message.clone(),
        Content::Fragment { offset } => format!("fragment, from octet {offset} on"),
        Content::Other => match name(packet.protocol) {
            Some(name) => format!("{name}, cut off"),
            None => format!("protocol {}", packet.protocol),
        },
        Content::BadHeader => format!("{}, bad header", name(packet.protocol).unwrap_or("packet")),
    }
}

/// Quotes a payload so that it is safe to print. Keeps only the end of a long payload, where a reply has its time of
/// day.
pub(crate) fn quoted(payload: &[u8]) -> String {
    /// Maximum number of octets to quote. No screen is wider than this.
    const MAX_OCTETS: usize = 512;
    match payload.split_last_chunk::<MAX_OCTETS>() {
        Some((before, end)) if !before.is_empty() => format!("\"…{}\"", Printable(end)),
        _ => format!("\"{}\"", Printable(payload)),
    }
}

/// Shortens text to this number of columns. A quoted payload is cut at its beginning, because a reply's time of day is
/// at its end. Any other text is cut at its end.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    let all = text.chars().count();
    if all <= columns {
        return text.to_owned();
    }
    match text.strip_prefix('"') {
        Some(quoted) => {
            let left_out = (all - 1).saturating_sub(columns.saturating_sub(2));
            let end: String = quoted.chars().skip(left_out).collect();
            format!("\"…{}", end.trim_start())
        }
        None => cut_end(text, columns),
    }
}

/// Cuts the end of text so that it fits into this number of columns.
pub(crate) fn cut_end(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    text.chars().take(columns.saturating_sub(1)).chain(['…']).collect()
}

const fn name(protocol: u8) -> Option<&'static str> {
    match protocol {
        1 | 58 => Some("ICMP"),
        6 => Some("TCP"),
        17 => Some("UDP"),
        _ => None,
    }
}

/// Formats the payload's length, with a note if the payload was not captured completely or is only a first fragment.
/// Returns an empty string if there is no payload.
fn octets(packet: &Decoded, payload: &[u8]) -> String {
    let captured = (payload.len() < packet.carried).then(|| format!("{} captured", payload.len()));
    let fragment = packet.fragment_of.map(|_| "first fragment".to_owned());
    let notes: Vec<String> = captured.into_iter().chain(fragment).collect();
    match (packet.carried, notes.is_empty()) {
        (0, true) => String::new(),
        (carried, true) => plural(carried as u64, "octet"),
        (carried, false) => format!("{} ({})", plural(carried as u64, "octet"), notes.join(", ")),
    }
}

fn segment(flags: Flags, octets: &str) -> String {
    let usual = if flags.contains(Flags::SYN) { Flags::PSH } else { Flags::PSH | Flags::ACK };
    let special = flags.without(usual).to_string();
    match (octets, special.as_str()) {
        ("", "") if flags.contains(Flags::ACK) => "ACK".to_owned(),
        ("", "") => "no flags".to_owned(),
        ("", _) => special,
        (octets, "") => octets.to_owned(),
        (octets, _) => format!("{octets}, {special}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mentions::mentions;
    use crate::wire::decode::Endpoint;
    use std::net::Ipv4Addr;

    #[test]
    fn a_segment_is_named_by_what_is_special_in_it() {
        assert_eq!(segment(Flags::SYN, ""), "SYN");
        assert_eq!(segment(Flags::SYN | Flags::ACK, ""), "SYN, ACK");
        assert_eq!(segment(Flags::ACK, ""), "ACK");
        assert_eq!(segment(Flags::PSH | Flags::ACK, "1 octet"), "1 octet");
        assert_eq!(segment(Flags::FIN | Flags::PSH | Flags::ACK, "42 octets"), "42 octets, FIN");
        assert_eq!(segment(Flags::FIN | Flags::ACK, ""), "FIN");
        assert_eq!(segment(Flags::RST | Flags::ACK, ""), "RST");
        assert_eq!(segment(Flags(0), ""), "no flags");
    }

    fn packet(protocol: u8, content: Content, carried: usize, fragment_of: Option<u32>) -> Decoded {
        let end = Endpoint { address: Ipv4Addr::LOCALHOST.into(), port: Some(13) };
        let (source, destination, octets) = (end, end, 20);
        Decoded { source, destination, protocol, content, octets, carried, fragment_of }
    }

    #[test]
    fn what_is_missing_of_a_payload_is_shown() {
        let udp = |carried, fragment_of| {
            label(&packet(17, Content::Udp { payload: vec![0; 24] }, carried, fragment_of))
        };
        assert_eq!(udp(24, None), "24 octets");
        assert_eq!(udp(40, None), "40 octets (24 captured)");
        assert_eq!(udp(24, Some(7)), "24 octets (first fragment)");
        mentions(&udp(1472, Some(7)), &["1472 octets", "24 captured", "first fragment"]);
        let (flags, payload) = (Flags::FIN | Flags::ACK, Vec::new());
        let content = Content::Tcp { flags, sequence: 1, acknowledgement: 2, window: 3, payload };
        assert_eq!(label(&packet(6, content, 40, None)), "40 octets (0 captured), FIN");
    }

    #[test]
    fn of_a_reply_without_room_the_time_at_its_end_is_left() {
        let quoted = quoted(b"Tuesday, February 2, 1982 15:59:01-UTC\r\n");
        assert_eq!(quoted, r#""Tuesday, February 2, 1982 15:59:01-UTC\r\n""#);
        assert_eq!(cut(&quoted, 44), quoted);
        let without_day = r#""…2, 1982 15:59:01-UTC\r\n""#;
        assert_eq!([27, 28].map(|columns| cut(&quoted, columns)), [without_day; 2]);
        assert_eq!(cut("says 192.0.2.1", 9), "says 192…");
        assert_eq!(cut(&quoted, 0), "\"…");
    }

    #[test]
    fn of_very_much_the_end_is_quoted() {
        let quoted = quoted(&[vec![b'x'; 60_000], b"the end".to_vec()].concat());
        assert_eq!(quoted.chars().count(), 512 + 3);
        assert!(quoted.starts_with("\"…x") && quoted.ends_with("xthe end\""), "{quoted}");
    }

    #[test]
    fn a_header_that_is_cut_or_impossible_is_named_so() {
        let label_of = |protocol, content| label(&packet(protocol, content, 0, None));
        assert_eq!(label_of(6, Content::Other), "TCP, cut off");
        assert_eq!(label_of(6, Content::BadHeader), "TCP, bad header");
        assert_eq!(label_of(47, Content::Other), "protocol 47");
    }
}
