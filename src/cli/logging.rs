//! How much is logged: `-v` and `-q`, else `RUST_LOG`, else what suits the command.

use super::args::{Arguments, Command};
use super::inherited;
use env_logger::{Builder, Env};
use log::LevelFilter;
use std::io::{self, IsTerminal};

pub(super) fn start(arguments: &Arguments) {
    // A server tells what it opened; a client's result is on standard output. But four seconds in which
    // nothing happens look like a fault to whoever watches; a script has no need of it.
    let usual = match arguments.command {
        Command::Serve(_) => "info",
        Command::Query(_) if io::stderr().is_terminal() => "warn,daytime::client::polite=info",
        // Here a bar shows that something happens.
        Command::Check(_) if io::stderr().is_terminal() => "warn,daytime::check=info",
        _ => "warn",
    };
    let mut builder = Builder::new();
    builder.format_target(false);
    match (arguments.verbosity.quiet, arguments.verbosity.verbose) {
        _ if inherited::client_has_stderr() => builder.filter_level(LevelFilter::Off),
        (true, _) => builder.filter_level(LevelFilter::Error),
        (_, 0) => builder.parse_env(Env::default().default_filter_or(usual)),
        (_, 1) => builder.filter_level(LevelFilter::Debug),
        _ => builder.filter_level(LevelFilter::Trace),
    };
    builder.init();
}
