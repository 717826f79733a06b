//! What a terminal may be given.

/// The colours of the drawings, and the ends of their lines; whatever else begins with ESC is a stranger's.
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

/// Panics if something of a drawing is neither printable nor of the drawing itself.
pub fn assert_safe(drawn: &str) {
    let plain = OURS.iter().fold(drawn.to_owned(), |text, own| text.replace(own, ""));
    let is_safe =
        |character| matches!(character, ' '..='~' | 'µ') || "│─┊╌┼◀▶✗→…".contains(character);
    assert!(plain.chars().all(is_safe), "{plain:?}");
}
