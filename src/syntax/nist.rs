//! NIST's time code: `JJJJJ YR-MO-DA HH:MM:SS TT L H msADV UTC(NIST) *`, a line feed before it, a
//! space and a line feed after it. Always UTC.
//!
//! Sources: NIST, "Internet Time Service", Daytime Protocol; the description that its telephone
//! service ACTS sends (for TT); replies captured from its servers (below).
//!
//! - `JJJJJ` Modified Julian Date, last five digits.
//! - `TT` daylight saving time in the United States, counted at 00:00 UTC: 00 standard time, 50
//!   daylight time, 99 to 51 and 49 to 01 the days until the change, which is at 2:00 local time on
//!   the day of 51 or 01. NIST's page speaks of "the month in which the time change occurs"; its
//!   servers count as ACTS says, for 49 days (18 October 2025 was 16, with the change on
//!   2 November).
//! - `L` leap second at the end of the month: 0 none, 1 added, 2 left out.
//! - `H` health: 0 good, 1 wrong by up to 5 seconds, 3 wrong by an unknown amount.
//! - `msADV` milliseconds the code is sent early: 0.0, because we do not guess at the way back.

use crate::clock::{Health, Leap, Reading};
use crate::reply::{Reply, ReplyError};
use chrono::{Datelike, Days, NaiveDate, NaiveTime, TimeZone};
use chrono_tz::{OffsetComponents, Tz};

/// The Modified Julian Date of day 1 of the year 1: 17 November 1858 is 0.
const MJD_OF_DAY_ONE: i32 = -678_575;

pub(super) fn print(reading: &Reading) -> Result<Reply, ReplyError> {
    let date = reading.utc.date_naive();
    let mjd = (date.num_days_from_ce() - 1 + MJD_OF_DAY_ONE).rem_euclid(100_000);
    let daylight = daylight_code(date);
    let leap = match reading.leap {
        Leap::None => 0,
        Leap::Added => 1,
        Leap::Deleted => 2,
    };
    let health = match reading.health {
        Health::Synchronised => 0,
        Health::WithinFiveSeconds => 1,
        Health::Unknown => 3,
    };
    let time = reading.utc.format("%y-%m-%d %H:%M:%S");
    Reply::nist(format_args!(
        "{mjd:05} {time} {daylight:02} {leap} {health} {:>5} UTC(NIST) * ",
        "0.0"
    ))
}

/// The code TT of a UTC date.
fn daylight_code(today: NaiveDate) -> u64 {
    let (base, idle) = if is_daylight(today) { (0, 50) } else { (50, 0) };
    // The change is at 2:00 on the continent, hours after 00:00 UTC of its day: the first day that
    // begins otherwise than today is the day after it.
    let changed = |days: &u64| {
        let begins = today.checked_add_days(Days::new(*days));
        begins.is_some_and(|day| is_daylight(day) != is_daylight(today))
    };
    (1..=49).find(changed).map_or(idle, |days| base + days)
}

/// True if the United States is on daylight time at 00:00 UTC of this date.
fn is_daylight(date: NaiveDate) -> bool {
    let offset = Tz::America__New_York.offset_from_utc_datetime(&date.and_time(NaiveTime::MIN));
    !offset.dst_offset().is_zero()
}

#[cfg(test)]
mod tests {
    use super::super::Syntax::Nist;
    use super::super::tests_at::{at, reply};
    use super::*;

    #[test]
    fn it_agrees_with_what_nists_servers_sent() {
        // From the replies that tests/replies keeps; msADV is each server's own.
        let captured = [
            ("60966 25-10-18 07:09:27 16 0 0", "2025-10-18T07:09:27Z"),
            ("58427 18-11-05 02:21:53 00 0 0", "2018-11-05T02:21:53Z"),
            ("52384 02-04-20 13:55:29 50 0 0", "2002-04-20T13:55:29Z"),
            ("55488 10-10-19 16:03:15 20 0 0", "2010-10-19T16:03:15Z"),
            ("60234 23-10-17 11:05:40 20 0 0", "2023-10-17T11:05:40Z"),
            ("57912 17-06-08 18:28:35 50 0 0", "2017-06-08T18:28:35Z"),
            ("58788 19-11-01 00:37:14 03 0 0", "2019-11-01T00:37:14Z"),
            ("59133 20-10-11 15:17:56 22 0 0", "2020-10-11T15:17:56Z"),
            ("59576 21-12-28 03:14:42 00 0 0", "2021-12-28T03:14:42Z"),
        ];
        for (code, instant) in captured {
            assert_eq!(reply(&Nist, instant, "utc"), format!("\n{code}   0.0 UTC(NIST) * \n"));
        }
    }

    #[test]
    fn the_days_are_counted_down_to_the_change_and_not_past_it() {
        let code = |date: &str| daylight_code(date.parse().expect("date"));
        // In 2026 the changes are on 8 March and 1 November.
        assert_eq!(code("2026-01-18"), 0);
        assert_eq!(code("2026-01-19"), 99);
        assert_eq!(code("2026-03-07"), 52);
        assert_eq!(code("2026-03-08"), 51);
        assert_eq!(code("2026-03-09"), 50);
        assert_eq!(code("2026-09-13"), 50);
        assert_eq!(code("2026-09-14"), 49);
        assert_eq!(code("2026-11-01"), 1);
        assert_eq!(code("2026-11-02"), 0);
        // ACTS, 2 March 1988: 83, with the change on 3 April.
        assert_eq!(code("1988-03-02"), 83);
    }

    #[test]
    fn the_zone_has_no_say() {
        let instant = "2026-06-01T00:00:00Z";
        assert_eq!(reply(&Nist, instant, "Asia/Tokyo"), reply(&Nist, instant, "utc"));
    }

    #[test]
    fn the_digits_l_and_h_tell_the_state_of_the_clock() {
        let print = |leap, health| {
            let reading = Reading { leap, health, ..at("2016-12-31T23:59:60Z") };
            String::from_utf8(print(&reading).expect("printable").octets().to_vec()).expect("ASCII")
        };
        let good = print(Leap::Added, Health::Synchronised);
        assert_eq!(good, "\n57753 16-12-31 23:59:60 00 1 0   0.0 UTC(NIST) * \n");
        let fair = print(Leap::Deleted, Health::WithinFiveSeconds);
        assert_eq!(fair, "\n57753 16-12-31 23:59:60 00 2 1   0.0 UTC(NIST) * \n");
        let bad = print(Leap::None, Health::Unknown);
        assert_eq!(bad, "\n57753 16-12-31 23:59:60 00 0 3   0.0 UTC(NIST) * \n");
    }
}
