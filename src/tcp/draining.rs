//! Draining connections: the server has sent the reply, and waits until the client closes the connection.
//!
//! Most clients close as soon as they have read the reply, so registering each connection with the kernel would waste
//! time. A new connection is *fresh*: it is in a queue, and the worker regularly checks the oldest fresh connections
//! while it accepts new ones. A connection that is still open after [`FRESH_TIME`] becomes *watched*: it is registered,
//! so that an event reports its input.

use super::connection::{Connection, Drain, Progress};
use crate::limit::{ConnectionLimit, Room, Scope};
use crate::metrics::{Counters, Event};
use crate::transport::IpVersion;
use mio::{Interest, Registry, Token};
use slab::Slab;
use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time for which a connection stays fresh. This time is too short for a client to notice, but longer than the kernel's
/// tick, because a timer that fires at the next tick costs more.
const FRESH_TIME: Duration = Duration::from_millis(10);
/// After this number of new connections, the worker checks the oldest fresh connections. Many checks in a row cost less
/// than the same checks one by one, and most clients have closed by then.
const CHECK_EVERY: usize = 64;
/// Maximum number of fresh connections checked per round of the event loop. The number is low, so that new clients
/// hardly wait. If more connections arrived in the previous round, the worker checks as many as arrived, so that fresh
/// connections do not accumulate.
const CHECKS_PER_ROUND: usize = 8;
/// Maximum drain deadline, one year. A longer deadline could exceed the range of `Instant`.
const MAX_DEADLINE: Duration = Duration::from_hours(365 * 24);

/// A worker's draining connections.
#[derive(Debug)]
pub(super) struct Draining {
    connections: Slab<Connection>,
    /// Fresh connections in the order in which they were accepted. An entry may remain after its connection has closed.
    fresh: VecDeque<Entry>,
    /// Watched connections in the order of their registration, which is almost the order in which they were accepted.
    watched: VecDeque<Entry>,
    /// Number of connections that became fresh since the last check.
    new: usize,
    /// Number of fresh connections at which the next check starts; 0 during a check.
    check_at: usize,
    /// Keys of connections with more input than one round reads. By the next round, a key may belong to a newer
    /// connection. One extra read from that connection does no harm.
    unread: Vec<usize>,
    /// Limits on the duration and the input of each connection.
    drain: Drain,
    /// Time at which all connections must be closed, if the service is stopping.
    end: Option<Instant>,
    /// Time of the last check of all fresh connections.
    all_checked: Option<Instant>,
    /// Token of the first connection.
    first_token: usize,
    serial: u32,
    sink: Box<[u8]>,
    connection_limit: Arc<ConnectionLimit>,
    counters: Arc<Counters>,
}

/// An entry in a queue. Entries are small, because a queue may be long.
#[derive(Clone, Copy, Debug)]
struct Entry {
    accepted: Instant,
    key: u32,
    /// Serial number that distinguishes a connection from a later one with the same key.
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

    /// Whether no connection is open.
    pub(super) fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// Keeps a connection until its client closes it. If the limits leave room for only a few more connections, watches
    /// the connection at once, so that an event reports its end.
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

    /// Counts a connection towards the limits. If a limit forbids keeping the connection, discards the client's input
    /// instead, and returns the event that counts the limit.
    ///
    /// Above a limit, the newest connection gets its reply and is closed at once. A reply is cheap, but keeping the
    /// connection open to drain it is expensive. So a burst locks out no client, not even the source of the burst. If
    /// the connection stayed in the backlog, all later clients would have to wait.
    pub(super) fn admit(
        &mut self,
        connection: &mut Connection,
        now: Instant,
    ) -> Result<Room, Event> {
        let mut entered = self.connection_limit.enter(connection.peer);
        // Some counted connections may have ended without causing an event. A check of all connections finds them.
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

    /// Continues a watched connection after an event.
    pub(super) fn note_ready(&mut self, token: Token) {
        if let Some(key) = token.0.checked_sub(self.first_token) {
            self.advance(key);
        }
    }

    /// Does the work that needs no event: ends connections at their deadline, reads remaining input, and checks fresh
    /// connections. Returns true if the next round must continue at once.
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

    /// Checks some of the oldest fresh connections if a check is due. Returns true if the next round must check more.
    /// Stops at a connection that is open and still fresh.
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
                    return false; // Later entries are even newer, so they are fresh too.
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

    /// Checks all fresh connections, at most once per round. Returns true if at least one of them had ended.
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

    /// Closes a connection that has ended, otherwise the oldest connection. Returns false if no connection is open.
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

    /// Closes the connections whose deadline has passed.
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

    /// Ensures that no connection drains after `end`.
    pub(super) fn end_by(&mut self, end: Instant) {
        self.end = Some(end);
    }

    /// Returns the time at which [`work`](Self::work) must run next even if no event occurs.
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

    /// Registers a connection for events. If input has already arrived, its event follows at once.
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
            Progress::KeepOpen => {}
            Progress::ReadMore => {
                if !mem::replace(&mut connection.unread, true) {
                    self.unread.push(key);
                }
            }
            Progress::Ended(how) => self.end(key, how),
        }
    }

    /// Closes a connection, and counts `how`, the event that describes its end.
    fn end(&mut self, key: usize, how: Event) {
        let connection = self.connections.remove(key);
        let peer = connection.peer;
        self.counters.add_of(how, peer);
        self.counters.closed(IpVersion::of(peer.ip()));
        self.connection_limit.release(peer);
        // The descriptor is closed only now. The client may connect again at once, and another worker may accept that
        // connection before this descriptor is closed. So each worker can exceed the limit by one descriptor for a
        // moment.
        drop(connection);
    }

    /// Removes the entries of closed connections if the watched queue is much longer than the list of connections. Each
    /// pass removes more than half of the entries, so the average cost per connection is constant.
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
        /// Returns a client that has received its reply.
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

        /// Waits for events on the sockets and handles them.
        fn wait(&mut self) {
            let mut events = Events::with_capacity(8);
            self.poll.poll(&mut events, Some(Duration::from_secs(20))).expect("an event");
            assert!(!events.is_empty(), "no event");
            events.iter().for_each(|event| self.draining.note_ready(event.token()));
        }
    }

    #[test]
    fn connections_that_close_soon_are_never_watched() {
        let mut set = set();
        let clients: Vec<_> = (0..CHECK_EVERY).map(|_| set.client()).collect();
        assert!(!set.work(Duration::ZERO));
        assert_eq!(set.draining.connections.len(), CHECK_EVERY, "all are open and fresh");
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
    fn closed_connections_never_pile_up_however_many_come_in_a_round() {
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
    fn connections_still_open_after_the_fresh_time_are_watched() {
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
    fn with_little_room_a_connection_is_watched_at_once() {
        let mut set = set();
        drop(set.client_with(Room::Little));
        assert_eq!((set.draining.fresh.len(), set.draining.watched.len()), (0, 1));
        set.wait();
        assert_eq!((set.closed_by_peer(), set.draining.is_empty()), (1, true));
    }

    #[test]
    fn watched_and_fresh_connections_are_given_up_at_the_deadline() {
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
    fn input_beyond_one_turn_is_read_without_another_event() {
        let mut set = set();
        // With a buffer of one octet, reading 100 octets of input takes seven rounds.
        set.draining.sink = vec![0; 1].into_boxed_slice();
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
    fn room_comes_from_closed_connections_first_and_then_from_the_oldest() {
        let mut set = set();
        let clients = [(); 3].map(|()| set.client());
        set.work(FRESH_TIME);
        let closing = set.client();
        closing.shutdown(Shutdown::Write).expect("half closed");
        let at = |ms| set.start + Duration::from_millis(ms);
        assert!(set.draining.make_room(at(1)));
        assert_eq!((set.closed_by_peer(), set.metrics.count(Event::TcpMadeRoom)), (1, 0));
        assert!(
            set.draining.make_room(at(1)),
            "fresh connections are not checked twice in a round"
        );
        assert_eq!(set.metrics.count(Event::TcpMadeRoom), 1);
        assert!(set.draining.connections.get(0).is_none(), "the first was the oldest");
        assert!(set.draining.make_room(at(1)) && set.draining.make_room(at(1)));
        assert!(!set.draining.make_room(at(1)), "none is left");
        drop(clients);
    }
}
