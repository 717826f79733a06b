//! Log lines about individual clients (`-v`, `-vv`). The number of lines is limited.

use super::{Event, Kind};
use log::{Level, log, log_enabled};
use std::mem;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Maximum number of lines per [`LOG_PERIOD`] for all workers together. The limit keeps a flood of
/// clients from filling the log.
const MAX_LINES: u32 = 10;
const LOG_PERIOD: Duration = Duration::from_secs(1);

/// Logs lines about clients, and counts the lines that it leaves out.
#[derive(Debug, Default)]
pub(crate) struct ClientLog(Mutex<Period>);

#[derive(Debug, Default)]
struct Period {
    began: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl ClientLog {
    /// Whether lines about clients are logged (`-v`). The UDP service checks this once per batch of
    /// replies, so the check costs it almost nothing.
    pub(crate) fn is_on() -> bool {
        log_enabled!(Level::Debug)
    }

    /// Logs a client's event. Returns false if this period has already reached its maximum number
    /// of lines.
    pub(super) fn line(&self, event: Event, peer: SocketAddr) -> bool {
        let level = level(event);
        if !log_enabled!(level) {
            return true;
        }
        let mut period = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        report(period.start_next(Instant::now()));
        let admitted = period.admits_line();
        drop(period);
        if admitted {
            log!(level, "{} {peer}: {}", event.transport(), words(event));
        }
        admitted
    }

    /// If a period is over, logs the number of lines that were left out in that period. Otherwise,
    /// if lines have been left out, returns the time at which the period ends.
    pub(crate) fn report_left_out(&self, now: Instant) -> Option<Instant> {
        let mut period = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        report(period.start_next(now));
        let end = period.began.map(|began| began + LOG_PERIOD);
        end.filter(|_| period.left_out > 0)
    }

    /// Logs the number of lines that were left out in the current period. Call this when the server
    /// ends, because no later period reports the number.
    pub(crate) fn finish(&self) {
        let mut period = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        report(mem::take(&mut *period).left_out);
    }
}

impl Period {
    /// Begins a new period if the last one is over. Returns the number of lines that were left out
    /// in the last period.
    fn start_next(&mut self, now: Instant) -> u64 {
        if self.began.is_some_and(|began| now < began + LOG_PERIOD) {
            return 0;
        }
        let ended = mem::replace(self, Self { began: Some(now), ..Self::default() });
        ended.left_out
    }

    fn admits_line(&mut self) -> bool {
        let admitted = self.lines < MAX_LINES;
        if admitted {
            self.lines += 1;
        } else {
            self.left_out += 1;
        }
        admitted
    }
}

fn report(left_out: u64) {
    if left_out > 0 {
        log::debug!("left out {left_out} more lines about clients: at most {MAX_LINES} per second");
    }
}

/// Returns an event's log level. The start and the clean end of a connection are logged only at
/// `-vv`.
fn level(event: Event) -> Level {
    match event {
        Event::TcpAccepted | Event::TcpClosedByPeer => Level::Trace,
        _ => Level::Debug,
    }
}

fn words(event: Event) -> &'static str {
    event.notice().unwrap_or(match event.kind() {
        Kind::Arrival => "accepted",
        Kind::Exchange => "reply",
        Kind::Ended if event == Event::TcpClosedByPeer => "closed by the client",
        Kind::Ended => "reset by the client, or failed otherwise",
        Kind::Ignored | Kind::Error => event.reason(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mentions::mentions;

    #[test]
    fn a_period_has_at_most_10_lines_and_counts_those_left_out() {
        let start = Instant::now();
        let mut period = Period::default();
        assert_eq!(period.start_next(start), 0);
        let admitted = |period: &mut Period| (0..25).filter(|_| period.admits_line()).count();
        assert_eq!(admitted(&mut period), 10);
        assert_eq!(period.start_next(start + LOG_PERIOD / 2), 0, "it is not over");
        assert_eq!(admitted(&mut period), 0);
        assert_eq!(period.start_next(start + LOG_PERIOD), 15 + 25);
        assert_eq!(admitted(&mut period), 10);
    }

    #[test]
    fn details_are_not_logged_at_v() {
        assert_eq!(level(Event::TcpAnswered), Level::Debug);
        assert_eq!(level(Event::UdpPortZero), Level::Debug);
        assert_eq!(level(Event::TcpClosedByPeer), Level::Trace);
        mentions(&words(Event::UdpPortZero), &["ignored", "port 0"]);
        assert_eq!(words(Event::UdpAnswered), "reply");
    }
}
