//! Opens, awaits and closes the sockets of one question, and records each system call.

use crate::sys;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// Waits until sockets are ready. One poller serves many questions, so no question opens a poller.
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

/// The sockets of one question, and the limits of the question.
pub(crate) struct Question<'a> {
    /// Moment when the question ends without an answer.
    pub deadline: Instant,
    /// The timeout of the question, which error messages name.
    pub timeout: Duration,
    /// Time that the client paused before the question because of its pace.
    pub waited: Duration,
    /// Maximum length of the reply in octets.
    pub limit: usize,
    pub poller: &'a mut Poller,
    pub calls: Calls,
    /// The addresses passed to `connect`, with or without success.
    pub peers: Vec<SocketAddr>,
}

/// The system calls of a question, in order, named as in the manual pages.
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

    /// Opens a socket and starts to connect it. The connection may still be in progress on return.
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

    /// Adds a socket to the set of sockets that [`Sockets::wait`] awaits.
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
    /// Calls `ask` with a question that has this timeout.
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
