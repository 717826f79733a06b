//! The stream service: accepts, sends the line with the FIN, drains.

mod adopted;

use super::connection::{Connection, Fate, failed};
use crate::limit::{Limits, Source};
use crate::metrics::{Event as Counted, Metrics};
use crate::responder::Responder;
use crate::transport::IpVersion;
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use slab::Slab;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long, and for how many octets, a TCP connection is kept after its reply, so that a client that
/// talks gets a clean end of stream and not a reset (RFC 1122, 4.2.2.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// The client has this long to read the line and close, from the moment it was accepted.
    pub deadline: Duration,
    /// It may send this many octets meanwhile, all thrown away.
    pub octets: u64,
}

impl Default for Drain {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(5), octets: 16 << 20 }
    }
}

/// Connections accepted per listener and round, so that datagrams and old connections get a turn.
const BATCH: usize = 64;
/// A year: a longer deadline is as good as this, and its end may be no instant at all.
const LONGEST_DEADLINE: Duration = Duration::from_hours(365 * 24);
/// Sources that the table has room for from the start; more take memory when they come.
const MOST_SOURCES: u32 = 1 << 16;
/// How long a listener rests when `accept` fails for a reason that waiting may cure.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// All TCP listeners of a worker and their connections.
#[derive(Debug)]
pub(crate) struct Service {
    listeners: Vec<Listener>,
    connections: Slab<Connection>,
    /// In the order of their deadlines, since all have the same time. Entries outlive their
    /// connections; the serial tells.
    deadlines: VecDeque<(Instant, usize, u64)>,
    /// Connections with more to read than one turn takes. A key may be another connection's by the time
    /// it comes up again: reading that once more does no harm.
    unread: Vec<usize>,
    /// How many connections each limited source has. All of them together are `limited`.
    sources: HashMap<Source, u32>,
    limited: u32,
    limits: Limits,
    drain: Drain,
    first_token: usize,
    /// The tokens of connections begin here, those of listeners end.
    first_connection: usize,
    serial: u64,
    sink: Box<[u8]>,
}

#[derive(Debug)]
struct Listener {
    socket: TcpListener,
    version: IpVersion,
    /// Events come on the edge only: this stays true until `accept` would block.
    ready: bool,
    resume: Option<Instant>,
}

impl Service {
    /// Registers the listeners as tokens from `first_token` on, and the connections above them.
    pub(crate) fn new(
        sockets: Vec<TcpListener>,
        drain: Drain,
        limits: Limits,
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
        Ok(Self {
            first_connection: first_token + listeners.len(),
            listeners,
            connections: Slab::new(),
            deadlines: VecDeque::new(),
            unread: Vec::new(),
            sources: HashMap::with_capacity(limits.tcp_total.min(MOST_SOURCES) as usize),
            limited: 0,
            limits,
            drain,
            first_token,
            serial: 0,
            sink: vec![0; 1 << 16].into_boxed_slice(),
        })
    }

    /// Notes that a listener is ready, or goes on with a connection.
    pub(crate) fn event(&mut self, event: &Event, metrics: &Metrics) {
        let Token(token) = event.token();
        if let Some(key) = token.checked_sub(self.first_connection) {
            self.advance(key, metrics);
        } else if let Some(listener) = self.listeners.get_mut(token - self.first_token) {
            listener.ready = true;
        }
    }

    /// Accepts and answers; true if connections are left waiting.
    pub(crate) fn work(
        &mut self,
        responder: &mut Responder,
        registry: &Registry,
        now: Instant,
        metrics: &Metrics,
    ) -> bool {
        for key in mem::take(&mut self.unread) {
            if let Some(connection) = self.connections.get_mut(key) {
                connection.unread = false;
            }
            self.advance(key, metrics);
        }
        for index in 0..self.listeners.len() {
            for _ in 0..BATCH {
                let listener = &mut self.listeners[index];
                if listener.resume.is_some_and(|resume| resume <= now) {
                    listener.resume = None;
                }
                if !listener.ready || listener.resume.is_some() {
                    break;
                }
                let accepted = listener.socket.accept();
                match accepted {
                    Ok((stream, peer)) => {
                        self.answer(stream, peer, responder, registry, now, metrics);
                    }
                    Err(error) => self.accept_failed(index, &error, now, metrics),
                }
            }
        }
        let waiting = |listener: &Listener| listener.ready && listener.resume.is_none();
        !self.unread.is_empty() || self.listeners.iter().any(waiting)
    }

    /// Gives up the connections whose time is over.
    pub(crate) fn expire(&mut self, now: Instant, metrics: &Metrics) {
        while let Some(&(deadline, key, serial)) = self.deadlines.front() {
            let alive = is_alive(&self.connections, key, serial);
            if alive && deadline > now {
                break;
            }
            self.deadlines.pop_front();
            if alive {
                self.end(key, Counted::TcpDrainDeadline, metrics);
            }
        }
    }

    /// When there is something to do without an event.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let drain = self.deadlines.front().map(|&(deadline, ..)| deadline);
        let resume = self.listeners.iter().filter_map(|listener| listener.resume).min();
        drain.into_iter().chain(resume).min()
    }

    /// Answers those that wait in the backlog and accepts no more. The connections there are have
    /// until `deadline` to close.
    pub(crate) fn stop(
        &mut self,
        responder: &mut Responder,
        registry: &Registry,
        deadline: Instant,
        metrics: &Metrics,
    ) {
        for listener in &mut self.listeners {
            listener.ready = true; // the event may not have been seen yet
            listener.resume = None;
        }
        // Bounded by the longest backlog: clients that keep coming must not keep us here.
        for _ in 0..usize::from(u16::MAX) / BATCH {
            let now = Instant::now();
            if now >= deadline || !self.work(responder, registry, now, metrics) {
                break;
            }
        }
        self.listeners.clear();
        for entry in &mut self.deadlines {
            entry.0 = entry.0.min(deadline);
        }
    }

    /// True if no connection is left.
    pub(crate) fn is_idle(&self) -> bool {
        self.connections.is_empty()
    }

    fn answer(
        &mut self,
        stream: TcpStream,
        peer: SocketAddr,
        responder: &mut Responder,
        registry: &Registry,
        now: Instant,
        metrics: &Metrics,
    ) {
        let version = IpVersion::of(peer.ip());
        metrics.add(Counted::TcpAccepted, version);
        let Some(reply) = responder.reply() else {
            metrics.add(Counted::TcpNoTime, version);
            return; // closed without a word, as RFC 868 has it for an unknown time
        };
        self.serial += 1;
        let mut connection = Connection {
            stream,
            serial: self.serial,
            unsent: None,
            octets_left: self.drain.octets,
            unread: false,
            version,
            source: self.limits.source(peer),
        };
        if let Err(error) = connection.send(reply, 0, metrics) {
            metrics.add(failed(&error), version);
            return;
        }
        if let Some(limit) = self.beyond_limit(connection.source) {
            connection.look_once(&mut self.sink);
            metrics.add(limit, version);
            return;
        }
        self.keep(connection, registry, now, metrics);
    }

    /// The limit that one more connection of this source would break.
    ///
    /// Above it the newest is closed at once, its reply sent: a reply costs next to nothing, what costs is
    /// keeping the connection for the drain. So a burst locks nobody out, not even the source of it. (In the
    /// backlog it would keep everybody waiting behind it.)
    fn beyond_limit(&self, source: Option<Source>) -> Option<Counted> {
        let open = self.sources.get(&source?).copied().unwrap_or(0);
        if open >= self.limits.tcp_per_source {
            Some(Counted::TcpSourceLimit)
        } else if self.limited >= self.limits.tcp_total {
            Some(Counted::TcpTotalLimit)
        } else {
            None
        }
    }

    /// Waits for the rest of the exchange.
    fn keep(
        &mut self,
        mut connection: Connection,
        registry: &Registry,
        now: Instant,
        metrics: &Metrics,
    ) {
        let entry = self.connections.vacant_entry();
        let token = Token(self.first_connection + entry.key());
        let interest = match connection.unsent {
            Some(_) => Interest::READABLE | Interest::WRITABLE,
            None => Interest::READABLE,
        };
        if registry.register(&mut connection.stream, token, interest).is_err() {
            metrics.add(Counted::TcpFailed, connection.version);
            return;
        }
        let deadline = now + self.drain.deadline.min(LONGEST_DEADLINE);
        self.deadlines.push_back((deadline, entry.key(), connection.serial));
        if let Some(source) = connection.source {
            *self.sources.entry(source).or_default() += 1;
            self.limited += 1;
        }
        metrics.opened(connection.version);
        entry.insert(connection);
        self.forget_closed();
    }

    /// Closes a connection and counts how it ended.
    fn end(&mut self, key: usize, how: Counted, metrics: &Metrics) {
        let Connection { version, source, .. } = self.connections.remove(key);
        metrics.add(how, version);
        metrics.closed(version);
        let Some(source) = source else { return };
        self.limited = self.limited.saturating_sub(1);
        if let Some(open) = self.sources.get_mut(&source) {
            *open -= 1;
            if *open == 0 {
                self.sources.remove(&source);
            }
        }
    }

    /// Keeps the queue of deadlines no longer than the connections warrant. Each pass drops more than half
    /// of what it looks at, so it costs each connection a constant time.
    fn forget_closed(&mut self) {
        if self.deadlines.len() > 2 * self.connections.len() + 64 {
            let connections = &self.connections;
            self.deadlines.retain(|&(_, key, serial)| is_alive(connections, key, serial));
        }
    }

    fn advance(&mut self, key: usize, metrics: &Metrics) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        match connection.advance(&mut self.sink, metrics) {
            Fate::Keep => {}
            Fate::KeepReading => {
                if !mem::replace(&mut connection.unread, true) {
                    self.unread.push(key);
                }
            }
            Fate::Over(how) => self.end(key, how, metrics),
        }
    }

    fn accept_failed(&mut self, index: usize, error: &io::Error, now: Instant, metrics: &Metrics) {
        let version = self.listeners[index].version;
        let failure = match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
            Errno::EAGAIN => {
                self.listeners[index].ready = false;
                return;
            }
            Errno::EINTR => return,
            // That connection is gone, the next may be good: accept(2), "Error handling".
            Errno::ECONNABORTED
            | Errno::EPROTO
            | Errno::ENOPROTOOPT
            | Errno::ENETDOWN
            | Errno::ENETUNREACH
            | Errno::EHOSTDOWN
            | Errno::EHOSTUNREACH
            | Errno::EOPNOTSUPP => return metrics.add(Counted::TcpAborted, version),
            Errno::EMFILE | Errno::ENFILE if self.make_room(metrics) => return,
            Errno::EMFILE | Errno::ENFILE => Counted::TcpNoDescriptor,
            Errno::ENOBUFS | Errno::ENOMEM => Counted::TcpNoMemory,
            _ => Counted::TcpAcceptFailed,
        };
        metrics.add(failure, version);
        self.listeners[index].resume = Some(now + ACCEPT_PAUSE);
    }

    /// Gives up the connection that has had its line the longest; false if there is none.
    fn make_room(&mut self, metrics: &Metrics) -> bool {
        while let Some((_, key, serial)) = self.deadlines.pop_front() {
            if is_alive(&self.connections, key, serial) {
                self.end(key, Counted::TcpMadeRoom, metrics);
                return true;
            }
        }
        false
    }
}

/// True if the connection that had this key and serial is still there.
fn is_alive(connections: &Slab<Connection>, key: usize, serial: u64) -> bool {
    connections.get(key).is_some_and(|connection| connection.serial == serial)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::syntax::{Syntax, Zone};
    use mio::{Events, Poll};
    use std::io::Write;
    use std::net::Shutdown;

    #[test]
    fn what_one_turn_leaves_unread_is_read_without_another_event() {
        let mut poll = Poll::new().expect("poll");
        let socket = TcpListener::bind(([127, 0, 0, 1], 0).into()).expect("loopback");
        let mut client =
            std::net::TcpStream::connect(socket.local_addr().expect("bound")).expect("connected");
        client.write_all(&[b'.'; 100]).expect("sent");
        client.shutdown(Shutdown::Write).expect("half closed");
        let registry = poll.registry().try_clone().expect("registry");
        let mut service =
            Service::new(vec![socket], Drain::default(), Limits::default(), &registry, 1)
                .expect("set up");
        service.sink = vec![0; 1].into_boxed_slice(); // so that 100 octets take seven turns
        let mut responder = Responder::new(Clock::System, Syntax::default(), Zone::UTC, false);
        let metrics = Metrics::default();
        let mut work = |service: &mut Service| {
            service.work(&mut responder, &registry, Instant::now(), &metrics)
        };
        work(&mut service);
        let mut events = Events::with_capacity(8);
        while service.unread.is_empty() {
            poll.poll(&mut events, Some(Duration::from_secs(20))).expect("an event");
            assert!(!events.is_empty(), "no event for what was sent");
            events.iter().for_each(|event| service.event(event, &metrics));
        }
        let mut turns = 1;
        while !service.is_idle() {
            let more = work(&mut service);
            turns += 1;
            assert!(more || service.is_idle(), "it waits for an event after {turns} turns");
        }
        assert_eq!((turns, metrics.count(Counted::TcpClosedByPeer)), (7, 1));
    }

    #[test]
    fn a_failure_to_accept_is_counted_by_kind_and_only_a_lasting_one_makes_it_pause() {
        let poll = Poll::new().expect("poll");
        let socket = TcpListener::bind(([127, 0, 0, 1], 0).into()).expect("loopback");
        let (drain, limits) = (Drain::default(), Limits::default());
        let mut service =
            Service::new(vec![socket], drain, limits, poll.registry(), 1).expect("set up");
        let now = Instant::now();
        for (errno, counted, pauses) in [
            (Errno::ECONNABORTED, Some(Counted::TcpAborted), false),
            (Errno::EPROTO, Some(Counted::TcpAborted), false),
            (Errno::ENETDOWN, Some(Counted::TcpAborted), false),
            (Errno::EINTR, None, false),
            (Errno::EMFILE, Some(Counted::TcpNoDescriptor), true),
            (Errno::ENFILE, Some(Counted::TcpNoDescriptor), true),
            (Errno::ENOBUFS, Some(Counted::TcpNoMemory), true),
            (Errno::ENOMEM, Some(Counted::TcpNoMemory), true),
            (Errno::EINVAL, Some(Counted::TcpAcceptFailed), true),
        ] {
            let metrics = Metrics::default();
            service.accept_failed(0, &io::Error::from(errno), now, &metrics);
            let seen: Vec<_> =
                Counted::ALL.into_iter().filter(|event| metrics.count(*event) > 0).collect();
            assert_eq!(seen, counted.into_iter().collect::<Vec<_>>(), "{errno}");
            let listener = &mut service.listeners[0];
            assert_eq!(
                (listener.ready, listener.resume.take().is_some()),
                (true, pauses),
                "{errno}"
            );
        }
    }
}
