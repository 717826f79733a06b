//! The client's system calls, counted where they are made, and its waiting: readiness with a
//! deadline.

use crate::sys;
use mio::event::Source;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::time::Instant;

/// Waits on sockets of one client; kept for many exchanges, so that an exchange does not pay for it.
#[derive(Debug)]
pub(crate) struct Waiter {
    poll: Poll,
    events: Events,
}

impl Waiter {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { poll: Poll::new()?, events: Events::with_capacity(64) })
    }

    /// Adds a socket to those waited for.
    pub(crate) fn watch(
        &mut self,
        socket: &mut impl Source,
        token: usize,
        interest: Interest,
        calls: &mut Calls,
    ) -> io::Result<()> {
        calls.add(sys::WATCH_CALL);
        self.poll.registry().register(socket, Token(token), interest)
    }

    /// The tokens of sockets that are ready; none when `until` has come first.
    pub(crate) fn wait(&mut self, until: Instant, calls: &mut Calls) -> io::Result<Vec<usize>> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            calls.add(sys::WAIT_CALL);
            match self.poll.poll(&mut self.events, Some(left)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        Ok(self.events.iter().map(|event| event.token().0).collect())
    }
}

/// Looks at the socket of an exchange once the whole reply is there, before it is closed.
pub(crate) type Observer<'a> = dyn FnMut(BorrowedFd<'_>) + 'a;

/// The system calls an exchange made, in order, by the names of the manual pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    names: Vec<&'static str>,
    peers: Vec<SocketAddr>,
}

impl Calls {
    /// Each call's name, in the order they were made.
    #[must_use]
    pub fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// The addresses that were to be connected to, whatever came of it.
    pub(crate) fn peers(&self) -> &[SocketAddr] {
        &self.peers
    }

    pub(crate) fn add(&mut self, name: &'static str) {
        self.names.push(name);
    }

    /// Opens a socket for this address.
    pub(crate) fn open(&mut self, peer: SocketAddr, kind: Type) -> io::Result<Socket> {
        self.names.extend(sys::OPEN_CALLS);
        sys::open(Domain::for_address(peer), kind)
    }

    /// Starts to connect a socket; it may be under way when this returns.
    pub(crate) fn connect(&mut self, socket: &Socket, peer: SocketAddr) -> io::Result<()> {
        self.add("connect");
        self.peers.push(peer);
        let in_progress = Some(nix::errno::Errno::EINPROGRESS as i32);
        match socket.connect(&peer.into()) {
            Err(error) if error.raw_os_error() == in_progress => Ok(()),
            connected => connected,
        }
    }

    /// Closes a socket.
    pub(crate) fn close<T>(&mut self, socket: T) {
        self.add("close");
        drop(socket);
    }
}
