//! A mistake in a file that a person or a program has written.

use std::fmt;

/// A mistake with its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// Line in the file (1-based).
    pub line: usize,
    pub reason: String,
}

impl Mistake {
    pub(crate) fn at(line: usize, reason: &str) -> Self {
        Self { line, reason: reason.to_owned() }
    }
}

/// Returns the number of the line that contains the octet at this index (1-based).
pub(super) fn line_of(file: &[u8], at: usize) -> usize {
    file[..at.min(file.len())].split(|octet| *octet == b'\n').count()
}

/// Returns the number of the line on which a row begins (1-based). `text` is the whole file.
///
/// The reader's position of a row is the end of the previous row. So the row's line comes after the line feeds at this
/// position: that of CR LF, and those of empty lines.
pub(super) fn line_of_row(text: &str, row: &csv::StringRecord) -> usize {
    let Some(position) = row.position() else { return 1 };
    let index = |it: u64| usize::try_from(it).unwrap_or(usize::MAX);
    let rest = text.as_bytes().get(index(position.byte())..).unwrap_or_default();
    let ends = rest.iter().take_while(|octet| matches!(octet, b'\r' | b'\n'));
    index(position.line()) + ends.filter(|octet| **octet == b'\n').count()
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.reason)
    }
}
