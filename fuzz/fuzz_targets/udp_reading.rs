//! A server answers with arbitrary datagrams or not at all, and other peers send datagrams too. The
//! UDP client must return the server's first datagram, truncated at the limit.
//!
//! The input consists of the behaviour of server and client, followed by the datagrams, each
//! preceded by its sender and length.

#![no_main]

use daytime::client::{Answer, AskError, AttemptFailure, Options, ask};
use daytime::{Transport, recognise};
use libfuzzer_sys::fuzz_target;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

fuzz_target!(|input: &[u8]| {
    if let Some(plan) = Plan::read(input) {
        plan.run();
    }
});

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    /// Answers one query, and ignores all others.
    Answers,
    /// Closes its port before the client sends a query, so that the client receives an ICMP
    /// message.
    Closed,
    /// Closes its port when a query arrives.
    Closes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    Server,
    /// Another port on the same address.
    OtherPort,
    /// The same port on another address.
    OtherAddress,
}

/// Maximum length of a datagram over IPv4, in octets.
const MAX_DATAGRAM_OCTETS: usize = 65_507;

#[derive(Debug)]
struct Plan {
    host: IpAddr,
    server: Server,
    retries: u32,
    /// Number of queries that the server ignores before it answers one.
    unanswered: u32,
    limit: usize,
    timeout: Duration,
    datagrams: Vec<(Sender, Vec<u8>)>,
}

impl Plan {
    const HEAD: usize = 5;

    fn read(input: &[u8]) -> Option<Self> {
        let (head, rest) = input.split_at_checked(Self::HEAD)?;
        let server = match head[0] % 8 {
            0..6 => Server::Answers,
            6 => Server::Closed,
            _ => Server::Closes,
        };
        let datagrams = datagrams(rest);
        let retries = u32::from(head[1] % 4);
        let unanswered = u32::from(head[1] / 4 % 4) % (retries + 1);
        let answered = datagrams.iter().any(|(sender, _)| *sender == Sender::Server);
        // The timeout is short if the client has to wait for it, and long otherwise, because the
        // machine may be slow.
        let patient = server == Server::Answers && answered && unanswered == 0;
        let timeout = match head[0] & 0x80 {
            0 if patient => Duration::from_secs(20),
            _ => Duration::from_millis(u64::from(head[4] % 4)),
        };
        let limit = match u16::from_le_bytes([head[2], head[3]]) {
            0xff00.. => usize::MAX,
            limit => limit.into(),
        };
        let host = match head[0] & 0x40 {
            0 => Ipv4Addr::LOCALHOST.into(),
            _ => Ipv6Addr::LOCALHOST.into(),
        };
        Some(Self { host, server, retries, unanswered, limit, timeout, datagrams })
    }

    fn is_patient(&self) -> bool {
        self.timeout >= Duration::from_secs(1)
    }

    fn run(&self) {
        let server = UdpSocket::bind((self.host, 0)).expect("loopback");
        let address = server.local_addr().expect("bound");
        let options =
            Options::default().timeout(self.timeout).limit(self.limit).retries(self.retries);
        let started = Instant::now();
        let result = thread::scope(|scope| {
            let server = scope.spawn(|| self.serve(server, address));
            let result = ask(&address.into(), Transport::Udp, &options);
            let farewell = UdpSocket::bind((self.host, 0)).expect("loopback");
            let _ = farewell.send_to(b"end", address);
            server.join().expect("the server does not panic");
            result
        });
        let margin = Duration::from_secs(5);
        assert!(started.elapsed() < self.timeout + margin, "{self:?} took {:?}", started.elapsed());
        match result {
            Ok(answer) => self.check_answer(&answer, address),
            Err(error) => self.check_error(&error),
        }
    }

    /// Serves until the last datagram of the test, the only one that is not empty.
    fn serve(&self, socket: UdpSocket, address: SocketAddr) {
        if self.server == Server::Closed {
            return;
        }
        let mut questions = 0;
        while let Ok((0, client)) = socket.recv_from(&mut [0; 8]) {
            if self.server == Server::Closes {
                return;
            }
            if questions == self.unanswered {
                self.answer(&socket, address, client);
            }
            questions += 1;
        }
    }

    /// Sends the datagrams. Errors are ignored, because the client may have closed its port.
    fn answer(&self, socket: &UdpSocket, address: SocketAddr, client: SocketAddr) {
        for (sender, octets) in &self.datagrams {
            let stranger = match sender {
                Sender::Server => {
                    let _ = socket.send_to(octets, client);
                    continue;
                }
                Sender::OtherPort => UdpSocket::bind((self.host, 0)),
                Sender::OtherAddress => UdpSocket::bind(("127.0.0.2", address.port())),
            };
            let _ = stranger.and_then(|stranger| stranger.send_to(octets, client));
        }
    }

    fn check_answer(&self, answer: &Answer, address: SocketAddr) {
        assert_eq!(self.server, Server::Answers);
        let mut ours = self.datagrams.iter().filter(|(sender, _)| *sender == Sender::Server);
        let (_, sent) = ours.next().expect("the server had sent nothing");
        assert_eq!(answer.truncated, sent.len() > self.limit, "{self:?}: {answer:?}");
        assert_eq!(answer.octets, sent[..sent.len().min(self.limit)], "{self:?}");
        assert_eq!((answer.transport, answer.peer), (Transport::Udp, address));
        assert!((self.unanswered + 1..=self.retries + 1).contains(&answer.questions), "{self:?}");
        assert_eq!(answer.reads, [answer.octets.len()]);
        assert_eq!((answer.connected_after, answer.round_trip), (None, answer.elapsed));
        assert!(answer.arrived.is_some());
        assert!(is_printable(&answer.text()), "{:?}", answer.text());
        check_offset(answer);
    }

    fn check_error(&self, error: &AskError) {
        let text = error.to_string();
        assert!(is_printable(&text), "{text:?}");
        if matches!(error, AskError::NoTime) {
            assert!(self.timeout.is_zero(), "{self:?}");
            return;
        }
        let AskError::NoAnswer { transport, attempts, .. } = error else {
            panic!("{self:?}: {error:?}");
        };
        assert_eq!(*transport, Transport::Udp);
        assert!(!self.is_patient(), "{self:?}: {error:?}");
        let [attempt] = &attempts[..] else { panic!("{self:?}: {attempts:?}") };
        match &attempt.failure {
            // A timeout of a few milliseconds may end before the client sends its first query.
            AttemptFailure::Untried => {}
            AttemptFailure::Refused => assert_ne!(self.server, Server::Answers, "{self:?}"),
            AttemptFailure::Silent { questions, .. } => {
                // A wait takes at least a millisecond, so there may be no time for all queries.
                assert!((1..=self.retries + 1).contains(questions), "{self:?}: {questions}");
            }
            other => panic!("{self:?}: {other:?}"),
        }
    }
}

/// Reads the datagrams. Two octets before each datagram give its sender and its length.
fn datagrams(mut input: &[u8]) -> Vec<(Sender, Vec<u8>)> {
    const MAX_DATAGRAMS: usize = 8;
    let mut datagrams = Vec::new();
    while let Some(([sender, length], rest)) = input.split_first_chunk()
        && datagrams.len() < MAX_DATAGRAMS
    {
        let whole = if *length == 255 { rest.len() } else { usize::from(*length) };
        let (octets, rest) = rest.split_at(whole.min(rest.len()));
        let long = *sender & 0x80 != 0 && !octets.is_empty();
        let octets =
            if long { octets.repeat(MAX_DATAGRAM_OCTETS / octets.len()) } else { octets.to_vec() };
        let sender = match *sender % 4 {
            0 | 1 => Sender::Server,
            2 => Sender::OtherPort,
            _ => Sender::OtherAddress,
        };
        datagrams.push((sender, octets));
        input = rest;
    }
    datagrams
}

/// The uncertainty must be at least half the round trip plus the resolution.
fn check_offset(answer: &Answer) {
    let read = recognise(&answer.octets);
    match answer.offset() {
        Some(offset) => {
            let read = read.expect("a time");
            assert!(read.utc().is_some() && !answer.truncated, "{answer:?}");
            assert!(offset.uncertainty >= answer.round_trip / 2 + read.resolution, "{answer:?}");
        }
        None => {
            let instant = read.is_ok_and(|read| read.utc().is_some());
            assert!(!instant || answer.truncated, "{answer:?}");
        }
    }
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|octet| (b' '..=b'~').contains(&octet))
}
