//! UDP service: sends one reply for each datagram that the guard and the limits admit.

use super::drop_checks::{BufferState, DropChecks};
use super::guard::{Guard, admit_content};
use crate::limit::{Limiter, Scope};
use crate::metrics::{ClientLog, Counters, Event};
use crate::reply::Reply;
use crate::responder::Responder;
use crate::sys::{self, Batch, Received};
use crate::transport::IpVersion;
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use socket2::SockRef;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// A worker's UDP sockets, and the answerer for their datagrams.
#[derive(Debug)]
pub(crate) struct Service {
    sockets: Vec<Socket>,
    first_token: usize,
    drop_checks: DropChecks,
    answerer: Answerer,
}

/// Answers datagrams that the guard and the limits admit.
#[derive(Debug)]
struct Answerer {
    guard: Guard,
    limiter: Arc<Limiter>,
    counters: Arc<Counters>,
    batch: Batch,
}

#[derive(Debug)]
struct Socket {
    udp: UdpSocket,
    local: SocketAddr,
    /// Whether datagrams may be waiting in the queue. Events are edge-triggered, so this stays true
    /// until the queue is empty.
    ready: bool,
    /// Number of datagrams that the last batch receive returned.
    last_batch: usize,
    /// Number of single-datagram receives since that batch.
    singles: usize,
    /// Number of failed receives since the last successful one.
    failures: u32,
    /// The kernel's count of dropped datagrams for this socket, as of the last check.
    dropped: u32,
    /// Datagram size, in octets, from which [`MAX_SINGLE_RECEIVES`] datagrams fill the receive
    /// buffer.
    large: usize,
}

/// Maximum number of single-datagram receives in a row; the next receive requests a batch. After
/// this number of datagrams, other sockets get a turn.
const MAX_SINGLE_RECEIVES: usize = 16;

/// Maximum number of failed receives in a row. After that, the socket waits for its next event, so
/// that a broken socket does not keep the loop busy.
const MAX_FAILURES: u32 = 16;

impl Service {
    /// Registers the sockets with consecutive tokens, beginning with `first_token`.
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
            // An inherited socket may already have dropped datagrams.
            let dropped = sys::receive_drops(&udp).unwrap_or(0);
            let large = large_datagram(SockRef::from(&udp).recv_buffer_size().unwrap_or(0));
            let (ready, last_batch, singles, failures) = (true, 0, 0, 0);
            sockets.push(Socket {
                udp,
                local,
                ready,
                last_batch,
                singles,
                failures,
                dropped,
                large,
            });
        }
        let answerer = Answerer { guard, limiter, counters, batch: Batch::new() };
        Ok(Self { sockets, first_token, drop_checks: DropChecks::new(Instant::now()), answerer })
    }

    /// Marks the socket with this token as ready.
    pub(crate) fn note_ready(&mut self, token: Token) {
        let place = token.0.checked_sub(self.first_token);
        if let Some(socket) = place.and_then(|place| self.sockets.get_mut(place)) {
            socket.ready = true;
        }
    }

    /// Answers a batch on each ready socket. Returns true if more datagrams may be waiting.
    pub(crate) fn work(&mut self, responder: &mut Responder, now: Instant) -> bool {
        let mut state = BufferState::Nothing;
        for socket in &mut self.sockets {
            let mut taken = 0;
            while socket.ready && taken < MAX_SINGLE_RECEIVES {
                let received = self.answerer.receive_and_answer(socket, responder, now);
                state = state.max(match received {
                    0 => BufferState::Nothing,
                    1 if self.answerer.batch.octets(0) < socket.large => BufferState::Singles,
                    _ => BufferState::Queue,
                });
                taken += received.max(1);
            }
        }
        if self.drop_checks.are_due(state, now) {
            self.note_losses();
        }
        self.sockets.iter().any(|socket| socket.ready)
    }

    /// Returns the time at which `work` must check for dropped datagrams, even if no datagram
    /// arrives.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.drop_checks.deadline()
    }

    /// Counts the datagrams that the kernel has dropped since the last check.
    fn note_losses(&mut self) {
        for socket in &mut self.sockets {
            let Some(dropped) = sys::receive_drops(&socket.udp) else { continue };
            let lost = dropped.wrapping_sub(socket.dropped);
            socket.dropped = dropped;
            if lost > 0 {
                let version = IpVersion::of(socket.local.ip());
                self.answerer.counters.add_many(Event::UdpReceiveBufferFull, version, lost.into());
            }
        }
    }

    /// Answers the datagrams that have arrived, then closes the sockets. If clients keep sending,
    /// this stops at `deadline`.
    pub(crate) fn stop(&mut self, responder: &mut Responder, deadline: Instant) {
        for socket in &mut self.sockets {
            socket.ready = true; // The readiness event may not have been handled yet.
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
    /// Returns the number of datagrams to request from the kernel. If only one is queued,
    /// requesting one is cheaper than requesting a batch. So the service requests a batch only
    /// while several datagrams arrive together. After [`MAX_SINGLE_RECEIVES`] single-datagram
    /// receives, the service also requests one batch, to find out whether several datagrams are
    /// queued.
    fn wanted(&self) -> usize {
        // A single-datagram receive does not report the destination address.
        let needs_destination = self.local.ip().is_unspecified();
        if needs_destination || self.last_batch > 1 || self.singles == MAX_SINGLE_RECEIVES {
            sys::MAX_BATCH_DATAGRAMS
        } else {
            1
        }
    }

    /// Records that a receive requested `wanted` datagrams and got `received`.
    fn note_received(&mut self, received: usize, wanted: usize) {
        self.failures = 0;
        if wanted == 1 {
            self.singles += 1;
        } else {
            (self.last_batch, self.singles) = (received, 0);
        }
        self.ready = received == wanted;
    }
}

/// Returns the datagram size, in octets, from which [`MAX_SINGLE_RECEIVES`] datagrams fill a
/// receive buffer. For each datagram, Linux charges up to twice its octets plus an overhead of
/// about 768 octets.
fn large_datagram(receive_buffer: usize) -> usize {
    (receive_buffer / (2 * MAX_SINGLE_RECEIVES)).saturating_sub(768)
}

impl Answerer {
    /// Receives datagrams from a socket and answers them. Returns the number of received datagrams.
    fn receive_and_answer(
        &mut self,
        socket: &mut Socket,
        responder: &mut Responder,
        now: Instant,
    ) -> usize {
        let wanted = socket.wanted();
        match socket.udp.try_io(|| self.batch.receive(&socket.udp, wanted)) {
            Ok(received) => {
                socket.note_received(received, wanted);
                self.answer(socket, received, responder, now);
                received
            }
            Err(error) => {
                self.receive_failed(socket, &error);
                0
            }
        }
    }

    /// Answers the admitted datagrams of a batch, all with the same reply.
    fn answer(
        &mut self,
        socket: &Socket,
        received: usize,
        responder: &mut Responder,
        now: Instant,
    ) {
        let reply = responder.reply(now).map(Reply::octets);
        let (mut taken, mut answered) = ([0; 2], [0; 2]);
        let (logs_clients, mut to_log) = (ClientLog::is_on(), Vec::new());
        for number in 0..received {
            // A datagram without a source address gets no reply.
            let Some(datagram) = self.batch.datagram(number) else { continue };
            let version = IpVersion::of(datagram.peer.ip());
            taken[version as usize] += 1;
            let admitted = self.batch.with_content(number, |content| {
                self.admit(socket.local, &datagram, content, reply, now)
            });
            if let Err(reason) = admitted {
                self.counters.add_of(reason, datagram.peer);
                continue;
            }
            answered[version as usize] += 1;
            self.batch.queue_reply(number, datagram.destination);
            if logs_clients {
                to_log.push(datagram.peer);
            }
        }
        self.send_replies(&socket.udp, reply.unwrap_or(&[]), &mut answered, to_log);
        let counters = &self.counters;
        for version in IpVersion::BOTH {
            counters.add_many(Event::UdpReceived, version, taken[version as usize]);
            counters.add_many(Event::UdpAnswered, version, answered[version as usize]);
        }
    }

    /// Sends the replies to the batch, and subtracts failed replies from `answered`. The service
    /// does not retransmit a failed reply: the client retries anyway, and waiting for one peer
    /// would delay the others.
    fn send_replies(
        &mut self,
        udp: &UdpSocket,
        reply: &[u8],
        answered: &mut [u64; 2],
        mut to_log: Vec<SocketAddr>,
    ) {
        let counters = &self.counters;
        self.batch.send_replies(udp, reply, |peer, error| {
            let version = IpVersion::of(peer.ip());
            answered[version as usize] -= 1;
            counters.add_failure(send_failure_event(error), version, Some(peer), error);
            if let Some(place) = to_log.iter().position(|it| *it == peer) {
                to_log.remove(place);
            }
        });
        for peer in to_log {
            counters.log_client(Event::UdpAnswered, peer);
        }
    }

    fn receive_failed(&self, socket: &mut Socket, error: &io::Error) {
        match error.kind() {
            ErrorKind::WouldBlock => socket.ready = false,
            ErrorKind::Interrupted => {}
            // One possible cause is an ICMP error that an earlier reply caused. Reading the error
            // has cleared it, so the next receive may succeed.
            _ => {
                let version = IpVersion::of(socket.local.ip());
                self.counters.add_failure(Event::UdpReceiveFailed, version, None, error);
                socket.failures += 1;
                socket.ready = !socket.failures.is_multiple_of(MAX_FAILURES);
            }
        }
    }

    /// Decides whether to answer a datagram with this content. The error is the event under
    /// which the ignored datagram is counted. `reply` is `None` if the server has no valid time.
    fn admit(
        &self,
        local: SocketAddr,
        datagram: &Received,
        content: &[u8],
        reply: Option<&[u8]>,
        now: Instant,
    ) -> Result<(), Event> {
        self.guard.admit(datagram, local)?;
        let reply = reply.ok_or(Event::UdpNoTime)?;
        self.guard.admit_length(datagram.octets, reply.len())?;
        // The limiter comes after the cheap rules, so that datagrams which these rules reject take
        // no token. The limiter also comes before the check of the content, which may cost several
        // times as much as a reply. So the limits also bound the cost of content checks in a flood.
        self.limiter.take(datagram.peer, now).map_err(|scope| match scope {
            Scope::Source => Event::UdpSourceLimit,
            Scope::Total => Event::UdpTotalLimit,
        })?;
        admit_content(content, reply)
    }
}

/// Returns the event that counts a reply that could not be sent.
fn send_failure_event(error: &io::Error) -> Event {
    match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
        Errno::ENOBUFS | Errno::ENOMEM | Errno::EAGAIN => Event::UdpNoMemory,
        Errno::EPERM | Errno::EACCES => Event::UdpNotPermitted,
        Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::ENETDOWN => Event::UdpUnreachable,
        _ => Event::UdpSendFailed,
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

    /// Creates a socket whose receives all fail with ENOTCONN, because it is a stream socket.
    fn failing() -> UdpSocket {
        let stream = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        stream.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("loopback");
        stream.set_nonblocking(true).expect("set");
        UdpSocket::from_std(OwnedFd::from(stream).into())
    }

    #[test]
    fn a_socket_that_always_fails_waits_for_an_event_after_16_failures() {
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
            assert!(!service.work(&mut responder, now), "it does not try forever");
            assert_eq!(metrics.count(Event::UdpReceiveFailed), failures);
            assert!(!service.work(&mut responder, now));
            assert_eq!(metrics.count(Event::UdpReceiveFailed), failures, "no event has come");
            service.sockets[0].ready = true; // The test marks the socket as ready, as an event would do.
        }
    }

    #[test]
    fn a_lost_reply_is_counted_by_kind() {
        for (errno, counted) in [
            (Errno::ENOBUFS, Event::UdpNoMemory),
            (Errno::ENOMEM, Event::UdpNoMemory),
            (Errno::EAGAIN, Event::UdpNoMemory),
            (Errno::EPERM, Event::UdpNotPermitted),
            (Errno::EACCES, Event::UdpNotPermitted),
            (Errno::ENETUNREACH, Event::UdpUnreachable),
            (Errno::EHOSTUNREACH, Event::UdpUnreachable),
            (Errno::EINVAL, Event::UdpSendFailed),
        ] {
            assert_eq!(send_failure_event(&io::Error::from(errno)), counted, "{errno}");
        }
    }
}
