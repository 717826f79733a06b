//! Packets on the network: reads them from an interface or a capture file, and writes capture
//! files.

#[cfg(feature = "cli")]
pub(crate) mod capture;
pub(crate) mod checksum;
pub(crate) mod conversation;
pub(crate) mod decode;
mod flags;
mod fragment;
mod icmp;
mod link;
pub(crate) mod pcapng;
#[cfg(any(feature = "cli", test))]
pub(crate) mod read;
pub(crate) mod segment;
pub(crate) mod times;

use std::sync::Arc;
use std::time::Duration;

/// A packet captured on an interface or read from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Captured {
    /// Time since 1970-01-01 00:00:00 UTC on the clock of the capturing host. `None` if the file
    /// states no time.
    pub at: Option<Duration>,
    /// The captured octets of the packet, starting with its IP header.
    pub octets: Vec<u8>,
    /// The interface that captured the packet, if it is known.
    pub interface: Option<Interface>,
    /// Comments from the capture file, unescaped.
    pub comments: Vec<Vec<u8>>,
}

/// A network interface, as capture files identify it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    pub id: InterfaceId,
    /// Name from the capture file, unescaped.
    pub name: Option<Arc<[u8]>>,
}

/// Identifies an interface of a host or of a capture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct InterfaceId {
    /// Number that the system gave to the interface. In a file, interfaces are counted through all
    /// sections.
    pub number: u32,
    /// Interface that the packet passed, if the file is a capture of all interfaces at once.
    pub passed: Option<u32>,
}
