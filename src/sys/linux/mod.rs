//! Linux.

mod address;
mod batch;
mod client_batch;
mod clock;
mod counters;
mod datagram;
#[cfg(feature = "cli")]
mod filter;
#[cfg(feature = "lab")]
mod frames;
mod links;
#[cfg(feature = "lab")]
mod namespace;
#[cfg(feature = "lab")]
mod netlink;
#[cfg(feature = "cli")]
mod packet;
#[cfg(any(feature = "confine", feature = "lab"))]
mod privilege;
#[cfg(feature = "lab")]
mod queues;
#[cfg(feature = "confine")]
mod sandbox;
#[cfg(all(
    feature = "confine",
    any(target_arch = "aarch64", target_arch = "riscv64", target_arch = "x86_64")
))]
mod seccomp;
mod supervisor;

pub(crate) use batch::Batch;
pub(crate) use client_batch::*;
pub(crate) use clock::kernel_clock;
pub(crate) use counters::*;
pub(crate) use datagram::*;
pub(crate) use links::*;
#[cfg(feature = "cli")]
pub(crate) use packet::PacketSocket;
#[cfg(any(feature = "confine", feature = "lab"))]
pub(crate) use privilege::*;
#[cfg(feature = "confine")]
pub(crate) use sandbox::*;
#[cfg(all(
    feature = "confine",
    any(target_arch = "aarch64", target_arch = "riscv64", target_arch = "x86_64")
))]
pub(crate) use seccomp::restrict_calls;
pub(crate) use supervisor::*;
#[cfg(feature = "lab")]
pub(crate) use {frames::*, namespace::*, netlink::*, queues::*};

/// Elsewhere system calls have other names, or seccompiler does not know the processor.
#[cfg(all(
    feature = "confine",
    not(any(target_arch = "aarch64", target_arch = "riscv64", target_arch = "x86_64"))
))]
pub(crate) fn restrict_calls(
    _: Option<&std::ops::RangeInclusive<std::os::fd::RawFd>>,
    _: super::Links,
) -> Result<usize, String> {
    Err("there is no filter for this processor".to_owned())
}

use nix::libc::{MSG_MORE, SIGHUP};
use socket2::{Domain, SockRef, Socket, Type};
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

/// The name of the call that waits for readiness.
pub(crate) const WAIT_CALL: &str = "epoll_wait";
/// The name of the call that adds a socket to those waited for.
pub(crate) const WATCH_CALL: &str = "epoll_ctl";
/// The calls that [`open`] makes.
pub(crate) const OPEN_CALLS: &[&str] = &["socket"];

/// The folder that lists the descriptors of this process (proc(5)).
pub(crate) const DESCRIPTORS: &str = "/proc/self/fd";

/// Whether this process ignores SIGHUP (proc_pid_status(5), `SigIgn`).
pub(crate) fn ignores_hangup() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, SIGHUP))
}

/// Whether this status has the bit of a signal in its mask of ignored ones.
fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// The kernel spreads clients among the sockets on a port, evenly (socket(7), `SO_REUSEPORT`).
pub(crate) const SPREADS_CLIENTS: bool = true;

/// A datagram comes with the address that it was sent to (ip(7), `IP_PKTINFO`).
#[cfg(feature = "lab")]
pub(crate) const TELLS_DESTINATIONS: bool = true;

/// `SO_REUSEPORT`.
pub(crate) fn set_reuse_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

/// The same as it is.
pub(crate) fn reuses_port(socket: &Socket) -> Option<bool> {
    socket.reuse_port().ok()
}

/// Opens a socket that never blocks and that child processes do not inherit, in one call.
pub(crate) fn open(domain: Domain, kind: Type) -> io::Result<Socket> {
    Socket::new_raw(domain, kind.nonblocking().cloexec(), None)
}

/// Sends octets that a FIN will follow: `MSG_MORE` holds them back until `shutdown(2)`, so that
/// both leave in one segment (send(2)).
pub(crate) fn send_before_fin(socket: &impl AsFd, octets: &[u8]) -> io::Result<usize> {
    SockRef::from(&socket.as_fd()).send_with_flags(octets, MSG_MORE)
}

/// `TCP_USER_TIMEOUT` (tcp(7)): how long what was sent may stay unacknowledged.
pub(crate) fn set_user_timeout(socket: &Socket, timeout: Duration) -> io::Result<()> {
    // 0 would be the system's own; the option is an unsigned int of milliseconds, and 24 days are for ever.
    let longest = Duration::from_millis(i32::MAX.unsigned_abs().into());
    socket.set_tcp_user_timeout(Some(timeout.clamp(Duration::from_millis(1), longest)))
}

/// The same as it is, in milliseconds.
pub(crate) fn user_timeout_ms(socket: &Socket) -> Option<u64> {
    u64::try_from(socket.tcp_user_timeout().ok()??.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_bit_of_the_mask_is_signal_1() {
        let status = |mask| {
            format!("SigBlk:\t0000000000000001\nSigIgn:\t{mask}\nSigCgt:\t0000000000000001\n")
        };
        assert!(ignores(&status("0000000000001001"), SIGHUP));
        assert!(!ignores(&status("0000000000001000"), SIGHUP));
        assert!(ignores(&status("0000000000001000"), nix::libc::SIGPIPE));
        assert!(!ignores("", SIGHUP));
    }
}
