//! The output stream for the text that `--ask` prints.

use crate::cli::args::LabRun;
use crate::cli::failure::Failure;
use crate::cli::{alphabet, print, print_paged_with_hint};
use std::io::{self, Write};

/// The effect of the key that leaves the pager before the questions, and if there are none. Without this text, a student
/// only sees the prompt of `less`, a colon.
pub(super) const TO_QUESTIONS: &str = "q goes on to the questions";
pub(super) const TO_LESSON: &str = "q goes on to the lesson";

/// The output stream for the questions and verdicts. If the user wants JSON, standard output contains only JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Screen {
    Output,
    /// Standard error, because standard output contains JSON and a student at the terminal answers.
    Error,
    /// Nothing is printed, because standard output contains JSON and the answers come from a file.
    Nowhere,
}

impl Screen {
    pub(super) fn of(arguments: &LabRun, has_file: bool) -> Self {
        match (arguments.json, has_file) {
            (false, _) => Self::Output,
            (true, false) => Self::Error,
            (true, true) => Self::Nowhere,
        }
    }

    pub(super) fn print(self, text: &str) -> Result<(), Failure> {
        match self {
            Self::Output => print(text),
            Self::Error => {
                let mut error = anstream::stderr().lock();
                let text = alphabet::shown(text);
                let printed = error.write_all(text.as_bytes()).and_then(|()| error.flush());
                printed.map_err(|cause| cannot_ask(&cause))
            }
            Self::Nowhere => Ok(()),
        }
    }

    /// Prints text that may be longer than the screen. The pager, if one is used, also shows the text `after`, which says
    /// how to leave the pager.
    pub(super) fn show(self, text: &str, after: &str) -> Result<(), Failure> {
        match self {
            Self::Output => print_paged_with_hint(text, Some(after)),
            Self::Error | Self::Nowhere => self.print(text),
        }
    }
}

fn cannot_ask(error: &io::Error) -> Failure {
    Failure::Message(format!("cannot ask on standard error: {error}"))
}
