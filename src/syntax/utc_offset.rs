//! Reads UTC offsets: numbers, and zone names that mean the same offset everywhere.

use chrono::FixedOffset;

/// Reads an offset of less than 24 hours: `+H`, `+HH`, `+HHMM` or `+HH:MM`, with `+` or `-`.
pub(super) fn numeric(text: &str) -> Option<FixedOffset> {
    let digits = text.strip_prefix(['+', '-'])?;
    let (hours, minutes) = match (digits.split_once(':'), digits.len()) {
        (Some(parts), _) => parts,
        (None, 4) => digits.split_at_checked(2)?,
        (None, _) => (digits, "00"),
    };
    let number = |part: &str| -> Option<i32> {
        let plain = matches!(part.len(), 1..=2) && part.bytes().all(|octet| octet.is_ascii_digit());
        plain.then(|| part.parse().ok())?
    };
    if minutes.len() != 2 {
        return None;
    }
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let seconds = (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)?;
    FixedOffset::east_opt(if text.starts_with('-') { -seconds } else { seconds })
}

/// Returns the offset in hours for a zone name from RFC 822, section 5.1. Offsets east of Greenwich
/// are positive.
pub(super) fn rfc822_hours(name: &str) -> Option<i32> {
    const NAMES: [(&str, i32); 12] = [
        ("UTC", 0),
        ("GMT", 0),
        ("UT", 0),
        ("Z", 0),
        ("EST", -5),
        ("EDT", -4),
        ("CST", -6),
        ("CDT", -5),
        ("MST", -7),
        ("MDT", -6),
        ("PST", -8),
        ("PDT", -7),
    ];
    NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, hours)| *hours)
}
