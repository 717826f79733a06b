//! The fields that a time code has in addition to the time, and conversions to and from the Modified Julian Date.

use chrono::{Datelike, NaiveDate};
use std::time::Duration;

/// The fields that a time code has in addition to the time. A field is `None` if the reply does not contain it.
///
/// ```
/// use daytime::read::{Marker, recognise};
/// let code = recognise(b"60482 24-06-21 12:00:07 50 0 2 640.9 UTC(NIST) *\n")?.code.expect("NIST's");
/// assert_eq!((code.mjd, code.health, code.marker), (60482, Some(2), Some(Marker::Star)));
/// # Ok::<(), daytime::read::Unrecognised>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TimeCode {
    /// Last five digits of the Modified Julian Date.
    pub mjd: u32,
    /// TT: daylight saving time in the United States. 00 is standard time and 50 is daylight time.
    /// Other values count the days until the change: 99 to 51 towards daylight time, 49 to 01
    /// towards standard time.
    pub daylight: Option<u8>,
    /// L: whether the month ends with a leap second (0 none, 1 added, 2 left out).
    pub leap: Option<u8>,
    /// H: the server's health (0 healthy, 1 wrong by up to 5 s, 2 by more, 3 by an unknown amount, 4 in maintenance).
    pub health: Option<u8>,
    /// UT1 - UTC in tenths of a second. Only telephone services send this difference.
    pub dut1_tenths: Option<i8>,
    /// msADV: how early the server sends the code.
    pub advance: Option<Duration>,
    /// The on-time marker. The time in the code is the moment at which this octet was sent.
    pub marker: Option<Marker>,
}

named! {
    /// A time code's on-time marker.
    #[non_exhaustive]
    pub enum Marker {
        /// `*`: the usual marker.
        Star = "*",
        /// `#`: the telephone service has measured the line delay, and sends the code that much earlier.
        Hash = "#",
    }
}

/// The Modified Julian Date of 1 January of the year 1. Modified Julian Date 0 is 17 November 1858.
const MJD_OF_DAY_ONE: i32 = -678_575;

/// Returns the Modified Julian Date of a date.
pub(super) fn mjd(date: NaiveDate) -> i32 {
    date.num_days_from_ce() - 1 + MJD_OF_DAY_ONE
}

/// Whether `digits` differ from the last five digits of the date's Modified Julian Date.
pub(super) fn contradicts(date: NaiveDate, digits: u32) -> bool {
    u32::try_from(mjd(date).rem_euclid(100_000)) != Ok(digits)
}

/// Returns the calendar date for a Modified Julian Date.
pub(super) fn date_of(mjd: u32) -> Option<NaiveDate> {
    let day = i32::try_from(mjd).ok()?.checked_add(1 - MJD_OF_DAY_ONE)?;
    NaiveDate::from_num_days_from_ce_opt(day)
}
