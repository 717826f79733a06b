//! Checks the message with which a command fails.

use super::mentions;

/// Asserts that a text is one line, which `daytime` reports, and that it has each of these parts (see [`mentions`]).
#[track_caller]
pub fn complains(text: &str, parts: &[&str]) {
    let line = text.strip_prefix("daytime: ").and_then(|rest| rest.strip_suffix('\n'));
    assert!(line.is_some_and(|it| !it.contains('\n')), "not one line of `daytime`: {text:?}");
    mentions(text, parts);
}
