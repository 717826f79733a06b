//! STUB
pub(crate) fn label(_decoded: &crate::wire::Decoded) -> String {
    String::new()
}
