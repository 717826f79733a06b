//! Sends datagrams with forged source addresses and ports. This needs a raw socket (raw(7)), so a Python script sends
//! them, in a namespace that permits raw sockets.

use super::{Namespace, good, program};

/// A datagram: source (`ADDRESS PORT`), destination (`ADDRESS PORT`), and length in octets.
pub type Datagram<'a> = (&'a str, &'a str, usize);

/// Sends empty datagrams from `count` consecutive addresses, beginning with `from`.
///
/// # Errors
/// The same as for [`forge`].
pub fn forge_range(inside: &Namespace, from: &str, to: &str, count: u32) -> Result<(), String> {
    let mut python = inside.command(program("python3")?);
    python.args(["-c", SCRIPT, &format!("{from} {to} 0 {count}")]);
    assert_eq!(good(&mut python), "");
    Ok(())
}

/// Sends datagrams in order. If the receiver is on the same host, the datagrams are in its receive buffer when this
/// function returns.
///
/// # Errors
/// There is no Python. The error is the reason to pass to [`skip`](super::skip).
pub fn forge(inside: &Namespace, datagrams: &[Datagram]) -> Result<(), String> {
    let mut python = inside.command(program("python3")?);
    python.args(["-c", SCRIPT]);
    for (from, to, octets) in datagrams {
        python.arg(format!("{from} {to} {octets}"));
    }
    assert_eq!(good(&mut python), "");
    Ok(())
}

/// Python script that builds the IP headers itself (IP_HDRINCL; IPV6_HDRINCL, ipv6(7)). The kernel adds the IPv4 header
/// checksum. The UDP checksum is 0 over IPv4, which RFC 768 permits; over IPv6, the script calculates it.
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
