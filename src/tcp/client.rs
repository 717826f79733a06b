//! The stream client: connects, reads until the end of the stream.

pub(crate) use super::connect::NotConnected;
use super::connect::{Connected, connect};
use crate::calls::{Calls, Observer, Waiter};
use crate::syntax::BYTE_ORDER_MARK;
use mio::net::TcpStream;
use std::io::{self, Read};
use std::mem;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// What one exchange brought, or had brought when it was broken off.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub peer: SocketAddr,
    pub octets: Vec<u8>,
    /// From the start to the connection.
    pub connected_after: Duration,
    /// From the first packet of this connection until the first line was there, or the end of a stream
    /// without any.
    pub round_trip: Duration,
    /// When that was.
    pub came: Instant,
    /// From the start to the end of the stream, or until it was broken off.
    pub ended_after: Duration,
    /// Octets of each read, without the last one, which gave none: the end of the stream.
    pub reads: Vec<usize>,
}

/// Why there is no reply, or not all of it.
#[derive(Debug)]
pub(crate) enum TcpError {
    /// No address could be connected to.
    NotConnected(NotConnected),
    /// The stream stopped short of its end; what had come until then may be the reply or a part of it.
    Incomplete(Box<Exchange>, Stop),
}

/// Asks the first of `addresses` that connects, and reads until the server closes (RFC 867, "TCP Based
/// Daytime Service"), all before `deadline` and at most `limit` octets. After a connection that breaks without
/// any octets the other addresses are asked: whether a reset is found while connecting or reading is chance.
pub(crate) fn exchange(
    addresses: &[SocketAddr],
    deadline: Instant,
    limit: usize,
    waiter: &mut Waiter,
    calls: &mut Calls,
    observe: &mut Observer,
) -> Result<Exchange, TcpError> {
    let started = Instant::now();
    let (mut left, mut failed) = (addresses.to_vec(), Vec::new());
    loop {
        let mut connected = connect(&left, deadline, waiter, calls).map_err(|mut others| {
            others.failed.splice(0..0, failed.drain(..));
            TcpError::NotConnected(others)
        })?;
        let others = mem::take(&mut connected.others);
        match read(connected, started, deadline, limit, waiter, calls, observe) {
            Err(TcpError::Incomplete(exchange, Stop::Broken(cause)))
                if exchange.octets.is_empty() =>
            {
                failed.extend(others.failed);
                failed.push((exchange.peer, cause));
                let silent = others.silent.into_iter().map(|(peer, _)| peer);
                left = silent.chain(others.untried).collect();
            }
            done => return done,
        }
    }
}

/// Reads a connection to the end of its stream.
fn read(
    connected: Connected,
    started: Instant,
    deadline: Instant,
    limit: usize,
    waiter: &mut Waiter,
    calls: &mut Calls,
    observe: &mut Observer,
) -> Result<Exchange, TcpError> {
    let Connected { mut stream, peer, asked, reset, .. } = connected;
    let connected_after = started.elapsed();
    let mut incoming = Incoming { octets: Vec::new(), reads: Vec::new(), limit };
    let (came, ended) = incoming.read_to_end(&mut stream, deadline, waiter, calls);
    let ended_after = started.elapsed();
    observe(stream.as_fd());
    calls.close(stream);
    let Incoming { octets, reads, .. } = incoming;
    let round_trip = came.saturating_duration_since(asked);
    let exchange = Exchange { peer, octets, connected_after, round_trip, came, ended_after, reads };
    // The error of a reset is reported once: the end after it looks like a clean one.
    match ended.and(reset.map_or(Ok(()), |cause| Err(Stop::Broken(cause)))) {
        Ok(()) => Ok(exchange),
        Err(stop) => Err(TcpError::Incomplete(Box::new(exchange), stop)),
    }
}

/// Ways for a stream to stop short of its end.
#[derive(Debug)]
pub(crate) enum Stop {
    Deadline,
    Limit,
    Broken(io::Error),
}

struct Incoming {
    octets: Vec<u8>,
    reads: Vec<usize>,
    limit: usize,
}

impl Incoming {
    /// Reads to the end of the stream, or to what stops it short. Returns also when the first line was there,
    /// as far as it came; or when a stream without any octets was over.
    fn read_to_end(
        &mut self,
        stream: &mut TcpStream,
        deadline: Instant,
        waiter: &mut Waiter,
        calls: &mut Calls,
    ) -> (Instant, Result<(), Stop>) {
        let (mut line, mut came) = (Line::default(), None);
        let ended = loop {
            match self.read(stream, &mut line, &mut came, calls) {
                Ok(0) => break Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if let Err(error) = waiter.wait(deadline, calls) {
                        break Err(Stop::Broken(error));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(Stop::Broken(error)),
            }
            if self.octets.len() > self.limit {
                self.octets.truncate(self.limit);
                break Err(Stop::Limit);
            }
            // Here, and not only where it waits: a server that never stops sending is no excuse.
            if Instant::now() >= deadline {
                break Err(Stop::Deadline);
            }
        };
        (came.unwrap_or_else(Instant::now), ended)
    }

    /// Reads once, and notes when the first line came, as long as it is not whole.
    fn read(
        &mut self,
        stream: &mut TcpStream,
        line: &mut Line,
        came: &mut Option<Instant>,
        calls: &mut Calls,
    ) -> io::Result<usize> {
        let mut buffer = [0; 2048];
        calls.add("recv");
        let length = stream.read(&mut buffer)?;
        if length > 0 {
            if !line.ended {
                *came = Some(Instant::now());
                line.take(&buffer[..length]);
            }
            self.reads.push(length);
            self.octets.extend_from_slice(&buffer[..length]);
        }
        Ok(length)
    }
}

/// How much of the first line has come. Blank lines before it, as NIST's servers send one, do not count, and
/// neither does a byte order mark: the line is the one that `syntax` reads.
#[derive(Default)]
struct Line {
    /// Octets so far, as far as the mark could go.
    start: usize,
    begun: bool,
    ended: bool,
}

impl Line {
    fn take(&mut self, octets: &[u8]) {
        for octet in octets {
            let mark = BYTE_ORDER_MARK.get(self.start) == Some(octet);
            self.start = if mark { self.start + 1 } else { usize::MAX };
            match octet {
                b'\r' | b'\n' | 0 => self.ended |= self.begun,
                b' ' | b'\t' => {}
                _ => self.begun |= !mark,
            }
        }
    }
}
