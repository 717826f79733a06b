//! Implementation for any POSIX system. A function without a portable implementation returns `None`
//! or an error.

/// Defines stubs for functions that POSIX offers no way to implement. Each stub returns the given
/// value.
macro_rules! stubs {
    ($(fn $name:ident($($arguments:tt)*) -> $type:ty = $value:expr;)+) => {
        $(#[allow(clippy::unnecessary_wraps, reason = "the same surface as Linux")]
        pub(crate) fn $name($($arguments)*) -> $type {
            $value
        })+
    };
}

mod batch;
#[cfg(feature = "lab")]
mod namespace;
mod packet;
#[cfg(feature = "lab")]
mod queues;

pub(crate) use batch::Batch;
pub(crate) use packet::*;
#[cfg(feature = "lab")]
pub(crate) use {namespace::*, queues::*};

use super::{
    Account, CLIENT_DATAGRAM_OCTETS, Credentials, KernelClock, Links, MAX_BATCH_DATAGRAMS,
    TimeWait, Traffic,
};
use mio::{Registry, Token};
use nix::sys::socket::{MsgFlags, recv};
use socket2::{Domain, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net;
use std::time::Duration;

/// Name of the call that waits until sockets are ready. mio chooses the real system call.
pub(crate) const WAIT_CALL: &str = "wait";
/// Name of the call that starts to watch a socket. mio chooses the real system call.
pub(crate) const WATCH_CALL: &str = "watch";
/// Names of the system calls that [`open`] makes.
pub(crate) const OPEN_CALLS: &[&str] = &["socket", "fcntl", "fcntl"];

/// Directory that lists the file descriptors of this process, if the system has one.
pub(crate) const DESCRIPTORS: &str = "/dev/fd";

/// Whether the system distributes clients to the sockets on a port. POSIX does not specify this,
/// and some systems give all clients to the last socket.
pub(crate) const SPREADS_CLIENTS: bool = false;

/// Whether the system reports the destination address of each datagram. POSIX has no call for this.
#[cfg(feature = "lab")]
pub(crate) const TELLS_DESTINATIONS: bool = false;

/// Opens a non-blocking socket that is closed on exec.
pub(crate) fn open(domain: Domain, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(domain, kind, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Sends octets just before a FIN. Without `MSG_MORE`, the FIN may leave in its own segment.
pub(crate) fn send_before_fin(socket: &impl AsFd, octets: &[u8]) -> io::Result<usize> {
    SockRef::from(&socket.as_fd()).send(octets)
}

/// Error message for a function that this system does not support.
const NOT_HERE: &str = "not available on this system";

fn unsupported<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::Unsupported, NOT_HERE))
}

stubs! {
    fn abstract_address(_: &[u8]) -> io::Result<net::SocketAddr> =
        Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no abstract addresses"));
    fn kernel_clock() -> io::Result<KernelClock> = unsupported();
    fn set_reuse_port(_: &Socket) -> io::Result<()> = unsupported();

    // The route chooses the source address of a reply. On a host with several addresses, bind each
    // address instead of the wildcard.
    fn ask_for_destination(_: &impl AsFd, _: IpAddr) -> io::Result<()> = Ok(());
    fn never_fragment(_: &impl AsFd) -> io::Result<()> = Ok(());
    // The system's default timeout stays in force.
    fn set_user_timeout(_: &Socket, _: Duration) -> io::Result<()> = Ok(());

    fn backlog_limit() -> Option<u32> = None;
    fn broadcasts() -> Vec<Ipv4Addr> = Vec::new();
    fn descriptor_path(_: i32) -> Option<String> = None;
    fn ephemeral_ports() -> Option<u32> = None;
    fn receive_drops(_: &impl AsFd) -> Option<u32> = None;
    fn reuses_port(_: &Socket) -> Option<bool> = None;
    fn time_waits() -> Option<Vec<TimeWait>> = None;
    fn traffic(_: IpAddr) -> Option<Traffic> = None;
    fn user_timeout_ms(_: &Socket) -> Option<u64> = None;

    // A portable check would need unsafe code, so these functions return fixed values.
    fn ignores_signal(_: i32) -> bool = false;
    fn is_in_foreground(_: impl AsFd) -> bool = true;
    // POSIX has no option that reports the protocol, so every stream socket counts as TCP, and
    // every datagram socket as UDP.
    fn is_tcp(_: &Socket) -> bool = true;
    fn is_udp(_: &Socket) -> bool = true;

    fn become_user(_: u32, _: u32) -> Result<(), (&'static str, io::Error)> =
        unsupported().map_err(|error| ("setresuid", error));
    fn credentials() -> io::Result<Credentials> = unsupported();
    fn drop_capabilities() -> io::Result<()> = unsupported();
    fn find_group(_: &str) -> io::Result<Option<u32>> = unsupported();
    fn find_user(_: &str) -> io::Result<Option<Account>> = unsupported();
    fn has_capabilities() -> io::Result<bool> = unsupported();
    fn is_root() -> bool = false;
    fn no_new_privileges() -> io::Result<()> = unsupported();
    // POSIX offers no way to prove that a process cannot get a former identity back, so these
    // functions report that the process can.
    fn regains_group(_: u32) -> bool = true;
    fn regains_user(_: u32) -> bool = true;
    fn restrict_calls(_: Option<&RangeInclusive<RawFd>>, _: Links) -> Result<usize, String> =
        Err(NOT_HERE.to_owned());
    fn restrict_files() -> Result<String, String> = Err(NOT_HERE.to_owned());
}

/// Buffer for one datagram. Each datagram needs its own system call.
pub(crate) struct ClientBatch([u8; CLIENT_DATAGRAM_OCTETS]);

impl ClientBatch {
    pub(crate) fn new() -> Self {
        Self([0; CLIENT_DATAGRAM_OCTETS])
    }

    /// Sends `wanted` empty datagrams, but at most [`MAX_BATCH_DATAGRAMS`]. Returns the number
    /// sent, which is lower if the system accepts no more.
    #[expect(clippy::unused_self, reason = "the same surface as Linux")]
    pub(crate) fn send_empty(&mut self, socket: &impl AsFd, wanted: usize) -> io::Result<usize> {
        let socket = socket.as_fd();
        for sent in 0..wanted.min(MAX_BATCH_DATAGRAMS) {
            match SockRef::from(&socket).send(&[]) {
                Err(error) if sent == 0 => return Err(error),
                Err(_) => return Ok(sent), // If the error persists, the next call returns it.
                Ok(_) => {}
            }
        }
        Ok(wanted.min(MAX_BATCH_DATAGRAMS))
    }

    /// Receives up to `wanted` datagrams, at most [`MAX_BATCH_DATAGRAMS`], and returns their
    /// number. A blocking socket waits for the first datagram only.
    pub(crate) fn receive(
        &mut self,
        socket: &(impl AsRawFd + AsFd),
        wanted: usize,
        mut take: impl FnMut(&[u8]),
    ) -> io::Result<usize> {
        for taken in 0..wanted.min(MAX_BATCH_DATAGRAMS) {
            let wait = if taken == 0 { MsgFlags::empty() } else { MsgFlags::MSG_DONTWAIT };
            match recv(socket.as_raw_fd(), &mut self.0, wait) {
                Ok(octets) => take(&self.0[..octets]),
                Err(error) if taken == 0 => return Err(error.into()),
                Err(_) => return Ok(taken),
            }
        }
        Ok(wanted.min(MAX_BATCH_DATAGRAMS))
    }
}

/// Replacement for a precise timer. The replacement uses the poll's timeout, which is in
/// milliseconds.
pub(crate) struct Alarm;

impl Alarm {
    stubs! {
        fn new(_: &Registry, _: Token) -> io::Result<Self> = Ok(Self);
        // Returns the timeout that the caller must pass to the poll.
        fn or_wait(&self, after: Duration) -> Option<Duration> = Some(after);
        fn set(&self, _: Duration) -> io::Result<()> = Ok(());
    }
}
