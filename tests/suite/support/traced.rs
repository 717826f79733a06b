//! Runs a server under strace, which records its system calls.

use super::wire::eventually;
use super::{Running, program};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A `daytime serve` that runs under strace.
#[derive(Debug)]
pub struct Traced {
    /// The server. Dropping it ends the server, and strace ends when the server does.
    pub server: Running,
    /// The process id of strace.
    tracer: String,
    trace: PathBuf,
}

/// Returns the first words of a command line that runs a command under strace, including all its threads (`-f`). With
/// `-D`, the command is the caller's child rather than strace's, so strace ends when the caller ends the command.
///
/// # Errors
/// The error is the reason to pass to [`skip`](super::skip).
pub fn strace(trace: &Path) -> Result<[OsString; 5], String> {
    Ok([program("strace")?.into(), "-D".into(), "-f".into(), "-o".into(), trace.into()])
}

impl Traced {
    /// Starts a `daytime serve` whose command line begins with the words from [`strace`], and waits until it has
    /// printed its addresses.
    pub fn start(command: Command, trace: &Path) -> Self {
        let server = Running::start(command);
        let tracer = server.status("TracerPid");
        assert_ne!(tracer, "0", "strace traces it");
        Self { server, tracer, trace: trace.to_owned() }
    }

    /// Stops the server and waits until strace has ended. Returns strace's output.
    pub fn stopped(self) -> String {
        let Self { server, tracer, trace } = self;
        server.stopped();
        let tracer = Path::new("/proc").join(tracer);
        eventually("strace has ended", || !tracer.exists());
        fs::read_to_string(trace).expect("written")
    }
}
