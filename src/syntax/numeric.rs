//! Reads all-numeric dates. Windows' Simple TCP/IP Services print time and date in the system's
//! locale. Cameras and small servers print the year first.
//!
//! The order of day and month is certain in three cases: one number is above 12; the year comes
//! first, so the month follows; or the reply has a weekday of three or more letters. AM or PM does
//! not imply the American order, because servers have sent `PM 27/11/04`.
//!
//! With `/` or `.`, a two-digit year is read from the last number, unless that date does not exist
//! or the weekday fits only another order. All replies collected for this project confirm this.
//! With hyphens, a two-digit year may also come first, as in ISO 8601 and in NIST's code.

use super::cursor::{Cursor, Mismatch, Number};
use super::recognised::{Dates, Form, Parts};
use super::zone_text::ZoneText;
use chrono::{Datelike, NaiveDate, Weekday};

pub(super) fn read<'a>(cursor: &mut Cursor<'a>) -> Result<Parts<'a>, Mismatch> {
    let mut other = *cursor;
    let parts = match (time_first(cursor), date_first(&mut other)) {
        (Ok(_), Ok(_)) => return cursor.blame(DISTINCT, 0),
        (Err(cut), Ok(_)) if cut.at_end => return cursor.blame(DISTINCT, 0),
        (Ok(parts), Err(_)) => parts,
        (Err(_), Ok(parts)) => {
            *cursor = other;
            parts
        }
        (Err(wrong_time), Err(wrong_date)) => return Err(wrong_time.or_further(wrong_date)),
    };
    Ok(parts)
}

/// Error text: the date and the time must use different separators. In `16.05.11 12.30.00`, the
/// date could come first or last.
const DISTINCT: &str = "different marks in date and time";

fn time_first<'a>(cursor: &mut Cursor<'a>) -> Result<Parts<'a>, Mismatch> {
    let weekday = cursor.weekday_before();
    let time = cursor.time()?;
    let zone = ZoneText::read_after_time(cursor);
    cursor.comma_and_spaces()?;
    let weekday = weekday.or_else(|| cursor.weekday_before());
    let date = Digits::read(cursor)?;
    let zone = zone.or_else(|| ZoneText::read_after_time(cursor));
    let weekday = weekday.or_else(|| cursor.weekday_after());
    let dates = date.dates(cursor, weekday)?;
    Ok(Parts { weekday, zone, ..Parts::new(Form::Numeric, dates, time) })
}

fn date_first<'a>(cursor: &mut Cursor<'a>) -> Result<Parts<'a>, Mismatch> {
    let weekday = cursor.weekday_before_date();
    let date = Digits::read(cursor)?;
    let hyphen = |cursor: &mut Cursor| {
        cursor.skip_spaces();
        cursor.octet(b'-', "a hyphen between date and time")?;
        cursor.skip_spaces();
        Ok(())
    };
    let letter = |cursor: &mut Cursor| cursor.octet(b'T', "a T between date and time");
    if cursor.optional(hyphen).or_else(|| cursor.optional(letter)).is_none() {
        cursor.comma_and_spaces()?;
    }
    let weekday = weekday.or_else(|| cursor.weekday_between());
    let time = cursor.time()?;
    let zone = ZoneText::read_after_time(cursor);
    let weekday = weekday.or_else(|| cursor.weekday_after());
    let dates = date.dates(cursor, weekday)?;
    Ok(Parts { weekday, zone, ..Parts::new(Form::Numeric, dates, time) })
}

/// The three numbers of a date, in the order of the reply.
#[derive(Clone, Copy)]
struct Digits {
    first: Number,
    second: Number,
    third: Number,
    /// The separator between the numbers.
    mark: u8,
}

impl Digits {
    fn read(cursor: &mut Cursor) -> Result<Self, Mismatch> {
        const EXPECTED: &str = "a date in numbers";
        let first = cursor.number(1..=4, EXPECTED)?;
        let mark = cursor.rest().first().copied();
        let mark = mark.filter(|octet| matches!(octet, b'/' | b'.' | b'-'));
        let Some(mark) = mark else { return cursor.blame(EXPECTED, first.at) };
        take_mark(cursor, mark)?;
        let second = cursor.number(1..=2, EXPECTED)?;
        take_mark(cursor, mark)?;
        let third = cursor.number(1..=4, EXPECTED)?;
        if cursor.may_be_cut()
            && (third.digits == 1 || matches!((third.digits, third.value), (2, 19 | 20)))
        {
            // The line may be truncated: for example, 11/2 may be the start of 11/21, and 3/27/20
            // the start of 3/27/2010.
            return cursor.blame_short(EXPECTED, first.at);
        }
        if !matches!((first.digits, third.digits), (4, 1..=2) | (1..=2, 4 | 2)) {
            return cursor.blame(EXPECTED, first.at);
        }
        let date = Self { first, second, third, mark };
        // Checks the date before the time is read, so that an impossible date takes precedence over
        // an error in the time.
        date.dates(&mut cursor.clone(), None)?;
        cursor.take(b'.'); // Hungarian and Korean dates end with a full stop.
        // Bulgarian dates end with this abbreviation for "year".
        cursor.optional(|cursor| cursor.text(" г."));
        Ok(date)
    }

    fn dates(self, cursor: &mut Cursor, weekday: Option<Weekday>) -> Result<Dates, Mismatch> {
        let Self { first, second, third, mark } = self;
        match (first.digits, third.digits) {
            (4, _) => return cursor.date(first, second.value, third).map(Dates::from),
            (_, 4) => return day_and_month(cursor, first, second, third),
            _ => {}
        }
        let year_last = day_and_month(cursor, first, second, cursor.clone().with_century(third));
        let year = cursor.with_century(first);
        let year_first = cursor.date(year, second.value, third).ok();
        let fits = |date: NaiveDate| Some(date.weekday()) == weekday;
        match (year_last, year_first) {
            (Err(_), Some(date)) => Ok(date.into()),
            (Ok(last), Some(date)) if mark == b'-' => Ok(last.with(date)),
            (Ok(last), Some(date)) if fits(date) && last.keep_if(fits).is_none() => Ok(date.into()),
            (last, _) => last,
        }
    }
}

/// Reads the same separator as between the first two numbers of the date. A space may follow a full
/// stop.
fn take_mark(cursor: &mut Cursor, mark: u8) -> Result<(), Mismatch> {
    cursor.octet(mark, "the same mark between all parts of the date")?;
    if mark == b'.' {
        cursor.skip_spaces();
    }
    Ok(())
}

fn day_and_month(
    cursor: &Cursor,
    first: Number,
    second: Number,
    year: Number,
) -> Result<Dates, Mismatch> {
    let day_first = cursor.date(year, second.value, first);
    let month_first = cursor.date(year, first.value, Number { at: first.at, ..second });
    match (day_first, month_first) {
        (Ok(one), Ok(other)) => Ok(Dates::from(one).with(other)),
        (date, other) => date.or(other).map(Dates::from),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests_at::read;
    use crate::mentions::mentions;

    /// Returns the date and time in a numeric reply. Panics if the reply has another form or names
    /// a zone.
    fn naive(reply: &str) -> String {
        let read = read(reply);
        let orders = read.strip_prefix("numeric ").and_then(|rest| rest.split_once(" -"));
        orders.unwrap_or_else(|| panic!("{read}")).0.to_owned()
    }

    #[test]
    fn dates_in_windows_locales_are_read() {
        assert_eq!(naive("2:34:56 PM 3/27/2010\n"), "2010-03-27T14:34:56");
        assert_eq!(naive("2:34:56 pm 2010/03/27\n"), "2010-03-27T14:34:56");
        assert_eq!(naive("02:34:56 PM 27/3/2010\n"), "2010-03-27T14:34:56");
        assert_eq!(naive("16.05.11 27/03/2009\n"), "2009-03-27T16:05:11");
        assert_eq!(naive("23:05:07 27.03.2012\n"), "2012-03-27T23:05:07");
        assert_eq!(naive("19:05:07 21-09-2003\n"), "2003-09-21T19:05:07");
        assert_eq!(naive("7:5:7 2003-9-21\n"), "2003-09-21T07:05:07");
        assert_eq!(naive("오후 2:34:56 2010-03-27\n"), "2010-03-27T14:34:56");
        assert_eq!(naive("오후 2:34:56 2010. 3. 27.\n"), "2010-03-27T14:34:56");
        assert_eq!(naive("03:05:07 PM 27/11/04\n"), "2004-11-27T15:05:07");
    }

    #[test]
    fn a_weekday_of_two_letters_does_not_fix_day_and_month() {
        for line in [
            "Sa 09.07.2024 16:05:11 UTC", // "Sa" means Tuesday in Turkish.
            "vr 01.12.2024 04:05:11 UTC", // "vr" means Sunday in Chuvash.
            "on 03/07/2024 16:05:11 UTC",
            "to 07/04/2024 16:05:11",
            "ke 3.7.2024 16:05:11",
        ] {
            assert!(read(line).contains('|'), "{line}: {}", read(line));
        }
        assert_eq!(naive("Wed 07/03/2024 16:05:11\n"), "2024-07-03T16:05:11");
    }

    #[test]
    fn dates_of_cameras_with_the_year_first_are_read() {
        assert_eq!(naive("2018/11/21 15:17:42\r\n"), "2018-11-21T15:17:42");
        assert_eq!(naive("98/11/21 15:17:42"), "1998-11-21T15:17:42");
        assert_eq!(naive("00/01/31 15:17:42"), "2000-01-31T15:17:42");
        assert_eq!(naive("2018/11/21-15:17:42"), "2018-11-21T15:17:42");
    }

    #[test]
    fn a_date_before_the_time_and_a_zone_between_them_are_read() {
        assert_eq!(naive("11/21/2018, 3:17:42 PM"), "2018-11-21T15:17:42");
        assert_eq!(naive("21.11.2018 15:17:42"), "2018-11-21T15:17:42");
        let manual = "13:13:04 EDT 02/15/04";
        assert_eq!(read(manual), "numeric 2004-02-15T17:13:04Z EDT two-digit-year");
    }

    #[test]
    fn a_date_with_two_readings_gives_both() {
        let both = "numeric 2009-03-05T16:05:11|2009-05-03T16:05:11 - ambiguous-date";
        assert_eq!(read("16:05:11 5.3.2009\n"), both);
        assert_eq!(read("16:05:11 3/5/2009\n"), both);
        let with_zone = "numeric 2009-03-05T16:05:11|2009-05-03T16:05:11 UTC ambiguous-date";
        assert_eq!(read("16:05:11 UTC 3/5/2009\n"), with_zone);
        assert_eq!(naive("16:05:11 5/5/2009\n"), "2009-05-05T16:05:11", "both are the same");
    }

    #[test]
    fn with_hyphens_a_year_of_two_digits_may_be_first_or_last() {
        let one_month = "2003-07-24T14:05:11|2024-07-03T14:05:11 UTC ambiguous-date two-digit-year";
        assert_eq!(read("24-07-03 14:05:11 UTC\n"), flagged(one_month));
        let every_order = "2003-04-05T14:05:11|2005-03-04T14:05:11|2005-04-03T14:05:11 -";
        let every_order = format!("{every_order} ambiguous-date two-digit-year");
        assert_eq!(read("03-04-05 14:05:11\n"), flagged(&every_order));
        assert_eq!(read("14:05:11 03-04-05\n"), flagged(&every_order));
        assert_eq!(naive("14:05:11 98-11-21\n"), "1998-11-21T14:05:11", "no such day");
        assert_eq!(naive("14:05:11 Wed 24-07-03\n"), "2024-07-03T14:05:11");
        assert_eq!(naive("14:05:11 Thu 24-07-03\n"), "2003-07-24T14:05:11");
        // With `/` and `.`, the separators that Windows uses, the year comes last.
        assert_eq!(naive("14:05:11 24/07/03\n"), "2003-07-24T14:05:11");
        assert_eq!(naive("14:05:11 24.07.03\n"), "2003-07-24T14:05:11");
    }

    /// Puts the flags for a numeric date into the order in which the reader adds them.
    fn flagged(read: &str) -> String {
        format!(
            "numeric {}",
            read.replace("ambiguous-date two-digit-year", "two-digit-year ambiguous-date")
        )
    }

    #[test]
    fn a_date_that_may_be_cut_is_refused() {
        for cut in ["2:34:56 PM 3/27/20", "16:05:11 5.3.20", "15:17:42 2018/11/2"] {
            assert!(read(cut).ends_with("; truncated"), "{cut}: {}", read(cut));
            let whole = read(&format!("{cut}\n"));
            assert!(whole.starts_with("numeric "), "{whole}");
        }
    }

    #[test]
    fn full_stops_in_date_and_time_are_refused_as_ambiguous() {
        let error = read("16.05.11 12.30.00\n");
        mentions(&error, &["different marks", "\"16.05.11 12.30.00\"", "octet 1"]);
        // Fuzzing found this case: the result must be the same whether or not a line ending
        // follows.
        let error = read("1.1.11 1.1.19\n");
        mentions(&error, &["different marks", "\"1.1.11 1.1.19\"", "octet 1"]);
        assert_eq!(read("1.1.11 1.1.19"), error);
        assert_eq!(naive("16.05.11 27.03.2009\n"), "2009-03-27T16:05:11");
    }

    #[test]
    fn an_unknown_half_of_the_day_is_never_skipped() {
        for half in ["CH", "MD", "odp.", "em", "ip.", "DU", "P", ", PM", "(PM)", "-PM", "UTC PM"] {
            let read = read(&format!("27/06/2004 3:05:07 {half}\n"));
            let known = half == ", PM" && read == "numeric 2004-06-27T15:05:07 -";
            assert!(known || read.starts_with("expected"), "{half}: {read}");
        }
        assert!(read("3:05:07 Petang 27/6/2004").starts_with("expected"));
        assert!(read("Sun Jun 27 3:05:07 2004 PM").starts_with("expected"));
        assert_eq!(naive("27/06/2004 15:05:07 localhost"), "2004-06-27T15:05:07");
    }

    #[test]
    fn a_weekday_fixes_the_order_of_day_and_month() {
        assert_eq!(naive("16:05:11 Thu 03/05/2009\n"), "2009-03-05T16:05:11");
        let vague = read("do 07/04/2024 16:05:11\n");
        assert!(vague.ends_with(" locale-names ambiguous-date"), "Thursday or Sunday: {vague}");
        assert!(read("SA 12:05:07 27/06/2004\n").starts_with("expected"), "Vietnamese for AM");
        assert_eq!(naive("Thu 03/05/2009 16:05:11\n"), "2009-03-05T16:05:11");
        assert_eq!(naive("Sun 03/05/2009 16:05:11\n"), "2009-05-03T16:05:11");
        for weekday in
            ["16:05:11 03/05/2009 Thu", "03/05/2009 16:05:11 Thu", "03/05/2009 (Thu) 16:05:11"]
        {
            assert_eq!(naive(&format!("{weekday}\n")), "2009-03-05T16:05:11");
        }
        assert_eq!(naive("2024/07/03 Wed 16:05:11\n"), "2024-07-03T16:05:11");
        assert!(read("16:05:11 2024/7/23 Wed\n").ends_with(" weekday-mismatch"), "a Tuesday");
        assert_eq!(naive("Wed 24/07/03 16:05:11\n"), "2024-07-03T16:05:11", "the year first");
        assert_eq!(naive("Thu 24/07/03 16:05:11\n"), "2003-07-24T16:05:11", "or last");
        let neither = read("Mon 03/05/2009 16:05:11\n");
        assert!(neither.ends_with("weekday-mismatch ambiguous-date"), "{neither}");
    }

    #[test]
    fn numbers_without_a_possible_date_are_refused() {
        for date in ["31/13/2009", "2009/27/03"] {
            let error = read(&format!("16:05:11 {date}\n"));
            mentions(&error, &["a date that exists", &format!("\"{date}\""), "octet 10"]);
        }
    }
}
