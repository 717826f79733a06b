//! Configures the log: its level (`-v`, `-q`, `RUST_LOG`, or the command's default) and its line format.

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

/// Properties of standard error, determined once, because a sandboxed server cannot query them later.
static STDERR: OnceLock<Stderr> = OnceLock::new();

#[derive(Debug)]
struct Stderr {
    /// Whether standard error is a stream to the systemd journal, which adds the time itself and understands
    /// priorities.
    is_journal: bool,
    /// The output to which a server writes its log. A server must not wait for the log's reader.
    nonblocking: Option<NonBlocking<io::Stderr>>,
}

pub(super) fn start(arguments: &Arguments) {
    // A server logs its sockets; a client prints its result on standard output. On a terminal, `query` also logs its
    // pause of 4 s, which would otherwise look like a fault. A script does not need this line.
    let usual = match arguments.command {
        Command::Serve(_) => "info",
        Command::Query(_) if io::stderr().is_terminal() => "warn,daytime::client::polite=info",
        // A progress bar shows each pause, so one line about their total time is enough.
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
        // By default, env_logger writes no colours to `Target::Pipe`.
        let colour = AutoStream::choice(&io::stderr()) != ColorChoice::Never && !stderr.is_journal;
        builder.write_style(if colour { WriteStyle::Always } else { WriteStyle::Never });
        builder.target(Target::Pipe(Box::new(nonblocking)));
    }
    builder.init();
}

/// Whether standard error is a stream to the journal. `JOURNAL_STREAM` contains that stream's device and inode numbers
/// (systemd.exec(5)). Child processes inherit the variable even if their standard error is redirected, so this function
/// compares both numbers.
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

/// Formats a line for the journal: with a priority prefix (sd-daemon(3), `SyslogLevelPrefix=`) and without a time.
fn for_journal(line: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    writeln!(line, "<{}>{}", priority(record.level()), record.args())
}

/// Returns the syslog(3) priority for a log level.
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// Formats a line's time, in whole seconds. `now` is `None` if the clock shows a year that chrono cannot represent.
fn timestamp(now: Option<DateTime<Utc>>) -> String {
    let text = |now: DateTime<Utc>| now.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    now.map_or_else(|| "no date".to_owned(), text)
}

/// Prints a message on standard error. Ignores errors from writing to standard error.
pub(super) fn complain(text: &str) {
    let stderr = STDERR.get();
    // Standard error may be the journal even if the logger has not started yet.
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
