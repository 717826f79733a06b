//! The datagram service: for each datagram one line, to whoever sent it.

use crate::metrics::Metrics;
use crate::responder::Responder;
use crate::sys::{self, Received};
use mio::event::Event;
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use std::io::{self, ErrorKind};

/// Datagrams answered per socket and round, so that streams get a turn under a flood.
const BATCH: usize = 64;

/// Rounds at the end: more datagrams than a socket's buffer holds by default (about 280 on Linux).
const LAST_ROUNDS: usize = 16;

/// All UDP sockets of a worker.
#[derive(Debug)]
pub(crate) struct Service {
    sockets: Vec<Socket>,
    first_token: usize,
}

#[derive(Debug)]
struct Socket {
    udp: UdpSocket,
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
        registry: &Registry,
        first_token: usize,
    ) -> io::Result<Self> {
        let mut sockets = Vec::with_capacity(opened.len());
        for mut socket in opened {
            let token = Token(first_token + sockets.len());
            registry.register(&mut socket, token, Interest::READABLE)?;
            sockets.push(Socket { udp: socket, ready: true, failures: 0 });
        }
        Ok(Self { sockets, first_token })
    }

    /// Notes that a socket is ready.
    pub(crate) fn event(&mut self, event: &Event) {
        let place = event.token().0.checked_sub(self.first_token);
        if let Some(socket) = place.and_then(|place| self.sockets.get_mut(place)) {
            socket.ready = true;
        }
    }

    /// Answers what waits; true if datagrams are left waiting.
    pub(crate) fn work(&mut self, responder: &mut Responder, metrics: &Metrics) -> bool {
        for socket in &mut self.sockets {
            socket.failures = 0;
            for _ in 0..BATCH {
                if !socket.ready {
                    break;
                }
                socket.answer_one(responder, metrics);
            }
        }
        self.sockets.iter().any(|socket| socket.ready)
    }

    /// Answers what has arrived, for the last time.
    pub(crate) fn stop(&mut self, responder: &mut Responder, metrics: &Metrics) {
        for socket in &mut self.sockets {
            socket.ready = true; // the event may not have been seen yet
        }
        // Bounded: those who keep asking must not keep us here.
        for _ in 0..LAST_ROUNDS {
            if !self.work(responder, metrics) {
                break;
            }
        }
        self.sockets.clear();
    }
}

impl Socket {
    fn answer_one(&mut self, responder: &mut Responder, metrics: &Metrics) {
        let received = self.udp.try_io(|| sys::receive(&self.udp));
        match received {
            Ok(datagram) => {
                metrics.udp_received.add_one();
                self.answer(datagram, responder, metrics);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.ready = false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Such as an earlier answer's ICMP error: taking it has cleared it, the next may be good.
            Err(_) => {
                metrics.udp_failed.add_one();
                self.failures += 1;
                self.ready = self.failures < FAILURES;
            }
        }
    }

    /// Sends the line. What cannot be sent is dropped: the client asks again, and waiting for one
    /// peer would keep the others waiting.
    fn answer(&self, datagram: Received, responder: &mut Responder, metrics: &Metrics) {
        let Some(reply) = responder.reply() else {
            metrics.no_time.add_one();
            return;
        };
        let sent = self.udp.try_io(|| {
            sys::send_from(&self.udp, reply.octets(), datagram.peer, datagram.destination)
        });
        match sent {
            Ok(()) => metrics.udp_answered.add_one(),
            Err(_) => metrics.udp_failed.add_one(),
        }
    }
}
