//! Notices: log lines about events that an operator should see. The number of lines per event is
//! limited, and each line reports the number of events since the previous line. So no client can
//! fill the log.

use crate::metrics::{Event, Kind, Metrics};
use std::time::{Duration, Instant};

/// Minimum time between the first two notices about an event. The pause is short, so that an
/// operator soon sees how often the event happens.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Minimum time between any two later notices about an event.
const LATER_PAUSE: Duration = Duration::from_mins(1);

/// Writes the notices on behalf of all workers.
#[derive(Debug)]
pub(crate) struct Notices {
    last: [Option<LastNotice>; Event::ALL.len()],
    next: Option<Instant>,
}

/// The last notice about an event.
#[derive(Clone, Copy, Debug)]
struct LastNotice {
    at: Instant,
    /// Number of events up to that notice.
    count: u64,
    /// Minimum time until the next notice.
    pause: Duration,
}

impl Notices {
    pub(crate) fn new() -> Self {
        Self { last: [None; Event::ALL.len()], next: None }
    }

    /// Logs the notices that are due. Returns the time of the next notice, if one is expected.
    pub(crate) fn log_due(&mut self, metrics: &Metrics, now: Instant) -> Option<Instant> {
        log_all(self.lines(metrics, now));
        let left_out = metrics.client_log().report_left_out(now);
        self.next.into_iter().chain(left_out).min()
    }

    /// Logs all remaining notices. Call this after the server has stopped.
    pub(crate) fn finish(&mut self, metrics: &Metrics, now: Instant) {
        self.end_pauses();
        log_all(self.lines(metrics, now));
        metrics.client_log().finish();
    }

    fn end_pauses(&mut self) {
        self.last.iter_mut().flatten().for_each(|last| last.pause = Duration::ZERO);
    }

    /// Returns the event and the text of each notice that is due.
    fn lines(&mut self, metrics: &Metrics, now: Instant) -> Vec<(Event, String)> {
        self.next = None;
        let mut lines = Vec::new();
        for (event, last) in Event::ALL.iter().copied().zip(&mut self.last) {
            let count = metrics.count(event);
            let new = count - last.map_or(0, |last| last.count);
            let Some(notice) = event.notice().filter(|_| new > 0) else { continue };
            let due = last.map_or(now, |last| last.at + last.pause);
            if due > now {
                self.next = Some(self.next.map_or(due, |next| next.min(due)));
                continue;
            }
            let since = last.map(|last| now.saturating_duration_since(last.at));
            let example = metrics.take_example(event);
            let number = number(new, since) + &example.map(|it| it.to_string()).unwrap_or_default();
            lines.push((event, format!("{}: {notice}: {number}", event.transport())));
            *last = Some(LastNotice { at: now, count, pause: pause(since) });
        }
        lines
    }
}

/// Formats a number of events: `1` in a first notice, `500 in 60 s` in a later one.
fn number(new: u64, since: Option<Duration>) -> String {
    let seconds = since.map(|since| format!(" in {:.0} s", since.as_secs_f64().max(1.0)));
    format!("{new}{}", seconds.unwrap_or_default())
}

/// Returns the minimum time between this notice and the next. After a quiet period, the next pause
/// is short again.
fn pause(since_last: Option<Duration>) -> Duration {
    if since_last.is_some_and(|since| since < 2 * LATER_PAUSE) { LATER_PAUSE } else { FIRST_PAUSE }
}

fn log_all(lines: Vec<(Event, String)>) {
    // An operator can fix the causes of these events. All other events are caused by clients.
    let is_of_host =
        |event| matches!(event, Event::TcpMadeRoom | Event::TcpNoTime | Event::UdpNoTime);
    for (event, line) in lines {
        if event.kind() == Kind::Error || is_of_host(event) {
            log::warn!("{line}");
        } else {
            log::info!("{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mentions::each_mentions;
    use crate::transport::IpVersion;
    use std::io;
    use std::net::SocketAddr;

    struct Set {
        metrics: Metrics,
        notices: Notices,
        start: Instant,
    }

    impl Set {
        fn new() -> Self {
            Self { metrics: Metrics::default(), notices: Notices::new(), start: Instant::now() }
        }

        fn add(&self, event: Event, times: usize, peer: &str) {
            let peer: SocketAddr = peer.parse().expect("an address");
            (0..times).for_each(|_| self.metrics.worker(0).add_of(event, peer));
        }

        fn lines(&mut self, after: u64) -> Vec<String> {
            let now = self.start + Duration::from_secs(after);
            let lines = self.notices.lines(&self.metrics, now);
            lines.into_iter().map(|(_, line)| line).collect()
        }

        /// Returns the time of the next notice, in seconds since the start.
        fn next(&self) -> Option<u64> {
            self.notices.next.map(|next| next.duration_since(self.start).as_secs())
        }
    }

    #[test]
    fn each_notice_has_the_number_since_the_last_one_and_an_example_client() {
        let mut set = Set::new();
        set.add(Event::UdpAnswered, 1, "192.0.2.1:40000");
        assert_eq!(set.lines(0), [""; 0], "a reply needs no notice");
        set.add(Event::UdpPortZero, 1, "192.0.2.1:0");
        let first = ["udp", "ignored", "port 0", "1", "192.0.2.1:0"];
        each_mentions(set.lines(1), &[&first]);
        set.add(Event::UdpPortZero, 499, "[2001:db8::1]:0");
        set.add(Event::UdpPortZero, 1, "192.0.2.3:0");
        assert_eq!((set.lines(1), set.next()), (vec![], Some(2)), "too soon");
        let second = ["udp", "ignored", "port 0", "500 in 1 s", "[2001:db8::1]:0"];
        each_mentions(set.lines(2), &[&second]);
        assert_eq!(set.next(), None);
        set.add(Event::UdpPortZero, 7, "192.0.2.4:0");
        set.add(Event::UdpPortNfs, 1, "192.0.2.5:2049");
        let other = ["udp", "ignored", "port 2049", "1", "192.0.2.5:2049"];
        each_mentions(set.lines(3), &[&other]);
        assert_eq!(set.next(), Some(62));
        let third = ["udp", "ignored", "port 0", "7 in 60 s", "192.0.2.4:0"];
        each_mentions(set.lines(62), &[&third]);
        assert_eq!(set.next(), None);
        assert_eq!(set.lines(1000), [""; 0], "nothing new");
    }

    #[test]
    fn at_the_end_no_notice_waits_for_its_pause() {
        let mut set = Set::new();
        set.add(Event::TcpSourceLimit, 1, "192.0.2.1:40000");
        assert_eq!(set.lines(0).len(), 1);
        set.add(Event::TcpSourceLimit, 151_618, "192.0.2.2:40000");
        assert_eq!(set.lines(0), [""; 0]);
        let rest = ["tcp", "closed", "one source", "151618 in 1 s", "192.0.2.2:40000"];
        set.notices.end_pauses();
        each_mentions(set.lines(0), &[&rest]);
        set.notices.end_pauses();
        assert_eq!(set.lines(0), [""; 0], "once");
    }

    #[test]
    fn a_flood_causes_a_line_after_a_second_and_then_one_a_minute() {
        let mut set = Set::new();
        let mut logged = Vec::new();
        for second in 0..300 {
            set.add(Event::UdpTotalLimit, 1000, "192.0.2.1:40000");
            if !set.lines(second).is_empty() {
                logged.push(second);
            }
        }
        assert_eq!(logged, [0, 1, 61, 121, 181, 241]);
    }

    #[test]
    fn a_failed_call_is_reported_with_its_error_and_the_client_if_known() {
        let mut set = Set::new();
        let counters = set.metrics.worker(0);
        let (error, peer) = (io::Error::from_raw_os_error(101), "192.0.2.1:9".parse().ok());
        counters.add_failure(Event::UdpReceiveFailed, IpVersion::V4, None, &error);
        counters.add_failure(Event::UdpUnreachable, IpVersion::V4, peer, &error);
        let lines = set.lines(0);
        let cause = "Network is unreachable (os error 101)";
        each_mentions(
            &lines,
            &[
                &["udp", "lost", "no route", "1", "192.0.2.1:9", cause],
                &["udp", "cannot receive", "1", cause],
            ],
        );
        assert!(!lines[1].contains("192.0.2.1"), "no client is known: {lines:?}");
    }
}
