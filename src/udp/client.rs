//! The datagram client: asks with an empty datagram, takes the answer of the peer it asked.

use super::exchange::{Exchange as Schedule, Step};
use crate::calls::{Calls, Moment, Observer, Waiter};
use mio::Interest;
use mio::net::UdpSocket;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// What one exchange brought.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub peer: SocketAddr,
    pub octets: Vec<u8>,
    /// The datagram was longer than the limit; the rest is lost.
    pub truncated: bool,
    /// From the last question to the answer.
    pub answered_after: Duration,
    /// Datagrams sent to the peer that answered.
    pub questions: u32,
}

/// Why there is no answer: of each address, how it failed.
#[derive(Debug)]
pub(crate) struct UdpError {
    /// Addresses from which an ICMP error came back, or that could not be sent to.
    pub failed: Vec<(SocketAddr, io::Error)>,
    /// Addresses from which nothing came back, with the number of questions.
    pub silent: Vec<(SocketAddr, u32)>,
}

/// Asks one address after the other, each again if it stays silent, until one answers (RFC 867, "UDP
/// Based Daytime Service"), all before `deadline`. `limit` octets of the answer are kept.
///
/// The socket is connected, so that the kernel drops what others send and reports an ICMP error; and
/// each address has a socket of its own, so that a late answer to an earlier exchange, which RFC 867
/// cannot tell apart, goes to a port that is closed.
pub(crate) fn exchange(
    addresses: &[SocketAddr],
    retries: u32,
    deadline: Instant,
    limit: usize,
    waiter: &mut Waiter,
    calls: &mut Calls,
    observe: &mut Observer,
) -> Result<Exchange, UdpError> {
    let mut schedule = Schedule::new(addresses, retries, deadline);
    let mut error = UdpError { failed: Vec::new(), silent: Vec::new() };
    let mut asking: Option<Asking> = None;
    while let Step::Ask { peer, until } = schedule.step(Instant::now()) {
        if asking.as_ref().is_none_or(|asking| asking.peer != peer) {
            error.end(asking.take(), None, calls);
            match Asking::open(peer, waiter, calls) {
                Ok(opened) => {
                    observe(Moment::Connected, opened.socket.as_fd());
                    asking = Some(opened);
                }
                Err(cause) => {
                    error.failed.push((peer, cause));
                    schedule.refused();
                    continue;
                }
            }
        }
        let Some(current) = &mut asking else { continue };
        match current.ask(until, limit, waiter, calls) {
            Ok(Some(answer)) => {
                observe(Moment::Replied, current.socket.as_fd());
                calls.close(asking);
                return Ok(answer);
            }
            Ok(None) => {}
            Err(cause) => {
                error.end(asking.take(), Some(cause), calls);
                schedule.refused();
            }
        }
    }
    error.end(asking, None, calls);
    Err(error)
}

impl UdpError {
    /// Closes the socket of an address and notes how it ended.
    fn end(&mut self, asking: Option<Asking>, cause: Option<io::Error>, calls: &mut Calls) {
        let Some(Asking { socket, peer, questions }) = asking else { return };
        calls.close(socket);
        match cause {
            Some(cause) => self.failed.push((peer, cause)),
            None => self.silent.push((peer, questions)),
        }
    }
}

/// One address and the socket that asks it.
struct Asking {
    socket: UdpSocket,
    peer: SocketAddr,
    questions: u32,
}

impl Asking {
    fn open(peer: SocketAddr, waiter: &mut Waiter, calls: &mut Calls) -> io::Result<Self> {
        let socket = calls.open(peer, socket2::Type::DGRAM)?;
        if let Err(error) = calls.connect(&socket, peer) {
            calls.close(socket);
            return Err(error);
        }
        let mut socket = UdpSocket::from_std(socket.into());
        waiter.watch(&mut socket, 0, Interest::READABLE, calls)?;
        Ok(Self { socket, peer, questions: 0 })
    }

    /// Sends the question and waits for an answer; `None` if none comes in time.
    fn ask(
        &mut self,
        until: Instant,
        limit: usize,
        waiter: &mut Waiter,
        calls: &mut Calls,
    ) -> io::Result<Option<Exchange>> {
        let sent = Instant::now();
        calls.add("send");
        self.socket.send(&[])?;
        self.questions += 1;
        log::debug!("udp {}: question {} sent", self.peer, self.questions);
        // One octet beyond the limit tells "just full" from "too long".
        let mut buffer = vec![0; limit + 1];
        loop {
            // An answer that is there already is an event too, so waiting first loses none.
            if waiter.wait(until, calls)?.is_empty() && Instant::now() >= until {
                return Ok(None);
            }
            calls.add("recv");
            match self.socket.recv(&mut buffer) {
                Ok(length) => {
                    let answered_after = sent.elapsed();
                    buffer.truncate(length.min(limit));
                    return Ok(Some(Exchange {
                        peer: self.peer,
                        octets: buffer,
                        truncated: length > limit,
                        answered_after,
                        questions: self.questions,
                    }));
                }
                Err(error) if retry(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Errors that say nothing about the peer.
fn retry(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
