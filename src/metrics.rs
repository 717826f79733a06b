//! What the services did, as counters that any thread may read while they run.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one server, from its start.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Metrics {
    /// Connections accepted.
    pub tcp_accepted: Counter,
    /// Connections that were sent the whole reply.
    pub tcp_answered: Counter,
    /// Connections that ended cleanly: the peer closed its side after the reply.
    pub tcp_closed_by_peer: Counter,
    /// Connections given up: the peer had not closed by the deadline.
    pub tcp_deadline: Counter,
    /// Connections given up: the peer had sent more than the limit.
    pub tcp_octet_limit: Counter,
    /// Connections given up to make room: no descriptor was left for a new one.
    pub tcp_evicted: Counter,
    /// Connections that failed: reset by the peer, or a write error.
    pub tcp_failed: Counter,
    /// Failures of `accept(2)` itself.
    pub tcp_accept_failed: Counter,
    /// Datagrams received.
    pub udp_received: Counter,
    /// Datagrams answered.
    pub udp_answered: Counter,
    /// Answers that could not be sent, and failures to receive.
    pub udp_failed: Counter,
    /// Questions left unanswered because there is no time to tell (a clock beyond the calendar).
    pub no_time: Counter,
}

/// A number that only goes up.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl std::fmt::Debug for Counter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.count().fmt(f)
    }
}

impl Counter {
    /// The count so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
