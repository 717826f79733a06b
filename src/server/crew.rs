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
    /// It found nobody waiting when all had been quiet for long enough since then; [`BUSY`] if it has not.
    agreed: AtomicU64,
    has_to_make_room: AtomicBool,
    /// When its loop went round the last time.
    alive: AtomicU64,
}

const BUSY: u64 = u64::MAX;

impl Crew {
    pub(super) fn new(wakers: Vec<Waker>, metrics: Arc<Metrics>) -> Self {
        let member = |waker| Member {
            waker,
            quiet_since: AtomicU64::new(0),
            agreed: AtomicU64::new(BUSY),
            has_to_make_room: AtomicBool::new(false),
            alive: AtomicU64::new(0),
        };
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

    /// Since when no worker has had a client, as nanoseconds since the start; `None` while one has.
    fn quiet_since(&self) -> Option<u64> {
        let since = |member: &Member| member.quiet_since.load(Ordering::SeqCst);
        self.members.iter().map(since).max().filter(|last| *last != BUSY)
    }

    /// When no worker will have had a client for this time, if nobody comes; `None` while one has, or where
    /// this worker has agreed that it is so.
    pub(super) fn idle_deadline(&self, worker: usize, time: Duration) -> Option<Instant> {
        let last = self.quiet_since()?;
        if self.members[worker].agreed.load(Ordering::SeqCst) == last {
            return None; // another worker has to look yet
        }
        self.start.checked_add(Duration::from_nanos(last))?.checked_add(time)
    }

    /// Whether no worker has had a client for this time and each has looked since: a client may wait
    /// at a worker that does not know yet. A worker asks when it has just found no client.
    pub(super) fn are_all_idle(&self, worker: usize, time: Duration, now: Instant) -> bool {
        self.quiet_for(time, now).is_some_and(|last| self.agree(worker, last))
    }

    /// Since when no worker has had a client, as nanoseconds since the start, if that is this time ago.
    fn quiet_for(&self, time: Duration, now: Instant) -> Option<u64> {
        let last = self.quiet_since()?;
        let end = self.start.checked_add(Duration::from_nanos(last))?.checked_add(time)?;
        (now >= end).then_some(last)
    }

    /// Notes that this worker has found no client since `last`. Returns whether every worker has, and
    /// no client has come to any of them meanwhile.
    fn agree(&self, worker: usize, last: u64) -> bool {
        // Of two that say so together, one sees that both have.
        let is_new = self.members[worker].agreed.swap(last, Ordering::SeqCst) != last;
        let mut all = true;
        for member in &self.members {
            if member.agreed.load(Ordering::SeqCst) != last {
                all = false;
                if is_new {
                    let _ = member.waker.wake(); // so that it looks
                }
            }
        }
        // A worker that agreed may have had a client since, and its agreement does not say so.
        all && self.quiet_since() == Some(last)
    }

    /// Has each other worker close a connection: descriptors have run out at one that has none to close.
    pub(super) fn ask_for_room(&self, worker: usize) {
        for (number, member) in self.members.iter().enumerate() {
            if number != worker {
                member.has_to_make_room.store(true, Ordering::Relaxed);
                let _ = member.waker.wake();
            }
        }
    }

    /// True once after another worker has asked for room.
    pub(super) fn has_to_make_room(&self, worker: usize) -> bool {
        let asked = &self.members[worker].has_to_make_room;
        asked.load(Ordering::Relaxed) && asked.swap(false, Ordering::Relaxed)
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

    /// Logs the notices that were not due yet: all workers have ended.
    pub(super) fn finish_notices(&self) {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        notices.finish(&self.metrics, Instant::now());
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
    use mio::{Events, Poll, Token};

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
        assert_eq!(crew.idle_deadline(0, SECOND), None, "one worker has a client");
        crew.note_clients(1, false, at(2));
        assert_eq!(crew.idle_deadline(0, SECOND), Some(at(4)));
    }

    #[test]
    fn all_are_idle_when_each_has_found_nobody_since_the_last_client() {
        let (crew, mut polls) = crew_of_two();
        let at = |seconds: u32| crew.start + seconds * SECOND;
        let mut woken = |worker: usize| {
            let mut events = Events::with_capacity(1);
            polls[worker].poll(&mut events, Some(Duration::ZERO)).expect("polled");
            !events.is_empty()
        };
        crew.note_clients(0, false, at(3));
        crew.note_clients(1, false, at(2));
        assert!(!crew.are_all_idle(0, SECOND, at(3)));
        assert!(!woken(1), "it is too soon");
        assert!(!crew.are_all_idle(0, SECOND, at(4)), "somebody may wait at the other");
        assert!(woken(1), "so that it looks");
        assert_eq!(crew.idle_deadline(0, SECOND), None);
        assert!(!crew.are_all_idle(0, SECOND, at(4)));
        assert!(!woken(1), "once is enough");
        // Somebody did, and has gone.
        crew.note_clients(1, true, at(4));
        assert!(!crew.are_all_idle(1, SECOND, at(4)));
        crew.note_clients(1, false, at(5));
        assert_eq!(crew.idle_deadline(0, SECOND), Some(at(6)));
        assert!(!crew.are_all_idle(1, SECOND, at(6)));
        assert!(crew.are_all_idle(0, SECOND, at(6)));
    }

    #[test]
    fn a_client_that_comes_after_its_worker_agreed_keeps_all_from_ending() {
        let (crew, _polls) = crew_of_two();
        let at = |seconds: u32| crew.start + seconds * SECOND;
        crew.note_clients(0, false, at(1));
        crew.note_clients(1, false, at(1));
        let last = crew.quiet_for(SECOND, at(2)).expect("quiet for a second");
        assert!(!crew.agree(1, last), "the other worker has not looked");
        // The first worker has read `last`, and asks only after this.
        crew.note_clients(1, true, at(2));
        assert!(!crew.agree(0, last), "a client is there");
        crew.note_clients(1, false, at(2));
        assert!(!crew.agree(0, last), "a client was there");
    }

    #[test]
    fn a_worker_without_connections_has_the_others_make_room() {
        let (crew, mut polls) = crew_of_two();
        crew.ask_for_room(0);
        let mut events = Events::with_capacity(1);
        polls[1].poll(&mut events, Some(Duration::ZERO)).expect("polled");
        assert!(!events.is_empty(), "it is woken");
        let asked = [0, 1, 1].map(|worker| crew.has_to_make_room(worker));
        assert_eq!(asked, [false, true, false], "once");
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
