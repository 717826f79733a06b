//! The e-mail date from RFC 5322, section 3.3, with its weekday: `Wed, 3 Jul 2024 14:05:11 +0000`.
//! The reader also accepts two-digit years, as in RFC 822, and the form without the comma, which
//! date(1) prints in many locales.

use super::cursor::{Cursor, Mismatch};
use super::recognised::{Form, Parts};
use super::smtp;

pub(super) fn read<'a>(cursor: &mut Cursor<'a>) -> Result<Parts<'a>, Mismatch> {
    let weekday = cursor.with_gap(Cursor::weekday_or_foreign_word)?;
    let parts = smtp::read(cursor)?;
    Ok(Parts { weekday, form: Form::Rfc5322, ..parts })
}

#[cfg(test)]
mod tests {
    use super::super::tests_at::read;

    #[test]
    fn a_mail_date_is_read() {
        let reply = "Wed, 3 Jul 2024 14:05:11 +0000";
        assert_eq!(read(reply), "rfc5322 2024-07-03T14:05:11Z +0000");
        let reply = "Wed, 03 Jul 24 16:05:11 +0200 (CEST)\r\n";
        assert_eq!(read(reply), "rfc5322 2024-07-03T14:05:11Z +0200 two-digit-year");
        let reply = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(read(reply), "rfc5322 1994-11-06T08:49:37Z GMT");
    }

    #[test]
    fn the_date_of_a_localised_system_is_read() {
        let reply = "Wed 03 Jul 2024 04:05:11 PM CEST\n";
        assert_eq!(read(reply), "rfc5322 2024-07-03T16:05:11 CEST zone-unknown");
        let reply = "mer. 3 juil. 2024 16:05:11 CEST\n";
        assert_eq!(read(reply), "rfc5322 2024-07-03T16:05:11 CEST locale-names zone-unknown");
    }

    #[test]
    fn a_second_line_is_flagged() {
        let reply = "Wed,  3 Jul 2024 16:05:11 +0200\r\nC:\\Program Files\\ATS\\ats.exe\r\n";
        assert_eq!(read(reply), "rfc5322 2024-07-03T14:05:11Z +0200 second-line");
    }
}
