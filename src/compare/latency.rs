//! Latencies of several exchanges, with their percentiles and distribution.

use std::time::Duration;

/// A sorted list of latencies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    /// Returns all latencies, shortest first.
    #[must_use]
    pub fn sorted(&self) -> &[Duration] {
        &self.0
    }

    /// Returns the percentile by the nearest-rank method: the smallest latency that at least `percent` % of all
    /// latencies do not exceed. A percentile of 0 is the minimum. Returns `None` if there are no latencies.
    ///
    /// ```
    /// use std::time::Duration;
    /// let ms = Duration::from_millis;
    /// let latencies = daytime::compare::Latencies::from_iter([ms(4), ms(1), ms(3), ms(2)]);
    /// assert_eq!(latencies.percentile(0), Some(ms(1)));
    /// assert_eq!(latencies.percentile(50), Some(ms(2)));
    /// assert_eq!(latencies.percentile(99), Some(ms(4)));
    /// ```
    #[must_use]
    pub fn percentile(&self, percent: u8) -> Option<Duration> {
        let rank = (self.0.len() * usize::from(percent.min(100))).div_ceil(100);
        self.0.get(rank.saturating_sub(1)).copied()
    }

    /// Counts the latencies in each range. A range begins just above the previous bound and includes its own upper
    /// bound. The last count is the number of latencies above all bounds.
    ///
    /// ```
    /// use std::time::Duration;
    /// let ms = Duration::from_millis;
    /// let latencies = daytime::compare::Latencies::from_iter([ms(4), ms(1), ms(3), ms(2)]);
    /// assert_eq!(latencies.counts(&[ms(1), ms(3)]), [1, 2, 1]);
    /// assert_eq!(latencies.sorted().last(), Some(&ms(4)));
    /// ```
    #[must_use]
    pub fn counts(&self, bounds: &[Duration]) -> Vec<usize> {
        let within = |bound: &Duration| self.0.partition_point(|latency| latency <= bound);
        let mut cumulative: Vec<usize> = bounds.iter().map(within).collect();
        cumulative.push(self.0.len());
        let before = std::iter::once(0).chain(cumulative.iter().copied());
        before.zip(&cumulative).map(|(before, until)| until.saturating_sub(before)).collect()
    }
}

impl FromIterator<Duration> for Latencies {
    fn from_iter<I: IntoIterator<Item = Duration>>(latencies: I) -> Self {
        let mut latencies: Vec<_> = latencies.into_iter().collect();
        latencies.sort_unstable();
        Self(latencies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(milliseconds: impl IntoIterator<Item = u64>) -> Latencies {
        milliseconds.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let hundred = of((1..=100).rev());
        let at = |percent| hundred.percentile(percent).map(|latency| latency.as_millis());
        assert_eq!(at(0), Some(1));
        assert_eq!(at(50), Some(50));
        assert_eq!(at(90), Some(90));
        assert_eq!(at(99), Some(99));
        assert_eq!(at(100), Some(100));
        assert_eq!(of([7]).percentile(99), Some(Duration::from_millis(7)));
        assert_eq!(of([]).percentile(50), None);
    }

    #[test]
    fn every_latency_is_counted_once() {
        let bounds = [2, 4].map(Duration::from_millis);
        assert_eq!(of([1, 2, 3, 4, 5]).counts(&bounds), [2, 2, 1]);
        assert_eq!(of([]).counts(&bounds), [0, 0, 0]);
    }
}
