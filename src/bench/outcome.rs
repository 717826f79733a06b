//! The results of a load.

use super::options::BenchOptions;
use crate::client::Target;
use crate::transport::Transport;
use std::net::SocketAddr;
use std::time::Duration;

/// A load's results over all transports.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Bench {
    /// The host under load.
    pub target: Target,
    /// The load's options. Durations above their maximum have been reduced to the maximum.
    pub options: BenchOptions,
    /// The results over each transport. If the load was interrupted, the second transport may be missing.
    pub loads: Vec<Load>,
    /// Whether the caller ended the load early.
    pub interrupted: bool,
}

impl Bench {
    /// Whether the server answered over every transport and no exchange failed. A lost datagram does not count as a
    /// failure, because UDP does not guarantee delivery.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let good = |load: &Load| load.answered > 0 && load.failures.count() == 0;
        !self.loads.is_empty() && self.loads.iter().all(good)
    }
}

/// The results over one transport.
///
/// Counts the exchanges whose start (open loop: scheduled time) is inside the measurement window. Each of these
/// exchanges is answered, lost, failed, or unfinished.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Load {
    /// The transport over which the load ran.
    pub transport: Transport,
    /// The address of the server under load.
    pub peer: SocketAddr,
    /// Length of the measurement.
    pub measured: Duration,
    /// Number of exchanges that began.
    pub asked: u64,
    /// Number of exchanges that got a complete reply.
    pub answered: u64,
    /// UDP: number of queries that got no answer within the timeout.
    pub lost: u64,
    /// Exchanges that failed, other than lost datagrams.
    pub failures: Failures,
    /// Number of exchanges in progress when the caller ended the load early.
    pub unfinished: u64,
    /// Open loop: number of scheduled exchanges that never began, because all sockets were busy until the load ended.
    /// No other count and no latency includes these exchanges.
    pub never_begun: u64,
    /// UDP: number of late and extra datagrams. A late datagram arrives after its query has timed out; an extra
    /// datagram answers no query.
    pub late: u64,
    /// Total length of the replies in octets.
    pub octets: u64,
    /// Latencies of the answered exchanges, counted from the start of the exchange (closed loop) or from its scheduled
    /// time (open loop). Over TCP, a latency ends when the end of stream arrives.
    pub latencies: Option<Percentiles>,
    /// Processor time that this process used during the measurement.
    pub processor: Duration,
    /// Whether the load ended early because the server refused every attempt during the first 200 ms. In this case, the
    /// counts include the warm-up's exchanges.
    pub refused_at_once: bool,
}

impl Load {
    /// Returns empty results.
    pub(super) fn new(transport: Transport, peer: SocketAddr) -> Self {
        Self {
            transport,
            peer,
            measured: Duration::ZERO,
            asked: 0,
            answered: 0,
            lost: 0,
            failures: Failures::default(),
            unfinished: 0,
            never_begun: 0,
            late: 0,
            octets: 0,
            latencies: None,
            processor: Duration::ZERO,
            refused_at_once: false,
        }
    }

    /// Returns the number of answered exchanges per second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "no load has 2^53 exchanges")]
    pub fn per_second(&self) -> f64 {
        let seconds = self.measured.as_secs_f64();
        if seconds > 0.0 { self.answered as f64 / seconds } else { 0.0 }
    }

    /// Returns the share of one processor that this process used. If the share is near 1, the client rather than the
    /// server may limit the result.
    #[must_use]
    pub fn processor_share(&self) -> f64 {
        let seconds = self.measured.as_secs_f64();
        if seconds > 0.0 { self.processor.as_secs_f64() / seconds } else { 0.0 }
    }
}

/// Number of failed exchanges for each cause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failures {
    /// Exchanges that the host refused because no server listens on the port: with a reset over TCP, with an ICMP
    /// message over UDP.
    pub refused: u64,
    /// Connections that ended with a reset from the server.
    pub reset: u64,
    /// TCP: exchanges in which the stream did not end within the timeout.
    pub timed_out: u64,
    /// Replies that were empty or did not end with a line feed.
    pub cut_short: u64,
    /// Exchanges for which this host had no free port.
    pub no_port: u64,
    /// Failures with any other cause: the system's error text, and the number of failures with this text.
    pub other: Vec<(String, u64)>,
}

impl Failures {
    /// Returns the total number of failures.
    #[must_use]
    pub fn count(&self) -> u64 {
        let other: u64 = self.other.iter().map(|(_, count)| count).sum();
        self.refused + self.reset + self.timed_out + self.cut_short + self.no_port + other
    }
}

/// Latency percentiles, to three significant digits. The 90th percentile is the time within which 90 % of the exchanges
/// ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Percentiles {
    /// Shortest latency.
    pub min: Duration,
    /// Median.
    pub p50: Duration,
    /// 90th percentile: 9 of 10 exchanges took at most this time.
    pub p90: Duration,
    /// 99th percentile: 99 of 100 exchanges took at most this time.
    pub p99: Duration,
    /// 99.9th percentile: 999 of 1000 exchanges took at most this time.
    pub p999: Duration,
    /// Longest latency.
    pub max: Duration,
    /// Arithmetic mean.
    pub mean: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(answered: u64, failures: Failures) -> Load {
        let empty = Load::new(Transport::Udp, "127.0.0.1:13".parse().expect("address"));
        let (measured, processor) = (Duration::from_secs(2), Duration::from_secs(1));
        let asked = answered + failures.count() + 7;
        Load { measured, asked, answered, lost: 7, failures, processor, ..empty }
    }

    fn good(loads: Vec<Load>) -> bool {
        let target = "localhost".parse().expect("target");
        let options = BenchOptions::default();
        Bench { target, options, loads, interrupted: false }.is_good()
    }

    #[test]
    fn a_load_is_good_if_every_transport_answers_and_only_datagrams_are_lost() {
        let none = Failures::default();
        let other = Failures { other: vec![("odd".into(), 1)], ..Failures::default() };
        assert!(good(vec![load(100, none.clone())]));
        assert!(!good(vec![load(100, none.clone()), load(0, none)]));
        assert!(!good(vec![load(100, other)]));
        assert!(!good(vec![]));
    }

    #[test]
    fn rates_are_relative_to_the_measured_time() {
        let mut load = load(100, Failures::default());
        let close = |one: f64, other: f64| (one - other).abs() < 1e-9;
        assert!(close(load.per_second(), 50.0) && close(load.processor_share(), 0.5));
        load.measured = Duration::ZERO;
        assert!(close(load.per_second(), 0.0) && close(load.processor_share(), 0.0));
    }
}
