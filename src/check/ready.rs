//! Waiting on one socket.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// How long it is listened for what should not come after a reply: a second datagram, a reset. Either
/// leaves the server with the reply or as soon as the question is there, so it is as far behind the reply as
/// the network makes it.
pub(super) const FOLLOW_UP_TIME: Duration = Duration::from_millis(250);

/// True once the socket is ready for this, or has an error or a hang-up; false if `until` comes first.
pub(super) fn ready(socket: BorrowedFd, wanted: PollFlags, until: Instant) -> io::Result<bool> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        // Rounded up: poll(2) counts milliseconds, and must not spin through the last one.
        let left = PollTimeout::try_from(left + Duration::from_micros(999));
        match poll(&mut [PollFd::new(socket, wanted)], left.unwrap_or(PollTimeout::MAX)) {
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
            Ok(0) if Instant::now() < until => {}
            Ok(count) => return Ok(count > 0),
        }
    }
}
