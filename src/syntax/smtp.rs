//! The second example in RFC 867, "used in SMTP": `dd mmm yy hh:mm:ss zzz`, with the month in
//! capitals.
//!
//! The printed year has two digits (RFC 821). If the zone has no alphabetic abbreviation, the
//! offset is printed instead. The reader also accepts four-digit years, as xinetd prints them, and
//! lower-case letters, as in RFC 5322.

use super::Zone;
use super::cursor::{Cursor, Mismatch};
use super::recognised::{Form, Parts};
use super::zone_text::ZoneText;
use crate::reply::{Reply, ReplyError};
use chrono::DateTime;

pub(super) fn print(time: &DateTime<Zone>) -> Result<Reply, ReplyError> {
    let month = time.format("%b").to_string().to_ascii_uppercase();
    Reply::line(format_args!("{} {month} {}", time.format("%d"), time.format("%y %H:%M:%S %Z")))
}

pub(super) fn read<'a>(cursor: &mut Cursor<'a>) -> Result<Parts<'a>, Mismatch> {
    let day = cursor.day()?;
    cursor.spaces()?;
    let month = cursor.with_gap(Cursor::month)?;
    let year = cursor.with_gap(Cursor::year)?;
    let date = cursor.date(year, month, day)?;
    let time = cursor.time()?;
    let zone = ZoneText::read_after_time(cursor);
    Ok(Parts { zone, ..Parts::new(Form::Smtp, date, time) })
}

#[cfg(test)]
mod tests {
    use super::super::Syntax::Smtp;
    use super::super::tests_at::{read, reply};
    use crate::mentions::mentions;

    #[test]
    fn the_example_in_the_rfc_and_the_reply_of_xinetd_are_read() {
        let rfc = "02 FEB 82 07:59:01 PST";
        assert_eq!(read(rfc), "smtp 1982-02-02T15:59:01Z PST two-digit-year");
        let xinetd = "03 JUL 2024 16:05:11 CEST\r\n";
        assert_eq!(read(xinetd), "smtp 2024-07-03T16:05:11 CEST zone-unknown");
    }

    #[test]
    fn an_error_names_a_day_that_is_not_in_the_month() {
        let error = read("30 FEB 2024 12:00:00 UTC\r\n");
        mentions(&error, &["a date that exists", "\"30 FEB 2024 12:00:00 UTC\"", "octet 1"]);
    }

    #[test]
    fn a_reply_is_the_example_in_the_rfc() {
        let reply = reply(&Smtp, "1982-02-02T15:59:01Z", "America/Los_Angeles");
        assert_eq!(reply, "02 FEB 82 07:59:01 PST\r\n");
    }

    #[test]
    fn a_leap_second_is_60() {
        let reply = reply(&Smtp, "2016-12-31T23:59:60Z", "Asia/Kathmandu");
        assert_eq!(reply, "01 JAN 17 05:44:60 +0545\r\n");
    }
}
