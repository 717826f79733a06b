//! A reply: one line of ASCII, formed once and shared by all clients. This module also escapes
//! octets from the network, so that they are safe to show.

use std::fmt::{self, Write};

/// A Daytime reply: at most [`Reply::MAX_OCTETS`] octets of ASCII, including the line ending.
///
/// A server of this crate can send only replies of this type. RFC 867 recommends "ASCII printing
/// characters, space, carriage return, and line feed" on one line. The maximum length is this
/// crate's choice, and a reply of this length fits into any datagram.
#[derive(Clone)]
pub struct Reply {
    octets: [u8; Self::MAX_OCTETS],
    length: usize,
}

/// The reason why a string cannot be a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The text holds a character that is not printable ASCII.
    #[error("character {0:?} is not printable ASCII")]
    NotPrintable(char),
    /// The reply would exceed [`Reply::MAX_OCTETS`].
    #[error("the reply would be longer than {} octets", Reply::MAX_OCTETS)]
    TooLong,
    /// The text is empty.
    #[error("the reply would be empty")]
    Empty,
    /// The text could not be formatted.
    #[error("the time cannot be written this way")]
    Unprintable,
}

impl Reply {
    /// Maximum length of a reply in octets, including the line ending.
    pub const MAX_OCTETS: usize = 512;

    /// Creates a reply of one line, and adds CR LF.
    ///
    /// # Errors
    /// Returns [`ReplyError`] if the text contains characters other than printable ASCII (20 to 7E
    /// hexadecimal), is empty, or exceeds 510 characters.
    ///
    /// ```
    /// let reply = daytime::Reply::line("02 FEB 82 07:59:01 PST")?;
    /// assert_eq!(reply.octets(), b"02 FEB 82 07:59:01 PST\r\n");
    /// assert!(daytime::Reply::line("two\nlines").is_err());
    /// # Ok::<(), daytime::read::ReplyError>(())
    /// ```
    pub fn line(text: impl fmt::Display) -> Result<Self, ReplyError> {
        Self::framed("", text, "\r\n")
    }

    /// Creates a reply framed as NIST's servers do, with a line feed before and after the line.
    pub(crate) fn nist(text: impl fmt::Display) -> Result<Self, ReplyError> {
        Self::framed("\n", text, "\n")
    }

    /// Returns the octets to send.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.octets[..self.length]
    }

    fn framed(before: &str, text: impl fmt::Display, after: &str) -> Result<Self, ReplyError> {
        let mut filling = ReplyWriter {
            reply: Self { octets: [0; Self::MAX_OCTETS], length: 0 },
            error: ReplyError::Unprintable,
        };
        filling.push(before)?;
        if write!(filling, "{text}").is_err() {
            return Err(filling.error);
        }
        if filling.reply.length == before.len() {
            return Err(ReplyError::Empty);
        }
        filling.push(after)?;
        Ok(filling.reply)
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({})", Printable(self.octets()))
    }
}

/// A reply under construction. `fmt::Error` cannot hold a reason, so this struct stores it.
struct ReplyWriter {
    reply: Reply,
    error: ReplyError,
}

impl ReplyWriter {
    fn push(&mut self, text: &str) -> Result<(), ReplyError> {
        let end = self.reply.length + text.len();
        let place = self.reply.octets.get_mut(self.reply.length..end).ok_or(ReplyError::TooLong)?;
        place.copy_from_slice(text.as_bytes());
        self.reply.length = end;
        Ok(())
    }
}

impl Write for ReplyWriter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let printable = |character: &char| matches!(character, ' '..='~');
        let pushed = match text.chars().find(|character| !printable(character)) {
            Some(character) => Err(ReplyError::NotPrintable(character)),
            None => self.push(text),
        };
        pushed.map_err(|error| {
            self.error = error;
            fmt::Error
        })
    }
}

/// Octets from the network in a form that is safe to show. Printable ASCII is unchanged and a
/// backslash is doubled. Every other octet becomes `\r`, `\n`, `\t`, `\0` or `\xNN`.
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a>(pub &'a [u8]);

impl<'a> Printable<'a> {
    /// Wraps octets, without the line endings and NULs before and after the line. These differ from
    /// server to server.
    ///
    /// ```
    /// let line = daytime::read::Printable::line(b"\nno\xffn\x1b[2J\r\n");
    /// assert_eq!(line.to_string(), r"no\xffn\x1b[2J");
    /// ```
    #[must_use]
    pub fn line(octets: &'a [u8]) -> Self {
        let inner = |octet: &u8| !matches!(octet, b'\r' | b'\n' | 0);
        let start = octets.iter().position(inner).unwrap_or(octets.len());
        let end = octets.iter().rposition(inner).map_or(start, |last| last + 1);
        Self(&octets[start..end])
    }
}

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| match octet {
            b'\\' => f.write_str("\\\\"),
            b' '..=b'~' => f.write_char(char::from(*octet)),
            b'\r' => f.write_str("\\r"),
            b'\n' => f.write_str("\\n"),
            b'\t' => f.write_str("\\t"),
            0 => f.write_str("\\0"),
            _ => write!(f, "\\x{octet:02x}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_of_510_characters_fits_and_one_more_does_not() {
        assert_eq!(Reply::line("x".repeat(510)).expect("fits").octets().len(), Reply::MAX_OCTETS);
        assert_eq!(Reply::line("x".repeat(511)).unwrap_err(), ReplyError::TooLong);
    }

    #[test]
    fn only_printing_characters_become_a_reply() {
        assert_eq!(Reply::line("bell\u{7}").unwrap_err(), ReplyError::NotPrintable('\u{7}'));
        assert_eq!(Reply::line("août").unwrap_err(), ReplyError::NotPrintable('û'));
        assert_eq!(Reply::line("").unwrap_err(), ReplyError::Empty);
    }

    #[test]
    fn the_line_is_shown_without_its_frame() {
        let shown = |octets: &[u8]| Printable::line(octets).to_string();
        assert_eq!(shown(b"\n60966 25-10-18 * \n"), "60966 25-10-18 * ");
        assert_eq!(shown(b"Sun Nov 22\r\n\0"), "Sun Nov 22");
        assert_eq!(shown(b"\r\n"), "");
        assert_eq!(shown(b"one\ntwo\n"), "one\\ntwo");
    }

    #[test]
    fn a_terminal_escape_is_shown_as_text() {
        assert_eq!(Printable(b"\x1b[2J\x9b\\\t").to_string(), "\\x1b[2J\\x9b\\\\\\t");
    }

    proptest! {
        #[test]
        fn any_octets_are_shown_in_printable_ascii(octets: Vec<u8>) {
            let shown = Printable(&octets).to_string();
            prop_assert!(shown.bytes().all(|octet| (b' '..=b'~').contains(&octet)));
        }
    }
}
