//! Text inside Markdown.

/// ASCII punctuation that is special neither in Markdown nor in LaTeX nor in the typographic rules of text2qti.
const PLAIN: [char; 8] = [',', ';', '?', '/', '%', '(', ')', '.'];

/// Returns the text on one line, with a character reference in place of each special character.
pub(super) fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut before = ' ';
    for it in text.trim().chars() {
        // A full stop after a digit would begin a list item, and three full stops would become one ellipsis character.
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
