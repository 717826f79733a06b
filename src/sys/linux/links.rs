//! The interfaces that there are, and what tells that they change (rtnetlink(7)).

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

/// The interfaces of this network namespace, each once; tunnels too, which have no address of their link.
pub(crate) fn interfaces() -> io::Result<Vec<Interface>> {
    // First, for of one that comes in between it would not be known that it is up.
    let names = if_nameindex()?;
    let up: Vec<String> = getifaddrs()?
        .filter(|it| it.flags.contains(InterfaceFlags::IFF_UP))
        .map(|it| it.interface_name)
        .collect();
    let interface = |name: String, index| Interface { is_up: up.contains(&name), name, index };
    Ok(names.iter().map(|it| interface(it.name().to_string_lossy().into(), it.index())).collect())
}

/// A socket that has something to read whenever an interface changes from now on.
pub(crate) fn open_link_changes() -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let protocol = SockProtocol::NetlinkRoute;
    let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, RTMGRP_LINK.cast_unsigned()))?;
    Ok(socket)
}

/// Takes what there is to read: what has changed is asked anew.
pub(crate) fn take_link_changes(socket: &OwnedFd) -> io::Result<()> {
    loop {
        match recv(socket.as_raw_fd(), &mut [0; 4096], MsgFlags::empty()) {
            // Too many at once: then some are lost, and nothing is missed by it.
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
