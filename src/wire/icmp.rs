//! Names for ICMP messages (RFC 792, RFC 4443).

/// Returns the name of an ICMPv4 message, and whether the message quotes a packet.
pub(super) fn over_ipv4(kind: u8, code: u8) -> (String, bool) {
    let (message, quotes) = match (kind, code) {
        (0, _) => ("echo reply", false),
        (3, 0) => ("network unreachable", true),
        (3, 1) => ("host unreachable", true),
        (3, 2) => ("protocol unreachable", true),
        (3, 3) => ("port unreachable", true),
        (3, 4) => ("fragmentation needed", true),
        // RFC 1122, section 3.2.2.1, and RFC 1812, section 5.2.7.1, define these codes.
        (3, 9 | 10 | 13) => ("prohibited", true),
        (3, _) => ("destination unreachable", true),
        (4, _) => ("source quench", true),
        (5, _) => ("redirect", true),
        (8, _) => ("echo request", false),
        (11, 0) => ("time to live exceeded", true),
        (11, _) => ("reassembly time exceeded", true),
        (12, _) => ("parameter problem", true),
        _ => return (number(kind, code), false),
    };
    (message.to_owned(), quotes)
}

/// Returns the name of an ICMPv6 message, and whether the message quotes a packet.
pub(super) fn over_ipv6(kind: u8, code: u8) -> (String, bool) {
    let message = match (kind, code) {
        (1, 0) => "network unreachable",
        (1, 1 | 5 | 6) => "prohibited",
        (1, 3) => "host unreachable",
        (1, 4) => "port unreachable",
        (1, _) => "destination unreachable",
        (2, _) => "packet too big",
        (3, 0) => "hop limit exceeded",
        (3, _) => "reassembly time exceeded",
        (4, _) => "parameter problem",
        (128, _) => "echo request",
        (129, _) => "echo reply",
        // RFC 4861, section 4, defines the following messages.
        (133, _) => "router solicitation",
        (134, _) => "router advertisement",
        (135, _) => "neighbour solicitation",
        (136, _) => "neighbour advertisement",
        (137, _) => "redirect",
        _ => return (number(kind, code), kind < 128),
    };
    // Error messages, whose types are below 128 (RFC 4443, section 2.1), quote a packet.
    (message.to_owned(), kind < 128)
}

fn number(kind: u8, code: u8) -> String {
    format!("ICMP type {kind}, code {code}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_port_has_the_same_name_over_ipv4_and_ipv6() {
        assert_eq!(over_ipv4(3, 3), over_ipv6(1, 4));
        assert_eq!(over_ipv4(3, 3), ("port unreachable".into(), true));
    }

    #[test]
    fn an_unknown_message_is_named_by_its_numbers() {
        assert_eq!(over_ipv4(41, 2), ("ICMP type 41, code 2".into(), false));
        assert_eq!(over_ipv6(200, 0), ("ICMP type 200, code 0".into(), false));
    }
}
