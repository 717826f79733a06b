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

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.reason)
    }
}
