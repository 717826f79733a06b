//! SIGINT and SIGTERM: the first ends `wire` with its summary and a whole file, the second ends it at once.

use crate::cli::failure::Failure;
use crate::wire::capture::readable;
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

    /// Calls what may wait without an end, as opening a FIFO does. Meanwhile the first signal ends the process.
    pub(super) fn or_end_at_once<T>(
        &self,
        act: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if self.at_once.swap(true, Ordering::Relaxed) {
            return Err(Failure::Message(Stopped.to_string())); // the first signal came before
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

/// Whether a signal ended the reading.
pub(super) fn is_stop(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<Stopped>)
}

impl Read for Stoppable<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            match readable([self.file.as_fd(), self.stop.as_fd()], None)? {
                [_, true] => return Err(io::Error::other(Stopped)),
                [true, _] => return self.file.read(room),
                [false, false] => {}
            }
        }
    }
}
