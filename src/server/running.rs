//! A server that runs in its own thread, and handles that stop a server.

use super::shared::Shared;
use super::threads::join;
use super::{Bound, ServeError, Server};
use crate::metrics::Metrics;
use crate::transport::Transport;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A handle that stops a [`Server`].
///
/// ```
/// use daytime::{Config, Server};
/// let server = Server::bind(Config::default().address("127.0.0.1:0".parse()?))?;
/// let shutdown = server.shutdown();
/// let serving = std::thread::spawn(move || server.run());
/// shutdown.stop();
/// assert!(serving.join().expect("no panic").is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Shutdown {
    pub(super) shared: Arc<Shared>,
}

impl Shutdown {
    /// Makes [`Server::run`] finish and return. A second call has no effect.
    pub fn stop(&self) {
        self.shared.stop();
    }
}

/// A [`Server`] that runs in its own thread ([`Server::spawn`]).
///
/// Dropping a `Running` stops the server and waits until it has ended. Open connections get up to
/// one second to end. The wait takes at most [`Running::STOP_LIMIT`].
///
/// ```
/// use daytime::{Config, Server, Transport};
/// let server = Server::bind(Config::default().address("127.0.0.1:0".parse()?))?.spawn()?;
/// let address = server.address(Transport::Tcp).expect("TCP is served");
/// drop(server);
/// assert!(std::net::TcpStream::connect(address).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Running {
    bound: Vec<Bound>,
    shutdown: Shutdown,
    thread: Option<JoinHandle<Result<(), ServeError>>>,
    /// Channel that is disconnected when the thread ends.
    ended: Mutex<Receiver<()>>,
}

impl Server {
    /// Runs the server in its own thread until the returned value is stopped or dropped.
    ///
    /// ```
    /// use daytime::{Config, Event, Server, Transport};
    /// use std::io::Read;
    /// use std::net::TcpStream;
    ///
    /// let server = Server::bind(Config::default().address("127.0.0.1:0".parse()?))?.spawn()?;
    /// let address = server.address(Transport::Tcp).expect("TCP is served");
    /// let mut reply = String::new();
    /// TcpStream::connect(address)?.read_to_string(&mut reply)?;
    /// assert!(reply.ends_with("-UTC\r\n"));
    /// assert_eq!(server.metrics().count(Event::TcpAccepted), 1);
    /// server.stop()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if the system cannot start a thread.
    pub fn spawn(mut self) -> io::Result<Running> {
        self.others.start()?;
        let (bound, shutdown) = (self.bound.clone(), self.shutdown());
        let (running, ended) = mpsc::channel::<()>();
        let run = move || {
            let _running = running;
            self.run()
        };
        let thread = thread::Builder::new().name("daytime server".into()).spawn(run)?;
        Ok(Running { bound, shutdown, thread: Some(thread), ended: Mutex::new(ended) })
    }
}

impl Running {
    /// Maximum time that stopping takes, whatever the clients do.
    pub const STOP_LIMIT: Duration = Duration::from_secs(5);

    /// Returns the sockets of the first worker, in the order of the configured addresses.
    #[must_use]
    pub fn bound(&self) -> &[Bound] {
        &self.bound
    }

    /// Returns an address at which clients on this host can reach this transport: the address of
    /// the first socket. Returns `None` if the transport is not served. A wildcard address becomes
    /// the loopback address of its family.
    #[must_use]
    pub fn address(&self, transport: Transport) -> Option<SocketAddr> {
        let bound = self.bound.iter().find(|bound| bound.transport == transport)?;
        let address = match bound.address.ip() {
            IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(v6) if v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            address => address,
        };
        Some(SocketAddr::new(address, bound.address.port()))
    }

    /// Returns the counters.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.shutdown.shared.metrics)
    }

    /// Whether the server is still running. The server may have ended because of
    /// [`Until`](super::Until) or an error.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Waits until the server ends without a request to stop.
    ///
    /// ```
    /// use daytime::server::Until;
    /// use daytime::{Config, Server};
    ///
    /// let config = Config::default().address("127.0.0.1:0".parse()?).until(Until::Answered);
    /// let server = Server::bind(config)?.spawn()?; // no client has sent a query yet
    /// server.wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns the error with which [`Server::run`] ended.
    pub fn wait(mut self) -> Result<(), ServeError> {
        self.thread.take().map_or(Ok(()), join)
    }

    /// Stops the server and waits until it has ended. If no connection is open, this function
    /// returns at once; otherwise it takes up to one second.
    ///
    /// # Errors
    /// Returns the error with which [`Server::run`] ended, or [`ServeError::StillRunning`].
    pub fn stop(mut self) -> Result<(), ServeError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), ServeError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        self.shutdown.stop();
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        match ended.recv_timeout(Self::STOP_LIMIT) {
            Err(RecvTimeoutError::Timeout) => {
                Err(ServeError::StillRunning { waited: Self::STOP_LIMIT })
            }
            _ => join(thread),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.end(); // The error is ignored here. A caller that needs the error calls `stop`.
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{Config, Event, Listen, Workers};
    use std::io::Read;
    use std::net::TcpStream;
    use std::num::NonZeroUsize;
    use std::time::Instant;

    fn spawn(address: &str) -> Running {
        let config = Config::default().address(address.parse().expect("an address"));
        Server::bind(config).expect("loopback").spawn().expect("a thread")
    }

    #[test]
    fn a_dropped_server_ends_within_the_limit_while_a_client_holds_a_connection() {
        let server = spawn("127.0.0.1:0");
        let mut client = TcpStream::connect(server.address(Transport::Tcp).expect("served"));
        let client = client.as_mut().expect("connected");
        let mut reply = String::new();
        client.read_to_string(&mut reply).expect("a clean end");
        assert!(reply.ends_with("-UTC\r\n"), "{reply}");
        let shared = Arc::downgrade(&server.shutdown.shared);
        let started = Instant::now();
        drop(server);
        assert!(started.elapsed() < Running::STOP_LIMIT, "{:?}", started.elapsed());
        assert_eq!(shared.strong_count(), 0, "its thread has ended");
        assert!(client.peer_addr().is_ok(), "the client has not closed");
    }

    #[test]
    fn dropping_a_server_that_never_ran_frees_its_port() {
        let three = Workers::Exactly(NonZeroUsize::new(3).expect("not 0"));
        let listen = Listen::default().reuse_port(true);
        let config = Config::default().address("127.0.0.1:0".parse().expect("an address"));
        for _ in 0..20 {
            let config = config.clone().workers(three).listen(listen);
            let mut server = Server::bind(config).expect("a free port");
            server.start_threads().expect("threads");
            let address = server.bound()[0].address;
            drop(server);
            Server::bind(Config::default().address(address)).expect("the port is free");
        }
    }

    #[test]
    fn a_running_server_can_be_stopped_through_another_handle_and_awaited() {
        let config = Config::default().address("127.0.0.1:0".parse().expect("an address"));
        let running = Server::bind(config).expect("a free port").spawn().expect("a thread");
        assert!(running.is_running());
        let (metrics, shutdown) = (running.metrics(), running.shutdown.clone());
        shutdown.stop();
        running.wait().expect("it ended well");
        assert_eq!(metrics.count(Event::TcpAccepted), 0);
    }

    #[test]
    fn the_address_of_a_wildcard_socket_is_loopback() {
        let server = spawn("0.0.0.0:0");
        let address = server.address(Transport::Udp).expect("served");
        assert_eq!(address.ip(), Ipv4Addr::LOCALHOST);
        assert_eq!(address.port(), server.bound()[0].address.port());
        server.stop().expect("it has run");
    }
}
