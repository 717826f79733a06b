//! Waits until one socket is ready.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// Time to wait after a reply for a second datagram or a reset. A correct server sends neither. A faulty server sends
/// them with the reply or as soon as the query arrives, so only the network delays them.
pub(super) const FOLLOW_UP_TIME: Duration = Duration::from_millis(250);

/// Waits until the socket is ready for `wanted`, or has an error or a hang-up. Returns false if this does not happen
/// before `until`.
pub(super) fn ready(socket: BorrowedFd, wanted: PollFlags, until: Instant) -> io::Result<bool> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        // Rounds up to a whole millisecond, the unit of poll(2). Otherwise, waiting for the last millisecond would be a
        // busy loop.
        let left = PollTimeout::try_from(left + Duration::from_micros(999));
        match poll(&mut [PollFd::new(socket, wanted)], left.unwrap_or(PollTimeout::MAX)) {
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
            Ok(0) if Instant::now() < until => {}
            Ok(count) => return Ok(count > 0),
        }
    }
}
