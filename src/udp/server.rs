//! The datagram service: for each datagram that the guard and the limits let pass one line, to whoever sent
//! it.

use super::guard::{self, Decision, Guard, Question};
use super::losses::{Losses, Seen};
use crate::limit::{Limiter, TooMuch};
use crate::metrics::{ClientLog, Counters, Event as Counted};
use crate::reply::Reply;
use crate::responder::Responder;
use crate::sys::{self, Batch, Received};
use crate::transport::IpVersion;
use mio::event::Event;
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use socket2::SockRef;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// All UDP sockets of a worker.
#[derive(Debug)]
pub(crate) struct Service {
    sockets: Vec<Socket>,
    first_token: usize,
    guard: Guard,
    limiter: Arc<Limiter>,
    counters: Arc<Counters>,
    batch: Batch,
    losses: Losses,
}

#[derive(Debug)]
struct Socket {
    udp: UdpSocket,
    local: SocketAddr,
    /// Events come on the edge only: this stays true until no datagram waits.
    ready: bool,
    /// Datagrams that the last look for many has found.
    batch: usize,
    /// Looks for one datagram since then.
    singles: usize,
    /// Receives that failed since the last that did not.
    failures: u32,
    /// Datagrams that the kernel had dropped here at the last look.
    dropped: u32,
    /// Octets of a datagram of which [`SINGLES`] fill the receive buffer.
    large: usize,
}

/// Looks for one datagram before one for many, and datagrams after which others get a turn.
const SINGLES: usize = 16;

/// Failures after which a socket waits for its next event: it would fail for ever.
const FAILURES: u32 = 16;

impl Service {
    /// Registers the sockets as tokens from `first_token` on.
    pub(crate) fn new(
        opened: Vec<UdpSocket>,
        guard: Guard,
        limiter: Arc<Limiter>,
        counters: Arc<Counters>,
        registry: &Registry,
        first_token: usize,
    ) -> io::Result<Self> {
        let mut sockets = Vec::with_capacity(opened.len());
        for mut udp in opened {
            let token = Token(first_token + sockets.len());
            registry.register(&mut udp, token, Interest::READABLE)?;
            let local = udp.local_addr()?;
            let dropped = sys::receive_drops(&udp).unwrap_or(0); // on an inherited socket, before us
            let large = large_datagram(SockRef::from(&udp).recv_buffer_size().unwrap_or(0));
            let (batch, singles, failures) = (0, 0, 0);
            sockets.push(Socket {
                udp,
                local,
                ready: true,
                batch,
                singles,
                failures,
                dropped,
                large,
            });
        }
        let (batch, losses) = (Batch::new(), Losses::new(Instant::now()));
        Ok(Self { sockets, first_token, guard, limiter, counters, batch, losses })
    }

    /// Notes that a socket is ready.
    pub(crate) fn event(&mut self, event: &Event) {
        let place = event.token().0.checked_sub(self.first_token);
        if let Some(socket) = place.and_then(|place| self.sockets.get_mut(place)) {
            socket.ready = true;
        }
    }

    /// Answers a batch on each socket where datagrams wait; true if some are left waiting.
    pub(crate) fn work(&mut self, responder: &mut Responder, now: Instant) -> bool {
        let Self { sockets, guard, limiter, counters, batch, .. } = self;
        let mut round = Round { judge: Judge { guard, limiter, now }, responder, counters };
        let mut seen = Seen::Nothing;
        for socket in sockets {
            let mut taken = 0;
            while socket.ready && taken < SINGLES {
                let found = round.take(socket, batch);
                seen = seen.max(match found {
                    0 => Seen::Nothing,
                    1 if batch.octets(0) < socket.large => Seen::Singles,
                    _ => Seen::Queue,
                });
                taken += found.max(1);
            }
        }
        if self.losses.are_due(seen, now) {
            self.note_losses();
        }
        self.sockets.iter().any(|socket| socket.ready)
    }

    /// When `work` has to look for losses, though no datagram comes.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.losses.deadline()
    }

    /// Counts what the kernel has dropped since the last look.
    fn note_losses(&mut self) {
        for socket in &mut self.sockets {
            let Some(dropped) = sys::receive_drops(&socket.udp) else { continue };
            let lost = dropped.wrapping_sub(socket.dropped);
            socket.dropped = dropped;
            if lost > 0 {
                let version = IpVersion::of(socket.local.ip());
                self.counters.add_many(Counted::UdpReceiveBufferFull, version, lost.into());
            }
        }
    }

    /// Answers what has arrived, for the last time. Clients that keep asking delay the end until `deadline`.
    pub(crate) fn stop(&mut self, responder: &mut Responder, deadline: Instant) {
        for socket in &mut self.sockets {
            socket.ready = true; // the event may not have been seen yet
        }
        let mut now = Instant::now();
        while self.work(responder, now) && now < deadline {
            now = Instant::now();
        }
        self.note_losses();
        self.sockets.clear();
    }
}

impl Socket {
    /// How many datagrams to look for. To look for one costs less, if there are no more; where the last
    /// look for many has found several it goes on so, else it is tried now and then.
    fn most(&self) -> usize {
        // Where many are looked for, each tells where it was sent to.
        let must_tell = self.local.ip().is_unspecified();
        if must_tell || self.batch > 1 || self.singles == SINGLES { Batch::MOST } else { 1 }
    }

    /// Notes how many were found by a look for so many.
    fn found(&mut self, received: usize, most: usize) {
        self.failures = 0;
        if most == 1 {
            self.singles += 1;
        } else {
            (self.batch, self.singles) = (received, 0);
        }
        self.ready = received == most;
    }
}

/// Octets of a datagram of which [`SINGLES`] fill a receive buffer. Linux counts for each up to twice its octets, and
/// some 768 for its own bookkeeping.
fn large_datagram(receive_buffer: usize) -> usize {
    (receive_buffer / (2 * SINGLES)).saturating_sub(768)
}

/// What it takes to treat datagrams.
struct Round<'a> {
    judge: Judge<'a>,
    responder: &'a mut Responder,
    counters: &'a Counters,
}

/// What it takes to decide whether one is answered.
struct Judge<'a> {
    guard: &'a Guard,
    limiter: &'a Limiter,
    now: Instant,
}

impl Round<'_> {
    /// Takes datagrams from a socket and answers them; returns how many came.
    fn take(&mut self, socket: &mut Socket, batch: &mut Batch) -> usize {
        let most = socket.most();
        match socket.udp.try_io(|| batch.receive(&socket.udp, most)) {
            Ok(received) => {
                socket.found(received, most);
                self.answer(socket, batch, received);
                received
            }
            Err(error) => {
                self.failed(socket, &error);
                0
            }
        }
    }

    /// Answers those of a batch that are to be answered, all with the same line.
    fn answer(&mut self, socket: &Socket, batch: &mut Batch, received: usize) {
        let Self { judge, responder, counters } = self;
        let reply = responder.reply(judge.now).map(Reply::octets);
        let (mut taken, mut answered) = ([0; 2], [0; 2]);
        let (logs_clients, mut to_log) = (ClientLog::is_on(), Vec::new());
        for number in 0..received {
            let Some(datagram) = batch.datagram(number) else { continue }; // nobody to answer
            let version = IpVersion::of(datagram.peer.ip());
            taken[version as usize] += 1;
            let decision = batch
                .look_at(number, |content| judge.decide(socket.local, &datagram, content, reply));
            match decision {
                Decision::Answer => {
                    answered[version as usize] += 1;
                    batch.answer(number, datagram.destination);
                    if logs_clients {
                        to_log.push(datagram.peer);
                    }
                }
                Decision::Ignore(reason) => counters.add_of(reason, datagram.peer),
            }
        }
        // What cannot be sent is dropped: the client asks again, and waiting for one peer would keep the
        // others waiting.
        batch.send(&socket.udp, reply.unwrap_or(&[]), |peer, error| {
            let version = IpVersion::of(peer.ip());
            answered[version as usize] -= 1;
            counters.add_failure(lost(error), version, Some(peer), error);
            if let Some(place) = to_log.iter().position(|it| *it == peer) {
                to_log.remove(place);
            }
        });
        for peer in to_log {
            counters.log_client(Counted::UdpAnswered, peer);
        }
        for version in IpVersion::BOTH {
            counters.add_many(Counted::UdpReceived, version, taken[version as usize]);
            counters.add_many(Counted::UdpAnswered, version, answered[version as usize]);
        }
    }

    fn failed(&self, socket: &mut Socket, error: &io::Error) {
        match error.kind() {
            ErrorKind::WouldBlock => socket.ready = false,
            ErrorKind::Interrupted => {}
            // Such as an earlier answer's ICMP error: taking it has cleared it, the next may be good.
            _ => {
                let version = IpVersion::of(socket.local.ip());
                self.counters.add_failure(Counted::UdpReceiveFailed, version, None, error);
                socket.failures += 1;
                socket.ready = !socket.failures.is_multiple_of(FAILURES);
            }
        }
    }
}

impl Judge<'_> {
    /// What becomes of a datagram with this content. `reply` is `None` where there is no time to tell.
    fn decide(
        &self,
        local: SocketAddr,
        datagram: &Received,
        content: &[u8],
        reply: Option<&[u8]>,
    ) -> Decision {
        let &Received { peer, octets, sent_to_many, destination } = datagram;
        let over_loopback = destination.is_some_and(|it| it.interface == sys::LOOPBACK);
        let question = Question { peer, local, octets, sent_to_many, over_loopback };
        let by_source = self.guard.decide(question);
        if by_source != Decision::Answer {
            return by_source;
        }
        let Some(reply) = reply else { return Decision::Ignore(Counted::UdpNoTime) };
        let by_length = self.guard.decide_on_length(question, reply.len());
        if by_length != Decision::Answer {
            return by_length;
        }
        // After the cheap rules, since what they ignore takes no token; before the content, which a flood could
        // make several times as expensive to judge as an answer.
        match self.limiter.take(peer, self.now) {
            Ok(()) => guard::decide_on_content(content, reply),
            Err(TooMuch::Source) => Decision::Ignore(Counted::UdpSourceLimit),
            Err(TooMuch::Total) => Decision::Ignore(Counted::UdpTotalLimit),
        }
    }
}

/// Why an answer was lost.
fn lost(error: &io::Error) -> Counted {
    match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
        Errno::ENOBUFS | Errno::ENOMEM | Errno::EAGAIN => Counted::UdpNoMemory,
        Errno::EPERM | Errno::EACCES => Counted::UdpNotPermitted,
        Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::ENETDOWN => Counted::UdpUnreachable,
        _ => Counted::UdpSendFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::limit::Limits;
    use crate::metrics::Metrics;
    use crate::syntax::{Syntax, Zone};
    use crate::udp::guard::GuardOptions;
    use socket2::{Domain, Type};
    use std::os::fd::OwnedFd;

    /// A socket that fails with ENOTCONN at each receive: its type is not the one the service expects.
    fn failing() -> UdpSocket {
        let stream = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        stream.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("loopback");
        stream.set_nonblocking(true).expect("set");
        UdpSocket::from_std(OwnedFd::from(stream).into())
    }

    #[test]
    fn a_socket_whose_every_receive_fails_waits_for_an_event_after_16_failures() {
        let (poll, now) = (mio::Poll::new().expect("poll"), Instant::now());
        let metrics = Metrics::new(1);
        let mut service = Service::new(
            vec![failing()],
            Guard::new(GuardOptions::default(), Vec::new(), Vec::new()),
            Arc::new(Limiter::new(Limits::default(), now)),
            metrics.worker(0),
            poll.registry(),
            0,
        )
        .expect("registered");
        let mut responder = Responder::new(Clock::System, Syntax::Rfc867, Zone::UTC, false);
        for failures in [16, 32] {
            assert!(!service.work(&mut responder, now), "it does not try for ever");
            assert_eq!(metrics.count(Counted::UdpReceiveFailed), failures);
            assert!(!service.work(&mut responder, now));
            assert_eq!(metrics.count(Counted::UdpReceiveFailed), failures, "no event has come");
            service.sockets[0].ready = true; // as an event says
        }
    }

    #[test]
    fn an_answer_that_is_lost_is_counted_by_kind() {
        for (errno, counted) in [
            (Errno::ENOBUFS, Counted::UdpNoMemory),
            (Errno::ENOMEM, Counted::UdpNoMemory),
            (Errno::EAGAIN, Counted::UdpNoMemory),
            (Errno::EPERM, Counted::UdpNotPermitted),
            (Errno::EACCES, Counted::UdpNotPermitted),
            (Errno::ENETUNREACH, Counted::UdpUnreachable),
            (Errno::EHOSTUNREACH, Counted::UdpUnreachable),
            (Errno::EINVAL, Counted::UdpSendFailed),
        ] {
            assert_eq!(lost(&io::Error::from(errno)), counted, "{errno}");
        }
    }
}
