//! Runs a server under strace, which records its system calls.

use super::wire::eventually;
use super::{Running, program};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A running `daytime serve` under strace.
#[derive(Debug)]
pub struct Traced {
    /// The server. Dropping it ends the server, and then strace ends.
    pub server: Running,
    /// Process id of strace.
    tracer: String,
    trace: PathBuf,
}

/// Returns the first words of a command line under strace, for all threads (`-f`). With `-D`, the command is a child of
/// the caller and not of strace. So strace ends when the caller ends the command.
///
/// # Errors
/// The reason for [`skip`](super::skip).
pub fn strace(trace: &Path) -> Result<[OsString; 5], String> {
    Ok([program("strace")?.into(), "-D".into(), "-f".into(), "-o".into(), trace.into()])
}

impl Traced {
    /// Starts a `daytime serve` whose command line begins with the words of [`strace`], and waits for its addresses.
    pub fn start(command: Command, trace: &Path) -> Self {
        let server = Running::start(command);
        let tracer = server.status("TracerPid");
        assert_ne!(tracer, "0", "strace traces it");
        Self { server, tracer, trace: trace.to_owned() }
    }

    /// Stops the server and waits for the end of strace. Returns the output of strace.
    pub fn stopped(self) -> String {
        let Self { server, tracer, trace } = self;
        server.stopped();
        let tracer = Path::new("/proc").join(tracer);
        eventually("strace has ended", || !tracer.exists());
        fs::read_to_string(trace).expect("written")
    }
}
