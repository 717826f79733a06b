//! `daytime check`.

use super::args::Check;
use super::failure::Failure;
use super::print;
use super::progress::Progress;
use crate::check::{CheckOptions, check};
use crate::client::Options;
use crate::report::{self, json};
use std::process::ExitCode;

pub(super) fn run(arguments: &Check, quiet: bool) -> Result<ExitCode, Failure> {
    let ask = Options {
        family: arguments.ask.family(),
        port: arguments.port,
        timeout: arguments.timeout,
        pace: arguments.ask.pace(),
        ..CheckOptions::default().ask
    };
    let mut progress = Progress::start(quiet);
    let mut show = |done, of| progress.show(done, of);
    let checked = check(&arguments.host, &CheckOptions { ask }, &mut show);
    progress.finish();
    let checked = checked.map_err(Failure::from).inspect_err(|failure| {
        if arguments.json {
            // That nobody reads it makes the failure no better.
            let _ = print(&format!("{:#}\n", json::error(&failure.to_string())));
        }
    })?;
    let screen = if arguments.json {
        format!("{:#}\n", json::check(&checked))
    } else {
        report::check::text(&checked)
    };
    match print(&screen) {
        Err(Failure::NobodyReads) => {} // the status still tells how it went
        printed => printed?,
    }
    Ok(if checked.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
