//! Assertions about messages. A test lists the facts that a message must state, so the message's wording can change.
//! Unit tests and `tests/suite` share this file.

#![allow(dead_code, unreachable_pub, reason = "each kind of test uses its own part")]

use std::fmt::Display;

/// Asserts that the text contains each part as whole words: `2 s` is in `after 2 s`, but not in `after 12 s`.
#[track_caller]
pub fn mentions(text: &(impl Display + ?Sized), parts: &[&str]) {
    let text = text.to_string();
    assert!(!parts.is_empty(), "no part to look for in {text:?}");
    for part in parts {
        assert!(has(&text, part), "no {part:?} in {text:?}");
    }
}

/// Asserts that there is one list of parts for each text, and that each text contains the parts in its list.
#[track_caller]
pub fn each_mentions<T: Display>(texts: impl IntoIterator<Item = T>, parts: &[&[&str]]) {
    let texts: Vec<String> = texts.into_iter().map(|text| text.to_string()).collect();
    assert_eq!(texts.len(), parts.len(), "{texts:#?}");
    for (text, parts) in texts.iter().zip(parts) {
        mentions(text, parts);
    }
}

fn has(text: &str, part: &str) -> bool {
    let (first, last) = (part.chars().next(), part.chars().next_back());
    text.match_indices(part).any(|(at, _)| {
        let before = text[..at].chars().rev();
        let after = text[at + part.len()..].chars();
        !is_joined(first, before) && !is_joined(last, after)
    })
}

/// Whether the first or last character of a part (`edge`) and the text next to it form one word or decimal number.
fn is_joined(edge: Option<char>, mut next: impl Iterator<Item = char>) -> bool {
    let is_digit = |char: Option<char>| char.is_some_and(|char| char.is_ascii_digit());
    match next.next() {
        Some('.') => is_digit(edge) && is_digit(next.next()),
        next => [edge, next].iter().all(|char| char.is_some_and(char::is_alphanumeric)),
    }
}

mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_as_whole_words_only() {
        for part in ["cannot ask", "[::1]:13", "12 s", "1.8 times", "times"] {
            assert!(has("cannot ask [::1]:13: 12 s, 1.8 times", part), "{part}");
        }
        for (text, part) in [("after 12 s", "2 s"), ("2 seconds", "2 s"), ("::1:139", "::1:13")] {
            assert!(!has(text, part), "{part} in {text}");
        }
        assert!(!has("192.0.2.1", "1") && !has("1.8", "1") && has("packet 1.", "1"));
        assert!(has("12 s, then 2 s", "2 s"), "the second place");
    }

    #[test]
    #[should_panic(expected = "no \"port 13\" in \"connection refused\"")]
    fn a_missing_part_panics_with_the_part_and_the_text() {
        mentions("connection refused", &["refused", "port 13"]);
    }

    #[test]
    #[should_panic(expected = "one more")]
    fn a_text_without_parts_panics() {
        each_mentions(["refused", "one more"], &[&["refused"]]);
    }
}
