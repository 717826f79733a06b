//! What came out of a load.

use super::options::BenchOptions;
use crate::client::Target;
use crate::transport::Transport;
use std::net::SocketAddr;
use std::time::Duration;

/// What came out.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Bench {
    /// Who was asked.
    pub target: Target,
    /// How.
    pub options: BenchOptions,
    /// One for each transport that was begun.
    pub loads: Vec<Load>,
    /// It was ended before its time.
    pub interrupted: bool,
}

impl Bench {
    /// True if every transport had answers and no exchange failed. Lost datagrams are no failure: that they
    /// may be is what UDP is.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let good = |load: &Load| load.answered > 0 && load.failures.count() == 0;
        !self.loads.is_empty() && self.loads.iter().all(good)
    }
}

/// One transport under load. Counted are the exchanges that were due while it was measured: each was answered,
/// lost, failed, or is unfinished.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Load {
    /// The transport.
    pub transport: Transport,
    /// The address that was asked.
    pub peer: SocketAddr,
    /// How long was measured.
    pub measured: Duration,
    /// Exchanges that began.
    pub asked: u64,
    /// Those that brought a line.
    pub answered: u64,
    /// UDP: questions without an answer within the timeout.
    pub lost: u64,
    /// Exchanges that failed otherwise.
    pub failures: Failures,
    /// Exchanges that were still under way when the load was ended before its time.
    pub unfinished: u64,
    /// Open loop: exchanges that were due and never began, since all slots were taken until the end. They are
    /// in no other count and no latency.
    pub never_begun: u64,
    /// UDP: datagrams whose question was given up already, or that answer no question.
    pub late: u64,
    /// Octets of the answers.
    pub octets: u64,
    /// How long the answers took. TCP: until the end of the stream. Closed loop: from the first packet. Open
    /// loop: from the moment when the exchange was due.
    pub latencies: Option<Percentiles>,
    /// Processor time that this process used while it measured.
    pub processor: Duration,
    /// Every attempt was refused from the first one on, for 200 ms, so this load ended early. Counts the warm-up
    /// exchanges too.
    pub refused_at_once: bool,
}

impl Load {
    /// A load of which nothing is counted yet.
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

    /// Exchanges answered per second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "no load has 2^53 exchanges")]
    pub fn per_second(&self) -> f64 {
        let seconds = self.measured.as_secs_f64();
        if seconds > 0.0 { self.answered as f64 / seconds } else { 0.0 }
    }

    /// How much of one processor this process had: near 1, it may be the client that was measured.
    #[must_use]
    pub fn processor_share(&self) -> f64 {
        let seconds = self.measured.as_secs_f64();
        if seconds > 0.0 { self.processor.as_secs_f64() / seconds } else { 0.0 }
    }
}

/// How exchanges failed, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failures {
    /// No server listens: the host refused, over UDP by ICMP.
    pub refused: u64,
    /// The connection was reset.
    pub reset: u64,
    /// TCP: no end of the stream within the timeout.
    pub timed_out: u64,
    /// What came did not end with a line feed: it was cut short, or nothing.
    pub cut_short: u64,
    /// This host had no free port to ask from.
    pub no_port: u64,
    /// Anything else, in the system's words.
    pub other: Vec<(String, u64)>,
}

impl Failures {
    /// How many in all.
    #[must_use]
    pub fn count(&self) -> u64 {
        let other: u64 = self.other.iter().map(|(_, count)| count).sum();
        self.refused + self.reset + self.timed_out + self.cut_short + self.no_port + other
    }
}

/// Latencies, to three significant digits: each of them reached or undercut by its share of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Percentiles {
    /// The shortest.
    pub min: Duration,
    /// The median.
    pub p50: Duration,
    /// Nine of ten.
    pub p90: Duration,
    /// 99 of a hundred.
    pub p99: Duration,
    /// 999 of a thousand.
    pub p999: Duration,
    /// The longest.
    pub max: Duration,
    /// The arithmetic mean.
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
    fn every_transport_has_to_answer_and_none_to_fail_but_datagrams_may_be_lost() {
        let none = Failures::default();
        let other = Failures { other: vec![("odd".into(), 1)], ..Failures::default() };
        assert!(good(vec![load(100, none.clone())]));
        assert!(!good(vec![load(100, none.clone()), load(0, none)]));
        assert!(!good(vec![load(100, other)]));
        assert!(!good(vec![]));
    }

    #[test]
    fn rates_are_of_the_time_that_was_measured() {
        let mut load = load(100, Failures::default());
        let close = |one: f64, other: f64| (one - other).abs() < 1e-9;
        assert!(close(load.per_second(), 50.0) && close(load.processor_share(), 0.5));
        load.measured = Duration::ZERO;
        assert!(close(load.per_second(), 0.0) && close(load.processor_share(), 0.0));
    }
}
