//! The stream client: connects, reads until the end of the stream.

pub(crate) use super::connect::NotConnected;
use super::connect::{Connected, connect};
use crate::calls::{Calls, Observer, Waiter};
use crate::syntax::BYTE_ORDER_MARK;
use mio::net::TcpStream;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// What one exchange brought.
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
    /// From the start to the end of the stream.
    pub ended_after: Duration,
    /// Octets of each read, without the last one, which gave none: the end of the stream.
    pub reads: Vec<usize>,
}

/// Why there is no reply.
#[derive(Debug)]
pub(crate) enum TcpError {
    /// No address could be connected to.
    NotConnected(NotConnected),
    /// The stream had not ended by the deadline.
    NoEnd { peer: SocketAddr, octets: Vec<u8> },
    /// The stream went on beyond the limit.
    TooLong { peer: SocketAddr },
    /// The connection broke; what had come until then may be the reply or a part of it.
    Broken { peer: SocketAddr, octets: Vec<u8>, cause: io::Error },
}

/// Asks the first of `addresses` that connects, and reads until the server closes (RFC 867, "TCP Based
/// Daytime Service"), all before `deadline` and at most `limit` octets.
pub(crate) fn exchange(
    addresses: &[SocketAddr],
    deadline: Instant,
    limit: usize,
    waiter: &mut Waiter,
    calls: &mut Calls,
    observe: &mut Observer,
) -> Result<Exchange, TcpError> {
    let started = Instant::now();
    let Connected { mut stream, peer, asked } =
        connect(addresses, deadline, waiter, calls).map_err(TcpError::NotConnected)?;
    let connected_after = started.elapsed();
    let mut incoming = Incoming { octets: Vec::new(), reads: Vec::new(), limit };
    let ended = incoming.read_to_end(&mut stream, deadline, waiter, calls);
    let ended_after = started.elapsed();
    observe(stream.as_fd());
    calls.close(stream);
    let Incoming { octets, reads, .. } = incoming;
    match ended {
        Ok(came) => {
            let round_trip = came.saturating_duration_since(asked);
            Ok(Exchange { peer, octets, connected_after, round_trip, came, ended_after, reads })
        }
        Err(End::Deadline) => Err(TcpError::NoEnd { peer, octets }),
        Err(End::Limit) => Err(TcpError::TooLong { peer }),
        Err(End::Broken(cause)) => Err(TcpError::Broken { peer, octets, cause }),
    }
}

/// Ways for a stream to stop short of its end.
enum End {
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
    /// When the first line was there, as far as it came; or the end of a stream without any octets.
    fn read_to_end(
        &mut self,
        stream: &mut TcpStream,
        deadline: Instant,
        waiter: &mut Waiter,
        calls: &mut Calls,
    ) -> Result<Instant, End> {
        let mut buffer = [0; 2048];
        let (mut line, mut came) = (Line::default(), None);
        loop {
            calls.add("recv");
            match stream.read(&mut buffer) {
                Ok(length) => {
                    let now = Instant::now();
                    if length == 0 {
                        return Ok(came.unwrap_or(now));
                    }
                    if !line.ended {
                        came = Some(now);
                        line.take(&buffer[..length]);
                    }
                    self.reads.push(length);
                    self.octets.extend_from_slice(&buffer[..length]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    waiter.wait(deadline, calls).map_err(End::Broken)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(End::Broken(error)),
            }
            if self.octets.len() > self.limit {
                return Err(End::Limit);
            }
            // Here, and not only where it waits: a server that never stops sending is no excuse.
            if Instant::now() >= deadline {
                return Err(End::Deadline);
            }
        }
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
