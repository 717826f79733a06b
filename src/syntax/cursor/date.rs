//! Reads the parts of a date: month and weekday names, days, years.

use super::super::flags::Flag;
use super::super::names;
use super::{Cursor, Mismatch, Number, Read};
use chrono::{NaiveDate, Weekday};

impl Cursor<'_> {
    pub(in crate::syntax) fn month(&mut self) -> Read<u32> {
        let start = *self;
        match names::month(self.word()) {
            Some(name) => Ok(self.note_language(name)),
            None => start.wrong_name("the name of a month", self.at),
        }
    }

    /// Reads a weekday. The value is `None` if the word may mean several weekdays (see
    /// [`names::weekday`]).
    pub(in crate::syntax) fn weekday(&mut self) -> Read<Option<Weekday>> {
        let start = *self;
        match names::weekday(self.word()) {
            Some(name) => {
                // Portuguese weekdays end with "-feira".
                self.optional(|cursor| cursor.text("-feira"));
                Ok(self.note_language(name))
            }
            None => start.wrong_name("the name of a weekday", self.at),
        }
    }

    /// Reads a weekday or a word in an unknown script. Fails if the word could be an AM/PM marker.
    pub(in crate::syntax) fn weekday_or_foreign_word(&mut self) -> Read<Option<Weekday>> {
        let foreign = |cursor: &mut Self| {
            let half_of_day = names::half_of_day(cursor.rest()).is_some();
            if half_of_day || cursor.word().is_ascii() {
                return cursor.fail("the name of a weekday");
            }
            cursor.flags.add(Flag::LocaleNames);
            Ok(None)
        };
        let start = *self;
        self.weekday().or_else(|mismatch| {
            *self = start;
            self.optional(foreign).ok_or(mismatch)
        })
    }

    /// Returns an error about an unknown word. If the word has one or two letters and ends the
    /// line, it may be a truncated name.
    fn wrong_name<T>(&self, expected: &'static str, end: usize) -> Read<T> {
        let at_end = end == self.line.len() && end - self.at < 3;
        let reached = if at_end { end } else { self.at };
        Err(Mismatch { expected, at: self.at, reached, at_end })
    }

    /// Reads an unambiguous weekday, if there is one, and the comma or spaces after it.
    /// A two-letter word next to a time may be an AM/PM marker in an unknown language: SA is
    /// Vietnamese for AM.
    pub(in crate::syntax) fn weekday_before(&mut self) -> Option<Weekday> {
        self.optional(|cursor| cursor.with_gap(Self::certain_weekday))
    }

    /// Reads the weekday before a date, where an AM/PM marker is impossible. Skips a weekday that
    /// has several meanings, and returns `None` for it.
    pub(in crate::syntax) fn weekday_before_date(&mut self) -> Option<Weekday> {
        self.optional(|cursor| cursor.with_gap(Self::weekday)).flatten()
    }

    /// Reads an unambiguous weekday, between a date and a time. The weekday may be in
    /// parentheses or brackets.
    pub(in crate::syntax) fn weekday_between(&mut self) -> Option<Weekday> {
        self.optional(|cursor| cursor.with_gap(Self::certain_weekday_in_marks))
    }

    /// Reads an unambiguous weekday, after a date and time. Spaces or a comma must
    /// precede the weekday, which may be in parentheses or brackets.
    pub(in crate::syntax) fn weekday_after(&mut self) -> Option<Weekday> {
        self.optional(|cursor| {
            cursor.comma_and_spaces()?;
            cursor.certain_weekday_in_marks()
        })
    }

    /// Reads a part with `read`, and the comma or spaces that must follow.
    pub(in crate::syntax) fn with_gap<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Read<T>,
    ) -> Read<T> {
        let found = read(self)?;
        self.comma_and_spaces()?;
        Ok(found)
    }

    fn certain_weekday_in_marks(&mut self) -> Read<Weekday> {
        let closing = match self.rest().first() {
            Some(b'(') => Some(b')'),
            Some(b'[') => Some(b']'),
            _ => None,
        };
        self.at += usize::from(closing.is_some());
        let weekday = self.certain_weekday()?;
        if let Some(closing) = closing {
            self.octet(closing, "the same mark after the weekday")?;
        }
        Ok(weekday)
    }

    fn certain_weekday(&mut self) -> Read<Weekday> {
        self.weekday()?.map_or_else(|| self.fail("a weekday that is certain"), Ok)
    }

    /// Reads a day of the month, which may be written as `3rd` or `3.`.
    pub(in crate::syntax) fn day(&mut self) -> Read<Number> {
        let day = self.number(1..=2, "a day of the month")?;
        if day.digits == 1 && self.may_be_cut() {
            // The line may be truncated: for example, a 2 may be the start of 21.
            return self.blame_short("a day of the month", day.at);
        }
        let suffix = |cursor: &mut Self| {
            let letters = cursor.run(|octet| octet.is_ascii_alphabetic());
            let ordinal = [&b"st"[..], b"nd", b"rd", b"th"].contains(&letters);
            if ordinal { Ok(()) } else { cursor.fail("st, nd, rd or th") }
        };
        if self.optional(suffix).is_none() {
            self.take(b'.');
        }
        Ok(day)
    }

    /// Reads a four-digit or two-digit year. For two digits, infers the century as strptime(3)
    /// does.
    pub(in crate::syntax) fn year(&mut self) -> Read<Number> {
        let year = self.number(2..=4, "a year of four digits, or of two")?;
        match year.digits {
            2 if self.may_be_cut() && matches!(year.value, 19 | 20) => {
                // The line may be truncated: for example, a 20 may be the start of 2018.
                self.blame_short("a year of four digits, or of two", year.at)
            }
            3 => self.blame("a year of four digits, or of two", year.at),
            2 => Ok(self.with_century(year)),
            _ => Ok(year),
        }
    }

    /// Reads a four-digit year.
    pub(in crate::syntax) fn full_year(&mut self) -> Read<Number> {
        self.number(4..=4, "a year of four digits")
    }

    /// Infers the century of a two-digit year, and sets the flag `two-digit-year`.
    pub(in crate::syntax) fn with_century(&mut self, year: Number) -> Number {
        self.flags.add(Flag::TwoDigitYear);
        let century = if year.value < 69 { 2000 } else { 1900 };
        Number { value: century + year.value, ..year }
    }

    /// Returns the date with this year, month and day. Fails if the date does not exist.
    pub(in crate::syntax) fn date(&self, year: Number, month: u32, day: Number) -> Read<NaiveDate> {
        // RFC 3339 permits year 0, but this reader accepts only years from 1.
        let date = i32::try_from(year.value).ok().filter(|year| *year > 0);
        let date = date.and_then(|year| NaiveDate::from_ymd_opt(year, month, day.value));
        date.map_or_else(|| self.blame("a date that exists", day.at.min(year.at)), Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_of_two_digits_gets_the_century_of_strptime() {
        let year = |text: &str| {
            let mut cursor = Cursor::new(text.as_bytes(), true);
            let year = cursor.year().map(|year| year.value);
            (year.ok(), cursor.flags.contains(Flag::TwoDigitYear))
        };
        assert_eq!(year("82"), (Some(1982), true));
        assert_eq!(year("69"), (Some(1969), true));
        assert_eq!(year("68"), (Some(2068), true));
        assert_eq!(year("2010"), (Some(2010), false));
        assert_eq!(year("110"), (None, false));
        assert_eq!(year("20100"), (None, false));
    }

    #[test]
    fn a_day_may_be_an_ordinal() {
        for text in ["3", "03", "3rd", "3."] {
            let mut cursor = Cursor::new(text.as_bytes(), true);
            assert_eq!(cursor.day().expect("a day").value, 3);
            assert!(cursor.is_at_end(), "{text}");
        }
    }
}
