//! Text inside XML and HTML.

/// Returns the text as HTML: markup is escaped, and characters that XML does not allow are replaced.
pub(super) fn html(text: &str) -> String {
    allowed(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Returns the text as an HTML paragraph.
pub(super) fn paragraph(text: &str) -> String {
    format!("<p>{}</p>", html(text))
}

/// Returns the text without the characters that XML 1.0 does not allow.
pub(super) fn allowed(text: &str) -> String {
    let is_allowed = |it: char| !it.is_control() || matches!(it, '\t' | '\n');
    let replace = |it: char| match it {
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        _ if is_allowed(it) => it,
        _ => '\u{fffd}',
    };
    text.chars().map(replace).collect()
}
