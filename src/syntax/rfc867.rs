//! RFC 867's first example: `Weekday, Month Day, Year Time-Zone`.
//!
//! Where the zone has only a numeric offset, the hyphen stays and the sign follows it
//! (`17:37:43--0300`): a reader that cuts at the first hyphen still finds the sign.

use super::Zone;
use crate::reply::{Reply, ReplyError};
use chrono::DateTime;

pub(super) fn print(time: &DateTime<Zone>) -> Result<Reply, ReplyError> {
    Reply::line(time.format("%A, %B %-d, %Y %H:%M:%S-%Z"))
}

#[cfg(test)]
mod tests {
    use super::super::Syntax::Rfc867;
    use super::super::tests_at::reply;

    #[test]
    fn it_is_the_rfcs_example_with_the_right_weekday() {
        // The RFC says Tuesday; 22 February 1982 was a Monday.
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
