//! Describes the meaning of a reply: its time, its syntax, and any peculiarities.

use super::page::{Columns, PLAIN, Page};
use super::plural;
use crate::reply::Printable;
use crate::syntax::{Flag, Form, Marker, Reason, Recognised, ReplyTime, TimeCode, Unrecognised};
use chrono::NaiveDateTime;
use std::iter;
use std::slice;
use std::time::Duration;

/// Columns of the lines below a reply: label and text.
const ENTRY: Columns<2> = Columns(4, [6, 68]);

/// Returns the lines below a reply: meaning, syntax and notes. If `offset` is given, also returns the local clock's
/// offset.
pub(crate) fn lines(recognised: &Recognised, offset: Option<String>) -> String {
    let meaning = ("means", meaning(recognised));
    let offset = offset.map(|offset| ("offset", offset));
    let syntax = ("syntax", syntax(recognised));
    let code = recognised.code.as_ref().map(|it| ("code", code(recognised.form, it)));
    let notes = notes(recognised).into_iter().map(|note| ("note", note));
    entries([Some(meaning), offset, Some(syntax), code].into_iter().flatten().chain(notes))
}

/// Returns the lines below a reply that is not in a known form.
pub(crate) fn unknown(error: &Unrecognised) -> String {
    let meaning = format!("not a time in a known form: {}", reason(error));
    let notes = hints(error).map(|note| ("note", note.to_owned()));
    entries(iter::once(("means", meaning)).chain(notes))
}

fn entries(entries: impl Iterator<Item = (&'static str, String)>) -> String {
    let mut page = Page::default();
    for (label, text) in entries {
        page.row(&ENTRY, [(PLAIN, label), (PLAIN, &text)]);
    }
    page.finish()
}

/// Returns the octets as escaped text, without the line endings around them. Shortens a long reply; `--json` prints the
/// complete reply.
pub(crate) fn printable_line(octets: &[u8]) -> String {
    const MAX_CHARACTERS: usize = 240;
    let mut text = String::new();
    for octet in Printable::line(octets).0 {
        let escaped = Printable(slice::from_ref(octet)).to_string();
        if text.len() + escaped.len() > MAX_CHARACTERS {
            return text + "…";
        }
        text += &escaped;
    }
    text
}

/// Returns the time in a format for scripts. A time in UTC ends in `Z`; a time in an unknown zone does not.
pub(crate) fn time(recognised: &Recognised) -> String {
    match recognised.time {
        ReplyTime::Instant { utc, .. } => format!("{}Z", rfc3339(utc.naive_utc())),
        ReplyTime::WallClock { local } => rfc3339(local),
        ReplyTime::Ambiguous { candidates } => {
            candidates.iter().map(rfc3339).collect::<Vec<_>>().join(" or ")
        }
    }
}

/// Returns the reasons to distrust the reply: the server reports that it is unhealthy, or the reply contradicts itself.
pub(crate) fn faults(recognised: &Recognised) -> Vec<String> {
    let Err(distrust) = recognised.validate() else { return Vec::new() };
    let unhealthy = distrust
        .unhealthy
        .map(|digit| format!("server reports itself unhealthy (H={digit}): {}", health(digit)));
    let contradictions = distrust.contradictions.iter().map(|flag| contradiction(flag, recognised));
    unhealthy.into_iter().chain(contradictions).collect()
}

fn rfc3339(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.f").to_string()
}

fn meaning(recognised: &Recognised) -> String {
    let time = time(recognised);
    let has = |flag| recognised.flags.contains(flag);
    match (recognised.time, recognised.zone.as_deref()) {
        (ReplyTime::Instant { .. }, Some(zone)) if zone.starts_with(['+', '-']) => {
            format!("{time}: it names the offset, {zone}")
        }
        (ReplyTime::Instant { utc, local }, zone) => {
            let ahead = (local - utc.naive_utc()).num_minutes();
            let sign = if ahead < 0 { '-' } else { '+' };
            let (hours, minutes) = (ahead.abs() / 60, ahead.abs() % 60);
            let zone = zone.unwrap_or("");
            format!("{time}: it names its zone, {zone} ({sign}{hours:02}:{minutes:02})")
        }
        (ReplyTime::WallClock { .. }, zone) => {
            let why = match zone {
                _ if has(Flag::Truncated) => "the line is cut, its zone may be missing".to_owned(),
                None => "it names no zone".to_owned(),
                Some(zone) if has(Flag::ZoneConflict) => {
                    format!("it names another zone besides {zone}")
                }
                Some(zone) => format!("the name {zone} does not fix the offset"),
            };
            format!("{time} in an unknown zone: {why}")
        }
        (ReplyTime::Ambiguous { candidates }, zone) => {
            let unknown = has(Flag::ZoneUnknown);
            let fixed = if unknown { "which does not fix the offset" } else { "which is known" };
            let zone = zone.map(|zone| format!("; it names its zone, {zone}, {fixed}"));
            format!("{time}: {}{}", candidates.uncertainty(), zone.unwrap_or_default())
        }
    }
}

fn syntax(recognised: &Recognised) -> String {
    let form = recognised.form;
    let resolution = recognised.resolution;
    let unit = if resolution == Duration::from_secs(1) {
        "the second".to_owned()
    } else {
        format!("{resolution:?}")
    };
    format!("{form}, {}; to {unit}", described(form))
}

fn described(form: Form) -> &'static str {
    match form {
        Form::Acts => "NIST's time code by telephone",
        Form::Ctime => "ctime(3) or date(1)",
        Form::European => "the European telephone time code",
        Form::Free => "a named month in no usual order",
        Form::Nist => "NIST's time code",
        Form::Numeric => "a date in numbers (Windows, cameras)",
        Form::Rfc3339 => "RFC 3339 or near it",
        Form::Rfc5322 => "the date of a mail",
        Form::Rfc850 => "RFC 850's date",
        Form::Rfc867 => "RFC 867's first example",
        Form::Smtp => "RFC 867's second example",
        Form::TrueTime => "TrueTime's time servers",
        Form::Usno => "the U.S. Naval Observatory's time code",
    }
}

/// Describes the fields of a time code that carry a meaning.
fn code(form: Form, code: &TimeCode) -> String {
    let mjd = format!("MJD {}", code.mjd);
    let daylight = code.daylight.map(|tt| format!("TT={tt:02}: {}", daylight(tt)));
    let leap = code.leap.map(|l| format!("L={l}: {}", leap(l)));
    let health = code.health.map(|h| format!("H={h}: {}", health(h)));
    let dut1 = code.dut1_tenths.map(|it| format!("UT1 is {:+.1} s off UTC", f64::from(it) / 10.0));
    let advance = code.advance.map(|advance| {
        let milliseconds = format!("{:.1}", advance.as_secs_f64() * 1e3);
        format!("msADV={milliseconds}: sent {milliseconds} ms early")
    });
    // Other telephone codes also end in `*`, but their specifications do not define this mark.
    let marker = code.marker.filter(|_| matches!(form, Form::Nist | Form::Acts));
    let marker = marker.map(|marker| {
        let corrected =
            if marker == Marker::Hash { ", corrected for the telephone line" } else { "" };
        format!("{marker}: the on-time marker{corrected}")
    });
    let parts = [Some(mjd), daylight, leap, health, dut1, advance, marker];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// Describes the field TT of a NIST time code: whether the US is on daylight saving time, and the days until the next
/// change.
fn daylight(tt: u8) -> String {
    match tt {
        0 => "standard time in the US".to_owned(),
        50 => "daylight time in the US".to_owned(),
        1 | 51 => "the US change their clocks today".to_owned(),
        2..50 => format!("daylight time in the US, for {} more", plural(u64::from(tt) - 1, "day")),
        52..100 => {
            format!("standard time in the US, for {} more", plural(u64::from(tt) - 51, "day"))
        }
        100.. => "not a defined value".to_owned(),
    }
}

fn leap(l: u8) -> &'static str {
    match l {
        0 => "no leap second",
        1 => "a second is added at the end of the month",
        2 => "a second is left out at the end of the month",
        _ => "not a defined value",
    }
}

fn health(h: u8) -> &'static str {
    match h {
        0 => "healthy",
        1 => "its time may be wrong by up to 5 seconds",
        2 => "its time is wrong by more than 5 seconds",
        3 => "by how much its time is wrong is unknown",
        4 => "it is in maintenance",
        _ => "not a defined value",
    }
}

/// Describes the flags that the lines `means` and `code` do not cover.
fn notes(recognised: &Recognised) -> Vec<String> {
    let numeric = recognised.form == Form::Numeric;
    let note = |flag| match flag {
        Flag::TwoDigitYear if numeric => {
            Some("the year has two digits: which part it is, and its century, is inferred")
        }
        _ => note(flag),
    };
    let others = recognised.flags.iter().filter_map(note).map(str::to_owned);
    faults(recognised).into_iter().chain(others).collect()
}

fn contradiction(flag: Flag, recognised: &Recognised) -> String {
    let what = match (flag, recognised.weekday, recognised.naive()) {
        (Flag::WeekdayMismatch, Some(named), Some(time)) => {
            let date = time.date();
            // `%A` formats a date's weekday, so this needs a date on the named weekday: the first day of a week that
            // begins on this weekday.
            let named = date.week(named).first_day().format("%A");
            format!("it says {named}, but {date} was a {}", date.format("%A"))
        }
        (Flag::WeekdayMismatch, ..) => "neither date has that weekday".to_owned(),
        (Flag::MjdMismatch, ..) => "the Modified Julian Date does not match the date".to_owned(),
        _ => "it names two zones".to_owned(),
    };
    format!("it contradicts itself: {what}")
}

fn note(flag: Flag) -> Option<&'static str> {
    Some(match flag {
        Flag::TwoDigitYear => "the year has two digits, its century is inferred",
        Flag::LeapSecond => "this is a leap second",
        Flag::LeapWarning { seconds: 1.. } => "a leap second is announced for the end of the month",
        Flag::LeapWarning { .. } => "the last second of the month is going to be left out",
        Flag::OtmMissing => "the on-time marker is missing",
        Flag::OtmHash => "the on-time marker is #, which belongs on a telephone line",
        Flag::LocaleNames => "names are not in English",
        Flag::Nul => "it contains NUL octets",
        Flag::ControlChars => "it contains control characters",
        Flag::NonAscii => "it contains octets that are not ASCII",
        Flag::TrailingGarbage => "octets that are not part of the time follow it",
        Flag::SecondLine => "another line follows",
        Flag::Truncated => "it ends in the middle",
        _ => return None,
    })
}

/// Returns the reason why a reply is not a time. For words and for binary data, the reason is their kind, which says
/// more than the octet at which parsing stopped.
pub(crate) fn reason(error: &Unrecognised) -> String {
    let has = |flag| error.flags.contains(flag);
    match error.reason {
        Reason::Unexpected { .. } if has(Flag::Binary) => "binary data instead of text".to_owned(),
        Reason::Unexpected { .. } if has(Flag::LooksLikeRefusal) => {
            "words instead of a time, perhaps a refusal".to_owned()
        }
        _ => error.to_string(),
    }
}

/// Describes the flags of an unrecognised reply. Omits the flags that the error's text already explains.
pub(crate) fn hints(error: &Unrecognised) -> impl Iterator<Item = &'static str> {
    let is_reason = |flag| matches!(flag, Flag::Binary | Flag::LooksLikeRefusal | Flag::Truncated);
    error.flags.iter().filter(move |flag| !is_reason(*flag)).filter_map(note)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mentions::{each_mentions, mentions};
    use crate::syntax::recognise;

    fn shown(reply: &str) -> String {
        lines(&recognise(reply.as_bytes()).expect("a time"), None)
    }

    #[test]
    fn an_instant_is_shown_with_its_zone() {
        each_mentions(
            shown("Tuesday, February 22, 1982 17:37:43-PST\r\n").lines(),
            &[
                &["    means   1982-02-23T01:37:43Z:", "zone", "PST (-08:00)"],
                &["    syntax  rfc867,", "first example", "second"],
                &["    note    it contradicts itself:", "Tuesday", "1982-02-22", "Monday"],
            ],
        );
    }

    #[test]
    fn a_reply_that_fixes_no_instant_has_a_reason() {
        let first = |reply| shown(reply).lines().next().expect("a line").to_owned();
        let wall = ["    means   2003-07-28T11:56:22", "unknown zone", "names no zone"];
        mentions(&first("Mon Jul 28 11:56:22 2003\n"), &wall);
        mentions(&first("Mon Jul 28 11:56:22 IST 2003\n"), &["unknown zone", "IST"]);
        let either = first("16:05:11 5.3.2009\n");
        mentions(&either, &["2009-03-05T16:05:11 or 2009-05-03T16:05:11", "order"]);
        let zone = shown("16:05:11 CEST 5/3/2009\n").replace("\n            ", " ");
        mentions(&zone, &["zone, CEST", "offset"]);
    }

    #[test]
    fn a_long_line_is_cut_between_escapes() {
        let long = printable_line(&[0x9b; 100]);
        assert_eq!(long, format!("{}…", "\\x9b".repeat(60)));
        assert_eq!(printable_line(&[b'a'; 240]), "a".repeat(240));
    }

    #[test]
    fn each_part_of_a_time_code_is_explained() {
        let screen = shown("60966 25-10-18 07:09:27 16 0 0 621.4 UTC(NIST) *");
        assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
        let screen = screen.replace("\n            ", " ");
        let [means, syntax, code] = screen.lines().collect::<Vec<_>>()[..] else {
            panic!("{screen}");
        };
        mentions(means, &["    means   2025-10-18T07:09:27Z:", "zone", "UTC(NIST) (+00:00)"]);
        mentions(syntax, &["    syntax  nist,", "time code", "second"]);
        each_mentions(
            code.split("; "),
            &[
                &["    code    MJD 60966"],
                &["TT=16", "daylight time", "15 days"],
                &["L=0", "no leap second"],
                &["H=0", "healthy"],
                &["msADV=621.4", "621.4 ms early"],
                &["*", "on-time marker"],
            ],
        );
    }

    #[test]
    fn the_days_until_a_change_and_a_leap_second_are_described() {
        mentions(&daylight(2), &["daylight time", "1 day"]);
        mentions(&daylight(99), &["standard time", "48 days"]);
        assert_eq!((daylight(1), daylight(51)), (daylight(51), daylight(1)));
        let warning = |seconds| note(Flag::LeapWarning { seconds }).expect("a note");
        mentions(warning(1), &["leap second", "announced", "month"]);
        mentions(warning(-1), &["last second", "month", "left out"]);
    }

    #[test]
    fn an_unhealthy_server_is_reported_in_words() {
        let sick = "60482 24-06-21 12:00:07 50 0 2 640.9 UTC(NIST) *";
        let recognised = recognise(sick.as_bytes()).expect("a time");
        each_mentions(faults(&recognised), &[&["unhealthy (H=2)", "more than 5 seconds"]]);
        mentions(&shown(sick), &["unhealthy (H=2)"]);
    }
}
