//! Formats results as text and JSON, without using sockets, clocks or terminals.

#[cfg(feature = "cli")]
pub(crate) mod answer;
#[cfg(feature = "cli")]
pub(crate) mod bench;
#[cfg(feature = "cli")]
pub(crate) mod check;
#[cfg(feature = "cli")]
pub(crate) mod comparison;
#[cfg(feature = "cli")]
pub(crate) mod counters;
#[cfg(feature = "cli")]
pub(crate) mod json;
#[cfg(feature = "lab")]
pub(crate) mod lab;
pub(crate) mod ladder;
#[cfg(feature = "cli")]
pub(crate) mod meaning;
#[cfg(feature = "cli")]
pub(crate) mod nagios;
pub(crate) mod packet;
mod page;
#[cfg(feature = "cli")]
pub(crate) mod wire;

pub(crate) use crate::duration::human;
#[cfg(feature = "teach")]
pub(crate) use page::wrapped;

use serde_json::{Map, Value};
use std::error::Error;
use std::fmt::Write;

/// Returns the texts of an error and of its chain of causes, separated by `: `.
pub(crate) fn chain(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}

/// Returns a number with its noun, which is in the plural unless the number is 1.
pub(crate) fn plural(count: u64, noun: &str) -> String {
    let ends_in = |ends: &[&str]| ends.iter().any(|end| noun.ends_with(end));
    match noun.strip_suffix('y') {
        _ if count == 1 => format!("{count} {noun}"),
        Some(stem) if !ends_in(&["ay", "ey", "oy"]) => format!("{count} {stem}ies"),
        _ if ends_in(&["ch", "s", "sh", "x"]) => format!("{count} {noun}es"),
        _ => format!("{count} {noun}s"),
    }
}

/// Returns text that may contain octets from a peer in a form that is safe to print. Escapes control characters, and
/// invisible characters that change the direction or the line breaks of text.
pub(crate) fn escaped(text: &str) -> String {
    let escape = |it: char| {
        let is_escaped = it.is_control() || is_invisible(it);
        if is_escaped { it.escape_default().to_string() } else { it.to_string() }
    };
    text.chars().map(escape).collect()
}

/// Whether a character is a bidirectional control (Unicode Standard Annex 9), a line or paragraph separator, or has zero
/// width.
const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}

/// Merges several JSON objects into one.
fn joined<const N: usize>(objects: [Option<Value>; N]) -> Value {
    let mut keys = Map::new();
    for object in objects {
        if let Some(Value::Object(more)) = object {
            keys.extend(more);
        }
    }
    keys.into()
}

/// Returns octets in hexadecimal, two digits per octet.
pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut hex, octet| {
        let _ = write!(hex, "{octet:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_that_reverses_or_hides_text_is_escaped() {
        assert_eq!(escaped("a\u{202e}b\u{2066}c\u{feff}"), "a\\u{202e}b\\u{2066}c\\u{feff}");
        assert_eq!(escaped("4 × µs – “é”"), "4 × µs – “é”");
    }

    #[test]
    fn one_is_singular() {
        assert_eq!((plural(1, "read"), plural(0, "read")), ("1 read".into(), "0 reads".into()));
        assert_eq!(
            (plural(1, "reply"), plural(2, "reply")),
            ("1 reply".into(), "2 replies".into())
        );
        assert_eq!((plural(2, "loss"), plural(2, "delay")), ("2 losses".into(), "2 delays".into()));
    }
}
