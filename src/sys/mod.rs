//! What operating systems do differently: the only place that names one.
//!
//! `linux` and `portable` have the same functions; the rest of the crate cannot tell which it
//! uses. `portable` needs nothing but POSIX, and says "unknown" where POSIX has no answer. Build
//! with `--cfg daytime_portable` to use it on Linux.

use std::net::{IpAddr, SocketAddr};

#[cfg(all(target_os = "linux", not(daytime_portable)))]
mod linux;
#[cfg(all(target_os = "linux", not(daytime_portable)))]
pub(crate) use linux::*;

#[cfg(any(not(target_os = "linux"), daytime_portable))]
mod portable;
#[cfg(any(not(target_os = "linux"), daytime_portable))]
pub(crate) use portable::*;

/// What the kernel says about its clock, as `adjtimex(2)` returns it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KernelClock {
    /// Seconds since 1970-01-01 00:00:00 UTC; an inserted leap second repeats the one before it.
    pub seconds: i64,
    /// Nanoseconds of that second.
    pub nanoseconds: u32,
    /// The leap second that is announced or under way.
    pub leap: KernelLeap,
    /// Somebody steers the clock (`STA_UNSYNC` is clear).
    pub synchronised: bool,
    /// Upper bound of the error, in microseconds.
    pub max_error_us: u64,
}

/// The kernel's leap second state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(any(not(target_os = "linux"), daytime_portable), expect(dead_code))]
pub(crate) enum KernelLeap {
    /// None announced.
    None,
    /// A second 60 comes at the end of the UTC day (`STA_INS`).
    Insert,
    /// Second 59 is left out at the end of the UTC day (`STA_DEL`).
    Delete,
    /// Second 60 is now (`TIME_OOP`).
    Now,
}

/// The address of this host that a datagram was sent to, kept to answer from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    /// The address in the datagram's header, or for a broadcast the interface's own.
    pub address: IpAddr,
    /// The interface it came in on; needed to answer from a link-local address.
    pub interface: u32,
}

/// One datagram, whose octets stay where they are: nobody reads them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    /// Who sent it.
    pub peer: SocketAddr,
    /// How many octets it holds.
    pub octets: usize,
    /// It was sent to a broadcast or multicast address, as far as the system can tell.
    pub sent_to_many: bool,
    /// Where it was sent to, if the socket was told to say so and the system can.
    pub destination: Option<Destination>,
}

/// IP packets and octets this network namespace has sent since it began, IP headers included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// Packets sent.
    pub packets: u64,
    /// Octets sent, IP headers included, link headers not.
    pub octets: u64,
}

/// One end of a TCP connection that has ended but is remembered (RFC 793, "TIME-WAIT").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeWait {
    /// The address of the side that remembers.
    pub local: SocketAddr,
    /// The address of the other side.
    pub remote: SocketAddr,
}

/// A user of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// The user's number.
    pub id: u32,
    /// The primary group; `None` if the number has no entry in the database of users.
    pub group: Option<u32>,
}

/// Who a process is (credentials(7)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// Real, effective and saved user.
    pub users: [u32; 3],
    /// Real, effective and saved group.
    pub groups: [u32; 3],
    /// Supplementary groups.
    pub supplementary: Vec<u32>,
}
