//! SIGINT and SIGTERM: the first ends it with all that belongs to an end, the second at once.

use crate::cli::failure::Failure;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::pipe;
use std::error::Error;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Has something to read after the first signal.
pub(super) struct Stop {
    signalled: UnixStream,
    /// The next signal ends the process with status 1.
    at_once: Arc<AtomicBool>,
}

impl Stop {
    pub(super) fn on_signals() -> Result<Self, Failure> {
        let register = || {
            let (signalled, signal) = UnixStream::pair()?;
            let at_once = Arc::new(AtomicBool::new(false));
            for number in [SIGINT, SIGTERM] {
                // In this order, so that the first signal does not end it already.
                flag::register_conditional_shutdown(number, 1, Arc::clone(&at_once))?;
                flag::register(number, Arc::clone(&at_once))?;
                pipe::register(number, signal.try_clone()?)?;
            }
            Ok(Self { signalled, at_once })
        };
        register().map_err(|error| Failure::signals(&error))
    }

    /// Does what may wait for somebody else and hears of no signal, as opening a FIFO does: meanwhile the first
    /// one ends the process.
    pub(super) fn or_end_at_once<T>(
        &self,
        act: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if self.at_once.swap(true, Ordering::Relaxed) {
            return Err(Failure::plain(Stopped.to_string())); // it has come already
        }
        let done = act();
        self.at_once.store(false, Ordering::Relaxed);
        done
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.signalled.as_fd()
    }
}

/// A file that is read until its end or the first signal, whichever comes first.
pub(super) struct Stoppable<'a> {
    pub file: File,
    pub stop: &'a Stop,
}

/// Why the file is read no further.
#[derive(Debug, thiserror::Error)]
#[error("stopped by a signal")]
struct Stopped;

/// True if it was a signal that ended the reading.
pub(super) fn is_stop(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<Stopped>)
}

impl Read for Stoppable<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let both = [self.file.as_fd(), self.stop.as_fd()];
        let mut ready = both.map(|it| PollFd::new(it, PollFlags::POLLIN));
        let waited = loop {
            match poll(&mut ready, PollTimeout::NONE) {
                Err(Errno::EINTR) => {}
                waited => break waited,
            }
        };
        waited?;
        if ready[1].any().unwrap_or(true) {
            return Err(io::Error::other(Stopped));
        }
        self.file.read(room)
    }
}
