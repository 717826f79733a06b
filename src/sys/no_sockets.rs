//! No system at all: values only, for every target that Rust compiles for.

use super::KernelClock;
use std::io;

/// No queue is read here.
#[cfg(feature = "lab")]
pub(crate) const REPORTS_QUEUES: bool = false;

/// Fails: this build asks no kernel.
pub(crate) fn kernel_clock() -> io::Result<KernelClock> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Nothing: this build does not ask the system for its name.
#[cfg(feature = "lab")]
pub(crate) fn release() -> Option<String> {
    None
}
