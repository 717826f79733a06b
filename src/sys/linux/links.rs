//! Lists the network interfaces, and opens a socket that reports changes (rtnetlink(7)).

use super::super::Interface;
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::libc::RTMGRP_LINK;
use nix::net::if_::{InterfaceFlags, if_nameindex};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// Returns the interfaces of this network namespace, each once. The list includes tunnels without a
/// link address.
pub(crate) fn interfaces() -> io::Result<Vec<Interface>> {
    // Reads the names first. Otherwise, the state of an interface that appears between the two
    // calls would be unknown.
    let names = if_nameindex()?;
    let up: Vec<String> = getifaddrs()?
        .filter(|it| it.flags.contains(InterfaceFlags::IFF_UP))
        .map(|it| it.interface_name)
        .collect();
    let interface = |name: String, index| Interface { is_up: up.contains(&name), name, index };
    Ok(names.iter().map(|it| interface(it.name().to_string_lossy().into(), it.index())).collect())
}

/// Opens a socket that becomes readable whenever an interface changes.
pub(crate) fn open_link_changes() -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let protocol = SockProtocol::NetlinkRoute;
    let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, RTMGRP_LINK.cast_unsigned()))?;
    Ok(socket)
}

/// Reads and discards all pending messages. The caller then lists the interfaces again.
pub(crate) fn take_link_changes(socket: &OwnedFd) -> io::Result<()> {
    loop {
        match recv(socket.as_raw_fd(), &mut [0; 4096], MsgFlags::empty()) {
            // ENOBUFS means that the kernel dropped messages. This does no harm, because the caller
            // lists the interfaces again.
            Ok(_) | Err(Errno::ENOBUFS | Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_interface_is_listed_once() {
        let mut indexes: Vec<u32> =
            interfaces().expect("a list").iter().map(|it| it.index).collect();
        let count = indexes.len();
        indexes.sort_unstable();
        indexes.dedup();
        assert!(count > 0);
        assert_eq!(indexes.len(), count);
    }
}
