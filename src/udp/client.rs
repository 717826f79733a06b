//! The datagram client: asks with an empty datagram, takes the answer of the peer it asked.

pub(crate) use super::retries::Retries;
use super::retries::Schedule;
use crate::asking::{Answer, AskError, Attempt, AttemptFailure, Sockets, clock_at};
use crate::transport::Transport::Udp;
use mio::Interest;
use std::io;
use std::mem;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::Instant;

/// Maximum octets of a datagram, whatever the limit.
const MAX_DATAGRAM: usize = u16::MAX as usize;

/// Asks one address after the other, each again if it stays silent, until one answers (RFC 867, "UDP
/// Based Daytime Service").
///
/// The socket is connected, so that the kernel drops what others send and reports an ICMP error; and
/// each address has a socket of its own, so that a late answer to an earlier exchange, which RFC 867
/// cannot tell apart, goes to a port that is closed.
pub(crate) fn exchange(
    addresses: &[SocketAddr],
    retries: Retries,
    sockets: &mut Sockets,
) -> Result<(Answer, OwnedFd), AskError> {
    let begun = Instant::now();
    let time = sockets.deadline.saturating_duration_since(begun);
    let mut schedule = Schedule::new(addresses, retries, time);
    let mut attempts = Vec::new();
    while let Some(peer) = schedule.next_address(begun.elapsed()) {
        match ask_address(peer, &mut schedule, begun, sockets) {
            Ok(answered) => return Ok(answered),
            Err(attempt) => attempts.push(attempt),
        }
    }
    let untried = |peer| Attempt::new(Udp, peer, AttemptFailure::Untried);
    attempts.extend(schedule.untried().map(untried));
    attempts.sort_by_key(Attempt::is_open); // the failed first
    Err(AskError::NoAnswer { transport: Udp, timeout: sockets.timeout, attempts })
}

/// Asks one address until it answers, says that no service listens, or has had its part of the time.
fn ask_address(
    peer: SocketAddr,
    schedule: &mut Schedule,
    begun: Instant,
    sockets: &mut Sockets,
) -> Result<(Answer, OwnedFd), Attempt> {
    let failed = |cause| Attempt::failed(Udp, peer, cause);
    let mut asking = Asking::open(peer, sockets).map_err(failed)?;
    while schedule.next_question(begun.elapsed()) {
        match asking.ask(schedule, begun, sockets) {
            Ok(Some(answer)) => return Ok((answer, asking.socket.into())),
            Ok(None) => {}
            Err(cause) => {
                sockets.close(asking.socket);
                return Err(failed(cause));
            }
        }
    }
    sockets.close(asking.socket);
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
    fn open(peer: SocketAddr, sockets: &mut Sockets) -> io::Result<Self> {
        let socket = UdpSocket::from(sockets.connect(peer, socket2::Type::DGRAM)?);
        sockets.watch(&socket, 0, Interest::READABLE)?;
        Ok(Self { socket, peer, questions: 0, opened: Instant::now() })
    }

    fn ask(
        &mut self,
        schedule: &Schedule,
        begun: Instant,
        sockets: &mut Sockets,
    ) -> io::Result<Option<Answer>> {
        sockets.record("send");
        self.socket.send(&[])?;
        let until = begun + schedule.wait_until(begun.elapsed());
        self.questions += 1;
        log::debug!("udp {}: question {} sent", self.peer, self.questions);
        self.answer(until, sockets)
    }

    /// The first datagram before `until`, be it of no octets.
    fn answer(&self, until: Instant, sockets: &mut Sockets) -> io::Result<Option<Answer>> {
        // One octet beyond the limit tells "just full" from "too long".
        let limit = sockets.limit.min(MAX_DATAGRAM);
        let mut buffer = vec![0; limit + 1];
        loop {
            // An answer that is there already is an event too, so waiting first loses none.
            if sockets.wait(until)?.is_empty() && Instant::now() >= until {
                return Ok(None);
            }
            sockets.record("recv");
            match self.socket.recv(&mut buffer) {
                Ok(length) => {
                    buffer.truncate(length.min(limit));
                    return Ok(Some(self.received(buffer, length > limit, sockets)));
                }
                Err(error) if is_transient(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The answer that has just come. Its window begins with the first question, because RFC 867 does not tell
    /// which one it answers.
    fn received(&self, octets: Vec<u8>, truncated: bool, sockets: &mut Sockets) -> Answer {
        let arrived = Instant::now();
        let elapsed = arrived.saturating_duration_since(self.opened);
        sockets.record("close");
        Answer {
            transport: Udp,
            peer: self.peer,
            reads: vec![octets.len()],
            octets,
            truncated,
            waited: sockets.waited,
            connected_after: None,
            elapsed,
            round_trip: elapsed,
            arrived: clock_at(arrived),
            questions: self.questions,
            calls: mem::take(&mut sockets.calls),
        }
    }
}

/// Errors that say nothing about the peer.
fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
