//! Opens the sockets of one query, waits for them and closes them. Records each system call.

use crate::sys;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// Waits until sockets are ready. Many queries share one poller, so a query need not open its
/// own.
#[derive(Debug)]
pub(crate) struct Poller {
    poll: Poll,
    events: Events,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { poll: Poll::new()?, events: Events::with_capacity(64) })
    }
}

/// One query: its sockets, its limits, and the record of its system calls.
pub(crate) struct Question<'a> {
    /// Time at which the client gives up on the query.
    pub deadline: Instant,
    /// The timeout of the query, for error messages.
    pub timeout: Duration,
    /// Time that the client paused before the query because of the option `pace`.
    pub waited: Duration,
    /// Maximum length of the reply in octets.
    pub limit: usize,
    pub poller: &'a mut Poller,
    pub calls: Calls,
    /// The addresses passed to `connect`, whether or not it succeeded.
    pub peers: Vec<SocketAddr>,
}

/// The system calls that a query made, in order, with their names from the manual pages.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Calls {
    names: Vec<&'static str>,
}

impl Calls {
    /// Returns the names of the calls, in order.
    #[must_use]
    pub fn names(&self) -> &[&'static str] {
        &self.names
    }
}

impl Question<'_> {
    /// Records a system call that the caller has made.
    pub(crate) fn record(&mut self, call: &'static str) {
        self.calls.names.push(call);
    }

    /// Opens a socket and starts to connect it. When this function returns, the connection may
    /// still be in progress.
    pub(crate) fn connect(&mut self, peer: SocketAddr, kind: Type) -> io::Result<Socket> {
        self.calls.names.extend(sys::OPEN_CALLS);
        let socket = sys::open(Domain::for_address(peer), kind)?;
        self.record("connect");
        self.peers.push(peer);
        let in_progress = Some(nix::errno::Errno::EINPROGRESS as i32);
        match socket.connect(&peer.into()) {
            Err(error) if error.raw_os_error() != in_progress => {
                self.close(socket);
                Err(error)
            }
            _ => Ok(socket),
        }
    }

    /// Adds a socket to those that [`Question::wait`] waits for.
    pub(crate) fn watch(
        &mut self,
        socket: &impl AsRawFd,
        token: usize,
        interest: Interest,
    ) -> io::Result<()> {
        self.record(sys::WATCH_CALL);
        let descriptor = socket.as_raw_fd();
        self.poller.poll.registry().register(&mut SourceFd(&descriptor), Token(token), interest)
    }

    /// Returns the tokens of the sockets that are ready. Returns an empty list if none is ready by
    /// `until`.
    pub(crate) fn wait(&mut self, until: Instant) -> io::Result<Vec<usize>> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            self.record(sys::WAIT_CALL);
            match self.poller.poll.poll(&mut self.poller.events, Some(left)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        Ok(self.poller.events.iter().map(|event| event.token().0).collect())
    }

    /// Closes a socket and records the call.
    pub(crate) fn close<T>(&mut self, socket: T) {
        self.record("close");
        drop(socket);
    }
}

#[cfg(test)]
impl Question<'_> {
    /// Calls `ask` with a [`Question`] that has this timeout.
    pub(crate) fn for_test<T>(timeout: Duration, ask: impl FnOnce(&mut Question) -> T) -> T {
        ask(&mut Question {
            deadline: Instant::now() + timeout,
            timeout,
            waited: Duration::ZERO,
            limit: 4096,
            poller: &mut Poller::new().expect("poller"),
            calls: Calls::default(),
            peers: Vec::new(),
        })
    }
}
