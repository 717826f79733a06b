//! A server's configuration.

use super::{Drain, GuardOptions, Limits, Listen};
use crate::clock::Clock;
use crate::syntax::{Syntax, Zone};
use crate::transport::{PORT, Transport};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

options! {
    /// A server's configuration: addresses, transports, syntax, limits and options.
    ///
    /// ```
    /// use daytime::server::{Drain, Limits, Rate};
    /// use daytime::{Config, Syntax, Transport};
    /// use std::time::Duration;
    /// let config = Config::default()
    ///     .address("127.0.0.1:0".parse()?) // port 0: the kernel chooses a free port
    ///     .transports(vec![Transport::Udp])
    ///     .syntax(Syntax::Ctime)
    ///     .drain(Drain::default().deadline(Duration::from_secs(1)))
    ///     .limits(Limits::default().udp_per_source(Rate { per_second: 5, burst: 10 }));
    /// assert_eq!(config.addresses, ["127.0.0.1:0".parse()?]);
    /// assert_eq!(config.limits.udp_per_source.burst, 10);
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    #[derive(Clone, Debug)]
    pub struct Config {
        /// Addresses to serve. All addresses with port 0 get the same free port, over all
        /// transports.
        pub addresses: Vec<SocketAddr>,
        /// Transports to serve at each address.
        pub transports: Vec<Transport>,
        /// Options for the sockets that the server opens.
        pub listen: Listen,
        /// Number of serving threads. Each thread has its own event loop and its own sockets.
        pub workers: Workers,
        /// Clock that supplies the time.
        pub clock: Clock,
        /// Syntax of the replies.
        pub syntax: Syntax,
        /// Time zone of the replies.
        pub zone: Zone,
        /// Limits on how long a TCP connection stays open after its reply, and on how many octets
        /// the client may send.
        pub drain: Drain,
        /// Abuse limits: the rate at which the server answers datagrams, and the number of
        /// connections that it keeps open.
        pub limits: Limits,
        /// Options of the guard, which decides whether the server answers a datagram.
        pub guard: GuardOptions,
        /// Whether to answer only while the kernel reports a synchronised clock. While the clock is
        /// not synchronised, the server closes TCP connections without a reply and ignores
        /// datagrams. RFC 868 recommends the same behaviour for a server that does not know the
        /// time.
        pub require_sync: bool,
        /// Condition under which the server ends without a request to stop.
        pub until: Until,
    }
}

impl Default for Config {
    /// Returns the default: both transports on port 13 of both loopback addresses, the syntax of
    /// RFC 867's first example, and UTC.
    fn default() -> Self {
        Self {
            addresses: Self::loopback(PORT),
            transports: Transport::BOTH.to_vec(),
            listen: Listen::default(),
            workers: Workers::default(),
            clock: Clock::System,
            syntax: Syntax::default(),
            zone: Zone::UTC,
            drain: Drain::default(),
            limits: Limits::default(),
            guard: GuardOptions::default(),
            require_sync: false,
            until: Until::default(),
        }
    }
}

impl Config {
    /// Returns the loopback addresses of both families with this port.
    ///
    /// ```
    /// let addresses = daytime::Config::loopback(1300);
    /// assert_eq!(addresses, ["127.0.0.1:1300".parse()?, "[::1]:1300".parse()?]);
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub fn loopback(port: u16) -> Vec<SocketAddr> {
        let addresses: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        addresses.map(|address| SocketAddr::new(address, port)).to_vec()
    }

    /// Serves only this address: replaces all addresses in [`Config::addresses`].
    #[must_use]
    pub fn address(self, address: SocketAddr) -> Self {
        self.addresses(vec![address])
    }
}

/// Number of workers of a [`Server`](super::Server). The kernel distributes clients to the workers
/// by address and port. All workers share the limits, the counters and the request to stop.
///
/// The server has only one worker if its sockets cannot be shared: [`Listen::reuse_port`] is off,
/// the sockets are inherited, or the system does not distribute clients among sockets.
///
/// ```
/// use daytime::server::Workers;
/// assert_eq!(Workers::default(), Workers::Exactly(std::num::NonZeroUsize::MIN));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Workers {
    /// One worker for each processor that the process may use (`sched_getaffinity(2)` and its
    /// cgroup's quota).
    Auto,
    /// Exactly this number of workers.
    Exactly(NonZeroUsize),
}

impl Default for Workers {
    /// Returns the default: one worker.
    fn default() -> Self {
        Self::Exactly(NonZeroUsize::MIN)
    }
}

impl Workers {
    pub(super) fn number(self) -> NonZeroUsize {
        match self {
            Self::Auto => thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            Self::Exactly(number) => number,
        }
    }
}

/// Condition under which a [`Server`](super::Server) ends without a request to stop. A server that
/// has only inherited connections (see [`Server::adopt`](super::Server::adopt)) ends when its last
/// connection ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Until {
    /// Runs until a request to stop.
    #[default]
    Stopped,
    /// Ends when no client has arrived for this duration and no connection is open. This requires a
    /// single worker.
    Idle(Duration),
    /// Ends when the server has answered all clients that were queued when it started, and no
    /// connection is open.
    Answered,
}
