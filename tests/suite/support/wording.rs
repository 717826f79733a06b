//! Checks the facts of a message and leaves its wording free.

/// Asserts that a text has each of these parts, in any order. Between the parts, the wording is free.
///
/// A part is a fact: an address, a number, an option, or a key word of the cause.
///
/// # Panics
/// When a part is missing. The panic shows the part and the text.
#[track_caller]
pub fn mentions(text: &str, parts: &[&str]) {
    assert!(!parts.is_empty(), "a message without a fact to check: {text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
}
