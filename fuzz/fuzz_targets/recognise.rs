//! Reads arbitrary octets as a reply. The parts of the result must agree with each other.

#![no_main]

use chrono::{Datelike, NaiveDateTime, Timelike};
use daytime::read::{
    Flag, Flags, Form, Reason, Recognised, ReplyTime, TimeCode, Unrecognised, recognise,
};
use libfuzzer_sys::fuzz_target;
use std::mem::discriminant;
use std::time::Duration;

fuzz_target!(|reply: &[u8]| {
    let read = recognise(reply);
    assert_eq!(read, recognise(reply), "two readings differ");
    match read {
        Ok(recognised) => check_time(&recognised, reply),
        Err(error) => check_error(&error, reply),
    }
});

fn check_time(read: &Recognised, reply: &[u8]) {
    check_flags(read.flags);
    check_zone(read, reply);
    check_leap_second(read);
    check_weekday(read);
    check_code(read);
    check_end(read, reply);
    let second = Duration::from_secs(1);
    assert!(!read.resolution.is_zero() && read.resolution <= second);
    assert_eq!(read.flags.contains(Flag::Fraction), read.resolution < second);
    let fraction = wall_clocks(read.time)[0].nanosecond() % 1_000_000_000;
    assert_eq!(
        u128::from(fraction) % read.resolution.as_nanos(),
        0,
        "a digit that the reply does not have"
    );
    for flag in [Flag::Binary, Flag::LooksLikeRefusal] {
        assert!(!read.flags.contains(flag), "{flag} on a reply with a time");
    }
}

/// Returns the local times that the reply may mean: one, two or three.
fn wall_clocks(time: ReplyTime) -> Vec<NaiveDateTime> {
    match time {
        ReplyTime::Instant { local, .. } | ReplyTime::WallClock { local } => vec![local],
        ReplyTime::Ambiguous { candidates } => candidates.iter().collect(),
    }
}

fn check_zone(read: &Recognised, reply: &[u8]) {
    let unknown = read.flags.contains(Flag::ZoneUnknown);
    let ambiguous = matches!(read.time, ReplyTime::Ambiguous { .. });
    assert_eq!(read.flags.contains(Flag::AmbiguousDate), ambiguous);
    match read.time {
        ReplyTime::Instant { utc, local } => {
            assert!(read.zone.is_some() && !unknown);
            let whole = |time: NaiveDateTime| time.with_nanosecond(0).expect("a whole second");
            let offset = (whole(local) - whole(utc.naive_utc())).num_seconds();
            assert!(offset.abs() < 86_400 && offset % 60 == 0, "an offset of {offset} s");
        }
        ReplyTime::WallClock { .. } => assert_eq!(read.zone.is_some(), unknown),
        ReplyTime::Ambiguous { candidates } => {
            let readings: Vec<NaiveDateTime> = candidates.iter().collect();
            assert!(
                matches!(readings.len(), 2 | 3) && readings.is_sorted_by(|one, next| one < next)
            );
            assert!(readings.iter().all(|reading| reading.time() == readings[0].time()));
        }
    }
    let Some(zone) = read.zone.as_deref() else { return };
    assert!(!zone.is_empty() && is_printable(zone), "the zone {zone:?}");
    assert!(reply.windows(zone.len()).any(|part| part == zone.as_bytes()));
}

fn check_leap_second(read: &Recognised) {
    let is_leap = |time: NaiveDateTime| time.nanosecond() >= 1_000_000_000;
    let flagged = read.flags.contains(Flag::LeapSecond);
    assert!(wall_clocks(read.time).into_iter().all(|time| is_leap(time) == flagged));
    if let ReplyTime::Instant { utc, .. } = read.time {
        assert_eq!(is_leap(utc.naive_utc()), flagged);
        assert!(!flagged || (utc.hour(), utc.minute()) == (23, 59), "{utc} has no second 60");
    }
}

fn check_weekday(read: &Recognised) {
    let fits = |time: NaiveDateTime| read.weekday.is_none_or(|day| day == time.weekday());
    let expected = !read.flags.contains(Flag::WeekdayMismatch);
    // A weekday that fits only some of the dates selects these dates.
    assert!(wall_clocks(read.time).into_iter().all(|time| fits(time) == expected));
}

fn check_code(read: &Recognised) {
    let coded = matches!(read.form, Form::Nist | Form::Acts | Form::European | Form::Usno);
    assert_eq!(read.code.is_some(), coded, "{}", read.form);
    let TimeCode { mjd, leap, health, dut1_tenths, .. } = read.code.unwrap_or_default();
    assert!(mjd <= 99_999);
    assert_eq!(dut1_tenths.is_some(), read.form == Form::Acts);
    let unhealthy = read.validate().err().and_then(|distrust| distrust.unhealthy);
    assert_eq!(unhealthy, health.filter(|digit| *digit > 0));
    assert_eq!(read.flags.contains(Flag::LeapWarning { seconds: 1 }), leap == Some(1));
    assert_eq!(read.flags.contains(Flag::LeapWarning { seconds: -1 }), leap == Some(2));
    for flag in [Flag::MjdMismatch, Flag::OtmMissing, Flag::OtmHash] {
        assert!(coded || !read.flags.contains(flag), "{flag} in {}", read.form);
    }
}

fn check_error(error: &Unrecognised, reply: &[u8]) {
    check_flags(error.flags);
    // An ellipsis marks text that was shortened.
    let text = error.to_string();
    assert!(is_printable(&text.replace('…', "")), "{text:?}");
    match &error.reason {
        Reason::Empty { octets } => assert_eq!(*octets, reply.len()),
        Reason::TimeProtocol { .. } => assert_eq!(reply.len(), 4),
        Reason::Unexpected { expected, found, octet } => {
            assert!(!expected.is_empty() && !found.is_empty());
            assert!((1..=reply.len() + 1).contains(octet), "octet {octet}");
        }
        other => panic!("unknown reason: {other:?}"),
    }
}

/// A complete line must give the same result if a line ending follows.
fn check_end(read: &Recognised, reply: &[u8]) {
    let ends = |octet: &u8| matches!(octet, b'\r' | b'\n' | 0);
    if reply.iter().any(ends) || reply.len() > 512 || read.flags.contains(Flag::Truncated) {
        return;
    }
    let ended = [reply, b"\r\n"].concat();
    let again = recognise(&ended).expect("as before");
    assert_eq!((read.form, read.time, &read.zone), (again.form, again.time, &again.zone));
}

fn check_flags(flags: Flags) {
    let flags: Vec<Flag> = flags.iter().collect();
    for (index, flag) in flags.iter().enumerate() {
        assert!(is_printable(&flag.to_string()));
        let again = flags[..index].iter().any(|other| discriminant(other) == discriminant(flag));
        assert!(!again, "{flag} twice");
    }
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|octet| (b' '..=b'~').contains(&octet))
}
