//! Text inside Markdown.

/// ASCII punctuation without a meaning in Markdown, in LaTeX or in the typographic rules of text2qti.
const PLAIN: [char; 8] = [',', ';', '?', '/', '%', '(', ')', '.'];

/// Returns the text on one line, with a character reference for each character that has a meaning.
pub(super) fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut before = ' ';
    for it in text.trim().chars() {
        // After a digit a full stop makes a list, and three of them become one character.
        let is_stop = it == '.' && (before.is_ascii_digit() || before == '.');
        let is_plain = !it.is_ascii_punctuation() || PLAIN.contains(&it) && !is_stop;
        match it {
            '\n' => escaped.push(' '),
            _ if it.is_control() => escaped.push('\u{fffd}'),
            _ if is_plain => escaped.push(it),
            _ => escaped.extend(["&#", &u32::from(it).to_string(), ";"]),
        }
        before = it;
    }
    escaped
}
