//! Event loop of one worker thread. Each round waits for events, then answers clients and drains
//! connections.

use super::shared::{Shared, WAKE};
use super::{Config, ServeError, Supervisor, Until, run_loop};
use crate::listen::Opened;
use crate::metrics::Counters;
use crate::responder::Responder;
use crate::sys;
use crate::tcp::server::{Round, Service as TcpService};
use crate::transport::Transport;
use crate::udp::guard::Guard;
use crate::udp::server::Service as UdpService;
use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Events, Poll, Token};
use std::io::{self, ErrorKind};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Token of the first UDP socket. Token 0 is the waker. After the UDP sockets come the TCP
/// listeners, then the connections.
const FIRST_UDP: usize = 1;
/// Time that open connections get to end after a request to stop.
const STOP_GRACE: Duration = Duration::from_secs(1);
/// Minimum time between a worker's attempts to log notices.
const MIN_NOTICE_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Worker {
    poll: Poll,
    tcp: TcpService,
    udp: UdpService,
    first_tcp: usize,
    responder: Responder,
    counters: Arc<Counters>,
    shared: Arc<Shared>,
    /// Number of the worker, counted from 0.
    number: usize,
    until: Until,
    /// Time at which a client last arrived at this worker.
    last_client: Instant,
    /// Number of events that may need a notice, as of the previous round. If the number has
    /// changed, there are new events.
    troubles: u64,
    /// Time of the last attempt to log notices.
    notices_logged: Option<Instant>,
    /// Time of the next attempt to log notices.
    notices_due: Option<Instant>,
    /// Time at which the worker must record its next heartbeat.
    alive_due: Option<Instant>,
    /// Supervisor; only the first worker has one.
    pub(super) supervisor: Option<Supervisor>,
}

impl Worker {
    pub(super) fn new(
        poll: Poll,
        opened: Vec<Opened>,
        responder: Responder,
        config: &Config,
        shared: Arc<Shared>,
        number: usize,
    ) -> io::Result<Self> {
        let (tcp, udp) = by_transport(opened);
        let first_tcp = FIRST_UDP + udp.len();
        let ports =
            udp.iter().filter_map(|socket| Some(socket.local_addr().ok()?.port())).collect();
        let guard = Guard::new(config.guard, ports, sys::broadcasts());
        let counters = shared.metrics.worker(number);
        let (limiter, connection_limit) =
            (Arc::clone(&shared.limiter), Arc::clone(&shared.connection_limit));
        let (registry, own_counters) = (poll.registry(), || Arc::clone(&counters));
        let udp = UdpService::new(udp, guard, limiter, own_counters(), registry, FIRST_UDP)?;
        let tcp = TcpService::new(
            tcp,
            config.drain,
            connection_limit,
            own_counters(),
            registry,
            first_tcp,
        )?;
        Ok(Self {
            poll,
            tcp,
            udp,
            first_tcp,
            responder,
            counters,
            shared,
            number,
            until: config.until,
            last_client: Instant::now(),
            troubles: 0,
            notices_logged: None,
            notices_due: None,
            alive_due: None,
            supervisor: None,
        })
    }

    /// Answers an inherited connection, which another process has accepted.
    pub(super) fn answer_accepted(&mut self, stream: TcpStream) {
        // A connection without a peer address has already ended.
        let Ok(peer) = stream.peer_addr() else { return };
        let (registry, now) = (self.poll.registry(), Instant::now());
        self.tcp.answer(stream, peer, &mut Round { responder: &mut self.responder, registry, now });
    }

    pub(super) fn accepts(&self) -> bool {
        self.tcp.accepts()
    }

    /// Serves until a request to stop or until the condition in [`Until`]. Then makes the other
    /// workers stop too.
    pub(super) fn serve(&mut self) -> Result<(), ServeError> {
        let ended = run_loop(|| self.run());
        self.shared.stop();
        ended
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        self.last_client = Instant::now();
        // Clients may have arrived before the loop started, so the first round does not wait for an event.
        let mut left = true;
        while !self.shared.is_stopped() && !self.is_over(left) {
            let was_busy = left || !self.tcp.is_idle();
            let came = self.wait(&mut events, left)?;
            let now = Instant::now();
            left = self.work(now);
            if was_busy || came {
                self.last_client = now;
            }
        }
        // This worker is ending, so make the other workers end too.
        if let (true, Until::Idle(time)) = (self.shared.stop(), self.until) {
            log::info!("no client for {} s: stopping", time.as_secs_f64());
        }
        self.finish(&mut events)
    }

    /// Whether the condition in [`Until`] ends the worker now. `left` is true if the last round
    /// could not finish its work.
    fn is_over(&self, left: bool) -> bool {
        if left || !self.tcp.is_idle() {
            return false;
        }
        match self.until {
            Until::Stopped => false,
            Until::Idle(time) => self.last_client.elapsed() >= time,
            Until::Answered => true,
        }
    }

    /// Returns the time at which the worker ends because it has been idle; `None` if the worker has
    /// no idle limit.
    fn idle_deadline(&self) -> Option<Instant> {
        match self.until {
            Until::Idle(time) if self.tcp.is_idle() && !self.shared.is_stopped() => {
                self.last_client.checked_add(time)
            }
            _ => None,
        }
    }

    /// Sleeps until an event or a deadline. Does not sleep if `left` is true, because the last
    /// round could not finish its work. Returns true if a socket had an event.
    fn wait(&mut self, events: &mut Events, left: bool) -> io::Result<bool> {
        let timeout = if left { Some(Duration::ZERO) } else { self.timeout() };
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => events.clear(),
            polled => polled?,
        }
        let mut came = false;
        for event in &*events {
            came |= event.token() != WAKE;
            match event.token() {
                WAKE => {}
                Token(token) if token < self.first_tcp => self.udp.note_ready(event.token()),
                _ => self.tcp.note_ready(event.token()),
            }
        }
        Ok(came)
    }

    /// Returns the time until the next deadline; `None` if there is no deadline.
    fn timeout(&self) -> Option<Duration> {
        let supervisor = self.supervisor.as_ref().and_then(|supervisor| supervisor.due);
        let (tcp, udp) = (self.tcp.next_deadline(), self.udp.next_deadline());
        let idle = self.idle_deadline();
        let next = [tcp, udp, idle, supervisor, self.notices_due, self.alive_due];
        let next = next.into_iter().flatten().min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// Does one round of the event loop: handles deadlines that have passed, then answers a batch
    /// of connections and a batch of datagrams. Returns true if more work is already waiting.
    fn work(&mut self, now: Instant) -> bool {
        self.alive_due = self.shared.note_alive(self.number, now);
        if let Some(supervisor) = &mut self.supervisor {
            supervisor.tick(now, || self.shared.are_alive(now));
        }
        let registry = self.poll.registry();
        if self.shared.has_to_make_room(self.number) {
            self.tcp.make_room(now);
        }
        let tcp = self.tcp.work(&mut Round { responder: &mut self.responder, registry, now });
        if self.tcp.lacks_room() {
            self.shared.ask_for_room(self.number);
        }
        let udp = self.udp.work(&mut self.responder, now);
        self.log_notices(now);
        tcp || udp
    }

    /// Logs notices about events, at most once per [`MIN_NOTICE_INTERVAL`]. Logging takes a lock
    /// that all workers share. Without this limit, a client could make the worker take the lock in
    /// every round.
    fn log_notices(&mut self, now: Instant) {
        let troubles = self.counters.troubles();
        if troubles != mem::replace(&mut self.troubles, troubles) {
            let soon = self.notices_logged.map_or(now, |logged| logged + MIN_NOTICE_INTERVAL);
            self.notices_due = Some(self.notices_due.map_or(soon, |due| due.min(soon)));
        }
        if self.notices_due.is_some_and(|due| due <= now) {
            self.notices_logged = Some(now);
            self.notices_due = self.shared.log_notices(now);
        }
    }

    /// Answers the clients that arrived before the request to stop. Accepts no more clients, and
    /// waits for open connections to end.
    fn finish(&mut self, events: &mut Events) -> io::Result<()> {
        let now = Instant::now();
        let deadline = now + STOP_GRACE;
        if let Some(supervisor) = &mut self.supervisor {
            supervisor.stopping();
        }
        let registry = self.poll.registry();
        self.tcp.stop(&mut Round { responder: &mut self.responder, registry, now }, deadline);
        self.udp.stop(&mut self.responder, deadline);
        let mut left = true; // `stop` may have left work, so the first round does not wait.
        while !self.tcp.is_idle() && Instant::now() < deadline {
            self.wait(events, left)?;
            left = self.work(Instant::now());
        }
        Ok(())
    }
}

fn by_transport(opened: Vec<Opened>) -> (Vec<TcpListener>, Vec<UdpSocket>) {
    let (mut tcp, mut udp) = (Vec::new(), Vec::new());
    for Opened { bound, socket } in opened {
        match bound.transport {
            Transport::Tcp => tcp.push(TcpListener::from_std(socket.into())),
            Transport::Udp => udp.push(UdpSocket::from_std(socket.into())),
        }
    }
    (tcp, udp)
}
