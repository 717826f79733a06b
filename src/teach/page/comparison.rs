//! The HTML page for a comparison.

use super::{STYLES, Styles};
use crate::report::comparison::{Section, Tables};
use crate::report::escaped;
use askama::Template;

#[derive(Debug, Template)]
#[template(path = "comparison.html")]
struct Page<'a> {
    styles: Styles,
    head: &'a str,
    sections: &'a [Section],
    command: String,
}

/// Returns the page. `command` is the command line that repeats the comparison.
///
/// # Errors
/// Returns an error if the template cannot be written to memory.
pub(crate) fn comparison(tables: &Tables, command: &str) -> askama::Result<String> {
    let Tables { head, sections } = tables;
    Page { styles: STYLES, head, sections, command: escaped(command) }.render()
}

/// Converts a heading from the text report to a heading on the page. In the text report, the words before a bracket are
/// in capitals.
fn heading(heading: &str) -> String {
    let (words, note) = match heading.split_once(" (") {
        Some((words, note)) => (words, format!(" ({note}")),
        None => (heading, String::new()),
    };
    let words = words.to_lowercase();
    let mut letters = words.chars();
    let first = letters.next().map(|it| it.to_ascii_uppercase()).into_iter();
    escaped(&(first.chain(letters).collect::<String>() + &note))
}

/// Returns a cell with its invisible characters escaped. In a chart, a bar replaces each run of `#` characters.
fn cell(text: &str, is_chart: bool) -> String {
    if !is_chart {
        return escaped(text);
    }
    let bar = text.len() - text.trim_start_matches('#').len();
    escaped(&("▇".repeat(bar) + &text[bar..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_chart_has_bars_in_place_of_number_signs() {
        assert_eq!((&*cell("## 3", true), &*cell("## 3", false)), ("▇▇ 3", "## 3"));
    }
}
