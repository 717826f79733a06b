//! Schedules the exchanges and decides which of them are measured. This module uses no sockets and no clocks; all times
//! count from the start of the load.

use std::num::NonZeroU32;
use std::time::Duration;

/// Open loop: time after the load's end during which overdue exchanges may still begin. Exchanges are overdue if the
/// client itself is late.
const START_GRACE: Duration = Duration::from_millis(50);

/// Decides when a load's exchanges begin, and which exchanges are measured.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    /// Start of the measurement: exchanges that are due from this time on are measured.
    pub from: Duration,
    /// End of the load: no exchange is due from this time on.
    pub until: Duration,
    rate: Option<NonZeroU32>,
    /// Open loop: number of exchanges that have begun.
    started: u64,
}

impl Schedule {
    pub(super) fn new(warm_up: Duration, duration: Duration, rate: Option<NonZeroU32>) -> Self {
        Self { from: warm_up, until: warm_up + duration, rate, started: 0 }
    }

    /// Returns the number of exchanges that may begin now, at most `max`.
    pub(super) fn ready(&self, now: Duration, max: usize) -> usize {
        match self.rate {
            None if now < self.until => max,
            Some(rate) if now < self.until + START_GRACE => {
                let due = due_within(now, rate).min(due_before(self.until, rate));
                usize::try_from(due.saturating_sub(self.started)).map_or(max, |due| due.min(max))
            }
            _ => 0,
        }
    }

    /// Whether no further exchange may begin.
    pub(super) fn is_over(&self, now: Duration) -> bool {
        match self.rate {
            Some(_) if now < self.until + START_GRACE => {
                now >= self.until && self.ready(now, 1) == 0
            }
            _ => now >= self.until,
        }
    }

    /// Begins an exchange. Returns the time from which its latency counts: `now` in a closed loop, the scheduled time
    /// in an open loop, because a real client's wait would begin at the scheduled time.
    pub(super) fn begin(&mut self, now: Duration) -> Duration {
        let Some(rate) = self.rate else { return now };
        let due = due_at(self.started, rate);
        self.started += 1;
        due
    }

    /// Returns the next exchange's scheduled time. Returns `None` in a closed loop, or if no further exchange is
    /// scheduled.
    pub(super) fn next(&self) -> Option<Duration> {
        let next = due_at(self.started, self.rate?);
        (next < self.until).then_some(next)
    }

    /// Whether an exchange with this scheduled time is measured.
    pub(super) fn measures(&self, due: Duration) -> bool {
        due >= self.from
    }

    pub(super) fn is_open(&self) -> bool {
        self.rate.is_some()
    }

    /// Moves the load's end to `now`, unless it is already earlier.
    pub(super) fn stop(&mut self, now: Duration) {
        self.until = self.until.min(now);
    }

    /// Returns the length of the measurement.
    pub(super) fn measured(&self) -> Duration {
        self.until.saturating_sub(self.from)
    }

    /// Returns the number of exchanges that were due during the measurement but have not begun.
    pub(super) fn never_begun(&self) -> u64 {
        let Some(rate) = self.rate else { return 0 };
        due_before(self.until, rate).saturating_sub(self.started.max(due_before(self.from, rate)))
    }
}

const SECOND_NS: u128 = 1_000_000_000;

/// Returns the scheduled time of exchange `number`, counted from 0. Each time is calculated from the start of the load,
/// so that rounding errors do not accumulate.
fn due_at(number: u64, rate: NonZeroU32) -> Duration {
    let nanoseconds = (u128::from(number) * SECOND_NS).div_ceil(u128::from(rate.get()));
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

/// Returns the number of exchanges that are due no later than this time.
fn due_within(moment: Duration, rate: NonZeroU32) -> u64 {
    let number = moment.as_nanos() * u128::from(rate.get()) / SECOND_NS;
    u64::try_from(number).map_or(u64::MAX, |number| number + 1)
}

/// Returns the number of exchanges that are due before this time.
fn due_before(moment: Duration, rate: NonZeroU32) -> u64 {
    match moment.checked_sub(Duration::from_nanos(1)) {
        Some(before) => due_within(before, rate),
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn open(per_second: u32) -> Schedule {
        Schedule::new(SECOND, 2 * SECOND, NonZeroU32::new(per_second))
    }

    #[test]
    fn a_closed_loop_may_begin_exchanges_until_the_end() {
        let mut closed = Schedule::new(SECOND, 2 * SECOND, None);
        assert_eq!(closed.ready(ms(2999), 64), 64);
        assert_eq!(closed.begin(ms(2999)), ms(2999));
        assert_eq!(closed.ready(ms(3000), 64), 0);
        assert_eq!((closed.is_over(ms(2999)), closed.is_over(ms(3000))), (false, true));
        assert_eq!((closed.next(), closed.never_begun()), (None, 0));
    }

    #[test]
    fn an_open_loop_has_fixed_times() {
        let mut open = open(10);
        assert_eq!(open.ready(ms(0), 64), 1, "the first is due at once");
        assert_eq!(open.begin(ms(0)), ms(0));
        assert_eq!(open.ready(ms(99), 64), 0);
        assert_eq!(open.next(), Some(ms(100)));
        assert_eq!(open.ready(ms(100), 64), 1);
        assert_eq!(open.begin(ms(100)), ms(100));
        assert_eq!(open.next(), Some(ms(200)));
    }

    #[test]
    fn an_exchange_that_begins_late_counts_from_its_scheduled_time() {
        let mut open = open(10);
        assert_eq!(open.ready(ms(350), 64), 4);
        assert_eq!(open.ready(ms(350), 2), 2);
        let started: Vec<_> = (0..4).map(|_| open.begin(ms(350))).collect();
        assert_eq!(started, [ms(0), ms(100), ms(200), ms(300)]);
        assert_eq!(open.ready(ms(350), 64), 0);
    }

    #[test]
    fn rounding_errors_do_not_accumulate() {
        let rate = NonZeroU32::new(3).expect("not 0");
        assert_eq!(due_at(3_000_000, rate), Duration::from_secs(1_000_000));
        for number in 0..1000 {
            let due = due_at(number, rate);
            assert_eq!((due_within(due, rate), due_before(due, rate)), (number + 1, number));
        }
    }

    #[test]
    fn an_exchange_that_is_due_in_the_warm_up_is_not_measured() {
        let open = open(10);
        assert!(!open.measures(ms(900)));
        assert!(open.measures(ms(1000)));
    }

    #[test]
    fn exchanges_that_never_began_are_counted_without_those_of_the_warm_up() {
        let mut open = open(10);
        // 30 exchanges are due before the end, 10 of them during the warm-up.
        assert_eq!(open.never_begun(), 20);
        for _ in 0..14 {
            open.begin(ms(2000));
        }
        assert_eq!(open.never_begun(), 16);
        assert_eq!(open.ready(ms(3049), 64), 16, "if the client is late");
        assert_eq!((open.ready(ms(3050), 64), open.is_over(ms(3050))), (0, true), "no more");
        assert_eq!((open.started, open.measured()), (14, 2 * SECOND));
    }

    #[test]
    fn an_open_loop_is_over_when_the_last_due_exchange_has_begun() {
        let mut open = open(10);
        for _ in 0..29 {
            open.begin(ms(2999));
        }
        assert!(!open.is_over(ms(2999)) && !open.is_over(ms(3001)));
        assert_eq!(open.begin(ms(3001)), ms(2900));
        assert!(open.is_over(ms(3001)));
        assert_eq!(open.never_begun(), 0);
    }

    #[test]
    fn after_an_early_stop_no_exchange_is_due() {
        let mut open = open(10);
        for _ in 0..12 {
            open.begin(ms(1100));
        }
        open.stop(ms(1500));
        assert_eq!(open.measured(), ms(500));
        assert_eq!(open.never_begun(), 3, "due at 1200, 1300 and 1400 ms");
        open.stop(ms(9000));
        assert_eq!(open.measured(), ms(500));
        open.stop(ms(10));
        assert_eq!((open.measured(), open.never_begun()), (Duration::ZERO, 0));
    }
}
