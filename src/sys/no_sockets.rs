//! Replacement for `linux` and `portable` that makes no system calls, and therefore builds for every Rust target.

use super::KernelClock;
use std::io;

/// Whether the system reports the lengths of its socket queues. This build cannot read these lengths, because it does
/// not make system calls.
#[cfg(feature = "lab")]
pub(crate) const REPORTS_QUEUES: bool = false;

/// Always fails, because this build does not make system calls.
pub(crate) fn kernel_clock() -> io::Result<KernelClock> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Returns `None`, because this build does not make system calls.
#[cfg(feature = "lab")]
pub(crate) fn release() -> Option<String> {
    None
}
