//! The output stream for the text that `--ask` prints.

use crate::cli::args::LabRun;
use crate::cli::failure::Failure;
use crate::cli::{alphabet, print, print_paged_with_hint};
use std::io::{self, Write};

/// Instructions for leaving the pager. Without them, a student only sees the prompt of `less`, which is a colon.
const PAGER_HELP: &str = "Before the end, Space shows the next page; q goes on to the questions.";

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

    /// Prints text that may be longer than the screen. The pager, if one is used, also shows [`PAGER_HELP`].
    pub(super) fn show(self, text: &str) -> Result<(), Failure> {
        match self {
            Self::Output => print_paged_with_hint(text, Some(PAGER_HELP)),
            Self::Error | Self::Nowhere => self.print(text),
        }
    }
}

fn cannot_ask(error: &io::Error) -> Failure {
    Failure::Message(format!("cannot ask on standard error: {error}"))
}
