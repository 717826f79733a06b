//! Time codes that national laboratories send by telephone. Some servers on port 13 relay such a
//! code from a modem. NIST's code (ACTS) is in `nist.rs`.
//!
//! - European (ITU-R TF.583): `1996-01-08 12:43:00 CET  1 02 008 033102 199601081143 50090 +5…`.
//!   The service sends the digits after the zone's name without spaces. They are the weekday, week,
//!   day of the year, next change to or from daylight saving time (month, day, hour), UTC to the
//!   minute, Modified Julian Date, UT1 - UTC, and fields that each laboratory defines. The code
//!   contains UTC, so the offset is certain, whatever the zone's name.
//! - U.S. Naval Observatory: Modified Julian Date, day of the year, time: `51270 092 145230 UTC`.

use super::cursor::{Cursor, Mismatch};
use super::flags::Flag;
use super::recognised::{Form, Parts};
use super::time_code::{Marker, TimeCode, contradicts, date_of};
use super::zone_text::ZoneText;
use chrono::{Datelike, FixedOffset, NaiveDate, NaiveDateTime, TimeDelta, Timelike};

pub(super) fn european<'a>(cursor: &mut Cursor<'a>) -> Result<Parts<'a>, Mismatch> {
    let year = cursor.full_year()?;
    cursor.octet(b'-', "a hyphen after the year")?;
    let month = cursor.number(2..=2, "the month")?;
    cursor.octet(b'-', "a hyphen after the month")?;
    let day = cursor.number(2..=2, "the day")?;
    let date = cursor.date(year, month.value, day)?;
    cursor.spaces()?;
    let time = cursor.time()?;
    cursor.spaces()?;
    let zone = ZoneText::read(cursor)?;
    cursor.spaces()?;
    let code = Code::read(cursor)?;
    let marker = cursor.run(|_| true).ends_with(b"*").then_some(Marker::Star);
    let offset = code.offset(date.and_time(time.clock));
    let Some(offset) = offset else {
        return cursor.blame("UTC within a day of the local time", code.at);
    };
    cursor.flags.add_if(contradicts(code.utc.date(), code.mjd), Flag::MjdMismatch);
    // If the zone name means a fixed offset, it must equal the offset derived from the code.
    let agrees = zone.offset.is_none_or(|named| named == offset);
    Ok(Parts {
        weekday: code.weekday.checked_sub(1).and_then(|day| day.try_into().ok()),
        zone: Some(ZoneText { offset: agrees.then_some(offset), conflict: !agrees, ..zone }),
        code: Some(TimeCode { mjd: code.mjd, marker, ..TimeCode::default() }),
        ..Parts::new(Form::European, date, time)
    })
}

/// The digits that follow the zone in a European time code.
struct Code {
    /// The weekday, where 1 means Monday.
    weekday: u8,
    /// The UTC date and time in the code, to the minute.
    utc: NaiveDateTime,
    mjd: u32,
    at: usize,
}

impl Code {
    const DIGITS: usize = 29;

    fn read(cursor: &mut Cursor) -> Result<Self, Mismatch> {
        let at = cursor.at();
        let digits = cursor.run(|octet| octet.is_ascii_digit());
        let signed = matches!(cursor.rest().first(), Some(b'+' | b'-'));
        let code =
            str::from_utf8(digits).ok().filter(|digits| digits.len() == Self::DIGITS && signed);
        let code = code.and_then(|digits| Self::of(digits, at));
        // Other forms also match the line up to this code, so this mismatch must not outrank
        // theirs.
        let expected = "the European time code, 29 digits and a sign";
        code.ok_or(Mismatch { expected, at, reached: 0, at_end: false })
    }

    fn of(digits: &str, at: usize) -> Option<Self> {
        let number = |from: usize, to: usize| digits.get(from..to)?.parse::<u32>().ok();
        let year = i32::try_from(number(12, 16)?).ok()?;
        let date = NaiveDate::from_ymd_opt(year, number(16, 18)?, number(18, 20)?)?;
        let utc = date.and_hms_opt(number(20, 22)?, number(22, 24)?, 0)?;
        let weekday = u8::try_from(number(0, 1)?).ok().filter(|day| (1..=7).contains(day))?;
        Some(Self { weekday, utc, mjd: number(24, 29)?, at })
    }

    /// Returns the difference between this local time and the UTC in the code.
    fn offset(&self, local: NaiveDateTime) -> Option<FixedOffset> {
        let seconds = TimeDelta::seconds(local.second().into());
        let ahead = local.with_nanosecond(0)? - seconds - self.utc;
        FixedOffset::east_opt(i32::try_from(ahead.num_seconds()).ok()?)
    }
}

pub(super) fn usno<'a>(cursor: &mut Cursor<'a>) -> Result<Parts<'a>, Mismatch> {
    let mjd = cursor.number(5..=5, "the Modified Julian Date, five digits")?;
    cursor.spaces()?;
    let day = cursor.number(3..=3, "the day of the year, three digits")?;
    cursor.spaces()?;
    let time = cursor.number(6..=6, "the time, six digits")?;
    let hour = time.value / 10_000;
    let (minute, second) = (time.last_two(100), time.last_two(1));
    let time = cursor.time_of(time.at, hour, minute, second, None)?;
    cursor.spaces()?;
    let zone = Some(ZoneText::read(cursor)?);
    let Some(date) = date_of(mjd.value) else {
        return cursor.blame("a Modified Julian Date", mjd.at);
    };
    cursor.flags.add_if(date.ordinal() != day.value, Flag::MjdMismatch);
    let code = Some(TimeCode { mjd: mjd.value, ..TimeCode::default() });
    Ok(Parts { zone, code, ..Parts::new(Form::Usno, date, time) })
}

#[cfg(test)]
mod tests {
    use super::super::tests_at::read;

    const TURIN: &str =
        "1996-01-08 12:43:00 CET  10200803310219960108114350090+5+00070 CTD IEN TORINO*";

    #[test]
    fn the_utc_in_the_european_code_fixes_the_zone() {
        assert_eq!(read(TURIN), "european 1996-01-08T11:43:00Z CET");
        let brunswick =
            "1995-01-23 20:58:51 MEZ  10402303260219950123195849740+40000500              *";
        assert_eq!(read(brunswick), "european 1995-01-23T19:58:51Z MEZ");
    }

    #[test]
    fn the_parts_of_a_code_are_checked_against_each_other() {
        let wrong_mjd = TURIN.replace("50090", "50091");
        assert_eq!(read(&wrong_mjd), "european 1996-01-08T11:43:00Z CET mjd-mismatch");
        let wrong_weekday = TURIN.replace("  1", "  2");
        assert_eq!(read(&wrong_weekday), "european 1996-01-08T11:43:00Z CET weekday-mismatch");
        assert!(!read(&TURIN.replace("  1", "  0")).starts_with("european"));
    }

    #[test]
    fn a_zone_that_contradicts_the_utc_in_the_code_fixes_nothing() {
        let wrong = TURIN.replace("CET ", "UTC ");
        assert_eq!(read(&wrong), "european 1996-01-08T12:43:00 UTC zone-unknown zone-conflict");
    }

    #[test]
    fn the_naval_observatorys_code_is_read() {
        assert_eq!(read("51270 092 145230 UTC\r\n"), "usno 1999-04-02T14:52:30Z UTC");
        assert_eq!(read("51270 093 145230 UTC"), "usno 1999-04-02T14:52:30Z UTC mjd-mismatch");
    }
}
