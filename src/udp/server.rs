//! The datagram service: for each datagram that the guard and the limits let pass one line, to whoever sent
//! it.

use super::guard::{Decision, Guard, Question};
use crate::limit::{Limiter, TooMuch};
use crate::metrics::{Event as Counted, Metrics};
use crate::responder::Responder;
use crate::sys::{self, Received};
use crate::transport::IpVersion;
use mio::event::Event;
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Instant;

/// Datagrams answered per socket and round, so that streams get a turn under a flood.
const BATCH: usize = 64;

/// Rounds at the end: more datagrams than a socket's buffer holds by default (about 280 on Linux).
const LAST_ROUNDS: usize = 16;

/// All UDP sockets of a worker.
#[derive(Debug)]
pub(crate) struct Service {
    sockets: Vec<Socket>,
    first_token: usize,
    guard: Guard,
    limiter: Limiter,
}

#[derive(Debug)]
struct Socket {
    udp: UdpSocket,
    local: SocketAddr,
    /// Events come on the edge only: this stays true until a receive would block.
    ready: bool,
    /// Receives that failed in this round.
    failures: u32,
}

/// Failures in a round after which a socket waits for its next event: it would fail for ever.
const FAILURES: u32 = 16;

impl Service {
    /// Registers the sockets as tokens from `first_token` on.
    pub(crate) fn new(
        opened: Vec<UdpSocket>,
        guard: Guard,
        limiter: Limiter,
        registry: &Registry,
        first_token: usize,
    ) -> io::Result<Self> {
        let mut sockets = Vec::with_capacity(opened.len());
        for mut udp in opened {
            let token = Token(first_token + sockets.len());
            registry.register(&mut udp, token, Interest::READABLE)?;
            let local = udp.local_addr()?;
            sockets.push(Socket { udp, local, ready: true, failures: 0 });
        }
        Ok(Self { sockets, first_token, guard, limiter })
    }

    /// Notes that a socket is ready.
    pub(crate) fn event(&mut self, event: &Event) {
        let place = event.token().0.checked_sub(self.first_token);
        if let Some(socket) = place.and_then(|place| self.sockets.get_mut(place)) {
            socket.ready = true;
        }
    }

    /// Answers what waits; true if datagrams are left waiting.
    pub(crate) fn work(
        &mut self,
        responder: &mut Responder,
        now: Instant,
        metrics: &Metrics,
    ) -> bool {
        let Self { sockets, guard, limiter, .. } = self;
        let mut exchange = Exchange { guard, limiter, responder, now, metrics };
        for socket in &mut *sockets {
            socket.failures = 0;
            for _ in 0..BATCH {
                if !socket.ready {
                    break;
                }
                exchange.with(socket);
            }
        }
        sockets.iter().any(|socket| socket.ready)
    }

    /// Answers what has arrived, for the last time.
    pub(crate) fn stop(&mut self, responder: &mut Responder, metrics: &Metrics) {
        for socket in &mut self.sockets {
            socket.ready = true; // the event may not have been seen yet
        }
        // Bounded: those who keep asking must not keep us here.
        for _ in 0..LAST_ROUNDS {
            if !self.work(responder, Instant::now(), metrics) {
                break;
            }
        }
        self.sockets.clear();
    }
}

/// What it takes to treat one datagram.
struct Exchange<'a> {
    guard: &'a Guard,
    limiter: &'a mut Limiter,
    responder: &'a mut Responder,
    now: Instant,
    metrics: &'a Metrics,
}

impl Exchange<'_> {
    fn with(&mut self, socket: &mut Socket) {
        let received = socket.udp.try_io(|| sys::receive(&socket.udp));
        match received {
            Ok(datagram) => {
                let version = IpVersion::of(datagram.peer.ip());
                self.metrics.add(Counted::UdpReceived, version);
                self.metrics.add(self.treat(socket, datagram), version);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => socket.ready = false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Such as an earlier answer's ICMP error: taking it has cleared it, the next may be good.
            Err(_) => {
                self.metrics.add(Counted::UdpReceiveFailed, IpVersion::of(socket.local.ip()));
                socket.failures += 1;
                socket.ready = socket.failures < FAILURES;
            }
        }
    }

    /// What becomes of a datagram.
    fn treat(&mut self, socket: &Socket, datagram: Received) -> Counted {
        let Received { peer, octets, sent_to_many, destination } = datagram;
        let question = Question { peer, local: socket.local, octets, sent_to_many };
        if let Decision::Ignore(reason) = self.guard.decide(question) {
            return reason;
        }
        let Some(reply) = self.responder.reply() else { return Counted::UdpNoTime };
        if let Decision::Ignore(reason) =
            self.guard.decide_on_length(question, reply.octets().len())
        {
            return reason;
        }
        // Last, since only an answer takes a token.
        match self.limiter.take(peer, self.now) {
            Ok(()) => {}
            Err(TooMuch::Source) => return Counted::UdpSourceLimit,
            Err(TooMuch::Total) => return Counted::UdpTotalLimit,
        }
        // What cannot be sent is dropped: the client asks again, and waiting for one peer would keep the
        // others waiting.
        let send = || sys::send_from(&socket.udp, reply.octets(), peer, destination);
        socket.udp.try_io(send).map_or_else(|error| lost(&error), |()| Counted::UdpAnswered)
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
