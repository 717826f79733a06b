//! What commands print: one result, or one reply after another.

use super::failure::Failure;
use super::print;
use crate::report::json;
use serde_json::Value;
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
            let _ = print(&format!("{:#}\n", json::error(&failure.to_string())));
        }
    })?;
    let text = if is_json { format!("{:#}\n", to_json(&result)) } else { to_text(&result) };
    match print(&text) {
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
    /// For standard error.
    pub faults: Vec<Failure>,
    pub is_good: bool,
}

impl ReplyOutput {
    /// Prints the faults even where no reader takes the text any more.
    fn print(&self) -> Result<(), Failure> {
        let printed = if self.text.is_empty() { Ok(()) } else { print(&self.text) };
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

/// Returns the exit status of a good or bad result.
pub(super) fn status(is_good: bool) -> ExitCode {
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
