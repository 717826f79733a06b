//! Counters of one worker. Only that worker changes them, so they need no lock and no count is
//! lost.

use super::client_log::ClientLog;
use super::{Event, Example};
use crate::transport::IpVersion;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Counters of one worker.
///
/// The alignment keeps the counters of two workers in different cache lines. The alignment also
/// separates neighbouring lines, which processors fetch in pairs.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Counters {
    events: [[AtomicU64; 2]; Event::ALL.len()],
    open: [AtomicU64; 2],
    /// Number of events that may need a notice. In each round of its event loop, the worker
    /// compares this number with the number in the previous round. This is cheaper than comparing
    /// the counter of every event.
    troubles: AtomicU64,
    /// For each event, the first example since the last notice about that event.
    examples: [ExampleSlot; Event::ALL.len()],
    log: Arc<ClientLog>,
}

/// Slot that holds one example until a notice takes it.
#[derive(Debug, Default)]
struct ExampleSlot {
    /// Whether the slot is full. If so, later events need not take the lock.
    is_full: AtomicBool,
    example: Mutex<Example>,
}

impl ExampleSlot {
    fn fill(&self, example: Example) {
        if !self.is_full.load(Ordering::Relaxed) {
            *self.example.lock().unwrap_or_else(PoisonError::into_inner) = example;
            self.is_full.store(true, Ordering::Release);
        }
    }

    /// Removes and returns the example, if there is one. The next event then fills the slot again.
    fn take(&self) -> Option<Example> {
        let is_full = self.is_full.load(Ordering::Acquire);
        let example = is_full.then(|| *self.example.lock().unwrap_or_else(PoisonError::into_inner));
        self.is_full.store(false, Ordering::Relaxed);
        example
    }
}

impl Counters {
    pub(super) fn new(log: Arc<ClientLog>) -> Self {
        Self {
            events: [const { [const { AtomicU64::new(0) }; 2] }; Event::ALL.len()],
            open: [const { AtomicU64::new(0) }; 2],
            troubles: AtomicU64::new(0),
            examples: std::array::from_fn(|_| ExampleSlot::default()),
            log,
        }
    }

    /// Counts an event that a client caused. Keeps the client as the example for a notice, and logs
    /// the event at `-v`.
    pub(crate) fn add_of(&self, event: Event, peer: SocketAddr) {
        self.add(event, IpVersion::of(peer.ip()));
        if event.notice().is_some() {
            self.examples[event as usize].fill(Example { peer: Some(peer), errno: None });
        }
        if ClientLog::is_on() {
            self.log_client(event, peer);
        }
    }

    /// Counts a failed system call, with the client if it is known.
    pub(crate) fn add_failure(
        &self,
        event: Event,
        version: IpVersion,
        peer: Option<SocketAddr>,
        error: &io::Error,
    ) {
        self.add(event, version);
        self.examples[event as usize].fill(Example { peer, errno: error.raw_os_error() });
        if let Some(peer) = peer.filter(|_| ClientLog::is_on()) {
            self.log_client(event, peer);
        }
    }

    /// Logs a client's event, unless this period has already reached its maximum number of lines.
    #[cold]
    pub(crate) fn log_client(&self, event: Event, peer: SocketAddr) {
        if !self.log.line(event, peer) {
            // This number makes the worker check for notices. That check also logs how many lines
            // were left out.
            grow(&self.troubles, 1);
        }
    }

    pub(super) fn take_example(&self, event: Event) -> Option<Example> {
        self.examples[event as usize].take()
    }

    pub(crate) fn add(&self, event: Event, version: IpVersion) {
        self.add_many(event, version, 1);
    }

    pub(crate) fn add_many(&self, event: Event, version: IpVersion, times: u64) {
        grow(&self.events[event as usize][version as usize], times);
        if event.notice().is_some() {
            grow(&self.troubles, times);
        }
    }

    /// Counts a connection that has opened.
    pub(crate) fn opened(&self, version: IpVersion) {
        grow(&self.open[version as usize], 1);
    }

    /// Counts a connection that has closed.
    pub(crate) fn closed(&self, version: IpVersion) {
        grow(&self.open[version as usize], 1_u64.wrapping_neg());
    }

    pub(super) fn count(&self, event: Event, version: IpVersion) -> u64 {
        self.events[event as usize][version as usize].load(Ordering::Relaxed)
    }

    pub(super) fn open(&self, version: IpVersion) -> u64 {
        self.open[version as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn troubles(&self) -> u64 {
        self.troubles.load(Ordering::Relaxed)
    }
}

/// Increases a counter. No atomic read-modify-write is needed, because only one worker writes.
fn grow(counter: &AtomicU64, times: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(times), Ordering::Relaxed);
}
