//! Handles SIGINT and SIGTERM in `daytime wire`. The first signal ends the command with a summary and a valid file; the
//! second ends it immediately. A SIGINT that was ignored at the start stays ignored.

use crate::cli::failure::Failure;
use crate::cli::signals::stop_signals;
use crate::wire::capture::readable;
use signal_hook::flag;
use signal_hook::low_level::pipe;
use std::error::Error;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A descriptor that becomes readable after the first signal.
pub(super) struct Stop {
    signalled: UnixStream,
    /// Whether the next signal ends the process with status 1.
    at_once: Arc<AtomicBool>,
}

impl Stop {
    pub(super) fn on_signals() -> Result<Self, Failure> {
        let register = || {
            let (signalled, signal) = UnixStream::pair()?;
            let at_once = Arc::new(AtomicBool::new(false));
            for number in stop_signals() {
                // This handler must be registered before the next one, which sets the flag. So the first signal finds
                // the flag unset and does not end the process; the second signal does.
                flag::register_conditional_shutdown(number, 1, Arc::clone(&at_once))?;
                flag::register(number, Arc::clone(&at_once))?;
                pipe::register(number, signal.try_clone()?)?;
            }
            Ok(Self { signalled, at_once })
        };
        register().map_err(|error| Failure::signals(&error))
    }

    /// Calls `act`, which may wait forever, for example by opening a FIFO. During the call, the first signal ends the
    /// process.
    pub(super) fn or_end_at_once<T>(
        &self,
        act: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if self.at_once.swap(true, Ordering::Relaxed) {
            // A signal arrived before this call, so the command ends without calling `act`.
            return Err(Failure::Message(Stopped.to_string()));
        }
        let done = act();
        self.at_once.store(false, Ordering::Relaxed);
        done
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.signalled.as_fd()
    }
}

/// A file whose reads stop at the first signal.
pub(super) struct Stoppable<'a> {
    pub file: File,
    pub stop: &'a Stop,
}

/// The error that a read returns after a signal.
#[derive(Debug, thiserror::Error)]
#[error("stopped by a signal")]
struct Stopped;

/// Whether this error means that a signal stopped the read.
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
