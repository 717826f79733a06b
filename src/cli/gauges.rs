//! What a running server is asked for beside its counters: its clock, its limits, its descriptors.

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

/// Where the values come from while the server runs. Confined, it cannot list its descriptors: so what was open
/// before the first client is counted once, and clients are added.
pub(super) struct Source {
    pub metrics: Arc<Metrics>,
    /// Connections to the metrics that are open now.
    metrics_clients: Arc<AtomicUsize>,
    /// The gauges before the first client.
    at_start: Gauges,
}

impl Source {
    /// Counts the open descriptors: to be called when all is open that has to be, and before the first client.
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

    /// Logs the counters and the gauges, as SIGUSR1 asks for.
    pub(super) fn log(&self) {
        let lines = counters::lines(&self.metrics).into_iter();
        for line in lines.chain(counters::gauge_lines(&self.now())) {
            log::info!("SIGUSR1: {line}");
        }
    }

    /// Answers clients of the metrics on this endpoint.
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

/// Returns the number of open connections of the services.
fn connections(metrics: &Metrics) -> u64 {
    IpVersion::BOTH.iter().map(|version| metrics.open_connections(*version)).sum()
}
