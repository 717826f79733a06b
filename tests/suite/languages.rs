//! Tests the languages in docs/SYNTAXES.md: every month and weekday as date(1) prints them, in the
//! orders of the system's locales, of RFC 867 and of related forms, in both encodings.

use crate::or_skip;
use crate::support::program;
use chrono::{NaiveDate, NaiveDateTime};
use daytime::read::{Flag, ReplyTime, recognise};
use std::path::Path;
use std::process::{Command, Output};
use std::{fs, str};

/// Names of the languages in SYNTAXES.md, and the locales of the GNU C Library that print them.
const LANGUAGES: [(&str, &[&str]); 11] = [
    ("English", &["en_US", "en_GB"]),
    ("German", &["de_DE", "de_AT"]),
    ("French", &["fr_FR"]),
    ("Spanish", &["es_ES"]),
    ("Italian", &["it_IT"]),
    ("Portuguese", &["pt_PT", "pt_BR"]),
    ("Dutch", &["nl_NL", "nl_BE"]),
    ("Swedish", &["sv_SE"]),
    ("Danish", &["da_DK"]),
    ("Norwegian", &["nb_NO", "nn_NO"]),
    ("Finnish", &["fi_FI"]),
];

/// The formats to print: the default of date(1), `%c`, and the orders of the forms in SYNTAXES.md.
const FORMATS: [&str; 13] = [
    "",
    "+%c",
    "+%A, %B %d, %Y %T-%Z",
    "+%a %b %e %T %Y",
    "+%a %b %e %T %Z %Y",
    "+%a, %d %b %Y %T %z",
    "+%A, %d-%b-%Y %T %Z",
    "+%d %b %Y %T %Z",
    "+%A %e %B %Y %T",
    "+%T %a %d %b %Y",
    "+%d %OB %Y %T",
    "+%a %F %T",
    "+%Y %b %d %T %z",
];

/// Returns the times to print: each month on every weekday, before noon and after. In every other
/// month the day is small enough to be a month.
fn times() -> Vec<NaiveDateTime> {
    let dates = (1..=12).flat_map(|month: u32| {
        let days = if month.is_multiple_of(2) { 1..=7 } else { 20..=26 };
        days.map(move |day| NaiveDate::from_ymd_opt(2024, month, day).expect("a date"))
    });
    let hour = |index: usize| if index.is_multiple_of(2) { 4 } else { 16 };
    let time = |(index, date): (usize, NaiveDate)| date.and_hms_opt(hour(index), 5, 11);
    dates.enumerate().map(|at| time(at).expect("a time")).collect()
}

/// Compiles a locale of the GNU C Library into a folder.
fn compile(locale: &str, folder: &Path) -> Result<(), String> {
    let localedef = program("localedef")?;
    let compiled = Command::new(localedef)
        .args(["--no-archive", "-i", locale, "-f", "UTF-8"])
        .arg(folder.join(locale))
        .output()
        .expect("localedef starts");
    let reason = || format!("no locale {locale}: {}", said(&compiled));
    if compiled.status.success() { Ok(()) } else { Err(reason()) }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

/// Returns the lines that date(1) prints for these times in this locale.
fn printed(folder: &Path, locale: &str, format: &str, times: &Path) -> Vec<Vec<u8>> {
    let printed = Command::new("date")
        .arg("-f")
        .arg(times)
        .args(Some(format).filter(|format| !format.is_empty()))
        .env_clear()
        .envs([("LOCPATH", folder.as_os_str()), ("LC_ALL", locale.as_ref())])
        .env("TZ", "UTC")
        .output()
        .expect("date starts");
    assert!(printed.status.success(), "{locale} {format}: {}", said(&printed));
    printed.stdout.split_inclusive(|octet| *octet == b'\n').map(<[u8]>::to_vec).collect()
}

/// Converts a line from UTF-8 to ISO 8859-1, whose letters equal those of Windows-1252.
fn in_8_bits(line: &[u8]) -> Vec<u8> {
    let line = str::from_utf8(line).expect("UTF-8");
    line.chars().map(|letter| u8::try_from(letter).expect("a letter of ISO 8859-1")).collect()
}

/// Returns the reason why a line is read as another time; `None` if it is read correctly.
fn misread(line: &[u8], time: NaiveDateTime) -> Option<String> {
    let shown = line.escape_ascii();
    let zone = ["UTC", "+0000"].iter().any(|zone| contains(line, zone.as_bytes()));
    let read = match recognise(line) {
        Ok(read) => read,
        // Some locales print no seconds, and such a line may be refused.
        Err(_) if !contains(line, b"11") => return None,
        Err(error) => return Some(format!("{shown}: {error}")),
    };
    let sure = match read.time {
        ReplyTime::Ambiguous { candidates } => {
            in_numbers(line) && candidates.iter().any(|it| it == time)
        }
        ReplyTime::Instant { utc, local } => zone && utc.naive_utc() == time && local == time,
        ReplyTime::WallClock { local } => !zone && local == time,
    };
    let contradicts = read.flags.contains(Flag::WeekdayMismatch);
    (!sure || contradicts).then(|| format!("{shown}: {read:?}"))
}

fn contains(line: &[u8], part: &[u8]) -> bool {
    line.windows(part.len()).any(|window| window == part)
}

/// Whether a date has its month as a number, as in Finnish, and a weekday of at most two letters.
fn in_numbers(line: &[u8]) -> bool {
    let letters = line.iter().take_while(|octet| !octet.is_ascii_digit()).count();
    letters <= 4 && line[letters..].iter().all(|octet| !octet.is_ascii_lowercase())
}

#[test]
fn every_month_and_weekday_of_each_claimed_language_is_read() {
    or_skip!(program("localedef"));
    let folder = tempfile::tempdir().expect("a folder");
    let (times, list) = (times(), folder.path().join("times"));
    let text: Vec<String> = times.iter().map(NaiveDateTime::to_string).collect();
    fs::write(&list, text.join("\n")).expect("written");
    let mut wrong = Vec::new();
    for locale in LANGUAGES.iter().flat_map(|(_, locales)| *locales) {
        or_skip!(compile(locale, folder.path()));
        for format in FORMATS {
            let lines = printed(folder.path(), locale, format, &list);
            assert_eq!(lines.len(), times.len());
            let both = lines
                .iter()
                .zip(&times)
                .flat_map(|(line, time)| [misread(line, *time), misread(&in_8_bits(line), *time)]);
            wrong.extend(both.flatten().map(|misread| format!("{locale} {format}: {misread}")));
        }
    }
    assert!(wrong.is_empty(), "{} misread, such as:\n{}", wrong.len(), some_of(&wrong));
}

/// Returns about 40 lines from all parts of the list.
fn some_of(lines: &[String]) -> String {
    lines.iter().step_by((lines.len() / 40).max(1)).cloned().collect::<Vec<_>>().join("\n")
}

#[test]
fn the_tested_languages_are_those_that_the_page_claims() {
    let page = include_str!("../../docs/SYNTAXES.md");
    let names = LANGUAGES.map(|(language, _)| language);
    let (last, others) = names.split_last().expect("languages");
    let claim = format!(" {} and {last},", others.join(", "));
    let page = page.replace('\n', " ");
    let (before, _) = page.split_once(&claim).unwrap_or_else(|| panic!("no claim of{claim}"));
    assert!(!before.ends_with(','), "the list on the page starts with another language");
}
