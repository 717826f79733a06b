//! How much is logged: `-v` and `-q`, else `RUST_LOG`, else what suits the command.

use super::args::{Arguments, Command};
use super::inherited;
use anstream::{AutoStream, ColorChoice};
use env_logger::{Builder, Env, Target, WriteStyle};
use log::LevelFilter;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

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
    if matches!(arguments.command, Command::Serve(_)) {
        // Into a pipe of ours the logger writes without colour, unless told.
        let colour = AutoStream::choice(&io::stderr()) != ColorChoice::Never;
        builder.write_style(if colour { WriteStyle::Always } else { WriteStyle::Never });
        builder.target(Target::Pipe(Box::new(Unblocked)));
    }
    builder.init();
}

/// Standard error, but what nobody takes is lost: a log that is not read any more must not keep a server from
/// answering, or from ending.
struct Unblocked;

impl Write for Unblocked {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let stderr = io::stderr();
        let mut ready = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
        // A pipe that is ready takes a line whole (PIPE_BUF, pipe(7)).
        match poll(&mut ready, PollTimeout::ZERO) {
            Ok(0) => Ok(line.len()),
            _ => stderr.lock().write(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
