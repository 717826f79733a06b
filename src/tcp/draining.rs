//! Connections that have had their reply, until their clients close.
//!
//! Most clients close as soon as they have read the reply, so to register each connection with the kernel
//! would cost more than it saves. A connection is first *fresh*: it waits in a queue, and the oldest are
//! checked now and then, while new ones are accepted. Only those that are still open after [`FRESH_TIME`]
//! are *watched*: registered, so that an event says when there is something to read.

use super::connection::{Connection, Drain, Fate};
use crate::limit::{ConnectionLimit, Room, Scope};
use crate::metrics::{Counters, Event};
use crate::transport::IpVersion;
use mio::{Interest, Registry, Token};
use slab::Slab;
use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a connection is fresh. Shorter than a client would notice; longer than the kernel's tick, since a
/// timer that is the next to fire costs more.
const FRESH_TIME: Duration = Duration::from_millis(10);
/// New connections after which the oldest fresh ones are checked again: many in a row cost less than
/// one at a time, and most will have closed.
const CHECK_EVERY: usize = 64;
/// Fresh connections that are checked in a round, so that a client that comes meanwhile hardly waits; but as many
/// as came in the round before, if those were more, so that they never pile up.
const CHECKS_PER_ROUND: usize = 8;
/// A year: a longer deadline is as good as this, and its end may be no instant at all.
const MAX_DEADLINE: Duration = Duration::from_hours(365 * 24);

/// The connections of a worker.
#[derive(Debug)]
pub(super) struct Draining {
    connections: Slab<Connection>,
    /// In the order in which they were accepted. Entries may outlive their connections.
    fresh: VecDeque<Entry>,
    /// In the order in which they began to be watched: at most a moment, and a round, from that in which they
    /// were accepted.
    watched: VecDeque<Entry>,
    /// How many became fresh since the last check.
    new: usize,
    /// How many are fresh when the oldest are checked again; 0 during a check.
    check_at: usize,
    /// Connections with more to read than one turn takes. A key may be another connection's by the time
    /// it comes up again: reading that once more does no harm.
    unread: Vec<usize>,
    /// How long, and for how many octets, each may stay open.
    drain: Drain,
    /// When all have to be closed.
    end: Option<Instant>,
    /// When all fresh connections were last checked.
    all_checked: Option<Instant>,
    /// The token of the first connection.
    first_token: usize,
    serial: u32,
    sink: Box<[u8]>,
    connection_limit: Arc<ConnectionLimit>,
    counters: Arc<Counters>,
}

/// A connection in a queue. Small, since there may be many.
#[derive(Clone, Copy, Debug)]
struct Entry {
    accepted: Instant,
    key: u32,
    /// Tells a connection from a later one with the same key.
    serial: u32,
}

impl Entry {
    fn is_alive(self, connections: &Slab<Connection>) -> bool {
        let connection = connections.get(self.key as usize);
        connection.is_some_and(|connection| connection.serial == self.serial)
    }
}

impl Draining {
    pub(super) fn new(
        drain: Drain,
        first_token: usize,
        connection_limit: Arc<ConnectionLimit>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            connections: Slab::new(),
            fresh: VecDeque::new(),
            watched: VecDeque::new(),
            new: 0,
            check_at: CHECK_EVERY,
            unread: Vec::new(),
            drain: drain.deadline(drain.deadline.min(MAX_DEADLINE)),
            end: None,
            all_checked: None,
            first_token,
            serial: 0,
            sink: vec![0; 1 << 16].into_boxed_slice(),
            connection_limit,
            counters,
        }
    }

    /// True if none is left.
    pub(super) fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// Waits for the rest of an exchange. Where there is little room for more, an event says that it is over.
    pub(super) fn add(
        &mut self,
        mut connection: Connection,
        room: Room,
        registry: &Registry,
        now: Instant,
    ) {
        self.serial = self.serial.wrapping_add(1);
        (connection.serial, connection.octets_left) = (self.serial, self.drain.octets);
        self.counters.opened(IpVersion::of(connection.peer.ip()));
        let owes = connection.unsent.is_some();
        let key = u32::try_from(self.connections.insert(connection)).unwrap_or(u32::MAX);
        let entry = Entry { accepted: now, key, serial: self.serial };
        if owes || room == Room::Little {
            self.watch(entry, registry);
        } else {
            self.fresh.push_back(entry);
            self.new += 1;
        }
    }

    /// Counts a connection, unless a limit forbids to keep it; then what its client has sent is thrown away.
    ///
    /// Above a limit the newest connection is closed at once, its reply sent: a reply costs next to nothing, but
    /// keeping the connection for the drain does. So a burst locks no client out, not even the source of it. (In
    /// the backlog it would keep all clients after it waiting.)
    pub(super) fn admit(
        &mut self,
        connection: &mut Connection,
        now: Instant,
    ) -> Result<Room, Event> {
        let mut entered = self.connection_limit.enter(connection.peer);
        // Some that count may have closed unnoticed.
        if entered.is_err() && self.check_all(now) {
            entered = self.connection_limit.enter(connection.peer);
        }
        entered.map_err(|scope| {
            connection.discard_input(&mut self.sink);
            match scope {
                Scope::Source => Event::TcpSourceLimit,
                Scope::Total => Event::TcpTotalLimit,
            }
        })
    }

    /// Goes on with a connection that is watched.
    pub(super) fn note_ready(&mut self, token: Token) {
        if let Some(key) = token.0.checked_sub(self.first_token) {
            self.advance(key);
        }
    }

    /// Goes on without events; true if there is more to do at once.
    pub(super) fn work(&mut self, registry: &Registry, now: Instant) -> bool {
        self.expire(now);
        for key in mem::take(&mut self.unread) {
            if let Some(connection) = self.connections.get_mut(key) {
                connection.unread = false;
            }
            self.advance(key);
        }
        self.check_oldest(registry, now) || !self.unread.is_empty()
    }

    /// Checks some of the oldest fresh connections, if it is time; true if there are more to check, until
    /// one is still open that may be.
    fn check_oldest(&mut self, registry: &Registry, now: Instant) -> bool {
        for _ in 0..CHECKS_PER_ROUND.max(mem::take(&mut self.new)) {
            let Some(&oldest) = self.fresh.front() else { break };
            let old = self.fresh_until(oldest) <= now;
            if !old && self.fresh.len() < self.check_at {
                return false;
            }
            self.advance(oldest.key as usize);
            if oldest.is_alive(&self.connections) {
                if !old {
                    self.check_at = self.fresh.len() + CHECK_EVERY;
                    return false; // nor have those after it had more time
                }
                self.watch(oldest, registry);
            }
            self.fresh.pop_front();
            self.check_at = 0;
        }
        if self.fresh.is_empty() {
            self.check_at = CHECK_EVERY;
        }
        !self.fresh.is_empty()
    }

    /// Checks all fresh connections, once in a round; true if one of them is over.
    pub(super) fn check_all(&mut self, now: Instant) -> bool {
        if self.all_checked.replace(now) == Some(now) {
            return false;
        }
        let before = self.connections.len();
        let mut fresh = mem::take(&mut self.fresh);
        fresh.retain(|entry| {
            self.advance(entry.key as usize);
            entry.is_alive(&self.connections)
        });
        self.fresh = fresh;
        self.connections.len() < before
    }

    /// Closes one that is over, else the one that has had its reply the longest; false if there is none.
    pub(super) fn make_room(&mut self, now: Instant) -> bool {
        if self.check_all(now) {
            return true;
        }
        while let Some(entry) = self.watched.pop_front().or_else(|| self.fresh.pop_front()) {
            if entry.is_alive(&self.connections) {
                self.end(entry.key as usize, Event::TcpMadeRoom);
                return true;
            }
        }
        false
    }

    /// Gives up the connections whose time is over.
    fn expire(&mut self, now: Instant) {
        while let Some(&oldest) = self.watched.front() {
            let alive = oldest.is_alive(&self.connections);
            if alive && self.deadline_of(oldest) > now {
                break;
            }
            self.watched.pop_front();
            if alive {
                self.end(oldest.key as usize, Event::TcpDrainDeadline);
            }
        }
    }

    /// Gives up all that are still open at `end`, which counts as their drain deadline.
    pub(super) fn end_by(&mut self, end: Instant) {
        self.end = Some(end);
    }

    /// When there is something to do without an event.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let watched = self.watched.front().map(|entry| self.deadline_of(*entry));
        let fresh = self.fresh.front().map(|entry| self.fresh_until(*entry));
        watched.into_iter().chain(fresh).min()
    }

    fn fresh_until(&self, entry: Entry) -> Instant {
        self.deadline_of(entry).min(entry.accepted + FRESH_TIME)
    }

    fn deadline_of(&self, entry: Entry) -> Instant {
        let deadline = entry.accepted + self.drain.deadline;
        self.end.map_or(deadline, |end| end.min(deadline))
    }

    /// Registers a connection, so that an event says when there is something to do. If there is already, it says so at once.
    fn watch(&mut self, entry: Entry, registry: &Registry) {
        let key = entry.key as usize;
        let Some(connection) = self.connections.get_mut(key) else { return };
        let interest = match connection.unsent {
            Some(_) => Interest::READABLE | Interest::WRITABLE,
            None => Interest::READABLE,
        };
        let token = Token(self.first_token + key);
        if registry.register(&mut connection.stream, token, interest).is_err() {
            self.end(key, Event::TcpFailed);
            return;
        }
        self.watched.push_back(entry);
        self.forget_closed();
    }

    fn advance(&mut self, key: usize) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        match connection.advance(&mut self.sink, &self.counters) {
            Fate::Keep => {}
            Fate::KeepReading => {
                if !mem::replace(&mut connection.unread, true) {
                    self.unread.push(key);
                }
            }
            Fate::Over(how) => self.end(key, how),
        }
    }

    /// Closes a connection and counts how it ended.
    fn end(&mut self, key: usize, how: Event) {
        let connection = self.connections.remove(key);
        let peer = connection.peer;
        self.counters.add_of(how, peer);
        self.counters.closed(IpVersion::of(peer.ip()));
        self.connection_limit.release(peer);
        drop(connection); // last: a client that sees its connection closed may come again at once
    }

    /// Keeps the queue of those that are watched no longer than the connections warrant. Each pass drops
    /// more than half of what it looks at, so it costs each connection a constant time.
    fn forget_closed(&mut self) {
        if self.watched.len() > 2 * self.connections.len() + 64 {
            self.watched.retain(|entry| entry.is_alive(&self.connections));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Limits;
    use crate::metrics::Metrics;
    use mio::net::TcpStream as Stream;
    use mio::{Events, Poll};
    use std::io::Write;
    use std::net::{Shutdown, TcpListener, TcpStream};

    struct Set {
        poll: Poll,
        listener: TcpListener,
        metrics: Metrics,
        draining: Draining,
        start: Instant,
    }

    fn set() -> Set {
        let metrics = Metrics::default();
        let connection_limit = Arc::new(ConnectionLimit::new(Limits::default(), 1));
        let drain = Drain { octets: 1000, ..Drain::default() };
        Set {
            poll: Poll::new().expect("poll"),
            listener: TcpListener::bind("127.0.0.1:0").expect("loopback"),
            draining: Draining::new(drain, 0, connection_limit, metrics.worker(0)),
            metrics,
            start: Instant::now(),
        }
    }

    impl Set {
        /// A client whose connection has had its line.
        fn client(&mut self) -> TcpStream {
            self.client_with(Room::Plenty)
        }

        fn client_with(&mut self, room: Room) -> TcpStream {
            let address = self.listener.local_addr().expect("bound");
            let client = TcpStream::connect(address).expect("connected");
            let (stream, peer) = self.listener.accept().expect("accepted");
            stream.set_nonblocking(true).expect("set");
            stream.shutdown(Shutdown::Write).expect("half closed");
            let connection = Connection::new(Stream::from_std(stream), peer);
            self.draining.add(connection, room, self.poll.registry(), self.start);
            client
        }

        fn work(&mut self, after: Duration) -> bool {
            self.draining.work(self.poll.registry(), self.start + after)
        }

        fn closed_by_peer(&self) -> u64 {
            self.metrics.count(Event::TcpClosedByPeer)
        }

        /// Waits for an event and goes on with what it tells.
        fn wait(&mut self) {
            let mut events = Events::with_capacity(8);
            self.poll.poll(&mut events, Some(Duration::from_secs(20))).expect("an event");
            assert!(!events.is_empty(), "no event");
            events.iter().for_each(|event| self.draining.note_ready(event.token()));
        }
    }

    #[test]
    fn those_that_close_within_a_moment_are_never_watched() {
        let mut set = set();
        let clients: Vec<_> = (0..CHECK_EVERY).map(|_| set.client()).collect();
        assert!(!set.work(Duration::ZERO));
        assert_eq!(set.draining.connections.len(), CHECK_EVERY, "all are open, and so fresh");
        drop(clients);
        let mut more = Vec::new();
        for _ in 0..CHECK_EVERY {
            assert!(!set.work(Duration::ZERO), "not yet");
            more.push(set.client());
        }
        let mut rounds = 1;
        while set.work(Duration::ZERO) {
            rounds += 1;
        }
        assert!(rounds >= CHECK_EVERY / CHECKS_PER_ROUND, "others get a turn: {rounds}");
        assert_eq!(set.closed_by_peer(), CHECK_EVERY as u64);
        assert_eq!((set.draining.fresh.len(), set.draining.watched.len()), (CHECK_EVERY, 0));
    }

    #[test]
    fn those_that_close_never_pile_up_however_many_come_in_a_round() {
        let mut set = set();
        for _ in 0..20 {
            for _ in 0..CHECK_EVERY {
                drop(set.client());
            }
            set.work(Duration::ZERO);
            assert!(set.draining.connections.len() <= 2 * CHECK_EVERY);
        }
    }

    #[test]
    fn those_that_are_still_open_after_a_moment_are_watched() {
        let mut set = set();
        let client = set.client();
        assert_eq!(set.draining.next_deadline(), Some(set.start + FRESH_TIME));
        assert!(!set.work(FRESH_TIME));
        assert_eq!((set.draining.fresh.len(), set.draining.watched.len()), (0, 1));
        assert_eq!(set.draining.next_deadline(), Some(set.start + Duration::from_secs(5)));
        drop(client);
        set.wait();
        assert_eq!((set.closed_by_peer(), set.draining.is_empty()), (1, true));
    }

    #[test]
    fn where_there_is_little_room_an_event_tells_at_once_that_one_is_over() {
        let mut set = set();
        drop(set.client_with(Room::Little));
        assert_eq!((set.draining.fresh.len(), set.draining.watched.len()), (0, 1));
        set.wait();
        assert_eq!((set.closed_by_peer(), set.draining.is_empty()), (1, true));
    }

    #[test]
    fn those_that_are_watched_are_given_up_at_the_deadline_and_those_that_are_fresh_too() {
        for deadline in [Duration::from_secs(5), FRESH_TIME / 2] {
            let mut set = set();
            set.draining.drain.deadline = deadline;
            let _client = set.client();
            set.work(FRESH_TIME.min(deadline));
            set.work(deadline.checked_sub(Duration::from_nanos(1)).expect("in range"));
            assert!(!set.draining.is_empty(), "its time is not over");
            set.work(deadline);
            assert_eq!(set.metrics.count(Event::TcpDrainDeadline), 1);
            assert!(set.draining.is_empty());
        }
    }

    #[test]
    fn what_one_turn_leaves_unread_is_read_without_another_event() {
        let mut set = set();
        set.draining.sink = vec![0; 1].into_boxed_slice(); // so that 100 octets take seven turns
        let mut client = set.client();
        client.write_all(&[b'.'; 100]).expect("sent");
        client.shutdown(Shutdown::Write).expect("half closed");
        set.work(FRESH_TIME);
        let mut turns = 1;
        while !set.draining.is_empty() {
            let more = set.work(FRESH_TIME);
            turns += 1;
            assert!(more || set.draining.is_empty(), "it waits for an event after {turns} turns");
        }
        assert_eq!((turns, set.closed_by_peer()), (7, 1));
    }

    #[test]
    fn room_is_made_by_those_that_have_closed_and_else_by_the_oldest() {
        let mut set = set();
        let clients = [(); 3].map(|()| set.client());
        set.work(FRESH_TIME);
        let closing = set.client();
        closing.shutdown(Shutdown::Write).expect("half closed");
        let at = |ms| set.start + Duration::from_millis(ms);
        assert!(set.draining.make_room(at(1)));
        assert_eq!((set.closed_by_peer(), set.metrics.count(Event::TcpMadeRoom)), (1, 0));
        assert!(set.draining.make_room(at(1)), "those that are fresh are not looked at again");
        assert_eq!(set.metrics.count(Event::TcpMadeRoom), 1);
        assert!(set.draining.connections.get(0).is_none(), "the first was the oldest");
        assert!(set.draining.make_room(at(1)) && set.draining.make_room(at(1)));
        assert!(!set.draining.make_room(at(1)), "none is left");
        drop(clients);
    }
}
