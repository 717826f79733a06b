//! Stubs for network namespaces and frame sockets, which POSIX lacks.

use super::unsupported;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

stubs! {
    fn enter_new_network() -> io::Result<i32> = unsupported();
    fn may_set_up_networks() -> bool = false;
    fn permit_networks() -> Result<(), String> =
        Err("only Linux has network namespaces".to_owned());

    // This build creates no namespaces, so it never reaches a limit on them and gives no advice.
    fn limit_reached() -> String = String::new();
    fn no_rights_inside() -> String = String::new();
}

/// Stub: POSIX cannot set up a network.
#[derive(Debug)]
pub(crate) struct NetworkSetup;

impl NetworkSetup {
    stubs! {
        fn open() -> io::Result<Self> = unsupported();
        fn add_cable(&self, _: &str, _: &str, _: [u8; 6], _: i32) -> io::Result<()> = unsupported();
        fn set_up(&self, _: &str) -> io::Result<()> = unsupported();
        fn add_address(&self, _: &str, _: Ipv4Addr) -> io::Result<()> = unsupported();
        fn add_neighbour(&self, _: &str, _: Ipv4Addr, _: [u8; 6]) -> io::Result<()> = unsupported();
    }
}

/// Stub: POSIX has no frame sockets.
#[derive(Debug)]
pub(crate) struct FrameSocket(OwnedFd);

impl FrameSocket {
    stubs! {
        fn open(_: &str) -> io::Result<Self> = unsupported();
        fn receive(&self, _: &mut [u8]) -> io::Result<usize> = unsupported();
        fn send(&self, _: &[u8]) -> io::Result<()> = unsupported();
    }
}

impl AsFd for FrameSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
