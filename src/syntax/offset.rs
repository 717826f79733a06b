//! The difference between the local clock and a server's clock. The calculation uses no sockets, so programs with their
//! own sockets can use it too.

use super::flags::Flag;
use super::recognised::Recognised;
use chrono::{DateTime, TimeDelta, Utc};
use std::fmt;
use std::time::Duration;

/// The difference between the local clock and the server's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Offset {
    /// The local clock minus the server's clock. Positive if the local clock is ahead.
    pub local_minus_server: TimeDelta,
    /// Maximum error of the difference: half the round trip, because the server read its clock at an unknown moment
    /// during the round trip, plus the resolution of the reply. A NIST server sends its time code some milliseconds
    /// early (field msADV). If this advance is longer than the resolution, it takes the place of the resolution. A leap
    /// second adds one second, because POSIX clocks show the second before it twice.
    pub uncertainty: Duration,
}

impl Offset {
    /// Returns the server's clock minus the local clock: the correction to add to the local clock. NTP uses the same
    /// sign (RFC 5905).
    #[must_use]
    pub fn server_minus_local(&self) -> TimeDelta {
        -self.local_minus_server
    }

    /// Whether both clocks may show the same time: the difference does not exceed the uncertainty.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.local_minus_server.abs().to_std().is_ok_and(|apart| apart <= self.uncertainty)
    }
}

/// Prints the local clock minus the server's clock, with as many digits as the uncertainty justifies: `+0.21 s ± 1.00
/// s`.
impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uncertainty = self.uncertainty.as_secs_f64();
        let digits = match uncertainty {
            0.1.. => 2,
            0.001.. => 4,
            _ => 6,
        };
        let ahead = format!("{:+.digits$}", self.local_minus_server.as_seconds_f64());
        let nothing = format!("{:+.digits$}", -0.0); // The text for minus zero, which is replaced with plus zero.
        let ahead = if ahead == nothing { ahead.replace('-', "+") } else { ahead };
        write!(f, "{ahead} s ± {uncertainty:.digits$} s")
    }
}

impl Recognised<'_> {
    /// Returns the difference between the clocks. `arrived` is the local time at which the reply arrived; `round_trip`
    /// is the time from query to reply. Returns `None` if the reply does not determine an instant.
    ///
    /// Daytime is too coarse to set a clock. Use NTP (RFC 5905) for that.
    ///
    /// ```
    /// use std::time::Duration;
    /// let read = daytime::recognise(b"2026-11-22T14:20:31Z\r\n")?;
    /// let (arrived, round_trip) = ("2026-11-22T14:20:29.050Z".parse()?, Duration::from_millis(100));
    /// let offset = read.offset(arrived, round_trip).expect("an instant");
    /// assert_eq!(offset.server_minus_local().num_seconds(), 2); // the local clock is slow
    /// assert_eq!(offset.uncertainty, Duration::from_millis(1050));
    /// assert_eq!(offset.to_string(), "-2.00 s ± 1.05 s");
    /// assert!(!offset.agrees());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn offset(&self, arrived: DateTime<Utc>, round_trip: Duration) -> Option<Offset> {
        let half = round_trip / 2;
        let middle = arrived.checked_sub_signed(TimeDelta::from_std(half).ok()?)?;
        let local_minus_server = middle.signed_duration_since(self.utc()?);
        let early = self.code.and_then(|code| code.advance).unwrap_or_default();
        let leap = Duration::from_secs(self.flags.contains(Flag::LeapSecond).into());
        Some(Offset { local_minus_server, uncertainty: half + self.resolution.max(early) + leap })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::recognise;

    /// Returns the offset and its uncertainty in seconds, for a reply that arrives at the local time `arrived` after
    /// this round trip.
    fn offset(reply: &str, arrived: &str, round_trip_ms: u64) -> Option<(f64, f64)> {
        let read = recognise(reply.as_bytes()).ok()?;
        let round_trip = Duration::from_millis(round_trip_ms);
        let offset = read.offset(arrived.parse().expect("an instant"), round_trip)?;
        assert_eq!(
            offset.agrees(),
            offset.local_minus_server.abs() <= TimeDelta::from_std(offset.uncertainty).ok()?
        );
        assert_eq!(offset.server_minus_local(), -offset.local_minus_server);
        Some((offset.local_minus_server.as_seconds_f64(), offset.uncertainty.as_secs_f64()))
    }

    #[test]
    fn half_the_round_trip_and_the_resolution_bound_the_offset() {
        let reply = "2026-11-22T14:20:31Z\r\n";
        assert_eq!(offset(reply, "2026-11-22T14:20:31.700Z", 400), Some((0.5, 1.2)));
        assert_eq!(offset(reply, "2026-11-22T14:20:21.000Z", 0), Some((-10.0, 1.0)));
        let fine = "2026-11-22T14:20:31.250Z\r\n";
        assert_eq!(offset(fine, "2026-11-22T14:20:31.350Z", 200), Some((0.0, 0.101)));
    }

    #[test]
    fn an_early_code_and_a_leap_second_increase_the_uncertainty() {
        let nist = |early| format!("60482 24-06-21 12:00:05 50 0 0 {early} UTC(NIST) *");
        assert_eq!(offset(&nist("50.0"), "2024-06-21T12:00:05Z", 0), Some((0.0, 1.0)));
        assert_eq!(offset(&nist("5000.0"), "2024-06-21T12:00:00Z", 0), Some((-5.0, 5.0)));
        let leap = offset("2016-12-31T23:59:60.500Z", "2016-12-31T23:59:59.500Z", 0);
        assert_eq!(leap, Some((-1.0, 1.001)));
    }

    #[test]
    fn a_zone_is_taken_into_account() {
        let reply = "Sunday, November 22, 2026 06:20:31-PST\r\n";
        assert_eq!(offset(reply, "2026-11-22T14:20:31Z", 0), Some((0.0, 1.0)));
    }

    #[test]
    fn a_reply_without_an_instant_has_no_offset() {
        for reply in ["Sun Nov 22 14:20:31 2026\r\n", "14:20:31 3.2.2026 UTC\r\n", "noon", ""] {
            assert_eq!(offset(reply, "2026-11-22T14:20:31Z", 0), None, "{reply}");
        }
    }
}
