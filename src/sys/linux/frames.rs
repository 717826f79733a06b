//! A socket that sends and receives complete frames on one interface, including the link header
//! (packet(7)).

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::libc::PACKET_OUTGOING;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, recvfrom, send,
    socket,
};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// A non-blocking socket for frames on an interface in this thread's network. The socket receives
/// only incoming frames.
#[derive(Debug)]
pub(crate) struct FrameSocket {
    socket: OwnedFd,
    interface: usize,
}

impl FrameSocket {
    pub(crate) fn open(interface: &str) -> io::Result<Self> {
        let link = link(interface)?;
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let protocol = SockProtocol::EthAll;
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, protocol)?;
        // The address names no protocol, so the socket keeps the protocol with which it was opened.
        bind(socket.as_raw_fd(), &link)?;
        Ok(Self { socket, interface: link.ifindex() })
    }

    /// Reads the next frame that has arrived and returns its length in octets. Returns `WouldBlock`
    /// if there is none.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match recvfrom::<LinkAddr>(self.socket.as_raw_fd(), buffer) {
                // The socket also receives outgoing frames, and frames on other interfaces that
                // arrived before bind(2). Both are skipped.
                Ok((_, Some(from)))
                    if from.pkttype() == PACKET_OUTGOING || from.ifindex() != self.interface => {}
                Ok((octets, _)) => return Ok(octets),
                // The interface or its peer was down for a moment, which is not a failure.
                Err(Errno::EINTR | Errno::ENETDOWN) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    pub(crate) fn send(&self, octets: &[u8]) -> io::Result<()> {
        send(self.socket.as_raw_fd(), octets, MsgFlags::empty())?;
        Ok(())
    }
}

impl AsFd for FrameSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Returns an interface's link address, which contains the interface's index.
fn link(interface: &str) -> io::Result<LinkAddr> {
    let mut links = getifaddrs()?.filter(|it| it.interface_name == interface);
    let found = links.find_map(|it| it.address?.as_link_addr().copied());
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such interface"))
}
