//! The page of a comparison.

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
/// The template cannot be written to memory.
pub(crate) fn comparison(tables: &Tables, command: &str) -> askama::Result<String> {
    let Tables { head, sections } = tables;
    Page { styles: STYLES, head, sections, command: escaped(command) }.render()
}
