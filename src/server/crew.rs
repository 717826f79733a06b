//! What the workers of a server have in common, beside their limits.

use crate::metrics::Metrics;
use crate::notice::Notices;
use mio::Waker;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Shared by all workers.
#[derive(Debug)]
pub(super) struct Crew {
    start: Instant,
    stop: AtomicBool,
    members: Vec<Member>,
    /// How often each has to show that it is alive.
    beat: OnceLock<Duration>,
    pub metrics: Arc<Metrics>,
    notices: Mutex<Notices>,
}

/// What the others know of a worker. Times are nanoseconds since the start.
#[derive(Debug)]
struct Member {
    waker: Waker,
    /// When its last client came or went, or a little later; [`BUSY`] while one is there.
    quiet_since: AtomicU64,
    /// When its loop went round the last time.
    alive: AtomicU64,
}

const BUSY: u64 = u64::MAX;

impl Crew {
    pub(super) fn new(wakers: Vec<Waker>, metrics: Arc<Metrics>) -> Self {
        let member =
            |waker| Member { waker, quiet_since: AtomicU64::new(0), alive: AtomicU64::new(0) };
        Self {
            start: Instant::now(),
            stop: AtomicBool::new(false),
            members: wakers.into_iter().map(member).collect(),
            beat: OnceLock::new(),
            metrics,
            notices: Mutex::new(Notices::new()),
        }
    }

    /// Has all workers finish; true if nobody had before.
    pub(super) fn stop(&self) -> bool {
        let first = !self.stop.swap(true, Ordering::AcqRel);
        for member in &self.members {
            // It fails only where the loop has gone already.
            let _ = member.waker.wake();
        }
        first
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Notes that a worker has a client, or has had its last one by now.
    pub(super) fn note_clients(&self, worker: usize, are_there: bool, now: Instant) {
        let since = if are_there { BUSY } else { self.nanoseconds(now) };
        // In one order for all, so that of two workers that fall quiet together one sees both.
        self.members[worker].quiet_since.store(since, Ordering::SeqCst);
    }

    /// Since when no worker has had a client; `None` while one has.
    pub(super) fn quiet_since(&self) -> Option<Instant> {
        let since = |member: &Member| member.quiet_since.load(Ordering::SeqCst);
        let last = self.members.iter().map(since).max().filter(|last| *last != BUSY)?;
        self.start.checked_add(Duration::from_nanos(last))
    }

    /// Has every worker show at this interval that it is alive.
    pub(super) fn watch(&self, beat: Duration) {
        let _ = self.beat.set(beat); // there is only one supervisor
    }

    /// Notes that a worker is alive; when it has to do so again, if anybody watches.
    pub(super) fn note_alive(&self, worker: usize, now: Instant) -> Option<Instant> {
        let beat = self.beat.get()?;
        self.members[worker].alive.store(self.nanoseconds(now), Ordering::Relaxed);
        Some(now + *beat)
    }

    /// False if a worker has missed a beat.
    pub(super) fn is_alive(&self, now: Instant) -> bool {
        let Some(beat) = self.beat.get() else { return true };
        let missed = self.nanoseconds(now).saturating_sub(nanoseconds(2 * *beat));
        self.members.iter().all(|member| member.alive.load(Ordering::Relaxed) >= missed)
    }

    /// Tells an operator what is new; when there will be more to tell.
    pub(super) fn tell(&self, now: Instant) -> Option<Instant> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).tell(&self.metrics, now)
    }

    fn nanoseconds(&self, now: Instant) -> u64 {
        nanoseconds(now.saturating_duration_since(self.start))
    }
}

/// 584 years at most.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(BUSY - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Poll, Token};

    const SECOND: Duration = Duration::from_secs(1);

    fn crew_of_two() -> (Crew, [Poll; 2]) {
        let polls = [Poll::new().expect("poll"), Poll::new().expect("poll")];
        let waker = |poll: &Poll| Waker::new(poll.registry(), Token(0)).expect("waker");
        (Crew::new(polls.iter().map(waker).collect(), Arc::default()), polls)
    }

    #[test]
    fn it_is_quiet_since_the_last_client_of_any_worker_has_gone() {
        let (crew, _polls) = crew_of_two();
        let at = |seconds: u32| crew.start + seconds * SECOND;
        crew.note_clients(0, false, at(3));
        crew.note_clients(1, true, at(1));
        assert_eq!(crew.quiet_since(), None, "one worker has a client");
        crew.note_clients(1, false, at(2));
        assert_eq!(crew.quiet_since(), Some(at(3)));
    }

    #[test]
    fn a_worker_that_hangs_is_found_and_nobody_is_watched_without_a_watchdog() {
        let (crew, _polls) = crew_of_two();
        let at = |seconds: u32| crew.start + seconds * SECOND;
        assert_eq!(crew.note_alive(0, at(1)), None);
        assert!(crew.is_alive(at(1000)));
        crew.watch(10 * SECOND);
        assert_eq!(crew.note_alive(0, at(30)), Some(at(40)));
        crew.note_alive(1, at(12));
        assert!(crew.is_alive(at(32)));
        assert!(!crew.is_alive(at(33)), "the second was last seen at 12");
    }
}
