//! Any POSIX system: what has no portable answer is `None`.

/// Declares functions for what POSIX lacks, each with the value that it returns.
macro_rules! stubs {
    ($(fn $name:ident($($arguments:tt)*) -> $type:ty = $value:expr;)+) => {
        $(pub(crate) fn $name($($arguments)*) -> $type {
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

/// The name of the call that waits for readiness; mio picks it.
pub(crate) const WAIT_CALL: &str = "wait";
/// The name of the call that adds a socket to those waited for; mio picks it.
pub(crate) const WATCH_CALL: &str = "watch";
/// The calls that [`open`] makes.
pub(crate) const OPEN_CALLS: &[&str] = &["socket", "fcntl", "fcntl"];

/// The folder that lists the descriptors of this process, where there is one.
pub(crate) const DESCRIPTORS: &str = "/dev/fd";

/// Where POSIX ends, systems differ: some give all clients to the last socket.
pub(crate) const SPREADS_CLIENTS: bool = false;

/// There is no portable way to ask for the destination of a datagram.
#[cfg(feature = "lab")]
pub(crate) const TELLS_DESTINATIONS: bool = false;

/// Opens a socket that never blocks and that child processes do not inherit.
pub(crate) fn open(domain: Domain, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(domain, kind, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Sends octets that a FIN will follow; here the FIN may need a segment of its own.
pub(crate) fn send_before_fin(socket: &impl AsFd, octets: &[u8]) -> io::Result<usize> {
    SockRef::from(&socket.as_fd()).send(octets)
}

/// Why a function has no result here.
const NOT_HERE: &str = "not available on this system";

fn unsupported<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::Unsupported, NOT_HERE))
}

stubs! {
    fn abstract_address(_: &[u8]) -> io::Result<net::SocketAddr> = unsupported();
    fn kernel_clock() -> io::Result<KernelClock> = unsupported();
    fn set_reuse_port(_: &Socket) -> io::Result<()> = unsupported();

    // Replies leave from the address that the route picks: on a host with several, bind each one, not the wildcard.
    fn ask_for_destination(_: &impl AsFd, _: IpAddr) -> io::Result<()> = Ok(());
    fn never_fragment(_: &impl AsFd) -> io::Result<()> = Ok(());
    // The system's own timeout counts.
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

    // It takes unsafe code to ask POSIX.
    fn ignores_hangup() -> bool = false;
    // No portable option tells the protocol.
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
    // Nothing proves that an identity is gone.
    fn regains_group(_: u32) -> bool = true;
    fn regains_user(_: u32) -> bool = true;
    fn restrict_calls(_: Option<&RangeInclusive<RawFd>>, _: Links) -> Result<usize, String> =
        Err(NOT_HERE.to_owned());
    fn restrict_files() -> Result<String, String> = Err(NOT_HERE.to_owned());
}

/// Room for a datagram: each takes a call of its own.
pub(crate) struct ClientBatch([u8; CLIENT_DATAGRAM_OCTETS]);

impl ClientBatch {
    pub(crate) fn new() -> Self {
        Self([0; CLIENT_DATAGRAM_OCTETS])
    }

    /// Sends as many empty datagrams as wanted or as [`MAX_BATCH_DATAGRAMS`], or as go; how many went.
    #[expect(clippy::unused_self, reason = "the same surface as Linux")]
    pub(crate) fn send_empty(&mut self, socket: &impl AsFd, wanted: usize) -> io::Result<usize> {
        let socket = socket.as_fd();
        for sent in 0..wanted.min(MAX_BATCH_DATAGRAMS) {
            match SockRef::from(&socket).send(&[]) {
                Err(error) if sent == 0 => return Err(error),
                Err(_) => return Ok(sent), // the next call tells, if it lasts
                Ok(_) => {}
            }
        }
        Ok(wanted.min(MAX_BATCH_DATAGRAMS))
    }

    /// Takes as many datagrams as wanted or as [`MAX_BATCH_DATAGRAMS`], or as are there; how many there were. Only for the
    /// first it waits, if the socket does.
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

/// Not available: the poll's own timeout, of milliseconds, has to do.
pub(crate) struct Alarm;

#[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the same surface as Linux")]
impl Alarm {
    stubs! {
        fn new(_: &Registry, _: Token) -> io::Result<Self> = Ok(Self);
        // How long the poll itself has to wait.
        fn or_wait(&self, after: Duration) -> Option<Duration> = Some(after);
        fn set(&self, _: Duration) -> io::Result<()> = Ok(());
    }
}
