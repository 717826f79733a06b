//! Formats durations in the same way throughout the program.

use std::time::Duration;

/// Returns the duration in the most suitable unit: `38 µs`, `1.25 ms`, `2.1 s`.
pub(crate) fn human(duration: Duration) -> String {
    let microseconds = duration.as_secs_f64() * 1e6;
    match microseconds {
        ..0.9995 => format!("{} ns", duration.as_nanos()),
        ..99.95 => format!("{microseconds:.1} µs"),
        ..999.5 => format!("{microseconds:.0} µs"),
        ..9_995.0 => format!("{:.2} ms", microseconds / 1e3),
        ..99_950.0 => format!("{:.1} ms", microseconds / 1e3),
        ..999_500.0 => format!("{:.0} ms", microseconds / 1e3),
        _ => format!("{:.2} s", microseconds / 1e6),
    }
}

/// Returns the same text as [`human`], without trailing zeros: `20 ms`, not `20.0 ms`. Use it for
/// round numbers such as predictions.
#[cfg(feature = "lab")]
pub(crate) fn short(duration: Duration) -> String {
    let human = human(duration);
    match human.split_once(' ') {
        Some((number, unit)) => format!("{} {unit}", without_zeros(number)),
        None => human,
    }
}

/// The time unit in a table or diagram. All times in one table or diagram have the same unit, so a reader can compare
/// them at a glance. The value of a variant is an exponent: the unit is 10 to this power nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Microseconds = 3,
    Milliseconds = 6,
    Seconds = 9,
}

impl Unit {
    /// Returns the unit for a set of diagrams. `longest` is the time that the longest diagram covers.
    pub(crate) const fn of(longest: Duration) -> Self {
        match longest.as_micros() {
            0..10_000 => Self::Microseconds,
            10_000..100_000_000 => Self::Milliseconds,
            _ => Self::Seconds,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Microseconds => "µs",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
        }
    }

    fn number(self, time: Duration) -> f64 {
        time.as_secs_f64() * 10_f64.powi(9 - self as i32)
    }

    /// Returns the time as a number without its unit, with this many decimals.
    pub(crate) fn decimal(self, time: Duration, decimals: usize) -> String {
        format!("{:.decimals$}", self.number(time))
    }

    /// Returns the time with its unit, at least three significant digits and no trailing zeros:
    /// `0.152 ms`, `1080 ms`.
    #[cfg(feature = "lab")]
    pub(crate) fn show(self, time: Duration) -> String {
        let number = self.number(time);
        let decimals = (0..=6).find(|it| number * 10_f64.powi(*it) >= 100.0).unwrap_or(6);
        let text = format!("{number:.*}", usize::try_from(decimals).unwrap_or(0));
        format!("{} {}", without_zeros(&text), self.name())
    }

    /// Returns the time as a number without its unit, exact to the nanosecond, for programs to
    /// read.
    #[cfg(feature = "lab")]
    pub(crate) fn plain_number(self, time: Duration) -> String {
        let (nanoseconds, of_one) = (time.as_nanos(), 10_u128.pow(self as u32));
        let (whole, part) = (nanoseconds / of_one, nanoseconds % of_one);
        without_zeros(&format!("{whole}.{part:0width$}", width = self as usize)).to_owned()
    }
}

#[cfg(feature = "lab")]
fn without_zeros(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_shown_in_the_unit_that_suits_it() {
        let shown = |nanoseconds| human(Duration::from_nanos(nanoseconds));
        assert_eq!(shown(420), "420 ns");
        assert_eq!(shown(38_060), "38.1 µs");
        assert_eq!(shown(380_400), "380 µs");
        assert_eq!(shown(1_254_000), "1.25 ms");
        assert_eq!(shown(12_540_000), "12.5 ms");
        assert_eq!(shown(207_180_000), "207 ms");
        assert_eq!(shown(2_100_000_000), "2.10 s");
    }

    #[cfg(feature = "lab")]
    #[test]
    fn a_round_number_is_shown_without_zeros() {
        let shown = |microseconds| short(Duration::from_micros(microseconds));
        assert_eq!(
            [500, 20_000, 100_000, 1_050_000].map(shown),
            ["500 µs", "20 ms", "100 ms", "1.05 s"]
        );
    }
    #[cfg(feature = "lab")]
    #[test]
    fn show_uses_the_same_unit_for_every_time() {
        let ms = |nanoseconds| Unit::Milliseconds.show(Duration::from_nanos(nanoseconds));
        let shown = [0, 420, 38_060, 152_345, 1_254_000, 80_000_000, 500_310_000, 1_080_000_000];
        assert_eq!(
            shown.map(ms),
            [
                "0 ms",
                "0.00042 ms",
                "0.0381 ms",
                "0.152 ms",
                "1.25 ms",
                "80 ms",
                "500 ms",
                "1080 ms"
            ]
        );
        assert_eq!(Unit::Seconds.show(Duration::from_millis(59_967)), "60 s");
        assert_eq!(Unit::Seconds.show(Duration::from_mins(10)), "600 s");
    }

    #[cfg(feature = "lab")]
    #[test]
    fn an_exact_number_keeps_every_nanosecond() {
        let plain_number =
            |unit: Unit, nanoseconds| unit.plain_number(Duration::from_nanos(nanoseconds));
        assert_eq!(plain_number(Unit::Milliseconds, 152_345), "0.152345");
        assert_eq!(plain_number(Unit::Milliseconds, 1_080_000_000), "1080");
        assert_eq!(plain_number(Unit::Seconds, 59_967_000_001), "59.967000001");
    }
}
