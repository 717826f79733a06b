//! Asks a server, over either transport.

mod error;
mod offset;
mod polite;
mod target;

pub use error::{AskError, Attempt, Interruption};
pub use offset::Offset;
pub(crate) use polite::{is_public, note, off_limits};
pub use target::{Target, TargetError};

use crate::calls::{Calls, Observer, Waiter};
use crate::clock::Clock;
use crate::reply::Printable;
use crate::syntax::Frame;
use crate::tcp::client as tcp;
use crate::transport::{PORT, Transport};
use crate::udp::client as udp;
use chrono::{DateTime, TimeDelta, Utc};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How to ask.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which addresses of a name to use.
    pub family: Family,
    /// The port, where the target names none.
    pub port: u16,
    /// For the whole of it: resolving the name, connecting, the reply.
    pub timeout: Duration,
    /// How often a datagram is sent again while nothing comes back, at most 10. Each wait is twice as
    /// long as the one before, and together they fill the timeout. See [`Options::impolite`] for public
    /// addresses. Whatever comes back ends it, be it no octets.
    pub retries: u32,
    /// The most octets of a reply that are taken. A stream that goes on is an error, a datagram is cut.
    pub limit: usize,
    /// Ask public addresses, which are all but loopback, link-local and private ones, as fast as told.
    ///
    /// Without it questions to one of them are at least 4 seconds apart, as NIST wants it from every user
    /// of its servers: whatever in this process asks it again first waits, before its timeout begins; a
    /// datagram is sent again after 4 seconds, or not at all if the timeout comes first; and
    /// `compare` refuses. A question that begins while another thread still waits for its answer from the
    /// same address is not kept apart from that one.
    pub impolite: bool,
}

impl Default for Options {
    /// Port 13, both families, 5 seconds, 2 retries, 4096 octets, polite.
    fn default() -> Self {
        Self {
            family: Family::Any,
            port: PORT,
            timeout: Duration::from_secs(5),
            retries: 2,
            limit: 4096,
            impolite: false,
        }
    }
}

impl Options {
    /// When an exchange that begins now has to be over.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout.min(LONGEST)
    }

    /// Waits until all of these may be asked, unless that is not wanted, and tells how long that took.
    pub(crate) fn wait_for_turn(&self, addresses: &[SocketAddr]) -> Duration {
        if self.impolite { Duration::ZERO } else { polite::wait(addresses) }
    }

    fn retries(&self) -> udp::Retries {
        let apart = if self.impolite { |_| Duration::ZERO } else { polite::distance };
        udp::Retries { most: self.retries, apart }
    }
}

/// Which addresses of a name to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// All of them.
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

impl Family {
    pub(crate) fn admits(self, address: SocketAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

/// What a server answered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answer {
    /// The transport it came over.
    pub transport: Transport,
    /// Who answered.
    pub peer: SocketAddr,
    /// The octets, as they came and unchecked; show them with [`Answer::text`].
    pub octets: Vec<u8>,
    /// The datagram was longer than [`Options::limit`], or the stream stopped within its first line; what is
    /// missing is lost.
    pub truncated: bool,
    /// TCP: from the start until the connection was there.
    pub connected_after: Option<Duration>,
    /// TCP: from the start until the end of the stream. UDP: from the first question to the answer; which
    /// of several questions it answers, RFC 867 does not tell.
    pub elapsed: Duration,
    /// The window in which the server must have looked at its clock. TCP: from the first packet of the
    /// connection, which is the question, until the first line was read, or the end of a stream without
    /// any. UDP: from the first question to the peer until its answer; with several questions all of it,
    /// because RFC 867 does not tell which one was answered.
    pub round_trip: Duration,
    /// What the local clock showed at the end of that window. It is read once the exchange is over, and the
    /// time since then is taken off. `None` where the clock holds no valid date.
    pub arrived: Option<DateTime<Utc>>,
    /// Octets of each read that gave any.
    pub reads: Vec<usize>,
    /// Questions sent to the peer. TCP: 0, the server speaks first.
    pub questions: u32,
    /// The system calls it took, but for resolving the name.
    pub calls: Calls,
}

impl Answer {
    /// The line without its ending, safe for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        Printable::line(&self.octets).to_string()
    }
}

/// Asks a server once: over TCP by connecting and reading to the end of the stream, over UDP by an empty
/// datagram (RFC 867, "TCP Based Daytime Service" and "UDP Based Daytime Service").
///
/// Over TCP all addresses of a name are tried as RFC 8305 says, over UDP one after the other. An answer of
/// no octets is an answer: the server may not know the time (RFC 868 has it so).
///
/// # Errors
/// [`AskError`]: the name does not resolve, no server listens, or the reply is empty or too long. The octets that
/// a server sent before the connection broke are in [`AskError::Incomplete`].
///
/// See [`Server`](crate::Server) for an example that asks a real one.
pub fn ask(target: &Target, transport: Transport, options: &Options) -> Result<Answer, AskError> {
    Client::new()?.ask(target, transport, options)
}

/// A year: a longer timeout is as good as this, and its end may be no instant at all.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// Asks many times with what one question leaves behind.
#[derive(Debug)]
pub(crate) struct Client {
    waiter: Waiter,
}

impl Client {
    pub(crate) fn new() -> Result<Self, AskError> {
        Ok(Self { waiter: Waiter::new().map_err(AskError::Setup)? })
    }

    pub(crate) fn ask(
        &mut self,
        target: &Target,
        transport: Transport,
        options: &Options,
    ) -> Result<Answer, AskError> {
        let deadline = options.deadline();
        let addresses = target.resolve(options, deadline)?;
        log::debug!("{transport} {target}: addresses {addresses:?}");
        let waited = options.wait_for_turn(&addresses);
        self.ask_addresses(&addresses, transport, options, deadline + waited, &mut |_| {})
    }

    /// Asks addresses that are known already, at once; `observe` sees the socket before it is closed.
    pub(crate) fn ask_addresses(
        &mut self,
        addresses: &[SocketAddr],
        transport: Transport,
        options: &Options,
        deadline: Instant,
        observe: &mut Observer,
    ) -> Result<Answer, AskError> {
        let mut calls = Calls::default();
        let (limit, waiter) = (options.limit, &mut self.waiter);
        let asked = match transport {
            Transport::Tcp => {
                tcp::exchange(addresses, deadline, limit, waiter, &mut calls, observe)
                    .map(Answer::from_tcp)
                    .map_err(|error| AskError::from_tcp(error, options))
            }
            Transport::Udp => {
                let retries = options.retries();
                udp::exchange(addresses, retries, deadline, limit, waiter, &mut calls, observe)
                    .map(Answer::from_udp)
                    .map_err(|error| AskError::from_udp(error, options))
            }
        };
        note(calls.peers());
        match asked {
            Ok(answer) => Ok(Answer { calls, ..answer }),
            Err(AskError::Incomplete { partial, cause }) => {
                let partial = Box::new(Answer { calls, ..*partial });
                Err(AskError::Incomplete { partial, cause })
            }
            Err(error) => Err(error),
        }
    }
}

impl Answer {
    fn from_tcp(exchange: tcp::Exchange) -> Self {
        Self {
            transport: Transport::Tcp,
            peer: exchange.peer,
            octets: exchange.octets,
            truncated: false,
            connected_after: Some(exchange.connected_after),
            elapsed: exchange.ended_after,
            round_trip: exchange.round_trip,
            arrived: clock_at(exchange.came),
            reads: exchange.reads,
            questions: 0,
            calls: Calls::default(),
        }
    }

    /// What had come over TCP when something stopped the stream.
    fn from_partial(exchange: tcp::Exchange, stop: &tcp::Stop) -> Self {
        let frame = Frame::of(&exchange.octets);
        let truncated = matches!(stop, tcp::Stop::Limit) || !frame.ended || frame.line.is_empty();
        Self { truncated, ..Self::from_tcp(exchange) }
    }

    fn from_udp(exchange: udp::Exchange) -> Self {
        Self {
            transport: Transport::Udp,
            peer: exchange.peer,
            reads: vec![exchange.octets.len()],
            octets: exchange.octets,
            truncated: exchange.truncated,
            connected_after: None,
            elapsed: exchange.answered_after,
            round_trip: exchange.answered_after,
            arrived: clock_at(exchange.came),
            questions: exchange.questions,
            calls: Calls::default(),
        }
    }
}

/// What the local clock showed at a moment that is over.
///
/// Two clocks cannot be read at once, and the kernel may give the processor to somebody else between the
/// two: the reading that took least of several counts.
fn clock_at(moment: Instant) -> Option<DateTime<Utc>> {
    const CLOSE: Duration = Duration::from_micros(2);
    const READINGS: usize = 16;
    let mut best: Option<(Duration, Duration, DateTime<Utc>)> = None;
    for _ in 0..READINGS {
        let before = moment.elapsed();
        let shown = Clock::System.now()?;
        let took = moment.elapsed().saturating_sub(before);
        if best.is_none_or(|(shortest, ..)| took < shortest) {
            best = Some((took, before + took / 2, shown));
        }
        if took <= CLOSE {
            break;
        }
    }
    let (_, ago, shown) = best?;
    shown.checked_sub_signed(TimeDelta::from_std(ago).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::thread;

    /// A time that nothing here takes by accident.
    const LONG: Duration = Duration::from_millis(500);

    /// Asks a TCP server that treats the connection so; with what the clock showed when all was over.
    fn ask_tcp(treat: impl FnOnce(TcpStream) + Send + 'static) -> (Answer, DateTime<Utc>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound");
        let treating = thread::spawn(move || treat(listener.accept().expect("a client").0));
        let answer = ask(&address.into(), Transport::Tcp, &Options::default()).expect("answered");
        let now = Clock::System.now().expect("a date");
        treating.join().expect("no panic");
        (answer, now)
    }

    /// Waits for words from a client, which says none.
    fn pause(mut stream: &TcpStream) {
        stream.set_read_timeout(Some(LONG)).expect("set");
        let error = stream.read(&mut [0]).expect_err("the client listens");
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    }

    #[test]
    fn over_tcp_the_window_ends_with_the_first_line_and_not_with_the_stream() {
        for line in [&b"noon\r\n"[..], b"noon\r", b"noon\n", b"noon\0"] {
            let (answer, now) = ask_tcp(move |mut stream| {
                stream.write_all(line).expect("sent");
                pause(&stream);
                stream.write_all(b"\n").expect("sent");
            });
            assert_eq!((answer.text().as_str(), answer.reads.len()), ("noon", 2));
            assert!(answer.round_trip + LONG / 2 < answer.elapsed, "{answer:?}");
            let ago = (now - answer.arrived.expect("a date")).to_std().expect("it is over");
            assert!((LONG / 2..5 * LONG).contains(&ago), "{ago:?} ago");
        }
    }

    #[test]
    fn over_tcp_a_line_that_comes_in_pieces_is_there_with_its_last_one() {
        for (first, last) in [
            (&b"\n"[..], &b"noon\n"[..]),
            (b"no", b"on\r\n"),
            (b"no", b"on"),
            (b"\xef\xbb\xbf\r\n", b"noon\r\n"),
        ] {
            let (answer, now) = ask_tcp(move |mut stream| {
                stream.write_all(first).expect("sent");
                pause(&stream);
                stream.write_all(last).expect("sent");
            });
            assert!(answer.text().ends_with("noon") && answer.reads.len() == 2, "{answer:?}");
            assert!(answer.round_trip > LONG / 2, "{answer:?}");
            let ago = (now - answer.arrived.expect("a date")).to_std().expect("it is over");
            assert!(ago < LONG / 2, "{ago:?} ago");
        }
    }

    #[test]
    fn over_tcp_the_window_begins_with_connecting_and_takes_in_the_wait() {
        let (answer, now) = ask_tcp(|mut stream| {
            pause(&stream);
            stream.write_all(b"noon\r\n").expect("sent");
        });
        assert!(answer.round_trip > LONG / 2, "{answer:?}");
        let connected = answer.connected_after.expect("TCP");
        assert!(connected < answer.round_trip && answer.round_trip <= answer.elapsed, "{answer:?}");
        let ago = (now - answer.arrived.expect("a date")).to_std().expect("it is over");
        assert!(ago < LONG / 2, "{ago:?} ago");
    }

    /// A server that resets its one connection without any octets, while the client waits for them.
    fn resets() -> (SocketAddr, thread::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound");
        let resetting = thread::spawn(move || {
            let stream = listener.accept().expect("a client").0;
            pause(&stream);
            socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("set");
        });
        (address, resetting)
    }

    #[test]
    fn after_a_reset_without_octets_the_next_address_is_asked() {
        let ask = |addresses: &[SocketAddr]| {
            let mut client = Client::new().expect("a client");
            let options = Options::default();
            let deadline = options.deadline();
            client.ask_addresses(addresses, Transport::Tcp, &options, deadline, &mut |_| {})
        };
        let (address, resetting) = resets();
        let error = ask(&[address]).expect_err("a reset").to_string();
        assert_eq!(error, format!("cannot ask {address}: Connection reset by peer (os error 104)"));
        resetting.join().expect("no panic");
        let (address, resetting) = resets();
        let good = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let next = good.local_addr().expect("bound");
        let serving = thread::spawn(move || {
            good.accept().expect("a client").0.write_all(b"noon\r\n").expect("sent");
        });
        let answer = ask(&[address, next]).expect("answered");
        assert_eq!((answer.peer, answer.text().as_str()), (next, "noon"));
        resetting.join().expect("no panic");
        serving.join().expect("no panic");
    }

    #[test]
    fn the_window_of_an_empty_stream_ends_with_it() {
        let (answer, _) = ask_tcp(|stream| pause(&stream));
        assert!(answer.octets.is_empty() && answer.arrived.is_some(), "{answer:?}");
        assert!(answer.round_trip > LONG / 2, "{answer:?}");
    }

    #[test]
    fn over_udp_the_window_takes_in_every_question() {
        let server = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let address = server.local_addr().expect("bound");
        let answering = thread::spawn(move || {
            let ask = || server.recv_from(&mut [0]).expect("a question").1;
            let lost = ask();
            assert_eq!(ask(), lost, "the same client");
            server.send_to(b"noon\r\n", lost).expect("sent");
        });
        // The first wait is a third of it.
        let options = Options { timeout: 3 * LONG, retries: 1, ..Options::default() };
        let answer = ask(&address.into(), Transport::Udp, &options).expect("answered");
        let now = Clock::System.now().expect("a date");
        answering.join().expect("no panic");
        assert_eq!((answer.questions, answer.round_trip), (2, answer.elapsed));
        assert!(answer.round_trip >= LONG, "{answer:?}");
        let ago = (now - answer.arrived.expect("a date")).to_std().expect("it is over");
        assert!(ago < LONG, "{ago:?} ago");
    }

    #[test]
    fn the_largest_timeout_and_limit_there_are_do_no_harm() {
        let server = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let address = server.local_addr().expect("bound");
        let answering = thread::spawn(move || {
            let (_, peer) = server.recv_from(&mut []).expect("a question");
            server.send_to(b"noon\r\n", peer).expect("sent");
        });
        let options =
            Options { timeout: Duration::MAX, limit: usize::MAX, retries: 0, ..Options::default() };
        let answer = ask(&address.into(), Transport::Udp, &options).expect("answered");
        answering.join().expect("no panic");
        assert_eq!((answer.text().as_str(), answer.truncated), ("noon", false));
    }
}
