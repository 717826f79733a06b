//! STUB
pub(crate) struct Decoded;
pub(crate) fn decode(_octets: &[u8]) -> Option<Decoded> {
    None
}
pub(crate) fn pcapng(_trace: &crate::trace::Trace, _host: crate::trace::HostId) -> Vec<u8> {
    Vec::new()
}
