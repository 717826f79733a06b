//! The values that a running server reports in addition to its counters: clock, limits and descriptors.

use super::descriptors::{descriptor_limit, open_descriptors};
use super::failure::Failure;
use crate::clock::{Clock, Health};
use crate::limit::Limits;
use crate::metrics::Metrics;
use crate::report::counters::{self, Gauges};
use crate::server::endpoint::{Endpoint, EndpointThread};
use crate::transport::IpVersion;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Provides the values while the server runs. A sandboxed server cannot list its descriptors. So the descriptors are
/// counted once, before the first client, and later the open connections are added.
pub(super) struct Source {
    pub metrics: Arc<Metrics>,
    /// Number of open connections to the metrics endpoint.
    metrics_clients: Arc<AtomicUsize>,
    /// The values before the first client.
    at_start: Gauges,
}

impl Source {
    /// Counts the open descriptors. Call this after all sockets and files have been opened, and before the first client
    /// connects.
    pub(super) fn new(metrics: Arc<Metrics>, limits: Limits) -> Self {
        let handed_over = connections(&metrics);
        let at_start = Gauges {
            started: Clock::System.now().map(|now| now.timestamp()),
            limits,
            synchronised: None,
            open_descriptors: open_descriptors().map(|open| open.saturating_sub(handed_over)),
            max_descriptors: descriptor_limit(),
        };
        Self { metrics, metrics_clients: Arc::default(), at_start }
    }

    fn now(&self) -> Gauges {
        let metrics_clients = self.metrics_clients.load(Ordering::Relaxed) as u64;
        let clients = connections(&self.metrics) + metrics_clients;
        Gauges {
            synchronised: Clock::System.health().ok().map(|health| health == Health::Synchronised),
            open_descriptors: self.at_start.open_descriptors.map(|open| open + clients),
            ..self.at_start
        }
    }

    /// Logs the counters and gauges, in response to SIGUSR1.
    pub(super) fn log(&self) {
        let lines = counters::lines(&self.metrics).into_iter();
        for line in lines.chain(counters::gauge_lines(&self.now())) {
            log::info!("SIGUSR1: {line}");
        }
    }

    /// Starts a thread that serves the metrics to clients on this endpoint.
    pub(super) fn answer_on(
        self: &Arc<Self>,
        endpoint: Endpoint,
    ) -> Result<EndpointThread, Failure> {
        let source = Arc::clone(self);
        let page = Arc::new(move || counters::prometheus(&source.metrics, &source.now()));
        let answering = endpoint.start(page, Arc::clone(&self.metrics_clients));
        answering.map_err(|error| Failure::metrics(&error))
    }
}

/// Returns the number of open connections to the Daytime service.
fn connections(metrics: &Metrics) -> u64 {
    IpVersion::BOTH.iter().map(|version| metrics.open_connections(*version)).sum()
}
