//! Finds the lines of each answer in a text that is not TOML as a whole.
//!
//! Each line is looked at a few times at most, however the text is made.

use std::collections::{BTreeMap, BTreeSet};

/// The quotes of a text on several lines.
pub(super) const LONG_QUOTES: [&str; 2] = ["'''", "\"\"\""];

/// The lines below `[answers]`.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    all: Vec<&'a str>,
    /// Identifiers of the sheet's items.
    ids: &'a BTreeSet<&'a str>,
    /// Number of lines that begin with the identifier of an item, followed by `=` or `:`.
    counts: BTreeMap<&'a str, usize>,
    /// Number of lines that were looked at.
    #[cfg(test)]
    pub looked_at: std::cell::Cell<usize>,
}

/// The beginning of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening<'a> {
    pub id: &'a str,
    /// Text after the `=`, to the end of the line.
    pub value: &'a str,
    /// Index of the octet in the line at which the value begins.
    pub value_at: usize,
    pub has_equals: bool,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str, ids: &'a BTreeSet<&'a str>) -> Self {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let mut counts = BTreeMap::new();
        for (key, rest) in lines.iter().filter_map(|line| split_key(line)) {
            if ids.contains(key) && rest.trim_start().starts_with(['=', ':']) {
                *counts.entry(key).or_default() += 1;
            }
        }
        Self {
            all: lines,
            ids,
            counts,
            #[cfg(test)]
            looked_at: std::cell::Cell::default(),
        }
    }

    pub(super) fn get(&self, at: usize) -> Option<&'a str> {
        #[cfg(test)]
        self.looked_at.set(self.looked_at.get() + 1);
        self.all.get(at).copied()
    }

    /// Iterates over the lines from this index on, with their indexes.
    fn from(&self, at: usize) -> impl Iterator<Item = (usize, &'a str)> {
        (at..).map_while(|at| Some((at, self.get(at)?)))
    }

    pub(super) fn concat(&self, first: usize, count: usize) -> String {
        self.all[first..first + count].concat()
    }

    /// Splits a line such as `loss-tcp-time = ''` into the item's identifier and the value. The identifier may be in
    /// quotes. If it is that of an item, the `=` may be missing.
    pub(super) fn opening(&self, line: &'a str) -> Option<Opening<'a>> {
        let (id, rest) = split_key(line)?;
        let after = rest.trim_start();
        let is_item = self.ids.contains(id);
        if let Some(value) = after.strip_prefix('=') {
            let is_key = is_item || line.trim_start().starts_with(is_bare);
            let value_at = line.len() - value.len();
            let opening = Opening { id, value: value.trim(), value_at, has_equals: true };
            return is_key.then_some(opening);
        }
        // Without a colon, the line can be prose about an item. It is not, if no other line has the item's answer.
        let is_blank = rest.is_empty() || rest.starts_with(char::is_whitespace);
        let is_alone = is_blank && !self.counts.contains_key(id);
        let value = after.trim_start_matches([':', '=']);
        let value_at = line.len() - value.len();
        let is_opening = is_item && (after.starts_with(':') || is_alone);
        is_opening.then_some(Opening { id, value: value.trim(), value_at, has_equals: false })
    }

    /// Returns the number of lines that an answer takes, from the line with this index on.
    pub(super) fn count(&self, first: usize, opening: &Opening<'a>) -> usize {
        let value = opening.value;
        match LONG_QUOTES.into_iter().find(|it| value.starts_with(it)) {
            Some(quotes) if !has_quotes(&value[quotes.len()..], quotes) => {
                self.count_text(first, quotes)
            }
            None if value.starts_with('[') => self.count_list(first, value),
            _ => 1,
        }
    }

    /// Returns the number of lines of a text that ends with these quotes. A line inside the quotes is text, even if it
    /// looks like an item, because students quote items. Three kinds of lines show that the quotes are missing: an item
    /// whose answer begins with the same quotes, the only line of an item, below its comment, and the only lines of two
    /// items. If the quotes are missing, the text ends before the next item and its comment.
    fn count_text(&self, first: usize, quotes: &str) -> usize {
        let (mut next_item, mut only_ids) = (None, BTreeSet::new());
        for (at, line) in self.from(first + 1) {
            let item = self.opening(line).filter(|it| self.ids.contains(it.id));
            let only_id = item.map(|it| it.id).filter(|id| self.is_at_most_once(id));
            let is_below_heading = item.is_some() && is_heading(self.all[at - 1]);
            if only_id.is_some() || is_below_heading {
                next_item.get_or_insert(at);
            }
            let is_outside = item.is_some_and(|it| it.value.starts_with(quotes));
            if is_outside || only_id.is_some() && is_below_heading {
                return self.count_above(first, next_item.unwrap_or(at));
            }
            only_ids.extend(only_id);
            if has_quotes(line, quotes) {
                // The quotes are those of another answer.
                let other = next_item.filter(|_| only_ids.len() > 1);
                return other.map_or(at + 1 - first, |end| self.count_above(first, end));
            }
        }
        self.count_above(first, next_item.unwrap_or(self.all.len()))
    }

    /// Whether at most one line begins with this identifier, followed by `=` or `:`.
    fn is_at_most_once(&self, id: &str) -> bool {
        self.counts.get(id).is_none_or(|count| *count == 1)
    }

    /// Returns the number of lines to the last one with text above `end`.
    fn count_above(&self, first: usize, end: usize) -> usize {
        let is_text = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
        self.all[first + 1..end].iter().rposition(is_text).map_or(1, |at| at + 2)
    }

    /// Returns the number of lines of a list, which ends with its closing bracket. If the bracket is missing, the list
    /// is one line.
    fn count_list(&self, first: usize, value: &'a str) -> usize {
        let mut depth = depth_after(0, value);
        for (at, line) in self.from(first + 1) {
            if depth == 0 {
                return at - first;
            }
            if self.opening(line).is_some() {
                return 1;
            }
            depth = depth_after(depth, line);
        }
        if depth == 0 { self.all.len() - first } else { 1 }
    }
}

/// Splits a line into the key at its beginning, without quotes, and the rest.
fn split_key(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    let quote = ['\'', '"'].into_iter().find(|it| line.starts_with(*it));
    let split = match quote {
        Some(quote) => line[1..].split_once(quote)?,
        None => line.split_at(line.find(|it| !is_bare(it)).unwrap_or(line.len())),
    };
    Some(split).filter(|(key, _)| !key.is_empty())
}

const fn is_bare(it: char) -> bool {
    it.is_ascii_alphanumeric() || matches!(it, '-' | '_')
}

/// Whether a line is the comment that the program writes above an item, such as `# 1. (2 points) A number in ms.`
fn is_heading(line: &str) -> bool {
    let number = line.strip_prefix("# ").and_then(|it| it.split_once(". (")).map(|(it, _)| it);
    number.is_some_and(|it| !it.is_empty() && it.chars().all(|it| it.is_ascii_digit()))
}

/// Whether a text contains these quotes. Between double quotes, a backslash and the character after it do not count.
pub(super) fn has_quotes(text: &str, quotes: &str) -> bool {
    if !quotes.starts_with('"') {
        return text.contains(quotes);
    }
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '"']) {
        if rest[at..].starts_with(quotes) {
            return true;
        }
        let mut after = rest[at..].chars();
        if after.next() == Some('\\') {
            after.next();
        }
        rest = after.as_str();
    }
    false
}

/// Returns the number of open brackets at the end of a line. Ignores brackets in quotes and in a comment.
fn depth_after(before: usize, line: &str) -> usize {
    let (mut depth, mut open) = (before, None);
    for it in line.chars() {
        match (open, it) {
            (Some(quote), it) if quote == it => open = None,
            (None, '\'' | '"') => open = Some(it),
            (None, '[') => depth += 1,
            (None, ']') => depth = depth.saturating_sub(1),
            (None, '#') => break,
            _ => {}
        }
    }
    depth
}
