//! The time of day, and the kernel's report on how accurate it is. Only this module calls
//! `SystemTime::now`.
//!
//! Each function that prints a time takes a [`Reading`], so a test can use any instant, even a leap
//! second.

use crate::sys::{self, KernelClock, KernelLeap};
use chrono::{DateTime, TimeDelta, Utc};
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The clock that supplies the time for the replies.
///
/// ```
/// use daytime::Clock;
/// use daytime::chrono::TimeDelta;
/// let (now, ahead) = (Clock::System.read(), Clock::Skewed(TimeDelta::hours(1)).read());
/// let apart = ahead.expect("a date").utc - now.expect("a date").utc;
/// assert_eq!(apart.num_minutes(), 60);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub enum Clock {
    /// The system's clock.
    #[default]
    System,
    /// A clock that always shows the same reading.
    Fixed(Reading),
    /// The system's clock plus this duration, which may be negative.
    Skewed(TimeDelta),
}

/// A clock reading: the instant and its reliability.
///
/// chrono represents a leap second as second 59 with at least 1 000 000 000 nanoseconds, and prints
/// it as 60.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reading {
    /// The instant that the clock shows.
    pub utc: DateTime<Utc>,
    /// Leap second that is announced for the end of this month.
    pub leap: Leap,
    /// Reliability of the clock: whether it is synchronised, and how large its error may be.
    pub health: Health,
}

/// An announced leap second (digit L in the NIST syntax).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leap {
    /// No leap second is announced.
    #[default]
    None = 0,
    /// A second numbered 60 will be added.
    Added = 1,
    /// Second 59 will be left out.
    Deleted = 2,
}

/// Reliability of a clock (digit H in the NIST syntax).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// The kernel reports a synchronised clock, with an error of at most 5 seconds.
    #[default]
    Synchronised = 0,
    /// The clock is not synchronised, but the kernel still bounds the error by 5 seconds.
    WithinFiveSeconds = 1,
    /// The error is unknown: the kernel has no such bound, or the system does not report it.
    Unknown = 3,
}

impl Clock {
    /// Returns the current time. For the system's clock, this needs no calendar conversion, so the
    /// function is cheap enough for every exchange.
    pub(crate) fn system_time(&self) -> Option<SystemTime> {
        match self {
            Self::System => Some(SystemTime::now()),
            Self::Fixed(_) | Self::Skewed(_) => self.now().map(SystemTime::from),
        }
    }

    /// Returns only the current time, not whether the clock is reliable.
    ///
    /// Returns `None` if the clock shows a year outside chrono's calendar.
    pub(crate) fn now(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::System => utc_of(SystemTime::now()),
            Self::Fixed(reading) => Some(reading.utc),
            Self::Skewed(ahead) => Self::System.now()?.checked_add_signed(*ahead),
        }
    }

    /// Returns the reliability of the clock.
    ///
    /// # Errors
    /// Returns the kernel's error if `adjtimex(2)` is forbidden or not available. In that case,
    /// [`read`](Self::read) gives [`Health::Unknown`] and no leap second.
    pub(crate) fn health(&self) -> io::Result<Health> {
        match self {
            Self::System | Self::Skewed(_) => Ok(Health::of(&sys::kernel_clock()?)),
            Self::Fixed(reading) => Ok(reading.health),
        }
    }

    /// Returns the current time and the state of the clock, both from one call (`adjtimex(2)`).
    ///
    /// Returns `None` if the clock shows a year outside chrono's calendar.
    #[must_use]
    pub fn read(&self) -> Option<Reading> {
        match self {
            Self::System => match sys::kernel_clock() {
                Ok(kernel) => Reading::from_kernel(kernel),
                Err(_) => Some(Reading { health: Health::Unknown, ..Reading::at(self.now()?) }),
            },
            Self::Fixed(reading) => Some(*reading),
            Self::Skewed(ahead) => {
                let reading = Self::System.read()?;
                Some(Reading { utc: reading.utc.checked_add_signed(*ahead)?, ..reading })
            }
        }
    }
}

impl Reading {
    /// Returns a reading of a synchronised clock at this instant.
    ///
    /// ```
    /// use daytime::{Clock, Reading};
    /// let leap: chrono::DateTime<chrono::Utc> = "2016-12-31T23:59:60Z".parse()?;
    /// assert_eq!(Clock::Fixed(Reading::at(leap)).read(), Some(Reading::at(leap)));
    /// # Ok::<(), chrono::ParseError>(())
    /// ```
    #[must_use]
    pub fn at(utc: DateTime<Utc>) -> Self {
        Self { utc, leap: Leap::None, health: Health::Synchronised }
    }

    fn from_kernel(kernel: KernelClock) -> Option<Self> {
        // During second 60, the kernel repeats the time 23:59:59.
        let second_60 = if kernel.leap == KernelLeap::Now { 1_000_000_000 } else { 0 };
        let utc = DateTime::from_timestamp(kernel.seconds, kernel.nanoseconds + second_60)
            .or_else(|| DateTime::from_timestamp(kernel.seconds, kernel.nanoseconds))?;
        let leap = match kernel.leap {
            KernelLeap::None => Leap::None,
            KernelLeap::Insert | KernelLeap::Now => Leap::Added,
            KernelLeap::Delete => Leap::Deleted,
        };
        Some(Self { utc, leap, health: Health::of(&kernel) })
    }
}

impl Health {
    fn of(kernel: &KernelClock) -> Self {
        match (kernel.synchronised, kernel.max_error_us) {
            (true, 0..=5_000_000) => Self::Synchronised,
            (false, 0..=5_000_000) => Self::WithinFiveSeconds,
            _ => Self::Unknown,
        }
    }
}

/// The remaining part of a tick: the time span in which the digits of a reply stay the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tick {
    start: SystemTime,
    end: SystemTime,
}

impl Tick {
    /// Returns the tick that contains this time. Before 1970 the tick is empty, so each exchange
    /// forms a new reply.
    pub(crate) fn of(start: SystemTime, resolution: Duration) -> Self {
        let since = start.duration_since(UNIX_EPOCH).map(|since| since.as_nanos());
        let left = since.map_or(0, |since| resolution.as_nanos() - since % resolution.as_nanos());
        let left = u64::try_from(left).map(Duration::from_nanos).unwrap_or_default();
        Self { start, end: start.checked_add(left).unwrap_or(start) }
    }

    /// Whether the tick contains this time. Returns false if the clock has been set back.
    pub(crate) fn contains(&self, now: SystemTime) -> bool {
        (self.start..self.end).contains(&now)
    }

    /// Moves the start of the tick forward to `now`. If the clock is later set back to an earlier
    /// time, the tick ends.
    pub(crate) fn advance(&mut self, now: SystemTime) {
        self.start = now;
    }
}

fn utc_of(time: SystemTime) -> Option<DateTime<Utc>> {
    let epoch = DateTime::UNIX_EPOCH;
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => epoch.checked_add_signed(TimeDelta::from_std(after).ok()?),
        Err(before) => epoch.checked_sub_signed(TimeDelta::from_std(before.duration()).ok()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNEL: KernelClock = KernelClock {
        seconds: 1_483_228_799, // 2016-12-31 23:59:59 UTC
        nanoseconds: 500_000_000,
        leap: KernelLeap::None,
        synchronised: true,
        max_error_us: 12_000,
    };

    fn read(kernel: KernelClock) -> Reading {
        Reading::from_kernel(kernel).expect("within the calendar")
    }

    #[test]
    fn the_repeated_second_of_a_leap_is_second_60() {
        let before = read(KernelClock { leap: KernelLeap::Insert, ..KERNEL });
        let within = read(KernelClock { leap: KernelLeap::Now, ..KERNEL });
        assert_eq!(before.utc.to_string(), "2016-12-31 23:59:59.500 UTC");
        assert_eq!(within.utc.to_string(), "2016-12-31 23:59:60.500 UTC");
        assert_eq!((before.leap, within.leap), (Leap::Added, Leap::Added));
    }

    #[test]
    fn health_follows_the_kernels_state_and_error_bound() {
        let unsynchronised = KernelClock { synchronised: false, ..KERNEL };
        assert_eq!(read(KERNEL).health, Health::Synchronised);
        assert_eq!(read(unsynchronised).health, Health::WithinFiveSeconds);
        let lost = KernelClock { max_error_us: 16_000_000, ..unsynchronised };
        assert_eq!(read(lost).health, Health::Unknown);
        let barely = KernelClock { max_error_us: 6_000_000, ..KERNEL };
        assert_eq!(read(barely).health, Health::Unknown);
    }

    #[test]
    fn a_fixed_clock_has_the_health_of_its_reading() {
        let good = Reading::at("1982-02-02T15:59:01Z".parse().expect("instant"));
        for health in [Health::Synchronised, Health::WithinFiveSeconds, Health::Unknown] {
            let clock = Clock::Fixed(Reading { health, ..good });
            assert_eq!(clock.health().expect("known"), health);
        }
    }

    #[test]
    fn a_skewed_clock_is_ahead_by_its_skew() {
        let skew = TimeDelta::seconds(3600);
        let true_time = Clock::System.now().expect("now");
        let skewed = Clock::Skewed(skew).now().expect("now");
        let read = Clock::Skewed(skew).read().expect("now").utc;
        let tolerance = TimeDelta::seconds(60);
        assert!((skewed - true_time - skew).abs() < tolerance);
        assert!((read - true_time - skew).abs() < tolerance);
    }

    #[test]
    fn a_time_before_1970_counts_down_from_it() {
        let time = UNIX_EPOCH.checked_sub(Duration::from_millis(1500)).expect("a time");
        assert_eq!(utc_of(time).expect("a date").to_string(), "1969-12-31 23:59:58.500 UTC");
    }

    #[test]
    fn read_and_now_use_the_same_clock() {
        let now = Clock::System.now().expect("now");
        let time = Clock::System.system_time().expect("now");
        assert!((DateTime::<Utc>::from(time) - now).abs() < TimeDelta::seconds(60));
        assert_eq!(Clock::Fixed(Reading::at(now)).system_time(), Some(now.into()));
        let read = Clock::System.read().expect("now");
        assert!((read.utc - now).abs() < TimeDelta::seconds(60));
    }
}
