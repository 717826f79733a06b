//! How far the local clock is from the one that a server answered by.

use super::Answer;
use crate::syntax::{Flag, Frame, Recognised, Unrecognised, recognise};
use chrono::TimeDelta;
use std::time::Duration;

/// The local clock against the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offset {
    /// The local clock minus the server's: positive if the local one is ahead.
    pub ahead: TimeDelta,
    /// How much more or less it may be: half the round trip, since the server looked at its clock at some
    /// moment of it, and the resolution of the reply; or what NIST's server says it sent early (msADV), if
    /// that is more. A leap second adds another, since POSIX clocks show the one before it twice.
    pub uncertainty: Duration,
}

impl Offset {
    /// True if the clocks may show the same time, as far as the reply can tell.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.ahead.abs().to_std().is_ok_and(|apart| apart <= self.uncertainty)
    }
}

impl Answer {
    /// What the reply means. A line that was cut claims no instant: its zone may be cut, too.
    ///
    /// # Errors
    /// [`Unrecognised`]: it is no time in any form that is known here.
    pub fn recognise(&self) -> Result<Recognised<'_>, Unrecognised> {
        let mut read = recognise(&self.octets)?;
        if self.truncated && !Frame::of(&self.octets).ended {
            read.cut();
        }
        Ok(read)
    }

    /// How far the local clock is from the server's; `None` unless the reply came whole and fixes an
    /// instant.
    ///
    /// Daytime is too coarse to set a clock by; that is what NTP (RFC 5905) is for.
    #[must_use]
    pub fn offset(&self) -> Option<Offset> {
        self.offset_by(&self.recognise().ok()?)
    }

    /// The same for a reply that was read already.
    pub(crate) fn offset_by(&self, told: &Recognised) -> Option<Offset> {
        if self.truncated {
            return None;
        }
        let half = self.round_trip / 2;
        let middle = self.arrived?.checked_sub_signed(TimeDelta::from_std(half).ok()?)?;
        let ahead = middle.signed_duration_since(told.utc()?);
        let early = told.code.and_then(|code| code.advance).unwrap_or_default();
        let leap = Duration::from_secs(told.flags.contains(Flag::LeapSecond).into());
        Some(Offset { ahead, uncertainty: half + told.resolution.max(early) + leap })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::Calls;
    use crate::transport::Transport;

    /// The offset of a clock that shows this when the reply is there, after this round trip.
    fn offset(reply: &str, arrived: &str, round_trip_ms: u64) -> Option<(f64, f64)> {
        let answer = Answer {
            transport: Transport::Udp,
            peer: "127.0.0.1:13".parse().expect("address"),
            octets: reply.into(),
            truncated: false,
            connected_after: None,
            elapsed: Duration::from_millis(round_trip_ms),
            round_trip: Duration::from_millis(round_trip_ms),
            arrived: Some(arrived.parse().expect("an instant")),
            reads: vec![reply.len()],
            questions: 1,
            calls: Calls::default(),
        };
        let offset = answer.offset()?;
        assert_eq!(
            offset.agrees(),
            offset.ahead.abs() <= TimeDelta::from_std(offset.uncertainty).ok()?
        );
        Some((offset.ahead.as_seconds_f64(), offset.uncertainty.as_secs_f64()))
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
    fn what_was_sent_early_and_a_leap_second_make_it_less_certain() {
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
    fn what_fixes_no_instant_has_no_offset() {
        for reply in ["Sun Nov 22 14:20:31 2026\r\n", "14:20:31 3.2.2026 UTC\r\n", "noon", ""] {
            assert_eq!(offset(reply, "2026-11-22T14:20:31Z", 0), None, "{reply}");
        }
    }
}
