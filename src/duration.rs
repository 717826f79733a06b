//! How a time is told, the same way wherever the program tells one.

use std::time::Duration;

/// In the unit that suits it: `38 µs`, `1.25 ms`, `2.1 s`.
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

/// The same without zeros at the end: `20 ms` for `20.0 ms`. For what is round, as what is predicted.
#[cfg(feature = "lab")]
pub(crate) fn short(duration: Duration) -> String {
    let human = human(duration);
    match human.split_once(' ') {
        Some((number, unit)) if number.contains('.') => {
            let number = number.trim_end_matches('0').trim_end_matches('.');
            format!("{number} {unit}")
        }
        _ => human,
    }
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
    fn what_is_round_is_shown_without_zeros() {
        let shown = |microseconds| short(Duration::from_micros(microseconds));
        assert_eq!(
            [500, 20_000, 100_000, 1_050_000].map(shown),
            ["500 µs", "20 ms", "100 ms", "1.05 s"]
        );
    }
}
