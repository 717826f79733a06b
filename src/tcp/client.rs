//! The TCP client: connects, and reads to the end of the stream.

use super::connect::{Race, Winner};
use crate::asking::{Answer, AskError, Interruption, Question, clock_at};
use crate::syntax::Frame;
use crate::transport::Transport::Tcp;
use std::io::{self, Read};
use std::mem;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Instant;

/// Connects to `addresses`, and reads from the first connection until the server closes it (RFC
/// 867, "TCP Based Daytime Service"). If the connection breaks before the first octet arrives,
/// tries the other addresses. It is a matter of chance whether the client notices a reset while it
/// connects or while it reads, so both cases have the same effect.
pub(crate) fn exchange(
    addresses: &[SocketAddr],
    question: &mut Question,
) -> Result<(Answer, OwnedFd), AskError> {
    let (started, timeout) = (Instant::now(), question.timeout);
    let mut race = Race::new(addresses, question);
    while let Some(winner) = race.connect() {
        match read(winner, started, race.question) {
            Err(AskError::Incomplete { partial, cause: Interruption::Broken { cause } })
                if partial.octets.is_empty() =>
            {
                race.question.calls = partial.calls;
                race.fail(partial.peer, cause);
            }
            done => return done,
        }
    }
    Err(AskError::NoAnswer { transport: Tcp, timeout, attempts: race.end() })
}

/// Reads from a connection to the end of its stream.
fn read(
    (mut connection, reset): Winner,
    started: Instant,
    question: &mut Question,
) -> Result<(Answer, OwnedFd), AskError> {
    let connected_after = Some(started.elapsed());
    let mut incoming = Incoming::default();
    let ended = incoming.read_to_end(&mut connection.stream, question);
    let (elapsed, arrived) = (started.elapsed(), incoming.line_arrived);
    let arrived = arrived.unwrap_or_else(Instant::now);
    question.record("close");
    let answer = Answer {
        transport: Tcp,
        peer: connection.peer,
        octets: incoming.octets,
        truncated: false,
        waited: question.waited,
        connected_after,
        elapsed,
        round_trip: arrived.saturating_duration_since(connection.started),
        arrived: clock_at(arrived),
        reads: incoming.reads,
        questions: 0,
        calls: mem::take(&mut question.calls),
    };
    // The kernel reports a reset only once. If `connect` has already seen the reset, reading ends
    // normally, so report it here.
    match ended.and(reset.map_or(Ok(()), |cause| Err(Interruption::Broken { cause }))) {
        Ok(()) => Ok((answer, connection.stream.into())),
        Err(cause) => Err(AskError::incomplete(answer, cause)),
    }
}

#[derive(Default)]
struct Incoming {
    octets: Vec<u8>,
    reads: Vec<usize>,
    /// Time at which the end of the first line arrived. While that line is incomplete, the time at
    /// which the last octets arrived. `None` if no octet has arrived.
    line_arrived: Option<Instant>,
    line_ended: bool,
}

impl Incoming {
    /// Reads until the end of the stream, an error, the octet limit or the deadline.
    fn read_to_end(
        &mut self,
        stream: &mut TcpStream,
        question: &mut Question,
    ) -> Result<(), Interruption> {
        let (limit, timeout) = (question.limit, question.timeout);
        loop {
            match self.read(stream, question) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let waited = question.wait(question.deadline);
                    waited.map_err(|cause| Interruption::Broken { cause })?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(Interruption::Broken { cause }),
            }
            if self.octets.len() > limit {
                self.octets.truncate(limit);
                return Err(Interruption::Limit { limit });
            }
            // Checks the deadline after every read. Otherwise a server that never stops sending
            // could keep the client past the deadline.
            if Instant::now() >= question.deadline {
                return Err(Interruption::Timeout { timeout });
            }
        }
    }

    /// Reads once. Records the arrival time until the first line is complete.
    fn read(&mut self, stream: &mut TcpStream, question: &mut Question) -> io::Result<usize> {
        let mut buffer = [0; 2048];
        question.record("recv");
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
