//! Why an answer cannot be read, and what the student can do.

use super::excerpt;
use super::lines::{LONG_QUOTES, has_quotes};

/// Quotes that word processors put in place of straight ones.
const CURLY_QUOTES: [char; 7] = ['‘', '’', '‚', '“', '”', '„', '`'];

/// Returns the reason why a value cannot be read. `otherwise` is the parser's reason.
pub(super) fn cause(value: &str, otherwise: &str) -> String {
    let long = LONG_QUOTES.into_iter().find(|it| value.starts_with(it));
    let short = ['\'', '"'].into_iter().find(|it| value.starts_with(*it));
    match (long, short) {
        _ if value.contains(char::REPLACEMENT_CHARACTER) => "not UTF-8".to_owned(),
        (Some(quotes), _) if !has_quotes(&value[quotes.len()..], quotes) => {
            format!("the closing {quotes} is missing")
        }
        (Some(quotes), _) => format!("text after the closing {quotes}"),
        (None, Some(quote)) => match value[1..].split_once(quote) {
            None => format!("the closing {quote} is missing"),
            Some((_, after)) if after.trim_end_matches(quote).is_empty() && !after.is_empty() => {
                format!("a {quote} too many")
            }
            Some((_, after)) if after.ends_with(quote) => format!("the answer contains {quote}"),
            Some((_, after)) if !after.trim().is_empty() => {
                format!("text after the closing {quote}")
            }
            Some(_) => otherwise.to_owned(),
        },
        (None, None) if value.is_empty() => "the quotes are missing".to_owned(),
        (None, None) if value.starts_with(CURLY_QUOTES) => "the quotes are curly".to_owned(),
        (None, None) if !value.starts_with(['[', '{']) => "the quotes are missing".to_owned(),
        _ => otherwise.to_owned(),
    }
}

/// Returns what the student can do about a value that cannot be read.
pub(super) fn advice(id: &str, value: &str) -> String {
    let id = excerpt(id);
    if value.contains(char::REPLACEMENT_CHARACTER) {
        "save the file as UTF-8".to_owned()
    } else if LONG_QUOTES.iter().any(|it| value.starts_with(it)) || has_inner_quote(value) {
        format!("write {id} = '''ANSWER'''")
    } else {
        format!("write {id} = 'ANSWER'")
    }
}

/// Whether there is a quote between the quotes.
fn has_inner_quote(value: &str) -> bool {
    value.ends_with('\'') && value.trim_matches('\'').contains('\'')
}

/// Returns a value that cannot be read, without its opening quotes. Returns an empty text if it has only quotes.
pub(super) fn without_quotes(value: &str) -> &str {
    let value = value.trim();
    let long = LONG_QUOTES.into_iter().find_map(|it| value.strip_prefix(it));
    let text = long.or_else(|| value.strip_prefix(['\'', '"'])).unwrap_or(value).trim();
    if text.chars().all(|it| matches!(it, '\'' | '"') || it.is_whitespace()) { "" } else { text }
}
