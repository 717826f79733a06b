//! Checks the octets that a diagram sends to a terminal.

/// The escape sequences and line endings that diagrams contain. Any other ESC comes from a peer.
const OURS: [&str; 8] = [
    "\u{1b}[0m",
    "\u{1b}[1m",
    "\u{1b}[2m",
    "\u{1b}[31m",
    "\u{1b}[32m",
    "\u{1b}[33m",
    "\u{1b}[36m",
    "\n",
];

/// Panics if a diagram contains a character that is neither printable nor one of this program's own
/// control characters.
pub fn assert_safe(drawn: &str) {
    let plain = OURS.iter().fold(drawn.to_owned(), |text, own| text.replace(own, ""));
    let is_safe =
        |character| matches!(character, ' '..='~' | 'µ') || "│─┊╌┼◀▶✗→…".contains(character);
    assert!(plain.chars().all(is_safe), "{plain:?}");
}
