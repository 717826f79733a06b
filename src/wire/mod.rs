//! Packets as they are on the wire: read from an interface or from a capture file, and written to one.

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

/// A packet that was seen, on an interface or in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Captured {
    /// Since 1970-01-01 00:00:00 UTC, by the clock of the capturing host; `None` if the file has no time.
    pub at: Option<Duration>,
    /// From the IP header on, as far as the capture goes.
    pub octets: Vec<u8>,
    /// Where it was seen, as far as that is known.
    pub interface: Option<Interface>,
    /// The comments of a capture file, unescaped.
    pub comments: Vec<Vec<u8>>,
}

/// A network interface, as captures identify them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    pub id: InterfaceId,
    /// As in the file, unescaped.
    pub name: Option<Arc<[u8]>>,
}

/// No two interfaces of a host or of a file have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct InterfaceId {
    /// The system's; in a file they are counted, through all of its sections.
    pub number: u32,
    /// Of the one that a packet passed, where a file was captured on all interfaces as if they were one.
    pub passed: Option<u32>,
}
