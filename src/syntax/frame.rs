//! Separates the line in a reply from the octets that servers put around it: line endings of every kind, NULs, and text
//! after the line. Reads only a limited number of octets, so a long reply takes no longer.

use super::flags::{Flag, Flags};
use crate::reply::Reply;

/// The first line of a reply, with flags that describe the entire reply.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    /// The first non-blank line, without surrounding spaces.
    pub line: &'a [u8],
    /// Number of octets that precede the line in the reply.
    pub start: usize,
    /// Whether octets follow the line. If so, the line is complete. Otherwise the line may be incomplete, because the
    /// reply, or the part of the reply that is read, ends with it.
    pub ended: bool,
    /// Whether the line continues beyond the last octet that is read.
    pub cut: bool,
    /// Flags about the octets in the line and after it.
    pub flags: Flags,
}

/// The UTF-8 byte order mark, which some editors and libraries put at the start of text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Maximum number of octets read from a reply, equal to the client's default limit.
pub(super) const MAX_REPLY_OCTETS: usize = 4096;

/// Maximum number of octets read from a line. No date and time in any language is longer, and
/// neither is any reply that this program's server sends ([`Reply::MAX_OCTETS`]).
const MAX_LINE_OCTETS: usize = Reply::MAX_OCTETS;

impl<'a> Frame<'a> {
    pub(crate) fn of(whole: &'a [u8]) -> Self {
        let reply = &whole[..whole.len().min(MAX_REPLY_OCTETS)];
        let mark = if reply.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let blank = reply[mark..].iter().take_while(|octet| is_blank(**octet)).count();
        let from = &reply[mark + blank..];
        let length = from.iter().position(|octet| ends_line(*octet)).unwrap_or(from.len());
        let (line, rest) = from.split_at(length);
        let cut = length > MAX_LINE_OCTETS || (rest.is_empty() && reply.len() < whole.len());
        let line = &line[..length.min(MAX_LINE_OCTETS)];
        let mut flags = Flags::default();
        flags.add_if(reply.contains(&0), Flag::Nul);
        flags.add_if(line.iter().any(|octet| is_control(*octet)), Flag::ControlChars);
        flags.add_if(mark > 0 || !line.is_ascii(), Flag::NonAscii);
        if let Some(follows) = what_follows(rest) {
            flags.add(follows);
        }
        let ended = !rest.is_empty() && !cut;
        Self { line: trim_end(line), start: mark + blank, ended, cut, flags }
    }
}

/// Classifies the octets after the line. Printable text on a new line counts as a second line. Any
/// other octets, such as old content of the server's buffer, are garbage.
fn what_follows(rest: &[u8]) -> Option<Flag> {
    let gap = rest.iter().take_while(|octet| is_blank(**octet)).count();
    let (gap, rest) = rest.split_at(gap);
    if rest.is_empty() {
        return None;
    }
    let new_line = gap.iter().any(|octet| matches!(octet, b'\r' | b'\n'));
    let text = str::from_utf8(rest).is_ok_and(|text| !text.bytes().any(is_control));
    // After the line, AIX sends stale buffer content. That content starts with NULs, so it
    // does not count as a second line.
    Some(if new_line && text && !gap.contains(&0) && !rest.contains(&0) {
        Flag::SecondLine
    } else {
        Flag::TrailingGarbage
    })
}

fn trim_end(line: &[u8]) -> &[u8] {
    let spaces = |octet: &u8| is_blank(*octet) || is_control(*octet);
    // A line of only control characters is not blank, so all of it is kept.
    let end = line.iter().rposition(|octet| !spaces(octet)).map_or(line.len(), |last| last + 1);
    &line[..end]
}

fn ends_line(octet: u8) -> bool {
    matches!(octet, b'\r' | b'\n' | 0)
}

/// Whether the octet is a space or part of a line ending.
fn is_blank(octet: u8) -> bool {
    ends_line(octet) || matches!(octet, b' ' | b'\t')
}

/// Whether the octet is a control character that is neither a tab nor part of a line ending.
fn is_control(octet: u8) -> bool {
    octet.is_ascii_control() && !is_blank(octet)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(reply: &[u8]) -> (String, bool, Vec<String>) {
        let frame = Frame::of(reply);
        let line = String::from_utf8_lossy(frame.line).into_owned();
        assert!(reply[frame.start..].starts_with(frame.line));
        (line, frame.ended, frame.flags.iter().map(|flag| flag.to_string()).collect())
    }

    #[test]
    fn every_line_end_is_removed() {
        for end in ["\r\n", "\n\r", "\n", "\r", "\n\n", " \r\n", "\r\n  "] {
            assert_eq!(parts(format!("noon{end}").as_bytes()), ("noon".into(), true, vec![]));
        }
        assert_eq!(parts(b"noon"), ("noon".into(), false, vec![]));
        assert_eq!(parts(b"\nnoon * \n"), ("noon *".into(), true, vec![]));
        assert_eq!(parts(b"noon\n\0"), ("noon".into(), true, vec!["nul".into()]));
    }

    #[test]
    fn octets_after_the_line_are_a_second_line_or_garbage() {
        assert_eq!(parts(b"noon\r\nC:\\ats.exe\r\n").2, ["second-line"]);
        assert_eq!(parts(b"noon\r\n\0\0 \0\x7f\xff").2, ["nul", "trailing-garbage"]);
        assert_eq!(parts(b"noon\0left over").2, ["nul", "trailing-garbage"]);
        assert_eq!(parts(b"noon\r\n\0left over").2, ["nul", "trailing-garbage"]);
    }

    #[test]
    fn control_and_non_ascii_octets_are_flagged() {
        assert_eq!(parts(b"\xef\xbb\xbfnoon\n"), ("noon".into(), true, vec!["non-ascii".into()]));
        assert_eq!(parts(b"no\x1bon\n").2, ["control-chars"]);
        assert_eq!(parts(b"noon\x07\n"), ("noon".into(), true, vec!["control-chars".into()]));
        assert_eq!(parts(b"a\tb\n").2, [""; 0]);
    }

    #[test]
    fn octets_above_the_limits_are_ignored() {
        let read = |reply: &[u8]| {
            let frame = Frame::of(reply);
            (frame.line.len(), frame.ended, frame.cut)
        };
        let line = |length: usize| [&vec![b'x'; length][..], b"\n"].concat();
        assert_eq!(read(&line(512)), (512, true, false));
        assert_eq!(read(&line(513)), (512, false, true));
        assert_eq!(read(&[&line(24)[..], &line(9999)].concat()), (24, true, false));
        assert_eq!(read(&[&vec![b' '; 4000][..], &line(200)].concat()), (96, false, true));
        assert_eq!(read(&[&vec![b'\n'; 4096][..], b"noon"].concat()), (0, false, true));
        assert_eq!(parts(&[&line(4095)[..], b"\0"].concat()).2, [""; 0], "beyond the limit");
    }

    #[test]
    fn a_blank_reply_has_an_empty_line() {
        for nothing in [&b""[..], b"\r\n", b" \0\n"] {
            assert_eq!(parts(nothing).0, "");
        }
        assert_eq!(parts(b"\x01\x02\0\x01").0, "\x01\x02");
    }
}
