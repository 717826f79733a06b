//! The client, which queries a server for the time over TCP or UDP.

mod options;
mod polite;
mod target;

pub use crate::asking::{Answer, AskError, Attempt, AttemptFailure, Calls, Family, Interruption};
pub use options::{Options, Pace};
pub(crate) use polite::{await_turn, is_public, note_asked, off_limits};
pub use target::{Target, TargetError};

use crate::asking::{Poller, Question};
use crate::tcp::client as tcp;
use crate::transport::Transport;
use crate::udp::client as udp;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Instant;

/// Queries a server once. Over TCP the client connects and reads to the end of the stream. Over UDP
/// it sends an empty datagram (RFC 867, "TCP Based Daytime Service" and "UDP Based Daytime
/// Service").
///
/// If a name has several addresses, TCP connections to them race as in RFC 8305, while UDP
/// queries go to one address after another. An empty reply is also an answer: a server that does
/// not know the time sends no octets (as in RFC 868).
///
/// # Errors
/// Returns [`AskError`] if the name does not resolve, no server answers, or the reply is
/// incomplete. [`AskError::Incomplete`] holds the octets received before the connection broke.
///
/// ```
/// use daytime::client::{Options, ask};
/// use daytime::Transport;
/// use std::net::TcpListener;
///
/// let closed = TcpListener::bind("127.0.0.1:0")?.local_addr()?; // closed again at once
/// let error = ask(&closed.into(), Transport::Tcp, &Options::default()).unwrap_err();
/// assert!(error.is_refused() && !error.is_timeout());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn ask(target: &Target, transport: Transport, options: &Options) -> Result<Answer, AskError> {
    Client::new()?.ask(target, transport, options)
}

/// A client for many queries, which share one poller.
///
/// ```
/// use daytime::client::{Client, Options};
/// use daytime::Transport;
/// use std::net::UdpSocket;
///
/// let server = UdpSocket::bind("127.0.0.1:0")?;
/// let address = server.local_addr()?; // from a resolver of your own
/// let serving = std::thread::spawn(move || -> std::io::Result<()> {
///     for _ in 0..2 {
///         let (_, peer) = server.recv_from(&mut [])?;
///         server.send_to(b"2026-11-22T14:20:31Z\r\n", peer)?;
///     }
///     Ok(())
/// });
/// let mut client = Client::new()?;
/// for _ in 0..2 {
///     let answer = client.ask_addresses(&[address], Transport::Udp, &Options::default())?;
///     assert_eq!((answer.peer, answer.text().as_str()), (address, "2026-11-22T14:20:31Z"));
///     assert!(answer.offset().is_some_and(|offset| !offset.agrees()));
/// }
/// serving.join().expect("no panic")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Client {
    poller: Poller,
}

impl Client {
    /// Creates a client.
    ///
    /// # Errors
    /// Returns [`AskError::Setup`] if the process cannot open more descriptors.
    pub fn new() -> Result<Self, AskError> {
        Ok(Self { poller: Poller::new().map_err(AskError::Setup)? })
    }

    /// Queries a server once, like [`ask`].
    ///
    /// # Errors
    /// Returns the same errors as [`ask`].
    pub fn ask(
        &mut self,
        target: &Target,
        transport: Transport,
        options: &Options,
    ) -> Result<Answer, AskError> {
        let deadline = options.deadline()?;
        let addresses = target.resolve(options, deadline)?;
        log::debug!("{transport} {target}: addresses {addresses:?}");
        Ok(self.exchange(&addresses, transport, options, deadline)?.0)
    }

    /// Queries a server at known addresses, in this order. [`Options::family`] and
    /// [`Options::port`] have no effect.
    ///
    /// # Errors
    /// Returns the same errors as [`ask`], and [`AskError::NothingToAsk`] if `addresses` is empty.
    pub fn ask_addresses(
        &mut self,
        addresses: &[SocketAddr],
        transport: Transport,
        options: &Options,
    ) -> Result<Answer, AskError> {
        Ok(self.exchange(addresses, transport, options, options.deadline()?)?.0)
    }

    /// Queries a server, and returns the answer together with the socket. The caller may inspect
    /// the socket and must close it.
    pub(crate) fn exchange(
        &mut self,
        addresses: &[SocketAddr],
        transport: Transport,
        options: &Options,
        deadline: Instant,
    ) -> Result<(Answer, OwnedFd), AskError> {
        if addresses.is_empty() {
            return Err(AskError::NothingToAsk);
        }
        let waited = await_turn(addresses, options.pace)?;
        let mut question = Question {
            deadline: deadline + waited,
            timeout: options.timeout,
            waited,
            limit: options.limit,
            poller: &mut self.poller,
            calls: Calls::default(),
            peers: Vec::new(),
        };
        let answered = match transport {
            Transport::Tcp => tcp::exchange(addresses, &mut question),
            Transport::Udp => udp::exchange(addresses, polite::retries(options), &mut question),
        };
        note_asked(&question.peers);
        answered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::mentions::mentions;
    use chrono::{DateTime, Utc};
    use std::io::{ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::thread;
    use std::time::Duration;

    /// Duration of a pause. Every other step of these tests takes less time, even on a busy
    /// machine.
    const LONG: Duration = Duration::from_millis(500);

    /// Queries a TCP server that passes its connection to `treat`. Returns the answer, and the
    /// local time right after the exchange.
    fn ask_tcp(treat: impl FnOnce(TcpStream) + Send + 'static) -> (Answer, DateTime<Utc>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound");
        let treating = thread::spawn(move || treat(listener.accept().expect("a client").0));
        let answer = ask(&address.into(), Transport::Tcp, &Options::default()).expect("answered");
        let now = Clock::System.now().expect("a date");
        treating.join().expect("no panic");
        (answer, now)
    }

    /// Waits for [`LONG`]. Fails if the client sends octets or closes the connection in this time.
    fn pause(mut stream: &TcpStream) {
        stream.set_read_timeout(Some(LONG)).expect("set");
        let error = stream.read(&mut [0]).expect_err("the client listens");
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    }

    #[test]
    fn over_tcp_the_window_ends_with_the_first_line() {
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
    fn over_tcp_the_window_ends_with_the_last_piece_of_the_line() {
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
    fn over_tcp_the_window_starts_with_connecting() {
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

    /// Starts a server that sends nothing. While the client waits for the reply, the server resets
    /// its only connection.
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
            client.ask_addresses(addresses, Transport::Tcp, &Options::default())
        };
        let (address, resetting) = resets();
        let error = ask(&[address]).expect_err("a reset");
        mentions(&error, &[&address.to_string(), "Connection reset", "os error 104"]);
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
    fn a_question_without_an_address_fails_but_is_not_a_timeout() {
        let mut client = Client::new().expect("a client");
        for transport in Transport::BOTH {
            let asked = client.ask_addresses(&[], transport, &Options::default());
            let error = asked.expect_err("nothing to ask");
            assert!(matches!(error, AskError::NothingToAsk) && !error.is_timeout(), "{error}");
        }
    }

    #[test]
    fn a_timeout_of_zero_is_the_same_error_for_every_target() {
        let options = Options::default().timeout(Duration::ZERO);
        for target in ["localhost", "127.0.0.1", "192.0.2.79"] {
            for transport in Transport::BOTH {
                let target = target.parse().expect("a target");
                let error = ask(&target, transport, &options).expect_err("no time");
                assert!(matches!(error, AskError::NoTime) && error.is_timeout(), "{error:?}");
                mentions(&error, &["timeout", "0 s", "longer"]);
            }
        }
    }

    #[test]
    fn addresses_resolved_after_the_deadline_are_not_asked() {
        let address = "127.0.0.1:13".parse().expect("an address");
        let mut client = Client::new().expect("a client");
        for transport in Transport::BOTH {
            let asked = client.exchange(&[address], transport, &Options::default(), Instant::now());
            mentions(&asked.expect_err("too late"), &["no time", "127.0.0.1:13"]);
        }
    }

    #[test]
    fn the_window_of_an_empty_stream_ends_with_the_stream() {
        let (answer, _) = ask_tcp(|stream| pause(&stream));
        assert!(answer.octets.is_empty() && answer.arrived.is_some(), "{answer:?}");
        assert!(answer.round_trip > LONG / 2, "{answer:?}");
    }

    #[test]
    fn over_udp_the_window_starts_with_the_first_question() {
        let server = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let address = server.local_addr().expect("bound");
        let answering = thread::spawn(move || {
            let ask = || server.recv_from(&mut [0]).expect("a question").1;
            let lost = ask();
            assert_eq!(ask(), lost, "the same client");
            server.send_to(b"noon\r\n", lost).expect("sent");
        });
        // With one retry, the first wait is one third of the timeout and the second is two thirds.
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
    fn the_largest_timeout_and_limit_are_accepted() {
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

    #[test]
    fn an_answer_reports_the_pause_and_the_timeout_starts_after_the_pause() {
        let server = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let address = server.local_addr().expect("bound");
        let answering = thread::spawn(move || {
            let (_, peer) = server.recv_from(&mut []).expect("a question");
            server.send_to(b"noon\r\n", peer).expect("sent");
        });
        // The public address only causes the pause. The client never queries it, because the first
        // address answers.
        let public = "203.0.113.79:13".parse().expect("address");
        polite::note_asked_before(public, Duration::from_secs(3));
        let options = Options::default().timeout(Duration::from_millis(900)).retries(0);
        let mut client = Client::new().expect("a client");
        let answer = client.ask_addresses(&[address, public], Transport::Udp, &options);
        let answer = answer.expect("answered in time, though the pause is longer than that");
        answering.join().expect("no panic");
        assert!(answer.waited > options.timeout && answer.elapsed < options.timeout, "{answer:?}");
        assert!(answer.round_trip < options.timeout, "{answer:?}");
    }
}
