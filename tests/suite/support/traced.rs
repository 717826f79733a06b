//! A server whose system calls strace records.

use super::wire::eventually;
use super::{Running, program};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A running `daytime serve` under strace.
#[derive(Debug)]
pub struct Traced {
    /// The server, which ends when dropped; strace ends after it.
    pub server: Running,
    /// Process id of strace.
    tracer: String,
    trace: PathBuf,
}

/// The words that begin a command line under strace, with every thread (`-f`). The command stays the caller's
/// child, and strace is not its parent (`-D`): so strace ends when the caller ends the command.
///
/// # Errors
/// The sentence for [`skip`](super::skip).
pub fn strace(trace: &Path) -> Result<[OsString; 5], String> {
    Ok([program("strace")?.into(), "-D".into(), "-f".into(), "-o".into(), trace.into()])
}

impl Traced {
    /// Starts a `daytime serve` whose command line begins with [`strace`]'s words, and waits until it is bound.
    pub fn start(command: Command, trace: &Path) -> Self {
        let server = Running::start(command);
        let tracer = server.status("TracerPid");
        assert_ne!(tracer, "0", "strace traces it");
        Self { server, tracer, trace: trace.to_owned() }
    }

    /// Stops the server and waits for the end of strace: all that strace has written.
    pub fn stopped(self) -> String {
        let Self { server, tracer, trace } = self;
        server.stopped();
        let tracer = Path::new("/proc").join(tracer);
        eventually("strace has ended", || !tracer.exists());
        fs::read_to_string(trace).expect("written")
    }
}
