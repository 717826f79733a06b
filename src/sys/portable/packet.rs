//! Stubs for packet sockets and the list of interfaces, which POSIX lacks.

use super::super::{Interface, SeenPacket};
use super::unsupported;
use socket2::Socket;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

stubs! {
    fn interfaces() -> io::Result<Vec<Interface>> = unsupported();
    fn open_link_changes() -> io::Result<OwnedFd> = unsupported();
    fn take_link_changes(_: &OwnedFd) -> io::Result<()> = unsupported();
}

/// Stub: POSIX has no packet sockets.
pub(crate) struct PacketSocket(Socket);

impl PacketSocket {
    stubs! {
        fn open(_: Option<u32>, _: &[u16]) -> io::Result<Self> = unsupported();
        fn close(&self) -> io::Result<()> = unsupported();
        fn lost(&self) -> io::Result<u32> = unsupported();
        fn receive(&mut self, _: &mut [u8]) -> io::Result<SeenPacket> = unsupported();
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
