//! Replies from which no time can be read: the reason, and remarks on what the octets may be
//! instead.

use super::cursor::Mismatch;
use super::flags::{Flag, Flags};
use super::frame::{self, Frame};
use crate::reply::Printable;
use chrono::{DateTime, SecondsFormat, TimeDelta};

/// Error: no time can be read from the reply.
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
    /// The reason why no time was read.
    pub reason: Reason,
    /// Remarks on the reply.
    pub flags: Flags,
}

/// The reason why no time was read. Octets are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The reply contains no octets, or only spaces, NULs and line endings.
    #[error("{}", blank(*octets))]
    Empty {
        /// Number of octets in the reply.
        octets: usize,
    },
    /// The reply is four octets that are not text. An RFC 868 (Time Protocol) server sends such a
    /// reply.
    #[error("four octets, as in RFC 868 (Time, port 37), which would mean {utc}; ask port 13")]
    TimeProtocol {
        /// The instant that the four octets encode according to RFC 868, in RFC 3339 format.
        utc: String,
    },
    /// At some position, the reply differs from every known form of a date and time.
    #[error("expected {expected}, found {found} at octet {octet}")]
    Unexpected {
        /// The part of a date or time that was expected at this position.
        expected: &'static str,
        /// The octets found instead, quoted and escaped so that they are safe to print.
        found: String,
        /// The position of the first of these octets.
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

/// Quotes the first octets of `rest`. If `rest` is empty, returns a phrase for the end of the line.
fn found(rest: &[u8]) -> String {
    const MAX_SHOWN_OCTETS: usize = 32;
    match rest {
        [] => "the end of the line".to_owned(),
        _ if rest.len() <= MAX_SHOWN_OCTETS => format!("\"{}\"", Printable(rest)),
        _ => format!("\"{}\"…", Printable(&rest[..MAX_SHOWN_OCTETS])),
    }
}

/// Whether the line seems not to be text in any encoding: it is not printable UTF-8, and at least a
/// quarter of its octets are not printable ASCII.
fn is_binary(line: &[u8]) -> bool {
    let odd = line.iter().filter(|octet| !matches!(octet, b' '..=b'~' | b'\t')).count();
    let text = str::from_utf8(line).is_ok_and(|text| !text.chars().any(char::is_control));
    odd * 4 >= line.len() && !text
}

/// Reads four octets as an RFC 868 time: the number of seconds since 1900.
fn time_protocol(reply: &[u8]) -> Option<Reason> {
    let seconds = u32::from_be_bytes(reply.try_into().ok()?);
    let epoch = DateTime::from_timestamp(-2_208_988_800, 0)?;
    let utc = epoch.checked_add_signed(TimeDelta::seconds(seconds.into()))?;
    Some(Reason::TimeProtocol { utc: utc.to_rfc3339_opts(SecondsFormat::Secs, true) })
}

/// Whether the line contains a word that servers use to refuse a request.
fn refuses(line: &[u8]) -> bool {
    const REFUSING: &str = "allowed banned blocked busy denied error forbidden limit refused rejected sorry \
        many unauthorized unavailable";
    let known =
        |word: &[u8]| REFUSING.split(' ').any(|it| word.eq_ignore_ascii_case(it.as_bytes()));
    let mark = |octet: &u8| !octet.is_ascii_alphabetic();
    line.split(mark).any(known)
}

/// Whether the line consists mainly of words: it has at least two words, they make up at least half
/// of its space-separated parts, and it contains no time of day.
fn is_words(line: &[u8]) -> bool {
    let letter = |octet: &u8| !octet.is_ascii() || octet.is_ascii_alphabetic();
    let is_word = |word: &[u8]| match word {
        [word @ .., b'.' | b',' | b'!' | b'?' | b':' | b';'] | word => {
            word.len() > 1 && word.iter().all(letter)
        }
    };
    // 16:05 and 16.05 are times, but the 1.1 in HTTP/1.1 is not a time.
    let is_time = |part: &[u8]| matches!(part, [b':' | b'.', b'0'..=b'9', b'0'..=b'9']);
    let all = || line.split(u8::is_ascii_whitespace).filter(|part| !part.is_empty());
    let words = all().filter(|part| is_word(part)).count();
    words >= 2 && words * 2 >= all().count() && !line.windows(3).any(is_time)
}

#[cfg(test)]
mod tests {
    use super::super::tests_at::read;
    use crate::mentions::mentions;

    #[test]
    fn a_reply_of_the_time_protocol_is_detected() {
        let time = read("\u{ea}0/\u{97}");
        mentions(&time, &["four octets", "RFC 868", "port 37", "2024-07-03T20:14:15Z"]);
        mentions(&time, &["port 13", "binary"]);
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
