//! RFC 3339 with whole seconds. A time in UTC ends with `Z`; a time in any other zone ends with the
//! offset.
//!
//! The reader also accepts similar forms that many programming languages print: with a space
//! instead of the `T`, with a fraction, with a zone name, or without a zone. It accepts ISO 8601's
//! basic format and a weekday before the date too.

use super::Zone;
use super::cursor::{Cursor, Mismatch, Number, Time};
use super::recognised::{Form, Parts};
use super::zone_text::ZoneText;
use crate::reply::{Reply, ReplyError};
use chrono::{DateTime, Datelike, FixedOffset, Offset, SecondsFormat};

pub(super) fn print(time: &DateTime<Zone>) -> Result<Reply, ReplyError> {
    if !(0..=9999).contains(&time.year()) {
        // RFC 3339 permits only four digits: "date-fullyear = 4DIGIT".
        return Err(ReplyError::Unprintable);
    }
    // RFC 3339's "time-numoffset" has no seconds. Until 1972 some zones had offsets with seconds;
    // these seconds are dropped.
    let seconds = time.offset().fix().local_minus_utc() / 60 * 60;
    let offset = FixedOffset::east_opt(seconds).ok_or(ReplyError::Unprintable)?;
    let z = time.timezone() == Zone::UTC;
    Reply::line(time.with_timezone(&offset).to_rfc3339_opts(SecondsFormat::Secs, z))
}

pub(super) fn read<'a>(cursor: &mut Cursor<'a>) -> Result<Parts<'a>, Mismatch> {
    let weekday = cursor.weekday_before_date();
    let basic = cursor.optional(basic);
    let parts = match basic {
        Some(parts) => parts,
        None => extended(cursor)?,
    };
    let zone = ZoneText::read_after_time(cursor);
    let zone = ZoneText::merged(zone, cursor.optional(zone_in_brackets).flatten());
    let weekday = weekday.or(parts.weekday).or_else(|| cursor.weekday_after());
    Ok(Parts { weekday, zone, ..parts })
}

/// Reads `1982-02-22T17:37:43`. Exif data and some cameras have colons in the date instead of
/// hyphens.
fn extended<'a>(cursor: &mut Cursor<'a>) -> Result<Parts<'a>, Mismatch> {
    let year = cursor.full_year()?;
    let mark = if cursor.take(b':') { b':' } else { b'-' };
    if mark == b'-' {
        cursor.octet(b'-', "a hyphen after the year")?;
    }
    let month = cursor.number(1..=2, "the month")?;
    cursor.octet(mark, "the same mark after the month")?;
    let day = cursor.day()?;
    let date = cursor.date(year, month.value, day)?;
    if !take_t(cursor) {
        cursor.comma_and_spaces()?;
    }
    let weekday = cursor.weekday_before();
    let time = match cursor.optional(basic_time) {
        Some(time) => time,
        None => cursor.time()?,
    };
    Ok(Parts { weekday, ..Parts::new(Form::Rfc3339, date, time) })
}

fn take_t(cursor: &mut Cursor) -> bool {
    cursor.take(b'T') || cursor.take(b't') || cursor.take(b'_')
}

/// Reads `19820222T173743`. The `T` may be missing or replaced by a space.
fn basic<'a>(cursor: &mut Cursor<'a>) -> Result<Parts<'a>, Mismatch> {
    let at = cursor.at();
    let digits = cursor.run(|octet| octet.is_ascii_digit());
    let (date, time) = match digits.len() {
        8 => {
            if !take_t(cursor) {
                cursor.spaces()?;
            }
            let time = cursor.optional(basic_time);
            (Number::of(digits, at), time.map_or_else(|| cursor.time(), Ok)?)
        }
        14 => {
            let (date, time) = digits.split_at(8);
            (Number::of(date, at), time_in_digits(cursor, Number::of(time, at + 8))?)
        }
        _ => return cursor.blame("eight digits, or fourteen", at),
    };
    let year = Number { value: date.value / 10_000, ..date };
    let date = cursor.date(year, date.last_two(100).value, date.last_two(1))?;
    Ok(Parts::new(Form::Rfc3339, date, time))
}

/// Reads `173743`. A fraction may follow.
fn basic_time(cursor: &mut Cursor) -> Result<Time, Mismatch> {
    let time = cursor.number(6..=6, "six digits")?;
    time_in_digits(cursor, time)
}

fn time_in_digits(cursor: &mut Cursor, time: Number) -> Result<Time, Mismatch> {
    let fraction = cursor.optional(Cursor::fraction);
    cursor.time_of(time.at, time.value / 10_000, time.last_two(100), time.last_two(1), fraction)
}

/// Reads a zone in brackets, such as `[Europe/Rome]`. Java writes such a zone after an offset or
/// instead of one.
fn zone_in_brackets<'a>(cursor: &mut Cursor<'a>) -> Result<Option<ZoneText<'a>>, Mismatch> {
    cursor.skip_spaces();
    cursor.octet(b'[', "an opening bracket")?;
    let zone = cursor.optional(|cursor| {
        let zone = ZoneText::read(cursor)?;
        cursor.octet(b']', "a closing bracket")?;
        Ok(zone)
    });
    if zone.is_none() {
        cursor.run(|octet| octet != b']');
        cursor.octet(b']', "a closing bracket")?;
    }
    Ok(zone)
}

#[cfg(test)]
mod tests {
    use super::super::Syntax::Rfc3339;
    use super::super::tests_at::{read, reply};
    use crate::mentions::mentions;

    #[test]
    fn similar_forms_are_read() {
        let at = "rfc3339 2024-07-03T14:05:11Z";
        assert_eq!(read("2024-07-03T14:05:11Z\r\n"), format!("{at} Z"));
        assert_eq!(read("2024-07-03t14:05:11z"), format!("{at} z"));
        assert_eq!(read("2024-07-03 16:05:11 +0200"), format!("{at} +0200"));
        assert_eq!(read("2024-07-03T16:05:11+02:00[Europe/Rome]"), format!("{at} +02:00"));
        assert_eq!(read("2024-07-03 14:05:11 +0000 UTC"), format!("{at} +0000"));
        assert_eq!(read("20240703T140511Z"), format!("{at} Z"));
        assert_eq!(read("2024-07-03 Wed 14:05:11 UTC"), format!("{at} UTC"));
        assert_eq!(read("2024-07-03 14:05:11 UTC Wed"), format!("{at} UTC"));
        assert_eq!(read("2024-07-03 14:05:11 UTC Thu"), format!("{at} UTC weekday-mismatch"));
        for near in [
            "20240703t140511Z",
            "20240703T14:05:11Z",
            "2024-07-03T140511Z",
            "20240703 14:05:11Z",
            "20240703140511Z",
            "2024:07:03 14:05:11Z",
        ] {
            assert_eq!(read(near), format!("{at} Z"));
        }
        assert_eq!(read("2024-07-03T14:05:11[UTC]"), format!("{at} UTC"));
        let somewhere = "rfc3339 2024-07-03T14:05:11 Europe/Rome zone-unknown";
        assert_eq!(read("2024-07-03T14:05:11[Europe/Rome]"), somewhere);
        let contradiction = "rfc3339 2024-07-03T16:05:11 UTC zone-unknown zone-conflict";
        assert_eq!(read("2024-07-03 16:05:11 UTC +0100"), contradiction);
        assert_eq!(read("2024-07-03 16:05:11 CEST +0200"), format!("{at} +0200"));
        let beyond = read("2024-07-03 16:05:11 +24:00\n");
        mentions(&beyond, &["an offset", "+0100", "\"+24:00\"", "octet 21"]);
        mentions(&read("9999-12-31T23:59:59-01:00"), &["years 1 to 9999"]);
        let none = read("0000-07-03T16:05:11Z");
        mentions(&none, &["a date that exists", "\"0000-07-03T16:05:11Z\"", "octet 1"]);
        assert_eq!(read("Wed 2024-07-03 14:05:11 UTC"), format!("{at} UTC"));
        assert_eq!(read("2018-11-21 15:17:42"), "rfc3339 2018-11-21T15:17:42 -");
        let fraction = "rfc3339 2024-07-03T16:05:11.123456 - fraction";
        assert_eq!(read("2024-07-03 16:05:11.123456"), fraction);
    }

    #[test]
    fn an_offset_with_seconds_is_printed_without_them() {
        // Until 1972, Monrovia was 44 minutes and 30 seconds behind Greenwich Mean Time.
        let reply = reply(&Rfc3339, "1971-06-01T12:00:00Z", "Africa/Monrovia");
        assert_eq!(reply, "1971-06-01T11:16:00-00:44\r\n");
    }

    #[test]
    fn utc_is_printed_as_z_and_any_other_zone_as_its_offset() {
        let at = "1982-02-22T17:37:43Z";
        assert_eq!(reply(&Rfc3339, at, "utc"), "1982-02-22T17:37:43Z\r\n");
        assert_eq!(reply(&Rfc3339, at, "Asia/Kolkata"), "1982-02-22T23:07:43+05:30\r\n");
        assert_eq!(reply(&Rfc3339, at, "+00:00"), "1982-02-22T17:37:43+00:00\r\n");
    }

    #[test]
    fn a_year_of_five_digits_is_refused() {
        let far = super::super::tests_at::at("+10000-01-01T00:00:00Z");
        assert!(Rfc3339.print(&far, super::Zone::UTC).is_err());
    }

    #[test]
    fn a_leap_second_is_60() {
        assert_eq!(reply(&Rfc3339, "2016-12-31T23:59:60Z", "utc"), "2016-12-31T23:59:60Z\r\n");
    }
}
