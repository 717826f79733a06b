//! The log's lines about single clients (`-v`, `-vv`), and the bound on how many there are.

use super::{Event, Kind};
use log::{Level, log, log_enabled};
use std::mem;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Maximum number of lines in a [`LOG_PERIOD`], for all workers together: no flood fills the log.
const MAX_LINES: u32 = 10;
const LOG_PERIOD: Duration = Duration::from_secs(1);

/// Logs clients and counts those that it leaves out.
#[derive(Debug, Default)]
pub(crate) struct ClientLog(Mutex<Period>);

#[derive(Debug, Default)]
struct Period {
    began: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl ClientLog {
    /// Whether any client has a line (`-v`). Asked once for a batch of clients, it costs next to nothing.
    pub(crate) fn is_on() -> bool {
        log_enabled!(Level::Debug)
    }

    /// Logs what a client did; false if this period has had its lines.
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

    /// Reports how many lines were left out once their period is over; when to ask again, if it is not.
    pub(crate) fn report_left_out(&self, now: Instant) -> Option<Instant> {
        let mut period = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        report(period.start_next(now));
        let end = period.began.map(|began| began + LOG_PERIOD);
        end.filter(|_| period.left_out > 0)
    }

    /// Reports them at once: no period will end any more.
    pub(crate) fn finish(&self) {
        let mut period = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        report(mem::take(&mut *period).left_out);
    }
}

impl Period {
    /// Begins a period if the last is over; how many lines that one left out.
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
        log::debug!("{left_out} more lines about clients left out: {MAX_LINES} a second at most");
    }
}

/// How a connection begins and how it ends well is a detail.
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
        Kind::Ended => "reset by the client, or failed",
        Kind::Ignored | Kind::Error => event.reason(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_has_its_lines_and_the_next_one_knows_how_many_were_left_out() {
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
    fn only_what_is_no_detail_is_logged_at_v() {
        assert_eq!(level(Event::TcpAnswered), Level::Debug);
        assert_eq!(level(Event::UdpPortZero), Level::Debug);
        assert_eq!(level(Event::TcpClosedByPeer), Level::Trace);
        assert_eq!(words(Event::UdpPortZero), "ignored: from port 0");
        assert_eq!(words(Event::UdpAnswered), "reply");
    }
}
