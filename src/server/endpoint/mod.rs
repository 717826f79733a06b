//! Serves the metrics over HTTP in its own thread. One event loop serves all connections, and each connection has a
//! deadline.
//!
//! This module does not depend on the services. The caller supplies a function that renders the page.

mod exchange;

use super::{ServeError, run_loop};
use crate::listen::{Inherited, Kind, Listen, ListenError, Opened, descriptor, open_inherited};
use crate::transport::Transport;
use exchange::Exchange;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use nix::sys::resource::{Resource, getrlimit};
use slab::Slab;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A function that renders the metrics page.
pub(crate) type RenderPage = Arc<dyn Fn() -> String + Send + Sync>;

/// Maximum duration of a connection, even if the client keeps sending.
const CONNECTION_DEADLINE: Duration = Duration::from_secs(2);
/// Maximum duration of a connection while [`MAX_CONNECTIONS`] are open. It is shorter than [`CONNECTION_DEADLINE`],
/// because other clients may be waiting in the backlog.
const CROWDED_DEADLINE: Duration = Duration::from_millis(200);
/// Maximum number of open connections. Further clients stay in the backlog.
const MAX_CONNECTIONS: usize = 32;
/// Pause after a failed accept (no descriptor, no memory), which keeps the loop from spinning.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Number of descriptors that stay free for the services when descriptors are scarce.
const SERVICE_DESCRIPTORS: RawFd = 4;

const STOP: Token = Token(0);
const LISTENER: Token = Token(1);
/// Token of the first connection.
const FIRST_CONNECTION: usize = 2;

/// A bound HTTP endpoint, ready to start.
pub(crate) struct Endpoint {
    poll: Poll,
    stop: Arc<Waker>,
    listener: TcpListener,
    address: SocketAddr,
    connections: Slab<Exchange>,
    /// Whether connections may be queued. Events are edge-triggered, so this stays true until `accept` would block.
    ready: bool,
    resume: Option<Instant>,
    /// First descriptor number that is reserved for the services.
    services_from: RawFd,
}

/// A running HTTP endpoint. Dropping this value stops the endpoint.
#[derive(Debug)]
pub(crate) struct EndpointThread {
    pub address: SocketAddr,
    stop: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoint {
    /// Number of descriptors that must be free at the start: one for an HTTP client, and [`SERVICE_DESCRIPTORS`] for
    /// the services.
    pub(crate) const DESCRIPTORS: usize = SERVICE_DESCRIPTORS as usize + 1;

    /// Opens the listener. If the given port is 0, the kernel chooses a port; [`EndpointThread::address`] contains that
    /// port.
    pub(crate) fn bind(address: SocketAddr) -> Result<Self, ServeError> {
        let listen =
            Listen { backlog: 256, write_deadline: CONNECTION_DEADLINE, ..Listen::default() };
        let opened = listen.open_all(&[(Transport::Tcp, address)], NonZeroUsize::MIN)?;
        Self::new(opened.into_iter().flatten().next().ok_or(ListenError::Nowhere)?)
    }

    /// Creates an endpoint from a listener that a supervisor has opened.
    pub(crate) fn adopt(inherited: Inherited) -> Result<Self, ServeError> {
        let descriptor = descriptor(inherited.number, inherited.name.as_deref());
        let found = match open_inherited(inherited, CONNECTION_DEADLINE) {
            Ok((Kind::Listener, opened)) => return Self::new(opened),
            Ok((Kind::Datagrams, _)) => "a UDP socket".to_owned(),
            Ok((Kind::Connection, _)) => "a TCP connection".to_owned(),
            Err(ListenError::NotServable { found, .. }) => found,
            Err(error) => return Err(error.into()),
        };
        Err(ListenError::NotListening { descriptor, found }.into())
    }

    fn new(Opened { bound, socket }: Opened) -> Result<Self, ServeError> {
        let mut listener = TcpListener::from_std(socket.into());
        let mut register = || {
            let poll = Poll::new()?;
            poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
            let stop = Arc::new(Waker::new(poll.registry(), STOP)?);
            Ok((poll, stop))
        };
        let (poll, stop) = register().map_err(ServeError::Setup)?;
        let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
        let services_from =
            RawFd::try_from(limit).map_or(RawFd::MAX, |it| it - SERVICE_DESCRIPTORS);
        let connections = Slab::with_capacity(MAX_CONNECTIONS);
        let (address, ready, resume) = (bound.address, true, None);
        Ok(Self { poll, stop, listener, address, connections, ready, resume, services_from })
    }

    /// Starts to answer requests in a separate thread. Returns only after the thread has made all its start-up system
    /// calls, because a sandbox may forbid them later. If the thread fails, it logs the error and the services
    /// continue. `open` counts the open connections.
    pub(crate) fn start(
        self,
        page: RenderPage,
        open: Arc<AtomicUsize>,
    ) -> Result<EndpointThread, ServeError> {
        let (address, stop) = (self.address, Arc::clone(&self.stop));
        let (starting, started) = mpsc::channel();
        let run = move || {
            let _ = starting.send(());
            let exchange = |stream| Exchange::new(stream, Arc::clone(&page), Arc::clone(&open));
            if let Err(error) = run_loop(|| self.run(exchange)) {
                let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
                log::error!("metrics on {address} have stopped: {error}{cause}");
            }
        };
        let thread = thread::Builder::new().name("metrics".into()).spawn(run);
        let thread = Some(thread.map_err(ServeError::Setup)?);
        let _ = started.recv();
        Ok(EndpointThread { address, stop, thread })
    }

    fn run(mut self, exchange: impl Fn(TcpStream) -> Exchange) -> io::Result<()> {
        let mut events = Events::with_capacity(64);
        while self.wait(&mut events)? {
            let (now, allowed) = (Instant::now(), self.allowed());
            self.connections.retain(|_, connection| now < connection.accepted + allowed);
            self.accept(now, &exchange);
        }
        Ok(())
    }

    /// Sleeps until an event or a deadline, then continues the connections that were woken. Returns
    /// false after a request to stop.
    fn wait(&mut self, events: &mut Events) -> io::Result<bool> {
        let deadlines = self.connections.iter().map(|(_, it)| it.accepted + self.allowed());
        let until = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
        let timeout = deadlines.chain(self.resume).min().map(until);
        let unfinished = self.connections.iter().any(|(_, it)| it.wants_more());
        match self.poll.poll(events, if unfinished { Some(Duration::ZERO) } else { timeout }) {
            Err(error) if error.kind() == ErrorKind::Interrupted => events.clear(),
            polled => polled?,
        }
        for event in &*events {
            match event.token() {
                STOP => return Ok(false),
                LISTENER => self.ready = true,
                Token(token) => {
                    if let Some(connection) = self.connections.get(token - FIRST_CONNECTION) {
                        connection.wake();
                    }
                }
            }
        }
        self.connections.retain(|_, connection| connection.advance());
        Ok(true)
    }

    /// Returns the current maximum duration of a connection.
    fn allowed(&self) -> Duration {
        if self.connections.len() < MAX_CONNECTIONS {
            CONNECTION_DEADLINE
        } else {
            CROWDED_DEADLINE
        }
    }

    /// Accepts connections up to the limit, and answers each request that has already arrived.
    fn accept(&mut self, now: Instant, exchange: impl Fn(TcpStream) -> Exchange) {
        self.resume = self.resume.filter(|resume| *resume > now);
        while self.ready && self.resume.is_none() && self.connections.len() < MAX_CONNECTIONS {
            match self.listener.accept() {
                // The kernel assigns the lowest free descriptor, so a high number means that few descriptors are left.
                // Such a connection is closed at once.
                Ok((stream, _)) if stream.as_raw_fd() >= self.services_from => {}
                Ok((stream, _)) => self.add_connection(stream, &exchange),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.ready = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.resume = Some(now + ACCEPT_PAUSE),
            }
        }
    }

    fn add_connection(&mut self, mut stream: TcpStream, exchange: impl Fn(TcpStream) -> Exchange) {
        let entry = self.connections.vacant_entry();
        let token = Token(FIRST_CONNECTION + entry.key());
        let both = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(&mut stream, token, both).is_ok() {
            let mut exchange = exchange(stream);
            if exchange.advance() {
                entry.insert(exchange);
            }
        }
    }
}

impl Drop for EndpointThread {
    /// Stops the endpoint at once, even while clients are connected.
    fn drop(&mut self) {
        // Joins the thread only if it was woken. A thread that cannot be woken keeps running.
        if self.stop.wake().is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join(); // the thread catches its own panics
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mentions::mentions;
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpStream as Client};

    fn answering(page: RenderPage) -> (EndpointThread, Client) {
        let endpoint = Endpoint::bind((Ipv4Addr::LOCALHOST, 0).into()).expect("loopback");
        let address = endpoint.address;
        let running = endpoint.start(page, Arc::default()).expect("a thread");
        let mut client = Client::connect(address).expect("connected");
        client.set_read_timeout(Some(10 * CONNECTION_DEADLINE)).expect("set");
        client.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("sent");
        (running, client)
    }

    fn refusal(socket: impl Into<std::os::fd::OwnedFd>) -> String {
        let inherited =
            Inherited { socket: socket.into(), number: 7, name: Some("metrics".into()) };
        Endpoint::adopt(inherited).err().expect("no listener").to_string()
    }

    #[test]
    fn only_a_tcp_listener_is_adopted_and_an_error_describes_any_other_socket() {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
        let address = listener.local_addr().expect("bound");
        let client = Client::connect(address).expect("connected");
        let inherited = Inherited { socket: listener.into(), number: 7, name: None };
        let endpoint = Endpoint::adopt(inherited).expect("a listener");
        assert_eq!(endpoint.address, address);

        let refused = |message: String, what| {
            mentions(&message, &["descriptor 7", "metrics", what, "listening TCP socket"]);
        };
        refused(refusal(client), "TCP connection");
        drop(endpoint); // The endpoint kept the client connected until this drop.
        let udp = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
        refused(refusal(udp), "UDP socket");
        let stream = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        refused(refusal(stream.expect("a socket")), "neither listening nor connected");
    }

    /// Length of a page that does not fit into the socket buffers of both sides together.
    const LONG: usize = 32 << 20;

    #[test]
    fn a_page_larger_than_all_buffers_arrives_whole() {
        let (_running, mut client) = answering(Arc::new(|| "x".repeat(LONG)));
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).expect("a clean end");
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        assert_eq!(answer.len() - head - 4, LONG);
    }

    #[test]
    fn a_client_that_stops_reading_the_page_is_cut_at_the_deadline() {
        let (running, mut client) = answering(Arc::new(|| "x".repeat(LONG)));
        client.read_exact(&mut [0; 12]).expect("the beginning of the page");
        let silent = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
        silent.set_read_timeout(Some(CONNECTION_DEADLINE + Duration::from_secs(1))).expect("set");
        silent.recv(&mut [0]).expect_err("no peer sends to this socket");
        let mut rest = Vec::new();
        let read = client.read_to_end(&mut rest); // A reset may end the stream, so the result is ignored.
        assert!(rest.len() < LONG, "the whole page: {read:?}");
        drop(running);
    }

    #[test]
    fn a_panic_in_the_thread_only_closes_the_endpoint() {
        let (running, client) = answering(Arc::new(|| unreachable!("on purpose")));
        let endpoint = client.peer_addr().expect("connected");
        let (asked, patience) = (Instant::now(), 5 * CONNECTION_DEADLINE);
        let refused = || {
            let connected = Client::connect_timeout(&endpoint, patience);
            connected.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
        };
        while !refused() {
            assert!(asked.elapsed() < patience, "it still listens");
        }
        drop(running);
    }
}
