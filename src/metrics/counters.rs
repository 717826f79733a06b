//! The counters of one worker. Only that worker writes, so no lock is needed and no count is lost.

use super::client_log::ClientLog;
use super::{Event, Example};
use crate::transport::IpVersion;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Counters of one worker.
///
/// Aligned so that no two workers write to the same line of the cache, nor to neighbours that are
/// fetched in pairs.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Counters {
    events: [[AtomicU64; 2]; Event::ALL.len()],
    open: [AtomicU64; 2],
    /// How often something with a notice has happened: cheap to look at.
    troubles: AtomicU64,
    /// For each event the first since the last notice about it.
    examples: [ExampleSlot; Event::ALL.len()],
    log: Arc<ClientLog>,
}

/// Holds one example until a notice takes it.
#[derive(Debug, Default)]
struct ExampleSlot {
    /// Spares all events but the first after a notice the lock.
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

    /// The example, if there is one; the next event will be another.
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

    /// Counts an event of a client, which may become the example in a notice, and a line of the log.
    pub(crate) fn add_of(&self, event: Event, peer: SocketAddr) {
        self.add(event, IpVersion::of(peer.ip()));
        if event.notice().is_some() {
            self.examples[event as usize].fill(Example { peer: Some(peer), errno: None });
        }
        if ClientLog::is_on() {
            self.log_client(event, peer);
        }
    }

    /// Counts a call that failed: for this client, if one is known.
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

    /// Logs what a client did, if there have not been too many lines.
    #[cold]
    pub(crate) fn log_client(&self, event: Event, peer: SocketAddr) {
        if !self.log.line(event, peer) {
            grow(&self.troubles, 1); // so that the worker asks for the number of lines left out
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

    /// A connection is open.
    pub(crate) fn opened(&self, version: IpVersion) {
        grow(&self.open[version as usize], 1);
    }

    /// One that was open is no more.
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

/// Adds without a locked instruction, since only one worker writes.
fn grow(counter: &AtomicU64, times: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(times), Ordering::Relaxed);
}
