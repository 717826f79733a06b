//! Finds the form that a reply has, and reads the time in the reply.

use super::cursor::{Cursor, Mismatch};
use super::flags::Flag;
use super::frame::Frame;
use super::names;
use super::recognised::{Form, Parts, Recognised};
use super::unrecognised::Unrecognised;
use super::{
    ctime, free, nist, numeric, rfc850, rfc867, rfc3339, rfc5322, smtp, telephone, truetime,
};
use chrono::Timelike;

/// A function that reads one form from the start of the line, as far as the form fits.
type Reader = for<'a> fn(&mut Cursor<'a>) -> Result<Parts<'a>, Mismatch>;

/// The readers for all forms. Readers for strict forms come before readers for loose forms.
const READERS: [Reader; 12] = [
    nist::read,
    telephone::european,
    telephone::usno,
    truetime::read,
    rfc867::read,
    ctime::read,
    rfc5322::read,
    rfc850::read,
    smtp::read,
    rfc3339::read,
    numeric::read,
    free::read,
];

/// Reads the time in a reply. The reply may contain any octets.
///
/// The result is an instant only if the reply itself fixes the zone. UTC, GMT, UT, Z, a numeric offset and RFC 822's
/// North American names fix the zone. If the order of day, month and year is uncertain, the result contains every
/// possible date. A successful call allocates no memory. The function reads at most 512 octets of a line and 4096
/// octets of a reply, so its running time is bounded for any reply.
///
/// # Errors
/// [`Unrecognised`]: no form fits. The error states the reason, and names the octet where the best-fitting form failed.
///
/// ```
/// use daytime::read::{Flag, recognise};
/// let reply = recognise(b"Tuesday, February 22, 1982 17:37:43-PST\r\n")?;
/// assert_eq!(reply.utc(), Some("1982-02-23T01:37:43Z".parse()?));
/// assert!(reply.flags.contains(Flag::WeekdayMismatch)); // RFC 867's own example: it was a Monday
/// let error = recognise(b"Wed Foo  3 16:05:11 2024\r\n").unwrap_err();
/// assert!(error.to_string().contains("month") && error.to_string().ends_with("at octet 5"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn recognise(reply: &[u8]) -> Result<Recognised<'_>, Unrecognised> {
    #[cfg(test)]
    tests::READ.set(tests::READ.get() + 1);
    let frame = Frame::of(reply);
    if frame.line.is_empty() {
        return Err(Unrecognised::empty(reply, &frame));
    }
    match read(&frame) {
        Ok(mut recognised) => {
            let mut flags = frame.flags;
            flags.add_all(recognised.flags);
            flags.add_if(frame.cut, Flag::TrailingGarbage);
            recognised.flags = flags;
            Ok(recognised)
        }
        Err(mismatch) => Err(Unrecognised::from_mismatch(reply, &frame, mismatch)),
    }
}

/// Reads the line with the first form that fits all of it. If no form fits all of it, uses the form that reads most of
/// the line, provided that the rest cannot change the time. Otherwise returns the mismatch of the form that got
/// furthest.
fn read<'a>(frame: &Frame<'a>) -> Result<Recognised<'a>, Mismatch> {
    let nothing = Mismatch { expected: "a date and time", at: 0, reached: 0, at_end: false };
    let (mut partial, mut failure) = (None, nothing);
    let mut start = Cursor::new(frame.line, frame.ended);
    start.skip_spaces();
    for reader in READERS {
        let mut cursor = start;
        let parts = reader(&mut cursor).map(|parts| Parts { flags: cursor.flags, ..parts });
        let judged = parts.and_then(|parts| Ok((parts, parts.judge()?)));
        let read = cursor.since(0).trim_ascii_end().len();
        match judged {
            Ok((_, recognised)) if cursor.has_only_spaces_left() => return Ok(recognised),
            Ok((parts, recognised)) if is_separate(&parts, &frame.line[read..]) => {
                if partial.as_ref().is_none_or(|(longest, _)| *longest < read) {
                    partial = Some((read, recognised));
                }
            }
            Ok(_) => failure = failure.or_further(wrong_end(&cursor)),
            Err(mismatch) => failure = failure.or_further(mismatch),
        }
    }
    let (_, mut recognised) = partial.ok_or(failure)?;
    recognised.flags.add(Flag::TrailingGarbage);
    Ok(recognised)
}

fn wrong_end(cursor: &Cursor) -> Mismatch {
    let expected = "the end of the line";
    Mismatch { expected, at: cursor.at(), reached: cursor.at(), at_end: false }
}

/// Whether the rest of the line (`left`) cannot change the time. The rest must not continue the last word, must not
/// begin with a number or an offset outside parentheses, and must not contain an AM/PM marker in any language. Control
/// characters separate words as spaces do, because a terminal escape sequence does not change the time.
fn is_separate(read: &Parts, left: &[u8]) -> bool {
    let rest = after_control_sequences(left);
    let escaped = rest.len() < left.len();
    let opens = |octet: &u8| matches!(octet, b'(' | b'[');
    let mark = |octet: &u8| {
        matches!(octet, b' ' | b',' | b';' | b'|') || opens(octet) || octet.is_ascii_control()
    };
    let start = rest.iter().take_while(|octet| mark(octet)).count();
    let words = || rest.split(|octet| mark(octet) || *octet == b')');
    let half = |word: &[u8]| {
        let word = word.strip_prefix(b"-").unwrap_or(word);
        names::half_of_day(word).is_some_and(|(_, length)| length == word.len())
    };
    let opened = rest[..start].last().is_some_and(opens);
    let is_word = |word: &[u8]| matches!(word, [b'A'..=b'Z' | b'a'..=b'z' | 0x80.., _, ..]);
    match &rest[start..] {
        [] if escaped => true,
        _ if (start == 0 && !escaped) || words().any(half) => false,
        [b'0'..=b'9' | b'+' | b'-', ..] if opened => {
            !words().any(is_word) || !may_be_followed_by_half(read)
        }
        [] | [b'0'..=b'9', ..] | [b'+' | b'-', b'0'..=b'9', ..] => false,
        [b'-', b'A'..=b'Z' | b'a'..=b'z' | 0x80.., ..]
        | [b'A'..=b'Z' | b'a'..=b'z' | 0x80.., ..] => !may_be_followed_by_half(read),
        _ => true,
    }
}

/// Skips terminal control sequences at the start, such as `ESC [ 0 m` (ECMA-48, section 5.4). Returns the octets after
/// the last one.
fn after_control_sequences(mut octets: &[u8]) -> &[u8] {
    while let [b'\x1b', b'[', sequence @ ..] = octets {
        let parameters = sequence.iter().take_while(|octet| matches!(octet, b' '..=b'?')).count();
        octets = sequence.get(parameters + 1..).unwrap_or_default();
    }
    octets
}

/// Whether the next word may be an AM/PM marker. This is possible for hours up to 12, but not after an AM/PM marker or
/// a zone, nor in forms that always use the 24-hour clock.
fn may_be_followed_by_half(read: &Parts) -> bool {
    let by_24_hours = matches!(
        read.form,
        Form::Acts | Form::Ctime | Form::European | Form::Nist | Form::TrueTime | Form::Usno
    );
    let settled = read.time.half.is_some() || read.zone.is_some() || by_24_hours;
    read.time.clock.hour() <= 12 && !settled
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::tests_at::read;
    use crate::mentions::mentions;
    use std::cell::Cell;

    thread_local! {
        /// Number of calls to `recognise` on this thread, for tests.
        pub(crate) static READ: Cell<u32> = const { Cell::new(0) };
    }

    #[test]
    fn an_error_names_the_expected_part_and_its_position() {
        mentions(&read(""), &["empty"]);
        mentions(&read("\r\n"), &["blanks"]);
        mentions(&read("hello"), &["date and time", "\"hello\"", "octet 1"]);
        mentions(&read("\nWed Foo 3\n"), &["name of a month", "\"Foo 3\"", "octet 6"]);
        let noon = read("22 NOV 2026 12:00:60 UTC\r\n");
        mentions(&noon, &["a second up to 59", "23:59 UTC", "\"12:00:60 UTC\"", "octet 13"]);
    }

    #[test]
    fn octets_after_the_time_are_flagged_or_refused() {
        let more = read("Wed Jul  3 16:05:11 2024; up 3 days\r\n");
        assert_eq!(more, "ctime 2024-07-03T16:05:11 - trailing-garbage");
        let comment = read("Sat Jul 27 16:05:11 2024 (local)\r\n");
        assert_eq!(comment, "ctime 2024-07-27T16:05:11 - trailing-garbage");
        for apart in
            ["2024-07-03T09:05:11Z ok", "2024-07-03 09:05:11 UTC - ntp1", "15:05:11 6.27.2004 vm-3"]
        {
            assert!(read(apart).ends_with(" trailing-garbage"), "{}", read(apart));
        }
        for half in [
            "27. Juni 2004 3:05:07 nachm.",
            "June 27, 2004 3:05:07 CH",
            "27-JUN-2004 3:05:07 em",
            "27/06/2004 3:05:07 afternoon",
            "12:05:07 SA 27/06/2004",
            "2024-07-03 09:05:11 vm-3",
            "2024-07-03 09:05:11 nm-db01",
            "Wednesday, July 3, 2024 4:05:11-nachm",
            "03 JUL 2024 04:05:11 PETANG",
            "07/23/2024 04:05:11PMEST",
        ] {
            assert!(read(half).starts_with("expected"), "{}", read(half));
        }
        let glued = read("Wed Jul  3 16:05:11 20245\r\n");
        assert!(glued.starts_with("expected"), "{glued}");
    }

    #[test]
    fn a_comment_in_parentheses_does_not_change_the_time() {
        let board = "rfc5322 2024-07-03T04:05:11 - trailing-garbage";
        for offset in ["(-7h)", "(+7 h)", "[-7]"] {
            let line = format!("Wed, 03 Jul 2024 04:05:11  {offset}\r\n");
            assert_eq!(read(&line), board, "{line}");
        }
        for vague in ["-7h", "7 h", "(CH)", "(-7h PM)", "(7 pm)", "(3 nachm.)"] {
            let line = format!("Wed, 03 Jul 2024 04:05:11  {vague}\r\n");
            assert!(read(&line).starts_with("expected"), "{line}: {}", read(&line));
        }
        let fixed = "Wed, 03 Jul 2024 04:05:11 (-07:00)\r\n";
        assert_eq!(read(fixed), "rfc5322 2024-07-03T11:05:11Z -07:00");
    }

    #[test]
    fn a_terminal_escape_does_not_change_the_time_before_it() {
        for escape in
            ["\x1b]0;owned\x07", "\x1b[0m", "\x1b[2J", "\x07", "\x7f", "\x1bc", "\x0b\x0c"]
        {
            let read = read(&format!("Wed Jul  3 04:05:11 2024{escape}\r\n"));
            let flags = read.strip_prefix("ctime 2024-07-03T04:05:11 - control-chars");
            // The reader drops control characters at the end of the line, just as it drops spaces.
            assert!(matches!(flags, Some("" | " trailing-garbage")), "{escape:?}: {read}");
        }
        for half in ["\x1bPM", "\x1b]0;PM\x07", "\x1b[0mPM", "\x07nachm", "\x7f1"] {
            let line = format!("27/06/2004 3:05:07{half}\r\n");
            assert!(read(&line).starts_with("expected"), "{line:?}: {}", read(&line));
        }
    }

    #[test]
    fn non_breaking_spaces_are_read_as_spaces() {
        let at = "2024-07-03T16:05:11 - non-ascii";
        assert_eq!(read("\u{a0}Wed Jul 3 16:05:11 2024\u{a0}"), format!("ctime {at}"));
        assert_eq!(read("Wed\u{a0}Jul\u{a0}3 16:05:11 2024").get(..12), Some("ctime 2024-0"));
        let narrow = read("3\u{202f}Jul\u{202f}2024 16:05:11");
        assert_eq!(narrow, format!("smtp {at}"));
    }

    #[test]
    fn an_unknown_half_of_the_day_is_not_ignored_as_garbage() {
        let unknown = read("27/03/2009 3:05:07 \u{645}\n");
        mentions(&unknown, &["end of the line", "\" \\xd9\\x85\"", "octet 19", "non-ascii"]);
    }

    #[test]
    fn second_60_is_read_only_at_the_end_of_a_utc_day() {
        let leap = "smtp 2016-12-31T23:59:60Z UTC leap-second";
        assert_eq!(read("31 DEC 2016 23:59:60 UTC"), leap);
        let leap = "smtp 2016-12-31T23:59:60Z +0545 leap-second";
        assert_eq!(read("01 JAN 2017 05:44:60 +0545"), leap);
        assert_eq!(read("Sat Dec 31 23:59:60 2016"), "ctime 2016-12-31T23:59:60 - leap-second");
        mentions(&read("Sat Dec 31 23:58:60 2016"), &["expected", "a second up to 59"]);
    }
}
