//! `daytime compare`.

use super::args::Compare;
use super::failure::Failure;
use super::print;
use super::progress::Progress;
use crate::client::{AskError, Options};
use crate::compare::{CompareOptions, Comparison, Side, compare};
use crate::report::{chain, comparison, json, plural};
use crate::transport::PORT;
use std::process::ExitCode;

pub(super) fn run(arguments: &Compare, quiet: bool) -> Result<ExitCode, Failure> {
    let ask = Options {
        family: arguments.ask.family(),
        port: arguments.port.unwrap_or(PORT),
        timeout: arguments.timeout,
        pace: arguments.ask.pace(),
        ..CompareOptions::default().ask
    };
    let options = CompareOptions { count: arguments.count, ask };
    let mut progress = Progress::start(quiet);
    let compared =
        compare(arguments.host.as_ref(), &options, &mut |done, of| progress.show(done, of));
    progress.finish();
    let compared = match compared.map_err(Failure::from) {
        Err(failure) => {
            if arguments.json {
                // That nobody reads it makes the failure no better.
                let _ = print(&format!("{:#}\n", json::error(&failure.to_string())));
            }
            return Err(failure);
        }
        Ok(compared) => compared,
    };
    let screen = if arguments.json {
        format!("{:#}\n", json::comparison(&compared))
    } else {
        comparison::text(&compared)
    };
    match print(&screen) {
        Err(Failure::NobodyReads) => {} // the status still tells how it went
        printed => printed?,
    }
    Ok(status(compared))
}

/// Tells on standard error which transport did not answer; one of them did.
fn status(Comparison { tcp, udp, .. }: Comparison) -> ExitCode {
    let mut status = ExitCode::SUCCESS;
    let mut judge = |side: Result<Side, AskError>| match side {
        Ok(Side { answer, failures, .. }) => {
            let lost = plural(failures.into(), "question");
            let lost =
                (failures > 0).then(|| format!("{lost} over {} had no answer", answer.transport));
            let faults = lost.map(Failure::plain).into_iter().chain(Failure::of_answer(&answer));
            for fault in faults {
                fault.tell();
                status = ExitCode::FAILURE;
            }
        }
        Err(error) => {
            let only = matches!(error, AskError::NoAnswer { .. });
            let hint = if only { ": it may serve the other transport only" } else { "" };
            Failure::plain(format!("{}{hint}", chain(&error))).tell();
            status = ExitCode::FAILURE;
        }
    };
    judge(tcp);
    judge(udp);
    status
}
