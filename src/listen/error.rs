//! Why a socket cannot be listened on.

use crate::transport::Transport;
use nix::errno::Errno;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

/// Why a socket could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// A socket cannot be opened or bound.
    #[error("cannot listen on {transport} {address}")]
    Open {
        /// Its transport.
        transport: Transport,
        /// The address it was to have.
        address: SocketAddr,
        /// What a caller can act on.
        why: Unavailable,
        /// The system's error.
        source: io::Error,
    },
    /// Many hosts have the address, so no reply can leave from it: multicast or broadcast.
    #[error("cannot listen on {transport} {address}: it is a multicast or broadcast address")]
    NotUnicast {
        /// The transport that was to be served.
        transport: Transport,
        /// The address of many.
        address: SocketAddr,
    },
    /// No address was given.
    #[error("there is no address to listen on")]
    Nowhere,
    /// `LISTEN_FDS` does not say how many sockets are handed over.
    #[error("LISTEN_FDS={value} is no number of sockets up to 1024")]
    Announced {
        /// The value, escaped.
        value: String,
    },
    /// An inherited descriptor cannot be served on.
    #[error("{descriptor} is {found}: neither a TCP nor a UDP socket that can be served on")]
    NotServable {
        /// Its number and name.
        descriptor: String,
        /// What it is.
        found: String,
    },
    /// An inherited descriptor that is to accept connections is not a listener.
    #[error("{descriptor} is {found}, not a listening TCP socket")]
    NotListening {
        /// Its number and name.
        descriptor: String,
        /// What it is.
        found: String,
    },
    /// An inherited socket cannot be set up.
    #[error("cannot serve on {descriptor}")]
    Inherited {
        /// Its number and name.
        descriptor: String,
        /// The system's error.
        source: io::Error,
    },
}

/// Why an address cannot be listened on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unavailable {
    /// Another socket has the port (`EADDRINUSE`).
    InUse,
    /// This host lacks the address family (`EAFNOSUPPORT`), or even its loopback address.
    NoFamily,
    /// A port below 1024 (or `net.ipv4.ip_unprivileged_port_start`) needs a privilege (`EACCES`).
    NotPermitted,
    /// No interface of this host has the address (`EADDRNOTAVAIL`).
    NotThisHost,
    /// Another reason: see the source.
    Other,
}

impl Unavailable {
    /// Finds out why a socket with this address could not be opened.
    pub(super) fn of(address: IpAddr, error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::AddrInUse => Self::InUse,
            ErrorKind::PermissionDenied => Self::NotPermitted,
            ErrorKind::AddrNotAvailable if belongs_everywhere(address) => Self::NoFamily,
            ErrorKind::AddrNotAvailable => Self::NotThisHost,
            // std has no stable kind for it.
            _ if error.raw_os_error() == Some(Errno::EAFNOSUPPORT as i32) => Self::NoFamily,
            _ => Self::Other,
        }
    }
}

/// Addresses that every host with the family has.
fn belongs_everywhere(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}
