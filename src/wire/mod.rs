//! Packets as they are on the wire: read from an interface or from a capture file, and written to one.

pub(crate) mod decode;
mod icmp;
