//! The command line: the only place that knows clap, env_logger, exit statuses and the screen.

mod args;
mod compare;
mod failure;
mod logging;
mod query;
mod serve;

use args::{Arguments, Command};
use clap::Parser;
use failure::Failure;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// Runs the command line of this process: 0 good, 1 bad, 2 usage.
#[must_use]
pub fn run_command_line() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help goes to standard output; if that is closed, nobody wants it.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    logging::start(&arguments);
    let done = match arguments.command {
        Command::Serve(serve) => serve::run(*serve),
        Command::Query(query) => query::run(&query, arguments.verbosity.quiet),
        Command::Compare(compare) => compare::run(&compare, arguments.verbosity.quiet),
    };
    done.unwrap_or_else(|failure| {
        failure.tell();
        ExitCode::FAILURE
    })
}

/// Prints to standard output, in colour where that is wanted. That nobody reads on is no failure.
fn print(text: &str) -> Result<(), Failure> {
    let mut output = anstream::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::output(&error)),
        _ => Ok(()),
    }
}

/// Prints a line to standard error; there is nowhere to tell that this failed.
fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
