//! The command line. Only this module uses clap, env_logger, exit statuses and the screen.

mod alphabet;
mod args;
mod bench;
mod check;
mod compare;
mod descriptors;
mod failure;
mod gauges;
mod hints;
mod inherited;
#[cfg(feature = "teach")]
mod lab;
mod logging;
mod nonblocking;
mod output;
mod pager;
mod parse;
mod progress;
mod query;
mod serve;
mod signals;
mod usage_hints;
mod wire;

use crate::report;
use args::{Arguments, Command};
use failure::Failure;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// Runs the command line of this process. Returns the exit status: 0 success, 1 failure, 2 wrong command line.
#[must_use]
pub fn run_command_line() -> ExitCode {
    let arguments = match Arguments::read() {
        Ok(arguments) => arguments,
        Err(error) => return print_usage(error),
    };
    let closed = match &arguments.command {
        // This call must come before the process opens any descriptor, because it closes all descriptors that were not
        // handed over.
        Command::Serve(serve) => inherited::close_leaked(serve),
        _ => Ok(()),
    };
    alphabet::choose(arguments.display.ascii);
    pager::switch_off(arguments.display.no_pager);
    logging::start(&arguments);
    if let Err(error) = closed {
        log::warn!(
            "cannot close the descriptors that the starting process left open: cannot list them: {error}"
        );
    }
    let done = match arguments.command {
        Command::Serve(serve) => serve::run(&serve),
        Command::Query(query) => query::run(&query, arguments.verbosity.quiet),
        Command::Compare(compare) => compare::run(&compare, arguments.verbosity.quiet),
        Command::Check(check) => check::run(&check, arguments.verbosity.quiet),
        Command::Bench(bench) => bench::run(&bench, arguments.verbosity.quiet),
        #[cfg(feature = "teach")]
        Command::Lab(lab) => lab::run(&lab, arguments.verbosity.quiet),
        Command::Parse(parse) => parse::run(&parse, arguments.verbosity.quiet),
        Command::Wire(wire) => wire::run(&wire, arguments.verbosity.quiet),
    };
    done.unwrap_or_else(|failure| {
        failure.print();
        failure.status()
    })
}

/// Prints help, or the error found in the arguments. For a Nagios plugin, exit status 2 would mean that the service has
/// failed, so there a wrong command line has status 3, "unknown".
fn print_usage(error: clap::Error) -> ExitCode {
    let is_usage = error.use_stderr();
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let words: Vec<String> = words.collect();
    let has = |it: &str| words.iter().any(|word| word == it);
    let is_plugin = has("check") && has("--nagios");
    let error = usage_hints::explain(error, &words);
    if is_usage && logging::is_journal() {
        complain(&error.to_string());
    } else if !inherited::client_has_stderr() {
        // Help goes to standard output. If that is closed, the write error is ignored.
        let _ = error.print();
    }
    ExitCode::from(match (is_usage, is_plugin) {
        (false, _) => 0,
        (true, false) => 2,
        (true, true) => 3,
    })
}

/// Prints text for people to standard output. The terminal, the locale and the options determine whether the output has
/// colours and whether it is restricted to ASCII.
fn print(text: &str) -> Result<(), Failure> {
    print_exactly(&alphabet::shown(text))
}

/// Prints text like [`print`], but through a pager if the text is longer than the terminal's screen.
fn print_paged(text: &str) -> Result<(), Failure> {
    print_paged_with_hint(text, None)
}

/// Prints text like [`print_paged`]. Only the pager shows the hint, which says what follows the pager.
fn print_paged_with_hint(text: &str, hint: Option<&str>) -> Result<(), Failure> {
    let text = alphabet::shown(text);
    if pager::show(&text, hint) { Ok(()) } else { print_exactly(&text) }
}

/// Prints JSON or CSV for programs. The choice of ASCII does not change such data.
fn print_exactly(text: &str) -> Result<(), Failure> {
    let mut output = anstream::stdout().lock();
    let printed = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    printed.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => Failure::output(&error),
    })
}

/// Prints JSON on several lines for programs.
fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    print_exactly(&format!("{}\n", report::json::text(value)))
}

/// Prints an error to standard error, unless standard error is a client's socket.
fn complain(text: &str) {
    if !inherited::client_has_stderr() {
        logging::complain(&alphabet::shown(text));
    }
}

/// Returns the terminal's width in columns. If standard output is not a terminal, returns the number in `COLUMNS`, for
/// example for a pager. If there is no such number, returns the width of a page.
fn width() -> usize {
    const PAGE: usize = 80;
    let of_terminal = terminal_size::terminal_size_of(io::stdout());
    let of_terminal = of_terminal.map(|(terminal_size::Width(columns), _)| columns.into());
    let asked_for = || std::env::var("COLUMNS").ok()?.parse().ok().filter(|columns| *columns > 0);
    of_terminal.or_else(asked_for).unwrap_or(PAGE)
}
