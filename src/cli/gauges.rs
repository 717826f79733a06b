//! What a running server is asked for beside its counters: its clock, its limits, its descriptors.

use super::descriptors::descriptor_limit;
use crate::clock::{Clock, Health};
use crate::limit::Limits;
use crate::metrics::Metrics;
use crate::report::counters::{self, Gauges};
use crate::server::ServeError;
use crate::server::endpoint::{Endpoint, Running};
use crate::transport::IpVersion;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Where the values come from while the server runs. Confined, it cannot list its descriptors: so what was open
/// before the first client is counted once, and clients are added.
pub(super) struct Source {
    pub metrics: Arc<Metrics>,
    limits: Limits,
    /// When the server started, in seconds since 1970.
    started: Option<i64>,
    /// Connections to the metrics that are open now.
    metrics_clients: Arc<AtomicUsize>,
    /// Descriptors without clients.
    without_clients: OnceLock<u64>,
    max_descriptors: u64,
}

impl Source {
    pub(super) fn new(metrics: Arc<Metrics>, limits: Limits) -> Self {
        Self {
            metrics,
            limits,
            started: Clock::System.now().map(|now| now.timestamp()),
            metrics_clients: Arc::default(),
            without_clients: OnceLock::new(),
            max_descriptors: descriptor_limit(),
        }
    }

    /// Notes how many descriptors are open before the first client, but for a connection that was handed over.
    pub(super) fn note_open(&self, open: u64) {
        let _ = self.without_clients.set(open.saturating_sub(self.connections()));
    }

    pub(super) fn now(&self) -> Gauges {
        let clients = || self.connections() + self.metrics_clients.load(Ordering::Relaxed) as u64;
        Gauges {
            started: self.started,
            limits: self.limits,
            synchronised: Clock::System.health().ok().map(|health| health == Health::Synchronised),
            open_descriptors: self.without_clients.get().map(|open| open + clients()),
            max_descriptors: self.max_descriptors,
        }
    }

    /// Answers clients of the metrics on this endpoint.
    pub(super) fn answer_on(self: &Arc<Self>, endpoint: Endpoint) -> Result<Running, ServeError> {
        let source = Arc::clone(self);
        let page = Arc::new(move || counters::prometheus(&source.metrics, &source.now()));
        endpoint.start(page, Arc::clone(&self.metrics_clients))
    }

    fn connections(&self) -> u64 {
        IpVersion::BOTH.iter().map(|version| self.metrics.open_connections(*version)).sum()
    }
}
