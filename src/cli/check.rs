//! Runs `daytime check`.

use super::args;
use super::failure::Failure;
use super::output::{print_result, status};
use super::print;
use super::progress::Progress;
use crate::check::{Check, CheckOptions, check};
use crate::client::AskError;
use crate::report::nagios::{self, State};
use crate::report::{self, json};
use std::process::ExitCode;

pub(super) fn run(arguments: &args::Check, quiet: bool) -> Result<ExitCode, Failure> {
    let default = CheckOptions::default().ask;
    let ask = arguments.ask.options(arguments.timeout, &default);
    let progress = Progress::start(quiet);
    let mut show = |done, of| progress.show(done, of);
    let checked = check(&arguments.host, &CheckOptions { ask }, &mut show);
    progress.finish();
    if arguments.nagios {
        return Ok(print_status(checked));
    }
    let checked = print_result(checked, arguments.json, json::check, report::check::text)?;
    Ok(status(checked.is_good()))
}

/// Prints one line as a Nagios plugin does, and returns the exit status of its state. The state is unknown if the line
/// cannot be printed.
fn print_status(checked: Result<Check, AskError>) -> ExitCode {
    let (state, line) = match checked.map_err(Failure::from) {
        Ok(check) => (State::of(&check), nagios::line(&check)),
        Err(failure) => (State::Unknown, nagios::unknown(&failure.to_string())),
    };
    let state = match print(&line) {
        Ok(()) | Err(Failure::OutputClosed) => state,
        Err(failure) => {
            failure.print();
            State::Unknown
        }
    };
    ExitCode::from(match state {
        State::Ok => 0,
        State::Warning => 1,
        State::Critical => 2,
        State::Unknown => 3,
    })
}
