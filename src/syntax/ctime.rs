//! The ctime(3) format, as inetd sends it: 24 characters, the day padded with a space, and no zone.
//!
//! The reader also accepts date(1) output, which contains a zone before or after the year and may
//! contain AM or PM. HP-UX's inetd and AIX send the zone before the year.

use super::cursor::{Cursor, Mismatch};
use super::recognised::{Form, Parts};
use super::zone_text::ZoneText;

pub(super) const PATTERN: &str = "%a %b %e %H:%M:%S %Y";

pub(super) fn read<'a>(cursor: &mut Cursor<'a>) -> Result<Parts<'a>, Mismatch> {
    let weekday = cursor.with_gap(Cursor::weekday_or_foreign_word)?;
    let month = cursor.month()?;
    cursor.spaces()?;
    let day = cursor.day()?;
    cursor.spaces()?;
    let time = cursor.time()?;
    cursor.spaces()?;
    let before = cursor.optional(|cursor| {
        let zone = ZoneText::read(cursor)?;
        cursor.spaces()?;
        Ok(zone)
    });
    let year = cursor.full_year()?;
    let date = cursor.date(year, month, day)?;
    let zone = ZoneText::merged(before, ZoneText::read_after_time(cursor));
    Ok(Parts { weekday, zone, ..Parts::new(Form::Ctime, date, time) })
}

#[cfg(test)]
mod tests {
    use super::super::Syntax::Ctime;
    use super::super::tests_at::{read, reply};
    use crate::mentions::mentions;

    #[test]
    fn a_reply_is_read_with_every_line_end() {
        for end in ["\r\n", "\n\r", "\n", " ", ""] {
            let reply = format!("Mon Jul 28 11:56:22 2003{end}");
            assert_eq!(read(&reply), "ctime 2003-07-28T11:56:22 -");
        }
        let reply = "Mon Jul 28 11:56:22 2003\n\0";
        assert_eq!(read(reply), "ctime 2003-07-28T11:56:22 - nul");
    }

    #[test]
    fn a_reply_is_read_with_a_zone_as_date_prints_it() {
        let hp_ux = "Mon Dec  1 23:00:01 EST 2003\r\n";
        assert_eq!(read(hp_ux), "ctime 2003-12-02T04:00:01Z EST");
        let date = "Sun Nov 22 02:48:58 PM UTC 2026\n";
        assert_eq!(read(date), "ctime 2026-11-22T14:48:58Z UTC");
        let after = "Sun Nov 22 14:48:58 2026 +0100\n";
        assert_eq!(read(after), "ctime 2026-11-22T13:48:58Z +0100");
        let contradiction = "ctime 2026-11-22T14:48:58 UTC zone-unknown zone-conflict";
        assert_eq!(read("Sun Nov 22 14:48:58 UTC 2026 EST\n"), contradiction);
        let india = "Wed Jul  3 16:05:11 IST 2024\r\n";
        assert_eq!(read(india), "ctime 2024-07-03T16:05:11 IST zone-unknown");
    }

    #[test]
    fn parts_without_padding_are_read() {
        assert_eq!(read("Wed Jul 3 6:5:1 2024\n"), "ctime 2024-07-03T06:05:01 -");
        assert_eq!(read("Fri Feb   6 16:40:28 2009"), "ctime 2009-02-06T16:40:28 -");
    }

    #[test]
    fn octets_leaked_from_aixs_buffer_are_flagged_as_garbage() {
        let aix = "Wed Jul 03 16:05:11 CDT 2024\r\n\0\0\0 \0\0\0\u{7f}0";
        assert_eq!(read(aix), "ctime 2024-07-03T21:05:11Z CDT nul trailing-garbage");
    }

    #[test]
    fn a_cut_line_is_refused() {
        let cut = read("Wed Jul  3 16:05:11 ");
        mentions(&cut, &["a year of four digits", "end of the line", "octet 20", "truncated"]);
        let cut = read("Wed Jul  3 16:05:11 202");
        mentions(&cut, &["a year of four digits", "\"202\"", "octet 21", "truncated"]);
    }

    #[test]
    fn a_reply_is_the_24_characters_of_ctime() {
        let reply = reply(&Ctime, "2026-11-02T13:04:05Z", "Europe/Rome");
        assert_eq!(reply, "Mon Nov  2 14:04:05 2026\r\n");
    }

    #[test]
    fn a_leap_second_is_60() {
        let reply = reply(&Ctime, "2016-12-31T23:59:60Z", "utc");
        assert_eq!(reply, "Sat Dec 31 23:59:60 2016\r\n");
    }
}
