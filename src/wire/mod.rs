//! Packets as they are on the wire: read from an interface or from a capture file, and written to one.

pub(crate) mod decode;
mod icmp;

pub(crate) use decode::decode;

pub(crate) fn pcapng(_trace: &crate::trace::Trace, _host: crate::trace::HostId) -> Vec<u8> {
    Vec::new()
}
