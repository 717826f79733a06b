//! Packets as they are on the wire: read from an interface or from a capture file, and written to one.

pub(crate) mod capture;
pub(crate) mod checksum;
pub(crate) mod decode;
mod icmp;
mod link;
pub(crate) mod pcapng;
pub(crate) mod read;
pub(crate) mod segment;
pub(crate) mod talk;

use std::time::Duration;

/// A packet that was seen, on an interface or in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Captured {
    /// Since 1970-01-01 00:00:00 UTC, by the clock of whoever saw it.
    pub at: Duration,
    /// From the IP header on, as far as the capture goes.
    pub octets: Vec<u8>,
    /// The number of the interface, where it is known.
    pub interface: Option<u32>,
    /// What a capture file says of it, made safe to show.
    pub comment: Option<String>,
}
