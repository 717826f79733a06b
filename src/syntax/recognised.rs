//! The meaning of a reply: an instant if the reply determines one, otherwise a local time.

use super::cursor::{Mismatch, Time};
use super::flags::{Flag, Flags};
use super::time_code::TimeCode;
use super::zone_text::ZoneText;
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc, Weekday};
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// A reply whose time was read.
///
/// ```
/// let read = daytime::recognise(b"Monday, February 22, 1982 17:37:43-PST\r\n")?;
/// assert_eq!(read.zone.as_deref(), Some("PST"));
/// assert_eq!(read.utc().expect("an instant").to_rfc3339(), "1982-02-23T01:37:43+00:00");
/// assert_eq!(read.naive().expect("a date").to_string(), "1982-02-22 17:37:43");
/// # Ok::<(), daytime::read::Unrecognised>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Recognised<'a> {
    /// The form of the reply.
    pub form: Form,
    /// The time in the reply.
    pub time: ReplyTime,
    /// The zone, as written in the reply, if the reply names one.
    pub zone: Option<Cow<'a, str>>,
    /// The weekday in the reply, if there is one in a known language.
    pub weekday: Option<Weekday>,
    /// The smallest unit of time that the reply shows: a second, or the unit of its last decimal
    /// place.
    pub resolution: Duration,
    /// The fields in addition to the time, if the reply is a time code from NIST or a telephone service.
    pub code: Option<TimeCode>,
    /// Remarks on the reply.
    pub flags: Flags,
}

/// The time in a reply. As in chrono, a leap second is represented as second 59 with at least 1 000
/// 000 000 nanoseconds, and is printed as second 60.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplyTime {
    /// An instant. The reply itself determines the zone.
    Instant {
        /// The instant in UTC.
        utc: DateTime<Utc>,
        /// The local date and time in the reply.
        local: NaiveDateTime,
    },
    /// A local date and time. The reply names no zone, or a zone whose offset is uncertain.
    WallClock {
        /// The local date and time in the reply.
        local: NaiveDateTime,
    },
    /// Two or three possible times, because the order of day, month and year is uncertain.
    Ambiguous {
        /// All possible times, earliest first.
        candidates: Candidates,
    },
}

/// The two or three times that a reply with a numeric date may mean, earliest first.
///
/// ```
/// use daytime::read::{ReplyTime, recognise};
/// let read = recognise(b"16:05:11 5.3.2009")?;
/// let ReplyTime::Ambiguous { candidates } = read.time else { panic!("day or month first?") };
/// let times: Vec<String> = candidates.iter().map(|time| time.to_string()).collect();
/// assert_eq!(times, ["2009-03-05 16:05:11", "2009-05-03 16:05:11"]);
/// assert_eq!(candidates.earliest().to_string(), times[0]);
/// # Ok::<(), daytime::read::Unrecognised>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Candidates {
    dates: Dates,
    clock: NaiveTime,
}

impl Candidates {
    /// Iterates over the possible times, earliest first.
    pub fn iter(&self) -> impl Iterator<Item = NaiveDateTime> + '_ {
        self.dates.iter().map(|date| date.and_time(self.clock))
    }

    /// Returns the earliest possible time.
    #[must_use]
    pub fn earliest(&self) -> NaiveDateTime {
        self.dates.earliest().and_time(self.clock)
    }

    /// Returns a clause that says which parts of the date have an uncertain order.
    pub(crate) fn uncertainty(&self) -> &'static str {
        let one_year = self.iter().all(|time| time.year() == self.earliest().year());
        if one_year {
            "the order of day and month is uncertain"
        } else {
            "the order of day, month and year is uncertain"
        }
    }
}

named! {
    /// The forms of a reply that `recognise` can read, each with its own file in `src/syntax/`. The
    /// names ([`Display`](fmt::Display)) are fixed: scripts may rely on them.
    #[non_exhaustive]
    pub enum Form {
        /// `acts`: NIST's time code by telephone.
        Acts = "acts",
        /// `ctime`: the ctime(3) format, or date(1) output with a zone.
        Ctime = "ctime",
        /// `european`: the European telephone time code.
        European = "european",
        /// `free`: a month by name and the other parts, in any order.
        Free = "free",
        /// `nist`: NIST's time code.
        Nist = "nist",
        /// `numeric`: an all-numeric date, as Windows and cameras print it.
        Numeric = "numeric",
        /// `rfc3339`: RFC 3339 and similar forms.
        Rfc3339 = "rfc3339",
        /// `rfc5322`: an e-mail date with its weekday.
        Rfc5322 = "rfc5322",
        /// `rfc850`: an RFC 850 date, such as `06-Nov-94`.
        Rfc850 = "rfc850",
        /// `rfc867`: RFC 867's first example.
        Rfc867 = "rfc867",
        /// `smtp`: RFC 867's second example.
        Smtp = "smtp",
        /// `truetime`: `Tue, Mar 14, 2006, 09:41:07-UTC`.
        TrueTime = "truetime",
        /// `usno`: the U.S. Naval Observatory's time code by telephone.
        Usno = "usno",
    }
}

impl Recognised<'_> {
    /// Returns the instant, if the reply determines one.
    #[must_use]
    pub fn utc(&self) -> Option<DateTime<Utc>> {
        match self.time {
            ReplyTime::Instant { utc, .. } => Some(utc),
            ReplyTime::WallClock { .. } | ReplyTime::Ambiguous { .. } => None,
        }
    }

    /// Returns the local date and time in the reply, if the order of day, month and year is
    /// certain.
    #[must_use]
    pub fn naive(&self) -> Option<NaiveDateTime> {
        match self.time {
            ReplyTime::Instant { local, .. } | ReplyTime::WallClock { local } => Some(local),
            ReplyTime::Ambiguous { .. } => None,
        }
    }

    /// Converts this value into one that does not borrow the reply's octets.
    ///
    /// ```
    /// let kept = {
    ///     let reply = b"Monday, February 22, 1982 17:37:43-PST\r\n".to_vec();
    ///     daytime::recognise(&reply)?.into_owned()
    /// };
    /// assert_eq!(kept.zone.as_deref(), Some("PST"));
    /// # Ok::<(), daytime::read::Unrecognised>(())
    /// ```
    #[must_use]
    pub fn into_owned(self) -> Recognised<'static> {
        Recognised { zone: self.zone.map(|zone| Cow::Owned(zone.into_owned())), ..self }
    }

    /// Checks what the reply says about the server: its health, and whether the reply contradicts
    /// itself. A reply with a readable time may still fail this check; `daytime query` exits with 1
    /// in that case.
    ///
    /// # Errors
    /// [`Distrust`]: the server reports itself unhealthy, or the reply contradicts itself.
    ///
    /// ```
    /// let sick = b"60482 24-06-21 12:00:07 50 0 2 640.9 UTC(NIST) *\n";
    /// let distrust = daytime::recognise(sick)?.validate().unwrap_err();
    /// assert_eq!(distrust.unhealthy, Some(2));
    /// assert!(distrust.contradictions.is_empty());
    /// assert!(distrust.to_string().contains("unhealthy (H=2)"));
    /// # Ok::<(), daytime::read::Unrecognised>(())
    /// ```
    pub fn validate(&self) -> Result<(), Distrust> {
        let mut distrust = Distrust { unhealthy: None, contradictions: Flags::default() };
        for flag in self.flags.iter() {
            match flag {
                Flag::Unhealthy { digit } => distrust.unhealthy = Some(digit),
                flag if flag.is_contradiction() => distrust.contradictions.add(flag),
                _ => {}
            }
        }
        let trusted = distrust.unhealthy.is_none() && distrust.contradictions.is_empty();
        if trusted { Ok(()) } else { Err(distrust) }
    }

    /// Marks the reply as truncated. The missing octets might change the zone, so an instant
    /// becomes a local time.
    pub(crate) fn cut(&mut self) {
        self.flags.add(Flag::Truncated);
        if let ReplyTime::Instant { local, .. } = self.time {
            self.time = ReplyTime::WallClock { local };
        }
    }
}

/// The reasons not to trust the time in a reply, as found in the reply itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Distrust {
    /// NIST's digit H if it is not 0. The digit says how wrong the server's clock may be.
    pub unhealthy: Option<u8>,
    /// The flags that report a contradiction: a wrong weekday, a wrong Modified Julian Date, or two
    /// conflicting zones.
    pub contradictions: Flags,
}

impl Error for Distrust {}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(digit) = self.unhealthy {
            let more = if self.contradictions.is_empty() { "" } else { "; " };
            write!(f, "the server reports itself unhealthy (H={digit}){more}")?;
        }
        for (number, flag) in self.contradictions.iter().enumerate() {
            let mark = if number == 0 { "the server contradicts itself: " } else { ", " };
            write!(f, "{mark}{flag}")?;
        }
        Ok(())
    }
}

/// The dates that a numeric date may mean: at least one, without duplicates, earliest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Dates {
    dates: [NaiveDate; Self::ORDERS],
    count: usize,
}

impl Dates {
    /// Number of orders that servers use: day-month-year, month-day-year and year-month-day.
    const ORDERS: usize = 3;

    /// Adds a date, unless it is already present.
    pub(super) fn with(mut self, date: NaiveDate) -> Self {
        if self.count < Self::ORDERS && !self.iter().any(|known| known == date) {
            self.dates[self.count] = date;
            self.count += 1;
            self.dates[..self.count].sort_unstable();
        }
        self
    }

    /// Returns the dates that satisfy `holds`, or `None` if no date does.
    pub(super) fn keep_if(self, holds: impl Fn(NaiveDate) -> bool) -> Option<Self> {
        let mut those = self.iter().filter(|date| holds(*date));
        let first = those.next()?;
        Some(those.fold(first.into(), Self::with))
    }

    fn iter(&self) -> impl Iterator<Item = NaiveDate> + '_ {
        self.dates[..self.count].iter().copied()
    }

    fn earliest(&self) -> NaiveDate {
        self.dates[0]
    }
}

impl From<NaiveDate> for Dates {
    fn from(date: NaiveDate) -> Self {
        Self { dates: [date; Self::ORDERS], count: 1 }
    }
}

/// The parts that one form's reader has read from a line. `recognise.rs` checks the rest of the
/// line later.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a> {
    pub form: Form,
    pub weekday: Option<Weekday>,
    pub dates: Dates,
    pub time: Time,
    pub zone: Option<ZoneText<'a>>,
    pub code: Option<TimeCode>,
    pub flags: Flags,
}

impl<'a> Parts<'a> {
    pub(super) fn new(form: Form, dates: impl Into<Dates>, time: Time) -> Self {
        let flags = Flags::default();
        Self { form, weekday: None, dates: dates.into(), time, zone: None, code: None, flags }
    }

    /// Combines the parts into the time in the reply, and checks that the parts agree.
    pub(super) fn judge(mut self) -> Result<Recognised<'a>, Mismatch> {
        let (dates, clock) = (self.dates_by_weekday(), self.time.clock);
        let time = if dates.count == 1 {
            self.certain_time(dates.earliest().and_time(clock))?
        } else {
            self.flags.add(Flag::AmbiguousDate);
            ReplyTime::Ambiguous { candidates: Candidates { dates, clock } }
        };
        let leap = self.time.clock.nanosecond() >= 1_000_000_000;
        if leap && !may_be_leap(time) {
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
            time,
            zone: self.zone.map(|zone| Cow::Borrowed(zone.text)),
            weekday: self.weekday,
            resolution: resolution(self.time.fraction_digits),
            code: self.code,
            flags: self.flags,
        })
    }

    /// Uses the weekday to choose among several possible dates, or to check the only possible date.
    fn dates_by_weekday(&mut self) -> Dates {
        let Some(weekday) = self.weekday else { return self.dates };
        let fitting = self.dates.keep_if(|date| date.weekday() == weekday);
        self.flags.add_if(fitting.is_none(), Flag::WeekdayMismatch);
        fitting.unwrap_or(self.dates)
    }

    fn certain_time(&self, local: NaiveDateTime) -> Result<ReplyTime, Mismatch> {
        let Some(offset) = self.zone.and_then(|zone| zone.offset) else {
            return Ok(ReplyTime::WallClock { local });
        };
        // The instant is later printed in RFC 3339 format, which has a four-digit year.
        let utc = local.checked_sub_offset(offset).filter(|utc| (1..=9999).contains(&utc.year()));
        let Some(utc) = utc else {
            let expected = "a date and time in the years 1 to 9999, in UTC too";
            return Err(Mismatch { expected, at: 0, reached: usize::MAX, at_end: false });
        };
        Ok(ReplyTime::Instant { utc: utc.and_utc(), local })
    }
}

/// Whether this time can be a leap second (second 60). Leap seconds occur at 23:59:60 UTC. Since the first leap
/// second, all zone offsets have been multiples of five minutes: multiples of a quarter of an hour,
/// and 10:40 in Kiritimati until 1979.
fn may_be_leap(time: ReplyTime) -> bool {
    let by_five_minutes = |time: NaiveDateTime| time.minute() % 5 == 4;
    match time {
        ReplyTime::Instant { utc, .. } => (utc.hour(), utc.minute()) == (23, 59),
        ReplyTime::WallClock { local } => by_five_minutes(local),
        ReplyTime::Ambiguous { candidates } => by_five_minutes(candidates.earliest()),
    }
}

fn resolution(fraction_digits: usize) -> Duration {
    let digits = u32::try_from(fraction_digits).unwrap_or(9).min(9);
    Duration::from_nanos(10u64.pow(9 - digits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mentions::{each_mentions, mentions};

    #[test]
    fn a_local_leap_second_is_accepted_only_where_some_zone_has_had_one() {
        let at = |time: &str| {
            let local = format!("1972-12-31T{time}:00").parse().expect("a date and time");
            may_be_leap(ReplyTime::WallClock { local })
        };
        assert_eq!([at("23:59"), at("05:44"), at("13:19")], [true; 3], "UTC, Nepal, Kiritimati");
        assert_eq!([at("23:58"), at("12:00")], [false; 2]);
    }

    #[test]
    fn every_form_is_read_back_by_its_name() {
        assert_eq!(Form::ALL.len(), 13);
        for form in Form::ALL {
            assert_eq!(form.to_string().parse().as_ref(), Ok(form));
        }
        assert!("NIST".parse::<Form>().is_err());
    }

    #[test]
    fn distrust_names_every_contradiction_in_the_reply() {
        let distrust =
            |reply: &str| super::super::recognise(reply.as_bytes()).expect("a time").validate();
        assert_eq!(distrust("60482 24-06-21 12:00:07 50 0 0 640.9 UTC(NIST) *\n"), Ok(()));
        let both = distrust("60483 24-06-21 12:00:07 50 0 2 640.9 UTC(NIST) *\n").unwrap_err();
        assert_eq!(
            (both.unhealthy, both.contradictions.contains(Flag::MjdMismatch)),
            (Some(2), true)
        );
        each_mentions(
            both.to_string().split("; "),
            &[&["unhealthy", "H=2"], &["contradicts itself", "mjd-mismatch"]],
        );
        let weekday = distrust("Tuesday, February 22, 1982 17:37:43-PST\r\n").unwrap_err();
        mentions(&weekday, &["contradicts itself", "weekday-mismatch"]);
        assert!(!weekday.to_string().contains("unhealthy"), "{weekday}");
    }

    #[test]
    fn the_resolution_is_the_last_digit() {
        assert_eq!(resolution(0), Duration::from_secs(1));
        assert_eq!(resolution(3), Duration::from_millis(1));
        assert_eq!(resolution(12), Duration::from_nanos(1));
    }
}
