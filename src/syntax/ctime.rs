//! ctime(3) as inetd sends it: 24 characters, the day padded with a space, no zone.

use super::Zone;
use crate::reply::{Reply, ReplyError};
use chrono::DateTime;

pub(super) fn print(time: &DateTime<Zone>) -> Result<Reply, ReplyError> {
    Reply::line(time.format("%a %b %e %H:%M:%S %Y"))
}

#[cfg(test)]
mod tests {
    use super::super::Syntax::Ctime;
    use super::super::tests_at::reply;

    #[test]
    fn it_is_ctimes_24_characters() {
        let reply = reply(&Ctime, "2026-11-02T13:04:05Z", "Europe/Rome");
        assert_eq!(reply, "Mon Nov  2 14:04:05 2026\r\n");
    }

    #[test]
    fn a_leap_second_is_60() {
        let reply = reply(&Ctime, "2016-12-31T23:59:60Z", "utc");
        assert_eq!(reply, "Sat Dec 31 23:59:60 2016\r\n");
    }
}
