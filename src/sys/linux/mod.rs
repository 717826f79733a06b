//! Linux-specific system calls and files.

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

/// Always fails, because seccompiler does not support this processor.
#[cfg(all(
    feature = "confine",
    not(any(target_arch = "aarch64", target_arch = "riscv64", target_arch = "x86_64"))
))]
pub(crate) fn restrict_calls(
    _: Option<&std::ops::RangeInclusive<std::os::fd::RawFd>>,
    _: super::Links,
) -> Result<usize, String> {
    Err("seccomp filters do not support this processor".to_owned())
}

use nix::libc::MSG_MORE;
use socket2::{Domain, SockRef, Socket, Type};
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

/// Name of the system call that waits until sockets are ready.
pub(crate) const WAIT_CALL: &str = "epoll_wait";
/// Name of the system call that starts to watch a socket.
pub(crate) const WATCH_CALL: &str = "epoll_ctl";
/// Names of the system calls that [`open`] makes.
pub(crate) const OPEN_CALLS: &[&str] = &["socket"];

/// Directory that lists the file descriptors of this process (proc(5)).
pub(crate) const DESCRIPTORS: &str = "/proc/self/fd";

/// Whether this process ignores the signal (proc_pid_status(5), `SigIgn`).
pub(crate) fn ignores_signal(signal: i32) -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, signal))
}

/// Whether this process is in the terminal's foreground process group, and so may read from the
/// terminal (tcgetpgrp(3)).
pub(crate) fn is_in_foreground(terminal: impl AsFd) -> bool {
    nix::unistd::tcgetpgrp(terminal).is_ok_and(|group| group == nix::unistd::getpgrp())
}

/// Whether the mask `SigIgn` in this status text contains `signal`.
fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// Whether the system distributes clients to the sockets on a port. Linux distributes them evenly
/// (socket(7), `SO_REUSEPORT`).
pub(crate) const SPREADS_CLIENTS: bool = true;

/// Whether the system reports the destination address of each datagram (ip(7), `IP_PKTINFO`).
#[cfg(feature = "lab")]
pub(crate) const TELLS_DESTINATIONS: bool = true;

/// Sets `SO_REUSEPORT`.
pub(crate) fn set_reuse_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

/// Returns the value of `SO_REUSEPORT`, if the kernel reports it.
pub(crate) fn reuses_port(socket: &Socket) -> Option<bool> {
    socket.reuse_port().ok()
}

/// Opens a non-blocking, close-on-exec socket with one system call.
pub(crate) fn open(domain: Domain, kind: Type) -> io::Result<Socket> {
    Socket::new_raw(domain, kind.nonblocking().cloexec(), None)
}

/// Sends octets just before a FIN. `MSG_MORE` holds the octets back until `shutdown(2)`, so that
/// octets and FIN leave in one segment (send(2)).
pub(crate) fn send_before_fin(socket: &impl AsFd, octets: &[u8]) -> io::Result<usize> {
    SockRef::from(&socket.as_fd()).send_with_flags(octets, MSG_MORE)
}

/// Sets `TCP_USER_TIMEOUT`: the maximum time that sent data may stay unacknowledged (tcp(7)).
pub(crate) fn set_user_timeout(socket: &Socket, timeout: Duration) -> io::Result<()> {
    // A value of 0 would mean the system's default, so the minimum is 1 ms. The maximum of about 24
    // days is long enough.
    let longest = Duration::from_millis(i32::MAX.unsigned_abs().into());
    socket.set_tcp_user_timeout(Some(timeout.clamp(Duration::from_millis(1), longest)))
}

/// Returns the value of `TCP_USER_TIMEOUT` in milliseconds, if the kernel reports it.
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
        assert!(ignores(&status("0000000000001001"), nix::libc::SIGHUP));
        assert!(!ignores(&status("0000000000001000"), nix::libc::SIGHUP));
        assert!(ignores(&status("0000000000001000"), nix::libc::SIGPIPE));
        assert!(!ignores("", nix::libc::SIGHUP));
    }
}
