//! Configures the log: its level (`-v`, `-q`, `RUST_LOG`, or the default of the command) and the format of its lines.

use super::args::{Arguments, Command};
use super::inherited;
use super::nonblocking::NonBlocking;
use crate::clock::Clock;
use anstream::{AutoStream, ColorChoice};
use chrono::{DateTime, Utc};
use env_logger::fmt::Formatter;
use env_logger::{Builder, Env, Target, WriteStyle};
use log::{Level, LevelFilter, Record};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

/// Properties of standard error, determined once because a confined server cannot query them.
static STDERR: OnceLock<Stderr> = OnceLock::new();

#[derive(Debug)]
struct Stderr {
    /// Whether standard error is the stream of the systemd journal, which adds the time itself and takes priorities.
    is_journal: bool,
    /// Output of a server, which must not wait for the reader of the log.
    nonblocking: Option<NonBlocking<io::Stderr>>,
}

pub(super) fn start(arguments: &Arguments) {
    // A server logs its sockets. A client prints its result on standard output. But on a terminal a client also logs
    // its pause of 4 s, which would otherwise look like a fault. A script does not need this line.
    let usual = match arguments.command {
        Command::Serve(_) => "info",
        Command::Query(_) if io::stderr().is_terminal() => "warn,daytime::client::polite=info",
        // A progress bar shows the single pauses, so one line about their total time is enough.
        Command::Check(_) if io::stderr().is_terminal() => "warn,daytime::check=info",
        _ => "warn",
    };
    let mut builder = Builder::new();
    match (arguments.verbosity.quiet, arguments.verbosity.verbose) {
        _ if inherited::client_has_stderr() => builder.filter_level(LevelFilter::Off),
        (true, _) => builder.filter_level(LevelFilter::Error),
        (_, 0) => builder.parse_env(Env::default().default_filter_or(usual)),
        (_, 1) => builder.filter_level(LevelFilter::Debug),
        _ => builder.filter_level(LevelFilter::Trace),
    };
    let is_server = matches!(arguments.command, Command::Serve(_));
    let stderr = STDERR.get_or_init(|| Stderr {
        is_journal: is_journal(),
        nonblocking: is_server.then(|| NonBlocking::new(io::stderr())),
    });
    builder.format(if stderr.is_journal { for_journal } else { for_reader });
    if let Some(nonblocking) = &stderr.nonblocking {
        // By default, env_logger writes no colour to `Target::Pipe`.
        let colour = AutoStream::choice(&io::stderr()) != ColorChoice::Never && !stderr.is_journal;
        builder.write_style(if colour { WriteStyle::Always } else { WriteStyle::Never });
        builder.target(Target::Pipe(Box::new(nonblocking)));
    }
    builder.init();
}

/// Whether standard error is the stream of the journal. `JOURNAL_STREAM` has device and inode of that stream
/// (systemd.exec(5)). A child with redirected standard error inherits the variable too, so the function compares device
/// and inode.
pub(super) fn is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let stderr = inherited::metadata(&io::stderr());
    stderr.is_ok_and(|stderr| stream == format!("{}:{}", stderr.dev(), stderr.ino()))
}

/// Formats a line for a person: `[2026-11-29T01:17:29Z INFO ] tcp 127.0.0.1:13: …`.
fn for_reader(line: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    let (time, level) = (timestamp(Clock::System.now()), record.level());
    let style = line.default_level_style(level);
    writeln!(line, "[{time} {style}{level:<5}{style:#}] {}", record.args())
}

/// Formats a line for the journal: the priority as in sd-daemon(3) (`SyslogLevelPrefix=`), without a time.
fn for_journal(line: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    writeln!(line, "<{}>{}", priority(record.level()), record.args())
}

/// Returns the priority of syslog(3) for a level.
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// Formats the time of a line, in whole seconds. The clock may show a year that chrono cannot represent.
fn timestamp(now: Option<DateTime<Utc>>) -> String {
    let text = |now: DateTime<Utc>| now.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    now.map_or_else(|| "no date".to_owned(), text)
}

/// Prints a message on standard error. Ignores errors of standard error itself.
pub(super) fn complain(text: &str) {
    let stderr = STDERR.get();
    // Standard error may be the journal although the logger has not started.
    let is_journal = stderr.map_or_else(is_journal, |stderr| stderr.is_journal);
    let prefix = if is_journal { format!("<{}>", priority(Level::Error)) } else { String::new() };
    let lines: Vec<String> = text.lines().map(|line| prefix.clone() + line + "\n").collect();
    let lines = lines.concat();
    let _ = match stderr.and_then(|stderr| stderr.nonblocking.as_ref()) {
        Some(nonblocking) => nonblocking.write_text(lines.as_bytes()).map(drop),
        None => io::stderr().lock().write_all(lines.as_bytes()),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_line_has_a_text_for_every_year() {
        let at = |seconds: i64| timestamp(DateTime::from_timestamp(seconds, 999_999_999));
        assert_eq!(at(1_795_915_049), "2026-11-29T01:17:29Z");
        assert_eq!(at(253_402_300_799), "9999-12-31T23:59:59Z");
        assert_eq!(at(253_402_300_800), "+10000-01-01T00:00:00Z");
        assert_eq!(at(-62_167_219_201), "-0001-12-31T23:59:59Z");
        assert_eq!(timestamp(Some(DateTime::<Utc>::MAX_UTC)), "+262142-12-31T23:59:59Z");
        assert_eq!(at(i64::MAX), "no date");
    }

    #[test]
    fn the_journal_gets_the_priorities_of_syslog() {
        let all = [Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace];
        assert_eq!(all.map(priority), [3, 4, 6, 7, 7]);
    }
}
