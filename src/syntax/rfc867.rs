//! The first example in RFC 867: `Weekday, Month Day, Year Time-Zone`.
//!
//! If the zone has only a numeric offset, the sign follows the hyphen (`17:37:43--0300`). So a
//! reader that splits the reply at the first hyphen keeps the sign.
//!
//! The reader also accepts variants from other servers. Cisco devices send the zone name that the
//! operator chose, and append `-DST` in summer. Windows NT sends no zone. Other servers put a comma
//! after the month or the year, or use names in other languages.

use super::cursor::{Cursor, Mismatch};
use super::flags::Flag;
use super::recognised::{Form, Parts};
use super::zone_text::ZoneText;

pub(super) const PATTERN: &str = "%A, %B %-d, %Y %H:%M:%S-%Z";

pub(super) fn read<'a>(cursor: &mut Cursor<'a>) -> Result<Parts<'a>, Mismatch> {
    let weekday = |cursor: &mut Cursor<'a>| cursor.with_gap(Cursor::weekday_or_foreign_word);
    let weekday = cursor.optional(weekday).flatten();
    let month = cursor.with_gap(Cursor::month)?;
    let day = cursor.with_gap(Cursor::day)?;
    let year = cursor.with_gap(Cursor::year)?;
    let date = cursor.date(year, month, day)?;
    let time = cursor.time()?;
    let zone = ZoneText::read_after_time(cursor);
    if zone.is_none() && cursor.take(b'-') && cursor.may_be_cut() {
        cursor.flags.add(Flag::Truncated);
    }
    Ok(Parts { weekday, zone, ..Parts::new(Form::Rfc867, date, time) })
}

#[cfg(test)]
mod tests {
    use super::super::Syntax::Rfc867;
    use super::super::tests_at::{read, reply};

    #[test]
    fn the_example_in_the_rfc_is_read_and_its_wrong_weekday_flagged() {
        let rfc = "Tuesday, February 22, 1982 17:37:43-PST";
        assert_eq!(read(rfc), "rfc867 1982-02-23T01:37:43Z PST weekday-mismatch");
    }

    #[test]
    fn any_zone_name_of_cisco_is_read() {
        let zone = |zone| read(&format!("Wednesday, July 3, 2024 16:05:11-{zone}\r\n"));
        assert_eq!(zone("UTC"), "rfc867 2024-07-03T16:05:11Z UTC");
        for name in ["ROME", "CET-DST", "ESTDST"] {
            assert_eq!(zone(name), format!("rfc867 2024-07-03T16:05:11 {name} zone-unknown"));
        }
    }

    #[test]
    fn a_reply_of_windows_nt_without_zone_but_with_nul_is_read() {
        let reply = "Wednesday, July 3, 2024 16:05:11\n\0";
        assert_eq!(read(reply), "rfc867 2024-07-03T16:05:11 - nul");
    }

    #[test]
    fn additional_commas_are_read() {
        let wikipedia = "Thursday, February 2, 2006, 13:45:51-PST";
        assert_eq!(read(wikipedia), "rfc867 2006-02-02T21:45:51Z PST");
        let ecmascript = "Wed Nov 21 2018 15:17:42 GMT+0100 (CET)";
        assert_eq!(read(ecmascript), "rfc867 2018-11-21T14:17:42Z GMT+0100");
        let century = "Monday, February 22, 82 17:37:43-PST";
        assert_eq!(read(century), "rfc867 1982-02-23T01:37:43Z PST two-digit-year");
        let swoole = "Sunday, March, 19, 2017, 15:22:45-UTC";
        assert_eq!(read(swoole), "rfc867 2017-03-19T15:22:45Z UTC");
    }

    #[test]
    fn the_hyphen_may_be_the_sign_of_an_offset() {
        let zone = |zone| read(&format!("Wednesday, July 3, 2024 16:05:11{zone}"));
        assert_eq!(zone("--0300"), "rfc867 2024-07-03T19:05:11Z -0300");
        assert_eq!(zone("-0300"), "rfc867 2024-07-03T19:05:11Z -0300");
        assert_eq!(zone("-+0545"), "rfc867 2024-07-03T10:20:11Z +0545");
        assert_eq!(zone("-"), "rfc867 2024-07-03T16:05:11 - truncated");
    }

    #[test]
    fn localised_names_are_read_and_flagged() {
        let german = "Samstag, M\u{e4}rz 27, 2010 08:00:00-EST\r\n";
        assert_eq!(read(german), "rfc867 2010-03-27T13:00:00Z EST non-ascii locale-names");
        let french = "samedi, mars 27, 2010 08:00:00-EST\r\n";
        assert_eq!(read(french), "rfc867 2010-03-27T13:00:00Z EST locale-names");
    }

    #[test]
    fn a_reply_is_the_example_in_the_rfc_with_the_right_weekday() {
        // The RFC's example says Tuesday, but 22 February 1982 was a Monday.
        let reply = reply(&Rfc867, "1982-02-23T01:37:43Z", "America/Los_Angeles");
        assert_eq!(reply, "Monday, February 22, 1982 17:37:43-PST\r\n");
    }

    #[test]
    fn a_numeric_zone_keeps_the_hyphen() {
        let reply = reply(&Rfc867, "2026-11-02T03:04:05Z", "America/Sao_Paulo");
        assert_eq!(reply, "Monday, November 2, 2026 00:04:05--0300\r\n");
    }

    #[test]
    fn a_leap_second_is_60() {
        let reply = reply(&Rfc867, "2016-12-31T23:59:60Z", "utc");
        assert_eq!(reply, "Saturday, December 31, 2016 23:59:60-UTC\r\n");
    }
}
