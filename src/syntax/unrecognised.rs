//! Octets that are no time: why, and what they look like instead.

use super::cursor::Mismatch;
use super::flags::{Flag, Flags};
use super::frame::{self, Frame};
use crate::reply::Printable;
use chrono::{DateTime, SecondsFormat, TimeDelta};

/// Why a reply is no time, and what it is like.
///
/// ```
/// use daytime::read::{Flag, Reason, recognise};
/// let error = recognise(b"access denied\r\n").unwrap_err();
/// assert!(matches!(error.reason, Reason::Unexpected { octet: 1, .. }));
/// assert!(error.flags.contains(Flag::LooksLikeRefusal));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
#[non_exhaustive]
pub struct Unrecognised {
    /// Why.
    pub reason: Reason,
    /// What to know besides.
    pub flags: Flags,
}

/// Why a reply is no time. Octets are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// No octets, or only spaces and line ends.
    #[error("{}", blank(*octets))]
    Empty {
        /// How many octets it has.
        octets: usize,
    },
    /// Four octets that are no text: what a server of RFC 868 sends.
    #[error("four octets, as RFC 868 (Time, port 37) answers: they would be {utc}")]
    TimeProtocol {
        /// The instant they would be, in RFC 3339.
        utc: String,
    },
    /// Something else stands where a part of a time was expected.
    #[error("expected {expected}, found {found} at octet {octet}")]
    Unexpected {
        /// What was expected.
        expected: &'static str,
        /// What stands there, in quotes and safe to show.
        found: String,
        /// Where.
        octet: usize,
    },
}

fn blank(octets: usize) -> &'static str {
    match octets {
        0 => "the reply is empty",
        1..=frame::MAX_REPLY_OCTETS => "the reply holds nothing but blanks",
        _ => "the reply begins with nothing but blanks",
    }
}

impl Unrecognised {
    pub(super) fn empty(reply: &[u8], frame: &Frame) -> Self {
        Self { reason: Reason::Empty { octets: reply.len() }, flags: frame.flags }
    }

    pub(super) fn from_mismatch(reply: &[u8], frame: &Frame, mismatch: Mismatch) -> Self {
        let mut flags = frame.flags;
        if is_binary(frame.line) {
            let keep = flags.iter().filter(|flag| *flag == Flag::Nul);
            let mut binary = Flags::default();
            keep.for_each(|flag| binary.add(flag));
            binary.add(Flag::Binary);
            if let Some(reason) = time_protocol(reply) {
                return Self { reason, flags: binary };
            }
            flags = binary;
        }
        let matched_some = mismatch.at > 0;
        flags.add_if(matched_some && !frame.ended && mismatch.at_end, Flag::Truncated);
        flags.add_if(
            refuses(frame.line) || (!matched_some && is_words(frame.line)),
            Flag::LooksLikeRefusal,
        );
        let Mismatch { expected, at, .. } = mismatch;
        let found = found(frame.line.get(at..).unwrap_or_default());
        let octet = frame.start + at + 1;
        Self { reason: Reason::Unexpected { expected, found, octet }, flags }
    }
}

/// The beginning of what was found, in quotes.
fn found(rest: &[u8]) -> String {
    const MAX_SHOWN_OCTETS: usize = 32;
    match rest {
        [] => "the end of the line".to_owned(),
        _ if rest.len() <= MAX_SHOWN_OCTETS => format!("\"{}\"", Printable(rest)),
        _ => format!("\"{}\"…", Printable(&rest[..MAX_SHOWN_OCTETS])),
    }
}

/// No text in any encoding: a quarter of it or more is no printable ASCII, and it is no UTF-8 either.
fn is_binary(line: &[u8]) -> bool {
    let odd = line.iter().filter(|octet| !matches!(octet, b' '..=b'~' | b'\t')).count();
    let text = str::from_utf8(line).is_ok_and(|text| !text.chars().any(char::is_control));
    odd * 4 >= line.len() && !text
}

/// RFC 868: seconds since 1900 in four octets.
fn time_protocol(reply: &[u8]) -> Option<Reason> {
    let seconds = u32::from_be_bytes(reply.try_into().ok()?);
    let epoch = DateTime::from_timestamp(-2_208_988_800, 0)?;
    let utc = epoch.checked_add_signed(TimeDelta::seconds(seconds.into()))?;
    Some(Reason::TimeProtocol { utc: utc.to_rfc3339_opts(SecondsFormat::Secs, true) })
}

/// True if a word in it is one that servers refuse with.
fn refuses(line: &[u8]) -> bool {
    const REFUSING: &str = "allowed banned blocked busy denied error forbidden limit refused rejected sorry \
        many unauthorized unavailable";
    let known =
        |word: &[u8]| REFUSING.split(' ').any(|it| word.eq_ignore_ascii_case(it.as_bytes()));
    let mark = |octet: &u8| !octet.is_ascii_alphabetic();
    line.split(mark).any(known)
}

/// True if half of it or more is words, two at least, and no time of day is among them.
fn is_words(line: &[u8]) -> bool {
    let letter = |octet: &u8| !octet.is_ascii() || octet.is_ascii_alphabetic();
    let is_word = |word: &[u8]| match word {
        [word @ .., b'.' | b',' | b'!' | b'?' | b':' | b';'] | word => {
            word.len() > 1 && word.iter().all(letter)
        }
    };
    // 16:05 or 16.05, but not the 1.1 of HTTP.
    let is_time = |part: &[u8]| matches!(part, [b':' | b'.', b'0'..=b'9', b'0'..=b'9']);
    let all = || line.split(u8::is_ascii_whitespace).filter(|part| !part.is_empty());
    let words = all().filter(|part| is_word(part)).count();
    words >= 2 && words * 2 >= all().count() && !line.windows(3).any(is_time)
}

#[cfg(test)]
mod tests {
    use super::super::tests_at::read;

    #[test]
    fn an_answer_of_the_time_protocol_is_known_for_one() {
        let time = "four octets, as RFC 868 (Time, port 37) answers: they would be \
                    2024-07-03T20:14:15Z; binary";
        assert_eq!(read("\u{ea}0/\u{97}"), time);
    }

    #[test]
    fn control_characters_are_binary() {
        assert!(read("\u{1}\u{2}").ends_with("; binary"), "{}", read("\u{1}\u{2}"));
    }

    #[test]
    fn words_instead_of_a_time_look_like_a_refusal() {
        for refusal in [
            "Access denied",
            "550 Sorry, not now",
            "go away",
            "Too many connections (5)",
            "HTTP/1.1 400 Bad Request",
        ] {
            assert!(read(refusal).ends_with("; looks-like-refusal"), "{}", read(refusal));
        }
        for other in [
            "hello",
            "SSH-2.0-OpenSSH_9.2p1 Debian-2",
            "JJJJJ YR-MO-DA HH:MM:SS TT L H msADV UTC(NIST) OTM",
            "The time is 16:05:11",
            "xx  3.7.2024 16.05.11 UTC",
        ] {
            assert!(!read(other).contains("refusal"), "{}", read(other));
        }
    }
}
