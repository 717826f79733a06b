//! Connects to the first address that answers, as in RFC 8305, "Happy Eyeballs Version 2", sections
//! 4 and 5. IPv4 and IPv6 addresses alternate. A new attempt starts when the previous attempt has
//! failed or is 250 ms old. The first connection that is established wins.

use crate::asking::{Attempt, AttemptFailure, Question};
use crate::transport::Transport::Tcp;
use mio::Interest;
use std::collections::VecDeque;
use std::io;
use std::mem;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// The recommended "Connection Attempt Delay" of RFC 8305, section 5.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// The state of a connection attempt.
enum Outcome {
    Pending,
    Connected,
    /// The connection was established and the server sent octets, but then a reset arrived.
    Reset(io::Error),
}

/// A connection that is established or still being established.
#[derive(Debug)]
pub(super) struct Connection {
    pub stream: TcpStream,
    pub peer: SocketAddr,
    token: usize,
    /// Start of the attempt. The SYN reached the server after this moment.
    pub started: Instant,
}

/// The first connection that was established, with an error if it has been reset since then. Octets
/// received before the reset can still be read.
pub(super) type Winner = (Connection, Option<io::Error>);

/// A race of connection attempts to several addresses. The race ends at the deadline.
pub(super) struct Race<'a, 'b> {
    pub question: &'a mut Question<'b>,
    waiting: VecDeque<SocketAddr>,
    running: Vec<Connection>,
    failed: Vec<Attempt>,
    next_start: Instant,
    started: usize,
}

impl<'a, 'b> Race<'a, 'b> {
    pub(super) fn new(addresses: &[SocketAddr], question: &'a mut Question<'b>) -> Self {
        Self {
            question,
            waiting: interleave(addresses),
            running: Vec::new(),
            failed: Vec::new(),
            next_start: Instant::now(),
            started: 0,
        }
    }

    /// Waits for the next connection to be established. Returns `None` if all addresses have
    /// failed, or at the deadline.
    pub(super) fn connect(&mut self) -> Option<Winner> {
        let deadline = self.question.deadline;
        while Instant::now() < deadline {
            self.start_due();
            if self.running.is_empty() {
                return None;
            }
            let until =
                if self.waiting.is_empty() { deadline } else { deadline.min(self.next_start) };
            let winner = match self.question.wait(until) {
                Ok(ready) => ready.into_iter().find_map(|token| self.check_attempt(token)),
                Err(error) => {
                    let attempt = self.running.remove(0);
                    self.fail(attempt.peer, error);
                    None
                }
            };
            if winner.is_some() {
                self.cancel_losers();
                return winner;
            }
        }
        None
    }

    /// Closes all other connections. If the winner fails, their addresses may be tried again.
    fn cancel_losers(&mut self) {
        for loser in mem::take(&mut self.running).into_iter().rev() {
            self.question.close(loser.stream);
            self.waiting.push_front(loser.peer);
        }
    }

    /// Returns the result for every address. Addresses that failed come before addresses that might
    /// still answer.
    pub(super) fn end(self) -> Vec<Attempt> {
        let mut others = self.failed;
        for Connection { stream, peer, started, .. } in self.running {
            let silent = AttemptFailure::Silent { questions: 0, waited: started.elapsed() };
            others.push(Attempt::new(Tcp, peer, silent));
            self.question.close(stream);
        }
        let untried = |peer| Attempt::new(Tcp, peer, AttemptFailure::Untried);
        others.extend(self.waiting.into_iter().map(untried));
        others
    }

    fn start_due(&mut self) {
        while self.running.is_empty() || Instant::now() >= self.next_start {
            let Some(peer) = self.waiting.pop_front() else { return };
            self.next_start = Instant::now() + ATTEMPT_DELAY;
            self.started += 1;
            log::debug!("tcp {peer}: connecting");
            match start(peer, self.started, self.question) {
                Ok(attempt) => self.running.push(attempt),
                Err(error) => self.fail(peer, error),
            }
        }
    }

    /// Checks the state of a connection attempt after an event on its socket.
    fn check_attempt(&mut self, token: usize) -> Option<Winner> {
        let place = self.running.iter().position(|attempt| attempt.token == token)?;
        let reset = match outcome(&self.running[place].stream, self.question) {
            // mio may report an event even if nothing has changed.
            Ok(Outcome::Pending) => return None,
            Ok(Outcome::Connected) => None,
            Ok(Outcome::Reset(error)) => Some(error),
            Err(error) => {
                let Connection { stream, peer, .. } = self.running.remove(place);
                self.question.close(stream);
                log::debug!("tcp {peer}: {error}");
                self.fail(peer, error);
                return None;
            }
        };
        Some((self.running.swap_remove(place), reset))
    }

    /// Records a failed attempt. The next attempt then starts at once.
    pub(super) fn fail(&mut self, peer: SocketAddr, error: io::Error) {
        self.failed.push(Attempt::failed(Tcp, peer, error));
        self.next_start = Instant::now();
    }
}

fn start(peer: SocketAddr, token: usize, question: &mut Question) -> io::Result<Connection> {
    let started = Instant::now();
    let stream = TcpStream::from(question.connect(peer, socket2::Type::STREAM)?);
    question.watch(&stream, token, Interest::READABLE | Interest::WRITABLE)?;
    Ok(Connection { stream, peer, token, started })
}

/// Returns the state of an attempt, determined as the documentation of mio's `TcpStream::connect`
/// recommends.
fn outcome(stream: &TcpStream, question: &mut Question) -> io::Result<Outcome> {
    question.record("getsockopt");
    if let Some(error) = stream.take_error()? {
        return after_error(stream, error, question);
    }
    question.record("getpeername");
    match stream.peer_addr() {
        Ok(_) => Ok(Outcome::Connected),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(Outcome::Pending),
        Err(error) => Err(error),
    }
}

/// Handles an error on a connection that may have been reset. A server may accept the connection,
/// send its reply and reset the connection before the client checks it. Linux keeps the octets
/// received before the reset, but reports the error first. A reset before any octets arrive counts
/// as a failure, so the client tries the next address.
fn after_error(
    stream: &TcpStream,
    error: io::Error,
    question: &mut Question,
) -> io::Result<Outcome> {
    if !matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) {
        return Err(error);
    }
    question.record("recv");
    let sent_data = stream.peek(&mut [0]).is_ok_and(|length| length > 0);
    if sent_data { Ok(Outcome::Reset(error)) } else { Err(error) }
}

/// Orders the addresses as in RFC 8305, section 4. Both families alternate, beginning with the
/// family of the first address. Within a family, the resolver's order (RFC 6724) is kept.
fn interleave(addresses: &[SocketAddr]) -> VecDeque<SocketAddr> {
    let is_first = |address: &&SocketAddr| address.is_ipv6() == addresses[0].is_ipv6();
    let (first, second): (Vec<&SocketAddr>, Vec<_>) = addresses.iter().partition(is_first);
    let turns = (0..addresses.len()).flat_map(|turn| [first.get(turn), second.get(turn)]);
    turns.flatten().map(|address| **address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::poll::{PollFd, PollFlags, poll};
    use std::io::{Read, Write};
    use std::os::fd::AsFd;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().expect("address")).collect()
    }

    #[test]
    fn families_alternate_and_the_first_address_stays_first() {
        let resolved = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]);
        let order: Vec<_> = interleave(&resolved).into();
        let expected = addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]);
        assert_eq!(order, expected);
        let v4_first = addresses(&["1.1.1.1:1", "[::1]:1"]);
        assert_eq!(Vec::from(interleave(&v4_first)), v4_first);
    }

    /// Returns a connection that the server has reset after sending these octets. The client has
    /// not checked the connection yet.
    fn reset_after(octets: &[u8]) -> TcpStream {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound");
        let client = TcpStream::connect(address).expect("connected");
        let (mut server, _) = listener.accept().expect("a client");
        server.write_all(octets).expect("sent");
        socket2::SockRef::from(&server).set_linger(Some(Duration::ZERO)).expect("set");
        drop(server);
        let mut reset = [PollFd::new(client.as_fd(), PollFlags::empty())];
        assert_eq!(poll(&mut reset, 10_000u16), Ok(1), "the reset arrives");
        client.set_nonblocking(true).expect("set");
        client
    }

    #[test]
    fn the_octets_before_a_reset_are_read() {
        let mut stream = reset_after(b"noon\r\n");
        let outcome = Question::for_test(Duration::ZERO, |question| outcome(&stream, question));
        let Ok(Outcome::Reset(error)) = outcome else { panic!("connected, and reset since") };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).expect("the octets");
        assert_eq!(reply, b"noon\r\n");
    }

    #[test]
    fn a_reset_before_any_octet_lets_the_next_address_start() {
        let stream = reset_after(b"");
        let outcome = Question::for_test(Duration::ZERO, |question| outcome(&stream, question));
        let error = outcome.err().expect("not connected");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    fn race(addresses: &[SocketAddr], timeout: Duration) -> Result<Connection, Vec<Attempt>> {
        Question::for_test(timeout, |question| {
            let mut race = Race::new(addresses, question);
            let winner = race.connect().map(|(connection, _)| connection);
            winner.ok_or_else(|| race.end())
        })
    }

    #[test]
    fn a_silent_address_delays_the_next_by_only_250_ms() {
        let full = FullListener::new();
        let answering = std::net::TcpListener::bind("[::1]:0").expect("loopback");
        let addresses = [full.address, answering.local_addr().expect("bound")];
        let started = Instant::now();
        let connected = race(&addresses, Duration::from_secs(20)).expect("answers");
        assert_eq!(connected.peer, addresses[1]);
        let elapsed = started.elapsed().as_millis();
        assert!((250..2000).contains(&elapsed), "{elapsed} ms");
    }

    #[test]
    fn an_address_that_refuses_does_not_delay_the_next() {
        // A silent address comes first. The client waits 250 ms for it, and does not wait for the
        // addresses that refuse.
        let full = FullListener::new();
        let answering = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let mut addresses = vec![full.address];
        addresses.extend(refusing());
        addresses.push(answering.local_addr().expect("bound"));
        let started = Instant::now();
        let connected = race(&addresses, Duration::from_secs(20)).expect("answers");
        assert_eq!(Some(&connected.peer), addresses.last());
        let elapsed = started.elapsed().as_millis();
        assert!(
            (250..3000).contains(&elapsed),
            "{elapsed} ms for {} refusals",
            addresses.len() - 2
        );
    }

    /// Returns addresses that refuse a connection. Some answer with a reset, and for others
    /// connect(2) fails at once.
    fn refusing() -> Vec<SocketAddr> {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let reset = closed.local_addr().expect("bound");
        // connect(2) to a broadcast address fails at once, with ENETUNREACH or EACCES.
        let impossible = SocketAddr::from(([255, 255, 255, 255], reset.port()));
        [[impossible; 16], [reset; 16]].concat()
    }

    #[test]
    fn at_the_deadline_every_address_has_a_result() {
        let full = FullListener::new();
        let deadline = Instant::now() + Duration::from_millis(100);
        let later = SocketAddr::from(([127, 0, 0, 1], 1));
        let attempts = race(&[full.address, later], Duration::from_millis(100)).unwrap_err();
        assert!(Instant::now() >= deadline);
        let [silent, untried] = &attempts[..] else { panic!("{attempts:?}") };
        assert_eq!((silent.peer, untried.peer), (full.address, later));
        let AttemptFailure::Silent { questions: 0, waited } = silent.failure else {
            panic!("{silent:?}")
        };
        assert!(waited > Duration::ZERO, "{waited:?}");
        assert!(matches!(untried.failure, AttemptFailure::Untried), "{untried:?}");
    }

    /// A listener that drops every SYN, because its backlog is full and no program accepts its
    /// connections.
    struct FullListener {
        address: SocketAddr,
        _listener: socket2::Socket,
        _waiting: Vec<socket2::Socket>,
    }

    impl FullListener {
        fn new() -> Self {
            let v4 = socket2::Domain::IPV4;
            let open = || socket2::Socket::new(v4, socket2::Type::STREAM, None).expect("socket");
            let listener = open();
            let any: SocketAddr = "127.0.0.1:0".parse().expect("address");
            listener.bind(&any.into()).expect("bind");
            listener.listen(0).expect("listen");
            let address = listener.local_addr().expect("bound").as_socket().expect("IP");
            let mut waiting = Vec::new();
            // On Linux, a backlog of 0 holds one connection. Other systems allow more, so this loop
            // connects until an attempt gets no answer.
            for _ in 0..64 {
                let client = open();
                let connected = client.connect_timeout(&address.into(), Duration::from_millis(50));
                waiting.push(client);
                if connected.is_err() {
                    return Self { address, _listener: listener, _waiting: waiting };
                }
            }
            panic!("the backlog never filled up");
        }
    }
}
