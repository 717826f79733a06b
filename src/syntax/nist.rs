//! NIST's time code: `JJJJJ YR-MO-DA HH:MM:SS TT L H msADV UTC(NIST) *`. A line feed precedes it; a
//! space and a line feed follow it. The time is always UTC.
//!
//! Sources: NIST, "Internet Time Service", Daytime Protocol; for TT, the description sent by NIST's
//! telephone service ACTS; replies captured from NIST's servers (see the tests).
//!
//! - `JJJJJ`: Modified Julian Date, last five digits.
//! - `TT`: daylight saving time in the United States at 00:00 UTC. 00 is standard time, 50 is
//!   daylight time. 99 to 51 and 49 to 01 count the days until the change. The clocks change at
//!   2:00 local time on the day when TT is 51 or 01. NIST's page mentions "the month in which the
//!   time change occurs", but its servers count down from 49 days, as ACTS describes. For example,
//!   TT was 16 on 18 October 2025, and the change was on 2 November.
//! - `L`: leap second at the end of the month: 0 none, 1 added, 2 left out.
//! - `H`: the server's health: 0 good, 1 wrong by up to 5 seconds, 2 by more, 3 by an unknown
//!   amount, 4 in maintenance.
//! - `msADV`: number of milliseconds by which the code is sent early, to compensate for the network
//!   delay. `daytime serve` sends 0.0, because it does not estimate this delay.
//! - `*`: the on-time marker.
//!
//! The reader also accepts the ACTS time code, which has UT1 - UTC (`+.3`) instead of H and may
//! have `#` as its marker. It accepts similar codes from other servers too: Greyware's Domain Time
//! ends the code with CR LF, and some test servers send fewer digits for the Modified Julian Date
//! and TT.

use super::cursor::{Cursor, Mismatch, Number};
use super::flags::Flag;
use super::iana::Iana;
use super::recognised::{Form, Parts};
use super::time_code::{Marker, TimeCode, contradicts, mjd};
use super::zone_text::ZoneText;
use crate::clock::Reading;
use crate::reply::{Reply, ReplyError};
use chrono::{Days, NaiveDate, NaiveTime};
use std::time::Duration;

pub(super) fn print(reading: &Reading) -> Result<Reply, ReplyError> {
    let date = reading.utc.date_naive();
    let mjd = mjd(date).rem_euclid(100_000);
    let daylight = daylight_code(date);
    let (leap, health) = (reading.leap as u8, reading.health as u8);
    let time = reading.utc.format("%y-%m-%d %H:%M:%S");
    Reply::nist(format_args!(
        "{mjd:05} {time} {daylight:02} {leap} {health} {:>5} UTC(NIST) * ",
        "0.0"
    ))
}

/// Returns the TT field for a UTC date.
fn daylight_code(today: NaiveDate) -> u64 {
    let (base, idle) = if is_daylight(today) { (0, 50) } else { (50, 0) };
    // The clocks change at 2:00 local time, hours after 00:00 UTC. So the first UTC day that begins
    // in the new time is the day after the change.
    let changed = |days: &u64| {
        let begins = today.checked_add_days(Days::new(*days));
        begins.is_some_and(|day| is_daylight(day) != is_daylight(today))
    };
    (1..=49).find(changed).map_or(idle, |days| base + days)
}

/// Whether the United States uses daylight saving time at 00:00 UTC on this date.
fn is_daylight(date: NaiveDate) -> bool {
    Iana::NEW_YORK.at(&date.and_time(NaiveTime::MIN)).is_dst()
}

pub(super) fn read<'a>(cursor: &mut Cursor<'a>) -> Result<Parts<'a>, Mismatch> {
    let mjd = cursor.number(1..=5, "the Modified Julian Date, five digits")?;
    cursor.spaces()?;
    let date = date(cursor, mjd.value)?;
    cursor.spaces()?;
    let time = cursor.time()?;
    let mut parts = Parts::new(Form::Nist, date, time);
    let mut code = TimeCode { mjd: mjd.value, ..TimeCode::default() };
    match rest(cursor, &mut code) {
        Ok(zone) => parts.zone = Some(zone),
        // The date and time are complete, but the reply stops in the middle of the code.
        Err(mismatch) if mismatch.at_end && cursor.may_be_cut() && mjd.digits == 5 => {
            cursor.flags.add(Flag::Truncated);
        }
        Err(mismatch) => return Err(mismatch),
    }
    if parts.zone.is_some() {
        note_marker(cursor, &code);
    }
    if code.dut1_tenths.is_some() {
        parts.form = Form::Acts;
        cursor.flags.add(Flag::TwoDigitYear);
    }
    note_state(cursor, &code);
    cursor.flags.add_if(contradicts(date, mjd.value), Flag::MjdMismatch);
    Ok(Parts { code: Some(code), ..parts })
}

/// Reads `YR-MO-DA`. The Modified Julian Date determines the century.
fn date(cursor: &mut Cursor, mjd: u32) -> Result<NaiveDate, Mismatch> {
    let year = cursor.number(2..=4, "the year")?;
    cursor.octet(b'-', "a hyphen after the year")?;
    let month = cursor.number(1..=2, "the month")?;
    cursor.octet(b'-', "a hyphen after the month")?;
    let day = cursor.number(1..=2, "the day")?;
    match year.digits {
        2 => {}
        4 => return cursor.date(year, month.value, day),
        _ => return cursor.blame("a year of two digits", year.at),
    }
    let in_century = |century: u32| {
        let year = Number { value: 100 * century + year.value, ..year };
        cursor.date(year, month.value, day).ok()
    };
    // If the Modified Julian Date is for a different day, the usual rule for two-digit years
    // applies.
    let usual = if year.value < 69 { 20 } else { 19 };
    let right = (18..=22).filter_map(in_century).find(|date| !contradicts(*date, mjd));
    match right.or_else(|| in_century(usual)) {
        Some(date) => Ok(date),
        None => cursor.blame("a date that exists", year.at),
    }
}

/// Reads the fields between the time and the marker, and stores them in `code`. Returns the zone.
fn rest<'a>(cursor: &mut Cursor<'a>, code: &mut TimeCode) -> Result<ZoneText<'a>, Mismatch> {
    cursor.spaces()?;
    code.daylight = small(cursor.number(1..=2, "TT, the two digits of daylight saving time")?);
    cursor.spaces()?;
    code.leap = small(cursor.number(1..=1, "L, the digit of the leap second")?);
    cursor.spaces()?;
    match cursor.optional(dut1) {
        Some(tenths) => code.dut1_tenths = Some(tenths),
        None => code.health = small(cursor.number(1..=1, "H, the digit of health")?),
    }
    cursor.spaces()?;
    code.advance = Some(advance(cursor)?);
    cursor.spaces()?;
    let zone = universal(cursor)?;
    cursor.skip_spaces();
    let marker = |(octet, marker)| cursor.take(octet).then_some(marker);
    code.marker = [(b'*', Marker::Star), (b'#', Marker::Hash)].into_iter().find_map(marker);
    Ok(zone)
}

fn small(number: Number) -> Option<u8> {
    u8::try_from(number.value).ok()
}

/// Reads UT1 - UTC, such as `+.3` or `-0.2`, and returns it in tenths of a second.
fn dut1(cursor: &mut Cursor) -> Result<i8, Mismatch> {
    let sign = if cursor.take(b'-') {
        -1
    } else {
        cursor.octet(b'+', "a sign")?;
        1
    };
    cursor.take(b'0');
    cursor.octet(b'.', "a decimal point")?;
    let tenths = cursor.number(1..=1, "tenths of a second")?;
    Ok(sign * i8::try_from(tenths.value).unwrap_or(0))
}

/// Reads a number of milliseconds, usually with one decimal place: `621.4`.
fn advance(cursor: &mut Cursor) -> Result<Duration, Mismatch> {
    const EXPECTED: &str = "msADV, milliseconds";
    let whole = cursor.number(1..=4, EXPECTED)?;
    let tenths = if cursor.take(b'.') { cursor.number(1..=1, EXPECTED)?.value } else { 0 };
    Ok(Duration::from_micros(u64::from(whole.value * 1000 + tenths * 100)))
}

/// Reads `UTC(NIST)`, and checks that a space, the marker or the end of the line follows.
fn universal<'a>(cursor: &mut Cursor<'a>) -> Result<ZoneText<'a>, Mismatch> {
    const WHOLE: &str = "UTC(NIST)";
    let (start, rest) = (cursor.at(), cursor.rest());
    let is_prefix = rest.len() < 3 && b"UTC".starts_with(rest);
    let unclosed = rest.starts_with(b"UTC(") && !rest.contains(&b')');
    if is_prefix || unclosed {
        cursor.run(|_| true);
        return cursor.blame_short(WHOLE, start);
    }
    let zone = ZoneText::universal(cursor)?;
    let ends = |octet: &u8| matches!(octet, b' ' | b'\t' | b'*' | b'#');
    if cursor.rest().first().is_none_or(ends) { Ok(zone) } else { cursor.blame(WHOLE, start) }
}

fn note_marker(cursor: &mut Cursor, code: &TimeCode) {
    match code.marker {
        Some(Marker::Star) => {}
        Some(Marker::Hash) => cursor.flags.add(Flag::OtmHash),
        None => cursor.flags.add(Flag::OtmMissing),
    }
}

fn note_state(cursor: &mut Cursor, code: &TimeCode) {
    match code.leap {
        Some(1) => cursor.flags.add(Flag::LeapWarning { seconds: 1 }),
        Some(2) => cursor.flags.add(Flag::LeapWarning { seconds: -1 }),
        _ => {}
    }
    if let Some(digit @ 1..) = code.health {
        cursor.flags.add(Flag::Unhealthy { digit });
    }
}

#[cfg(test)]
mod tests {
    use super::super::Syntax::Nist;
    use super::super::tests_at::{at, code, read, reply};
    use crate::mentions::mentions;

    #[test]
    fn a_reply_is_read_with_any_spaces() {
        let at = "nist 2002-04-20T13:55:29Z UTC(NIST)";
        assert_eq!(read("\n52384 02-04-20 13:55:29 50 0 0   9.2 UTC(NIST) * \n"), at);
        assert_eq!(read("52384 02-04-20 13:55:29 50 0 0 9.2 UTC(NIST) *"), at);
        assert_eq!(read("52384 2-4-20 13:55:29 50 0 0 9.2 UTC(NIST)*").get(..4), Some("expe"));
        assert_eq!(read("52384 02-4-20 13:55:29 50 0 0 9.2 UTC(NIST)*"), at);
        assert_eq!(read("52384 02-04-20\t13:55:29 50 0 0 9.2 UTC(NIST)\t*\t\n"), at);
        assert_eq!(
            read("52384 02-04-20 13:55:29 50 0 0 9.2 UTC(NIST)"),
            format!("{at} otm-missing")
        );
        assert_eq!(
            read("52384 02-04-20 13:55:29 50 0 0 9.2 UTC(NIST) #"),
            format!("{at} otm-hash")
        );
    }

    #[test]
    fn every_part_of_the_code_is_kept() {
        let expected = TimeCode {
            mjd: 60_482,
            daylight: Some(50),
            leap: Some(1),
            health: Some(4),
            dut1_tenths: None,
            advance: Some(Duration::from_micros(640_900)),
            marker: Some(Marker::Star),
        };
        let reply = "60482 24-06-21 12:00:07 50 1 4 640.9 UTC(NIST) *\r\n";
        assert_eq!(code(reply), expected);
        let flags = "nist 2024-06-21T12:00:07Z UTC(NIST) leap-warning:+1 unhealthy:4";
        assert_eq!(read(reply), flags);
        assert_eq!(read(&reply.replace(" 1 4 ", " 2 0 ")), flags.replace("+1 unhealthy:4", "-1"));
    }

    #[test]
    fn the_modified_julian_date_fixes_the_century_and_is_checked() {
        let at = |reply: &str| read(&format!("{reply} 00 0 0 0.0 UTC(NIST) *"));
        assert_eq!(at("15020 00-01-01 00:00:00"), "nist 1900-01-01T00:00:00Z UTC(NIST)");
        assert_eq!(at("51544 00-01-01 00:00:00"), "nist 2000-01-01T00:00:00Z UTC(NIST)");
        assert_eq!(at("88068 99-12-31 00:00:00"), "nist 2099-12-31T00:00:00Z UTC(NIST)");
        assert_eq!(at("00000 58-11-17 00:00:00"), "nist 1858-11-17T00:00:00Z UTC(NIST)");
        let damaged = "nist 2024-06-21T12:00:07Z UTC(NIST) mjd-mismatch";
        assert_eq!(at("12345 24-06-21 12:00:07"), damaged);
        let wrong = "nist 2024-01-15T22:30:45Z UTC(NIST) mjd-mismatch";
        assert_eq!(at("60336 24-01-15 22:30:45"), wrong);
        assert_eq!(
            at("57753 16-12-31 23:59:60"),
            "nist 2016-12-31T23:59:60Z UTC(NIST) leap-second"
        );
    }

    #[test]
    fn a_modified_julian_date_without_all_digits_contradicts_the_date() {
        let double = "nist 2023-01-02T12:00:00Z UTC(NIST) mjd-mismatch";
        for mjd in ["0", "00", "00000", "1", "9946"] {
            assert_eq!(read(&format!("{mjd} 23-01-02 12:00:00 0 0 0 0 UTC(NIST) *\n")), double);
        }
        assert_eq!(code("0 23-01-02 12:00:00 7 0 0 0 UTC(NIST) *\n").daylight, Some(7));
        let whole = read("59946 23-01-02 12:00:00 00 0 0 0.0 UTC(NIST) *\n");
        assert_eq!(whole, "nist 2023-01-02T12:00:00Z UTC(NIST)");
        // If a truncated line does not start with five digits, it may not be a time code at all.
        assert!(read("7 23-01-02 12:00:00").starts_with("expected"));
    }

    #[test]
    fn a_cut_code_keeps_its_time_but_not_its_zone() {
        let naive = "nist 2024-06-21T12:00:07 - truncated";
        assert_eq!(read("60482 24-06-21 12:00:07 50 0 0 64"), naive);
        assert_eq!(read("60482 24-06-21 12:00:07 50 0 0 640.9 UTC(NI"), naive);
        assert_eq!(read("60482 24-06-21 12:00:07 5"), naive);
        for other in ["GMT", "UTC+0100 *", "UTC(NIST)+1"] {
            let line = read(&format!("60482 24-06-21 12:00:07 50 0 0 640.9 {other}"));
            assert!(!line.contains("truncated") && !line.contains("nist"), "{line}");
        }
        let error = read("60482 24-06-21 12:00:0");
        mentions(&error, &["the second", "\"0\"", "octet 22", "truncated"]);
    }

    #[test]
    fn the_telephone_service_sends_ut1_instead_of_h() {
        let reply = "47222 88-03-02 21:39:15 83 0 +.3 045.0 UTC(NBS) *";
        assert_eq!(read(reply), "acts 1988-03-02T21:39:15Z UTC(NBS) two-digit-year");
        assert_eq!(code(reply).dut1_tenths, Some(3));
        assert_eq!(code(&reply.replace("+.3", "-0.2")).dut1_tenths, Some(-2));
    }
    use super::*;
    use crate::clock::{Health, Leap};

    #[test]
    fn printed_codes_equal_those_of_nists_servers() {
        // These replies come from tests/replies. Each server sends a different msADV.
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
    fn tt_counts_the_days_down_to_the_change() {
        let code = |date: &str| daylight_code(date.parse().expect("date"));
        // In 2026, the clocks change on 8 March and 1 November.
        assert_eq!(code("2026-01-18"), 0);
        assert_eq!(code("2026-01-19"), 99);
        assert_eq!(code("2026-03-07"), 52);
        assert_eq!(code("2026-03-08"), 51);
        assert_eq!(code("2026-03-09"), 50);
        assert_eq!(code("2026-09-13"), 50);
        assert_eq!(code("2026-09-14"), 49);
        assert_eq!(code("2026-11-01"), 1);
        assert_eq!(code("2026-11-02"), 0);
        // On 2 March 1988, ACTS sent TT = 83, and the clocks changed on 3 April.
        assert_eq!(code("1988-03-02"), 83);
    }

    #[test]
    fn the_zone_does_not_change_the_code() {
        let instant = "2026-06-01T00:00:00Z";
        assert_eq!(reply(&Nist, instant, "Asia/Tokyo"), reply(&Nist, instant, "utc"));
    }

    #[test]
    fn the_digits_l_and_h_show_the_state_of_the_clock() {
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
