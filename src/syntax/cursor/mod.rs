//! Reads the parts that the syntaxes share. This file reads numbers, spaces and punctuation,
//! `date.rs` reads the parts of a date, and `time.rs` reads a time of day.
//!
//! Each function reads forward. If a function fails, it reports the part that it expected. Each
//! syntax's own file decides what the parts mean.

mod date;
mod time;

pub(super) use time::Time;

use super::flags::{Flag, Flags};
use super::names::Name;
use std::ops::RangeInclusive;

/// The part that was expected, and where the line differs from it. The first octet of the line has
/// position 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mismatch {
    pub expected: &'static str,
    /// The position of the first octet that differs from the expected part.
    pub at: usize,
    /// The position where the reader stopped; equal to `at` or greater.
    pub reached: usize,
    /// Whether the line ended where more octets were expected.
    pub at_end: bool,
}

impl Mismatch {
    /// Returns the mismatch that reached further into the line. If both reached equally far,
    /// returns `other`; if neither got past the start of the line, returns `self`.
    pub(super) fn or_further(self, other: Self) -> Self {
        if other.reached >= self.reached.max(1) { other } else { self }
    }
}

/// A decimal number in the line, with its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub value: u32,
    pub digits: usize,
    pub at: usize,
}

impl Number {
    /// Returns the number with these digits, the first of which is octet `at` of the line.
    pub(super) fn of(digits: &[u8], at: usize) -> Self {
        let value = digits.iter().fold(0u32, |value, digit| {
            value.saturating_mul(10).saturating_add(u32::from(digit - b'0'))
        });
        Self { value, digits: digits.len(), at }
    }

    /// Returns the last two digits of `value / unit`: 05 for a value of 140511 and a unit of 100.
    pub(super) fn last_two(self, unit: u32) -> Self {
        Self { value: self.value / unit % 100, ..self }
    }
}

/// A position in a line, with the flags that the readers have set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
    /// Whether octets follow the line in the reply. If they do, the line is complete.
    ended: bool,
    pub flags: Flags,
}

type Read<T> = Result<T, Mismatch>;

/// Returns the length of the space at the start of the octets, or 0 if they do not start with a
/// space. Localised systems print non-breaking spaces in dates, in UTF-8 or in Windows-1252.
fn space(octets: &[u8]) -> usize {
    match octets {
        [b' ' | b'\t' | 0xa0, ..] => 1,
        [0xc2, 0xa0, ..] => 2,
        [0xe2, 0x80, 0xaf, ..] => 3,
        _ => 0,
    }
}

impl<'a> Cursor<'a> {
    pub(super) fn new(line: &'a [u8], ended: bool) -> Self {
        Self { line, at: 0, ended, flags: Flags::default() }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        &self.line[self.at..]
    }

    pub(super) fn since(&self, start: usize) -> &'a [u8] {
        &self.line[start..self.at]
    }

    /// Returns the octets from `start` to the cursor as text. The text is empty if the octets are
    /// not UTF-8.
    pub(super) fn text_since(&self, start: usize) -> &'a str {
        str::from_utf8(self.since(start)).unwrap_or_default()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.line.len()
    }

    /// Whether the reply ends at the cursor. If it does, octets may be missing.
    pub(super) fn may_be_cut(&self) -> bool {
        self.is_at_end() && !self.ended
    }

    /// Returns an error saying that the octets at the cursor are not the expected part.
    pub(super) fn fail<T>(&self, expected: &'static str) -> Read<T> {
        Err(Mismatch { expected, at: self.at, reached: self.at, at_end: self.is_at_end() })
    }

    /// Returns an error about octets that were already read, from octet `at`.
    pub(super) fn blame<T>(&self, expected: &'static str, at: usize) -> Read<T> {
        Err(Mismatch { expected, at, reached: self.at, at_end: false })
    }

    /// Returns an error about octets that were already read, from octet `at`, and that may be
    /// truncated at the end of the line.
    pub(super) fn blame_short<T>(&self, expected: &'static str, at: usize) -> Read<T> {
        Err(Mismatch { expected, at, reached: self.at, at_end: self.is_at_end() })
    }

    /// Returns the result of `read`. If `read` fails, returns `None` and does not move the cursor.
    pub(super) fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Option<T> {
        let before = *self;
        read(self).inspect_err(|_| *self = before).ok()
    }

    /// Reads `octet` if it comes next. Returns whether the octet was read.
    pub(super) fn take(&mut self, octet: u8) -> bool {
        let next = self.rest().first() == Some(&octet);
        self.at += usize::from(next);
        next
    }

    pub(super) fn octet(&mut self, octet: u8, expected: &'static str) -> Read<()> {
        if self.take(octet) { Ok(()) } else { self.fail(expected) }
    }

    /// Reads octets while `passes` returns true for them.
    pub(super) fn run(&mut self, passes: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let length = rest.iter().take_while(|octet| passes(**octet)).count();
        self.at += length;
        &rest[..length]
    }

    /// Reads exactly this text, or fails.
    pub(super) fn text(&mut self, text: &'static str) -> Read<()> {
        if !self.rest().starts_with(text.as_bytes()) {
            return self.fail(text);
        }
        self.at += text.len();
        Ok(())
    }

    /// Skips spaces. Returns whether there was at least one.
    pub(super) fn skip_spaces(&mut self) -> bool {
        let start = self.at;
        loop {
            match space(self.rest()) {
                0 => break,
                length => self.at += length,
            }
        }
        self.at > start
    }

    pub(super) fn has_only_spaces_left(mut self) -> bool {
        self.skip_spaces();
        self.is_at_end()
    }

    pub(super) fn spaces(&mut self) -> Read<()> {
        if self.skip_spaces() { Ok(()) } else { self.fail("a space") }
    }

    /// Reads a comma, spaces, or both.
    pub(super) fn comma_and_spaces(&mut self) -> Read<()> {
        if self.take(b',') {
            self.skip_spaces();
            return Ok(());
        }
        self.spaces()
    }

    /// Whether an octet other than a space directly precedes the cursor.
    pub(super) fn is_glued(&self) -> bool {
        let before = &self.line[..self.at];
        let is_space = |octets: usize| {
            before.len().checked_sub(octets).is_some_and(|at| space(&before[at..]) == octets)
        };
        let last = before.last();
        last.is_some_and(|octet| !octet.is_ascii_whitespace()) && !(1..=3).any(is_space)
    }

    /// Reads all digits at the cursor. Fails if their count is outside the range `digits`.
    pub(super) fn number(
        &mut self,
        digits: RangeInclusive<usize>,
        expected: &'static str,
    ) -> Read<Number> {
        let at = self.at;
        let text = self.run(|octet| octet.is_ascii_digit());
        if !digits.contains(&text.len()) {
            let short = text.len() < *digits.start();
            return if short { self.blame_short(expected, at) } else { self.blame(expected, at) };
        }
        Ok(Number::of(text, at))
    }

    /// Reads a word, and the full stop that ends an abbreviation. The letters may be non-ASCII.
    pub(in crate::syntax) fn word(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let letter = |at: &usize| match rest[*at..] {
            // These octets begin a non-breaking space.
            [] | [0xc2, 0xa0, ..] | [0xe2, 0x80, 0xaf, ..] => false,
            [0xa0, ..] => *at > 0 && !rest[*at - 1].is_ascii(), // a space, unless this octet ends a UTF-8 letter
            [octet, ..] => octet.is_ascii_alphabetic() || !octet.is_ascii(),
        };
        let length = (0..rest.len()).take_while(letter).count();
        self.at += length;
        self.take(b'.');
        &rest[..length]
    }

    fn note_language<T>(&mut self, name: Name<T>) -> T {
        self.flags.add_if(!name.english, Flag::LocaleNames);
        name.value
    }
}
