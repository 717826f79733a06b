//! State of the kernel's clock: `adjtimex(2)`.
#![expect(unsafe_code, reason = "no dependency wraps adjtimex(2)")]

use super::super::{KernelClock, KernelLeap};
use nix::errno::Errno;
use nix::libc;
use std::io;
use std::mem;

/// Reads the clock together with its state. Fails if a system call filter forbids the call.
pub(crate) fn kernel_clock() -> io::Result<KernelClock> {
    // SAFETY: `timex` has only integer fields, so all zeros is a valid value. The field `modes` = 0
    // makes the call read the clock without setting it.
    let mut timex: libc::timex = unsafe { mem::zeroed() };
    // SAFETY: the pointer refers to a complete local `timex`, and the kernel keeps no copy of the
    // pointer.
    let state = Errno::result(unsafe { libc::adjtimex(&raw mut timex) })?;
    let fraction = u32::try_from(timex.time.tv_usec).map_err(io::Error::other)?;
    let nanoseconds = if timex.status & libc::STA_NANO == 0 { fraction * 1000 } else { fraction };
    Ok(KernelClock {
        seconds: timex.time.tv_sec,
        nanoseconds,
        leap: leap(state, timex.status),
        synchronised: timex.status & libc::STA_UNSYNC == 0,
        max_error_us: u64::try_from(timex.maxerror).unwrap_or(u64::MAX),
    })
}

/// Returns the leap second state. `state` is not sufficient: while the clock is unsynchronised, it
/// is `TIME_ERROR` even if a leap second is announced.
fn leap(state: libc::c_int, status: libc::c_int) -> KernelLeap {
    match state {
        libc::TIME_OOP => KernelLeap::Now,
        // The leap second is over, although its flag is still set.
        libc::TIME_WAIT => KernelLeap::None,
        _ if status & libc::STA_INS != 0 => KernelLeap::Insert,
        _ if status & libc::STA_DEL != 0 => KernelLeap::Delete,
        _ => KernelLeap::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{SystemTime, UNIX_EPOCH};

    #[test]
    fn the_kernel_clock_is_the_system_clock() {
        let kernel = kernel_clock().expect("adjtimex may read without privilege");
        let system = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        assert!(kernel.seconds.abs_diff(i64::try_from(system).expect("small")) <= 1);
        assert!(kernel.nanoseconds < 1_000_000_000);
    }

    #[test]
    fn the_leap_state_follows_the_flags_of_an_unsynchronised_clock_too() {
        assert_eq!(leap(libc::TIME_ERROR, libc::STA_INS | libc::STA_UNSYNC), KernelLeap::Insert);
        assert_eq!(leap(libc::TIME_DEL, libc::STA_DEL), KernelLeap::Delete);
        assert_eq!(leap(libc::TIME_OOP, libc::STA_INS), KernelLeap::Now);
        assert_eq!(leap(libc::TIME_WAIT, libc::STA_INS), KernelLeap::None);
        assert_eq!(leap(libc::TIME_OK, 0), KernelLeap::None);
    }
}
