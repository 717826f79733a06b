//! How much is logged, and how a line looks: `-v` and `-q`, else `RUST_LOG`, else what suits the command.

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

/// What standard error is. Found out once: a confined server can no longer ask.
static STDERR: OnceLock<Stderr> = OnceLock::new();

#[derive(Debug)]
struct Stderr {
    /// The journal's own stream, which has a time and a priority for each line.
    is_journal: bool,
    /// For a server: a line that no reader takes must not keep it waiting.
    nonblocking: Option<NonBlocking<io::Stderr>>,
}

pub(super) fn start(arguments: &Arguments) {
    // A server logs what it opened; a client's result is on standard output. But four seconds in which
    // nothing happens look like a fault to a person at a terminal; a script does not need the line.
    let usual = match arguments.command {
        Command::Serve(_) => "info",
        Command::Query(_) if io::stderr().is_terminal() => "warn,daytime::client::polite=info",
        // Here a bar shows that something happens.
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
        // Into a pipe of ours the logger writes without colour, unless it is made to.
        let colour = AutoStream::choice(&io::stderr()) != ColorChoice::Never && !stderr.is_journal;
        builder.write_style(if colour { WriteStyle::Always } else { WriteStyle::Never });
        builder.target(Target::Pipe(Box::new(nonblocking)));
    }
    builder.init();
}

/// Whether standard error is the journal's stream: `JOURNAL_STREAM` has its device and inode (systemd.exec(5)).
/// A child whose standard error was redirected inherits the variable too.
pub(super) fn is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let stderr = inherited::metadata(&io::stderr());
    stderr.is_ok_and(|stderr| stream == format!("{}:{}", stderr.dev(), stderr.ino()))
}

/// `[2026-11-29T01:17:29Z INFO ] tcp 127.0.0.1:13: …`
fn for_reader(line: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    let (time, level) = (timestamp(Clock::System.now()), record.level());
    let style = line.default_level_style(level);
    writeln!(line, "[{time} {style}{level:<5}{style:#}] {}", record.args())
}

/// The priority in the format of sd-daemon(3) (`SyslogLevelPrefix=`), and no time: the journal adds its own.
fn for_journal(line: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    writeln!(line, "<{}>{}", priority(record.level()), record.args())
}

/// The priority of syslog(3).
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// The second of a line. A clock may show any year, or one that no calendar here holds.
fn timestamp(now: Option<DateTime<Utc>>) -> String {
    let text = |now: DateTime<Utc>| now.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    now.map_or_else(|| "no date".to_owned(), text)
}

/// Prints what went wrong to standard error. Does not report that standard error fails.
pub(super) fn complain(text: &str) {
    let stderr = STDERR.get();
    // Before the logger has started it may be the journal, too.
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
    fn the_time_of_a_line_is_written_for_any_year_that_a_clock_can_show() {
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
