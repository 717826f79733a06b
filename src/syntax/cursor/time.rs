//! Reads a time of day.

use super::super::flags::Flag;
use super::super::names::{self, Half, Name};
use super::{Cursor, Number, Read};
use chrono::NaiveTime;

/// A time of day. As in chrono, second 60 is represented as second 59 with at least 1 000 000 000
/// nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::syntax) struct Time {
    pub clock: NaiveTime,
    /// AM or PM, if the reply has an AM/PM marker.
    pub half: Option<Half>,
    /// Number of digits in the fraction of a second.
    pub fraction_digits: usize,
    pub at: usize,
}

const SECONDS: &str = "the seconds after the same separator as before the minute";

/// A fraction of a second.
#[derive(Clone, Copy, Debug)]
pub(in crate::syntax) struct Fraction {
    nanoseconds: u32,
    digits: usize,
}

impl Cursor<'_> {
    /// Reads `HH:MM:SS`. A fraction may follow, and an AM/PM marker may precede or follow the time.
    pub(in crate::syntax) fn time(&mut self) -> Read<Time> {
        let start = self.at;
        let before = self.optional(Self::half_of_day);
        if before.is_some() {
            self.skip_spaces();
        }
        let hour = self.number(1..=2, "the hour")?;
        let separator = if self.take(b'.') { b'.' } else { b':' };
        if separator == b':' {
            self.octet(b':', "a colon after the hour")?;
        }
        let minute = self.number(1..=2, "the minute")?;
        self.octet(separator, SECONDS)?;
        let second = self.number(1..=2, "the second")?;
        if second.digits == 1 && self.may_be_cut() {
            // The line may be truncated: for example, 16:05:1 may be the start of 16:05:11.
            return self.blame_short("the second", second.at);
        }
        let fraction = if separator == b':' { self.optional(Self::fraction) } else { None };
        let after = |cursor: &mut Self| {
            cursor.skip_spaces();
            cursor.half_of_day()
        };
        let half = before.or_else(|| self.optional(after));
        let hour = self.hour_of_day(hour, half)?;
        let time = self.time_of(start, hour, minute, second, fraction)?;
        Ok(Time { half: half.map(|name| name.value), ..time })
    }

    /// Returns the time of day with this hour, minute and second. Fails if that time does not
    /// exist.
    pub(in crate::syntax) fn time_of(
        &self,
        at: usize,
        hour: u32,
        minute: Number,
        second: Number,
        fraction: Option<Fraction>,
    ) -> Read<Time> {
        let leap = second.value == 60;
        let nanoseconds = fraction.map_or(0, |fraction| fraction.nanoseconds);
        let time = if leap {
            NaiveTime::from_hms_nano_opt(hour, minute.value, 59, 1_000_000_000 + nanoseconds)
        } else {
            NaiveTime::from_hms_nano_opt(hour, minute.value, second.value, nanoseconds)
        };
        let fraction_digits = fraction.map_or(0, |fraction| fraction.digits);
        match time {
            Some(clock) => Ok(Time { clock, half: None, fraction_digits, at }),
            None => self.blame("a time of day", at),
        }
    }

    /// Reads a full stop or comma, and the fraction after it. Digits beyond nanoseconds are
    /// dropped.
    pub(in crate::syntax) fn fraction(&mut self) -> Read<Fraction> {
        if !self.take(b'.') {
            self.octet(b',', "a fraction")?;
        }
        let digits = self.run(|octet| octet.is_ascii_digit());
        if digits.is_empty() {
            return self.fail("a fraction");
        }
        self.flags.add(Flag::Fraction);
        let kept = digits.iter().copied().chain(std::iter::repeat(b'0')).take(9);
        let nanoseconds = kept.fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
        Ok(Fraction { nanoseconds, digits: digits.len() })
    }

    fn half_of_day(&mut self) -> Read<Name<Half>> {
        let Some((name, length)) = names::half_of_day(self.rest()) else {
            return self.fail("AM or PM");
        };
        self.at += length;
        self.note_language(name);
        Ok(name)
    }

    fn hour_of_day(&self, hour: Number, half: Option<Name<Half>>) -> Read<u32> {
        match (half.map(|name| name.value), hour.value) {
            // Some systems write PM after a 24-hour time, where it adds no information.
            (None, hour) | (Some(Half::Am), hour @ 0..12) | (Some(Half::Pm), hour @ 13..) => {
                Ok(hour)
            }
            (Some(Half::Am), 12) => Ok(0),
            (Some(Half::Pm), 12) => Ok(12),
            (Some(Half::Pm), hour @ 1..=11) => Ok(hour + 12),
            // In Japanese, the hours with AM or PM count from 0.
            (Some(Half::Pm), 0) if half.is_some_and(|name| !name.english) => Ok(12),
            (Some(Half::Pm), 0) => self.blame("an hour from 1, because of PM", hour.at),
            (Some(Half::Am), _) => self.blame("an hour up to 12, because of AM", hour.at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Mismatch;
    use super::*;
    use crate::mentions::mentions;

    fn time(text: &str) -> Result<(String, usize), (&'static str, usize)> {
        let mut cursor = Cursor::new(text.as_bytes(), true);
        match cursor.time() {
            Ok(time) => Ok((time.clock.to_string(), cursor.at())),
            Err(Mismatch { expected, at, .. }) => Err((expected, at)),
        }
    }

    #[test]
    fn a_time_is_read_with_both_marks_and_without_padding() {
        assert_eq!(time("07:09:27"), Ok(("07:09:27".into(), 8)));
        assert_eq!(time("16.05.11 27"), Ok(("16:05:11".into(), 8)));
        assert_eq!(time("7:5:1 "), Ok(("07:05:01".into(), 5)));
        assert_eq!(time("23:59:60").expect("a leap second").0, "23:59:60");
        assert_eq!(time("10:11:12.25").expect("fraction").0, "10:11:12.250");
        assert_eq!(time("10:11:12,5Z"), Ok(("10:11:12.500".into(), 10)));
        assert_eq!(time("10:11:12."), Ok(("10:11:12".into(), 8)));
    }

    #[test]
    fn am_and_pm_change_the_hour() {
        assert_eq!(time("2:34:56 PM").expect("PM").0, "14:34:56");
        assert_eq!(time("12:00:00 am").expect("midnight").0, "00:00:00");
        assert_eq!(time("12:00:00 PM").expect("noon").0, "12:00:00");
        assert_eq!(time("2:34:56\u{202f}PM").expect("PM").0, "14:34:56");
        assert_eq!(time("下午 3:05:07").expect("PM").0, "15:05:07");
        assert_eq!(time("午後0:34:56").expect("noon").0, "12:34:56");
        assert_eq!(time("14:34:56 PM").expect("said twice").0, "14:34:56");
        let (expected, at) = time("14:34:56 AM").expect_err("too late for AM");
        mentions(expected, &["hour", "up to 12", "AM"]);
        assert_eq!(at, 0);
        let (expected, at) = time("0:34:56 PM").expect_err("too early for PM");
        mentions(expected, &["hour", "from 1", "PM"]);
        assert_eq!(at, 0);
    }

    #[test]
    fn an_error_names_the_position_of_the_wrong_part() {
        for beyond in ["25:00:00", "12:00:61"] {
            let (expected, at) = time(beyond).expect_err("no such time");
            mentions(expected, &["time"]);
            assert_eq!(at, 0);
        }
        assert_eq!(time("12:00"), Err((SECONDS, 5)));
        assert_eq!(time("12:00.00"), Err((SECONDS, 5)));
        assert_eq!(time("12:000:00"), Err(("the minute", 3)));
    }

    #[test]
    fn a_second_that_may_be_cut_is_refused() {
        assert!(Cursor::new(b"16:05:1", false).time().is_err());
        assert!(Cursor::new(b"16:05:11", false).time().is_ok());
    }
}
