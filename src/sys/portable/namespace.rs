//! Networks of one's own and frames of an interface: POSIX has neither.

use super::unsupported;
use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd};

/// Never here.
pub(crate) fn may_set_up_networks() -> bool {
    false
}

/// Not available.
pub(crate) fn permit_networks() -> Result<(), String> {
    Err("only Linux has network namespaces".to_owned())
}

/// Not available.
pub(crate) fn enter_new_network() -> io::Result<i32> {
    unsupported()
}

/// Nothing is made here.
pub(crate) fn no_rights_inside() -> String {
    String::new()
}

/// Nothing is made here.
pub(crate) fn limit_reached() -> String {
    String::new()
}

/// There is none.
#[derive(Debug)]
pub(crate) struct NetworkSetup(Infallible);

impl NetworkSetup {
    /// Not available.
    pub(crate) fn open() -> io::Result<Self> {
        unsupported()
    }

    /// Never called.
    pub(crate) fn add_cable(&self, _: &str, _: &str, _: [u8; 6], _: i32) -> io::Result<()> {
        match self.0 {}
    }

    /// Never called.
    pub(crate) fn set_up(&self, _: &str) -> io::Result<()> {
        match self.0 {}
    }

    /// Never called.
    pub(crate) fn add_address(&self, _: &str, _: Ipv4Addr) -> io::Result<()> {
        match self.0 {}
    }

    /// Never called.
    pub(crate) fn add_neighbour(&self, _: &str, _: Ipv4Addr, _: [u8; 6]) -> io::Result<()> {
        match self.0 {}
    }
}

/// There is none.
#[derive(Debug)]
pub(crate) struct FrameSocket(Infallible);

impl FrameSocket {
    /// Not available.
    pub(crate) fn open(_: &str) -> io::Result<Self> {
        unsupported()
    }

    /// Never called.
    pub(crate) fn receive(&self, _: &mut [u8]) -> io::Result<usize> {
        match self.0 {}
    }

    /// Never called.
    pub(crate) fn send(&self, _: &[u8]) -> io::Result<()> {
        match self.0 {}
    }
}

impl AsFd for FrameSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.0 {}
    }
}
