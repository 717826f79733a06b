//! Counts what becomes of each exchange, and keeps its latency in a histogram.

use super::outcome::{Failures, Percentiles};
use hdrhistogram::Histogram;
use std::io;
use std::time::Duration;

/// How an exchange failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// What came did not end with a line feed.
    CutShort,
    /// The system's word.
    System(io::Error),
    /// No end within the timeout.
    TimedOut,
    /// A stream that goes on and on.
    TooLong,
}

impl Failure {
    /// Nobody listens.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::System(error) if error.kind() == io::ErrorKind::ConnectionRefused)
    }
}

/// The counts of the exchanges that are measured.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub asked: u64,
    pub answered: u64,
    pub lost: u64,
    pub late: u64,
    pub octets: u64,
    pub failures: Failures,
    latencies: Latencies,
}

/// Nanoseconds.
#[derive(Debug)]
struct Latencies(Histogram<u64>);

impl Default for Latencies {
    #[expect(clippy::expect_used, reason = "it fails only on bounds that are none")]
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST_NS, DIGITS).expect("1 is below two days"))
    }
}

/// Two days, which is longer than a load and a timeout may last.
const LONGEST_NS: u64 = 2 * 86_400 * 1_000_000_000;
/// A latency is kept to three significant digits.
const DIGITS: u8 = 3;
/// Different words that are told apart; the rest is counted with the last.
const WORDS: usize = 8;

impl Tally {
    pub(super) fn answered(&mut self, octets: usize, latency: Duration) {
        self.answered += 1;
        self.octets += octets as u64;
        self.latencies.0.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn failed(&mut self, failure: &Failure) {
        let failures = &mut self.failures;
        match failure {
            Failure::CutShort => failures.cut_short += 1,
            Failure::TimedOut => failures.timed_out += 1,
            Failure::TooLong => failures.add_other("the reply goes on and on"),
            Failure::System(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => failures.refused += 1,
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => failures.reset += 1,
                io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable => failures.no_port += 1,
                io::ErrorKind::TimedOut => failures.timed_out += 1,
                _ => failures.add_other(&error.to_string()),
            },
        }
    }

    pub(super) fn percentiles(&self) -> Option<Percentiles> {
        let all = &self.latencies.0;
        let at = |percent| Duration::from_nanos(all.value_at_percentile(percent));
        (!all.is_empty()).then(|| Percentiles {
            min: Duration::from_nanos(all.min()),
            p50: at(50.0),
            p90: at(90.0),
            p99: at(99.0),
            p999: at(99.9),
            max: Duration::from_nanos(all.max()),
            mean: Duration::from_secs_f64(all.mean() / 1e9),
        })
    }
}

impl Failures {
    fn add_other(&mut self, words: &str) {
        let known = self.other.iter().position(|(known, _)| known == words);
        let full = (self.other.len() >= WORDS).then(|| self.other.len() - 1);
        match known.or(full) {
            Some(at) => self.other[at].1 += 1,
            None => self.other.push((words.to_owned(), 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    #[test]
    fn percentiles_are_nearest_ranks_to_three_digits() {
        let mut tally = Tally::default();
        assert_eq!(tally.percentiles(), None);
        for microseconds in 1..=1000 {
            tally.answered(24, Duration::from_micros(microseconds));
        }
        let of = tally.percentiles().expect("there are some");
        let near = |one: Duration, microseconds: u64| {
            let exact = Duration::from_micros(microseconds);
            // Three digits, and of a thousand the next one may be taken.
            assert!(one.abs_diff(exact) <= exact / 500, "{one:?} for {exact:?}");
        };
        near(of.min, 1);
        near(of.p50, 500);
        near(of.p90, 900);
        near(of.p99, 990);
        near(of.p999, 999);
        near(of.max, 1000);
        near(of.mean, 500);
        assert_eq!((tally.answered, tally.octets), (1000, 24_000));
    }

    #[test]
    fn a_latency_of_a_day_is_kept_and_none_of_0_is_lost() {
        let mut tally = Tally::default();
        tally.answered(24, Duration::ZERO);
        let day = Duration::from_hours(24);
        tally.answered(24, day);
        let of = tally.percentiles().expect("there are some");
        assert_eq!(of.min, Duration::ZERO);
        assert!(of.max.abs_diff(day) <= day / 1000);
    }

    #[test]
    fn failures_are_counted_by_kind() {
        let mut tally = Tally::default();
        let of = |kind: ErrorKind| Failure::System(kind.into());
        for failure in [
            of(ErrorKind::ConnectionRefused),
            of(ErrorKind::ConnectionReset),
            of(ErrorKind::BrokenPipe),
            of(ErrorKind::TimedOut),
            of(ErrorKind::AddrNotAvailable),
            of(ErrorKind::HostUnreachable),
            of(ErrorKind::HostUnreachable),
            Failure::TimedOut,
            Failure::CutShort,
            Failure::TooLong,
        ] {
            tally.failed(&failure);
        }
        let expected = Failures {
            refused: 1,
            reset: 2,
            timed_out: 2,
            cut_short: 1,
            no_port: 1,
            other: vec![("host unreachable".into(), 2), ("the reply goes on and on".into(), 1)],
        };
        assert_eq!(tally.failures, expected);
        assert_eq!(tally.failures.count(), 10);
    }

    #[test]
    fn only_so_many_different_words_are_kept() {
        let mut failures = Failures::default();
        (0..100).for_each(|number| failures.add_other(&format!("odd {number}")));
        assert_eq!((failures.other.len(), failures.count()), (WORDS, 100));
    }
}
