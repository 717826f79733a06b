//! A line of a diagram, made of character cells. Later writes to a cell overwrite earlier ones.

use anstyle::Style;
use std::fmt::Write;

/// A line of cells. Each cell is a character with its style, and takes one column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line(Vec<(char, Style)>);

impl Line {
    /// Writes text that begins in this column.
    pub(super) fn put(&mut self, column: usize, text: &str, style: Style) {
        for (at, character) in text.chars().enumerate() {
            self.set(column + at, character, style);
        }
    }

    /// Writes text that ends just before this column.
    pub(super) fn put_before(&mut self, column: usize, text: &str, style: Style) {
        self.put(column.saturating_sub(text.chars().count()), text, style);
    }

    pub(super) fn set(&mut self, column: usize, character: char, style: Style) {
        if self.0.len() <= column {
            self.0.resize(column + 1, (' ', Style::new()));
        }
        self.0[column] = (character, style);
    }

    /// Returns this line up to `column`, followed by the line `other`.
    #[cfg(feature = "lab")]
    pub(super) fn joined(&self, column: usize, other: &Self) -> Self {
        let mut both = self.clone();
        both.0.truncate(column);
        both.0.resize(column, (' ', Style::new()));
        both.0.extend(&other.0);
        both
    }

    /// Returns the line as text with colour codes, without trailing spaces.
    pub(super) fn render(&self) -> String {
        let blank = |cell: &&(char, Style)| cell.0 == ' ';
        let trailing = self.0.iter().rev().take_while(blank).count();
        let mut text = String::new();
        let mut current = Style::new();
        for (character, style) in &self.0[..self.0.len() - trailing] {
            if *style != current {
                let _ = write!(text, "{current:#}{style}");
                current = *style;
            }
            text.push(*character);
        }
        let _ = write!(text, "{current:#}");
        text
    }
}
