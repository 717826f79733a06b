//! Addresses and control messages of datagrams, as the kernel lays them out in memory. Addresses
//! are `struct sockaddr_in` and `sockaddr_in6` (ip(7), ipv6(7)). Control messages are `IP_PKTINFO`
//! and `IPV6_PKTINFO` (RFC 3542) in the format of cmsg(3).

use super::super::{Destination, Received};
use nix::libc::{
    AF_INET, AF_INET6, IP_PKTINFO, IPPROTO_IP, IPPROTO_IPV6, IPV6_PKTINFO, c_int, socklen_t,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Maximum length of an address in octets: the size of `sockaddr_in6`.
pub(super) const MAX_ADDRESS_OCTETS: socklen_t = 28;
const V4_OCTETS: usize = 16;

/// Address of a peer, as the kernel stores it.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(8))]
pub(super) struct Address([u8; MAX_ADDRESS_OCTETS as usize]);

impl Address {
    /// Reads the address; the kernel has written its first `length` octets. Returns `None` if the
    /// address is neither IPv4 nor IPv6.
    pub(super) fn read(&self, length: usize) -> Option<SocketAddr> {
        let written = self.0.get(..length)?;
        let family = c_int::from(u16::from_ne_bytes(field(written, 0)?));
        let port = u16::from_be_bytes(field(written, 2)?);
        match family {
            AF_INET if length >= V4_OCTETS => {
                Some(SocketAddrV4::new(field(written, 4)?.into(), port).into())
            }
            AF_INET6 => {
                let address: [u8; 16] = field(written, 8)?;
                let flow = u32::from_ne_bytes(field(written, 4)?);
                let link = u32::from_ne_bytes(field(written, 24)?);
                Some(SocketAddrV6::new(address.into(), port, flow, link).into())
            }
            _ => None,
        }
    }
}

/// Size of `size_t`. Control messages are aligned to this size.
const SIZE_T: usize = size_of::<usize>();
/// Size of `struct cmsghdr`. Its fields are the level, the type, and the length, which includes this header.
const HEADER: usize = SIZE_T + 8;
const V4_INFO: usize = 12;
const V6_INFO: usize = 20;

const fn aligned(octets: usize) -> usize {
    octets.next_multiple_of(SIZE_T)
}

/// Maximum total length of the control messages in octets. An IPv4 datagram on an IPv6 socket has
/// two control messages, one per address family.
pub(super) const MAX_CONTROL_OCTETS: usize = aligned(HEADER + V4_INFO) + aligned(HEADER + V6_INFO);

/// Buffer for control messages.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(super) struct Control([u8; MAX_CONTROL_OCTETS]);

impl Default for Control {
    fn default() -> Self {
        Self([0; MAX_CONTROL_OCTETS])
    }
}

impl Control {
    /// Builds a control message that makes the kernel send a reply from a given address of this
    /// host. Returns the message and its length in octets.
    pub(super) fn from(from: Destination) -> (Self, usize) {
        let mut control = Self::default();
        let length = match from.address {
            IpAddr::V4(v4) => {
                // Sets no interface, so the route chooses it. ipi_spec_dst is the source address
                // (ip(7)).
                let mut info = [0; V4_INFO];
                info[4..8].copy_from_slice(&v4.octets());
                control.put(IPPROTO_IP, IP_PKTINFO, &info)
            }
            IpAddr::V6(v6) => {
                // Only a link-local address needs its interface (RFC 4007). For other addresses,
                // the route chooses the interface.
                let link = if v6.is_unicast_link_local() { from.interface } else { 0 };
                let mut info = [0; V6_INFO];
                info[..16].copy_from_slice(&v6.octets());
                info[16..].copy_from_slice(&link.to_ne_bytes());
                control.put(IPPROTO_IPV6, IPV6_PKTINFO, &info)
            }
        };
        (control, length)
    }

    fn put(&mut self, level: c_int, kind: c_int, info: &[u8]) -> usize {
        let length = HEADER + info.len();
        self.0[..SIZE_T].copy_from_slice(&length.to_ne_bytes());
        self.0[SIZE_T..SIZE_T + 4].copy_from_slice(&level.to_ne_bytes());
        self.0[SIZE_T + 4..HEADER].copy_from_slice(&kind.to_ne_bytes());
        self.0[HEADER..length].copy_from_slice(info);
        aligned(length)
    }

    /// Reads a datagram's destination from control messages with a total length of `length` octets.
    pub(super) fn read_control(&self, length: usize, received: &mut Received) {
        let mut rest = self.0.get(..length).unwrap_or(&[]);
        while let Some((level, kind, info, after)) = first_message(rest) {
            match (level, kind) {
                (IPPROTO_IP, IP_PKTINFO) => read_pktinfo(info, received),
                (IPPROTO_IPV6, IPV6_PKTINFO) => read_pktinfo6(info, received),
                _ => {}
            }
            rest = after;
        }
    }
}

/// Returns the level, type and content of the first control message, and the octets after it.
fn first_message(octets: &[u8]) -> Option<(c_int, c_int, &[u8], &[u8])> {
    let length = usize::from_ne_bytes(field(octets, 0)?);
    let level = c_int::from_ne_bytes(field(octets, SIZE_T)?);
    let kind = c_int::from_ne_bytes(field(octets, SIZE_T + 4)?);
    let info = octets.get(HEADER..length)?;
    Some((level, kind, info, octets.get(aligned(length)..).unwrap_or(&[])))
}

/// Reads `struct in_pktinfo`: the interface, the local address, and the address in the datagram's
/// header.
fn read_pktinfo(info: &[u8], received: &mut Received) {
    let v4 = |at| field::<4>(info, at).map(Ipv4Addr::from);
    let (Some(interface), Some(local), Some(header)) = (field(info, 0), v4(4), v4(8)) else {
        return;
    };
    // If many hosts have the address in the header (broadcast, multicast), the local address
    // differs from it: it is the address of the interface (ip(7)). The local address is missing if
    // the datagram arrived before the socket requested it, as can happen on an inherited socket. In
    // this case the address from the header is used. If that is a broadcast address, no reply can
    // leave from it.
    let local = Some(local).filter(|local| !local.is_unspecified());
    received.sent_to_many |= local.is_some_and(|local| local != header);
    received.destination = Some(Destination {
        address: local.unwrap_or(header).into(),
        interface: u32::from_ne_bytes(interface),
    });
}

/// Reads `struct in6_pktinfo`: the address in the header, and the interface. An IPv4 datagram has
/// control messages of both families, and the IPv4 message is more precise.
fn read_pktinfo6(info: &[u8], received: &mut Received) {
    let (Some(address), Some(interface)) = (field::<16>(info, 0), field(info, 16)) else { return };
    let address = Ipv6Addr::from(address);
    received.sent_to_many |= address.is_multicast();
    let v4 = received.destination.is_some_and(|it| it.address.is_ipv4());
    if !v4 && !address.is_multicast() {
        let interface = u32::from_ne_bytes(interface);
        received.destination = Some(Destination { address: address.into(), interface });
    }
}

/// Returns `OCTETS` octets, beginning at the offset `at`.
fn field<const OCTETS: usize>(octets: &[u8], at: usize) -> Option<[u8; OCTETS]> {
    octets.get(at..)?.first_chunk().copied()
}
