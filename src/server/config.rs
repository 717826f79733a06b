//! What to serve, where and how.

use super::{Drain, GuardOptions, Limits, Listen};
use crate::clock::Clock;
use crate::syntax::{Syntax, Zone};
use crate::transport::{PORT, Transport};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

options! {
    /// What to serve, where and how.
    ///
    /// ```
    /// use daytime::server::{Drain, Limits, Rate};
    /// use daytime::{Config, Syntax, Transport};
    /// use std::time::Duration;
    /// let config = Config::default()
    ///     .address("127.0.0.1:0".parse()?) // port 0: any free one
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
        /// Addresses to serve; every port 0 becomes the same free number, on every transport.
        pub addresses: Vec<SocketAddr>,
        /// Transports to serve, at each address.
        pub transports: Vec<Transport>,
        /// How the sockets are opened.
        pub listen: Listen,
        /// Threads that serve, each with a loop and sockets of its own.
        pub workers: Workers,
        /// Where the time comes from.
        pub clock: Clock,
        /// How the time is written.
        pub syntax: Syntax,
        /// The zone in which the time is written.
        pub zone: Zone,
        /// How long, and for how many octets, a TCP connection is kept after its reply.
        pub drain: Drain,
        /// How much clients may ask.
        pub limits: Limits,
        /// Which datagrams are never answered.
        pub guard: GuardOptions,
        /// Answer only while the kernel calls its clock synchronised. Otherwise TCP closes without a reply and UDP
        /// keeps silent, as RFC 868 has it for an unknown time.
        pub require_sync: bool,
        /// When to end without a request to stop.
        pub until: Until,
    }
}

impl Default for Config {
    /// Both transports on port 13 of both loopback addresses, RFC 867's first syntax, UTC.
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
    /// The loopback addresses of both families, with this port.
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

    /// Serves this address alone: it replaces the whole list of [`Config::addresses`].
    #[must_use]
    pub fn address(self, address: SocketAddr) -> Self {
        self.addresses(vec![address])
    }
}

/// Number of workers of a [`Server`](super::Server). The kernel spreads clients among them by address and port. Limits,
/// counters and the stop are those of all workers together.
///
/// There is one only where the sockets cannot be shared: [`Listen::reuse_port`] is off, they are inherited, or
/// the system would not spread the clients.
///
/// ```
/// use daytime::server::Workers;
/// assert_eq!(Workers::default(), Workers::Exactly(std::num::NonZeroUsize::MIN));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Workers {
    /// As many as the process has processors (`sched_getaffinity(2)`, and the quota of its cgroup).
    Auto,
    /// This number.
    Exactly(NonZeroUsize),
}

impl Default for Workers {
    /// One.
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

/// When a [`Server`](super::Server) ends without a request to stop. One that has only a connection (see
/// [`Server::adopt`](super::Server::adopt)) ends with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Until {
    /// Never.
    #[default]
    Stopped,
    /// When no client has come for this time and none is connected. For one worker only.
    Idle(Duration),
    /// As soon as everything that waits at the beginning is answered.
    Answered,
}
