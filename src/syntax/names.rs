//! Names of months, weekdays and AM/PM markers, in English and other languages. The languages are
//! those that servers have sent, or that a server's system library may produce.
//!
//! The names in other languages come from localised systems (Unicode CLDR 45, the GNU C Library's
//! locales). Names are compared in lower case and without accents: `März` becomes `marz`, both in
//! UTF-8 and in Windows-1252. An abbreviation has its own entry if several months or weekdays start
//! with it. For example, `Mär` becomes `mar`, and Finnish `marraskuuta` starts with `mar` too.
//! `tests/suite/languages.rs` reads the dates that date(1) prints in each language.

use super::utc_offset::rfc822_hours;
use chrono::Weekday;

/// The meaning of a name in a reply, and whether the name is English.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name<T> {
    pub value: T,
    pub english: bool,
}

/// The months in English, followed by German, French, Spanish, Italian, Portuguese, Dutch, Swedish,
/// Danish and Norwegian, and Finnish.
///
/// Polish is missing on purpose. Three of its names mean other months in Croatian (`lip`, `lis`,
/// `listopada`), and because of its `paź` (October), the Turkish Sunday `Paz` would be read as a
/// month.
#[rustfmt::skip]
const MONTHS: [&[&str]; 12] = [
    &["january", "januar", "janner", "janvier", "enero", "gennaio", "janeiro", "januari", "tammikuuta"],
    &["february", "februar", "feber", "fevrier", "febrero", "febbraio", "fevereiro", "februari", "helmikuuta"],
    &["march", "mar", "marz", "mars", "marzo", "marco", "maart", "mrt", "marts", "maaliskuuta"],
    &["april", "april", "avril", "abril", "aprile", "huhtikuuta"],
    &["may", "mai", "mayo", "maggio", "maio", "mei", "maj", "toukokuuta"],
    &["june", "juni", "juin", "junio", "giugno", "junho", "kesakuuta"],
    &["july", "juli", "juillet", "julio", "luglio", "julho", "heinakuuta"],
    &["august", "august", "aout", "agosto", "augustus", "augusti", "elokuuta"],
    &["september", "september", "septembre", "septiembre", "setiembre", "settembre", "setembro", "syyskuuta"],
    &["october", "oktober", "octobre", "octubre", "ottobre", "outubro", "lokakuuta"],
    &["november", "november", "novembre", "noviembre", "novembro", "marraskuuta"],
    &["december", "dezember", "decembre", "diciembre", "dicembre", "dezembro", "december", "desember", "joulukuuta"],
];

/// Weekdays in the same languages as [`MONTHS`]. An abbreviation with two meanings is listed under
/// both weekdays: `tor` means Thursday in Swedish and Tuesday in Slovene; `die` begins the German
/// word for Tuesday and means Sunday in Albanian.
#[rustfmt::skip]
const WEEKDAYS: [&[&str]; 7] = [
    &["monday", "montag", "lundi", "lunes", "lunedi", "segunda", "maandag", "mandag", "maanantai"],
    &["tuesday", "dienstag", "mardi", "martes", "martedi", "terca", "dinsdag", "tisdag", "tirsdag", "tysdag", "tiistai", "tor", "die"],
    &["wednesday", "mittwoch", "mercredi", "miercoles", "mercoledi", "quarta", "woensdag", "onsdag", "keskiviikko"],
    &["thursday", "donnerstag", "jeudi", "jueves", "giovedi", "quinta", "donderdag", "torsdag", "torstai", "tor"],
    &["friday", "freitag", "vendredi", "viernes", "venerdi", "sexta", "vrijdag", "fredag", "perjantai"],
    &["saturday", "samstag", "sonnabend", "samedi", "sabado", "sabato", "zaterdag", "lordag", "laurdag", "lauantai"],
    &["sunday", "sonntag", "dimanche", "domingo", "domenica", "zondag", "sondag", "sundag", "sunnuntai", "son", "die"],
];

/// Two-letter weekdays in the same languages as [`MONTHS`]. Such a weekday never counts as certain,
/// because languages differ. `do` means Thursday in German and Sunday in Italian. `sa` means
/// Saturday in German and Tuesday in Turkish. `vr` means Friday in Dutch and Sunday in Chuvash.
const SHORT_WEEKDAYS: [&str; 21] = [
    "di", "do", "fr", "ke", "la", "lo", "ma", "mi", "mo", "on", "pe", "sa", "so", "su", "ti", "to",
    "ty", "vr", "wo", "za", "zo",
];

/// The German name for March, written without its umlaut. Only the complete word is accepted,
/// because the abbreviation `mae` means May in Breton.
const MAERZ: &[u8] = b"maerz";

/// Returns the number of the month with this name, counted from 1. `word` may be the complete name
/// or at least the name's first three letters.
pub(super) fn month(word: &[u8]) -> Option<Name<u32>> {
    let index =
        if word.eq_ignore_ascii_case(MAERZ) { Some((2, false)) } else { look_up(word, &MONTHS)? };
    let (index, english) = index?;
    Some(Name { value: u32::try_from(index + 1).ok()?, english })
}

/// Returns the weekday with this name. `word` may be the complete name, an abbreviation, or at
/// least the first three letters. The value is `None` if languages disagree about the weekday, and
/// for every two-letter word.
pub(super) fn weekday(word: &[u8]) -> Option<Name<Option<Weekday>>> {
    // Two letters take at most four octets in UTF-8.
    if word.len() <= 4
        && FoldedWord::of(word).is_some_and(|word| SHORT_WEEKDAYS.contains(&word.text()))
    {
        // `on` means Wednesday in Swedish but is also an English word, so it does not show which
        // language the reply uses.
        return Some(Name { value: None, english: word.eq_ignore_ascii_case(b"on") });
    }
    let day = |index: usize| u8::try_from(index).ok().and_then(|index| index.try_into().ok());
    Some(match look_up(word, &WEEKDAYS)? {
        Some((index, english)) => Name { value: day(index), english },
        None => Name { value: None, english: false },
    })
}

/// Returns the AM/PM marker at the start of these octets, and its length in octets.
pub(super) fn half_of_day(octets: &[u8]) -> Option<(Name<Half>, usize)> {
    if let Some((name, length)) = latin_half(octets) {
        return ends_word(&octets[length..]).then_some((name, length));
    }
    if !may_begin_half(*octets.first()?) {
        return None; // Most times have no AM/PM marker, so this test comes first.
    }
    let halves = HALVES.iter().flat_map(|(am, pm)| [(*am, Half::Am), (*pm, Half::Pm)]);
    halves.into_iter().find_map(|(text, half)| {
        let begins = octets.get(..text.len())?.eq_ignore_ascii_case(text);
        let ends = !text.is_ascii() || ends_word(&octets[text.len()..]);
        (begins && ends).then_some((Name { value: half, english: false }, text.len()))
    })
}

/// Whether a marker in [`HALVES`] may begin with this octet.
fn may_begin_half(octet: u8) -> bool {
    matches!(octet.to_ascii_lowercase(), b'n' | b'p' | b'v' | 0x80..)
}

/// Reads AM or PM, with or without full stops: `p.m.`, or `p. m.` as in Spanish.
fn latin_half(octets: &[u8]) -> Option<(Name<Half>, usize)> {
    const SPACES: [&[u8]; 4] = [b" ", "\u{a0}".as_bytes(), "\u{202f}".as_bytes(), b"\xa0"];
    let half = match octets.first()? {
        b'a' | b'A' => Half::Am,
        b'p' | b'P' => Half::Pm,
        _ => return None,
    };
    let stop = usize::from(octets.get(1) == Some(&b'.'));
    let rest = &octets[1 + stop..];
    let space = SPACES.iter().find(|space| stop > 0 && rest.starts_with(space));
    let space = space.map_or(0, |space| space.len());
    let m = matches!(rest.get(space), Some(b'm' | b'M'));
    let length = 1 + stop + space + 1;
    let length = length + usize::from(octets.get(length) == Some(&b'.'));
    m.then_some((Name { value: half, english: space == 0 }, length))
}

/// Whether the word before `rest` ends where `rest` starts. A hyphen usually continues the word, as
/// in the name `pm-2`. But a hyphen before a known zone ends the word, because RFC 867 puts a
/// hyphen before the zone.
fn ends_word(rest: &[u8]) -> bool {
    match rest {
        [b'+' | b'-' | b'_', word @ ..] => {
            let length = word.iter().take_while(|octet| octet.is_ascii_alphanumeric()).count();
            let word = str::from_utf8(&word[..length]).unwrap_or_default();
            rfc822_hours(word).is_some() || (word.len() == 4 && word.parse::<u16>().is_ok())
        }
        [next, ..] => !next.is_ascii_alphanumeric(),
        [] => true,
    }
}

/// Whether the word names a part of the day, such as "evening" or German "abends". Such a word is
/// not read as AM or PM, but must not be mistaken for a zone either.
pub(super) fn is_part_of_day(word: &[u8]) -> bool {
    const PARTS_OF_DAY: &str = "morning afternoon evening night noon midnight vorm vormittag vormittags nachm \
        nachmittag nachmittags abends matin soir manana tarde noche manha noite mattina \
        pomeriggio sera pagi petang malam";
    FoldedWord::of(word).is_some_and(|word| PARTS_OF_DAY.split(' ').any(|part| part == word.text()))
}

/// One half of the day: before noon (AM) or after noon (PM).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    Am,
    Pm,
}

/// AM/PM markers, AM first. Chinese, Japanese and Korean versions of Windows write the marker
/// before the time, in the system's code page or in UTF-8. Systems in other languages write the
/// marker after the time.
const HALVES: [(&[u8], &[u8]); 14] = [
    (b"vm.", b"nm."), // Afrikaans
    (b"vm", b"nm"),
    (b"pg", b"ptg"), // Malay
    ("πμ".as_bytes(), "μμ".as_bytes()),
    ("ΠΜ".as_bytes(), "ΜΜ".as_bytes()),
    ("π.μ.".as_bytes(), "μ.μ.".as_bytes()),
    (b"\xf0\xec", b"\xec\xec"), // the Greek markers in Windows-1253
    ("上午".as_bytes(), "下午".as_bytes()),
    (b"\xc9\xcf\xce\xe7", b"\xcf\xc2\xce\xe7"), // the Chinese markers in GBK
    (b"\xa4\x57\xa4\xc8", b"\xa4\x55\xa4\xc8"), // the Chinese markers in Big5
    ("오전".as_bytes(), "오후".as_bytes()),
    (b"\xbf\xc0\xc0\xfc", b"\xbf\xc0\xc8\xc4"), // the Korean markers in code page 949
    ("午前".as_bytes(), "午後".as_bytes()),
    (b"\x8c\xdf\x91\x4f", b"\x8c\xdf\x8c\xe3"), // the Japanese markers in code page 932
];

/// Returns the index of the row that contains the word, and whether the word is English. `word` may
/// be a complete name or at least the name's first three letters. The first name in each row is
/// English. `Some(None)` means that the word has several meanings.
#[expect(clippy::option_option, reason = "unknown, or known and not certain")]
fn look_up(word: &[u8], rows: &[&[&str]]) -> Option<Option<(usize, bool)>> {
    let begins = |name: &str| {
        name.as_bytes().get(..word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word))
    };
    if word.len() >= 3
        && let Some(index) = rows.iter().position(|row| begins(row[0]))
    {
        return Some(Some((index, true)));
    }
    let folded = FoldedWord::of(word)?;
    let text = folded.text();
    let known = |means: &dyn Fn(&str) -> bool| {
        let means = |row: &[&str]| row[1..].iter().any(|name| means(name));
        let mut found = rows.iter().enumerate().filter(|(_, row)| means(row));
        let (index, _) = found.next()?;
        Some(if found.next().is_some() { None } else { Some((index, false)) })
    };
    let by_letters = || if text.len() >= 3 { known(&|name| name.starts_with(text)) } else { None };
    known(&|name| name == text).or_else(by_letters)
}

/// A word folded to lower-case letters without accents.
struct FoldedWord {
    letters: [u8; Self::MAX_LETTERS],
    length: usize,
}

impl FoldedWord {
    /// Maximum length of a folded word, in letters. The longest name in the tables has twelve.
    const MAX_LETTERS: usize = 16;

    fn of(word: &[u8]) -> Option<Self> {
        let mut folded = Self { letters: [0; Self::MAX_LETTERS], length: 0 };
        match str::from_utf8(word) {
            Ok(text) => text.chars().try_for_each(|letter| folded.push(letter))?,
            // The octets are not UTF-8, so they are read as Windows-1252, whose letters have the
            // same codes as in Unicode.
            Err(_) => word.iter().try_for_each(|octet| folded.push(char::from(*octet)))?,
        }
        Some(folded)
    }

    fn push(&mut self, letter: char) -> Option<()> {
        *self.letters.get_mut(self.length)? = plain(letter)?;
        self.length += 1;
        Some(())
    }

    fn text(&self) -> &str {
        str::from_utf8(&self.letters[..self.length]).unwrap_or_default()
    }
}

/// Returns the letter in lower case and without its accent. Returns `None` for any other character.
fn plain(letter: char) -> Option<u8> {
    Some(match letter {
        'a'..='z' | 'A'..='Z' => u8::try_from(letter).ok()?.to_ascii_lowercase(),
        'à'..='å' | 'À'..='Å' => b'a',
        'ç' | 'Ç' => b'c',
        'è'..='ë' | 'È'..='Ë' => b'e',
        'ì'..='ï' | 'Ì'..='Ï' => b'i',
        'ñ' | 'Ñ' => b'n',
        'ò'..='ö' | 'ø' | 'Ò'..='Ö' | 'Ø' => b'o',
        'ù'..='ü' | 'Ù'..='Ü' => b'u',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_of_the_day_passes_the_check_of_its_first_octet() {
        let words = HALVES.iter().flat_map(|(am, pm)| [am, pm]);
        assert!(words.into_iter().all(|word| may_begin_half(word[0])));
    }

    #[test]
    fn english_names_are_read_from_three_letters_or_more() {
        let read = |word: &str| month(word.as_bytes()).map(|name| (name.value, name.english));
        assert_eq!(read("FEB"), Some((2, true)));
        assert_eq!(read("Sept"), Some((9, true)));
        assert_eq!(read("september"), Some((9, true)));
        assert_eq!(read("Ju"), None);
        assert_eq!(read("Febtober"), None);
        let tuesday = Name { value: Some(Weekday::Tue), english: true };
        assert_eq!(weekday(b"Tue"), Some(tuesday));
    }

    #[test]
    fn other_languages_are_read_in_both_encodings() {
        let march = Some(Name { value: 3, english: false });
        assert_eq!(month("März".as_bytes()), march);
        assert_eq!(month(b"M\xe4rz"), march);
        assert_eq!(month("août".as_bytes()).map(|name| name.value), Some(8));
        assert_eq!(month("janv".as_bytes()).map(|name| name.value), Some(1));
        let saturday = Some(Name { value: Some(Weekday::Sat), english: false });
        assert_eq!(weekday(b"Samstag"), saturday);
        assert_eq!(weekday(b"s\xe1bado"), saturday);
    }

    #[test]
    fn abbreviations_are_read_even_if_other_names_begin_with_them() {
        assert_eq!(month("Mär".as_bytes()).map(|name| name.value), Some(3), "not marraskuuta");
        assert_eq!(month(b"m\xe4r").map(|name| name.value), Some(3));
        assert_eq!(month(b"marras").map(|name| name.value), Some(11));
        let day = |word: &str| weekday(word.as_bytes()).and_then(|name| name.value);
        assert_eq!(day("søn"), Some(Weekday::Sun), "not Sonnabend");
    }

    #[test]
    fn maerz_is_march_only_as_a_whole_word() {
        assert_eq!(month(b"Maerz"), Some(Name { value: 3, english: false }));
        for breton in ["Mae", "mae", "maer"] {
            assert_eq!(month(breton.as_bytes()), None, "{breton}");
        }
    }

    #[test]
    fn letters_with_several_meanings_fix_no_month_or_weekday() {
        assert_eq!(month(b"jui"), None, "juin or juillet");
        for no_month in ["listopad", "lip", "Paz", "sie"] {
            assert_eq!(month(no_month.as_bytes()), None, "{no_month}");
        }
        for vague in ["Do", "Di", "so", "sø", "ma.", "tor", "Die", "Sa", "vr", "to"] {
            let word = vague.trim_end_matches('.');
            assert_eq!(weekday(word.as_bytes()), Some(Name { value: None, english: false }));
        }
        assert_eq!(weekday("суббота".as_bytes()), None);
        assert_eq!(weekday(b"hello"), None);
    }

    #[test]
    fn the_half_of_the_day_is_read_in_each_spelling() {
        let read = |octets: &[u8]| half_of_day(octets).map(|(name, length)| (name.value, length));
        assert_eq!(read(b"PM 3/27/2010"), Some((Half::Pm, 2)));
        assert_eq!(read(b"a.m."), Some((Half::Am, 4)));
        assert_eq!(read(b"\xcf\xc2\xce\xe7 3:05:07"), Some((Half::Pm, 4)));
        assert_eq!(read("오전 9:00".as_bytes()), Some((Half::Am, 6)));
        for pm in ["pm", "P.M.", "p.m", "PM.", "p. m.", "p.\u{a0}m.", "PM-PST", "pm,"] {
            assert_eq!(read(pm.as_bytes()).map(|(half, _)| half), Some(Half::Pm), "{pm}");
        }
        assert_eq!(read(b"p.\xa0m. 23/7/2024"), Some((Half::Pm, 5)));
        for other in ["PMT", "pm-2", "vm-3", "nm-db01", "p m", "pm1"] {
            assert_eq!(read(other.as_bytes()), None, "{other}");
        }
    }
}
