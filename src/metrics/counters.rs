//! Counters of one worker. Only that worker writes, so no lock is needed and no count is lost.

use super::client_log::ClientLog;
use super::{Event, Example};
use crate::transport::IpVersion;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Counters of one worker.
///
/// The alignment keeps the counters of two workers out of the same cache line, and out of
/// neighbouring lines that are fetched in pairs.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Counters {
    events: [[AtomicU64; 2]; Event::ALL.len()],
    open: [AtomicU64; 2],
    /// Number of events that have a notice. A cheap check for new ones.
    troubles: AtomicU64,
    /// Example of each event: the first event since the last notice about it.
    examples: [ExampleSlot; Event::ALL.len()],
    log: Arc<ClientLog>,
}

/// Slot that holds one example until a notice takes it.
#[derive(Debug, Default)]
struct ExampleSlot {
    /// Whether the slot is full. Then later events need not take the lock.
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

    /// Takes the example, if there is one. The next event then fills the slot again.
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

    /// Counts an event of a client. Keeps it as the example for a notice, and logs it at `-v`.
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

    /// Logs an event of a client, unless the period already has its maximum of lines.
    #[cold]
    pub(crate) fn log_client(&self, event: Event, peer: SocketAddr) {
        if !self.log.line(event, peer) {
            grow(&self.troubles, 1); // so that the worker logs the number of lines left out
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

/// Adds to a counter without an atomic read-modify-write, because only one worker writes.
fn grow(counter: &AtomicU64, times: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(times), Ordering::Relaxed);
}
