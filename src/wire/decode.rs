//! Decodes packets, starting with the IP header.
//!
//! The decoder deliberately accepts incomplete packets: a capture may truncate packets, a kernel
//! that leaves checksums and lengths to the network card shows them unfinished, and an ICMP error
//! quotes only the start of a packet.

pub(crate) use super::flags::Flags;
use super::fragment::Fragment;
use super::icmp;
use etherparse::{IpNumber, LaxIpSlice, UdpSlice};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// A decoded packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    pub source: Endpoint,
    pub destination: Endpoint,
    /// The protocol number (RFC 791): 6 is TCP, 17 is UDP.
    pub protocol: u8,
    pub content: Content,
    /// Length of the whole packet in octets, according to its IP header. The capture may contain
    /// fewer octets.
    pub octets: usize,
    /// Number of octets of application data, according to the headers. The capture may contain
    /// fewer octets.
    pub carried: usize,
    /// If this is a fragment, the identification that it shares with the packet's other fragments.
    pub fragment_of: Option<u32>,
}

/// A packet's source or destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Endpoint {
    pub address: IpAddr,
    /// `None` if the packet has no ports: ICMP messages and all fragments but the first have none.
    pub port: Option<u16>,
}

/// An IP packet's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Tcp {
        flags: Flags,
        sequence: u32,
        acknowledgement: u32,
        /// The window field, before scaling (RFC 7323).
        window: u16,
        payload: Vec<u8>,
    },
    Udp {
        payload: Vec<u8>,
    },
    Icmp {
        /// The message's name, such as `port unreachable`.
        message: String,
        /// The packet that an error message quotes, which may be truncated.
        subject: Option<Box<Decoded>>,
    },
    /// A fragment other than the first, and therefore without ports.
    Fragment {
        /// Position of the fragment's octets in the whole packet.
        offset: usize,
    },
    /// Another protocol, or a TCP, UDP or ICMP packet whose header is cut off.
    Other,
    /// A TCP packet whose header contains an impossible length.
    BadHeader,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.address, port).fmt(f),
            None => self.address.fmt(f),
        }
    }
}

/// Decodes a packet that starts with its IP header. Returns `None` if the IP header is incomplete.
pub(crate) fn decode(octets: &[u8]) -> Option<Decoded> {
    decode_as(octets, Quotes::Decode)
}

/// Whether to decode the packet quoted in an ICMP error. An error quoted inside another error is
/// never decoded further: no host sends an error about an error (RFC 1122, section 3.2.2), but a
/// forged packet could contain two thousand nested errors.
#[derive(Clone, Copy)]
enum Quotes {
    Decode,
    Leave,
}

fn decode_as(octets: &[u8], quotes: Quotes) -> Option<Decoded> {
    let (ip, _) = LaxIpSlice::from_slice(octets).ok()?;
    let inside = ip.payload();
    let whole = whole_length(&ip).unwrap_or(octets.len());
    let before = inside.payload.as_ptr().addr() - octets.as_ptr().addr();
    let sent = whole.saturating_sub(before);
    let fragment = Fragment::of(&ip, octets);
    let (content, carried) = match fragment {
        Some(Fragment { offset: offset @ 1.., .. }) => (Content::Fragment { offset }, sent),
        _ => decode_inside(inside.ip_number, inside.payload, sent, quotes),
    };
    let has_ports = matches!(inside.ip_number, IpNumber::TCP | IpNumber::UDP)
        && !matches!(content, Content::Fragment { .. });
    let end = |address, at| {
        let port = port(inside.payload, at).filter(|_| has_ports);
        Endpoint { address, port }
    };
    Some(Decoded {
        source: end(ip.source_addr(), 0),
        destination: end(ip.destination_addr(), 2),
        protocol: inside.ip_number.0,
        content,
        octets: whole,
        carried,
        fragment_of: fragment.map(|it| it.identification),
    })
}

/// Returns the packet length in the IP header, or `None` if the kernel left the length to the
/// network card.
fn whole_length(ip: &LaxIpSlice) -> Option<usize> {
    let (header, length) = match ip {
        LaxIpSlice::Ipv4(v4) => (0, v4.header().total_len()),
        LaxIpSlice::Ipv6(v6) => (v6.header().slice().len(), v6.header().payload_length()),
    };
    (length != 0).then(|| header + usize::from(length))
}

/// Decodes the captured octets after the IP header. `whole` is the number of these octets before
/// the capture truncated the packet. Returns the content and the length of its application data in
/// octets.
fn decode_inside(
    protocol: IpNumber,
    inside: &[u8],
    whole: usize,
    quotes: Quotes,
) -> (Content, usize) {
    let decoded = match protocol {
        IpNumber::TCP => of_tcp(inside, whole),
        IpNumber::UDP => of_udp(inside, whole),
        IpNumber::ICMP | IpNumber::IPV6_ICMP => of_icmp(protocol, inside, quotes),
        _ => None,
    };
    // RFC 792 requires an ICMP error to quote only eight octets after the IP header, so most quoted
    // transport headers are incomplete.
    decoded.unwrap_or((Content::Other, 0))
}

/// Returns the port at offset `at` of the transport header, if both ports are present.
fn port(inside: &[u8], at: usize) -> Option<u16> {
    let ports = inside.first_chunk::<4>()?;
    Some(u16::from_be_bytes([ports[at], ports[at + 1]]))
}

/// Decodes a TCP segment. This function does not use etherparse, which rejects segments whose
/// options are cut off.
fn of_tcp(inside: &[u8], whole: usize) -> Option<(Content, usize)> {
    const FIXED: usize = 20;
    let head = inside.first_chunk::<FIXED>()?;
    let number = |at: usize| u32::from_be_bytes([0, 1, 2, 3].map(|octet| head[at + octet]));
    let header = 4 * usize::from(head[12] >> 4);
    if header < FIXED || header > whole {
        return Some((Content::BadHeader, 0));
    }
    let content = Content::Tcp {
        flags: Flags(head[13]),
        sequence: number(4),
        acknowledgement: number(8),
        window: u16::from_be_bytes([head[14], head[15]]),
        payload: inside.get(header..).unwrap_or_default().to_vec(),
    };
    Some((content, whole - header))
}

/// Decodes a UDP datagram or its first fragment. In a first fragment, the header contains the
/// length of the whole datagram.
fn of_udp(inside: &[u8], whole: usize) -> Option<(Content, usize)> {
    const HEADER: usize = 8;
    let udp = UdpSlice::from_slice_lax(inside).ok()?;
    let length = usize::from(udp.length());
    let whole = if length < HEADER { whole } else { whole.min(length) };
    Some((Content::Udp { payload: udp.payload().to_vec() }, whole.saturating_sub(HEADER)))
}

fn of_icmp(protocol: IpNumber, message: &[u8], quotes: Quotes) -> Option<(Content, usize)> {
    let ([kind, code, ..], rest) = message.split_first_chunk::<8>()?;
    let (message, is_error) = match protocol {
        IpNumber::ICMP => icmp::over_ipv4(*kind, *code),
        _ => icmp::over_ipv6(*kind, *code),
    };
    let subject = match quotes {
        Quotes::Decode if is_error => decode_as(rest, Quotes::Leave).map(Box::new),
        _ => None,
    };
    Some((Content::Icmp { message, subject }, 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::{IpFragOffset, Ipv6FragmentHeader, PacketBuilder, ip_number};
    use proptest::prelude::*;

    const CLIENT: [u8; 4] = [10, 0, 0, 1];
    const SERVER: [u8; 4] = [10, 0, 0, 2];

    fn udp(payload: &[u8]) -> Vec<u8> {
        let mut packet = Vec::new();
        let builder = PacketBuilder::ipv4(CLIENT, SERVER, 64).udp(40000, 13);
        builder.write(&mut packet, payload).expect("written");
        packet
    }

    fn tcp_v6(payload: &[u8]) -> Vec<u8> {
        let mut packet = Vec::new();
        let [client, server] = [1, 2].map(|last| {
            let mut address = [0; 16];
            address[15] = last;
            address
        });
        let builder = PacketBuilder::ipv6(client, server, 64).tcp(13, 40000, 7, 512);
        builder.fin().ack(9).write(&mut packet, payload).expect("written");
        packet
    }

    /// Returns an ICMP "port unreachable" message from the server that quotes these octets.
    fn unreachable(subject: &[u8]) -> Vec<u8> {
        let mut packet = Vec::new();
        let icmp = PacketBuilder::ipv4(SERVER, CLIENT, 64).icmpv4_raw(3, 3, [0; 4]);
        icmp.write(&mut packet, subject).expect("written");
        packet
    }

    fn decoded(octets: &[u8]) -> Decoded {
        decode(octets).expect("an IP header")
    }

    #[test]
    fn a_datagram_is_decoded_with_its_ends_and_payload() {
        let packet = decoded(&udp(b"noon"));
        assert_eq!(packet.source.to_string(), "10.0.0.1:40000");
        assert_eq!(packet.destination.to_string(), "10.0.0.2:13");
        assert_eq!(packet.content, Content::Udp { payload: b"noon".into() });
        assert_eq!(packet.octets, 32);
    }

    #[test]
    fn the_length_of_a_cut_payload_comes_from_the_headers() {
        let (datagram, segment) = (udp(b"Monday, noon"), tcp_v6(b"Monday, noon"));
        for whole in [datagram, segment] {
            let packet = decoded(&whole[..whole.len() - 4]);
            let (Content::Udp { payload } | Content::Tcp { payload, .. }) = packet.content else {
                panic!("{packet:?}");
            };
            assert_eq!((&payload[..], packet.carried), (&b"Monday, "[..], 12));
        }
    }

    #[test]
    fn a_segment_with_options_cut_off_keeps_its_flags() {
        let mut whole = Vec::new();
        let builder = PacketBuilder::ipv4(CLIENT, SERVER, 64).tcp(40000, 13, 7, 512).syn();
        let options = [etherparse::TcpOptionElement::MaximumSegmentSize(1460)];
        let builder = builder.options(&options).expect("short");
        builder.write(&mut whole, b"").expect("written");
        let segment = decoded(&whole[..40]);
        let Content::Tcp { flags, sequence, .. } = segment.content else { panic!("{segment:?}") };
        assert_eq!((flags, sequence, segment.carried), (Flags::SYN, 7, 0));
        assert_eq!(decoded(&whole[..39]).content, Content::Other);
    }

    #[test]
    fn a_tcp_header_of_impossible_length_is_bad() {
        for length in [2, 4, 15] {
            let mut packet = tcp_v6(b"");
            packet[40 + 12] = length << 4;
            let packet = decoded(&packet);
            assert_eq!((packet.content, packet.source.port), (Content::BadHeader, Some(13)));
        }
    }

    #[test]
    fn the_first_fragment_is_decoded_as_a_datagram() {
        let mut packet = udp(b"noon");
        packet[4..6].copy_from_slice(&[0x12, 0x34]);
        packet[6] |= 0x20; // sets the flag "more fragments"
        packet[25] = 200; // makes the length field larger than this fragment
        let first = decoded(&packet);
        assert_eq!(first.content, Content::Udp { payload: b"noon".into() });
        assert_eq!((first.fragment_of, first.carried), (Some(0x1234), 4));
        assert_eq!(decoded(&udp(b"noon")).fragment_of, None);
    }

    #[test]
    fn a_segment_over_ipv6_is_decoded_with_its_flags_and_numbers() {
        let packet = decoded(&tcp_v6(b"noon\r\n"));
        assert_eq!(packet.source.to_string(), "[::1]:13");
        assert_eq!(packet.octets, 66);
        let Content::Tcp { flags, sequence, acknowledgement, window, payload } = packet.content
        else {
            panic!("{packet:?}");
        };
        assert_eq!((sequence, acknowledgement, window), (7, 9, 512));
        assert_eq!(payload, b"noon\r\n");
        assert_eq!(flags.to_string(), "FIN, ACK");
    }

    #[test]
    fn padding_after_a_packet_is_ignored() {
        let padded = [udp(b""), vec![0; 18]].concat();
        assert_eq!(decoded(&padded), decoded(&udp(b"")));
    }

    #[test]
    fn an_extension_header_is_skipped() {
        let mut packet = tcp_v6(b"");
        // Inserts an extension header of eight octets: destination options, all padding (RFC 8200,
        // section 4.6).
        packet.splice(40..40, [6, 0, 1, 4, 0, 0, 0, 0]);
        packet[6] = 60;
        packet[5] += 8;
        assert!(matches!(decoded(&packet).content, Content::Tcp { .. }));
        assert_eq!(decoded(&packet).source.port, Some(13));
    }

    #[test]
    fn an_icmp_error_has_its_quoted_packet() {
        let Content::Icmp { message, subject } = decoded(&unreachable(&udp(b"noon"))).content
        else {
            panic!("not ICMP");
        };
        assert_eq!(message, "port unreachable");
        assert_eq!(*subject.expect("quoted"), decoded(&udp(b"noon")));
    }

    #[test]
    fn a_cut_quote_keeps_its_ports() {
        let mut segment = Vec::new();
        let builder = PacketBuilder::ipv4(CLIENT, SERVER, 64).tcp(40000, 13, 7, 512);
        builder.syn().write(&mut segment, b"").expect("written");
        let Content::Icmp { subject: Some(subject), .. } =
            decoded(&unreachable(&segment[..28])).content
        else {
            panic!("not ICMP with a quote");
        };
        assert_eq!((subject.content, subject.octets), (Content::Other, 40));
        assert_eq!(subject.destination.to_string(), "10.0.0.2:13");
    }

    #[test]
    fn the_quote_of_a_quoted_error_is_not_decoded() {
        let twice = unreachable(&unreachable(&udp(b"")));
        let Content::Icmp { subject: Some(subject), .. } = decoded(&twice).content else {
            panic!("not ICMP with a quote");
        };
        assert!(matches!(subject.content, Content::Icmp { subject: None, .. }), "{subject:?}");
    }

    #[test]
    fn a_later_fragment_has_no_ports() {
        let mut packet = udp(b"noon");
        packet[7] = 185; // sets the fragment offset, in units of eight octets
        let fragment = decoded(&packet);
        assert_eq!((fragment.protocol, fragment.content), (17, Content::Fragment { offset: 1480 }));
        assert_eq!(fragment.source.to_string(), "10.0.0.1");
        assert_eq!(fragment.fragment_of, Some(0));

        let offset = IpFragOffset::try_new(185).expect("13 bits");
        let header = Ipv6FragmentHeader::new(ip_number::TCP, offset, false, 70_000);
        let mut packet = tcp_v6(b"");
        packet[6] = 44;
        packet[5] += 8;
        packet.splice(40..40, header.to_bytes());
        let fragment = decoded(&packet);
        assert_eq!((fragment.protocol, fragment.content), (6, Content::Fragment { offset: 1480 }));
        assert_eq!(fragment.fragment_of, Some(70_000));
    }

    #[test]
    fn a_fragment_header_after_another_extension_header_is_found() {
        let mut packet = tcp_v6(b"");
        packet[6] = 60;
        packet[5] += 16;
        packet.splice(40..40, [44, 0, 1, 4, 0, 0, 0, 0, 6, 0, 0x05, 0xc9, 0, 0, 0, 1]);
        let whole = decoded(&packet);
        assert_eq!((whole.protocol, whole.content), (6, Content::Fragment { offset: 1480 }));
    }

    #[test]
    fn decoding_stops_at_an_extension_header_that_is_cut_off() {
        for kind in [0, 43, 44, 51, 60] {
            let mut packet = tcp_v6(b"");
            packet[6] = kind;
            packet[40..42].copy_from_slice(&[kind, 99]);
            for length in 40..=packet.len() {
                assert!(
                    !matches!(decoded(&packet[..length]).content, Content::Tcp { .. }),
                    "{kind}"
                );
            }
        }
    }

    #[test]
    fn an_unfinished_length_is_replaced_by_the_captured_length() {
        let mut packet = udp(b"noon");
        packet[2..4].fill(0);
        assert_eq!(decoded(&packet), decoded(&udp(b"noon")));
    }

    #[test]
    fn octets_without_an_ip_header_are_refused() {
        assert_eq!(decode(&[]), None);
        assert_eq!(decode(b"GET / HTTP/1.1\r\n\r\n"), None);
        assert_eq!(decode(&udp(b"")[..19]), None);
    }

    proptest! {
        #[test]
        fn no_octets_panic(octets: Vec<u8>, version in prop::sample::select(vec![0x45_u8, 0x60, 0x4f])) {
            decode(&octets);
            decode(&[vec![version], octets].concat());
        }

        #[test]
        fn no_damage_panics(at: prop::sample::Index, bit in 0..8_u32, cut: prop::sample::Index) {
            for whole in [udp(b"noon"), tcp_v6(b"noon"), unreachable(&udp(b"noon"))] {
                let mut packet = whole.clone();
                packet[at.index(whole.len())] ^= 1 << bit;
                decode(&packet);
                decode(&packet[..cut.index(whole.len())]);
            }
        }
    }
}
