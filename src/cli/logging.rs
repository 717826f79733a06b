//! How much is logged: `-v` and `-q`, else `RUST_LOG`, else what suits the command.

use super::args::{Arguments, Command};
use env_logger::{Builder, Env};
use log::LevelFilter;

pub(super) fn start(arguments: &Arguments) {
    // A server tells what it opened; a client's result is on standard output.
    let usual = match arguments.command {
        Command::Serve(_) => LevelFilter::Info,
        _ => LevelFilter::Warn,
    };
    let mut builder = Builder::new();
    builder.format_target(false);
    match (arguments.verbosity.quiet, arguments.verbosity.verbose) {
        (true, _) => builder.filter_level(LevelFilter::Error),
        (_, 0) => builder.parse_env(Env::default().default_filter_or(usual.as_str())),
        (_, 1) => builder.filter_level(LevelFilter::Debug),
        _ => builder.filter_level(LevelFilter::Trace),
    };
    builder.init();
}
