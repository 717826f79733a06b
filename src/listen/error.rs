//! Errors when opening or inheriting sockets.

use crate::transport::Transport;
use nix::errno::Errno;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

/// Reason why a socket could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The socket cannot be opened or bound.
    #[error("cannot listen on {transport} {address}")]
    Open {
        /// Transport of the socket.
        transport: Transport,
        /// Requested address.
        address: SocketAddr,
        /// The kind of failure, so that the caller can react to it. For example, the caller can
        /// choose another port after [`Unavailable::InUse`].
        why: Unavailable,
        /// Error from the operating system.
        source: io::Error,
    },
    /// The address is multicast or broadcast. Many hosts share such an address, so it cannot be the
    /// source of a reply.
    #[error("cannot listen on {transport} {address}: it is a multicast or broadcast address")]
    NotUnicast {
        /// Requested transport.
        transport: Transport,
        /// Multicast or broadcast address.
        address: SocketAddr,
    },
    /// There is no address to listen on, and no inherited socket.
    #[error("there is no address to listen on")]
    Nowhere,
    /// `LISTEN_FDS` is not a valid number of sockets.
    #[error("LISTEN_FDS={value} is not a number of sockets from 0 to 1024")]
    Announced {
        /// Value of the variable, escaped.
        value: String,
    },
    /// The server cannot serve on the inherited descriptor.
    #[error(
        "cannot serve on {descriptor}: it is {found}; \
         use a TCP listener, a TCP connection or a bound UDP socket"
    )]
    NotServable {
        /// Number and name of the descriptor.
        descriptor: String,
        /// Description of what the descriptor refers to.
        found: String,
    },
    /// The inherited descriptor must accept connections, but is not a listener.
    #[error("{descriptor} is {found}; a listening TCP socket is needed")]
    NotListening {
        /// Number and name of the descriptor.
        descriptor: String,
        /// Description of what the descriptor refers to.
        found: String,
    },
    /// The inherited socket cannot be configured.
    #[error("cannot serve on {descriptor}")]
    Inherited {
        /// Number and name of the descriptor.
        descriptor: String,
        /// Error from the operating system.
        source: io::Error,
    },
}

/// Reason why a server cannot listen on an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unavailable {
    /// Another socket uses the port (`EADDRINUSE`).
    InUse,
    /// This host does not support the address family (`EAFNOSUPPORT`), or lacks even that family's
    /// loopback or wildcard address.
    NoFamily,
    /// Binding a port below 1024 (or `net.ipv4.ip_unprivileged_port_start`) needs a privilege
    /// (`EACCES`).
    NotPermitted,
    /// No interface of this host has the address (`EADDRNOTAVAIL`).
    NotThisHost,
    /// Any other reason; the `source` of the error names it.
    Other,
}

impl Unavailable {
    /// Returns the reason why a socket with this address could not be opened.
    pub(super) fn of(address: IpAddr, error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::AddrInUse => Self::InUse,
            ErrorKind::PermissionDenied => Self::NotPermitted,
            ErrorKind::AddrNotAvailable if belongs_everywhere(address) => Self::NoFamily,
            ErrorKind::AddrNotAvailable => Self::NotThisHost,
            // `ErrorKind` has no stable variant for EAFNOSUPPORT.
            _ if error.raw_os_error() == Some(Errno::EAFNOSUPPORT as i32) => Self::NoFamily,
            _ => Self::Other,
        }
    }
}

/// Whether the address exists on every host that supports its address family.
fn belongs_everywhere(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}
