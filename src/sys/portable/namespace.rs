//! Networks of one's own and frames of an interface: POSIX has neither.

use super::unsupported;
use std::convert::Infallible;
use std::env;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::Command;

/// This program, to be started again, if its file is still where it was.
///
/// The error is a sentence for the user.
pub(crate) fn again() -> Result<Command, String> {
    let path = env::current_exe();
    path.map(Command::new).map_err(|error| format!("the program does not find its file: {error}"))
}

/// Ends nothing: what is started here has nothing of its own.
pub(crate) fn end_group(_: u32) {}

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

/// Nothing is made here.
pub(crate) fn limit_reached() -> String {
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
