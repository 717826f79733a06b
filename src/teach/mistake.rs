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

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.reason)
    }
}
