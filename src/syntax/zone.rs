//! The time zone in which replies are printed, and its abbreviation.

use super::iana::{Iana, Shown};
use super::{local_zone, utc_offset};
use chrono::{
    FixedOffset, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone,
    Utc,
};
use std::fmt;
use std::str::FromStr;

/// A time zone: UTC, an IANA zone, or a fixed offset.
///
/// `%Z` prints the zone's own abbreviation (`CET`). It prints a numeric offset (`-0300`) instead if
/// the database has no alphabetic abbreviation, or if RFC 822, section 5.1, gives the abbreviation
/// a different offset. China's `CST` becomes `+0800`, so that readers do not mistake it for
/// Chicago's `CST`. The database is compiled into the program (tzdb_data).
///
/// ```
/// use daytime::Zone;
/// let rome: Zone = "Europe/Rome".parse()?;
/// let utc: chrono::DateTime<chrono::Utc> = "2026-07-01T10:00:00Z".parse()?;
/// assert_eq!(utc.with_timezone(&rome).format("%H %Z").to_string(), "12 CEST");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Named(Iana),
    Fixed(FixedOffset),
}

/// The reason why a string does not name a zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ZoneError {
    /// The text is not `utc`, `local`, an IANA name or an offset.
    #[error("no such zone; use utc, local, an IANA name such as Europe/Rome, or +HH:MM")]
    Unknown,
    /// The local zone has no name in the IANA database.
    #[error("the local zone {zone:?} has no IANA name; name one instead of local")]
    Local {
        /// The local zone as the system names it.
        zone: String,
    },
    /// The variable `TZ` is set, but not to a name in the IANA database.
    #[error(
        "TZ={value} is not the name of an IANA zone such as Europe/Rome; correct TZ, or name a \
         zone instead of local"
    )]
    Variable {
        /// The value of `TZ`, escaped.
        value: String,
    },
    /// The system setting that names the local zone cannot be read.
    #[error("cannot read the local zone: {reason}")]
    Unreadable {
        /// The system's error message.
        reason: String,
    },
}

impl Zone {
    /// Coordinated Universal Time.
    pub const UTC: Self = Self(Kind::Named(Iana::UTC));

    /// Returns this host's zone: `TZ` if it is set, otherwise the system's zone, otherwise UTC
    /// (tzset(3)).
    ///
    /// # Errors
    /// [`ZoneError::Variable`]: `TZ` holds a misspelt name, or a POSIX rule such as `CET-1CEST`.
    /// [`ZoneError::Local`]: the zone has no IANA name, because the zone file is not a link into
    /// the database. [`ZoneError::Unreadable`]: the process lacks a permission, for example inside
    /// a sandbox; or the crate was built without the features `client` and `server`, so it does not
    /// query the system.
    ///
    /// ```
    /// use daytime::Zone;
    /// assert_eq!(Zone::local(), "local".parse());
    /// let zone = Zone::local().unwrap_or(Zone::UTC);
    /// println!("{zone}"); // Europe/Rome
    /// ```
    pub fn local() -> Result<Self, ZoneError> {
        let name = local_zone::name().map_err(|reason| ZoneError::Unreadable { reason })?;
        let Some(name) = name else {
            return Ok(Self::UTC);
        };
        let plain = name.strip_prefix("posix/").unwrap_or(&name);
        Self::named(plain).ok_or_else(|| match std::env::var("TZ") {
            Ok(value) => ZoneError::Variable { value: value.escape_default().to_string() },
            Err(_) => ZoneError::Local { zone: name },
        })
    }

    fn named(name: &str) -> Option<Self> {
        Iana::find(name).map(|zone| Self(Kind::Named(zone)))
    }
}

impl FromStr for Zone {
    type Err = ZoneError;

    /// Reads a zone: `utc`, `local`, an IANA name, or an offset (`+05:30`, `-0300`, `+5`).
    fn from_str(text: &str) -> Result<Self, ZoneError> {
        if text.eq_ignore_ascii_case("utc") {
            return Ok(Self::UTC);
        }
        if text.eq_ignore_ascii_case("local") {
            return Self::local();
        }
        utc_offset::numeric(text)
            .map(|offset| Self(Kind::Fixed(offset)))
            .or_else(|| Self::named(text))
            .ok_or(ZoneError::Unknown)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Named(zone) => f.pad(zone.name),
            Kind::Fixed(offset) => write!(f, "{offset}"),
        }
    }
}

/// A [`Zone`]'s offset at one instant. The offset is printed as the zone's abbreviation. If the
/// zone has no abbreviation, or if the abbreviation could be misread as another offset, the offset
/// is printed as a number.
#[derive(Clone, Copy, Debug)]
pub struct ZoneOffset {
    zone: Zone,
    offset: FixedOffset,
    /// The abbreviation in the database, which may be numeric, such as `-03`. Empty for a fixed
    /// offset.
    abbreviation: &'static str,
}

impl Offset for ZoneOffset {
    fn fix(&self) -> FixedOffset {
        self.offset
    }
}

impl fmt::Display for ZoneOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.offset.local_minus_utc();
        // China's and Cuba's CST and CDT, and the Philippines' PST, mean other offsets than in RFC
        // 822.
        let misleads = |name: &str| {
            utc_offset::rfc822_hours(name).is_some_and(|hours| hours * 3600 != seconds)
        };
        let name = self.abbreviation;
        let alphabetic = name.bytes().all(|octet| octet.is_ascii_alphabetic());
        if !name.is_empty() && alphabetic && !misleads(name) {
            return f.write_str(name);
        }
        let sign = if seconds < 0 { '-' } else { '+' };
        let minutes = seconds.abs() / 60; // RFC 5322 offsets have no seconds, so the seconds are dropped.
        write!(f, "{sign}{:02}{:02}", minutes / 60, minutes % 60)
    }
}

impl TimeZone for Zone {
    type Offset = ZoneOffset;

    fn from_offset(offset: &ZoneOffset) -> Self {
        offset.zone
    }

    fn offset_from_local_date(&self, local: &NaiveDate) -> MappedLocalTime<ZoneOffset> {
        // Uses the offset at the start of the day. If the clocks skip that time, uses the offset at
        // the end of the day.
        let [begins, ends] = [NaiveTime::MIN, NaiveTime::MIN - TimeDelta::seconds(1)];
        match self.offset_from_local_datetime(&local.and_time(begins)) {
            MappedLocalTime::None => self.offset_from_local_datetime(&local.and_time(ends)),
            found => found,
        }
    }

    fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> MappedLocalTime<ZoneOffset> {
        match self.0 {
            Kind::Named(zone) => zone.at_local(local).map(|shown| ZoneOffset::named(zone, shown)),
            Kind::Fixed(offset) => MappedLocalTime::Single(ZoneOffset::fixed(offset)),
        }
    }

    fn offset_from_utc_date(&self, utc: &NaiveDate) -> ZoneOffset {
        self.offset_from_utc_datetime(&utc.and_time(NaiveTime::MIN))
    }

    fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> ZoneOffset {
        match self.0 {
            Kind::Named(zone) => ZoneOffset::named(zone, zone.at(utc)),
            Kind::Fixed(offset) => ZoneOffset::fixed(offset),
        }
    }
}

impl ZoneOffset {
    fn named(zone: Iana, shown: Shown) -> Self {
        // The fallback is never used: no zone has an offset of a day or more, and a test checks
        // every zone.
        let offset = FixedOffset::east_opt(shown.ut_offset()).unwrap_or(Utc.fix());
        let abbreviation = shown.time_zone_designation();
        Self { zone: Zone(Kind::Named(zone)), offset, abbreviation }
    }

    fn fixed(offset: FixedOffset) -> Self {
        Self { zone: Zone(Kind::Fixed(offset)), offset, abbreviation: "" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    /// Returns the zone's abbreviation at noon UTC on a date.
    fn abbreviation(zone: &str, date: &str) -> String {
        let utc: DateTime<Utc> = format!("{date}T12:00:00Z").parse().expect("date");
        let zone: Zone = zone.parse().expect("zone");
        utc.with_timezone(&zone).format("%Z").to_string()
    }

    #[test]
    fn the_abbreviation_is_the_zones_own_in_winter_and_summer() {
        assert_eq!(abbreviation("Europe/Rome", "2026-01-01"), "CET");
        assert_eq!(abbreviation("Europe/Rome", "2026-07-01"), "CEST");
        assert_eq!(abbreviation("America/Los_Angeles", "1982-02-22"), "PST");
        assert_eq!(abbreviation("UTC", "2026-01-01"), "UTC");
    }

    #[test]
    fn a_zone_without_an_alphabetic_abbreviation_shows_its_offset() {
        assert_eq!(abbreviation("America/Sao_Paulo", "2026-01-01"), "-0300");
        assert_eq!(abbreviation("Asia/Kathmandu", "2026-01-01"), "+0545");
        assert_eq!(abbreviation("-00:30", "2026-01-01"), "-0030");
    }

    #[test]
    fn an_abbreviation_that_rfc_822_gives_to_another_offset_is_not_used() {
        assert_eq!(abbreviation("America/Chicago", "2026-01-01"), "CST");
        assert_eq!(abbreviation("Asia/Shanghai", "2026-01-01"), "+0800");
        assert_eq!(abbreviation("America/Havana", "2026-01-01"), "-0500");
        assert_eq!(abbreviation("America/Havana", "2026-07-01"), "-0400");
        assert_eq!(abbreviation("Asia/Manila", "2026-01-01"), "+0800");
        assert_eq!(abbreviation("Africa/Abidjan", "2026-01-01"), "GMT");
    }

    #[test]
    fn an_offset_is_read_in_each_of_its_spellings() {
        let seconds = |text: &str| utc_offset::numeric(text).map(|offset| offset.local_minus_utc());
        assert_eq!(seconds("+05:30"), Some(19_800));
        assert_eq!(seconds("+0530"), Some(19_800));
        assert_eq!(seconds("-3"), Some(-10_800));
        assert_eq!(seconds("-23:59"), Some(-86_340));
        for wrong in ["+24:00", "+02:3", "+05:60", "+", "5", "+5:+5", "+123", "+1:2:3", "+0530 "] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_unknown_zone_is_refused() {
        assert_eq!("Mars/Olympus".parse::<Zone>(), Err(ZoneError::Unknown));
        assert_eq!("".parse::<Zone>(), Err(ZoneError::Unknown));
    }

    #[test]
    fn an_offset_gives_its_zone_back() {
        for name in ["Europe/Rome", "+05:30"] {
            let zone: Zone = name.parse().expect("zone");
            let offset = zone.offset_from_utc_datetime(&NaiveDateTime::MIN);
            assert_eq!(Zone::from_offset(&offset), zone);
        }
    }
}
