//! The IANA time zone database, compiled into the program.
//!
//! The tables contain plain numbers and no pointers. If each abbreviation were a pointer, the
//! dynamic linker would have to relocate, and therefore copy, a megabyte of tables at every start.

use chrono::{MappedLocalTime, NaiveDateTime};
use std::fmt;
use tz::timezone::TransitionRule;
use tz::{LocalTimeType, TimeZoneRef};
use tzdb_data::{TZ_NAMES, find_tz, time_zone};

/// A time zone in the database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Iana {
    pub(super) name: &'static str,
    rules: &'static TimeZoneRef<'static>,
}

impl Iana {
    pub(super) const NEW_YORK: Self =
        Self { name: "America/New_York", rules: &time_zone::america::NEW_YORK };
    pub(super) const UTC: Self = Self { name: "UTC", rules: &time_zone::UTC };

    /// Returns the zone with this name. The name is case-sensitive.
    pub(super) fn find(name: &str) -> Option<Self> {
        let name = Self::names().find(|known| *known == name)?;
        find_tz(name.as_bytes()).map(|rules| Self { name, rules })
    }

    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        TZ_NAMES.iter().copied()
    }

    /// Returns the offset and abbreviation in use at an instant.
    pub(super) fn at(self, utc: &NaiveDateTime) -> Shown {
        self.at_second(utc.and_utc().timestamp())
    }

    /// Returns the offsets that clocks in this zone may have when they show this local time: none,
    /// one or two.
    pub(super) fn at_local(self, local: &NaiveDateTime) -> MappedLocalTime<Shown> {
        let second = local.and_utc().timestamp();
        let instant = |shown: &Shown| second - i64::from(shown.ut_offset());
        let mut instants: Vec<i64> = self.all().map(|shown| instant(&shown)).collect();
        instants.sort_unstable();
        instants.dedup();
        let shows_it = |utc: &i64| {
            let shown = self.at_second(*utc);
            (instant(&shown) == *utc).then_some(shown)
        };
        let mut found = instants.iter().filter_map(shows_it);
        match (found.next(), found.next_back()) {
            (None, _) => MappedLocalTime::None,
            (Some(only), None) => MappedLocalTime::Single(only),
            (Some(first), Some(last)) => MappedLocalTime::Ambiguous(first, last),
        }
    }

    fn at_second(self, second: i64) -> Shown {
        const UTC: Shown = &LocalTimeType::utc();
        // The fallback is never used: a test checks every zone over all of chrono's years.
        self.rules.find_local_time_type(second).unwrap_or(UTC)
    }

    /// Returns every offset that the zone has used or will use.
    fn all(self) -> impl Iterator<Item = Shown> {
        let by_rule = match self.rules.extra_rule() {
            None => [None, None],
            Some(TransitionRule::Fixed(shown)) => [Some(shown), None],
            Some(TransitionRule::Alternate(rule)) => [Some(rule.std()), Some(rule.dst())],
        };
        self.rules.local_time_types().iter().chain(by_rule.into_iter().flatten())
    }
}

/// A zone's offset and abbreviation at some instant, and whether daylight saving time is in use.
pub(super) type Shown = &'static LocalTimeType;

impl fmt::Debug for Iana {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn rome() -> Iana {
        Iana::find("Europe/Rome").expect("a zone")
    }

    fn local(text: &str) -> NaiveDateTime {
        text.parse().expect("a time")
    }

    #[test]
    fn every_zone_is_found_by_its_name_and_has_an_offset_at_every_instant() {
        let day = 86_400;
        let last = DateTime::<chrono::Utc>::MAX_UTC.timestamp();
        let instants = [DateTime::<chrono::Utc>::MIN_UTC.timestamp(), 0, 1 << 31, 1 << 32, last];
        assert!(Iana::names().count() > 590);
        for name in Iana::names() {
            let zone = Iana::find(name).expect(name);
            for second in instants {
                let shown = zone.rules.find_local_time_type(second).expect(name);
                assert!(i64::from(shown.ut_offset()).abs() < day, "{name}");
            }
        }
    }

    #[test]
    fn the_zone_constants_equal_the_zones_of_the_database() {
        for zone in [Iana::NEW_YORK, Iana::UTC] {
            let found = Iana::find(zone.name).expect("it is there");
            assert_eq!(found.rules, zone.rules, "{zone:?}");
        }
    }

    #[test]
    fn a_name_in_the_wrong_case_is_not_found() {
        assert_eq!(Iana::find("europe/rome"), None);
    }

    #[test]
    fn a_zone_follows_its_rule_after_the_last_change_in_its_table() {
        let names = [local("2500-01-01T12:00:00"), local("2500-07-01T12:00:00")]
            .map(|utc| rome().at(&utc).time_zone_designation());
        assert_eq!(names, ["CET", "CEST"]);
    }

    #[test]
    fn a_skipped_local_time_has_no_offset_and_a_repeated_one_has_two() {
        let found = |time| rome().at_local(&local(time)).map(LocalTimeType::ut_offset);
        assert_eq!(found("2026-03-29T01:59:59"), MappedLocalTime::Single(3600));
        assert_eq!(found("2026-03-29T02:30:00"), MappedLocalTime::None);
        assert_eq!(found("2026-03-29T03:00:00"), MappedLocalTime::Single(7200));
        assert_eq!(found("2026-10-25T02:30:00"), MappedLocalTime::Ambiguous(7200, 3600));
        assert_eq!(found("2026-10-25T03:00:00"), MappedLocalTime::Single(3600));
    }
}
