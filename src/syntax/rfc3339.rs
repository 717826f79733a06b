//! RFC 3339 with whole seconds: `Z` in UTC, else the offset.

use super::Zone;
use crate::reply::{Reply, ReplyError};
use chrono::{DateTime, Datelike};

pub(super) fn print(time: &DateTime<Zone>) -> Result<Reply, ReplyError> {
    if !(0..=9999).contains(&time.year()) {
        return Err(ReplyError::Unprintable); // "date-fullyear = 4DIGIT"
    }
    let local = time.format("%Y-%m-%dT%H:%M:%S");
    if time.timezone() == Zone::UTC {
        Reply::line(format_args!("{local}Z"))
    } else {
        Reply::line(format_args!("{local}{}", time.format("%:z")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Syntax::Rfc3339;
    use super::super::tests_at::reply;

    #[test]
    fn utc_is_z_and_any_other_zone_its_offset() {
        let at = "1982-02-22T17:37:43Z";
        assert_eq!(reply(&Rfc3339, at, "utc"), "1982-02-22T17:37:43Z\r\n");
        assert_eq!(reply(&Rfc3339, at, "Asia/Kolkata"), "1982-02-22T23:07:43+05:30\r\n");
        assert_eq!(reply(&Rfc3339, at, "+00:00"), "1982-02-22T17:37:43+00:00\r\n");
    }

    #[test]
    fn a_year_of_five_digits_has_no_place_in_it() {
        let far = super::super::tests_at::at("+10000-01-01T00:00:00Z");
        assert!(Rfc3339.print(&far, super::Zone::UTC).is_err());
    }

    #[test]
    fn a_leap_second_is_60() {
        assert_eq!(reply(&Rfc3339, "2016-12-31T23:59:60Z", "utc"), "2016-12-31T23:59:60Z\r\n");
    }
}
