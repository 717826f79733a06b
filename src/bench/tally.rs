//! Counts failed exchanges by cause, and records the answered exchanges' latencies in a histogram.

use super::outcome::{Failures, Percentiles};
use hdrhistogram::Histogram;
use std::io::{self, ErrorKind};
use std::time::Duration;

/// A histogram of latencies in nanoseconds.
#[derive(Debug)]
pub(super) struct Latencies(Histogram<u64>);

impl Default for Latencies {
    #[expect(clippy::expect_used, reason = "only invalid bounds fail, and these are valid")]
    fn default() -> Self {
        let digits = 3;
        Self(Histogram::new_with_bounds(1, MAX_LATENCY_NS, digits).expect("1 is below two days"))
    }
}

/// Maximum latency in the histogram: two days. A longer latency is recorded as this maximum.
const MAX_LATENCY_NS: u64 = 2 * 86_400 * 1_000_000_000;

impl Latencies {
    pub(super) fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn percentiles(&self) -> Option<Percentiles> {
        let at = |percent| Duration::from_nanos(self.0.value_at_percentile(percent));
        (!self.0.is_empty()).then(|| Percentiles {
            min: Duration::from_nanos(self.0.min()),
            p50: at(50.0),
            p90: at(90.0),
            p99: at(99.0),
            p999: at(99.9),
            max: Duration::from_nanos(self.0.max()),
            mean: Duration::from_secs_f64(self.0.mean() / 1e9),
        })
    }
}

/// Maximum number of distinct messages in [`Failures::other`]. Failures with further messages are counted under the
/// last one.
const MAX_MESSAGES: usize = 8;

impl Failures {
    /// Counts a failure by its error kind. `UnexpectedEof` means a reply that does not end with a line feed.
    pub(super) fn add(&mut self, error: &io::Error) {
        match error.kind() {
            ErrorKind::ConnectionRefused => self.refused += 1,
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => self.reset += 1,
            ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable => self.no_port += 1,
            ErrorKind::TimedOut => self.timed_out += 1,
            ErrorKind::UnexpectedEof => self.cut_short += 1,
            _ => self.add_other(&error.to_string()),
        }
    }

    fn add_other(&mut self, message: &str) {
        let known = self.other.iter().position(|(known, _)| known == message);
        let full = (self.other.len() >= MAX_MESSAGES).then(|| self.other.len() - 1);
        match known.or(full) {
            Some(at) => self.other[at].1 += 1,
            None => self.other.push((message.to_owned(), 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks_to_three_digits() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentiles(), None);
        for microseconds in 1..=1000 {
            latencies.record(Duration::from_micros(microseconds));
        }
        let of = latencies.percentiles().expect("there are some");
        let near = |one: Duration, microseconds: u64| {
            let exact = Duration::from_micros(microseconds);
            // The histogram keeps three digits, so it may return a slightly larger value.
            assert!(one.abs_diff(exact) <= exact / 500, "{one:?} for {exact:?}");
        };
        near(of.min, 1);
        near(of.p50, 500);
        near(of.p90, 900);
        near(of.p99, 990);
        near(of.p999, 999);
        near(of.max, 1000);
        near(of.mean, 500);
    }

    #[test]
    fn a_latency_of_a_day_and_one_of_0_are_recorded() {
        let mut latencies = Latencies::default();
        let day = Duration::from_hours(24);
        latencies.record(Duration::ZERO);
        latencies.record(day);
        let of = latencies.percentiles().expect("there are some");
        assert_eq!(of.min, Duration::ZERO);
        assert!(of.max.abs_diff(day) <= day / 1000);
    }

    #[test]
    fn failures_are_counted_by_cause() {
        let mut failures = Failures::default();
        for kind in [
            ErrorKind::ConnectionRefused,
            ErrorKind::ConnectionReset,
            ErrorKind::BrokenPipe,
            ErrorKind::TimedOut,
            ErrorKind::AddrNotAvailable,
            ErrorKind::HostUnreachable,
            ErrorKind::HostUnreachable,
            ErrorKind::UnexpectedEof,
        ] {
            failures.add(&kind.into());
        }
        failures.add(&io::Error::other("the reply is too long"));
        let expected = Failures {
            refused: 1,
            reset: 2,
            timed_out: 1,
            cut_short: 1,
            no_port: 1,
            other: vec![("host unreachable".into(), 2), ("the reply is too long".into(), 1)],
        };
        assert_eq!(failures, expected);
        assert_eq!(failures.count(), 9);
    }

    #[test]
    fn the_number_of_different_messages_is_limited() {
        let mut failures = Failures::default();
        (0..100).for_each(|number| failures.add_other(&format!("odd {number}")));
        assert_eq!((failures.other.len(), failures.count()), (MAX_MESSAGES, 100));
    }
}
