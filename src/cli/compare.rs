//! Runs `daytime compare`.

use super::args::Compare;
#[cfg(feature = "teach")]
use super::args::DEFAULT_COMPARE_TIMEOUT as DEFAULT_TIMEOUT;
use super::failure::Failure;
#[cfg(feature = "teach")]
use super::lab::reports::{check_writable, write};
use super::output::{print_result, status};
use super::progress::Progress;
use crate::client::AskError;
use crate::compare::{CompareOptions, Side, compare};
use crate::report::{chain, comparison, json, plural};
#[cfg(feature = "teach")]
use crate::teach::page;
use std::process::ExitCode;
#[cfg(feature = "teach")]
use std::time::Duration;

pub(super) fn run(arguments: &Compare, quiet: bool) -> Result<ExitCode, Failure> {
    #[cfg(feature = "teach")]
    if let Some(path) = &arguments.html {
        check_writable(path)?;
    }
    let ask = arguments.ask.options(arguments.timeout, &CompareOptions::default().ask);
    let options = CompareOptions { count: arguments.count, ask };
    let progress = Progress::start(quiet);
    let mut show = |done, of| progress.show(done, of);
    let compared = compare(arguments.host.as_ref(), &options, &mut show);
    progress.finish();
    let compared = print_result(compared, arguments.json, json::comparison, comparison::text)?;
    #[cfg(feature = "teach")]
    if let Some(path) = &arguments.html {
        let command = command(arguments);
        write(path, page::comparison(&comparison::tables(&compared), &command))?;
    }
    let faults: Vec<_> = [compared.tcp, compared.udp].into_iter().flat_map(faults).collect();
    faults.iter().for_each(Failure::print);
    Ok(status(faults.is_empty()))
}

/// Returns the command line that repeats the comparison.
#[cfg(feature = "teach")]
fn command(arguments: &Compare) -> String {
    let host = arguments.host.as_ref().map(|host| format!(" {host}")).unwrap_or_default();
    let options = arguments.ask.words().into_iter().chain(timeout(arguments.timeout));
    let options: Vec<String> = options.map(|it| format!(" {it}")).collect();
    format!("daytime compare --count {}{}{host}", arguments.count, options.concat())
}

/// Returns the command-line option for a timeout; `None` for the default.
#[cfg(feature = "teach")]
fn timeout(timeout: Duration) -> Option<String> {
    let is_default = timeout == Duration::from_secs(DEFAULT_TIMEOUT);
    (!is_default).then(|| format!("--timeout {}", timeout.as_secs_f64()))
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
