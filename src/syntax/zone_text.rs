//! Reads the zone in a reply, and decides whether it determines the UTC offset.
//!
//! UTC, GMT, UT, Z, numeric offsets and the North American names of RFC 822, section 5.1, determine
//! the offset. The offset of any other name is uncertain. Several places may use the name (IST:
//! India, Israel, Ireland), or an operator may have chosen it (Cisco's `clock timezone ROME 1`).
//! RFC 822 defined the military single-letter zones with the wrong sign, so RFC 2822, section 4.3,
//! says to ignore them.

use super::cursor::{Cursor, Mismatch};
use super::flags::Flag;
use super::names;
use super::utc_offset::{self, rfc822_hours};
use chrono::FixedOffset;
use std::ops::RangeInclusive;

/// A zone as written in a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ZoneText<'a> {
    pub text: &'a str,
    /// The offset from UTC; `None` if the name does not determine it.
    pub offset: Option<FixedOffset>,
    /// Whether another zone in the reply conflicts with this one.
    pub conflict: bool,
}

impl<'a> ZoneText<'a> {
    fn new(text: &'a str, offset: Option<FixedOffset>) -> Self {
        Self { text, offset, conflict: false }
    }

    /// Merges the zones before and after the year into one.
    pub(super) fn merged(before: Option<Self>, after: Option<Self>) -> Option<Self> {
        match (before, after) {
            (Some(before), Some(after)) => Some(before.resolve_with(after)),
            (before, after) => before.or(after),
        }
    }

    /// Reads an offset or a name, and a second notation of the same zone if one follows: `+0100
    /// (CET)`.
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, Mismatch> {
        let zone = Self::read_one(cursor, is_zone_name)?;
        Ok(zone.with_repetition(cursor))
    }

    /// Reads the zone after a time, if there is one. The zone may be in parentheses, or follow a
    /// comma, spaces or RFC 867's hyphen.
    pub(super) fn read_after_time(cursor: &mut Cursor<'a>) -> Option<Self> {
        cursor.optional(|cursor| cursor.text(" Uhr")); // "Uhr" is German for "o'clock".
        cursor.optional(|cursor| {
            cursor.take(b',');
            cursor.skip_spaces();
            match cursor.rest() {
                // In `-0800`, the hyphen is the sign. In `--0800` and `-PST`, the first hyphen is a
                // separator.
                [b'-', next, ..] if !next.is_ascii_digit() => {
                    cursor.take(b'-');
                    // Operators of Cisco devices can choose any zone name, so every name is
                    // accepted.
                    Self::read_one(cursor, |_| true).map(|zone| zone.with_repetition(cursor))
                }
                [b'(', ..] => in_parentheses(cursor),
                _ => Self::read(cursor),
            }
        })
    }

    /// Reads `UTC`, and a laboratory's name in parentheses if one follows: `UTC(NIST)`.
    pub(super) fn universal(cursor: &mut Cursor<'a>) -> Result<Self, Mismatch> {
        let start = cursor.at();
        if !cursor.run(|octet| octet.is_ascii_alphabetic()).eq_ignore_ascii_case(b"UTC") {
            return cursor.blame("UTC", start);
        }
        cursor.optional(laboratory);
        let text = cursor.text_since(start);
        Ok(Self::new(text, known(text)))
    }

    fn read_one(cursor: &mut Cursor<'a>, is_name: fn(&str) -> bool) -> Result<Self, Mismatch> {
        match cursor.rest().first() {
            Some(b'+' | b'-') => Self::numeric(cursor),
            _ => Self::named(cursor, is_name),
        }
    }

    fn numeric(cursor: &mut Cursor<'a>) -> Result<Self, Mismatch> {
        const WHOLE_LENGTHS: [usize; 2] = ["+0100".len(), "+01:00".len()];
        let start = cursor.at();
        cursor.run(|octet| matches!(octet, b'+' | b'-' | b':' | b'0'..=b'9'));
        let text = cursor.text_since(start);
        let whole = text.len() == WHOLE_LENGTHS[usize::from(text.contains(':'))];
        if cursor.may_be_cut() && !whole && text.len() > 1 {
            // A `+02` at the end of the line may be the start of `+0230`.
            cursor.flags.add(Flag::Truncated);
            return Ok(Self::new(text, None));
        }
        match utc_offset::numeric(text) {
            None => cursor.blame("an offset such as +0100", start),
            offset => Ok(Self::new(text, offset)),
        }
    }

    fn named(cursor: &mut Cursor<'a>, is_name: fn(&str) -> bool) -> Result<Self, Mismatch> {
        let start = cursor.at();
        cursor.run(in_name);
        let first = cursor.text_since(start);
        let longer = first.eq_ignore_ascii_case("UTC") && cursor.optional(laboratory).is_some()
            || cursor.optional(|cursor| cursor.text(" DST")).is_some()
            || cursor.optional(standard_time).is_some();
        let text = cursor.text_since(start);
        let offset = known(text);
        let letter = first.starts_with(|letter: char| letter.is_ascii_alphabetic());
        let name = || {
            letter
                && (longer || is_name(first))
                && NAME_LENGTHS.contains(&text.len())
                && !names_half_of_day(first)
        };
        if offset.is_none() && !name() {
            return cursor.blame("a zone", start);
        }
        Ok(Self::new(text, offset))
    }

    /// Reads a second zone, if there is one, and merges both. A numeric offset in the first zone is
    /// kept. If the first zone is a name whose offset is uncertain, a numeric second zone supplies
    /// the offset. If the second zone conflicts with the first, or is truncated and might conflict
    /// with it, the offset becomes uncertain.
    fn with_repetition(self, cursor: &mut Cursor<'a>) -> Self {
        let whole = !cursor.flags.contains(Flag::Truncated);
        let repetition = cursor.optional(|cursor| {
            let apart = cursor.skip_spaces();
            match cursor.rest().first() {
                Some(b'(') => comment(cursor),
                _ if apart => Self::read_one(cursor, is_zone_name).map(Some),
                // If no space separates the zones, as in `+0A200`, the reply is damaged.
                _ => cursor.fail("a space"),
            }
        });
        let cut = whole && cursor.flags.contains(Flag::Truncated);
        match repetition.flatten() {
            _ if cut && !self.is_numeric() => Self { offset: None, ..self },
            None => self,
            Some(repetition) => self.resolve_with(repetition),
        }
    }

    /// Merges the two zones given for one time by the rules of [`ZoneText::with_repetition`].
    fn resolve_with(self, repetition: Self) -> Self {
        let conflict = Self { offset: None, conflict: true, ..self };
        match (self.offset, repetition.offset) {
            (None, Some(_)) if repetition.is_numeric() => repetition,
            (Some(one), Some(other)) if one != other => {
                if self.is_numeric() && !repetition.is_numeric() { self } else { conflict }
            }
            // In `EST (DST)` and `GMT (BST)`, the first name means standard time and the second
            // means summer time.
            (Some(_), None) if !self.is_numeric() && repetition.is_abbreviation() => conflict,
            _ => self,
        }
    }

    /// Whether the zone ends with a numeric offset: `+0100`, `GMT+0100`.
    fn is_numeric(&self) -> bool {
        self.offset.is_some() && self.text.ends_with(|letter: char| letter.is_ascii_digit())
    }

    /// Whether the zone is an abbreviation of at most five letters, or contains `DST`.
    fn is_abbreviation(&self) -> bool {
        let letters = self.text.bytes().all(|octet| octet.is_ascii_alphabetic());
        (letters && self.text.len() <= 5) || self.text.contains("DST")
    }
}

/// Permitted length of a zone name, in octets. A two-letter word may be an AM/PM marker in an
/// unknown language. The name "Central European Standard Time" has 30 octets.
const NAME_LENGTHS: RangeInclusive<usize> = 3..=48;

fn in_name(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'-' | b':' | b'_' | b'/')
}

/// Whether the word may name a zone: it is an abbreviation in the usual form (`CET`, `ChST`) or an
/// IANA name. `Uhr`, `NOV` and `THU` do not name zones.
fn is_zone_name(name: &str) -> bool {
    let month = names::month(name.as_bytes()).is_some_and(|name| name.english);
    let weekday = names::weekday(name.as_bytes()).is_some_and(|name| name.english);
    let capitals = name.bytes().filter(u8::is_ascii_lowercase).count() < 2;
    name.contains('/') || (capitals && !month && !weekday)
}

fn in_parentheses<'a>(cursor: &mut Cursor<'a>) -> Result<ZoneText<'a>, Mismatch> {
    cursor.octet(b'(', "an opening parenthesis")?;
    let zone = ZoneText::read_one(cursor, is_zone_name)?;
    cursor.octet(b')', "a closing parenthesis")?;
    Ok(zone)
}

/// Reads a comment in parentheses (RFC 5322, section 3.2.2). If the comment is a zone, returns that
/// zone.
fn comment<'a>(cursor: &mut Cursor<'a>) -> Result<Option<ZoneText<'a>>, Mismatch> {
    if let Some(zone) = cursor.optional(in_parentheses) {
        return Ok(Some(zone));
    }
    cursor.octet(b'(', "a comment")?;
    cursor.run(|octet| octet != b')');
    if cursor.may_be_cut() {
        cursor.flags.add(Flag::Truncated);
        return Ok(None);
    }
    cursor.octet(b')', "a closing parenthesis")?;
    Ok(None)
}

/// Reads the laboratory that provides UTC, such as `(NIST)` directly after `UTC`. Fails if the word
/// in parentheses is a zone.
fn laboratory(cursor: &mut Cursor) -> Result<(), Mismatch> {
    cursor.octet(b'(', "a laboratory")?;
    let start = cursor.at();
    cursor.run(|octet| octet.is_ascii_alphanumeric());
    if !is_laboratory(cursor.text_since(start)) {
        return cursor.fail("a laboratory");
    }
    cursor.octet(b')', "a closing parenthesis")
}

fn is_laboratory(name: &str) -> bool {
    let zone = |known: &str| name.eq_ignore_ascii_case(known);
    let summer = ["DST", "BST", "LOCAL"].iter().any(|known| zone(known));
    !(name.is_empty() || summer || rfc822_hours(name).is_some())
}

/// Whether the name is an AM/PM marker or starts with one, as in `PMEST` or `P-PST`.
fn names_half_of_day(name: &str) -> bool {
    let half = |length: usize| {
        let (half, rest) = name.split_at_checked(length)?;
        let known = ["A", "P", "AM", "PM"].iter().any(|known| known.eq_ignore_ascii_case(half));
        let mark = rest.starts_with(['-', '/', '+', ':', '_']);
        Some(known && (mark || (length == 2 && rfc822_hours(rest).is_some())))
    };
    names::is_part_of_day(name.as_bytes()) || [1, 2].into_iter().any(|at| half(at) == Some(true))
}

/// Reads the rest of a Windows zone name after its first word: ` European Standard Time`.
fn standard_time(cursor: &mut Cursor) -> Result<(), Mismatch> {
    const WORDS: usize = 4;
    cursor.take(b'.'); // skips the full stop in "W. Europe Standard Time"
    for _ in 0..WORDS {
        cursor.octet(b' ', "a word")?;
        match cursor.run(|octet| octet.is_ascii_alphabetic() || octet == b'.') {
            b"Time" => return Ok(()),
            b"" => break,
            _ => {}
        }
    }
    cursor.fail("the word Time")
}

/// Returns the offset for a name that means the same offset everywhere.
fn known(name: &str) -> Option<FixedOffset> {
    if let Some(hours) = rfc822_hours(name) {
        return FixedOffset::east_opt(hours * 3600);
    }
    let universal = |name: &str| rfc822_hours(name) == Some(0);
    if let Some((name, laboratory)) = name.split_once('(') {
        let whole = laboratory.strip_suffix(')').is_some_and(is_laboratory) && universal(name);
        return whole.then(|| FixedOffset::east_opt(0)).flatten();
    }
    // ECMAScript writes `GMT+0100`. `GMT+1` is not accepted, because in POSIX it means one hour
    // west of Greenwich.
    let (name, offset) = name.split_at_checked(name.find(['+', '-'])?)?;
    (universal(name) && offset.len() >= "+0100".len())
        .then(|| utc_offset::numeric(offset))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a zone at the start of the line. Returns its text, its offset in minutes, and the rest
    /// of the line.
    fn read(line: &str) -> Option<(&str, Option<i32>, &str)> {
        let mut cursor = Cursor::new(line.as_bytes(), true);
        let zone = ZoneText::read(&mut cursor).ok()?;
        let minutes = zone.offset.map(|offset| offset.local_minus_utc() / 60);
        Some((zone.text, minutes, str::from_utf8(cursor.rest()).expect("ASCII")))
    }

    #[test]
    fn names_that_mean_one_offset_fix_it() {
        assert_eq!(read("UTC"), Some(("UTC", Some(0), "")));
        assert_eq!(read("UTC(NIST) *"), Some(("UTC(NIST)", Some(0), " *")));
        assert_eq!(read("z"), Some(("z", Some(0), "")));
        assert_eq!(read("pdt 2003"), Some(("pdt", Some(-420), " 2003")));
        assert_eq!(read("GMT+0100 (CET)"), Some(("GMT+0100", Some(60), "")));
        assert_eq!(read("UTC-03:30"), Some(("UTC-03:30", Some(-210), "")));
    }

    #[test]
    fn an_offset_is_read_with_its_comment() {
        assert_eq!(read("+0545"), Some(("+0545", Some(345), "")));
        assert_eq!(read("-03:30 (NST)"), Some(("-03:30", Some(-210), "")));
        assert_eq!(read("+01 rest"), Some(("+01", Some(60), " rest")));
        assert_eq!(read("+2460"), None);
    }

    #[test]
    fn any_other_name_fixes_nothing() {
        for name in ["IST", "CET-DST", "ESTDST", "Europe/Rome", "GMT+1", "CET+0100", "EST-0500"] {
            assert_eq!(read(name), Some((name, None, "")));
        }
        let windows = "GMT Daylight Time";
        assert_eq!(read(windows), Some((windows, None, "")));
        let windows = "W. Europe Standard Time";
        assert_eq!(read(windows), Some((windows, None, "")));
        assert_eq!(read("MET DST 1996"), Some(("MET DST", None, " 1996")));
        assert_eq!(read("UTC(NIST"), Some(("UTC", Some(0), "(NIST")));
    }

    #[test]
    fn a_second_zone_confirms_the_first_or_removes_its_offset() {
        let (hour, none) = (Some(60), None);
        assert_eq!(read("+0100 CET"), Some(("+0100", hour, "")));
        assert_eq!(read("+0000 UTC m=+0.1"), Some(("+0000", Some(0), " m=+0.1")));
        assert_eq!(read("CET +0100"), Some(("+0100", hour, "")));
        assert_eq!(read("UTC (Coordinated Universal Time)"), Some(("UTC", Some(0), "")));
        for contradiction in ["UTC +01:00", "UTC(+01:00)", "UTC EST", "GMT +1", "GMT (+02:00)"] {
            assert_eq!(read(contradiction), Some((&contradiction[..3], none, "")));
        }
        assert_eq!(read("EST (DST)"), Some(("EST", none, "")));
        for certain in ["+0800 (CST)", "+0800 CST", "GMT+0800 (CST)", "+0800 (MET DST)"] {
            assert_eq!(read(certain).map(|(_, offset, _)| offset), Some(Some(480)), "{certain}");
        }
        assert_eq!(read("+0800 +0100").map(|(_, offset, _)| offset), Some(none));
        assert_eq!(read("CEST UTC").map(|(_, offset, _)| offset), Some(none));
        for contradiction in ["GMT (BST)", "UTC IST", "GMT(BST)", "UTC(EST)", "UTC(DST)"] {
            assert_eq!(read(contradiction), Some((&contradiction[..3], none, "")));
        }
        assert_eq!(read("UTC()"), Some(("UTC", Some(0), "")));
        for damaged in ["+0A200", "+02DEF", "-0PST", "-1CET"] {
            assert!(read(damaged).is_none_or(|(_, _, rest)| !rest.is_empty()), "{damaged}");
        }
        assert_eq!(read("UTC NOV"), Some(("UTC", Some(0), " NOV")));
        assert_eq!(read("THU"), None);
        assert_eq!(read("UTC Welcome"), Some(("UTC", Some(0), " Welcome")));
    }

    #[test]
    fn an_offset_that_may_be_cut_fixes_nothing() {
        let cut = |line: &'static str| {
            let mut cursor = Cursor::new(line.as_bytes(), false);
            let zone = ZoneText::read(&mut cursor).expect("a zone");
            (zone.offset.is_some(), cursor.flags.contains(Flag::Truncated))
        };
        for short in ["-0", "+02", "+02:", "-070"] {
            assert_eq!(cut(short), (false, true), "{short}");
        }
        assert_eq!(cut("+02:3"), (false, true));
        for name in ["CST +08", "GMT +02:", "EST (DS"] {
            assert_eq!(cut(name), (false, true), "{name}");
        }
        assert_eq!(cut("+0800 (CS"), (true, true));
        assert_eq!((cut("-0700"), cut("+02:30")), ((true, false), (true, false)));
    }

    #[test]
    fn a_zone_after_a_time_may_follow_a_hyphen_or_be_in_parentheses() {
        let after = |line: &'static str| {
            let mut cursor = Cursor::new(line.as_bytes(), true);
            let zone = ZoneText::read_after_time(&mut cursor);
            assert!(cursor.is_at_end() || zone.is_none(), "{line}");
            zone.map(|zone| zone.text)
        };
        assert_eq!(after(" PST"), Some("PST"));
        assert_eq!(after("-PST"), Some("PST"));
        assert_eq!(after("-0800"), Some("-0800"));
        assert_eq!(after("--0800"), Some("-0800"));
        assert_eq!(after("-+0545"), Some("+0545"));
        assert_eq!(after(" (UTC+0200)"), Some("UTC+0200"));
        assert_eq!(after(", UTC"), Some("UTC"));
        assert_eq!(after("-rome"), Some("rome"));
        assert_eq!(after(" Uhr MEZ"), Some("MEZ"));
        assert_eq!(after(" rome"), None);
        assert_eq!(after(" (UTC"), None);
        assert_eq!(after("-"), None);
    }

    #[test]
    fn text_that_is_not_a_zone_is_refused() {
        let halves = ["PMEST", "P-PST", "P/PST", "PM-UTC", "PETANG", "AFTERNOON", "NACHM"];
        for half in halves {
            assert_eq!(read(half), None, "{half}");
        }
        for zone in ["AMST", "AEST", "PMDT", "PST"] {
            assert_eq!(read(zone).map(|(zone, ..)| zone), Some(zone));
        }
        for text in ["", "A", "CH", "hello", "2003", "(CET)", &"X".repeat(49)] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
