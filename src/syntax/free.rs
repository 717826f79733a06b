//! Reads a month by name, a day, a four-digit year and a time, in any order. The reader tries this
//! form last, when no other form fits. It accepts only unambiguous parts.

use super::cursor::{Cursor, Mismatch, Number, Time};
use super::recognised::{Form, Parts};
use super::zone_text::ZoneText;
use chrono::Weekday;

pub(super) fn read<'a>(cursor: &mut Cursor<'a>) -> Result<Parts<'a>, Mismatch> {
    // Cisco's `show clock` prints `*` if the clock is not authoritative, and `.` if it is
    // authoritative but not synchronised.
    let _ = cursor.take(b'*') || cursor.take(b'.');
    let start = *cursor;
    // Some abbreviations can mean either a weekday or a month. For example, French `mar.` stands
    // for mardi or mars.
    Found::read(cursor, [Found::weekday, Found::month]).or_else(|wrong| {
        *cursor = start;
        Found::read(cursor, [Found::month, Found::weekday])
            .map_err(|mismatch| wrong.or_further(mismatch))
    })
}

const MAX_PARTS: usize = 16;

/// The parts of the date and time that the reader has already found.
#[derive(Clone, Copy, Default)]
struct Found<'a> {
    #[expect(clippy::option_option, reason = "none yet, or one of which languages disagree")]
    weekday: Option<Option<Weekday>>,
    day: Option<Number>,
    month: Option<u32>,
    month_end: usize,
    year: Option<Number>,
    time: Option<Time>,
    time_end: usize,
    zone: Option<ZoneText<'a>>,
}

type Step<'a> = fn(&mut Found<'a>, &mut Cursor<'a>) -> Result<(), Mismatch>;

impl<'a> Found<'a> {
    fn read(
        cursor: &mut Cursor<'a>,
        [name, other_name]: [Step<'a>; 2],
    ) -> Result<Parts<'a>, Mismatch> {
        let steps: [Step<'a>; 5] = [Self::time, Self::zone, Self::number, name, other_name];
        let (mut found, start) = (Self::default(), cursor.at());
        // `MAX_PARTS` bounds this loop. No date and time has that many parts.
        for _ in 0..MAX_PARTS {
            cursor.skip_spaces();
            let mut step =
                |step: &Step<'a>| cursor.optional(|cursor| step(&mut found, cursor)).is_some();
            let read = steps.iter().any(&mut step);
            if !read && (cursor.at() == start || !between(cursor)) {
                break;
            }
        }
        found.parts(cursor)
    }

    fn parts(self, cursor: &Cursor<'a>) -> Result<Parts<'a>, Mismatch> {
        let Some(month) = self.month else { return cursor.fail("the name of a month") };
        let Some(day) = self.day else { return cursor.fail("a day of the month") };
        let Some(year) = self.year else { return cursor.fail("a year of four digits") };
        let Some(time) = self.time else { return cursor.fail("a time, HH:MM:SS") };
        let date = cursor.date(year, month, day)?;
        let weekday = self.weekday.flatten();
        Ok(Parts { weekday, zone: self.zone, ..Parts::new(Form::Free, date, time) })
    }

    fn time(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Mismatch> {
        once(&mut self.time, cursor, Cursor::time)?;
        self.time_end = cursor.at();
        Ok(())
    }

    /// Reads a zone. Fails if no time has been read before it.
    fn zone(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Mismatch> {
        let name = cursor.clone().month().is_ok() || cursor.clone().weekday().is_ok();
        // In `27-Jun-2004`, the second hyphen must not be read as the sign of an offset.
        let dated = self.day.is_some() && self.month.is_some() && self.year.is_some();
        let mark = !dated && cursor.is_glued() && cursor.at() != self.time_end;
        if self.time.is_none() || name || mark {
            return cursor.fail("a time before the zone");
        }
        once(&mut self.zone, cursor, ZoneText::read)
    }

    fn number(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Mismatch> {
        if cursor.clone().full_year().is_ok() {
            return once(&mut self.year, cursor, Cursor::full_year);
        }
        let marks = cursor.since(self.month_end).iter();
        let separated = marks.clone().all(|octet| matches!(octet, b' ' | b',' | b'-' | b'/'));
        if self.day.is_some() && self.month.is_some() && separated {
            // This is the year in a date such as 27-Jun-04.
            return once(&mut self.year, cursor, Cursor::year);
        }
        once(&mut self.day, cursor, Cursor::day)
    }

    fn month(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Mismatch> {
        once(&mut self.month, cursor, Cursor::month)?;
        self.month_end = cursor.at();
        Ok(())
    }

    fn weekday(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Mismatch> {
        if self.follows_a_part_as_a_word(cursor) {
            return cursor.fail("a weekday");
        }
        once(&mut self.weekday, cursor, Cursor::weekday)
    }

    /// Whether the next letters look like a weekday but may be another word. The `on` in `15:17:42
    /// on 21 November` is English, but `on.` is also a Norwegian weekday. `SA` after a time is
    /// Vietnamese for AM, but also a German weekday.
    fn follows_a_part_as_a_word(&self, cursor: &Cursor<'a>) -> bool {
        let dated = self.day.is_some() || self.month.is_some() || self.year.is_some();
        let on = |octets: &[u8]| octets.eq_ignore_ascii_case(b"on ");
        let is_on = cursor.rest().get(..3).is_some_and(on);
        let after_time = || cursor.since(self.time_end).iter().all(|octet| *octet == b' ');
        let is_half = || after_time() && cursor.clone().word() == b"SA";
        (is_on && (dated || self.time.is_some())) || (self.time.is_some() && is_half())
    }
}

/// Skips the separator between two parts: a punctuation mark, or a word as in `3 de julio de 2024`.
fn between(cursor: &mut Cursor) -> bool {
    let letter = |octet: u8| octet.is_ascii_alphabetic() || !octet.is_ascii();
    let word = |cursor: &mut Cursor| match cursor.run(letter) {
        b"at" | b"de" | b"den" | b"of" | b"on" | b"On" | b"ON" | b"um" | b"\xc3\xa0" => Ok(()),
        b"kl" | b"klo" => {
            cursor.take(b'.');
            Ok(())
        }
        _ => cursor.fail("a word between the parts"),
    };
    let mark = |cursor: &mut Cursor| {
        let marks = cursor.run(|octet| matches!(octet, b',' | b'-' | b'/'));
        match cursor.rest().first() {
            Some(next) if !marks.is_empty() && (next.is_ascii_alphanumeric() || *next == b' ') => {
                Ok(())
            }
            _ => cursor.fail("another part"),
        }
    };
    cursor.optional(word).or_else(|| cursor.optional(mark)).is_some()
}

/// Reads a part with `read` and stores it in `place`. Fails if `place` already has a part.
fn once<'a, T>(
    place: &mut Option<T>,
    cursor: &mut Cursor<'a>,
    read: impl FnOnce(&mut Cursor<'a>) -> Result<T, Mismatch>,
) -> Result<(), Mismatch> {
    if place.is_some() {
        return cursor.fail("something else");
    }
    *place = Some(read(cursor)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests_at::read;
    use crate::mentions::mentions;

    #[test]
    fn parts_in_any_order_are_read_if_the_month_has_a_name() {
        let british = "15:17:42 on 21 November 2018";
        assert_eq!(read(british), "free 2018-11-21T15:17:42 -");
        assert_eq!(read(&british.replace("on", "or")).get(..8), Some("expected"));
        assert_eq!(read("15:17:42 21-Nov-2018\n"), "free 2018-11-21T15:17:42 -");
        assert_eq!(read("15:17:42-0300 21 Nov 2018\n"), "free 2018-11-21T18:17:42Z -0300");
        let unbroken = read("15:17:42\u{a0}-0300 21 Nov 2018\n");
        assert_eq!(unbroken, "free 2018-11-21T18:17:42Z -0300 non-ascii");
        assert_eq!(read("15:17:42 2018-Nov-21\n"), "free 2018-11-21T15:17:42 -");
        for cut in ["15:17:42 2018-Nov-2", "15:17:42 21-Nov-20", "15:17:42 2018 November 2"] {
            assert!(read(cut).starts_with("expected"), "{cut}: {}", read(cut));
        }
        assert!(read("15:17:42 1 Nov 05 2018\n").starts_with("expected"));
        assert_eq!(read("09:05:11 GMT MAY 21 2018\n"), "free 2018-05-21T09:05:11Z GMT");
        assert_eq!(read("15:17:42, 21-Nov-18\n"), "free 2018-11-21T15:17:42 - two-digit-year");
        mentions(&read("Nov 21 15:17:42 18\n"), &["expected", "a year of four digits"]);
        let cisco = "free 2018-11-21T15:17:42.123Z UTC fraction";
        assert_eq!(read("*15:17:42.123 UTC Wed Nov 21 2018"), cisco);
        assert_eq!(read("2018-Nov-21 15:17:42"), "free 2018-11-21T15:17:42 -");
        assert_eq!(read("Nov 21 15:17:42 UTC 2018"), "free 2018-11-21T15:17:42Z UTC");
    }

    #[test]
    fn other_languages_are_read() {
        let at = "free 2024-07-03T16:05:11 - locale-names";
        assert_eq!(read("Mittwoch, 3. Juli 2024 um 16:05:11"), at);
        assert_eq!(read("onsdag den 3. juli 2024 kl. 16:05:11"), at);
        assert_eq!(read("miercoles 3 de julio de 2024, 16:05:11"), at);
        let vague = read("Mi 3. Jul 16:05:11 CEST 2024");
        assert_eq!(vague, "free 2024-07-03T16:05:11 CEST locale-names zone-unknown");
        assert_eq!(
            read("mercredi 3 juillet 2024 \u{c3}\u{a0} 16:05:11"),
            format!("{at} non-ascii").replace("locale-names non-ascii", "non-ascii locale-names")
        );
        assert_eq!(read("16:05:11 mar. 3 juil. 2024"), format!("{at} weekday-mismatch"));
    }

    #[test]
    fn a_weekday_in_another_language_is_not_read_as_a_month() {
        // In Turkish, this line means Sunday, 3 March. The reader must not take the word `Paz` for
        // a month, although `paź` is October in Polish.
        assert!(read("Paz 03 Mar 2024 16:05:11 UTC").starts_with("expected"));
        assert!(read("Paz Mar  3 16:05:11 2024").starts_with("expected"));
        // `tor` is Tuesday in Slovene and Thursday in Swedish.
        let slovene = "free 2024-07-02T16:05:11Z UTC locale-names";
        assert_eq!(read("tor 02 jul 2024 16:05:11 UTC").replace("rfc5322", "free"), slovene);
    }

    #[test]
    fn on_is_read_as_the_english_word_anywhere_in_the_line() {
        let friday = "2024-07-05T16:05:11";
        for (line, form, zone) in [
            ("on 2024-07-05 16:05:11 UTC", "rfc3339", "Z UTC"),
            ("On 2024-07-05 16:05:11Z", "rfc3339", "Z Z"),
            ("on 5 Jul 2024 16:05:11 UTC", "rfc5322", "Z UTC"),
            ("5 July 2024 on 16:05:11", "free", " -"),
            ("16:05:11 On 5 July 2024", "free", " -"),
            ("16:05:11 On Fri 5 July 2024", "free", " -"),
        ] {
            assert_eq!(read(line), format!("{form} {friday}{zone}"), "{line}");
        }
    }

    #[test]
    fn a_weekday_of_two_letters_never_contradicts_the_date() {
        for line in [
            "la 5 Jul 2024 16:05:11 UTC",
            "vr 2024-01-21 04:05:11",
            "Sa Jul  5 16:05:11 2024",
            "16:05:11 ke 5 heinakuuta 2024",
            "Ke, July 05, 2024 16:05:11-UTC",
            "on 05-Jul-2024 16:05:11 UTC",
            "to 13/07/2024 16:05:11",
        ] {
            assert!(!read(line).starts_with("expected"), "{line}: {}", read(line));
            assert!(!read(line).contains("weekday-mismatch"), "{line}: {}", read(line));
        }
        let am = read("12:05:07 SA 27 June 2004");
        assert!(am.starts_with("expected"), "Vietnamese for AM: {am}");
    }

    #[test]
    fn an_error_names_the_missing_part() {
        let error = read("15:17:42 November, 2018\n");
        mentions(&error, &["a day of the month", "end of the line", "octet 24"]);
    }
}
