//! Numbers in a picture: times in nanoseconds, and distances that are printed with one decimal.

use std::fmt;
use std::time::Duration;

/// Converts a time to nanoseconds. The maximum is 584 years, which is longer than any run.
pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Converts nanoseconds to a floating-point number, for a calculation with distances.
#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a hundred days are exact")]
pub(super) fn real(nanoseconds: u64) -> f64 {
    nanoseconds as f64
}

/// Converts a small count, such as a number of characters or hosts, to a floating-point number.
pub(super) fn real_count(count: usize) -> f64 {
    real(u64::try_from(count).unwrap_or(u64::MAX))
}

/// Converts a distance back to nanoseconds, rounded.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is rounded, and not below 0"
)]
pub(super) fn whole(nanoseconds: f64) -> u64 {
    nanoseconds.round().max(0.0) as u64
}

/// Returns the median; 0 if there are no values.
pub(super) fn median(values: impl Iterator<Item = u64>) -> u64 {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

/// A distance in pixels or a share in percent, printed with one decimal.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub(crate) struct Px(pub f64);

impl fmt::Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 * 10.0).round() / 10.0;
        write!(f, "{}", if tenths == 0.0 { 0.0 } else { tenths })
    }
}
