//! A lab's section TRY NEXT: further commands, each with a question and, on request, the answer.

use crate::lab::Report;
use crate::report::page::{Page, STRONG};

/// How much to print of the section TRY NEXT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextSteps {
    /// The section is omitted.
    Hidden,
    /// Each command with its question.
    Questions,
    /// Each command with its question and the answer.
    WithAnswers,
}

/// Returns the lab's section TRY NEXT; empty if the section is hidden or the lab did not run.
pub(crate) fn next(report: &Report, shown: NextSteps) -> String {
    if shown == NextSteps::Hidden || report.outcome.is_err() {
        return String::new();
    }
    let mut page = Page::default();
    page.heading("TRY NEXT");
    for step in &report.lab.text.next {
        page.line(format_args!("  {STRONG}{}{STRONG:#}", step.command));
        page.paragraph(6, &step.question);
        if shown == NextSteps::WithAnswers {
            page.paragraph(6, &format!("Answer: {}", step.answer));
        }
    }
    page.finish()
}
