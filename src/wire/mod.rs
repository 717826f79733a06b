//! Captures packets on network interfaces, reads and writes capture files, and decodes the packets.

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
    /// Time since 1970-01-01 00:00:00 UTC on the capturing host's clock. `None` if the file
    /// contains no timestamp for the packet.
    pub at: Option<Duration>,
    /// The packet's captured octets, starting with its IP header.
    pub octets: Vec<u8>,
    /// The interface on which the packet was captured, if it is known.
    pub interface: Option<Interface>,
    /// The packet's comments in the capture file, not yet escaped for printing.
    pub comments: Vec<Vec<u8>>,
}

/// A network interface, as capture files identify it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    pub id: InterfaceId,
    /// Name from the capture file, not yet escaped for printing.
    pub name: Option<Arc<[u8]>>,
}

/// Identifies an interface on a host or in a capture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct InterfaceId {
    /// The interface's number. On a host, the system assigns it. In a file, interfaces are numbered
    /// across all sections.
    pub number: u32,
    /// Index of the interface through which the packet passed, if the file is a capture on all
    /// interfaces at once.
    pub passed: Option<u32>,
}
