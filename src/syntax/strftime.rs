//! Reply patterns in the notation of strftime(3). Parsing a pattern also checks it, so that at any
//! instant its reply is one line of printable ASCII that is not too long.
//!
//! chrono provides the specifiers: all of strftime's, and more (`%.3f`, `%:z`).

use super::Zone;
use crate::reply::{Reply, ReplyError};
use chrono::format::{Fixed, Item, Numeric, StrftimeItems};
use chrono::{DateTime, Days, NaiveDate, Utc};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A strftime(3) pattern that has been checked.
///
/// ```
/// use daytime::read::Pattern;
/// assert!("%F %T %Z".parse::<Pattern>().is_ok());
/// let error = "%F%n%T".parse::<Pattern>().unwrap_err();
/// assert!(error.to_string().starts_with(r#""%n" at octet 3"#));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    items: Vec<Item<'static>>,
    resolution: Duration,
}

/// The reason why a pattern is rejected. Octets are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// The pattern contains a part that a reply cannot contain.
    #[error("{part:?} at octet {octet} {fault}")]
    Part {
        /// This part of the pattern: a specifier or text.
        part: String,
        /// The position of the part's first octet.
        octet: usize,
        /// The reason why a reply cannot contain this part.
        fault: PartFault,
    },
    /// The pattern prints nothing, either always or at some instants (`%.f` at the start of a
    /// second).
    #[error("the pattern is empty, or writes nothing at some instants")]
    Empty,
}

/// The reason why a reply cannot contain a part of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum PartFault {
    /// The specifier is unknown.
    #[error("is not a strftime specifier")]
    Unknown,
    /// The part prints a control character.
    #[error("writes a control character")]
    Control,
    /// The part contains a character outside ASCII.
    #[error("is not ASCII")]
    NotAscii,
    /// The longest possible reply would exceed [`Reply::MAX_OCTETS`].
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
            if !part.is_ascii() {
                return Err(refuse(PartFault::NotAscii));
            }
            let new: Vec<Item> = StrftimeItems::new(part).map(Item::to_owned).collect();
            octets += longest(&new, &instants).map_err(refuse)?;
            if octets > Reply::MAX_OCTETS {
                return Err(refuse(PartFault::TooLong));
            }
            items.extend(new);
        }
        if instants.iter().any(|time| written(&items, time).is_some_and(|text| text.is_empty())) {
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

/// Displays a time in the format of a pattern's items, without an intermediate string.
struct Formatted<'a>(&'a DateTime<Zone>, &'a [Item<'static>]);

impl fmt::Display for Formatted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.format_with_items(self.1.iter()).write_to(f)
    }
}

/// Splits a pattern into its specifiers and the text between them, each with its position.
fn parts(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let odd = |character: char| character == '%' || !matches!(character, ' '..='~');
        let length = match rest.find(odd) {
            Some(0) if rest.starts_with('%') => specifier_length(rest),
            Some(0) => rest.chars().next().map_or(1, char::len_utf8),
            Some(length) => length,
            None => rest.len(),
        };
        at += length;
        Some((at - length, &rest[..length]))
    })
}

/// Returns the length of a specifier in octets: `%`, its modifiers and its letter. At the end of a
/// pattern, the specifier may be incomplete.
fn specifier_length(text: &str) -> usize {
    let modifier = |character: char| matches!(character, '-' | '_' | '0'..='9' | '.' | ':' | '#');
    let letter = text[1..].trim_start_matches(modifier);
    text.len() - letter.len() + letter.chars().next().map_or(0, char::len_utf8)
}

/// Returns the largest number of octets that the items print at any of these instants.
fn longest(items: &[Item], instants: &[DateTime<Zone>]) -> Result<usize, PartFault> {
    let literal = |item: &Item| matches!(item, Item::OwnedLiteral(_));
    // Literal text is the same at every instant, so one instant is enough to measure it.
    let sampled = if items.iter().all(literal) { 1 } else { instants.len() };
    instants[..sampled].iter().try_fold(0, |most, time| {
        let text = written(items, time).ok_or(PartFault::Unknown)?;
        let control = text.bytes().any(|octet| octet.is_ascii_control());
        if control { Err(PartFault::Control) } else { Ok(most.max(text.len())) }
    })
}

/// Returns the text that the items print, or `None` if an item is invalid.
fn written(items: &[Item], time: &DateTime<Zone>) -> Option<String> {
    let mut text = String::new();
    time.format_with_items(items.iter()).write_to(&mut text).ok()?;
    Some(text)
}

/// Returns the instants that test a pattern: at these, each specifier prints its longest and its
/// shortest text. These instants cover every weekday in every month, whole seconds, nine-digit
/// fractions, and chrono's first and last years, in the zones with the longest names and offsets.
fn instants() -> Vec<DateTime<Zone>> {
    let first = NaiveDate::from_ymd_opt(2096, 1, 1).into_iter();
    let days = first.flat_map(|day| day.iter_days().take(1827));
    let at_22 = |day: NaiveDate| day.and_hms_nano_opt(22, 59, 59, 123_456_789);
    let usual = days.filter_map(at_22).map(|time| time.and_utc());
    // Stays one day away from chrono's limits, so that the local time in every zone is within the
    // limits too.
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

/// Returns the smallest unit of time that an item prints. Every fraction counts as nanoseconds,
/// except the three-digit and six-digit forms.
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
    use crate::mentions::mentions;

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
    fn an_error_names_the_wrong_part() {
        let [unknown, control, foreign] = ["specifier", "control character", "not ASCII"];
        for (pattern, part, octet, cause) in [
            ("%F %Q", "\"%Q\"", 4, unknown),
            ("%T%", "\"%\"", 3, unknown),
            ("%F%n%T", "\"%n\"", 3, control),
            ("a\u{1b}[2J", "\"\\u{1b}\"", 2, control),
            ("le %d août", "\"û\"", 9, foreign),
            ("%é", "\"%é\"", 1, foreign),
            ("%#z", "\"%#z\"", 1, unknown),
        ] {
            mentions(&refusal(pattern), &[part, &format!("octet {octet}"), cause]);
        }
        mentions(&refusal(""), &["empty"]);
        mentions(&refusal("%.f"), &["nothing at some instants"]);
    }

    #[test]
    fn the_longest_reply_decides_whether_a_pattern_fits() {
        // Wednesday, the longest English weekday, has nine letters.
        let fits = format!("{}%A", "x".repeat(501));
        assert!(fits.parse::<Pattern>().is_ok());
        mentions(&refusal(&format!("x{fits}")), &["\"%A\"", "octet 503", "above 512 octets"]);
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
