//! The stream service: accepts, sends the line with the FIN, drains.

mod adopted;

use crate::metrics::Metrics;
use crate::reply::Reply;
use crate::responder::Responder;
use crate::sys;
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use slab::Slab;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};
use std::mem;
use std::net::Shutdown;
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
/// Reads of one connection and round, for the same reason.
const READS: usize = 16;
/// A year: a longer deadline is as good as this, and its end may be no instant at all.
const LONGEST_DEADLINE: Duration = Duration::from_hours(365 * 24);
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
    /// Events come on the edge only: this stays true until `accept` would block.
    ready: bool,
    resume: Option<Instant>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    serial: u64,
    /// What is left of the reply, where the send buffer could not take all of it.
    unsent: Option<(Reply, usize)>,
    octets_left: u64,
}

/// Whether a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Keep,
    /// There is more to read than one turn takes.
    KeepReading,
    /// The peer has closed.
    Closed,
    /// More input than the limit.
    TooMuch,
    Failed,
}

impl Service {
    /// Registers the listeners as tokens from `first_token` on, and the connections above them.
    pub(crate) fn new(
        sockets: Vec<TcpListener>,
        drain: Drain,
        registry: &Registry,
        first_token: usize,
    ) -> io::Result<Self> {
        let mut listeners = Vec::with_capacity(sockets.len());
        for mut socket in sockets {
            let token = Token(first_token + listeners.len());
            registry.register(&mut socket, token, Interest::READABLE)?;
            listeners.push(Listener { socket, ready: true, resume: None });
        }
        Ok(Self {
            first_connection: first_token + listeners.len(),
            listeners,
            connections: Slab::new(),
            deadlines: VecDeque::new(),
            unread: Vec::new(),
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
                    Ok((stream, _)) => self.answer(stream, responder, registry, now, metrics),
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
                self.connections.remove(key);
                metrics.tcp_deadline.add_one();
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
        responder: &mut Responder,
        registry: &Registry,
        now: Instant,
        metrics: &Metrics,
    ) {
        metrics.tcp_accepted.add_one();
        let Some(reply) = responder.reply() else {
            metrics.no_time.add_one();
            return; // closed without a word, as RFC 868 has it for an unknown time
        };
        self.serial += 1;
        let mut connection = Connection {
            stream,
            serial: self.serial,
            unsent: None,
            octets_left: self.drain.octets,
        };
        if connection.send(reply, 0, metrics).is_err() {
            metrics.tcp_failed.add_one();
            return;
        }
        self.keep(connection, registry, now, metrics);
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
            metrics.tcp_failed.add_one();
            return;
        }
        let deadline = now + self.drain.deadline.min(LONGEST_DEADLINE);
        self.deadlines.push_back((deadline, entry.key(), connection.serial));
        entry.insert(connection);
        self.forget_closed();
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
        let ended = match connection.advance(&mut self.sink, metrics) {
            Fate::Keep => return,
            Fate::KeepReading => {
                if !self.unread.contains(&key) {
                    self.unread.push(key);
                }
                return;
            }
            Fate::Closed => &metrics.tcp_closed_by_peer,
            Fate::TooMuch => &metrics.tcp_octet_limit,
            Fate::Failed => &metrics.tcp_failed,
        };
        ended.add_one();
        self.connections.remove(key);
    }

    fn accept_failed(&mut self, index: usize, error: &io::Error, now: Instant, metrics: &Metrics) {
        let no_descriptor = [Errno::EMFILE, Errno::ENFILE]
            .map(|errno| Some(errno as i32))
            .contains(&error.raw_os_error());
        match error.kind() {
            ErrorKind::WouldBlock => self.listeners[index].ready = false,
            // That connection is gone, the next may be good (accept(2)).
            ErrorKind::ConnectionAborted | ErrorKind::Interrupted => {}
            _ if no_descriptor && self.evict_oldest() => metrics.tcp_evicted.add_one(),
            _ => {
                if metrics.tcp_accept_failed.count() == 0 {
                    log::warn!(
                        "cannot accept connections: {error}; told once, counted from now on"
                    );
                }
                metrics.tcp_accept_failed.add_one();
                self.listeners[index].resume = Some(now + ACCEPT_PAUSE);
            }
        }
    }

    /// Gives up the connection that has had its line the longest; false if there is none.
    fn evict_oldest(&mut self) -> bool {
        while let Some((_, key, serial)) = self.deadlines.pop_front() {
            if is_alive(&self.connections, key, serial) {
                self.connections.remove(key);
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

impl Connection {
    /// Sends the reply from an octet on and closes our direction behind it.
    fn send(&mut self, reply: &Reply, from: usize, metrics: &Metrics) -> io::Result<()> {
        let octets = reply.octets();
        let mut sent = from;
        while sent < octets.len() {
            match sys::send_before_fin(&self.stream, &octets[sent..]) {
                Ok(more) => sent += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.unsent = Some((reply.clone(), sent));
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        self.unsent = None;
        self.stream.shutdown(Shutdown::Write)?;
        metrics.tcp_answered.add_one();
        Ok(())
    }

    fn advance(&mut self, sink: &mut [u8], metrics: &Metrics) -> Fate {
        if let Some((reply, sent)) = self.unsent.take()
            && self.send(&reply, sent, metrics).is_err()
        {
            return Fate::Failed;
        }
        self.drain(sink)
    }

    /// Throws away what has come, as much as one turn takes.
    fn drain(&mut self, sink: &mut [u8]) -> Fate {
        for _ in 0..READS {
            match self.stream.read(sink) {
                Ok(0) if self.unsent.is_none() => return Fate::Closed,
                Ok(0) => return Fate::Keep, // half closed: the line is still owed
                Ok(octets) => {
                    let octets = u64::try_from(octets).unwrap_or(u64::MAX);
                    let Some(left) = self.octets_left.checked_sub(octets) else {
                        return Fate::TooMuch;
                    };
                    self.octets_left = left;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Fate::Keep,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Fate::Failed,
            }
        }
        Fate::KeepReading
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::syntax::{Syntax, Zone};
    use mio::{Events, Poll};
    use std::io::Write;

    #[test]
    fn what_the_send_buffer_had_no_room_for_is_sent_later_with_the_fin_behind_it() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound");
        let mut client = std::net::TcpStream::connect(address).expect("connected");
        let (stream, _) = listener.accept().expect("accepted");
        stream.set_nonblocking(true).expect("set");
        let reply = Reply::line("half of it had been sent").expect("a line");
        let mut connection = Connection {
            stream: TcpStream::from_std(stream),
            serial: 1,
            unsent: Some((reply, 8)),
            octets_left: 100,
        };
        let metrics = Metrics::default();
        assert_eq!(connection.advance(&mut [0; 16], &metrics), Fate::Keep);
        let mut rest = String::new();
        client.read_to_string(&mut rest).expect("the rest and a clean end");
        assert_eq!((rest.as_str(), metrics.tcp_answered.count()), ("it had been sent\r\n", 1));
    }

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
            Service::new(vec![socket], Drain::default(), &registry, 1).expect("set up");
        service.sink = vec![0; 1].into_boxed_slice(); // so that 100 octets take seven turns
        let mut responder = Responder::new(Clock::System, Syntax::default(), Zone::UTC);
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
        assert_eq!((turns, metrics.tcp_closed_by_peer.count()), (7, 1));
    }
}
