//! The stream client: connects, reads until the end of the stream.

use super::connect::{Connected, connect};
use crate::asking::{Attempt, Interruption, Received, Sockets, Unanswered};
use crate::syntax::Frame;
use crate::transport::Transport::Tcp;
use mio::net::TcpStream;
use std::io::{self, Read};
use std::mem;
use std::net::SocketAddr;
use std::time::Instant;

/// Asks the first of `addresses` that connects, and reads until the server closes (RFC 867, "TCP Based
/// Daytime Service"). After a connection that breaks without any octets the other addresses are asked: whether
/// a reset is found while connecting or reading is chance.
pub(crate) fn exchange(
    addresses: &[SocketAddr],
    sockets: &mut Sockets,
) -> Result<Received, Unanswered> {
    let started = Instant::now();
    let (mut left, mut failed) = (addresses.to_vec(), Vec::new());
    loop {
        let mut connected = match connect(&left, sockets) {
            Ok(connected) => connected,
            Err(others) => {
                failed.extend(others);
                return Err(Unanswered::NoAnswer(failed));
            }
        };
        let others = mem::take(&mut connected.others);
        match read(connected, started, sockets) {
            Err(Unanswered::Incomplete(received, Interruption::Broken(cause)))
                if received.octets.is_empty() =>
            {
                let (open, closed): (Vec<_>, _) = others.into_iter().partition(Attempt::is_open);
                failed.extend(closed);
                failed.push(Attempt::failed(Tcp, received.peer, cause));
                left = open.into_iter().map(|attempt| attempt.peer).collect();
            }
            done => return done,
        }
    }
}

/// Reads a connection to the end of its stream.
fn read(
    connected: Connected,
    started: Instant,
    sockets: &mut Sockets,
) -> Result<Received, Unanswered> {
    let Connected { mut stream, peer, asked, reset, .. } = connected;
    let connected_after = Some(started.elapsed());
    let mut incoming = Incoming::default();
    let ended = incoming.read_to_end(&mut stream, sockets);
    let arrived = incoming.line_arrived.unwrap_or_else(Instant::now);
    let received = Received {
        peer,
        octets: incoming.octets,
        reads: incoming.reads,
        truncated: false,
        questions: 0,
        connected_after,
        elapsed: started.elapsed(),
        round_trip: arrived.saturating_duration_since(asked),
        arrived,
    };
    sockets.finish(stream);
    // The error of a reset is reported once: the end after it looks like a clean one.
    match ended.and(reset.map_or(Ok(()), |cause| Err(Interruption::Broken(cause)))) {
        Ok(()) => Ok(received),
        Err(cause) => Err(Unanswered::Incomplete(Box::new(received), cause)),
    }
}

#[derive(Default)]
struct Incoming {
    octets: Vec<u8>,
    reads: Vec<usize>,
    /// When the last octet of the first line came, as far as it has come; `None` for no octets.
    line_arrived: Option<Instant>,
    line_ended: bool,
}

impl Incoming {
    /// Reads to the end of the stream, or to what stops it short.
    fn read_to_end(
        &mut self,
        stream: &mut TcpStream,
        sockets: &mut Sockets,
    ) -> Result<(), Interruption> {
        let (limit, timeout) = (sockets.limit, sockets.timeout);
        loop {
            match self.read(stream, sockets) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    sockets.wait(sockets.deadline).map_err(Interruption::Broken)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Interruption::Broken(error)),
            }
            if self.octets.len() > limit {
                self.octets.truncate(limit);
                return Err(Interruption::Limit { limit });
            }
            // Here, and not only where it waits: a server that never stops sending is no excuse.
            if Instant::now() >= sockets.deadline {
                return Err(Interruption::Timeout { timeout });
            }
        }
    }

    /// Reads once, and notes when the first line came, as long as it is not whole.
    fn read(&mut self, stream: &mut TcpStream, sockets: &mut Sockets) -> io::Result<usize> {
        let mut buffer = [0; 2048];
        sockets.record("recv");
        let length = stream.read(&mut buffer)?;
        if length > 0 {
            let now = Instant::now();
            self.reads.push(length);
            self.octets.extend_from_slice(&buffer[..length]);
            if !self.line_ended {
                self.line_arrived = Some(now);
                self.line_ended = Frame::of(&self.octets).ended;
            }
        }
        Ok(length)
    }
}
