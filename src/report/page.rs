//! A page of text, 80 columns wide: lines, paragraphs, headings, and tables.

use anstyle::{AnsiColor, Style};
use std::fmt::{Display, Write};
use textwrap::{Options, WordSplitter};

pub(super) const WIDTH: usize = 80;
/// Number of spaces between two columns.
const GAP: usize = 2;

const HEADING: Style = AnsiColor::Cyan.on_default().bold();
pub(super) const PLAIN: Style = Style::new();
pub(super) const STRONG: Style = Style::new().bold();
/// Style for a good result.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// Style for a bad result.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Style for a note.
#[cfg(feature = "lab")]
pub(super) const NOTE: Style = AnsiColor::Yellow.on_default();

/// A table's columns: the number of spaces before the first column, and the width of each column.
pub(super) struct Columns<const N: usize>(pub usize, pub [usize; N]);

/// Columns for a label, for TCP and for UDP. The TCP and UDP columns are wide enough for the longest date in RFC 867's
/// first syntax, "Wednesday, September 30, 2026".
const TRANSPORTS: Columns<3> = Columns(2, [15, 29, 29]);

/// A page of text, built from top to bottom. The text always contains colour codes; the output stream removes them if
/// they are not wanted.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    /// Adds a line without wrapping it.
    pub(super) fn line(&mut self, line: impl Display) {
        let _ = writeln!(self.0, "{line}");
    }

    /// Adds wrapped text. Each line is indented by this number of spaces.
    pub(super) fn paragraph(&mut self, blanks: usize, text: &str) {
        for line in text.split('\n').flat_map(|line| wrap(line, WIDTH - blanks)) {
            self.line(format!("{:blanks$}{line}", "").trim_end());
        }
    }

    /// Adds a heading with a blank line above it.
    pub(super) fn heading(&mut self, text: &str) {
        self.line(format_args!("\n{HEADING}{text}{HEADING:#}"));
    }

    /// Adds the column headings for the two transports. The second heading may be empty.
    pub(super) fn transport_heads(&mut self, one: &str, other: &str) {
        self.row(&TRANSPORTS, [(PLAIN, ""), (STRONG, one), (STRONG, other)]);
    }

    /// Adds a row with a label and a cell for each transport.
    pub(super) fn transport_row(&mut self, label: &str, one: &str, other: &str) {
        self.row(&TRANSPORTS, [label, one, other].map(|cell| (PLAIN, cell)));
    }

    /// Adds a row. Wraps each cell to its column's width; a line feed in a cell begins a new line.
    pub(super) fn row<const N: usize>(&mut self, columns: &Columns<N>, cells: [(Style, &str); N]) {
        let Columns(indent, widths) = columns;
        let wrapped: [_; N] = std::array::from_fn(|at| wrap(cells[at].1, widths[at]));
        for line in 0..wrapped.iter().map(Vec::len).max().unwrap_or(0) {
            let (mut text, mut blanks) = (String::new(), *indent);
            for (at, part) in wrapped.iter().enumerate() {
                let (style, part) = (cells[at].0, part.get(line).map_or("", String::as_str));
                let free = widths[at].saturating_sub(part.chars().count()) + GAP;
                if part.is_empty() {
                    blanks += free;
                } else {
                    let _ = write!(text, "{:blanks$}{style}{part}{style:#}", "");
                    blanks = free;
                }
            }
            self.line(text);
        }
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// Wraps text at spaces but not at hyphens, so that `17:37:43-PST` stays whole. Breaks a word only if it is longer than
/// a line.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let options = Options::new(width).word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(text, options).into_iter().map(String::from).collect()
}

/// Returns a text as lines of at most 80 columns. All lines but the first begin with this number of blanks.
#[cfg(feature = "teach")]
pub(crate) fn wrapped(text: &str, blanks: usize) -> String {
    let head: String = text.chars().take_while(|it| *it == ' ').collect();
    let rest = " ".repeat(blanks);
    let options = Options::new(WIDTH)
        .initial_indent(&head)
        .subsequent_indent(&rest)
        .word_splitter(WordSplitter::NoHyphenation);
    textwrap::fill(text.trim_start_matches(' '), options) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_wrap_in_their_own_columns() {
        let mut page = Page::default();
        let long = "connect waits for one round trip";
        page.transport_row("before the question", "3 packets", long);
        let expected = "  before the       3 packets                      \
                        connect waits for one round\n  question                                        \
                        trip\n";
        assert_eq!(page.finish(), expected);
    }
}
