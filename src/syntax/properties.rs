//! Property tests for every syntax: each printed reply can be read back with the same value. No
//! input, however hostile, makes the reader panic, take long, or return different results for the
//! same octets.

#[path = "../../tests/replies/mod.rs"]
mod replies;

use super::iana::Iana;
use super::{Flag, Form, Recognised, ReplyTime, Syntax, Zone, recognise, utc_offset};
use crate::clock::Reading;
use crate::reply::Printable;
use chrono::{DateTime, Datelike, FixedOffset, NaiveDateTime, Offset, TimeZone, Timelike, Utc};
use nix::time::{ClockId, clock_gettime};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;

/// The instants to test, in seconds since 1970: the years 1970 to 2099.
const SECONDS: std::ops::Range<i64> = 0..4_102_444_800;

/// 30 June 1972, in days since 1970: the first day that ended with a leap second.
const FIRST_LEAP_DAY: i64 = 911;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn every_printed_reply_is_read_back(
        second in SECONDS,
        nanosecond in 0u32..1_000_000_000,
        zone in prop_oneof![zone_of_the_database(), fixed_offset(1)],
    ) {
        let utc = DateTime::from_timestamp(second, nanosecond).expect("in range");
        for syntax in Syntax::NAMED {
            assert_read_back(syntax, utc, zone);
        }
    }

    #[test]
    fn a_leap_second_is_read_back(
        day in FIRST_LEAP_DAY..SECONDS.end / 86_400,
        zone in prop_oneof![zone_of_the_database(), fixed_offset(5)],
    ) {
        for syntax in Syntax::NAMED {
            assert_read_back(syntax, leap_second(day), zone);
        }
    }

    #[test]
    fn no_octets_cause_a_panic_or_take_long(octets in prop::collection::vec(any::<u8>(), 0..600)) {
        assert_quick_and_sure(&octets);
    }

    #[test]
    fn no_parts_of_replies_in_any_order_cause_a_panic_or_take_long(parts in prop::collection::vec(part(), 0..150)) {
        assert_quick_and_sure(&parts.concat());
    }
}

#[test]
fn every_offset_and_abbreviation_of_every_zone_is_read_back() {
    let mut checked = 0;
    for name in Iana::names() {
        let zone: Zone = name.parse().expect("a zone");
        let mut seen = BTreeSet::new();
        for second in SECONDS.step_by(30 * 86_400) {
            let utc = DateTime::from_timestamp(second, 0).expect("in range");
            let offset = zone.offset_from_utc_datetime(&utc.naive_utc());
            let leaps = second / 86_400 >= FIRST_LEAP_DAY;
            if seen.insert((leaps, offset.fix().local_minus_utc(), offset.to_string())) {
                for syntax in Syntax::NAMED {
                    assert_read_back(syntax, utc, zone);
                    if leaps {
                        assert_read_back(syntax, leap_second(second / 86_400), zone);
                    }
                }
                checked += 1;
            }
        }
    }
    assert!(checked > 1000, "only {checked} offsets found");
}

#[test]
fn no_prefix_or_flipped_bit_of_a_reply_causes_a_panic_or_takes_long() {
    let replies = replies();
    assert_eq!(replies.len(), 58 + Syntax::NAMED.len());
    for mut reply in replies {
        (0..=reply.len()).for_each(|length| assert_quick_and_sure(&reply[..length]));
        // One saved reply has 5000 equal octets. Flipping bits in its first 100 octets is enough.
        for index in 0..reply.len().min(100) {
            for bit in 0..8 {
                reply[index] ^= 1 << bit;
                assert_quick_and_sure(&reply);
                reply[index] ^= 1 << bit;
            }
        }
    }
}

#[test]
fn no_repeated_octet_takes_long() {
    for octet in 0..=u8::MAX {
        assert_quick_and_sure(&[octet; 4096]);
        assert_quick_and_sure(&vec![octet; 65_536]);
    }
}

#[test]
fn no_repeated_or_padded_reply_takes_long() {
    let parts = replies().into_iter().chain(PARTS.iter().map(|part| part.as_bytes().to_vec()));
    for part in parts.filter(|part| !part.is_empty()) {
        for between in [&b""[..], b" ", b"\r\n"] {
            let once = [&part[..], between].concat();
            assert_quick_and_sure(&once.repeat(65_536 / once.len()));
        }
        let blank = vec![b' '; 32_768];
        assert_quick_and_sure(&[&blank[..], &part, &blank].concat());
    }
}

/// Returns 23:59:60 UTC on a day, given as the number of days since 1970-01-01.
fn leap_second(day: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(day * 86_400 + 86_399, 1_000_000_000).expect("in range")
}

/// Prints a reply, reads it back, and asserts that every value read equals the value printed.
fn assert_read_back(syntax: &Syntax, utc: DateTime<Utc>, zone: Zone) {
    let reply = syntax.print(&Reading::at(utc), zone).expect("printable");
    let line = reply.octets().escape_ascii().to_string();
    let read = recognise(reply.octets()).unwrap_or_else(|error| panic!("{line}: {error}"));
    let local = shown(syntax, whole_second(utc), zone);
    let years = years_lost(syntax, local);
    assert_eq!(read.form, form(syntax), "{line}");
    assert_eq!(read.naive(), Some(without_years(local, years)), "{line}");
    match read.time {
        ReplyTime::Instant { utc: claimed, .. } => {
            let true_utc = without_years(whole_second(utc).naive_utc(), years);
            assert_eq!(claimed.naive_utc(), true_utc, "{line}");
        }
        time => {
            // The syntax prints no zone, or the printed zone name has several meanings.
            let wall = matches!(time, ReplyTime::WallClock { .. });
            assert!(wall && may_be_vague(syntax, &read), "{line}");
        }
    }
    let expected = |flag| match flag {
        Flag::TwoDigitYear => *syntax == Syntax::Smtp,
        Flag::LeapSecond => utc.nanosecond() >= 1_000_000_000,
        Flag::ZoneUnknown => read.utc().is_none(),
        _ => false,
    };
    assert!(read.flags.iter().all(expected), "{line}: {:?}", read.flags);
}

fn form(syntax: &Syntax) -> Form {
    match syntax {
        Syntax::Ctime => Form::Ctime,
        Syntax::Nist => Form::Nist,
        Syntax::Rfc3339 => Form::Rfc3339,
        Syntax::Rfc867 => Form::Rfc867,
        Syntax::Smtp => Form::Smtp,
        Syntax::Strftime(_) => panic!("a pattern has no form of its own"),
    }
}

/// Returns the instant without its fraction of a second, because the named syntaxes print none. A
/// leap second stays second 60.
fn whole_second(utc: DateTime<Utc>) -> DateTime<Utc> {
    let whole = utc.nanosecond() / 1_000_000_000 * 1_000_000_000;
    utc.with_nanosecond(whole).expect("a second's beginning")
}

/// Returns the local date and time that a syntax prints for this instant and zone.
fn shown(syntax: &Syntax, utc: DateTime<Utc>, zone: Zone) -> NaiveDateTime {
    let local = utc.with_timezone(&zone);
    match syntax {
        Syntax::Nist => utc.naive_utc(),
        Syntax::Rfc3339 => {
            let seconds = local.offset().fix().local_minus_utc() / 60 * 60;
            let to_the_minute = FixedOffset::east_opt(seconds).expect("an offset");
            utc.with_timezone(&to_the_minute).naive_local()
        }
        _ => local.naive_local(),
    }
}

/// Returns 100 if the reader places this date's two-digit year one century too early. Otherwise
/// returns 0.
fn years_lost(syntax: &Syntax, local: NaiveDateTime) -> i32 {
    match (syntax, local.year()) {
        (Syntax::Smtp, 2069..) => 100,
        (Syntax::Smtp, ..1969) => panic!("years before 1969 would be read too high"),
        _ => 0,
    }
}

fn without_years(time: NaiveDateTime, years: i32) -> NaiveDateTime {
    time.with_year(time.year() - years).expect("leap years repeat within 1901 to 2099")
}

fn may_be_vague(syntax: &Syntax, read: &Recognised) -> bool {
    let alphabetic = |zone: &str| zone.bytes().all(|octet| octet.is_ascii_alphabetic());
    match syntax {
        Syntax::Ctime => read.zone.is_none(),
        Syntax::Rfc867 | Syntax::Smtp => {
            let vague = |zone: &str| alphabetic(zone) && utc_offset::rfc822_hours(zone).is_none();
            read.zone.as_deref().is_some_and(vague)
        }
        _ => false,
    }
}

fn zone_of_the_database() -> impl Strategy<Value = Zone> {
    let zone = |name: &str| name.parse().expect("a zone");
    prop::sample::select(Iana::names().collect::<Vec<_>>()).prop_map(zone)
}

/// Generates zones with fixed offsets that are multiples of `step` minutes.
fn fixed_offset(step: i32) -> impl Strategy<Value = Zone> {
    (-1439 / step..=1439 / step).prop_map(move |steps| {
        let (sign, minutes) = (if steps < 0 { '-' } else { '+' }, (steps * step).abs());
        let text = format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60);
        text.parse().expect("an offset")
    })
}

/// Returns the replies saved from servers, and one reply in each named syntax.
fn replies() -> Vec<Vec<u8>> {
    let reading = Reading::at("1982-02-23T01:37:43Z".parse().expect("an instant"));
    let zone = "America/Los_Angeles".parse().expect("a zone");
    let print =
        |syntax: &Syntax| syntax.print(&reading, zone).expect("printable").octets().to_vec();
    let saved = replies::saved().into_iter().map(|saved| saved.reply);
    saved.chain(Syntax::NAMED.iter().map(print)).collect()
}

/// Fragments of replies. Together they reach every branch in the reader.
#[rustfmt::skip]
const PARTS: [&str; 56] = [
    " ", ", ", "-", "/", ".", ":", "\r\n", "\n", "\t", "\0", "\u{a0}", "\u{202f}", "(", ")", "[", "]", "*", "#", "+", "T", "Z",
    "3", "16", "60", "366", "2024", "82", "60482", "050", "-0300", "+05:30", "+.3", "621.4", "16:05:11", "4:05:11",
    "16.05.11", "23:59:60", ",5", "2024-07-03", "3/7/2024", "98/11/21", "20240703T140511", "Wed", "Wednesday", "mar.",
    "суббота", "JUL", "July", "M\u{e4}rz", "PM", "下午", "UTC", "GMT", "CEST", "UTC(NIST) *", " Standard Time",
];

fn part() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(&PARTS[..]).prop_map(|part| part.as_bytes().to_vec());
    prop_oneof![8 => known, 1 => prop::collection::vec(any::<u8>(), 0..4)]
}

/// Asserts that reading the octets twice gives the same result, and that one reading takes at most
/// 10 milliseconds of processor time. One fast try is enough, because the kernel charges interrupts
/// to the running thread and so makes some tries slower.
fn assert_quick_and_sure(octets: &[u8]) {
    const TRIES: usize = 50;
    // A scan whose time grows with the square of the length takes a hundred times as long, so this
    // limit detects such a scan on any machine.
    const LIMIT: Duration = Duration::from_millis(10);
    let start = Printable(&octets[..octets.len().min(100)]);
    let (read, time) = timed(|| recognise(octets));
    assert_eq!(read, recognise(octets), "{start}");
    let quick = time <= LIMIT || (1..TRIES).any(|_| timed(|| recognise(octets)).1 <= LIMIT);
    assert!(quick, "{} octets take longer: {start}", octets.len());
}

/// Returns the result of `act`, and the processor time that this thread spent on the call.
fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let charged =
        || clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).expect("a clock");
    let before = charged();
    let result = std::hint::black_box(act());
    (result, charged().saturating_sub(before))
}
