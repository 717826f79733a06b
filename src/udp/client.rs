//! The datagram client: asks with an empty datagram, takes the answer of the peer it asked.

pub(crate) use super::exchange::Retries;
use super::exchange::{Schedule, Step};
use crate::asking::{Attempt, AttemptFailure, Received, Sockets, Unanswered};
use crate::transport::Transport::Udp;
use mio::Interest;
use mio::net::UdpSocket;
use std::io;
use std::net::SocketAddr;
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
) -> Result<Received, Unanswered> {
    let begun = Instant::now();
    let timeout = sockets.deadline.saturating_duration_since(begun);
    let mut schedule = Schedule::new(addresses, retries, timeout);
    let mut run = Run { sockets, begun, asking: None, attempts: Vec::new() };
    while let Step::Ask(peer) = schedule.step(begun.elapsed()) {
        match run.ask(peer, &schedule) {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => {}
            Err(cause) => {
                run.close();
                run.attempts.push(Attempt::failed(Udp, peer, cause));
                schedule.give_up_address();
            }
        }
    }
    run.leave_silent();
    run.attempts.sort_by_key(Attempt::is_open); // the failed first
    Err(Unanswered::NoAnswer(run.attempts))
}

/// An exchange as it goes from address to address.
struct Run<'a, 'b> {
    sockets: &'a mut Sockets<'b>,
    /// The start of the schedule.
    begun: Instant,
    asking: Option<Asking>,
    attempts: Vec<Attempt>,
}

/// One address and the socket that asks it.
struct Asking {
    socket: UdpSocket,
    peer: SocketAddr,
    questions: u32,
    opened: Instant,
}

impl Run<'_, '_> {
    /// Sends the question and waits for an answer; `None` if none comes in time.
    fn ask(&mut self, peer: SocketAddr, schedule: &Schedule) -> io::Result<Option<Received>> {
        self.turn_to(peer)?;
        let Some(asking) = &mut self.asking else { return Ok(None) };
        let answer = asking.ask(schedule, self.begun, self.sockets)?;
        if answer.is_some()
            && let Some(asking) = self.asking.take()
        {
            self.sockets.finish(asking.socket);
        }
        Ok(answer)
    }

    /// Opens a socket for this peer, unless the last question went there.
    fn turn_to(&mut self, peer: SocketAddr) -> io::Result<()> {
        if self.asking.as_ref().is_some_and(|asking| asking.peer == peer) {
            return Ok(());
        }
        self.leave_silent();
        self.asking = Some(Asking::open(peer, self.sockets)?);
        Ok(())
    }

    /// Notes that nothing has come from the peer asked last.
    fn leave_silent(&mut self) {
        if let Some(Asking { peer, questions, opened, .. }) = &self.asking {
            let silent = AttemptFailure::Silent { questions: *questions, waited: opened.elapsed() };
            self.attempts.push(Attempt::new(Udp, *peer, silent));
        }
        self.close();
    }

    fn close(&mut self) {
        if let Some(asking) = self.asking.take() {
            self.sockets.close(asking.socket);
        }
    }
}

impl Asking {
    fn open(peer: SocketAddr, sockets: &mut Sockets) -> io::Result<Self> {
        let opened = Instant::now();
        let socket = sockets.connect(peer, socket2::Type::DGRAM)?;
        let mut socket = UdpSocket::from_std(socket.into());
        sockets.watch(&mut socket, 0, Interest::READABLE)?;
        Ok(Self { socket, peer, questions: 0, opened })
    }

    fn ask(
        &mut self,
        schedule: &Schedule,
        begun: Instant,
        sockets: &mut Sockets,
    ) -> io::Result<Option<Received>> {
        if self.questions == 0 {
            self.opened = Instant::now();
        }
        sockets.record("send");
        self.socket.send(&[])?;
        let until = begun + schedule.sent(begun.elapsed());
        self.questions += 1;
        log::debug!("udp {}: question {} sent", self.peer, self.questions);
        self.answer(until, sockets)
    }

    /// The first datagram before `until`, be it of no octets.
    fn answer(&self, until: Instant, sockets: &mut Sockets) -> io::Result<Option<Received>> {
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
                    return Ok(Some(self.received(buffer, length > limit)));
                }
                Err(error) if is_transient(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The answer that has just come. Its window begins with the first question, because RFC 867 does not tell
    /// which one it answers.
    fn received(&self, octets: Vec<u8>, truncated: bool) -> Received {
        let arrived = Instant::now();
        let elapsed = arrived.saturating_duration_since(self.opened);
        Received {
            peer: self.peer,
            reads: vec![octets.len()],
            octets,
            truncated,
            questions: self.questions,
            connected_after: None,
            elapsed,
            round_trip: elapsed,
            arrived,
        }
    }
}

/// Errors that say nothing about the peer.
fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
