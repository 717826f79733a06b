//! Stubs for the kernel's queues, which POSIX does not report.

use super::unsupported;
use nix::sys::socket::{MsgFlags, recv};
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Whether the system reports its queues.
pub(crate) const REPORTS_QUEUES: bool = false;

stubs! {
    fn set_syn_retries(_: &impl AsFd, _: u8) -> io::Result<()> = unsupported();
    fn count_drops(_: &impl AsFd) -> io::Result<()> = unsupported();
    fn report_errors(_: &impl AsFd) -> io::Result<()> = unsupported();
    fn accept_queue(_: &impl AsFd) -> Option<u32> = None;
    fn listen_overflows() -> Option<u64> = None;
}

/// Receives a datagram. Returns its length in octets, and `None` for the number of drops, which is
/// unknown.
pub(crate) fn receive_counted(
    socket: &impl AsRawFd,
    buffer: &mut [u8],
) -> io::Result<(usize, Option<u32>)> {
    Ok((recv(socket.as_raw_fd(), buffer, MsgFlags::empty())?, None))
}
