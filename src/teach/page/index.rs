//! The page that lists the reports on several labs.

use super::{STYLES, Styles};
use crate::lab::Report;
use crate::report::lab::ending;
use askama::Template;

/// A report in the list.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub report: &'a Report,
    /// Name of the report's file, in the same folder.
    pub file: String,
}

#[derive(Debug, Template)]
#[template(path = "index.html")]
struct Index<'a> {
    styles: Styles,
    rows: Vec<Row<'a>>,
}

#[derive(Debug)]
struct Row<'a> {
    lab: &'static str,
    question: &'a str,
    engine: &'static str,
    file: &'a str,
    verdict: String,
    is_good: bool,
}

/// Returns the page.
///
/// # Errors
/// Returns an error if the template cannot be written to memory.
pub(crate) fn index(entries: &[Entry]) -> askama::Result<String> {
    Index { styles: STYLES, rows: entries.iter().map(Row::of).collect() }.render()
}

impl<'a> Row<'a> {
    fn of(Entry { report, file }: &'a Entry<'a>) -> Self {
        Self {
            lab: report.lab.name,
            question: &report.lab.text.question,
            engine: report.procedure.engine.name(),
            file,
            verdict: ending(report).1,
            is_good: report.is_as_predicted(),
        }
    }
}
