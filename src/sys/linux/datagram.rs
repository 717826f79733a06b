//! Datagrams with the address they were sent to: `recvmsg(2)`, `sendmsg(2)`, `IP_PKTINFO` (ip(7)),
//! `IPV6_PKTINFO` (ipv6(7), RFC 3542).

use super::super::{Destination, Received};
use nix::cmsg_space;
use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
    sockopt,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd};

/// Has the kernel tell with each datagram which address it was sent to.
pub(crate) fn ask_for_destination(socket: &impl AsFd, bound: IpAddr) -> io::Result<()> {
    // On IPv6 too: its own option tells of an IPv4 broadcast only the address it was sent to, from
    // which no answer can leave.
    setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?;
    if bound.is_ipv6() {
        setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?;
    }
    Ok(())
}

/// Takes one datagram and throws its octets away; `WouldBlock` when none waits.
pub(crate) fn receive(socket: &(impl AsFd + AsRawFd)) -> io::Result<Received> {
    let mut octets = [0; 1]; // the kernel cuts the rest off
    let mut control = cmsg_space!(in6_pktinfo, in_pktinfo);
    let mut iov = [IoSliceMut::new(&mut octets)];
    let message = recvmsg::<SockaddrStorage>(
        socket.as_raw_fd(),
        &mut iov,
        Some(&mut control),
        // The length is the datagram's own, not what was taken of it.
        MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC,
    )?;
    let octets = message.bytes;
    let peer =
        message.address.as_ref().and_then(to_std).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "datagram without a source")
        })?;
    let mut received = Received { peer, octets, sent_to_many: false, destination: None };
    message.cmsgs()?.for_each(|control| note(&control, &mut received));
    Ok(received)
}

/// The broadcast addresses of this host's interfaces: those that are set, and the last one of each network,
/// which is one whether it is set or not (RFC 922).
pub(crate) fn broadcasts() -> Vec<Ipv4Addr> {
    let Ok(interfaces) = getifaddrs() else { return Vec::new() };
    interfaces.flat_map(|interface| broadcasts_of(&interface)).collect()
}

fn broadcasts_of(interface: &InterfaceAddress) -> Vec<Ipv4Addr> {
    let v4 = |address: Option<SockaddrStorage>| Some(address?.as_sockaddr_in()?.ip());
    let Some(own) = v4(interface.address) else { return Vec::new() };
    let has_one = interface.flags.contains(InterfaceFlags::IFF_BROADCAST);
    let set = has_one.then(|| v4(interface.broadcast)).flatten();
    // Links between two, /31 and /32, have none (RFC 3021).
    let mask = v4(interface.netmask).filter(|mask| mask.to_bits().count_zeros() > 1);
    let last = mask.map(|mask| Ipv4Addr::from_bits(own.to_bits() | !mask.to_bits()));
    // Where none is set, getifaddrs(3) gives the address itself.
    set.into_iter().chain(last).filter(|broadcast| *broadcast != own).collect()
}

/// Sends one datagram, from the given address of this host if there is one.
pub(crate) fn send_from(
    socket: &(impl AsFd + AsRawFd),
    octets: &[u8],
    to: SocketAddr,
    from: Option<Destination>,
) -> io::Result<()> {
    let iov = [IoSlice::new(octets)];
    let to = SockaddrStorage::from(to);
    let send = |control: &[ControlMessage]| {
        sendmsg(socket.as_raw_fd(), &iov, control, MsgFlags::MSG_DONTWAIT, Some(&to))
    };
    match from {
        None => send(&[])?,
        Some(Destination { address: IpAddr::V4(address), .. }) => {
            // No interface: the route decides, the source address stays.
            let info = in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: in_addr { s_addr: u32::from_ne_bytes(address.octets()) },
                ipi_addr: in_addr { s_addr: 0 },
            };
            send(&[ControlMessage::Ipv4PacketInfo(&info)])?
        }
        Some(Destination { address: IpAddr::V6(address), interface }) => {
            let info = in6_pktinfo {
                ipi6_addr: in6_addr { s6_addr: address.octets() },
                // Only a link-local address needs its link (RFC 4007); any other is routed.
                ipi6_ifindex: if address.is_unicast_link_local() { interface } else { 0 },
            };
            send(&[ControlMessage::Ipv6PacketInfo(&info)])?
        }
    };
    Ok(())
}

/// What the kernel tells of where it was sent to. Of an IPv4 datagram on an IPv6 socket there are both; the
/// IPv4 one knows more.
fn note(control: &ControlMessageOwned, received: &mut Received) {
    match control {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            // The address in the header is this host's own, unless many have it: then the other one is
            // the interface's (ip(7)).
            received.sent_to_many |= info.ipi_addr.s_addr != info.ipi_spec_dst.s_addr;
            received.destination = Some(Destination {
                address: Ipv4Addr::from(info.ipi_spec_dst.s_addr.to_ne_bytes()).into(),
                interface: u32::try_from(info.ipi_ifindex).unwrap_or(0),
            });
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            let address = Ipv6Addr::from(info.ipi6_addr.s6_addr);
            received.sent_to_many |= address.is_multicast();
            let v4 = received.destination.is_some_and(|it| it.address.is_ipv4());
            if !v4 && !address.is_multicast() {
                let interface = info.ipi6_ifindex;
                received.destination = Some(Destination { address: address.into(), interface });
            }
        }
        _ => {}
    }
}

fn to_std(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddrV4::from(*v4).into());
    }
    address.as_sockaddr_in6().map(|v6| SocketAddrV6::from(*v6).into())
}
