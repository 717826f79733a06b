//! Runs `daytime check`.

use super::args::Check;
use super::failure::Failure;
use super::output::{print_result, status};
use super::progress::Progress;
use crate::check::{CheckOptions, check};
use crate::report::{self, json};
use std::process::ExitCode;

pub(super) fn run(arguments: &Check, quiet: bool) -> Result<ExitCode, Failure> {
    let default = CheckOptions::default().ask;
    let ask = arguments.ask.options(arguments.timeout, &default);
    let progress = Progress::start(quiet);
    let mut show = |done, of| progress.show(done, of);
    let checked = check(&arguments.host, &CheckOptions { ask }, &mut show);
    progress.finish();
    let checked = print_result(checked, arguments.json, json::check, report::check::text)?;
    Ok(status(checked.is_good()))
}
