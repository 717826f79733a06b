//! The UDP client: asks with an empty datagram, and accepts an answer only from the address it
//! asked.

pub(crate) use super::retries::Retries;
use super::retries::Schedule;
use crate::asking::{Answer, AskError, Attempt, AttemptFailure, Question, clock_at};
use crate::transport::Transport::Udp;
use mio::Interest;
use std::io;
use std::mem;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::Instant;

/// Maximum octets of a datagram, whatever the limit.
const MAX_DATAGRAM: usize = u16::MAX as usize;

/// Asks the addresses one after the other until one answers, with retries to each (RFC 867, "UDP
/// Based Daytime Service").
///
/// The socket is connected, so the kernel drops datagrams of other peers and reports ICMP errors.
/// Each exchange with an address has its own socket, because RFC 867 gives no way to detect a late
/// answer to an earlier exchange. Such an answer then goes to a closed port.
pub(crate) fn exchange(
    addresses: &[SocketAddr],
    retries: Retries,
    question: &mut Question,
) -> Result<(Answer, OwnedFd), AskError> {
    let begun = Instant::now();
    let time = question.deadline.saturating_duration_since(begun);
    let mut schedule = Schedule::new(addresses, retries, time);
    let mut attempts = Vec::new();
    while let Some(peer) = schedule.next_address(begun.elapsed()) {
        match ask_address(peer, &mut schedule, begun, question) {
            Ok(answered) => return Ok(answered),
            Err(attempt) => attempts.push(attempt),
        }
    }
    let untried = |peer| Attempt::new(Udp, peer, AttemptFailure::Untried);
    attempts.extend(schedule.untried().map(untried));
    attempts.sort_by_key(Attempt::is_open); // failed addresses first
    Err(AskError::NoAnswer { transport: Udp, timeout: question.timeout, attempts })
}

/// Asks one address until it answers, its host reports a closed port, or its share of the time
/// ends.
fn ask_address(
    peer: SocketAddr,
    schedule: &mut Schedule,
    begun: Instant,
    question: &mut Question,
) -> Result<(Answer, OwnedFd), Attempt> {
    let failed = |cause| Attempt::failed(Udp, peer, cause);
    let mut asking = Asking::open(peer, question).map_err(failed)?;
    while schedule.next_question(begun.elapsed()) {
        match asking.ask(schedule, begun, question) {
            Ok(Some(answer)) => return Ok((answer, asking.socket.into())),
            Ok(None) => {}
            Err(cause) => {
                question.close(asking.socket);
                return Err(failed(cause));
            }
        }
    }
    question.close(asking.socket);
    let (questions, waited) = (asking.questions, asking.opened.elapsed());
    Err(Attempt::new(Udp, peer, AttemptFailure::Silent { questions, waited }))
}

/// One address and the socket that asks it.
struct Asking {
    socket: UdpSocket,
    peer: SocketAddr,
    questions: u32,
    opened: Instant,
}

impl Asking {
    fn open(peer: SocketAddr, question: &mut Question) -> io::Result<Self> {
        let socket = UdpSocket::from(question.connect(peer, socket2::Type::DGRAM)?);
        question.watch(&socket, 0, Interest::READABLE)?;
        Ok(Self { socket, peer, questions: 0, opened: Instant::now() })
    }

    fn ask(
        &mut self,
        schedule: &Schedule,
        begun: Instant,
        question: &mut Question,
    ) -> io::Result<Option<Answer>> {
        question.record("send");
        self.socket.send(&[])?;
        let until = begun + schedule.wait_until(begun.elapsed());
        self.questions += 1;
        log::debug!("udp {}: question {} sent", self.peer, self.questions);
        self.answer(until, question)
    }

    /// Waits for the first datagram before `until`, even an empty one.
    fn answer(&self, until: Instant, question: &mut Question) -> io::Result<Option<Answer>> {
        // With one octet above the limit, recv(2) shows whether the datagram was longer.
        let limit = question.limit.min(MAX_DATAGRAM);
        let mut buffer = vec![0; limit + 1];
        loop {
            // An answer that has already arrived is also an event, so waiting first loses none.
            if question.wait(until)?.is_empty() && Instant::now() >= until {
                return Ok(None);
            }
            question.record("recv");
            match self.socket.recv(&mut buffer) {
                Ok(length) => {
                    buffer.truncate(length.min(limit));
                    return Ok(Some(self.received(buffer, length > limit, question)));
                }
                Err(error) if is_transient(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the answer that has just arrived. Its round trip starts with the first question,
    /// because RFC 867 does not say which question the server answered.
    fn received(&self, octets: Vec<u8>, truncated: bool, question: &mut Question) -> Answer {
        let arrived = Instant::now();
        let elapsed = arrived.saturating_duration_since(self.opened);
        question.record("close");
        Answer {
            transport: Udp,
            peer: self.peer,
            reads: vec![octets.len()],
            octets,
            truncated,
            waited: question.waited,
            connected_after: None,
            elapsed,
            round_trip: elapsed,
            arrived: clock_at(arrived),
            questions: self.questions,
            calls: mem::take(&mut question.calls),
        }
    }
}

/// Whether the error has no meaning for the exchange: the call only has to be repeated.
fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
