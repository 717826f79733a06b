//! Command-line arguments that are durations in seconds.

use std::time::Duration;

/// Parses a number of seconds above 0 and up to 86400, a day.
pub(super) fn seconds(text: &str) -> Result<Duration, &'static str> {
    match seconds_or_zero(text) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("not a number of seconds above 0 and up to 86400 (a day)"),
    }
}

pub(super) fn seconds_or_zero(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=86_400.0).contains(seconds));
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or("not a number of seconds from 0 to 86400 (a day)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_a_number_up_to_a_day() {
        assert_eq!(seconds("2.5"), Ok(Duration::from_millis(2500)));
        assert_eq!(seconds_or_zero("0"), Ok(Duration::ZERO));
        for wrong in ["0", "-1", "nan", "inf", "1e9", "", "5s", "1e-30"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
