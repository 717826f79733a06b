//! Provides the current reply. The TCP service and the UDP service both use this module, so both
//! send the same reply. The module uses no sockets.

use crate::clock::{Clock, Health, Tick};
use crate::reply::Reply;
use crate::syntax::{Syntax, Zone};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Time zone of the replies, shared by all workers.
#[derive(Debug)]
pub(crate) struct SharedZone {
    zone: Mutex<Zone>,
    /// Number of times that the zone has changed. Reading this number is cheap, so each reply can
    /// check it.
    changes: AtomicU32,
}

impl SharedZone {
    fn new(zone: Zone) -> Self {
        Self { zone: Mutex::new(zone), changes: AtomicU32::new(0) }
    }

    pub(crate) fn zone(&self) -> Zone {
        *self.lock()
    }

    /// Changes the zone. From their next reply on, all workers use the new zone.
    pub(crate) fn change(&self, zone: Zone) {
        *self.lock() = zone;
        self.changes.fetch_add(1, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Zone> {
        self.zone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Provides the current reply. Forms a new reply only when the smallest unit of time in the reply
/// has changed.
#[derive(Clone, Debug)]
pub(crate) struct Responder {
    clock: Clock,
    syntax: Syntax,
    zone: Zone,
    shared_zone: Arc<SharedZone>,
    /// Number of changes of the shared zone that this responder has applied.
    changes: u32,
    require_sync: bool,
    resolution: Duration,
    last: Option<LastReply>,
}

/// The last reply, the time at which it was formed, and the tick in which it is valid.
#[derive(Clone, Debug)]
struct LastReply {
    formed: Instant,
    tick: Tick,
    reply: Reply,
}

impl Responder {
    pub(crate) fn new(clock: Clock, syntax: Syntax, zone: Zone, require_sync: bool) -> Self {
        let (resolution, shared_zone) = (syntax.resolution(), Arc::new(SharedZone::new(zone)));
        let (changes, last) = (0, None);
        Self { clock, syntax, zone, shared_zone, changes, require_sync, resolution, last }
    }

    /// Returns the zone that all clones of this responder share.
    pub(crate) fn zone(&self) -> Arc<SharedZone> {
        Arc::clone(&self.shared_zone)
    }

    /// Returns the current reply. Returns `None` if the year does not fit the syntax, or if a
    /// synchronised clock is required and the clock is not synchronised.
    ///
    /// `round` is the start of the event loop's current round. Using this slightly earlier time
    /// avoids reading the monotonic clock again.
    pub(crate) fn reply(&mut self, round: Instant) -> Option<&Reply> {
        let now = self.clock.system_time()?;
        let changes = self.shared_zone.changes.load(Ordering::Acquire);
        if changes != self.changes {
            (self.zone, self.changes, self.last) = (self.shared_zone.zone(), changes, None);
        }
        match &mut self.last {
            Some(last)
                if last.tick.contains(now)
                    && round.saturating_duration_since(last.formed) < self.resolution =>
            {
                last.tick.advance(now);
            }
            _ => {
                // `round` is slightly earlier than the reading of the clock. So the reply counts as
                // slightly older than it is, which does no harm.
                let tick = Tick::of(now, self.resolution);
                let last = |reply| LastReply { formed: round, tick, reply };
                self.last = self.form().map(last);
            }
        }
        self.last.as_ref().map(|last| &last.reply)
    }

    /// Forms a new reply, even if the last reply is still valid. Returns `None` in the same cases
    /// as [`reply`](Self::reply).
    pub(crate) fn form(&self) -> Option<Reply> {
        let reading = self.clock.read()?;
        if self.require_sync && reading.health != Health::Synchronised {
            return None;
        }
        self.syntax.print(&reading, self.zone).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Reading;
    use chrono::{DateTime, Utc};

    fn same(then: &str, now: &str, resolution: Duration) -> bool {
        let time = |text: &str| text.parse::<DateTime<Utc>>().expect("instant").into();
        Tick::of(time(then), resolution).contains(time(now))
    }

    #[test]
    fn a_reply_is_reused_until_its_finest_digit_changes() {
        let (second, millisecond) = (Duration::from_secs(1), Duration::from_millis(1));
        assert!(same("2026-11-22T13:00:00.1Z", "2026-11-22T13:00:00.9Z", second));
        assert!(!same("2026-11-22T13:00:00.9Z", "2026-11-22T13:00:01Z", second));
        assert!(!same("2026-11-22T13:00:00.1Z", "2026-11-22T13:00:00.2Z", millisecond));
        assert!(same("2026-11-22T13:00:00.1001Z", "2026-11-22T13:00:00.1009Z", millisecond));
    }

    #[test]
    fn a_clock_that_steps_back_within_the_second_starts_a_new_tick() {
        let second = Duration::from_secs(1);
        assert!(!same("2016-12-31T23:59:59.9Z", "2016-12-31T23:59:59.1Z", second));
    }

    #[test]
    fn a_reply_older_than_its_resolution_is_formed_again() {
        let mut responder = Responder::new(Clock::System, Syntax::Rfc3339, Zone::UTC, false);
        let stale = Reply::line("a second ago").expect("a line");
        let now = Clock::System.system_time().expect("now");
        let tick = Tick::of(now, Duration::from_hours(1));
        let formed = Instant::now().checked_sub(Duration::from_secs(1)).expect("up for a second");
        responder.last = Some(LastReply { formed, tick, reply: stale });
        assert_ne!(responder.reply(Instant::now()).expect("a time").octets(), b"a second ago\r\n");
    }

    #[test]
    fn a_fixed_clock_gives_its_reply_every_time() {
        let reading = Reading::at("1982-02-02T15:59:01Z".parse().expect("instant"));
        let zone = "America/Los_Angeles".parse().expect("zone");
        let mut responder = Responder::new(Clock::Fixed(reading), Syntax::Smtp, zone, false);
        for _ in 0..3 {
            let reply = responder.reply(Instant::now()).expect("a time");
            assert_eq!(reply.octets(), b"02 FEB 82 07:59:01 PST\r\n");
        }
    }

    #[test]
    fn a_new_zone_holds_for_the_next_reply_of_all_clones_within_the_same_second() {
        let reading = Reading::at("1982-02-02T15:59:01Z".parse().expect("instant"));
        let mut one = Responder::new(Clock::Fixed(reading), Syntax::Smtp, Zone::UTC, false);
        let mut other = one.clone();
        let (zone, now) = (one.zone(), Instant::now());
        let mut replies = || {
            [&mut one, &mut other].map(|it| {
                let reply = it.reply(now).expect("a time");
                String::from_utf8(reply.octets().to_vec()).expect("ASCII")
            })
        };
        assert_eq!(replies(), ["02 FEB 82 15:59:01 UTC\r\n"; 2]);
        zone.change("America/Los_Angeles".parse().expect("zone"));
        assert_eq!(replies(), ["02 FEB 82 07:59:01 PST\r\n"; 2]);
    }

    #[test]
    fn with_require_sync_an_unsynchronised_clock_gives_no_reply() {
        let good = Reading::at("1982-02-02T15:59:01Z".parse().expect("instant"));
        for (health, has_reply) in [
            (Health::Synchronised, true),
            (Health::WithinFiveSeconds, false),
            (Health::Unknown, false),
        ] {
            let clock = Clock::Fixed(Reading { health, ..good });
            let mut strict = Responder::new(clock, Syntax::Smtp, Zone::UTC, true);
            assert_eq!(strict.reply(Instant::now()).is_some(), has_reply, "{health:?}");
            let mut usual = Responder::new(clock, Syntax::Smtp, Zone::UTC, false);
            assert!(usual.reply(Instant::now()).is_some());
        }
    }
}
