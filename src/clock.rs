//! The time of day, and how well the kernel keeps it: the only caller of `SystemTime::now`.
//!
//! Everything that prints a time takes a [`Reading`], so a test runs at any instant it likes, a
//! leap second included.

use crate::sys::{self, KernelClock, KernelLeap};
use chrono::{DateTime, TimeDelta, Utc};
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the service takes the time from.
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
    /// Always the same reading.
    Fixed(Reading),
    /// The system's clock, ahead by this much (late, if negative).
    Skewed(TimeDelta),
}

/// One look at a clock: the instant, and how far it can be trusted.
///
/// A leap second is chrono's: second 59 with 1 000 000 000 nanoseconds or more, printed as 60.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reading {
    /// The instant.
    pub utc: DateTime<Utc>,
    /// The leap second announced for the end of the month.
    pub leap: Leap,
    /// Whether the clock can be trusted.
    pub health: Health,
}

/// A leap second to come (NIST's digit L).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leap {
    /// None is announced.
    #[default]
    None,
    /// A second 60 will be added.
    Added,
    /// Second 59 will be left out.
    Deleted,
}

/// How well the clock is kept (NIST's digit H).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// The kernel says that it is synchronised, to 5 seconds or better.
    #[default]
    Synchronised,
    /// Not synchronised, but the kernel still bounds the error by 5 seconds.
    WithinFiveSeconds,
    /// The kernel has no such bound, or the system cannot tell: the error is unknown.
    Unknown,
}

impl Clock {
    /// What the clock counts now, without a look at the calendar: cheap enough for every exchange.
    pub(crate) fn count(&self) -> Option<UnixTime> {
        match self {
            Self::System => system_count(),
            Self::Fixed(_) | Self::Skewed(_) => self.now().map(UnixTime::of),
        }
    }

    /// The time now, without asking how well it is kept.
    ///
    /// `None` where the clock is set to a year that no calendar here can hold.
    pub(crate) fn now(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::System => system_time(),
            Self::Fixed(reading) => Some(reading.utc),
            Self::Skewed(ahead) => system_time()?.checked_add_signed(*ahead),
        }
    }

    /// Whether the clock is synchronised, to 5 seconds or better; `None` where the kernel cannot be asked.
    pub(crate) fn is_synchronised(&self) -> Option<bool> {
        let reading = match self {
            Self::Fixed(reading) => *reading,
            Self::System | Self::Skewed(_) => Reading::from_kernel(sys::kernel_clock().ok()?)?,
        };
        Some(reading.health == Health::Synchronised)
    }

    /// The time now and the state of the clock, read together (`adjtimex(2)`).
    ///
    /// `None` where the clock is set to a year that no calendar here can hold.
    #[must_use]
    pub fn read(&self) -> Option<Reading> {
        match self {
            Self::System => match sys::kernel_clock() {
                Ok(kernel) => Reading::from_kernel(kernel),
                Err(_) => Some(Reading { health: Health::Unknown, ..Reading::at(system_time()?) }),
            },
            Self::Fixed(reading) => Some(*reading),
            Self::Skewed(ahead) => {
                let reading = Self::System.read()?;
                Some(Reading { utc: reading.utc.checked_add_signed(*ahead)?, ..reading })
            }
        }
    }

    /// Whether the state of this clock can be read at all: else its health is [`Health::Unknown`] and no leap
    /// second is announced.
    ///
    /// # Errors
    /// The kernel's, where `adjtimex(2)` is forbidden or not available.
    pub(crate) fn ask_kernel(&self) -> io::Result<()> {
        match self {
            Self::System | Self::Skewed(_) => sys::kernel_clock().map(drop),
            Self::Fixed(_) => Ok(()),
        }
    }
}

/// Seconds since 1970-01-01 00:00:00 UTC and the nanoseconds of the next, leap seconds as in [`Reading`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UnixTime {
    pub seconds: i64,
    pub nanoseconds: u32,
}

impl UnixTime {
    pub(crate) fn of(time: DateTime<Utc>) -> Self {
        Self { seconds: time.timestamp(), nanoseconds: time.timestamp_subsec_nanos() }
    }
}

impl Reading {
    /// A reading of a synchronised clock at this instant.
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
        // In a leap second the kernel shows 23:59:59 once more.
        let second_60 = if kernel.leap == KernelLeap::Now { 1_000_000_000 } else { 0 };
        let utc = DateTime::from_timestamp(kernel.seconds, kernel.nanoseconds + second_60)
            .or_else(|| DateTime::from_timestamp(kernel.seconds, kernel.nanoseconds))?;
        let leap = match kernel.leap {
            KernelLeap::None => Leap::None,
            KernelLeap::Insert | KernelLeap::Now => Leap::Added,
            KernelLeap::Delete => Leap::Deleted,
        };
        let health = match (kernel.synchronised, kernel.max_error_us) {
            (true, 0..=5_000_000) => Health::Synchronised,
            (false, 0..=5_000_000) => Health::WithinFiveSeconds,
            _ => Health::Unknown,
        };
        Some(Self { utc, leap, health })
    }
}

fn system_time() -> Option<DateTime<Utc>> {
    let UnixTime { seconds, nanoseconds } = system_count()?;
    DateTime::from_timestamp(seconds, nanoseconds)
}

fn system_count() -> Option<UnixTime> {
    let now = SystemTime::now();
    let (seconds, nanoseconds) = match now.duration_since(UNIX_EPOCH) {
        Ok(after) => (i64::try_from(after.as_secs()).ok()?, after.subsec_nanos()),
        Err(before) => {
            let before = before.duration();
            // Whole seconds down, the rest up: nanoseconds only ever count forward.
            let up = before.subsec_nanos() != 0;
            let seconds = i64::try_from(before.as_secs()).ok()?.checked_neg()? - i64::from(up);
            (seconds, if up { 1_000_000_000 - before.subsec_nanos() } else { 0 })
        }
    };
    Some(UnixTime { seconds, nanoseconds })
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
    fn health_is_what_the_kernel_can_vouch_for() {
        let unsynchronised = KernelClock { synchronised: false, ..KERNEL };
        assert_eq!(read(KERNEL).health, Health::Synchronised);
        assert_eq!(read(unsynchronised).health, Health::WithinFiveSeconds);
        let lost = KernelClock { max_error_us: 16_000_000, ..unsynchronised };
        assert_eq!(read(lost).health, Health::Unknown);
        let barely = KernelClock { max_error_us: 6_000_000, ..KERNEL };
        assert_eq!(read(barely).health, Health::Unknown);
    }

    #[test]
    fn only_a_clock_in_full_health_is_synchronised() {
        let good = Reading::at("1982-02-02T15:59:01Z".parse().expect("instant"));
        assert_eq!(Clock::Fixed(good).is_synchronised(), Some(true));
        for health in [Health::WithinFiveSeconds, Health::Unknown] {
            assert_eq!(Clock::Fixed(Reading { health, ..good }).is_synchronised(), Some(false));
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
    fn reading_and_now_are_the_same_clock() {
        let now = Clock::System.now().expect("now");
        let count = Clock::System.count().expect("now");
        assert!((count.seconds - now.timestamp()).abs() < 60);
        assert_eq!(Clock::Fixed(Reading::at(now)).count(), Some(UnixTime::of(now)));
        let read = Clock::System.read().expect("now");
        assert!((read.utc - now).abs() < TimeDelta::seconds(60));
    }
}
