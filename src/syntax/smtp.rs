//! RFC 867's second example, "used in SMTP": `dd mmm yy hh:mm:ss zzz`, with the month in capitals.
//!
//! The year has two digits (RFC 821); a zone without an alphabetic name shows its offset.

use super::Zone;
use crate::reply::{Reply, ReplyError};
use chrono::{DateTime, Datelike};

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

pub(super) fn print(time: &DateTime<Zone>) -> Result<Reply, ReplyError> {
    let month = MONTHS.get(time.month0() as usize).ok_or(ReplyError::Unprintable)?;
    Reply::line(format_args!("{} {month} {}", time.format("%d"), time.format("%y %H:%M:%S %Z")))
}

#[cfg(test)]
mod tests {
    use super::super::Syntax::Smtp;
    use super::super::tests_at::reply;

    #[test]
    fn it_is_the_rfcs_example() {
        let reply = reply(&Smtp, "1982-02-02T15:59:01Z", "America/Los_Angeles");
        assert_eq!(reply, "02 FEB 82 07:59:01 PST\r\n");
    }

    #[test]
    fn a_leap_second_is_60() {
        let reply = reply(&Smtp, "2016-12-31T23:59:60Z", "Asia/Kathmandu");
        assert_eq!(reply, "01 JAN 17 05:44:60 +0545\r\n");
    }
}
