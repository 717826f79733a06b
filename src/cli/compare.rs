//! Runs `daytime compare`.

use super::args::Compare;
use super::failure::Failure;
#[cfg(feature = "teach")]
use super::lab::reports::write;
use super::output::{print_result, status};
use super::progress::Progress;
use crate::client::AskError;
use crate::compare::{CompareOptions, Side, compare};
use crate::report::{chain, comparison, json, plural};
#[cfg(feature = "teach")]
use crate::teach::page;
use std::process::ExitCode;

pub(super) fn run(arguments: &Compare, quiet: bool) -> Result<ExitCode, Failure> {
    let ask = arguments.ask.options(arguments.timeout, &CompareOptions::default().ask);
    let options = CompareOptions { count: arguments.count, ask };
    let progress = Progress::start(quiet);
    let mut show = |done, of| progress.show(done, of);
    let compared = compare(arguments.host.as_ref(), &options, &mut show);
    progress.finish();
    #[cfg(feature = "teach")]
    if let (Some(path), Ok(compared)) = (&arguments.html, &compared) {
        let command = command(arguments);
        write(path, page::comparison(&comparison::tables(compared), &command))?;
    }
    let compared = print_result(compared, arguments.json, json::comparison, comparison::text)?;
    let faults: Vec<_> = [compared.tcp, compared.udp].into_iter().flat_map(faults).collect();
    faults.iter().for_each(Failure::print);
    Ok(status(faults.is_empty()))
}

/// Returns the command line that repeats the comparison, with its server and its number of exchanges.
#[cfg(feature = "teach")]
fn command(arguments: &Compare) -> String {
    let host = arguments.host.as_ref().map(|host| format!(" {host}")).unwrap_or_default();
    format!("daytime compare --count {}{host}", arguments.count)
}

/// Returns the failures to report for one transport. The other transport got at least one answer.
fn faults(side: Result<Side, AskError>) -> Vec<Failure> {
    match side {
        Ok(Side { answer, failures, .. }) => {
            let lost = plural(failures.into(), "question");
            let lost = format!("{lost} over {} had no answer", answer.transport);
            let lost = (failures > 0).then_some(Failure::Message(lost));
            lost.into_iter().chain(Failure::of_answer(&answer)).collect()
        }
        Err(error) => {
            let only = matches!(error, AskError::NoAnswer { .. });
            let hint = if only { ": the server may serve only the other transport" } else { "" };
            vec![Failure::Message(format!("{}{hint}", chain(&error)))]
        }
    }
}
