//! What a reply means: the instant where it fixes one, else what can be said.

use super::cursor::{Mismatch, Time};
use super::flags::{Flag, Flags};
use super::nist::TimeCode;
use super::zone_text::ZoneText;
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Timelike, Utc, Weekday};
use std::fmt;
use std::time::Duration;

/// A reply that was read as a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recognised<'a> {
    /// The form it is written in.
    pub form: Form,
    /// The time it tells.
    pub told: Told,
    /// The zone as the reply names it, if it does.
    pub zone: Option<&'a str>,
    /// The weekday it names, in a language that is known here.
    pub weekday: Option<Weekday>,
    /// The finest digit: a second, or the last digit of a fraction.
    pub resolution: Duration,
    /// What else a time code carries: NIST's, and those of the telephone services.
    pub code: Option<TimeCode>,
    /// What to know besides.
    pub flags: Flags,
}

/// What a reply tells about the time. A leap second is chrono's: second 59 with 1 000 000 000
/// nanoseconds or more, printed as 60.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// An instant: the reply itself fixes the zone.
    Instant {
        /// The instant.
        utc: DateTime<Utc>,
        /// The date and time as written.
        local: NaiveDateTime,
    },
    /// The date and time on a wall somewhere: no zone is named, or one that does not fix the offset.
    WallClock(NaiveDateTime),
    /// One of two, the earlier first: day and month cannot be told apart.
    Either(NaiveDateTime, NaiveDateTime),
}

/// The forms that are recognised, one file of `src/syntax/` each. The names
/// ([`Display`](fmt::Display)) are fixed: scripts may rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Form {
    /// `acts`: NIST's time code by telephone.
    Acts,
    /// `ctime`: ctime(3), also with a zone as date(1) prints it.
    Ctime,
    /// `european`: the European telephone time code.
    European,
    /// `free`: a month by name, and the rest in any other order.
    Free,
    /// `nist`: NIST's time code.
    Nist,
    /// `numeric`: the date in numbers only, as Windows and cameras print it.
    Numeric,
    /// `rfc3339`: RFC 3339 and what is near it.
    Rfc3339,
    /// `rfc5322`: a mail date with its weekday.
    Rfc5322,
    /// `rfc850`: `06-Nov-94`.
    Rfc850,
    /// `rfc867`: RFC 867's first example.
    Rfc867,
    /// `smtp`: RFC 867's second example.
    Smtp,
    /// `truetime`: `Tue, Mar 14, 2006, 09:41:07-UTC`.
    TrueTime,
    /// `usno`: the U.S. Naval Observatory's time code by telephone.
    Usno,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Acts => "acts",
            Self::Ctime => "ctime",
            Self::European => "european",
            Self::Free => "free",
            Self::Nist => "nist",
            Self::Numeric => "numeric",
            Self::Rfc3339 => "rfc3339",
            Self::Rfc5322 => "rfc5322",
            Self::Rfc850 => "rfc850",
            Self::Rfc867 => "rfc867",
            Self::Smtp => "smtp",
            Self::TrueTime => "truetime",
            Self::Usno => "usno",
        })
    }
}

impl Recognised<'_> {
    /// The instant, where the reply fixes it.
    #[must_use]
    pub fn utc(&self) -> Option<DateTime<Utc>> {
        match self.told {
            Told::Instant { utc, .. } => Some(utc),
            Told::WallClock(_) | Told::Either(..) => None,
        }
    }

    /// The date and time as written, where day and month can be told apart.
    #[must_use]
    pub fn naive(&self) -> Option<NaiveDateTime> {
        match self.told {
            Told::Instant { local, .. } | Told::WallClock(local) => Some(local),
            Told::Either(..) => None,
        }
    }

    /// True if the reply says two things that cannot both be true: the weekday or the Modified Julian
    /// Date of another day, or two zones.
    #[must_use]
    pub fn contradicts_itself(&self) -> bool {
        self.flags.iter().any(Flag::is_contradiction)
    }

    /// NIST's digit H, if the server says with it that it is not well.
    #[must_use]
    pub fn unhealthy(&self) -> Option<u8> {
        self.flags.iter().find_map(|flag| match flag {
            Flag::Unhealthy(digit) => Some(digit),
            _ => None,
        })
    }
}

/// A date as a reply gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Date {
    Known(NaiveDate),
    /// Day and month may be either way round; the earlier first.
    Either(NaiveDate, NaiveDate),
}

impl Date {
    pub(super) fn any(self, holds: impl Fn(NaiveDate) -> bool) -> bool {
        match self {
            Self::Known(date) => holds(date),
            Self::Either(one, other) => holds(one) || holds(other),
        }
    }
}

impl From<NaiveDate> for Date {
    fn from(date: NaiveDate) -> Self {
        Self::Known(date)
    }
}

/// What one form makes of a line, before it is judged as a whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a> {
    pub form: Form,
    pub weekday: Option<Weekday>,
    pub date: Date,
    pub time: Time,
    pub zone: Option<ZoneText<'a>>,
    pub code: Option<TimeCode>,
    pub flags: Flags,
}

impl<'a> Parts<'a> {
    pub(super) fn new(form: Form, date: impl Into<Date>, time: Time) -> Self {
        let flags = Flags::default();
        Self { form, weekday: None, date: date.into(), time, zone: None, code: None, flags }
    }

    /// Puts the parts together.
    pub(super) fn judge(mut self) -> Result<Recognised<'a>, Mismatch> {
        let told = match self.date_by_weekday() {
            Date::Known(date) => self.told(date.and_time(self.time.clock))?,
            Date::Either(one, other) => {
                self.flags.add(Flag::AmbiguousDate);
                let at = |date: NaiveDate| date.and_time(self.time.clock);
                Told::Either(at(one), at(other))
            }
        };
        let leap = self.time.clock.nanosecond() >= 1_000_000_000;
        if leap && !may_be_leap(told) {
            let expected = "a second up to 59: second 60 comes at 23:59 UTC only";
            return Err(Mismatch {
                expected,
                at: self.time.at,
                reached: usize::MAX,
                at_end: false,
            });
        }
        self.flags.add_if(leap, Flag::LeapSecond);
        let unknown = self.zone.is_some_and(|zone| zone.offset.is_none());
        self.flags.add_if(unknown, Flag::ZoneUnknown);
        self.flags.add_if(self.zone.is_some_and(|zone| zone.conflict), Flag::ZoneConflict);
        Ok(Recognised {
            form: self.form,
            told,
            zone: self.zone.map(|zone| zone.text),
            weekday: self.weekday,
            resolution: resolution(self.time.fraction_digits),
            code: self.code,
            flags: self.flags,
        })
    }

    /// The weekday chooses between two dates, or is checked against the one.
    fn date_by_weekday(&mut self) -> Date {
        let Some(weekday) = self.weekday else { return self.date };
        let fits = |date: NaiveDate| date.weekday() == weekday;
        let (date, agrees) = match self.date {
            Date::Known(date) => (Date::Known(date), fits(date)),
            Date::Either(one, other) => match (fits(one), fits(other)) {
                (true, false) => (Date::Known(one), true),
                (false, true) => (Date::Known(other), true),
                (agrees, _) => (self.date, agrees),
            },
        };
        self.flags.add_if(!agrees, Flag::WeekdayMismatch);
        date
    }

    fn told(&self, local: NaiveDateTime) -> Result<Told, Mismatch> {
        let Some(offset) = self.zone.and_then(|zone| zone.offset) else {
            return Ok(Told::WallClock(local));
        };
        // RFC 3339, which tells the instant, has four digits for the year.
        let utc = local.checked_sub_offset(offset).filter(|utc| (1..=9999).contains(&utc.year()));
        let Some(utc) = utc else {
            let expected = "a date and time in the years 1 to 9999, in UTC too";
            return Err(Mismatch { expected, at: 0, reached: usize::MAX, at_end: false });
        };
        Ok(Told::Instant { utc: utc.and_utc(), local })
    }
}

/// Leap seconds come at 23:59:60 UTC. Since there are any, zones have differed from that by multiples of
/// five minutes: by quarters of an hour, and Kiritimati until 1979 by 10:40.
fn may_be_leap(told: Told) -> bool {
    let by_five_minutes = |time: NaiveDateTime| time.minute() % 5 == 4;
    match told {
        Told::Instant { utc, .. } => (utc.hour(), utc.minute()) == (23, 59),
        Told::WallClock(time) | Told::Either(time, _) => by_five_minutes(time),
    }
}

fn resolution(fraction_digits: usize) -> Duration {
    let digits = u32::try_from(fraction_digits).unwrap_or(9).min(9);
    Duration::from_nanos(10u64.pow(9 - digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leap_second_on_a_wall_is_one_that_some_zone_has_had() {
        let at = |time: &str| {
            let wall = format!("1972-12-31T{time}:00").parse().expect("a date and time");
            may_be_leap(Told::WallClock(wall))
        };
        assert_eq!([at("23:59"), at("05:44"), at("13:19")], [true; 3], "UTC, Nepal, Kiritimati");
        assert_eq!([at("23:58"), at("12:00")], [false; 2]);
    }

    #[test]
    fn the_resolution_is_the_last_digit() {
        assert_eq!(resolution(0), Duration::from_secs(1));
        assert_eq!(resolution(3), Duration::from_millis(1));
        assert_eq!(resolution(12), Duration::from_nanos(1));
    }
}
