//! Checks messages that `daytime` prints: their form, and the numbers before a unit.

use super::mentions;

/// Asserts that a text is a single line that begins with `daytime: `, and that it contains each of
/// these parts (see [`mentions`]).
#[track_caller]
pub fn complains(text: &str, parts: &[&str]) {
    let line = text.strip_prefix("daytime: ").and_then(|rest| rest.strip_suffix('\n'));
    assert!(line.is_some_and(|it| !it.contains('\n')), "not one line of `daytime`: {text:?}");
    mentions(text, parts);
}

/// Returns the word before a unit: `3` in `3 packets`.
pub fn before<'a>(text: &'a str, unit: &str) -> Option<&'a str> {
    let words: Vec<&str> = text.split([' ', ':', ';', ',', '\n']).collect();
    words.windows(2).find(|pair| pair[1] == unit).map(|pair| pair[0])
}
