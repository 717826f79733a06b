//! Any pattern of strftime(3), checked when it is given: whatever the instant, its reply is one line
//! of printable ASCII that fits.
//!
//! The specifiers are chrono's, which are strftime's and some more (`%.3f`, `%:z`).

use super::Zone;
use crate::reply::{Reply, ReplyError};
use chrono::format::{Fixed, Item, Numeric, StrftimeItems};
use chrono::{DateTime, Days, NaiveDate, Utc};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A checked pattern.
///
/// ```
/// use daytime::read::Pattern;
/// assert!("%F %T %Z".parse::<Pattern>().is_ok());
/// let error = "%F%n%T".parse::<Pattern>().unwrap_err();
/// assert_eq!(error.to_string(), r#""%n" at octet 3 writes a control character"#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    items: Vec<Item<'static>>,
    resolution: Duration,
}

/// Which part of a pattern cannot make a reply, and why. Octets are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// A part that cannot be in a reply.
    #[error("{part:?} at octet {octet} {fault}")]
    Part {
        /// The part.
        part: String,
        /// Where it begins.
        octet: usize,
        /// Why it cannot.
        fault: PartFault,
    },
    /// Nothing would be sent, always or at some instants (`%.f` in the first nanosecond).
    #[error("the pattern is empty, or writes nothing at some instants")]
    Empty,
}

/// Why a part of a pattern cannot be in a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum PartFault {
    /// A specifier that is not one of strftime's.
    #[error("is no strftime specifier")]
    Unknown,
    /// It writes something else than printable ASCII.
    #[error("writes a control character")]
    Control,
    /// A character outside ASCII.
    #[error("is not ASCII")]
    NotAscii,
    /// With it the longest reply is longer than [`Reply::MAX_OCTETS`].
    #[error("takes the reply above {max} octets", max = Reply::MAX_OCTETS)]
    TooLong,
}

impl Pattern {
    pub(super) fn print(&self, time: &DateTime<Zone>) -> Result<Reply, ReplyError> {
        Reply::line(Formatted(time, &self.items))
    }

    pub(super) fn resolution(&self) -> Duration {
        self.resolution
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let mut items = Vec::new();
        let mut octets = "\r\n".len();
        let instants = instants();
        for (at, part) in parts(text) {
            let refuse = |fault| PatternError::Part { part: part.to_owned(), octet: at + 1, fault };
            let new: Vec<Item> = StrftimeItems::new(part).map(Item::to_owned).collect();
            check(part, &new).map_err(refuse)?;
            octets += longest(&new, &instants).ok_or_else(|| refuse(PartFault::Unknown))?;
            if octets > Reply::MAX_OCTETS {
                return Err(refuse(PartFault::TooLong));
            }
            items.extend(new);
        }
        if instants.iter().any(|time| written(&items, time) == Some(0)) {
            return Err(PatternError::Empty);
        }
        let resolution = items.iter().map(resolution).min().unwrap_or(Duration::from_secs(1));
        Ok(Self { text: text.to_owned(), items, resolution })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// `time.format(…)` without the string it would make on the way.
struct Formatted<'a>(&'a DateTime<Zone>, &'a [Item<'static>]);

impl fmt::Display for Formatted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.format_with_items(self.1.iter()).write_to(f)
    }
}

fn check(part: &str, items: &[Item]) -> Result<(), PartFault> {
    let control = |text: &str| text.chars().any(|character| character.is_ascii_control());
    let written = |item: &Item| match item {
        Item::Literal(text) | Item::Space(text) => control(text),
        Item::OwnedLiteral(text) | Item::OwnedSpace(text) => control(text),
        _ => false,
    };
    if !part.is_ascii() {
        return Err(PartFault::NotAscii);
    }
    if items.contains(&Item::Error) {
        return Err(PartFault::Unknown);
    }
    if items.iter().any(written) {
        return Err(PartFault::Control);
    }
    Ok(())
}

/// The parts of a pattern with their places: each specifier by itself, the text between them.
fn parts(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let start = at;
        at += if rest.starts_with('%') {
            specifier_length(rest)
        } else {
            let odd = |character: char| character == '%' || !matches!(character, ' '..='~');
            match rest.find(odd) {
                Some(0) => rest.chars().next().map_or(1, char::len_utf8),
                Some(length) => length,
                None => rest.len(),
            }
        };
        Some((start, &text[start..at]))
    })
}

/// A `%`, what modifies it, and the letter; or as much of that as there is.
fn specifier_length(text: &str) -> usize {
    let modifier = |character: &char| matches!(character, '-' | '_' | '0'..='9' | '.' | ':' | '#');
    let mut characters = text.chars().skip(1).skip_while(modifier);
    let modifiers = text.chars().skip(1).take_while(modifier).count();
    1 + modifiers + characters.next().map_or(0, char::len_utf8)
}

/// The most octets these items write at any instant, in any zone; `None` if they cannot be written.
fn longest(items: &[Item], instants: &[DateTime<Zone>]) -> Option<usize> {
    let literal = |item: &Item| matches!(item, Item::Literal(_) | Item::OwnedLiteral(_));
    // What is the same every time need not be tried at every instant.
    let sampled = if items.iter().all(literal) { 1 } else { instants.len() };
    instants[..sampled].iter().try_fold(0, |most, time| Some(most.max(written(items, time)?)))
}

fn written(items: &[Item], time: &DateTime<Zone>) -> Option<usize> {
    let mut count = Count(0);
    time.format_with_items(items.iter()).write_to(&mut count).ok()?;
    Some(count.0)
}

/// Instants at which each specifier shows its longest and its shortest: every weekday in every month,
/// a fraction of nine digits and none, the first and the last year there is, in the longest zones.
fn instants() -> Vec<DateTime<Zone>> {
    let first = NaiveDate::from_ymd_opt(2096, 1, 1).into_iter();
    let days = first.flat_map(|day| day.iter_days().take(1827));
    let at_22 = |day: NaiveDate| day.and_hms_nano_opt(22, 59, 59, 123_456_789);
    let usual = days.filter_map(at_22).map(|time| time.and_utc());
    // A day within the ends, so that any zone's own time is there too.
    let day = Days::new(1);
    let ends = [
        DateTime::<Utc>::MIN_UTC.checked_add_days(day),
        DateTime::<Utc>::MAX_UTC.checked_sub_days(day),
        Some(DateTime::UNIX_EPOCH),
    ];
    let utc: Vec<_> = usual.chain(ends.into_iter().flatten()).collect();
    let zones = ["UTC", "America/St_Johns", "Asia/Kathmandu", "-11:30"];
    let zones = zones.iter().filter_map(|zone| zone.parse::<Zone>().ok());
    zones.flat_map(|zone| utc.iter().map(move |utc| utc.with_timezone(&zone))).collect()
}

struct Count(usize);

impl fmt::Write for Count {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

/// The finest digit an item writes. Anything with a fraction counts as nanoseconds, but for the
/// three- and six-digit forms.
fn resolution(item: &Item) -> Duration {
    match item {
        Item::Fixed(Fixed::Nanosecond3) => Duration::from_millis(1),
        Item::Fixed(Fixed::Nanosecond6) => Duration::from_micros(1),
        Item::Numeric(Numeric::Nanosecond, _)
        | Item::Fixed(
            Fixed::Nanosecond | Fixed::Nanosecond9 | Fixed::RFC3339 | Fixed::Internal(_),
        ) => Duration::from_nanos(1),
        _ => Duration::from_secs(1),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Syntax::Strftime;
    use super::super::tests_at::reply;
    use super::*;

    fn print(pattern: &str, instant: &str, zone: &str) -> String {
        reply(&Strftime(pattern.parse().expect("pattern")), instant, zone)
    }

    fn refusal(pattern: &str) -> String {
        pattern.parse::<Pattern>().expect_err("refused").to_string()
    }

    #[test]
    fn a_pattern_prints_what_strftime_would() {
        let printed = print("%F %T %Z week %V 100%%", "2026-11-22T13:23:00Z", "Europe/Rome");
        assert_eq!(printed, "2026-11-22 14:23:00 CET week 47 100%\r\n");
        assert_eq!(print("%S", "2016-12-31T23:59:60Z", "utc"), "60\r\n");
    }

    #[test]
    fn the_offending_part_is_named() {
        assert_eq!(refusal("%F %Q"), "\"%Q\" at octet 4 is no strftime specifier");
        assert_eq!(refusal("%T%"), "\"%\" at octet 3 is no strftime specifier");
        assert_eq!(refusal("%F%n%T"), "\"%n\" at octet 3 writes a control character");
        assert_eq!(refusal("a\u{1b}[2J"), "\"\\u{1b}\" at octet 2 writes a control character");
        assert_eq!(refusal("le %d août"), "\"û\" at octet 9 is not ASCII");
        assert_eq!(refusal("%é"), "\"%é\" at octet 1 is not ASCII");
        assert_eq!(refusal("%#z"), "\"%#z\" at octet 1 is no strftime specifier");
        let empty = "the pattern is empty, or writes nothing at some instants";
        assert_eq!([refusal(""), refusal("%.f")], [empty, empty]);
    }

    #[test]
    fn the_longest_reply_decides_whether_it_fits() {
        let fits = format!("{}%A", "x".repeat(501)); // Wednesday has nine letters
        assert!(fits.parse::<Pattern>().is_ok());
        assert_eq!(
            refusal(&format!("x{fits}")),
            "\"%A\" at octet 503 takes the reply above 512 octets"
        );
    }

    #[test]
    fn the_resolution_is_the_finest_digit() {
        let resolution = |text: &str| text.parse::<Pattern>().expect("pattern").resolution();
        assert_eq!(resolution("%T"), Duration::from_secs(1));
        assert_eq!(resolution("%T%.3f"), Duration::from_millis(1));
        assert_eq!(resolution("%S%.6f"), Duration::from_micros(1));
        for nanoseconds in ["%f", "%S%.f", "%.9f", "%9f", "%6f", "%3f", "%+"] {
            assert_eq!(resolution(nanoseconds), Duration::from_nanos(1), "{nanoseconds}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_pattern_panics_and_an_accepted_one_always_prints(
            text in "(%[-_0.:3]?[a-zA-Z%+]|[ -~]|\\PC){0,12}",
            second in DateTime::<Utc>::MIN_UTC.timestamp() + 86_400
                ..DateTime::<Utc>::MAX_UTC.timestamp() - 86_400,
            nanosecond in proptest::sample::select(vec![0, 1, 500_000_000, 999_999_999u32]),
        ) {
            if let Ok(pattern) = text.parse::<Pattern>() {
                let utc = DateTime::from_timestamp(second, nanosecond).expect("in range");
                let zone: Zone = "America/St_Johns".parse().expect("zone");
                proptest::prop_assert!(pattern.print(&utc.with_timezone(&zone)).is_ok(), "{text:?}");
            }
        }
    }
}
