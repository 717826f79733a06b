//! The datagram client: asks with an empty datagram, takes the answer of the peer it asked.

pub(crate) use super::exchange::Retries;
use super::exchange::{Exchange as Schedule, Step};
use crate::calls::{Calls, Observer, Waiter};
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
    /// When the answer came.
    pub came: Instant,
    /// The datagram was longer than the limit; the rest is lost.
    pub truncated: bool,
    /// From the first question to the peer to its answer: to which question it is, UDP does not tell.
    pub answered_after: Duration,
    /// Datagrams sent to the peer that answered.
    pub questions: u32,
}

/// No datagram is longer, whatever the limit.
const MAX_DATAGRAM: usize = u16::MAX as usize;

/// Why there is no answer: of each address, how it failed.
#[derive(Debug)]
pub(crate) struct UdpError {
    /// Addresses from which an ICMP error came back, or that could not be sent to.
    pub failed: Vec<(SocketAddr, io::Error)>,
    /// Addresses from which nothing came back, with the number of questions and the time they had.
    pub silent: Vec<(SocketAddr, u32, Duration)>,
}

/// Asks one address after the other, each again if it stays silent, until one answers (RFC 867, "UDP
/// Based Daytime Service"), all before `deadline`. `limit` octets of the answer are kept.
///
/// The socket is connected, so that the kernel drops what others send and reports an ICMP error; and
/// each address has a socket of its own, so that a late answer to an earlier exchange, which RFC 867
/// cannot tell apart, goes to a port that is closed.
pub(crate) fn exchange(
    addresses: &[SocketAddr],
    retries: Retries,
    deadline: Instant,
    limit: usize,
    waiter: &mut Waiter,
    calls: &mut Calls,
    observe: &mut Observer,
) -> Result<Exchange, UdpError> {
    let mut schedule = Schedule::new(addresses, retries, deadline);
    let mut run = Run { waiter, calls, asking: None, failed: Vec::new(), silent: Vec::new() };
    while let Step::Ask(peer) = schedule.step(Instant::now()) {
        match run.ask(peer, &schedule, limit, observe) {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => {}
            Err(cause) => {
                run.close();
                run.failed.push((peer, cause));
                schedule.refused();
            }
        }
    }
    run.leave_silent();
    Err(UdpError { failed: run.failed, silent: run.silent })
}

/// An exchange as it goes from address to address.
struct Run<'a> {
    waiter: &'a mut Waiter,
    calls: &'a mut Calls,
    asking: Option<Asking>,
    failed: Vec<(SocketAddr, io::Error)>,
    silent: Vec<(SocketAddr, u32, Duration)>,
}

impl Run<'_> {
    fn ask(
        &mut self,
        peer: SocketAddr,
        schedule: &Schedule,
        limit: usize,
        observe: &mut Observer,
    ) -> io::Result<Option<Exchange>> {
        self.turn_to(peer)?;
        let Some(asking) = &mut self.asking else { return Ok(None) };
        let answer = asking.ask(schedule, limit, self.waiter, self.calls)?;
        if answer.is_some() {
            observe(asking.socket.as_fd());
            self.close();
        }
        Ok(answer)
    }

    /// Opens a socket for this peer, unless the last question went there.
    fn turn_to(&mut self, peer: SocketAddr) -> io::Result<()> {
        if self.asking.as_ref().is_some_and(|asking| asking.peer == peer) {
            return Ok(());
        }
        self.leave_silent();
        self.asking = Some(Asking::open(peer, self.waiter, self.calls)?);
        Ok(())
    }

    /// Notes that nothing has come from the peer asked last.
    fn leave_silent(&mut self) {
        if let Some(asking) = &self.asking {
            self.silent.push((asking.peer, asking.questions, asking.opened.elapsed()));
        }
        self.close();
    }

    fn close(&mut self) {
        if let Some(asking) = self.asking.take() {
            self.calls.close(asking.socket);
        }
    }
}

/// One address and the socket that asks it.
struct Asking {
    socket: UdpSocket,
    peer: SocketAddr,
    questions: u32,
    opened: Instant,
}

impl Asking {
    fn open(peer: SocketAddr, waiter: &mut Waiter, calls: &mut Calls) -> io::Result<Self> {
        let opened = Instant::now();
        let socket = calls.open(peer, socket2::Type::DGRAM)?;
        if let Err(error) = calls.connect(&socket, peer) {
            calls.close(socket);
            return Err(error);
        }
        let mut socket = UdpSocket::from_std(socket.into());
        waiter.watch(&mut socket, 0, Interest::READABLE, calls)?;
        Ok(Self { socket, peer, questions: 0, opened })
    }

    /// Sends the question and waits for an answer; `None` if none comes in time. No octets are an
    /// answer too.
    fn ask(
        &mut self,
        schedule: &Schedule,
        limit: usize,
        waiter: &mut Waiter,
        calls: &mut Calls,
    ) -> io::Result<Option<Exchange>> {
        if self.questions == 0 {
            self.opened = Instant::now();
        }
        calls.add("send");
        self.socket.send(&[])?;
        let until = schedule.sent(Instant::now());
        self.questions += 1;
        log::debug!("udp {}: question {} sent", self.peer, self.questions);
        self.answer(until, limit, waiter, calls)
    }

    fn answer(
        &self,
        until: Instant,
        limit: usize,
        waiter: &mut Waiter,
        calls: &mut Calls,
    ) -> io::Result<Option<Exchange>> {
        // One octet beyond the limit tells "just full" from "too long".
        let limit = limit.min(MAX_DATAGRAM);
        let mut buffer = vec![0; limit + 1];
        loop {
            // An answer that is there already is an event too, so waiting first loses none.
            if waiter.wait(until, calls)?.is_empty() && Instant::now() >= until {
                return Ok(None);
            }
            calls.add("recv");
            match self.socket.recv(&mut buffer) {
                Ok(length) => {
                    let came = Instant::now();
                    buffer.truncate(length.min(limit));
                    return Ok(Some(Exchange {
                        peer: self.peer,
                        octets: buffer,
                        came,
                        truncated: length > limit,
                        answered_after: came.saturating_duration_since(self.opened),
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
