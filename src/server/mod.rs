//! The TCP service and the UDP service in one server.

mod config;
#[cfg(feature = "confine")]
mod confine;
#[cfg(feature = "cli")]
pub(crate) mod endpoint;
mod inherit;
mod running;
mod shared;
mod supervisor;
mod threads;
mod worker;

pub use crate::limit::{Limits, Rate};
pub use crate::listen::{Bound, Inherited, Listen, ListenError, Setting, Unavailable};
pub use crate::metrics::{Event, Metrics};
pub use crate::tcp::server::Drain;
pub use crate::udp::guard::GuardOptions;
pub use config::{Config, Until, Workers};
#[cfg(feature = "confine")]
pub use confine::{
    ConfineError, Confined, Confinement, Identity, Layer, PartlyConfined, Sandbox, TriedLayer,
};
pub use running::{Running, Shutdown};
pub use supervisor::Supervisor;

use crate::clock::Clock;
use crate::listen::{Kind, Opened, open_inherited};
use crate::responder::{Responder, SharedZone};
use crate::transport::Transport;
use mio::Poll;
use mio::net::TcpStream;
use shared::Shared;
use std::any::Any;
use std::io;
use std::mem;
use std::ops::RangeInclusive;
use std::os::fd::{AsRawFd, RawFd};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;
use threads::Threads;
use worker::Worker;

/// Reason why a server cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// A socket cannot be opened or bound.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// [`Config::require_sync`] is set, but the kernel does not report whether the clock is synchronised.
    #[error("cannot check whether the clock is synchronised: adjtimex")]
    ClockUnknown(#[source] io::Error),
    /// The event loop cannot be set up.
    #[error("cannot set up the event loop")]
    Setup(#[source] io::Error),
    /// The event loop failed.
    #[error("the event loop failed")]
    Loop(#[source] io::Error),
    /// The event loop panicked, which is a defect. The server ends, because it could no longer answer any client.
    #[error("the event loop panicked, which is a defect: {reason}")]
    Died {
        /// Message of the panic.
        reason: String,
    },
    /// [`Until::Idle`] needs a single worker, because each worker sees only its own clients.
    #[error("only a server with one worker can end when it is idle")]
    IdleWorkers,
    /// [`Running`] was asked to stop, but its thread is still running.
    #[error("the server has not ended within {} s", waited.as_secs())]
    StillRunning {
        /// Time that the caller waited for the server to end.
        waited: Duration,
    },
}

impl ServeError {
    /// Builds an error from a panic's message.
    fn died(reason: &(dyn Any + Send)) -> Self {
        let text = reason.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| reason.downcast_ref::<String>().cloned());
        Self::Died { reason: text.unwrap_or_else(|| "no reason given".to_owned()) }
    }
}

/// A bound server, ready to run (RFC 867, "TCP Based Daytime Service" and "UDP Based Daytime Service").
///
/// [`Server::spawn`] runs the server in a separate thread, [`Server::run`] in the calling thread:
///
/// ```
/// use daytime::{Config, Server};
/// let server = Server::bind(Config::default().address("127.0.0.1:0".parse()?))?;
/// println!("{}", server.bound()[0]); // tcp 127.0.0.1:40123
/// let shutdown = server.shutdown();
/// std::thread::spawn(move || { /* … */ shutdown.stop() });
/// server.run()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Server {
    /// The first worker. It reports to the supervisor and runs in the thread that called [`Server::run`].
    first: Worker,
    others: Threads,
    bound: Vec<Bound>,
    shared: Arc<Shared>,
    /// Lowest and highest descriptor among all workers' UDP sockets.
    udp_descriptors: Option<RangeInclusive<RawFd>>,
    zone: Arc<SharedZone>,
}

impl Server {
    /// Opens and binds all sockets.
    ///
    /// Skips an address whose family this host does not support, and logs a warning, provided that at least one other
    /// address can be opened.
    ///
    /// # Errors
    /// Returns [`ServeError::Listen`], [`ServeError::ClockUnknown`], [`ServeError::IdleWorkers`] or
    /// [`ServeError::Setup`].
    pub fn bind(config: Config) -> Result<Self, ServeError> {
        if matches!(config.until, Until::Idle(_)) && config.workers != Workers::default() {
            return Err(ServeError::IdleWorkers);
        }
        let at = |address| config.transports.iter().map(move |transport| (*transport, address));
        let wanted: Vec<_> = config.addresses.iter().flat_map(|address| at(*address)).collect();
        let opened = config.listen.open_all(&wanted, config.workers.number())?;
        Self::new(opened, Vec::new(), config)
    }

    /// Serves on sockets that are already open. Ignores the addresses and transports of the configuration, and
    /// all of [`Listen`] except `write_deadline`.
    ///
    /// The sockets may include TCP connections, which the server answers. If all sockets are connections, the server
    /// ends when the last one ends.
    ///
    /// # Errors
    /// Returns [`ServeError::Listen`] with [`ListenError::NotServable`] if a descriptor is not a TCP or UDP socket.
    /// Otherwise returns [`ServeError::Listen`], [`ServeError::ClockUnknown`] or [`ServeError::Setup`].
    pub fn adopt(inherited: Vec<Inherited>, mut config: Config) -> Result<Self, ServeError> {
        let (mut services, mut connections) = (Vec::new(), Vec::new());
        for socket in inherited {
            match open_inherited(socket, config.listen.write_deadline)? {
                (Kind::Connection, opened) => connections.push(opened),
                (_, opened) => services.push(opened),
            }
        }
        if services.is_empty() {
            if connections.is_empty() {
                return Err(ListenError::Nowhere.into());
            }
            config.until = Until::Answered;
        }
        Self::new(vec![services], connections, config)
    }

    /// Builds a server from each worker's sockets. `services` holds the sockets of at least one worker.
    fn new(
        services: Vec<Vec<Opened>>,
        connections: Vec<Opened>,
        mut config: Config,
    ) -> Result<Self, ServeError> {
        ask_kernel(config.clock, config.require_sync)?;
        let first = services.first().into_iter().flatten();
        let bound = first.chain(&connections).map(|opened| opened.bound.clone()).collect();
        let udp_descriptors = udp_descriptors(&services);
        let syntax = mem::take(&mut config.syntax); // The workers still need the rest of the configuration.
        let responder = Responder::new(config.clock, syntax, config.zone, config.require_sync);
        let zone = responder.zone();
        let polls: Result<Vec<_>, _> = services.iter().map(|_| Poll::new()).collect();
        let polls = polls.map_err(ServeError::Setup)?;
        let shared = Arc::new(Shared::new(&polls, config.limits).map_err(ServeError::Setup)?);
        let mut workers = Vec::with_capacity(services.len());
        for (number, (opened, poll)) in services.into_iter().zip(polls).enumerate() {
            let (responder, shared) = (responder.clone(), Arc::clone(&shared));
            let worker = Worker::new(poll, opened, responder, &config, shared, number);
            workers.push(worker.map_err(ServeError::Setup)?);
        }
        let mut first = workers.remove(0);
        for Opened { socket, .. } in connections {
            first.answer_accepted(TcpStream::from_std(socket.into()));
        }
        Ok(Self { first, others: Threads::new(workers), bound, shared, udp_descriptors, zone })
    }

    /// Makes the server report its state to a supervisor: ready, alive or stopping.
    #[must_use]
    pub fn supervised(mut self, supervisor: Supervisor) -> Self {
        if let Some(beat) = supervisor.beat {
            self.shared.watch(beat);
        }
        self.first.supervisor = Some(supervisor);
        self
    }

    /// Returns the sockets of the first worker, in the order of the configured addresses.
    #[must_use]
    pub fn bound(&self) -> &[Bound] {
        &self.bound
    }

    /// Returns the counters, which continue to count while the server runs.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.shared.metrics)
    }

    /// Returns the time zone of the replies, which may change while the server runs.
    pub(crate) fn zone(&self) -> Arc<SharedZone> {
        Arc::clone(&self.zone)
    }

    /// Returns a handle that stops the server from any thread.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        Shutdown { shared: Arc::clone(&self.shared) }
    }

    /// Whether the server has TCP listeners. Accepting a connection needs a free descriptor.
    pub(crate) fn accepts(&self) -> bool {
        self.first.accepts()
    }

    /// Returns the number of workers.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.shared.workers()
    }

    /// Starts the threads of all workers except the first. The threads wait until [`Server::run`], which also starts
    /// threads that are missing. Call this before the process gives up the right to start threads
    /// (`PartlyConfined::finish`).
    ///
    /// ```
    /// use daytime::server::Workers;
    /// use daytime::{Config, Server};
    /// let two = Workers::Exactly(2.try_into()?);
    /// let mut server = Server::bind(Config::default().address("127.0.0.1:0".parse()?).workers(two))?;
    /// server.start_threads()?;
    /// assert!(server.workers() <= 2); // one where the system does not spread clients among sockets
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`ServeError::Setup`] if a thread cannot be started.
    pub fn start_threads(&mut self) -> Result<(), ServeError> {
        self.others.start().map_err(ServeError::Setup)
    }

    /// Serves until [`Shutdown::stop`] or until the condition in [`Until`]. After that, the server accepts no more
    /// clients, but answers those that have arrived. It gives open connections up to one second to end. It then closes
    /// the remaining connections and counts them as [`Event::TcpDrainDeadline`].
    ///
    /// # Errors
    /// Returns [`ServeError::Loop`] if the event loop fails, and [`ServeError::Died`] if it panics.
    pub fn run(mut self) -> Result<(), ServeError> {
        self.start_threads()?;
        if let Some(supervisor) = &mut self.first.supervisor {
            let sockets: Vec<String> = self.bound.iter().map(ToString::to_string).collect();
            supervisor.ready(&format!("serving {}", sockets.join(", ")));
        }
        self.others.go();
        let ended = self.first.serve();
        let ended = self.others.join().and(ended);
        self.shared.finish_notices();
        ended
    }
}

/// Checks the kernel's clock once at the start, so that the operator sees early whether the replies will lack
/// information about the clock.
fn ask_kernel(clock: Clock, require_sync: bool) -> Result<(), ServeError> {
    match clock.health() {
        Ok(_) => Ok(()),
        Err(error) if require_sync => Err(ServeError::ClockUnknown(error)),
        Err(error) => {
            log::warn!(
                "cannot check whether the clock is synchronised: adjtimex: {error}; \
                 replies in the NIST syntax report health 3 (unknown) and announce no leap second"
            );
            Ok(())
        }
    }
}

/// Returns the range from the lowest to the highest descriptor of a UDP socket; `None` if there is no UDP socket.
fn udp_descriptors(services: &[Vec<Opened>]) -> Option<RangeInclusive<RawFd>> {
    let udp = services.iter().flatten().filter(|opened| opened.bound.transport == Transport::Udp);
    let numbers: Vec<RawFd> = udp.map(|opened| opened.socket.as_raw_fd()).collect();
    Some(*numbers.iter().min()?..=*numbers.iter().max()?)
}

/// Runs an event loop and turns a panic into an error. Otherwise a server could seem to run but answer no client.
fn run_loop(run: impl FnOnce() -> io::Result<()>) -> Result<(), ServeError> {
    // `AssertUnwindSafe` is sound here: after a panic the server ends without another round of this loop, and the other
    // workers can still use the shared atomics and locks.
    let ended = panic::catch_unwind(AssertUnwindSafe(run));
    ended.map_or_else(|reason| Err(ServeError::died(&*reason)), |it| it.map_err(ServeError::Loop))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mentions::mentions;
    use std::io::Read;
    use std::net::TcpStream;

    #[test]
    fn the_longest_possible_drain_deadline_works() {
        let drain = Drain { deadline: Duration::MAX, octets: u64::MAX };
        let config = Config::default().drain(drain).address("127.0.0.1:0".parse().expect("one"));
        let server = Server::bind(config).expect("loopback").spawn().expect("a thread");
        let mut reply = String::new();
        let address = server.address(Transport::Tcp).expect("served");
        let mut stream = TcpStream::connect(address).expect("connected");
        stream.read_to_string(&mut reply).expect("a clean end");
        assert!(reply.ends_with("-UTC\r\n"), "{reply}");
        drop(stream);
        server.stop().expect("no error");
    }

    #[test]
    fn only_a_single_worker_can_end_when_idle() {
        let until = Until::Idle(Duration::from_secs(1));
        let config = Config::default().address("127.0.0.1:0".parse().expect("an address"));
        let error = Server::bind(config.workers(Workers::Auto).until(until)).err();
        assert!(matches!(error, Some(ServeError::IdleWorkers)), "{error:?}");
    }

    #[test]
    fn a_loop_that_panics_ends_the_server_with_the_reason() {
        assert!(run_loop(|| Ok(())).is_ok());
        let failed = run_loop(|| Err(io::Error::other("no events")));
        assert!(matches!(failed, Err(ServeError::Loop(_))));
        let died = run_loop(|| panic!("no {}", "time")).expect_err("it panicked");
        mentions(&died, &["event loop", "panicked", "defect", "no time"]);
    }
}
