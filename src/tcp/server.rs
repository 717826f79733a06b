//! TCP service: accepts connections, sends the reply together with the FIN, and drains the connections.

pub use super::connection::Drain;
use super::connection::{Connection, failure_event};
use super::draining::Draining;
use crate::limit::ConnectionLimit;
use crate::metrics::{Counters, Event};
use crate::responder::Responder;
use crate::transport::IpVersion;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Maximum number of connections accepted per listener and round of the event loop. The limit lets the worker handle
/// datagrams and older connections in between.
const MAX_ACCEPTED: usize = 64;
/// Maximum number of poll(2) calls per listener and round of the event loop. After each of the first connections in a
/// round, poll(2) checks whether another connection is queued. This check avoids a failing `accept(2)`, which is
/// expensive: Linux allocates the file first.
const MAX_POLLED_ACCEPTS: usize = 8;
/// Time for which a listener pauses after `accept` has failed for a reason that may be temporary.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A worker's TCP listeners and their connections.
#[derive(Debug)]
pub(crate) struct Service {
    listeners: Vec<Listener>,
    draining: Draining,
    counters: Arc<Counters>,
    first_token: usize,
    /// Whether descriptors have run out while this worker had no connection that it could close.
    lacks_room: bool,
}

#[derive(Debug)]
struct Listener {
    socket: TcpListener,
    version: IpVersion,
    /// Whether connections may be queued. Events are edge-triggered, so this stays true until `accept` would block.
    ready: bool,
    resume: Option<Instant>,
}

impl Listener {
    /// Clears `ready` if no connection is queued.
    fn poll_for_more(&mut self) {
        let waits = PollFd::new(self.socket.as_fd(), PollFlags::POLLIN);
        // If poll(2) fails, `ready` is unchanged and accept(2) shows the state.
        self.ready &= poll(&mut [waits], PollTimeout::ZERO) != Ok(0);
    }
}

/// Values that one round of the event loop passes to the service.
#[derive(Debug)]
pub(crate) struct Round<'a> {
    pub responder: &'a mut Responder,
    pub registry: &'a Registry,
    pub now: Instant,
}

impl Service {
    /// Registers the listeners with consecutive tokens, beginning with `first_token`. The connections' tokens follow
    /// the listeners' tokens.
    pub(crate) fn new(
        sockets: Vec<TcpListener>,
        drain: Drain,
        connection_limit: Arc<ConnectionLimit>,
        counters: Arc<Counters>,
        registry: &Registry,
        first_token: usize,
    ) -> io::Result<Self> {
        let mut listeners = Vec::with_capacity(sockets.len());
        for mut socket in sockets {
            let token = Token(first_token + listeners.len());
            registry.register(&mut socket, token, Interest::READABLE)?;
            let version = IpVersion::of(socket.local_addr()?.ip());
            listeners.push(Listener { socket, version, ready: true, resume: None });
        }
        let first_connection = first_token + listeners.len();
        let draining =
            Draining::new(drain, first_connection, connection_limit, Arc::clone(&counters));
        Ok(Self { listeners, draining, counters, first_token, lacks_room: false })
    }

    /// Handles an event: marks a listener as ready, or continues a connection.
    pub(crate) fn note_ready(&mut self, token: Token) {
        let listener = token.0.checked_sub(self.first_token);
        match listener.and_then(|place| self.listeners.get_mut(place)) {
            Some(listener) => listener.ready = true,
            None => self.draining.note_ready(token),
        }
    }

    /// Accepts and answers connections. Returns true if more connections may be queued.
    pub(crate) fn work(&mut self, round: &mut Round) -> bool {
        let left = self.draining.work(round.registry, round.now);
        for index in 0..self.listeners.len() {
            for taken in 0..MAX_ACCEPTED {
                let listener = &mut self.listeners[index];
                if listener.resume.is_some_and(|resume| resume <= round.now) {
                    listener.resume = None;
                }
                if (1..=MAX_POLLED_ACCEPTS).contains(&taken) {
                    listener.poll_for_more();
                }
                if !listener.ready || listener.resume.is_some() {
                    break;
                }
                let accepted = listener.socket.accept();
                match accepted {
                    Ok((stream, peer)) => self.answer(stream, peer, round),
                    Err(error) => self.accept_failed(index, &error, round.now),
                }
            }
        }
        let waiting = |listener: &Listener| listener.ready && listener.resume.is_none();
        left || self.listeners.iter().any(waiting)
    }

    /// Returns the time at which [`work`](Self::work) must run next even if no event occurs.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let resume = self.listeners.iter().filter_map(|listener| listener.resume).min();
        self.draining.next_deadline().into_iter().chain(resume).min()
    }

    /// Answers the connections in the backlog, then accepts no more. All open connections end no later than `deadline`.
    pub(crate) fn stop(&mut self, round: &mut Round, deadline: Instant) {
        for listener in &mut self.listeners {
            listener.ready = true; // The readiness event for a queued connection may not have been handled yet.
            listener.resume = None;
        }
        // The longest possible backlog limits this loop, so clients that keep connecting cannot delay the end.
        for _ in 0..usize::from(u16::MAX) / MAX_ACCEPTED {
            round.now = Instant::now();
            if round.now >= deadline || !self.work(round) {
                break;
            }
        }
        self.listeners.clear();
        self.draining.end_by(deadline);
    }

    /// Whether the service has at least one listener. Inherited connections do not count.
    pub(crate) fn accepts(&self) -> bool {
        !self.listeners.is_empty()
    }

    /// Whether no connection is open.
    pub(crate) fn is_idle(&self) -> bool {
        self.draining.is_empty()
    }

    /// Whether descriptors ran out while this worker had no connection that it could close. Returns true once per
    /// occurrence.
    pub(crate) fn lacks_room(&mut self) -> bool {
        mem::take(&mut self.lacks_room)
    }

    /// Closes one connection, if one is open, to free a descriptor for another worker.
    pub(crate) fn make_room(&mut self, now: Instant) {
        self.draining.make_room(now);
    }

    /// Answers a connection. Keeps the connection until it ends, unless a limit forbids that.
    pub(crate) fn answer(&mut self, stream: TcpStream, peer: SocketAddr, round: &mut Round) {
        self.counters.add_of(Event::TcpAccepted, peer);
        let Some(reply) = round.responder.reply(round.now) else {
            self.counters.add_of(Event::TcpNoTime, peer);
            return; // Without a valid time, the server closes the connection without a reply, as RFC 868 recommends.
        };
        let mut connection = Connection::new(stream, peer);
        if let Err(error) = connection.send(reply, 0, &self.counters) {
            self.counters.add_of(failure_event(&error), peer);
            return;
        }
        match self.draining.admit(&mut connection, round.now) {
            Ok(room) => self.draining.add(connection, room, round.registry, round.now),
            Err(reason) => self.counters.add_of(reason, peer),
        }
    }

    fn accept_failed(&mut self, index: usize, error: &io::Error, now: Instant) {
        let version = self.listeners[index].version;
        let failure = match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
            Errno::EAGAIN => {
                self.listeners[index].ready = false;
                return;
            }
            Errno::EINTR => return,
            // Only this connection has failed, so the next accept may succeed (accept(2), "Error handling").
            Errno::ECONNABORTED
            | Errno::EPROTO
            | Errno::ENOPROTOOPT
            | Errno::ENETDOWN
            | Errno::ENETUNREACH
            | Errno::EHOSTDOWN
            | Errno::EHOSTUNREACH
            | Errno::EOPNOTSUPP => return self.counters.add(Event::TcpAborted, version),
            Errno::EMFILE | Errno::ENFILE if self.draining.make_room(now) => return,
            Errno::EMFILE | Errno::ENFILE => Event::TcpNoDescriptor,
            Errno::ENOBUFS | Errno::ENOMEM => Event::TcpNoMemory,
            _ => Event::TcpAcceptFailed,
        };
        self.lacks_room |= failure == Event::TcpNoDescriptor;
        self.counters.add_failure(failure, version, None, error);
        self.listeners[index].resume = Some(now + ACCEPT_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Limits;
    use crate::metrics::Metrics;
    use mio::Poll;

    #[test]
    fn an_accept_error_is_counted_by_kind_and_only_a_lasting_one_causes_a_pause() {
        let poll = Poll::new().expect("poll");
        let now = Instant::now();
        for (errno, counted, pauses) in [
            (Errno::ECONNABORTED, Some(Event::TcpAborted), false),
            (Errno::EPROTO, Some(Event::TcpAborted), false),
            (Errno::ENETDOWN, Some(Event::TcpAborted), false),
            (Errno::EINTR, None, false),
            (Errno::EMFILE, Some(Event::TcpNoDescriptor), true),
            (Errno::ENFILE, Some(Event::TcpNoDescriptor), true),
            (Errno::ENOBUFS, Some(Event::TcpNoMemory), true),
            (Errno::ENOMEM, Some(Event::TcpNoMemory), true),
            (Errno::EINVAL, Some(Event::TcpAcceptFailed), true),
        ] {
            let metrics = Metrics::default();
            let socket = TcpListener::bind(([127, 0, 0, 1], 0).into()).expect("loopback");
            let connection_limit = Arc::new(ConnectionLimit::new(Limits::default(), 1));
            let counters = metrics.worker(0);
            let drain = Drain::default();
            let mut service =
                Service::new(vec![socket], drain, connection_limit, counters, poll.registry(), 1)
                    .expect("set up");
            service.accept_failed(0, &io::Error::from(errno), now);
            let seen: Vec<_> =
                Event::ALL.iter().copied().filter(|event| metrics.count(*event) > 0).collect();
            assert_eq!(seen, counted.into_iter().collect::<Vec<_>>(), "{errno}");
            let listener = &mut service.listeners[0];
            assert_eq!(
                (listener.ready, listener.resume.take().is_some()),
                (true, pauses),
                "{errno}"
            );
        }
    }

    #[test]
    fn a_listener_is_ready_for_as_long_as_connections_wait() {
        let socket = TcpListener::bind(([127, 0, 0, 1], 0).into()).expect("loopback");
        let address = socket.local_addr().expect("bound");
        let mut listener = Listener { socket, version: IpVersion::V4, ready: true, resume: None };
        let _clients = [(); 2].map(|()| std::net::TcpStream::connect(address).expect("connected"));
        for left in [true, true, false] {
            listener.poll_for_more();
            assert_eq!(listener.ready, left);
            assert_eq!(listener.socket.accept().is_ok(), left);
        }
    }
}
