//! Both services as one process.

mod confine;
pub(crate) mod endpoint;
mod worker;

pub use confine::{Begun, ConfineError, Confined, Confinement, Identity, Layer, Sandbox};

use crate::clock::Clock;
use crate::limit::Limits;
use crate::listen::{Listen, ListenError, Setting};
use crate::metrics::Metrics;
use crate::responder::Responder;
use crate::syntax::{Syntax, Zone};
use crate::tcp::server::Drain;
use crate::transport::{PORT, Transport};
use crate::udp::guard::GuardOptions;
use mio::Waker;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
}

impl Default for Config {
    /// Both transports on port 13 of both loopback addresses, RFC 867's first syntax, UTC.
    fn default() -> Self {
        Self {
            addresses: Self::loopback(PORT),
            transports: Transport::BOTH.to_vec(),
            listen: Listen::default(),
            clock: Clock::System,
            syntax: Syntax::default(),
            zone: Zone::UTC,
            drain: Drain::default(),
            limits: Limits::default(),
            guard: GuardOptions::default(),
            require_sync: false,
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
    /// Each option: what was asked for, and what the kernel made of it.
    pub settings: Vec<Setting>,
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
    worker: Worker,
    bound: Vec<Bound>,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
}

impl Server {
    /// Opens and binds every socket.
    ///
    /// An address whose family this machine lacks is left out with a warning in the log, as long as
    /// another can be opened.
    ///
    /// # Errors
    /// [`ServeError::Listen`] and [`ServeError::Setup`].
    pub fn bind(config: Config) -> Result<Self, ServeError> {
        let wanted: Vec<_> = config
            .addresses
            .iter()
            .flat_map(|address| config.transports.iter().map(|transport| (*transport, *address)))
            .collect();
        let opened = config.listen.open_all(&wanted)?;
        let bound = opened
            .iter()
            .map(|opened| Bound {
                transport: opened.transport,
                address: opened.address,
                settings: opened.settings.clone(),
            })
            .collect();
        let metrics = Arc::new(Metrics::default());
        let responder =
            Responder::new(config.clock, config.syntax, config.zone, config.require_sync);
        let rules = Rules { drain: config.drain, limits: config.limits, guard: config.guard };
        let (worker, waker) = Worker::new(opened, responder, rules, Arc::clone(&metrics))
            .map_err(ServeError::Setup)?;
        let shutdown = Shutdown { asked: worker.stop_flag(), waker: Arc::new(waker) };
        Ok(Self { worker, bound, metrics, shutdown })
    }

    /// The sockets, in the order of the configuration.
    #[must_use]
    pub fn bound(&self) -> &[Bound] {
        &self.bound
    }

    /// The counters; they go on counting while the server runs.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// A handle that stops the server, from any thread.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Serves until [`Shutdown::stop`]. Then it accepts no more, answers what has arrived, and gives
    /// open connections up to a second to end.
    ///
    /// # Errors
    /// [`ServeError::Loop`] and [`ServeError::Died`].
    pub fn run(mut self) -> Result<(), ServeError> {
        survive(|| self.worker.run())
    }
}

/// A loop that panics ends as one that fails: never a server that looks alive and answers nothing.
fn survive(run: impl FnOnce() -> io::Result<()>) -> Result<(), ServeError> {
    // Nothing of what it worked with is used again.
    match panic::catch_unwind(AssertUnwindSafe(run)) {
        Ok(ended) => ended.map_err(ServeError::Loop),
        Err(reason) => {
            let text = reason.downcast_ref::<&str>().map(ToString::to_string);
            let text = text.or_else(|| reason.downcast_ref::<String>().cloned());
            Err(ServeError::Died(text.unwrap_or_else(|| "no reason given".to_owned())))
        }
    }
}

/// Stops a [`Server`].
#[derive(Clone, Debug)]
pub struct Shutdown {
    asked: Arc<AtomicBool>,
    waker: Arc<Waker>,
}

impl Shutdown {
    /// Has [`Server::run`] finish and return. Asking again changes nothing.
    pub fn stop(&self) {
        self.asked.store(true, Ordering::Release);
        // It fails only where the loop has gone already.
        let _ = self.waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpStream;
    use std::time::Duration;

    #[test]
    fn a_loop_that_panics_ends_the_server_with_the_reason() {
        assert!(survive(|| Ok(())).is_ok());
        let failed = survive(|| Err(io::Error::other("no events")));
        assert!(matches!(failed, Err(ServeError::Loop(_))));
        let died = survive(|| panic!("no {}", "time")).expect_err("it panicked");
        assert_eq!(died.to_string(), "the event loop died of a defect: no time");
    }

    #[test]
    fn the_longest_drain_there_is_does_no_harm() {
        let addresses = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
        let drain = Drain { deadline: Duration::MAX, octets: u64::MAX };
        let config = Config { addresses, drain, ..Config::default() };
        let server = Server::bind(config).expect("loopback");
        let (address, shutdown) = (server.bound()[0].address, server.shutdown());
        let running = std::thread::spawn(move || server.run());
        let mut reply = String::new();
        let mut stream = TcpStream::connect(address).expect("connected");
        stream.read_to_string(&mut reply).expect("a clean end");
        assert!(reply.ends_with("-UTC\r\n"), "{reply}");
        drop(stream);
        shutdown.stop();
        running.join().expect("no panic").expect("no error");
    }
}
