//! Packet times relative to the first packet.

use std::time::Duration;

/// Converts packet times in file order. A packet may have an earlier time than the packet before
/// it.
#[derive(Debug, Default)]
pub(crate) struct Times {
    first: Option<Duration>,
    /// The earliest and the latest timestamp among the packets already converted.
    ends: Option<(Duration, Duration)>,
}

impl Times {
    /// Returns this packet's time in nanoseconds after the first packet that has a timestamp. The
    /// result is negative for an earlier packet, and 0 for a packet without a timestamp.
    pub(crate) fn since_ns(&mut self, at: Option<Duration>) -> i64 {
        let Some(at) = at else { return 0 };
        let first = *self.first.get_or_insert(at);
        let (earliest, latest) = self.ends.unwrap_or((at, at));
        self.ends = Some((earliest.min(at), latest.max(at)));
        let apart = i64::try_from(at.abs_diff(first).as_nanos()).unwrap_or(i64::MAX);
        if at < first { -apart } else { apart }
    }

    /// Returns the time between the earliest and the latest packet.
    pub(crate) fn lasted(&self) -> Duration {
        self.ends.map_or(Duration::ZERO, |(earliest, latest)| latest.abs_diff(earliest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_after_a_later_one_keeps_its_own_time() {
        let mut times = Times::default();
        let since = [5, 9, 3, 7].map(|at| times.since_ns(Some(Duration::from_nanos(at))));
        assert_eq!(since, [0, 4, -2, 2]);
        assert_eq!(times.lasted(), Duration::from_nanos(6));
    }

    #[test]
    fn a_packet_without_a_time_is_not_the_start() {
        let mut times = Times::default();
        assert_eq!((times.since_ns(None), times.lasted()), (0, Duration::ZERO));
        let since = [1, 2].map(|at| times.since_ns(Some(Duration::from_secs(1_700_000_000 + at))));
        assert_eq!((since, times.lasted()), ([0, 1_000_000_000], Duration::from_secs(1)));
    }
}
