//! A server sends arbitrary octets in arbitrary pieces, and ends the connection in one of several ways. The TCP client
//! must return the octets sent, or an error that describes the failure.
//!
//! The input consists of the server's behaviour, followed by the octets that the server sends.

#![no_main]

use daytime::client::{Answer, AskError, Attempt, AttemptFailure, Interruption, Options, ask};
use daytime::{Transport, recognise};
use libfuzzer_sys::fuzz_target;
use socket2::SockRef;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Deref;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

fuzz_target!(|input: &[u8]| {
    if let Some(plan) = Plan::read(input) {
        plan.run();
    }
});

/// The way in which the server ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Closes the connection normally.
    Close,
    /// Closes its sending direction, and then waits for the client to close.
    HalfClose,
    /// Keeps the connection open until the client closes it.
    Never,
    /// Closes the listener before it accepts. Linux resets the connection. If the handshake completes at that moment,
    /// Linux sends a FIN or nothing (observed with tcpdump on Linux 6.18).
    Unaccepted,
    /// Resets the connection. The reset can arrive before the client has read the octets.
    Reset,
}

#[derive(Debug)]
struct Plan<'a> {
    host: IpAddr,
    end: End,
    limit: usize,
    timeout: Duration,
    /// The lengths of the pieces, used in turn.
    pieces: &'a [u8],
    octets: &'a [u8],
}

impl<'a> Plan<'a> {
    const HEAD: usize = 6;

    fn read(input: &'a [u8]) -> Option<Self> {
        let (head, octets) = input.split_at_checked(Self::HEAD)?;
        let end = match head[0] % 8 {
            0..4 => End::Close,
            4 => End::HalfClose,
            5 => End::Never,
            6 => End::Unaccepted,
            _ => End::Reset,
        };
        // The timeout is short if the client may have to wait for it, and long otherwise, because
        // the machine may be slow.
        let timeout = match (end, head[0] & 0x80) {
            (End::Never | End::Unaccepted, _) | (_, 0x80) => {
                Duration::from_millis(u64::from(head[1] % 4))
            }
            _ => Duration::from_secs(20),
        };
        Some(Self {
            host: match head[0] & 0x40 {
                0 => Ipv4Addr::LOCALHOST.into(),
                _ => Ipv6Addr::LOCALHOST.into(),
            },
            end,
            limit: match u16::from_le_bytes([head[2], head[3]]) {
                0xff00.. => usize::MAX,
                limit => limit.into(),
            },
            timeout,
            pieces: &head[4..],
            octets,
        })
    }

    fn run(&self) {
        let listener = Listener::of(self);
        let address = listener.local_addr().expect("bound");
        let options = Options::default().timeout(self.timeout).limit(self.limit);
        let started = Instant::now();
        let (result, line) = thread::scope(|scope| {
            let server = scope.spawn(|| self.serve(listener));
            let result = ask(&address.into(), Transport::Tcp, &options);
            if result.is_err() {
                drop(TcpStream::connect(address)); // in case the server is still waiting for a connection
            }
            (result, server.join().expect("the server does not panic"))
        });
        let margin = Duration::from_secs(5);
        assert!(started.elapsed() < self.timeout + margin, "{self:?} took {:?}", started.elapsed());
        match result {
            Ok(answer) => {
                assert!(line.is_none_or(|line| line <= answer.round_trip), "{answer:?}: {line:?}");
                self.check_answer(&answer, address);
            }
            Err(error) => self.check_error(&error, address),
        }
    }

    /// Serves one connection. Errors are ignored, because the client may have closed the
    /// connection. Returns the time between accepting the connection and sending the first line.
    fn serve(&self, listener: Listener) -> Option<Duration> {
        if self.end == End::Unaccepted {
            return None;
        }
        let (stream, _) = listener.accept().ok()?;
        let (accepted, mut line) = (Instant::now(), None);
        let _ = self.talk(stream, &mut line);
        line.map(|line| line.duration_since(accepted))
    }

    fn talk(&self, mut stream: TcpStream, line: &mut Option<Instant>) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut left = self.octets;
        for piece in self.pieces.iter().cycle() {
            // 255 means all octets at once. Other values are one less than the length, so no piece is empty.
            let length = if *piece == 255 { left.len() } else { usize::from(*piece) + 1 };
            let (piece, rest) = left.split_at(length.min(left.len()));
            let blank = |octet: &u8| matches!(octet, b'\r' | b'\n' | 0 | b' ' | b'\t');
            let begun = self.octets[..self.octets.len() - rest.len()].iter().any(|it| !blank(it));
            *line = line.or(begun.then(Instant::now));
            stream.write_all(piece)?;
            left = rest;
            if left.is_empty() {
                break;
            }
        }
        match self.end {
            End::Close | End::Unaccepted => Ok(()),
            End::Reset => SockRef::from(&stream).set_linger(Some(Duration::ZERO)),
            End::HalfClose | End::Never => {
                if self.end == End::HalfClose {
                    stream.shutdown(std::net::Shutdown::Write)?;
                }
                stream.read(&mut [0]).map(drop) // until the client closes
            }
        }
    }

    fn check_answer(&self, answer: &Answer, address: SocketAddr) {
        let sent = match self.end {
            End::Close | End::HalfClose => self.octets,
            End::Unaccepted => &[],
            End::Never | End::Reset => panic!("{self:?}: {answer:?}"),
        };
        assert_eq!(answer.octets, sent, "{self:?}");
        assert!(answer.octets.len() <= self.limit, "{self:?}");
        assert_eq!((answer.transport, answer.peer), (Transport::Tcp, address));
        assert_eq!((answer.truncated, answer.questions), (false, 0));
        assert_eq!(answer.reads.iter().sum::<usize>(), answer.octets.len());
        assert!(!answer.reads.contains(&0));
        assert!(answer.connected_after.is_some_and(|after| after <= answer.elapsed));
        assert!(answer.round_trip <= answer.elapsed && answer.arrived.is_some(), "{answer:?}");
        assert!(is_printable(&answer.text()), "{:?}", answer.text());
        check_offset(answer);
    }

    fn check_error(&self, error: &AskError, address: SocketAddr) {
        let text = error.to_string();
        assert!(is_printable(&text), "{text:?}");
        let patient = self.timeout >= Duration::from_secs(1);
        match error {
            AskError::Incomplete { partial, cause } => {
                assert_eq!(partial.peer, address);
                self.check_begun(&partial.octets);
                assert!(partial.round_trip <= partial.elapsed, "{partial:?}");
                match cause {
                    Interruption::Limit { limit } => {
                        assert!(self.octets.len() > self.limit, "{self:?}");
                        assert_eq!(*limit, self.limit);
                    }
                    Interruption::Timeout { timeout } => {
                        assert!(!patient, "{self:?}: {error}");
                        assert_eq!(*timeout, self.timeout);
                    }
                    _ => assert!(matches!(self.end, End::Reset | End::Unaccepted), "{self:?}"),
                }
            }
            AskError::NoAnswer { transport, attempts, .. } => {
                assert_eq!(*transport, Transport::Tcp);
                attempts.iter().for_each(|attempt| self.check_attempt(attempt));
                assert!(!(patient && attempts.is_empty()), "{self:?}: {error:?}");
            }
            AskError::NoTime => assert!(self.timeout.is_zero(), "{self:?}"),
            other => panic!("{self:?}: {other:?}"),
        }
    }

    /// The octets received before an error must be the start of the reply.
    fn check_begun(&self, octets: &[u8]) {
        assert!(
            self.octets.starts_with(octets) && octets.len() <= self.limit,
            "{self:?}: {octets:?}"
        );
    }

    fn check_attempt(&self, attempt: &Attempt) {
        let patient = self.timeout >= Duration::from_secs(1);
        match &attempt.failure {
            // A reset can arrive before the client notices that the connection was established.
            AttemptFailure::Failed { .. } | AttemptFailure::Refused => {
                assert!(matches!(self.end, End::Reset | End::Unaccepted), "{self:?}: {attempt:?}");
            }
            AttemptFailure::Silent { questions, .. } => {
                assert!(!patient && *questions == 0, "{self:?}");
            }
            AttemptFailure::Untried => assert!(!patient, "{self:?}"),
            other => panic!("{self:?}: {other:?}"),
        }
    }
}

/// The server's listener. Most runs share one listener per address family, because thousands of connections in
/// TIME_WAIT make it slow to find a free port. A run that closes its listener has a separate one.
enum Listener {
    Kept(&'static TcpListener),
    Own(TcpListener),
}

impl Listener {
    fn of(plan: &Plan) -> Self {
        static KEPT: [OnceLock<TcpListener>; 2] = [OnceLock::new(), OnceLock::new()];
        let open = || TcpListener::bind((plan.host, 0)).expect("loopback");
        if plan.end == End::Unaccepted {
            return Self::Own(open());
        }
        let kept = KEPT[usize::from(plan.host.is_ipv6())].get_or_init(open);
        // Accepts and drops the connections that earlier runs left in the backlog.
        kept.set_nonblocking(true).expect("set");
        while kept.accept().is_ok() {}
        kept.set_nonblocking(false).expect("set");
        Self::Kept(kept)
    }
}

impl Deref for Listener {
    type Target = TcpListener;

    fn deref(&self) -> &TcpListener {
        match self {
            Self::Kept(listener) => listener,
            Self::Own(listener) => listener,
        }
    }
}

/// The uncertainty must be at least half the round trip plus the resolution.
fn check_offset(answer: &Answer) {
    let read = recognise(&answer.octets);
    match answer.offset() {
        Some(offset) => {
            let read = read.expect("a time");
            assert!(read.utc().is_some(), "{answer:?}");
            assert!(offset.uncertainty >= answer.round_trip / 2 + read.resolution, "{answer:?}");
        }
        None => assert!(!read.is_ok_and(|read| read.utc().is_some()), "{answer:?}"),
    }
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|octet| (b' '..=b'~').contains(&octet))
}
