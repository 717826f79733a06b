//! State that the workers of a server share.

use crate::limit::{ConnectionLimit, Limiter, Limits};
use crate::metrics::Metrics;
use crate::notice::Notices;
use mio::{Poll, Token, Waker};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Token of each worker's waker.
pub(super) const WAKE: Token = Token(0);

/// State that all workers of a server share.
#[derive(Debug)]
pub(super) struct Shared {
    start: Instant,
    stop: AtomicBool,
    workers: Vec<WorkerState>,
    /// Interval at which each worker records a heartbeat. The interval is set only if a
    /// supervisor's watchdog is active.
    beat: OnceLock<Duration>,
    pub metrics: Arc<Metrics>,
    pub connection_limit: Arc<ConnectionLimit>,
    pub limiter: Arc<Limiter>,
    notices: Mutex<Notices>,
}

/// A worker's state that other workers can see.
#[derive(Debug)]
struct WorkerState {
    waker: Waker,
    has_to_make_room: AtomicBool,
    /// Time at which the worker last began a round of its event loop, in nanoseconds since the
    /// start.
    alive: AtomicU64,
}

impl Shared {
    /// Creates the shared state. Each worker's poll gets a waker.
    pub(super) fn new(polls: &[Poll], limits: Limits) -> io::Result<Self> {
        let state = |poll: &Poll| {
            let waker = Waker::new(poll.registry(), WAKE)?;
            Ok(WorkerState { waker, has_to_make_room: false.into(), alive: 0.into() })
        };
        let (start, number) = (Instant::now(), polls.len());
        Ok(Self {
            start,
            stop: AtomicBool::new(false),
            workers: polls.iter().map(state).collect::<io::Result<_>>()?,
            beat: OnceLock::new(),
            metrics: Arc::new(Metrics::new(number)),
            connection_limit: Arc::new(ConnectionLimit::new(limits, number)),
            limiter: Arc::new(Limiter::new(limits, start)),
            notices: Mutex::new(Notices::new()),
        })
    }

    /// Returns the number of workers.
    pub(super) fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Asks all workers to finish. Returns whether this is the first request.
    pub(super) fn stop(&self) -> bool {
        let is_first = !self.stop.swap(true, Ordering::AcqRel);
        for worker in &self.workers {
            // Waking fails only if the worker's loop has already ended, so the result is ignored.
            let _ = worker.waker.wake();
        }
        is_first
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Asks every other worker to close one connection. The worker `asking` has neither a free
    /// descriptor nor a connection that it could close.
    pub(super) fn ask_for_room(&self, asking: usize) {
        for (number, worker) in self.workers.iter().enumerate() {
            if number != asking {
                worker.has_to_make_room.store(true, Ordering::Relaxed);
                let _ = worker.waker.wake();
            }
        }
    }

    /// Whether another worker has asked this worker to close a connection. Returns true once per
    /// request.
    pub(super) fn has_to_make_room(&self, number: usize) -> bool {
        let asked = &self.workers[number].has_to_make_room;
        asked.load(Ordering::Relaxed) && asked.swap(false, Ordering::Relaxed)
    }

    /// Makes every worker record a heartbeat at this interval.
    pub(super) fn watch(&self, beat: Duration) {
        let _ = self.beat.set(beat); // There is only one supervisor, so the value is not set yet.
    }

    /// Records that a worker is alive. Returns the time of the worker's next heartbeat if a
    /// supervisor's watchdog is active.
    pub(super) fn note_alive(&self, number: usize, now: Instant) -> Option<Instant> {
        let beat = self.beat.get()?;
        self.workers[number].alive.store(self.nanoseconds(now), Ordering::Relaxed);
        Some(now + *beat)
    }

    /// Whether every worker has recorded its heartbeats on time.
    pub(super) fn are_alive(&self, now: Instant) -> bool {
        let Some(beat) = self.beat.get() else { return true };
        let missed = self.nanoseconds(now.checked_sub(2 * *beat).unwrap_or(self.start));
        self.workers.iter().all(|worker| worker.alive.load(Ordering::Relaxed) >= missed)
    }

    /// Logs the notices that are due. Returns the time of the next notice.
    pub(super) fn log_notices(&self, now: Instant) -> Option<Instant> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).log_due(&self.metrics, now)
    }

    /// Logs all remaining notices. Call this after all workers have ended.
    pub(super) fn finish_notices(&self) {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        notices.finish(&self.metrics, Instant::now());
    }

    /// Returns the nanoseconds since the start. 64 bits suffice for 584 years.
    fn nanoseconds(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.start);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::Events;

    const SECOND: Duration = Duration::from_secs(1);

    fn two_workers() -> (Shared, [Poll; 2]) {
        let polls = [Poll::new().expect("poll"), Poll::new().expect("poll")];
        (Shared::new(&polls, Limits::default()).expect("wakers"), polls)
    }

    #[test]
    fn a_worker_without_connections_makes_the_others_close_one() {
        let (shared, mut polls) = two_workers();
        shared.ask_for_room(0);
        let mut events = Events::with_capacity(1);
        polls[1].poll(&mut events, Some(Duration::ZERO)).expect("polled");
        assert!(!events.is_empty(), "it is woken");
        let asked = [0, 1, 1].map(|worker| shared.has_to_make_room(worker));
        assert_eq!(asked, [false, true, false], "once");
    }

    #[test]
    fn a_hanging_worker_is_detected_only_with_a_watchdog() {
        let (shared, _polls) = two_workers();
        let at = |seconds: u32| shared.start + seconds * SECOND;
        assert_eq!(shared.note_alive(0, at(1)), None);
        assert!(shared.are_alive(at(1000)));
        shared.watch(10 * SECOND);
        assert_eq!(shared.note_alive(0, at(30)), Some(at(40)));
        shared.note_alive(1, at(12));
        assert!(shared.are_alive(at(32)));
        assert!(!shared.are_alive(at(33)), "the second was last seen at 12");
    }
}
