//! Limits on open connections, per source and for all sources together.

use super::{Limits, Scope, Source};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counts the open connections of limited sources, across all workers.
#[derive(Debug)]
pub(crate) struct ConnectionLimit {
    limits: Limits,
    /// Number of workers that share this count.
    workers: usize,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    of_source: HashMap<Source, u32>,
    total: u32,
}

/// Rough measure of how many further connections the limits allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Plenty,
    /// Less than half of a limit is left, so each worker must soon notice which of its connections
    /// have ended.
    Little,
}

/// Maximum number of sources for which memory is reserved at the start. Memory for any further
/// source is allocated when the source appears.
const RESERVED_SOURCES: u32 = 1 << 16;

impl ConnectionLimit {
    pub(crate) fn new(limits: Limits, workers: usize) -> Self {
        let room = limits.tcp_total.min(RESERVED_SOURCES) as usize;
        Self {
            limits,
            workers,
            open: Mutex::new(Open { of_source: HashMap::with_capacity(room), total: 0 }),
        }
    }

    /// Counts one more connection for this client's source. Returns an error if the connection
    /// would exceed a limit.
    pub(crate) fn enter(&self, peer: SocketAddr) -> Result<Room, Scope> {
        let Some(source) = self.limits.source(peer) else { return Ok(Room::Plenty) };
        let mut open = self.open();
        let of_source = open.of_source.get(&source).copied().unwrap_or(0);
        if of_source >= self.limits.tcp_per_source {
            return Err(Scope::Source);
        }
        if open.total >= self.limits.tcp_total {
            return Err(Scope::Total);
        }
        open.of_source.insert(source, of_source + 1);
        open.total += 1;
        let is_little = of_source + 1 > self.limits.tcp_per_source / 2
            || open.total > self.limits.tcp_total / 2;
        Ok(if is_little && self.workers > 1 { Room::Little } else { Room::Plenty })
    }

    /// Subtracts one from the number of open connections of this client's source.
    pub(crate) fn release(&self, peer: SocketAddr) {
        let Some(source) = self.limits.source(peer) else { return };
        let mut open = self.open();
        open.total = open.total.saturating_sub(1);
        if let Some(of_source) = open.of_source.get_mut(&source) {
            *of_source -= 1;
            if *of_source == 0 {
                open.of_source.remove(&source);
            }
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_a_limit_no_connection_is_admitted_until_one_ends() {
        let limits = Limits { tcp_per_source: 2, tcp_total: 3, ..Limits::default() };
        let limit = ConnectionLimit::new(limits, 1);
        let peer = |text: &str| text.parse().expect("address");
        let (one, other) = (peer("192.0.2.1:4000"), peer("192.0.2.2:4000"));
        assert_eq!([limit.enter(one), limit.enter(one)], [Ok(Room::Plenty); 2]);
        assert_eq!(limit.enter(one), Err(Scope::Source));
        assert_eq!(limit.enter(other), Ok(Room::Plenty));
        assert_eq!(limit.enter(other), Err(Scope::Total));
        limit.release(one);
        assert_eq!(limit.enter(other), Ok(Room::Plenty));
        limit.release(other);
        limit.release(other);
        limit.release(one);
        assert!(limit.open().of_source.is_empty(), "a source without connections is forgotten");
    }

    #[test]
    fn several_workers_learn_when_less_than_half_of_a_limit_is_left() {
        let entered = |tcp_per_source, tcp_total| {
            let limits = Limits { tcp_per_source, tcp_total, ..Limits::default() };
            let peer = "192.0.2.1:4000".parse().expect("address");
            let limit = ConnectionLimit::new(limits, 2);
            [(); 3].map(|()| limit.enter(peer).expect("room"))
        };
        let (plenty, little) = (Room::Plenty, Room::Little);
        assert_eq!(entered(4, 100), [plenty, plenty, little]);
        assert_eq!(entered(100, 4), [plenty, plenty, little]);
        assert_eq!(entered(100, 100), [plenty; 3]);
    }
}
