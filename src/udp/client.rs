//! UDP client: sends an empty datagram, and accepts an answer only from the address that it
//! queried.

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

/// Maximum length of a datagram in octets. This maximum applies even if the limit on the reply is
/// larger.
const MAX_DATAGRAM: usize = u16::MAX as usize;

/// Queries the addresses one after another until one answers. Each address may get retries (RFC
/// 867, "UDP Based Daytime Service").
///
/// The socket is connected, so the kernel drops datagrams from other peers and reports ICMP errors.
/// Each address gets its own socket, because RFC 867 offers no way to recognise a late answer to an
/// earlier exchange. With its own socket, such an answer arrives at a closed port.
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
    // This order puts addresses that failed before addresses that may still answer.
    attempts.sort_by_key(Attempt::is_open);
    Err(AskError::NoAnswer { transport: Udp, timeout: question.timeout, attempts })
}

/// Queries one address until it answers, until its host reports a closed port, or until its share
/// of the timeout has passed.
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

/// An address, and the socket connected to it.
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

    /// Waits for the first datagram, which may be empty, but no longer than `until`.
    fn answer(&self, until: Instant, question: &mut Question) -> io::Result<Option<Answer>> {
        // The buffer has one octet more than the limit, so that a datagram above the limit is
        // noticed.
        let limit = question.limit.min(MAX_DATAGRAM);
        let mut buffer = vec![0; limit + 1];
        loop {
            // Waiting before the first receive misses no answer, because an answer that has already
            // arrived also causes an event.
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

    /// Builds the result from an answer that has just arrived. The round trip starts with the first
    /// query, because RFC 867 gives no way to know which query the server answered.
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

/// Whether the error is temporary. After a temporary error, the call can simply be repeated.
fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
