//! The date from RFC 850, section 2.1.4: `Sunday, 06-Nov-94 08:49:37 GMT`. VMS prints a similar
//! form without the weekday: `6-NOV-1994 08:49:37.00`.

use super::cursor::{Cursor, Mismatch};
use super::recognised::{Form, Parts};
use super::zone_text::ZoneText;

pub(super) fn read<'a>(cursor: &mut Cursor<'a>) -> Result<Parts<'a>, Mismatch> {
    let weekday = cursor.weekday_before_date();
    let day = cursor.day()?;
    cursor.octet(b'-', "a hyphen after the day")?;
    let month = cursor.month()?;
    cursor.octet(b'-', "a hyphen after the month")?;
    let year = cursor.year()?;
    let date = cursor.date(year, month, day)?;
    cursor.comma_and_spaces()?;
    let time = cursor.time()?;
    let zone = ZoneText::read_after_time(cursor);
    Ok(Parts { weekday, zone, ..Parts::new(Form::Rfc850, date, time) })
}

#[cfg(test)]
mod tests {
    use super::super::tests_at::read;

    #[test]
    fn a_year_of_two_digits_is_read() {
        let read_back = read("Sunday, 06-Nov-94 08:49:37 GMT\r\n");
        assert_eq!(read_back, "rfc850 1994-11-06T08:49:37Z GMT two-digit-year");
        let netscape = read("Wed, 03-Jul-2024 14:05:11 GMT");
        assert_eq!(netscape, "rfc850 2024-07-03T14:05:11Z GMT");
    }

    #[test]
    fn a_date_of_vms_without_a_weekday_is_read() {
        assert_eq!(read("22-NOV-2026 14:48:58.12"), "rfc850 2026-11-22T14:48:58.120 - fraction");
    }
}
