//! Replacement for `linux` and `portable` that makes no system call. It builds for every Rust
//! target.

use super::KernelClock;
use std::io;

/// Whether the system reports its queues. This build cannot read them, because it makes no system
/// call.
#[cfg(feature = "lab")]
pub(crate) const REPORTS_QUEUES: bool = false;

/// Always fails, because this build makes no system call.
pub(crate) fn kernel_clock() -> io::Result<KernelClock> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Returns `None`, because this build makes no system call.
#[cfg(feature = "lab")]
pub(crate) fn release() -> Option<String> {
    None
}
