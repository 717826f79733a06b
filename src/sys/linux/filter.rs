//! Kernel filter that decides which packets a packet socket receives (classic BPF;
//! networking/filter.rst of the kernel's documentation). Without the filter, unwanted traffic would
//! fill the socket's buffer.
//!
//! The filter is deliberately loose. It drops a packet only if the TCP or UDP ports are at their
//! usual position and none of them matches. It keeps every other IP packet, because the program
//! also finds ports after extension headers and in ICMP errors. A frame with a VLAN tag in its
//! octets does not count as IP, because the same packet appears again on the VLAN's own interface.

use nix::libc::{
    ARPHRD_LOOPBACK, BPF_ABS, BPF_ALU, BPF_AND, BPF_B, BPF_H, BPF_IMM, BPF_IND, BPF_JA, BPF_JEQ,
    BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_LDX, BPF_MSH, BPF_RET, BPF_W, ETH_P_IP, ETH_P_IPV6,
    PACKET_OUTGOING, SKF_AD_HATYPE, SKF_AD_IFINDEX, SKF_AD_OFF, SKF_AD_PKTTYPE, SKF_AD_PROTOCOL,
    c_int,
};
use socket2::SockFilter;

/// Maximum number of ports that the filter compares. If there are more ports, the filter keeps
/// every packet. A BPF program has a limited size (`net.core.optmem_max`), and its conditional
/// jumps skip at most 255 instructions.
const MAX_FILTERED_PORTS: usize = 32;

const KEEP: SockFilter = instruction(BPF_RET | BPF_K, u32::MAX);
const DROP: SockFilter = instruction(BPF_RET | BPF_K, 0);

const TCP: u32 = 6;
const UDP: u32 = 17;

/// BPF program that drops every packet.
pub(super) const DROP_ALL: [SockFilter; 1] = [DROP];

/// Builds the BPF program for a capture, which keeps each IP packet once and drops packets on other
/// ports. If `only` is given, the program keeps only packets on that interface.
pub(super) fn capture_filter(only: Option<u32>, ports: &[u16]) -> Vec<SockFilter> {
    let mut program = Vec::new();
    if let Some(index) = only {
        program.extend([of_packet(SKF_AD_IFINDEX), jump(BPF_JEQ, index, 1, 0), DROP]);
    }
    program.extend([
        of_packet(SKF_AD_PROTOCOL),
        jump(BPF_JEQ, number(ETH_P_IP), 2, 0),
        jump(BPF_JEQ, number(ETH_P_IPV6), 1, 0),
        DROP,
        // The socket sees each loopback packet twice, as outgoing and as incoming. The filter keeps
        // the incoming one.
        of_packet(SKF_AD_HATYPE),
        jump(BPF_JEQ, ARPHRD_LOOPBACK.into(), 0, 3),
        of_packet(SKF_AD_PKTTYPE),
        jump(BPF_JEQ, PACKET_OUTGOING.into(), 0, 1),
        DROP,
    ]);
    program.extend(port_filter(ports));
    program
}

/// Builds the part of the filter that drops TCP and UDP packets whose ports are both different from
/// `ports`. Offset 0 is the first octet of the IP header.
fn port_filter(ports: &[u16]) -> Vec<SockFilter> {
    if ports.len() > MAX_FILTERED_PORTS {
        return vec![KEEP];
    }
    let mut program = vec![
        instruction(BPF_LD | BPF_B | BPF_ABS, 0),
        instruction(BPF_ALU | BPF_AND | BPF_K, 0xf0),
        jump(BPF_JEQ, 0x40, 0, 9),
        // IPv4 (RFC 791): reads the protocol. Later fragments have no ports, so only the first
        // fragment is checked. Afterwards, reads the length of the header.
        instruction(BPF_LD | BPF_B | BPF_ABS, 9),
        jump(BPF_JEQ, TCP, 2, 0),
        jump(BPF_JEQ, UDP, 1, 0),
        KEEP,
        instruction(BPF_LD | BPF_H | BPF_ABS, 6),
        jump(BPF_JSET, 0x1fff, 0, 1),
        KEEP,
        instruction(BPF_LDX | BPF_B | BPF_MSH, 0),
        instruction(BPF_JMP | BPF_JA, 7),
        // IPv6 (RFC 8200): reads the next header. If it is an extension header, the packet is kept.
        jump(BPF_JEQ, 0x60, 1, 0),
        KEEP,
        instruction(BPF_LD | BPF_B | BPF_ABS, 6),
        jump(BPF_JEQ, TCP, 2, 0),
        jump(BPF_JEQ, UDP, 1, 0),
        KEEP,
        instruction(BPF_LDX | BPF_W | BPF_IMM, 40),
    ];
    for of_source_or_destination in [0, 2] {
        program.push(instruction(BPF_LD | BPF_H | BPF_IND, of_source_or_destination));
        let each = ports.iter().flat_map(|port| [jump(BPF_JEQ, (*port).into(), 0, 1), KEEP]);
        program.extend(each);
    }
    program.push(DROP);
    program
}

/// Builds an instruction that loads a packet's metadata, which the kernel stores outside the
/// packet's octets.
const fn of_packet(what: c_int) -> SockFilter {
    instruction(BPF_LD | BPF_W | BPF_ABS, (SKF_AD_OFF + what).cast_unsigned())
}

const fn instruction(code: u32, operand: u32) -> SockFilter {
    SockFilter::new(low_16_bits(code), 0, 0, operand)
}

/// Builds a conditional jump. The jump skips `if_so` instructions if the test is true, and `if_not`
/// otherwise.
const fn jump(test: u32, operand: u32, if_so: u8, if_not: u8) -> SockFilter {
    SockFilter::new(low_16_bits(BPF_JMP | test | BPF_K), if_so, if_not, operand)
}

#[expect(clippy::cast_possible_truncation, reason = "an instruction's code has 8 bits")]
const fn low_16_bits(code: u32) -> u16 {
    code as u16
}

const fn number(protocol: c_int) -> u32 {
    protocol.cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::{
        IpFragOffset, IpHeaders, IpNumber, Ipv4Header, PacketBuilder, PacketBuilderStep,
    };
    use socket2::SockRef;
    use std::os::unix::net::UnixDatagram;

    /// Returns the indexes of the packets that the kernel keeps. The test attaches the filter to a
    /// Unix datagram socket, where offset 0 is the first octet, here the IP header. Link metadata
    /// exists only on a packet socket, so this test cannot cover it.
    fn kept(program: &[SockFilter], packets: &[Vec<u8>]) -> Vec<usize> {
        let (from, to) = UnixDatagram::pair().expect("a pair");
        SockRef::from(&to).attach_filter(program).expect("a valid program");
        to.set_nonblocking(true).expect("set");
        let mut passed = Vec::new();
        for (number, packet) in packets.iter().enumerate() {
            from.send(packet).expect("sent");
            let mut room = [0; 2048];
            if let Ok(octets) = to.recv(&mut room) {
                assert_eq!(&room[..octets], packet, "nothing is cut off");
                passed.push(number);
            }
        }
        passed
    }

    type IpBuilder = PacketBuilderStep<IpHeaders>;

    fn v4() -> IpBuilder {
        PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
    }

    fn v6() -> IpBuilder {
        PacketBuilder::ipv6([1; 16], [2; 16], 64)
    }

    fn udp(builder: IpBuilder, ports: (u16, u16)) -> Vec<u8> {
        let mut packet = Vec::new();
        builder.udp(ports.0, ports.1).write(&mut packet, b"question").expect("written");
        packet
    }

    fn tcp(builder: IpBuilder, ports: (u16, u16)) -> Vec<u8> {
        let mut packet = Vec::new();
        builder.tcp(ports.0, ports.1, 1, 1000).syn().write(&mut packet, &[]).expect("written");
        packet
    }

    #[test]
    fn packets_about_other_ports_are_dropped_and_no_others() {
        for make in [udp, tcp] {
            for family in [v4, v6] {
                let packets = [(40000, 13), (13, 40000), (40000, 14), (3341, 53), (37, 40000)]
                    .map(|ports| make(family(), ports));
                assert_eq!(kept(&port_filter(&[13, 37]), &packets), [0, 1, 4]);
            }
        }
    }

    #[test]
    fn the_ports_of_ipv4_are_found_after_options() {
        let with_options = |port| {
            let header = Ipv4Header::new(8, 64, IpNumber::UDP, [10, 0, 0, 1], [10, 0, 0, 2]);
            let mut header = header.expect("short");
            header.options = [1; 12].into();
            let mut packet = header.to_bytes().to_vec();
            packet.extend([0x9c, 0x40, 0, port, 0, 8, 0, 0]);
            packet
        };
        assert_eq!(kept(&port_filter(&[13]), &[with_options(13), with_options(14)]), [0]);
    }

    #[test]
    fn a_packet_without_ports_at_the_usual_place_is_kept() {
        let mut fragment = udp(v4(), (40000, 53));
        let mut header = Ipv4Header::from_slice(&fragment).expect("a header").0;
        header.fragment_offset = IpFragOffset::try_new(3).expect("small");
        fragment[..20].copy_from_slice(&header.to_bytes());
        let mut first = udp(v4(), (40000, 53));
        // The flag "more fragments" is set, so this is the first fragment, which holds the ports.
        first[6] = 0x20;
        let mut icmp = Vec::new();
        v4().icmpv4_echo_request(1, 1).write(&mut icmp, &[]).expect("written");
        let mut icmp6 = Vec::new();
        v6().icmpv6_echo_request(1, 1).write(&mut icmp6, &[]).expect("written");
        let mut extended = udp(v6(), (40000, 53));
        extended[6] = 60; // destination options, an extension header
        let packets = [fragment, first, icmp, icmp6, extended, vec![0; 60]];
        assert_eq!(kept(&port_filter(&[13]), &packets), [0, 2, 3, 4, 5]);
    }

    #[test]
    fn up_to_32_ports_are_filtered_and_with_more_every_packet_is_kept() {
        let ports: Vec<u16> = (1..).take(MAX_FILTERED_PORTS).collect();
        let last = *ports.last().expect("some");
        let packets = [last, last + 1].map(|port| udp(v6(), (40000, port)));
        assert_eq!(kept(&port_filter(&ports), &packets), [0]);
        let more: Vec<u16> = (1..).take(MAX_FILTERED_PORTS + 1).collect();
        assert_eq!(kept(&port_filter(&more), &[udp(v6(), (40000, 41000))]), [0]);
        assert_eq!(kept(&DROP_ALL, &packets), [0; 0]);
    }
}
