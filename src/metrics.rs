//! Counters of the services, which any thread may read while the services run.

#[cfg(feature = "server")]
mod client_log;
#[cfg(feature = "server")]
mod counters;
mod event;
#[cfg(feature = "server")]
mod prometheus;

#[cfg(feature = "server")]
pub(crate) use client_log::ClientLog;
#[cfg(feature = "server")]
pub(crate) use counters::Counters;
pub use event::Event;
pub(crate) use event::Kind;
#[cfg(feature = "server")]
pub(crate) use prometheus::{family, gauge};

use crate::transport::IpVersion;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// Example of the events that a notice (a log line for the operator) reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Example {
    /// Client that caused the event, if it is known.
    pub peer: Option<SocketAddr>,
    /// Error number of the system call, if one failed.
    pub errno: Option<i32>,
}

impl fmt::Display for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = self.peer.map(|peer| peer.to_string());
        let error = self.errno.map(|errno| io::Error::from_raw_os_error(errno).to_string());
        let parts: Vec<String> = peer.into_iter().chain(error).collect();
        if parts.is_empty() { Ok(()) } else { write!(f, ", example {}", parts.join(": ")) }
    }
}

/// A server's counters since its start.
///
/// ```
/// use daytime::{Event, Metrics};
/// let metrics = Metrics::default();
/// for event in Event::ALL {
///     assert_eq!(metrics.count(*event), 0, "{}", event.name());
/// }
/// ```
#[cfg(feature = "server")]
pub struct Metrics {
    workers: Vec<Arc<Counters>>,
    client_log: Arc<ClientLog>,
}

#[cfg(feature = "server")]
impl Default for Metrics {
    /// Returns the counters of a server with one worker, all at 0.
    fn default() -> Self {
        Self::new(1)
    }
}

#[cfg(feature = "server")]
impl Metrics {
    pub(crate) fn new(workers: usize) -> Self {
        let client_log = Arc::<ClientLog>::default();
        let counters = || Arc::new(Counters::new(Arc::clone(&client_log)));
        Self { workers: (0..workers).map(|_| counters()).collect(), client_log }
    }

    /// Returns the counters of the worker with this number, counted from 0. Only that worker may
    /// change them.
    pub(crate) fn worker(&self, number: usize) -> Arc<Counters> {
        Arc::clone(&self.workers[number])
    }

    /// Returns how often an event has happened, over IPv4 and IPv6 together. The server counts an
    /// exchange after it has sent the reply, so read the counters after the server has stopped.
    #[must_use]
    pub fn count(&self, event: Event) -> u64 {
        IpVersion::BOTH.iter().map(|version| self.count_over(event, *version)).sum()
    }

    /// Returns how often an event has happened over this version of IP.
    ///
    /// ```
    /// use daytime::{Event, IpVersion, Metrics};
    /// let metrics = Metrics::default();
    /// assert_eq!(metrics.count_over(Event::TcpAccepted, IpVersion::V6), 0);
    /// assert_eq!(metrics.open_connections(IpVersion::V6), 0);
    /// assert_eq!(Event::TcpAccepted.transport(), daytime::Transport::Tcp);
    /// ```
    #[must_use]
    pub fn count_over(&self, event: Event, version: IpVersion) -> u64 {
        self.workers.iter().map(|counters| counters.count(event, version)).sum()
    }

    pub(crate) fn client_log(&self) -> &ClientLog {
        &self.client_log
    }

    /// Returns one example of this event since the last call; `None` if no worker has one.
    pub(crate) fn take_example(&self, event: Event) -> Option<Example> {
        // Takes the examples of all workers. Otherwise the next notice could show an example from
        // before this call.
        let examples: Vec<_> = self.workers.iter().map(|it| it.take_example(event)).collect();
        examples.into_iter().flatten().next()
    }

    /// Returns the number of connections that are currently open over one version of IP.
    #[must_use]
    pub fn open_connections(&self, version: IpVersion) -> u64 {
        self.workers.iter().map(|counters| counters.open(version)).sum()
    }
}

#[cfg(feature = "server")]
impl fmt::Debug for Metrics {
    /// Lists the counters that are not 0, by name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = Event::ALL.iter().map(|event| (event, self.count(*event)));
        f.debug_map().entries(counts.filter(|(_, count)| *count > 0)).finish()
    }
}

#[cfg(all(test, feature = "server"))]
mod tests {
    use super::*;

    #[test]
    fn each_version_of_ip_and_each_worker_has_its_own_counter() {
        let metrics = Metrics::new(2);
        metrics.worker(0).add(Event::UdpAnswered, IpVersion::V4);
        metrics.worker(1).add_many(Event::UdpAnswered, IpVersion::V6, 2);
        metrics.worker(1).add(Event::UdpPortZero, IpVersion::V6);
        assert_eq!(metrics.count(Event::UdpAnswered), 3);
        assert_eq!(metrics.count_over(Event::UdpAnswered, IpVersion::V4), 1);
        assert_eq!(metrics.worker(0).troubles(), 0, "a reply is not trouble");
        assert_eq!(metrics.worker(1).troubles(), 1);
        assert_eq!(format!("{metrics:?}"), "{UdpAnswered: 3, UdpPortZero: 1}");
    }
}
