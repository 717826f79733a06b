//! Datagrams with any source address and port, as only a raw socket sends them (raw(7)); Python writes
//! them, in a namespace where this is allowed.

use super::{Namespace, good, program};

/// `from` (`ADDRESS PORT`), `to` (`ADDRESS PORT`) and how many octets.
pub type Datagram<'a> = (&'a str, &'a str, usize);

/// Sends empty datagrams from so many addresses, from the first on.
///
/// # Errors
/// As [`forge`].
pub fn forge_range(inside: &Namespace, from: &str, to: &str, count: u32) -> Result<(), String> {
    let mut python = inside.command(program("python3")?);
    python.args(["-c", SCRIPT, &format!("{from} {to} 0 {count}")]);
    assert_eq!(good(&mut python), "");
    Ok(())
}

/// Sends these in order. They are in the receiver's buffer when it returns, if it is on the same host.
///
/// # Errors
/// The sentence for [`skip`](super::skip): there is no Python.
pub fn forge(inside: &Namespace, datagrams: &[Datagram]) -> Result<(), String> {
    let mut python = inside.command(program("python3")?);
    python.args(["-c", SCRIPT]);
    for (from, to, octets) in datagrams {
        python.arg(format!("{from} {to} {octets}"));
    }
    assert_eq!(good(&mut python), "");
    Ok(())
}

/// IPv4 with a header of our own (IP_HDRINCL), the kernel adds the checksum of the header; IPv6 likewise
/// (IPV6_HDRINCL, ipv6(7)). The UDP checksum may be 0 over IPv4 (RFC 768), and is made over IPv6.
const SCRIPT: &str = r"
import ipaddress, socket, struct, sys
sockets = {}
def raw_socket(family):
    if family not in sockets:
        sockets[family] = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
        sockets[family].setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    return sockets[family]
def lines():
    for line in sys.argv[1:]:
        source, sport, target, dport, octets, *count = line.split()
        source, target = ipaddress.ip_address(source), ipaddress.ip_address(target)
        for number in range(int(count[0]) if count else 1):
            yield source + number, sport, target, dport, octets
for source, sport, target, dport, octets in lines():
    length = 8 + int(octets)
    udp = struct.pack('!HHHH', int(sport), int(dport), length, 0)
    if target.version == 4:
        head = struct.pack('!BBHHHBBH', 0x45, 0, 20 + length, 1, 0, 64, 17, 0)
        packet = head + source.packed + target.packed + udp
        raw = raw_socket(socket.AF_INET)
    else:
        pseudo = source.packed + target.packed + struct.pack('!II', length, 17)
        data = pseudo + udp + bytes(int(octets))
        data += bytes(len(data) % 2)
        total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
        while total >> 16:
            total = (total & 0xffff) + (total >> 16)
        udp = udp[:6] + struct.pack('!H', ~total & 0xffff or 0xffff)
        packet = struct.pack('!IHBB', 6 << 28, length, 17, 64) + source.packed + target.packed + udp
        raw = raw_socket(socket.AF_INET6)
    raw.sendto(packet + bytes(int(octets)), (str(target), 0))
";
