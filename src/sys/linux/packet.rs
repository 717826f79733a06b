//! Sockets that see packets (packet(7)), and the interfaces that there are.

use super::super::{Interface, SeenPacket};
use nix::cmsg_space;
use nix::ifaddrs::getifaddrs;
use nix::libc::{ETH_P_ALL, ETH_P_IP, ETH_P_IPV6, PACKET_OUTGOING, c_int};
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::sockopt::{ReceiveTimestampns, RxqOvfl};
use nix::sys::socket::{ControlMessageOwned, LinkAddr, MsgFlags, bind, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

/// Octets of packets that may wait; the kernel gives as many as `net.core.rmem_max` allows.
const BUFFER: usize = 8 << 20;

/// The interfaces of this network namespace, each once.
pub(crate) fn interfaces() -> io::Result<Vec<Interface>> {
    Ok(links()?.into_iter().map(|(interface, _)| interface).collect())
}

/// Each has an address of its link, its number in it, whether it has others or not.
pub(super) fn links() -> io::Result<Vec<(Interface, LinkAddr)>> {
    let links = getifaddrs()?.filter_map(|it| {
        let link = *it.address?.as_link_addr()?;
        let interface = Interface {
            name: it.interface_name,
            index: u32::try_from(link.ifindex()).ok()?,
            is_loopback: it.flags.contains(InterfaceFlags::IFF_LOOPBACK),
        };
        Some((interface, link))
    });
    Ok(links.collect())
}

/// A socket that gets a copy of each packet, in both directions.
pub(crate) struct PacketSocket {
    socket: Socket,
    /// The only interface that counts: before it is bound it gets packets from others too.
    only: Option<u32>,
    control: Vec<u8>,
}

impl PacketSocket {
    /// Opens one on an interface, or on all; it never blocks. Needs CAP_NET_RAW.
    pub(crate) fn open(interface: Option<&str>) -> io::Result<Self> {
        // Only a socket for all protocols sees what this host sends. SOCK_DGRAM takes the link's header off.
        let protocol = Protocol::from(c_int::from(network_order(ETH_P_ALL)));
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol))?;
        socket.set_nonblocking(true)?;
        socket.set_recv_buffer_size(BUFFER)?;
        setsockopt(&socket, ReceiveTimestampns, &true)?;
        setsockopt(&socket, RxqOvfl, &1)?;
        let mut only = None;
        if let Some(name) = interface {
            let gone = || io::Error::from(io::ErrorKind::NotFound);
            let (interface, link) =
                links()?.into_iter().find(|(it, _)| it.name == name).ok_or_else(gone)?;
            // Its protocol is 0, which leaves the socket's as it is.
            bind(socket.as_raw_fd(), &link)?;
            only = Some(interface.index);
        }
        Ok(Self { socket, only, control: cmsg_space!(TimeSpec, u32) })
    }

    /// Takes a packet, from its IP header on.
    pub(crate) fn receive(&mut self, room: &mut [u8]) -> io::Result<SeenPacket> {
        let mut slices = [IoSliceMut::new(room)];
        let control = Some(&mut self.control[..]);
        let message =
            recvmsg::<LinkAddr>(self.socket.as_raw_fd(), &mut slices, control, MsgFlags::empty())?;
        let (mut at, mut lost) = (Duration::ZERO, None);
        for said in message.cmsgs()? {
            match said {
                ControlMessageOwned::ScmTimestampns(time) => at = time.into(),
                ControlMessageOwned::RxqOvfl(count) => lost = Some(count),
                _ => {}
            }
        }
        let link = message.address.ok_or(io::ErrorKind::InvalidData)?;
        let interface = u32::try_from(link.ifindex()).unwrap_or_default();
        let is_ip = [ETH_P_IP, ETH_P_IPV6].map(network_order).contains(&link.protocol());
        Ok(SeenPacket {
            octets: message.bytes,
            at,
            interface,
            is_ip: is_ip && self.only.is_none_or(|only| only == interface),
            is_outgoing: link.pkttype() == PACKET_OUTGOING,
            lost,
        })
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A protocol as packet(7) wants it.
fn network_order(protocol: c_int) -> u16 {
    u16::try_from(protocol).unwrap_or_default().to_be()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_interface_is_there_once_with_its_number() {
        let mut indexes: Vec<u32> =
            interfaces().expect("there are").iter().map(|it| it.index).collect();
        let count = indexes.len();
        indexes.sort_unstable();
        indexes.dedup();
        assert!(count > 0);
        assert_eq!(indexes.len(), count);
    }
}
