//! What one worker counts. Only that worker writes, so nobody has to lock anything and no count is lost.

use super::Event;
use crate::transport::IpVersion;
use std::sync::atomic::{AtomicU64, Ordering};

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
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            events: [const { [const { AtomicU64::new(0) }; 2] }; Event::ALL.len()],
            open: [const { AtomicU64::new(0) }; 2],
            troubles: AtomicU64::new(0),
        }
    }
}

impl Counters {
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

/// Adds without a locked instruction, since nobody else writes.
fn grow(counter: &AtomicU64, times: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(times), Ordering::Relaxed);
}
