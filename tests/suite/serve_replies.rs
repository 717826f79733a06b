//! Tests each syntax and each kind of zone, as a client reads the reply from the socket.

use crate::support::wire::{ask_tcp, ask_udp};
use crate::support::{PATIENCE, Running, daytime, skip};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use std::path::Path;
use std::time::SystemTime;

/// Returns the replies over both transports. They are the same unless the second changed between
/// the questions.
fn replies(arguments: &[&str]) -> [String; 2] {
    let server = Running::serve(arguments);
    let octets = [ask_tcp(server.tcp()), ask_udp(server.udp(), b"")];
    octets.map(|octets| {
        assert!(octets.is_ascii() && octets.len() <= 512, "{}", octets.escape_ascii());
        String::from_utf8(octets).expect("ASCII")
    })
}

/// Asserts that a time of day in UTC, read by a pattern of chrono, is now.
fn assert_is_now(text: &str, pattern: &str) {
    let read = NaiveDateTime::parse_from_str(text, pattern);
    let shown = read.unwrap_or_else(|error| panic!("{text:?} is no {pattern:?}: {error}"));
    assert_near(shown.and_utc());
}

fn assert_near(shown: DateTime<Utc>) {
    let apart = DateTime::<Utc>::from(SystemTime::now()) - shown;
    let patience = TimeDelta::from_std(PATIENCE).expect("small");
    assert!(apart >= TimeDelta::zero() && apart < patience, "{shown} is {apart} ago");
}

#[test]
fn the_default_syntax_is_the_first_of_rfc_867_in_utc() {
    for reply in replies(&[]) {
        assert_is_now(&reply, "%A, %B %d, %Y %H:%M:%S-UTC\r\n");
    }
}

#[test]
fn the_syntax_rfc867_is_the_default() {
    for reply in replies(&["--syntax", "rfc867"]) {
        assert_is_now(&reply, "%A, %B %d, %Y %H:%M:%S-UTC\r\n");
    }
}

#[test]
fn the_syntax_smtp_is_the_second_of_rfc_867() {
    for reply in replies(&["--syntax", "smtp"]) {
        assert_eq!(reply, reply.to_uppercase());
        assert_is_now(&reply, "%d %b %y %H:%M:%S UTC\r\n");
    }
}

#[test]
fn the_syntax_ctime_pads_the_day_with_a_space() {
    for reply in replies(&["--syntax", "ctime"]) {
        assert_is_now(&reply, "%a %b %e %H:%M:%S %Y\r\n");
        assert_eq!(reply.len(), "Mon Feb 22 17:37:43 1982\r\n".len());
    }
}

#[test]
fn the_syntax_rfc3339_has_whole_seconds_and_z_for_utc() {
    for reply in replies(&["--syntax", "rfc3339"]) {
        assert_is_now(&reply, "%Y-%m-%dT%H:%M:%SZ\r\n");
    }
}

#[test]
fn the_syntax_rfc3339_has_the_offset_of_any_other_zone() {
    for reply in replies(&["--syntax", "rfc3339", "--zone", "-03:30"]) {
        let line = reply.strip_suffix("-03:30\r\n").unwrap_or_else(|| panic!("{reply:?}"));
        let shown = NaiveDateTime::parse_from_str(line, "%Y-%m-%dT%H:%M:%S").expect("RFC 3339");
        assert_near(shown.and_utc() + TimeDelta::minutes(210));
    }
}

#[test]
fn the_syntax_nist_keeps_its_own_frame() {
    for reply in replies(&["--syntax", "nist"]) {
        let framed = reply.strip_prefix('\n').and_then(|it| it.strip_suffix(" UTC(NIST) * \n"));
        let code = framed.unwrap_or_else(|| panic!("{reply:?}"));
        let fields: Vec<&str> = code.split_whitespace().collect();
        let [day, date, time, daylight, leap, health, advance] = fields[..] else {
            panic!("{fields:?}")
        };
        assert_is_now(&format!("{date} {time}"), "%y-%m-%d %H:%M:%S");
        let modified_julian = day.parse::<i64>().expect("a number");
        assert!((modified_julian - (40_587 + days_since_1970())).abs() <= 1, "{day}");
        assert!(daylight.parse::<u8>().is_ok_and(|code| code <= 99), "{daylight}");
        assert!(["0", "1", "2"].contains(&leap), "{leap}");
        assert!(["0", "1", "3"].contains(&health), "{health}");
        assert_eq!(advance, "0.0");
    }
}

#[test]
fn a_pattern_writes_any_line() {
    for reply in replies(&["--strftime", "%s seconds since %% 1970"]) {
        let number = reply.strip_suffix(" seconds since % 1970\r\n").expect("the pattern");
        let seconds = number.parse().expect("a number");
        assert_near(DateTime::from_timestamp(seconds, 0).expect("in range"));
    }
}

#[test]
fn a_zone_by_name_shows_its_own_abbreviation_and_time() {
    for reply in replies(&["--zone", "Europe/Rome", "--syntax", "smtp"]) {
        let (time, zone) = reply.trim_end().rsplit_once(' ').expect("a zone");
        let hours = match zone {
            "CET" => 1,
            "CEST" => 2,
            other => panic!("Rome is in {other}"),
        };
        let pattern = "%d %b %y %H:%M:%S";
        let shown = NaiveDateTime::parse_from_str(time, pattern).expect("the syntax");
        assert_near(shown.and_utc() - TimeDelta::hours(hours));
    }
}

#[test]
fn a_fixed_offset_is_shown_as_it_was_given() {
    for (zone, shown) in [("+05:30", "+0530"), ("-0300", "-0300")] {
        for reply in replies(&["--zone", zone, "--strftime", "%F %T %z %Z"]) {
            let line = reply.strip_suffix("\r\n").expect("CR LF");
            let time = line.strip_suffix(&format!(" {shown}")).expect("the offset as the zone");
            let read = DateTime::parse_from_str(time, "%F %T %z").expect("the pattern");
            assert_near(read.to_utc());
        }
    }
}

#[test]
fn the_local_zone_is_that_of_the_environment() {
    let mut spellings = vec!["Asia/Tokyo", ":Asia/Tokyo", "posix/Asia/Tokyo"];
    let file = "/usr/share/zoneinfo/Asia/Tokyo";
    if Path::new(file).exists() {
        spellings.push(file);
    } else {
        skip(&format!("there is no {file}"));
    }
    for spelling in spellings {
        let mut command = daytime();
        command.args(["serve", "--port", "0", "--zone", "local", "--strftime", "%Z"]);
        command.env("TZ", spelling);
        let server = Running::start(command);
        assert_eq!(ask_tcp(server.tcp()), b"JST\r\n", "{spelling}");
    }
}

fn days_since_1970() -> i64 {
    DateTime::<Utc>::from(SystemTime::now()).timestamp() / 86_400
}
