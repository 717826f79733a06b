//! Reads the parts that every syntax is made of: numbers, spaces and marks here, the parts of a date in
//! `date.rs`, a time of day in `time.rs`.
//!
//! Each reads forward and says what it expected where it cannot; what a syntax makes of the parts stands
//! in that syntax's own file.

mod date;
mod time;

pub(super) use time::Time;

use super::flags::{Flag, Flags};
use super::names::Name;
use std::ops::RangeInclusive;

/// Where a line stops being what was expected. Octets are counted from 0 within the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mismatch {
    pub expected: &'static str,
    /// The octet that is to blame.
    pub at: usize,
    /// How far the reading had come by then, which may be further.
    pub reached: usize,
    /// True if more was wanted where the line ends.
    pub at_end: bool,
}

impl Mismatch {
    /// The one of two that came further, the second if they came equally far; but that nothing fits at
    /// all stays as it was said first.
    pub(super) fn or_further(self, other: Self) -> Self {
        if other.reached >= self.reached.max(1) { other } else { self }
    }
}

/// A number as it stands in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub value: u32,
    pub digits: usize,
    pub at: usize,
}

impl Number {
    /// The number that these digits are.
    pub(super) fn of(digits: &[u8], at: usize) -> Self {
        let value = digits.iter().fold(0u32, |value, digit| {
            value.saturating_mul(10).saturating_add(u32::from(digit - b'0'))
        });
        Self { value, digits: digits.len(), at }
    }

    /// The last two digits of what is left above this unit: of 140511 and 100, 05.
    pub(super) fn last_two(self, unit: u32) -> Self {
        Self { value: self.value / unit % 100, ..self }
    }
}

/// A place in a line, and what was noticed on the way there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
    /// True if the reply has an end after the line, so that the line is whole.
    ended: bool,
    pub flags: Flags,
}

type Read<T> = Result<T, Mismatch>;

/// How long the space is that these octets begin with, 0 if there is none. The non-breaking ones, in UTF-8
/// and in Windows-1252, stand in dates of localised systems.
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

    /// The same as text; empty if it is none.
    pub(super) fn text_since(&self, start: usize) -> &'a str {
        str::from_utf8(self.since(start)).unwrap_or_default()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.line.len()
    }

    /// True if the line stops here and the reply with it: there may have been more.
    pub(super) fn may_be_cut(&self) -> bool {
        self.is_at_end() && !self.ended
    }

    /// Fails because of what comes next.
    pub(super) fn fail<T>(&self, expected: &'static str) -> Read<T> {
        Err(Mismatch { expected, at: self.at, reached: self.at, at_end: self.is_at_end() })
    }

    /// Fails because of something that was read already.
    pub(super) fn blame<T>(&self, expected: &'static str, at: usize) -> Read<T> {
        Err(Mismatch { expected, at, reached: self.at, at_end: false })
    }

    /// Fails because of something that was read already and may go on behind the end.
    pub(super) fn blame_short<T>(&self, expected: &'static str, at: usize) -> Read<T> {
        Err(Mismatch { expected, at, reached: self.at, at_end: self.is_at_end() })
    }

    /// What `read` reads, or nothing and no step forward.
    pub(super) fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Option<T> {
        let before = *self;
        read(self).inspect_err(|_| *self = before).ok()
    }

    /// Takes this octet, if it comes next.
    pub(super) fn take(&mut self, octet: u8) -> bool {
        let next = self.rest().first() == Some(&octet);
        self.at += usize::from(next);
        next
    }

    pub(super) fn octet(&mut self, octet: u8, expected: &'static str) -> Read<()> {
        if self.take(octet) { Ok(()) } else { self.fail(expected) }
    }

    /// Takes octets as long as they pass.
    pub(super) fn run(&mut self, passes: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let length = rest.iter().take_while(|octet| passes(**octet)).count();
        self.at += length;
        &rest[..length]
    }

    /// Takes exactly this text.
    pub(super) fn text(&mut self, text: &'static str) -> Read<()> {
        if !self.rest().starts_with(text.as_bytes()) {
            return self.fail(text);
        }
        self.at += text.len();
        Ok(())
    }

    /// Takes spaces, if there are any.
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

    /// A comma, spaces, or both.
    pub(super) fn comma_and_spaces(&mut self) -> Read<()> {
        if self.take(b',') {
            self.skip_spaces();
            return Ok(());
        }
        self.spaces()
    }

    /// True if no space stands before what comes next.
    pub(super) fn is_glued(&self) -> bool {
        self.line[..self.at].last().is_some_and(|octet| !octet.is_ascii_whitespace())
    }

    /// All digits that come next; their number must be in the range.
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

    /// A word of letters, those outside ASCII included, with the full stop of an abbreviation.
    pub(in crate::syntax) fn word(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let letter = |at: &usize| match rest[*at..] {
            [] | [0xc2, 0xa0, ..] | [0xe2, 0x80, 0xaf, ..] => false, // a space
            [0xa0, ..] => *at > 0 && !rest[*at - 1].is_ascii(),      // a letter's end in UTF-8
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
