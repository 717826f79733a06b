//! Networks of one's own and frames of an interface: POSIX has neither.

use super::unsupported;
use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// Not available.
pub(crate) fn isolate() -> Result<(), String> {
    Err("only Linux has network namespaces".to_owned())
}

/// Not available.
pub(crate) fn own_network() -> io::Result<i32> {
    unsupported()
}

/// Nothing is made here.
pub(crate) fn no_rights_inside() -> String {
    String::new()
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
