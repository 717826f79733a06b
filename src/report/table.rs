//! Text in three columns that fit 80: a label, and one for each transport.

use anstyle::{AnsiColor, Style};
use std::fmt::Write;
use textwrap::{Options, WordSplitter};

const LABEL: usize = 17;
/// Wide enough for the longest date in RFC 867's first syntax, "Wednesday, September 30, 2026".
const COLUMN: usize = 29;
const GAP: &str = "  ";

/// Headings.
pub(super) const HEADING: Style = AnsiColor::Cyan.on_default().bold();
/// What matters most.
const STRONG: Style = Style::new().bold();

/// A table that grows downwards. Colour is written always; the terminal's stream takes it off where it
/// is not wanted.
#[derive(Debug, Default)]
pub(super) struct Table(String);

impl Table {
    /// A line over all columns, wrapped.
    pub(super) fn line(&mut self, text: &str) {
        for part in wrap(text, LABEL + 2 * (GAP.len() + COLUMN)) {
            self.push(part.trim_end());
        }
    }

    /// The heads of the two columns; the other may be empty.
    pub(super) fn columns(&mut self, one: &str, other: &str) {
        let pad = COLUMN.saturating_sub(one.len());
        let one = format!("{STRONG}{one}{STRONG:#}{:pad$}", "");
        match other {
            "" => self.push(&format!("{:LABEL$}{GAP}{}", "", one.trim_end())),
            other => self.push(&format!("{:LABEL$}{GAP}{one}{GAP}{STRONG}{other}{STRONG:#}", "")),
        }
    }

    /// A heading, with a blank line above.
    pub(super) fn heading(&mut self, text: &str) {
        self.push("");
        self.push(&format!("{HEADING}{text}{HEADING:#}"));
    }

    /// A row; each cell is wrapped in its column, and a line feed in it starts a new line.
    pub(super) fn row(&mut self, label: &str, one: &str, other: &str) {
        let label: Vec<_> = wrap(label, LABEL - 2).iter().map(|it| format!("  {it}")).collect();
        let (one, other) = (wrap(one, COLUMN), wrap(other, COLUMN));
        for line in 0..label.len().max(one.len()).max(other.len()) {
            let part = |cell: &[String]| cell.get(line).cloned().unwrap_or_default();
            let (label, one, other) = (part(&label), part(&one), part(&other));
            let text = format!("{label:LABEL$}{GAP}{one:COLUMN$}{GAP}{other}");
            self.push(text.trim_end());
        }
    }

    fn push(&mut self, line: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{line}");
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// Wraps between words only: `17:37:43-PST` stays whole; but a word that is longer than a line is broken.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let options = Options::new(width).word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(text, options).into_iter().map(String::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_wrap_in_their_own_columns() {
        let mut table = Table::default();
        let long = "connect waits for one round trip";
        table.row("before the question", "3 packets", long);
        let expected = "  before the       3 packets                      \
                        connect waits for one round\n  question                                        \
                        trip\n";
        assert_eq!(table.finish(), expected);
    }
}
