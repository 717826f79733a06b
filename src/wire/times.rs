//! When packets were seen, counted from the first of them.

use std::time::Duration;

/// The times of packets as they come: in a file an earlier one may stand after a later one.
#[derive(Debug, Default)]
pub(crate) struct Times {
    first: Option<Duration>,
    /// The earliest and the latest.
    ends: Option<(Duration, Duration)>,
}

impl Times {
    /// How long after the first packet that has a time this one was seen, in nanoseconds: less than 0 for an
    /// earlier one, 0 before there was any time.
    pub(crate) fn since_ns(&mut self, at: Option<Duration>) -> i64 {
        let Some(at) = at else { return 0 };
        let first = *self.first.get_or_insert(at);
        let (earliest, latest) = self.ends.unwrap_or((at, at));
        self.ends = Some((earliest.min(at), latest.max(at)));
        let apart = i64::try_from(at.abs_diff(first).as_nanos()).unwrap_or(i64::MAX);
        if at < first { -apart } else { apart }
    }

    /// From the earliest to the latest.
    pub(crate) fn lasted(&self) -> Duration {
        self.ends.map_or(Duration::ZERO, |(earliest, latest)| latest.abs_diff(earliest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_a_later_packet_keeps_its_own_time() {
        let mut times = Times::default();
        let since = [5, 9, 3, 7].map(|at| times.since_ns(Some(Duration::from_nanos(at))));
        assert_eq!(since, [0, 4, -2, 2]);
        assert_eq!(times.lasted(), Duration::from_nanos(6));
    }

    #[test]
    fn what_has_no_time_is_no_beginning() {
        let mut times = Times::default();
        assert_eq!((times.since_ns(None), times.lasted()), (0, Duration::ZERO));
        let since = [1, 2].map(|at| times.since_ns(Some(Duration::from_secs(1_700_000_000 + at))));
        assert_eq!((since, times.lasted()), ([0, 1_000_000_000], Duration::from_secs(1)));
    }
}
