//! Prints the results of commands: a single result, or one reply after another.

use super::failure::Failure;
#[cfg(feature = "teach")]
use super::pager;
use super::{print, print_exactly, print_json, print_paged};
use crate::report::json;
use serde_json::Value;
#[cfg(feature = "teach")]
use std::cell::RefCell;
use std::process::ExitCode;

/// Prints a result as text or JSON. If JSON was requested, a failure is printed as JSON too. The exit status does not
/// depend on whether standard output has a reader.
pub(super) fn print_result<T, E: Into<Failure>>(
    result: Result<T, E>,
    is_json: bool,
    to_json: impl FnOnce(&T) -> Value,
    to_text: impl FnOnce(&T) -> String,
) -> Result<T, Failure> {
    let result = result.map_err(Into::into).inspect_err(|failure| {
        if is_json {
            let _ = print_json(&json::error(&failure.to_string()));
        }
    })?;
    let printed =
        if is_json { print_json(&to_json(&result)) } else { print_paged(&to_text(&result)) };
    match printed {
        Err(Failure::OutputClosed) => Ok(result),
        printed => printed.map(|()| result),
    }
}

/// The format in which replies are printed.
#[derive(Clone, Copy)]
pub(super) struct Format {
    pub json: bool,
    pub quiet: bool,
}

/// The output for one reply.
pub(super) struct ReplyOutput {
    /// Text for standard output.
    pub text: String,
    /// Whether the text is JSON or the reply alone. The characters of such text must not be replaced with ASCII.
    pub is_exact: bool,
    /// Faults in the reply, for standard error.
    pub faults: Vec<Failure>,
    pub is_good: bool,
}

impl ReplyOutput {
    /// Prints the text and the faults. The faults are printed even if standard output is closed.
    fn print(&self) -> Result<(), Failure> {
        let printed = match self.text.as_str() {
            "" => Ok(()),
            text if self.is_exact => print_exactly(text),
            text => print(text),
        };
        self.faults.iter().for_each(Failure::print);
        printed
    }
}

/// Prints replies one after another, until standard output is closed. Returns exit status 1 if any of the replies is
/// bad.
pub(super) fn print_all(
    printouts: impl Iterator<Item = Result<ReplyOutput, Failure>>,
) -> Result<ExitCode, Failure> {
    let mut status = ExitCode::SUCCESS;
    for printout in printouts {
        let printout = printout?;
        if !printout.is_good {
            status = ExitCode::FAILURE;
        }
        match printout.print() {
            Err(Failure::OutputClosed) => break,
            printed => printed?,
        }
    }
    Ok(status)
}

/// Text that a run of labs prints piece by piece. For a single lab, the text is held back until the end if a pager may
/// show it. For several labs, each lab's text is printed as soon as the lab has finished, so that Ctrl-C loses no
/// finished result.
#[cfg(feature = "teach")]
pub(super) struct LongText(Option<RefCell<String>>);

#[cfg(feature = "teach")]
impl LongText {
    pub(super) fn of(pieces_of_work: usize) -> Self {
        Self((pieces_of_work == 1 && pager::is_possible()).then(RefCell::default))
    }

    pub(super) fn print(&self, text: &str) -> Result<(), Failure> {
        match &self.0 {
            Some(held_back) => {
                held_back.borrow_mut().push_str(text);
                Ok(())
            }
            None => print(text),
        }
    }

    /// Prints the pieces that were held back.
    pub(super) fn finish(&self) -> Result<(), Failure> {
        let text = self.0.as_ref().map(RefCell::take).unwrap_or_default();
        if text.is_empty() { Ok(()) } else { print_paged(&text) }
    }
}

/// Returns the exit status: success for a good result, failure for a bad one.
pub(super) fn status(is_good: bool) -> ExitCode {
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
