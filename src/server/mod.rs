//! Both services as one process.

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
use crate::listen::{Kind, Opened, adopt};
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
    /// The readiness loop panicked, which is a defect: no client would be answered any more.
    #[error("the event loop died of a defect: {reason}")]
    Died {
        /// What the panic said.
        reason: String,
    },
    /// [`Until::Idle`] with [`Workers`]: each worker sees its own clients only.
    #[error("only a server with one worker can end when it is idle")]
    IdleWorkers,
    /// [`Running`] was stopped and its thread goes on.
    #[error("the server has not ended within {} s", waited.as_secs())]
    StillRunning {
        /// How long the caller waited for its end.
        waited: Duration,
    },
}

impl ServeError {
    /// Why a thread panicked.
    fn died(reason: &(dyn Any + Send)) -> Self {
        let text = reason.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| reason.downcast_ref::<String>().cloned());
        Self::Died { reason: text.unwrap_or_else(|| "no reason given".to_owned()) }
    }
}

/// The services, bound and ready to run (RFC 867, "TCP Based Daytime Service" and "UDP Based Daytime
/// Service").
///
/// [`Server::spawn`] runs it in a thread of its own, [`Server::run`] in this one:
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
    /// It has the supervisor, and runs in the thread that calls [`Server::run`].
    first: Worker,
    others: Threads,
    bound: Vec<Bound>,
    shared: Arc<Shared>,
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
    /// [`ServeError::Listen`], [`ServeError::ClockUnknown`], [`ServeError::IdleWorkers`] and
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

    /// Serves on sockets that another process has opened. Of the configuration, addresses, transports and
    /// [`Listen`] are ignored, but for its `write_deadline`.
    ///
    /// A TCP connection among them is answered; where there is nothing else, the server ends with it.
    ///
    /// # Errors
    /// [`ServeError::Listen`] with [`ListenError::NotServable`] for what is not a TCP or UDP socket,
    /// [`ServeError::ClockUnknown`] and [`ServeError::Setup`].
    pub fn adopt(inherited: Vec<Inherited>, mut config: Config) -> Result<Self, ServeError> {
        let (mut services, mut connections) = (Vec::new(), Vec::new());
        for socket in inherited {
            match adopt(socket, config.listen.write_deadline)? {
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

    /// With the sockets of each worker, of one at least.
    fn new(
        services: Vec<Vec<Opened>>,
        connections: Vec<Opened>,
        mut config: Config,
    ) -> Result<Self, ServeError> {
        ask_kernel(config.clock, config.require_sync)?;
        let first = services.first().into_iter().flatten();
        let bound = first.chain(&connections).map(|opened| opened.bound.clone()).collect();
        let udp_descriptors = udp_descriptors(&services);
        let syntax = mem::take(&mut config.syntax); // the workers need the rest
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
            first.adopt(TcpStream::from_std(socket.into()));
        }
        Ok(Self { first, others: Threads::new(workers), bound, shared, udp_descriptors, zone })
    }

    /// Reports to a supervisor when it is ready, that it is alive, and when it stops.
    #[must_use]
    pub fn supervised(mut self, supervisor: Supervisor) -> Self {
        if let Some(beat) = supervisor.beat {
            self.shared.watch(beat);
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
        Arc::clone(&self.shared.metrics)
    }

    /// The zone of its replies, which may change while it runs.
    pub(crate) fn zone(&self) -> Arc<SharedZone> {
        Arc::clone(&self.zone)
    }

    /// A handle that stops the server, from any thread.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        Shutdown { shared: Arc::clone(&self.shared) }
    }

    /// Whether it accepts connections, for which a descriptor has to be left.
    pub(crate) fn accepts(&self) -> bool {
        self.first.accepts()
    }

    /// Number of workers.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.shared.workers()
    }

    /// Starts the threads of all workers but the first, which then wait for [`Server::run`]. That starts
    /// them too, but too late where the process gives up the right to start threads (`PartlyConfined::finish`).
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
    /// [`ServeError::Setup`].
    pub fn start_threads(&mut self) -> Result<(), ServeError> {
        self.others.start().map_err(ServeError::Setup)
    }

    /// Serves until [`Shutdown::stop`], or as long as [`Until`] says. Then it accepts no more, answers what has arrived, and gives
    /// open connections up to a second to end. It closes those that are left, and counts them as
    /// [`Event::TcpDrainDeadline`].
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
        let ended = self.first.serve();
        let ended = self.others.join().and(ended);
        self.shared.finish_notices();
        ended
    }
}

/// Asks once, so that an operator learns at the start what the replies will lack.
fn ask_kernel(clock: Clock, require_sync: bool) -> Result<(), ServeError> {
    match clock.health() {
        Ok(_) => Ok(()),
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
    let udp = services.iter().flatten().filter(|opened| opened.bound.transport == Transport::Udp);
    let numbers: Vec<RawFd> = udp.map(|opened| opened.socket.as_raw_fd()).collect();
    Some(*numbers.iter().min()?..=*numbers.iter().max()?)
}

/// A loop that panics ends as one that fails: never a server that looks alive and answers nothing.
fn run_loop(run: impl FnOnce() -> io::Result<()>) -> Result<(), ServeError> {
    // Nothing of what it worked with is used again.
    let ended = panic::catch_unwind(AssertUnwindSafe(run));
    ended.map_or_else(|reason| Err(ServeError::died(&*reason)), |it| it.map_err(ServeError::Loop))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpStream;

    #[test]
    fn the_longest_drain_there_is_does_no_harm() {
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
    fn several_workers_cannot_end_when_they_are_idle() {
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
        assert_eq!(died.to_string(), "the event loop died of a defect: no time");
    }
}
