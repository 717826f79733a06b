//! What commands print: one result, or one reply after another.

use super::failure::Failure;
#[cfg(feature = "lab")]
use super::pager;
use super::{print, print_exactly, print_paged};
use crate::report::json;
use serde_json::Value;
#[cfg(feature = "lab")]
use std::cell::RefCell;
use std::process::ExitCode;

/// Prints a result as text or JSON; with JSON, a failure too. The exit status does not depend on whether a reader
/// takes it.
pub(super) fn print_result<T, E: Into<Failure>>(
    result: Result<T, E>,
    is_json: bool,
    to_json: impl FnOnce(&T) -> Value,
    to_text: impl FnOnce(&T) -> String,
) -> Result<T, Failure> {
    let result = result.map_err(Into::into).inspect_err(|failure| {
        if is_json {
            let _ = print_exactly(&format!("{:#}\n", json::error(&failure.to_string())));
        }
    })?;
    let printed = if is_json {
        print_exactly(&format!("{:#}\n", to_json(&result)))
    } else {
        print_paged(&to_text(&result))
    };
    match printed {
        Err(Failure::OutputClosed) => Ok(result),
        printed => printed.map(|()| result),
    }
}

/// How replies are printed.
#[derive(Clone, Copy)]
pub(super) struct Format {
    pub json: bool,
    pub quiet: bool,
}

/// What is printed about one reply.
pub(super) struct ReplyOutput {
    /// For standard output.
    pub text: String,
    /// Whether the text is JSON or the reply alone, in which no character may be replaced.
    pub is_exact: bool,
    /// For standard error.
    pub faults: Vec<Failure>,
    pub is_good: bool,
}

impl ReplyOutput {
    /// Prints the faults even where no reader takes the text any more.
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

/// Prints one after another until standard output is closed. Bad if one of the printed is.
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

/// Text that is printed piece by piece or, if it may go to a pager, all at the end.
#[cfg(feature = "lab")]
pub(super) struct LongText(Option<RefCell<String>>);

#[cfg(feature = "lab")]
impl LongText {
    pub(super) fn new() -> Self {
        Self(pager::is_possible().then(RefCell::default))
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

/// Returns the exit status of a good or bad result.
pub(super) fn status(is_good: bool) -> ExitCode {
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
