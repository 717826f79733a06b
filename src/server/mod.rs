//! Both services as one process.

#[cfg(feature = "confine")]
mod confine;
mod crew;
#[cfg(feature = "cli")]
pub(crate) mod endpoint;
mod inherit;
mod supervisor;
mod threads;
mod worker;

#[cfg(feature = "confine")]
pub use confine::{Begun, ConfineError, Confined, Confinement, Identity, Layer, Sandbox};
pub use supervisor::Supervisor;

use crate::clock::Clock;
use crate::limit::{Census, Limiter, Limits};
use crate::listen::{Adopted, Inherited, Listen, ListenError, Opened, Setting, adopt};
use crate::metrics::Metrics;
use crate::responder::{Responder, SharedZone};
use crate::syntax::{Syntax, Zone};
use crate::tcp::server::Drain;
use crate::transport::{PORT, Transport};
use crate::udp::guard::GuardOptions;
use crew::Crew;
use mio::net::TcpStream;
use mio::{Poll, Waker};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use threads::{Threads, survive};
use worker::{Rules, Worker};

/// What to serve, where and how.
#[derive(Clone, Debug)]
pub struct Config {
    /// Addresses to answer on; every port 0 becomes the same free number, on every transport.
    pub addresses: Vec<SocketAddr>,
    /// Transports to answer on, at each address.
    pub transports: Vec<Transport>,
    /// How the sockets are opened.
    pub listen: Listen,
    /// Threads that serve, each with a loop and sockets of its own.
    pub workers: Workers,
    /// Where the time comes from.
    pub clock: Clock,
    /// How it is written.
    pub syntax: Syntax,
    /// The zone it is written in.
    pub zone: Zone,
    /// What a TCP connection may take after its reply.
    pub drain: Drain,
    /// How much strangers may ask.
    pub limits: Limits,
    /// Which datagrams are never answered.
    pub guard: GuardOptions,
    /// Answer only while the kernel says that its clock is synchronised: else TCP closes without a word and
    /// UDP keeps silent, as RFC 868 has it for an unknown time.
    pub require_sync: bool,
    /// When to end without being told to.
    pub until: Until,
}

/// How many workers a [`Server`] has. The kernel spreads clients among them by address and port; limits, counters
/// and the stop are those of all together.
///
/// There is one only where the sockets cannot be shared: [`Listen::reuse_port`] is off, they are inherited, or
/// the system would not spread the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// As many as the process has processors (`sched_getaffinity(2)`, and what a cgroup leaves).
    Auto,
    /// So many.
    Exactly(NonZeroUsize),
}

impl Default for Workers {
    /// One.
    fn default() -> Self {
        Self::Exactly(NonZeroUsize::MIN)
    }
}

impl Workers {
    fn number(self) -> NonZeroUsize {
        match self {
            Self::Auto => thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            Self::Exactly(number) => number,
        }
    }
}

/// When a [`Server`] ends without being told to. One that has only a connection (see
/// [`Server::adopt`]) ends with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Until {
    /// Never: it ends when it is [stopped](Shutdown::stop).
    #[default]
    Stopped,
    /// When no client has come for so long and none is connected.
    Idle(Duration),
    /// As soon as all that waits at the beginning is answered.
    Answered,
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
    #[must_use]
    pub fn loopback(port: u16) -> Vec<SocketAddr> {
        let addresses: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        addresses.map(|address| SocketAddr::new(address, port)).to_vec()
    }
}

/// Why the service cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// A socket could not be opened or bound.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// [`Config::require_sync`] is set, and the kernel does not say whether the clock is synchronised.
    #[error("cannot tell whether the clock is synchronised: adjtimex")]
    ClockUnknown(#[source] io::Error),
    /// The readiness loop could not be set up.
    #[error("cannot set up the event loop")]
    Setup(#[source] io::Error),
    /// The readiness loop failed.
    #[error("the event loop failed")]
    Loop(#[source] io::Error),
    /// The readiness loop panicked, which is a defect: nobody would be answered any more.
    #[error("the event loop died of a defect: {0}")]
    Died(String),
}

/// A socket that is served.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Bound {
    /// Its transport.
    pub transport: Transport,
    /// Its address, with the port the kernel chose.
    pub address: SocketAddr,
    /// What the supervisor calls it that it was inherited from.
    pub name: Option<String>,
    /// Each option: what was asked for, and what the kernel made of it.
    pub settings: Vec<Setting>,
}

impl From<&Opened> for Bound {
    fn from(opened: &Opened) -> Self {
        Self {
            transport: opened.transport,
            address: opened.address,
            name: opened.name.clone(),
            settings: opened.settings.clone(),
        }
    }
}

/// `tcp 127.0.0.1:13`, and the name if it has one.
impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.transport, self.address)?;
        self.name.as_ref().map_or(Ok(()), |name| write!(f, " {name}"))
    }
}

/// The services, bound and ready to run (RFC 867, "TCP Based Daytime Service" and "UDP Based Daytime
/// Service").
///
/// ```
/// use daytime::{Config, Options, Server, Transport, ask};
/// let addresses = vec!["127.0.0.1:0".parse()?];
/// let server = Server::bind(Config { addresses, ..Config::default() })?;
/// let target = server.bound()[0].address.into();
/// let shutdown = server.shutdown();
/// let running = std::thread::spawn(move || server.run());
///
/// let answer = ask(&target, Transport::Tcp, &Options::default())?;
/// assert!(answer.octets.ends_with(b"-UTC\r\n"));
///
/// shutdown.stop();
/// running.join().expect("the server does not panic")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Server {
    /// It has the supervisor, and runs in the thread that calls [`Server::run`].
    first: Worker,
    others: Threads,
    bound: Vec<Bound>,
    crew: Arc<Crew>,
    /// From the first to the last UDP socket of all workers.
    udp_descriptors: Option<RangeInclusive<RawFd>>,
    zone: Arc<SharedZone>,
}

impl Server {
    /// Opens and binds every socket.
    ///
    /// An address whose family this machine lacks is left out with a warning in the log, as long as
    /// another can be opened.
    ///
    /// # Errors
    /// [`ServeError::Listen`], [`ServeError::ClockUnknown`] and [`ServeError::Setup`].
    pub fn bind(config: Config) -> Result<Self, ServeError> {
        let wanted: Vec<_> = config
            .addresses
            .iter()
            .flat_map(|address| config.transports.iter().map(|transport| (*transport, *address)))
            .collect();
        let workers = config.workers.number();
        let opened = config.listen.open_all(&wanted, workers)?;
        Self::new(opened, Vec::new(), config)
    }

    /// Serves on sockets that somebody else has opened: what the configuration says of addresses,
    /// transports and [`Listen`] counts for nothing, but for its `write_deadline`.
    ///
    /// A TCP connection among them is answered; where there is nothing else, the server ends with it.
    ///
    /// # Errors
    /// [`ServeError::Listen`] with [`ListenError::NotServable`] for what is no TCP and no UDP socket,
    /// [`ServeError::ClockUnknown`] and [`ServeError::Setup`].
    pub fn adopt(inherited: Vec<Inherited>, config: Config) -> Result<Self, ServeError> {
        let (mut services, mut connections) = (Vec::new(), Vec::new());
        for socket in inherited {
            match adopt(socket, config.listen.write_deadline)? {
                Adopted::Service(opened) => services.push(opened),
                Adopted::Connection(opened) => connections.push(opened),
            }
        }
        if services.is_empty() && connections.is_empty() {
            return Err(ListenError::Nowhere.into());
        }
        Self::new(vec![services], connections, config)
    }

    /// With the sockets of each worker, of one at least.
    fn new(
        services: Vec<Vec<Opened>>,
        connections: Vec<Opened>,
        config: Config,
    ) -> Result<Self, ServeError> {
        ask_kernel(config.clock, config.require_sync)?;
        let first = services.first().into_iter().flatten();
        let bound: Vec<Bound> = first.chain(&connections).map(Bound::from).collect();
        let udp_descriptors = udp_descriptors(&services);
        let until = if bound.len() == connections.len() { Until::Answered } else { config.until };
        let responder =
            Responder::new(config.clock, config.syntax, config.zone, config.require_sync);
        let zone = responder.zone();
        let Config { drain, limits, guard, .. } = config;
        let census = Arc::new(Census::new(limits, services.len()));
        let limiter = Arc::new(Limiter::new(limits, Instant::now()));
        let rules = Rules { drain, census, limiter, guard, until };
        let (polls, crew) = crew(services.len()).map_err(ServeError::Setup)?;
        let mut workers = Vec::with_capacity(services.len());
        for (number, (opened, poll)) in services.into_iter().zip(polls).enumerate() {
            let place = (Arc::clone(&crew), number);
            let worker = Worker::new(poll, opened, responder.clone(), rules.clone(), place);
            workers.push(worker.map_err(ServeError::Setup)?);
        }
        let mut first = workers.remove(0);
        for Opened { socket, .. } in connections {
            first.adopt(TcpStream::from_std(socket.into()));
        }
        Ok(Self { first, others: Threads::new(workers), bound, crew, udp_descriptors, zone })
    }

    /// Has it tell a supervisor when it is ready, that it is alive, and when it stops.
    #[must_use]
    pub fn supervised(mut self, supervisor: Supervisor) -> Self {
        if let Some(beat) = supervisor.beat() {
            self.crew.watch(beat);
        }
        self.first.supervisor = Some(supervisor);
        self
    }

    /// The sockets, in the order of the configuration.
    #[must_use]
    pub fn bound(&self) -> &[Bound] {
        &self.bound
    }

    /// The counters; they go on counting while the server runs.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.crew.metrics)
    }

    /// The zone of its replies, which may change while it runs.
    pub(crate) fn zone(&self) -> Arc<SharedZone> {
        Arc::clone(&self.zone)
    }

    /// A handle that stops the server, from any thread.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        Shutdown { crew: Arc::clone(&self.crew) }
    }

    /// Whether it accepts connections, for which a descriptor has to be left.
    pub(crate) fn accepts(&self) -> bool {
        self.first.accepts()
    }

    /// How many workers it has.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.others.len() + 1
    }

    /// Starts the threads of all workers but the first, which then wait for [`Server::run`]. It does so
    /// itself, but too late for who gives up the right to start threads ([`Begun::finish`]).
    ///
    /// # Errors
    /// [`ServeError::Setup`].
    pub fn start_threads(&mut self) -> Result<(), ServeError> {
        self.others.start().map_err(ServeError::Setup)
    }

    /// Serves until [`Shutdown::stop`], or as long as [`Until`] says. Then it accepts no more, answers what has arrived, and gives
    /// open connections up to a second to end.
    ///
    /// # Errors
    /// [`ServeError::Loop`] and [`ServeError::Died`].
    pub fn run(mut self) -> Result<(), ServeError> {
        self.start_threads()?;
        if let Some(supervisor) = &mut self.first.supervisor {
            let sockets: Vec<String> = self.bound.iter().map(ToString::to_string).collect();
            supervisor.ready(&format!("serving {}", sockets.join(", ")));
        }
        self.others.go();
        let ended = survive(|| self.first.run());
        self.crew.stop(); // if it has failed, the others have to end as well
        let ended = self.others.join().and(ended);
        self.crew.finish_notices();
        ended
    }
}

/// Asks once, so that an operator learns at the start what the replies will lack.
fn ask_kernel(clock: Clock, require_sync: bool) -> Result<(), ServeError> {
    match clock.ask_kernel() {
        Ok(()) => Ok(()),
        Err(error) if require_sync => Err(ServeError::ClockUnknown(error)),
        Err(error) => {
            log::warn!(
                "adjtimex: {error}: the kernel does not say whether its clock is synchronised; \
                 --syntax nist reports health 3 (unknown) and announces no leap second"
            );
            Ok(())
        }
    }
}

/// The range of descriptors that holds every UDP socket; `None` without any.
fn udp_descriptors(services: &[Vec<Opened>]) -> Option<RangeInclusive<RawFd>> {
    let udp = services.iter().flatten().filter(|opened| opened.transport == Transport::Udp);
    let numbers: Vec<RawFd> = udp.map(|opened| opened.socket.as_raw_fd()).collect();
    Some(*numbers.iter().min()?..=*numbers.iter().max()?)
}

/// What each of so many workers waits with, and what they share.
fn crew(workers: usize) -> io::Result<(Vec<Poll>, Arc<Crew>)> {
    let polls = (0..workers).map(|_| Poll::new()).collect::<io::Result<Vec<_>>>()?;
    let waker = |poll: &Poll| Waker::new(poll.registry(), worker::WAKE);
    let wakers = polls.iter().map(waker).collect::<io::Result<Vec<_>>>()?;
    Ok((polls, Arc::new(Crew::new(wakers, Arc::new(Metrics::new(workers))))))
}

/// Stops a [`Server`].
#[derive(Clone, Debug)]
pub struct Shutdown {
    crew: Arc<Crew>,
}

impl Shutdown {
    /// Has [`Server::run`] finish and return. Asking again changes nothing.
    pub fn stop(&self) {
        self.crew.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpStream;

    #[test]
    fn the_longest_drain_there_is_does_no_harm() {
        let addresses = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
        let drain = Drain { deadline: Duration::MAX, octets: u64::MAX };
        let config = Config { addresses, drain, ..Config::default() };
        let server = Server::bind(config).expect("loopback");
        let (address, shutdown) = (server.bound()[0].address, server.shutdown());
        let running = thread::spawn(move || server.run());
        let mut reply = String::new();
        let mut stream = TcpStream::connect(address).expect("connected");
        stream.read_to_string(&mut reply).expect("a clean end");
        assert!(reply.ends_with("-UTC\r\n"), "{reply}");
        drop(stream);
        shutdown.stop();
        running.join().expect("no panic").expect("no error");
    }
}
