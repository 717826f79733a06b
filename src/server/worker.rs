//! The loop of one thread: wait, answer, drain.

use super::{Supervisor, Until};
use crate::limit::{Limiter, Limits};
use crate::listen::Opened;
use crate::metrics::Metrics;
use crate::notice::Notices;
use crate::responder::Responder;
use crate::sys;
use crate::tcp::server::{Drain, Service as TcpService};
use crate::transport::Transport;
use crate::udp::guard::{Guard, GuardOptions};
use crate::udp::server::Service as UdpService;
use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Events, Poll, Token, Waker};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const WAKE: Token = Token(0);
/// Tokens: the waker, the UDP sockets, the TCP listeners, then the connections without an end.
const FIRST: usize = 1;
/// How long open connections may take to end once a stop was asked for.
const GRACE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Worker {
    poll: Poll,
    tcp: TcpService,
    udp: UdpService,
    first_tcp: usize,
    responder: Responder,
    metrics: Arc<Metrics>,
    notices: Notices,
    stop: Arc<AtomicBool>,
    until: Until,
    /// When the last client came or went, or a little later.
    quiet_since: Instant,
    pub(super) supervisor: Option<Supervisor>,
}

/// What a worker lets strangers do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub drain: Drain,
    pub limits: Limits,
    pub guard: GuardOptions,
    pub until: Until,
}

impl Worker {
    pub(super) fn new(
        opened: Vec<Opened>,
        responder: Responder,
        rules: Rules,
        metrics: Arc<Metrics>,
    ) -> io::Result<(Self, Waker)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let (mut tcp, mut udp) = (Vec::new(), Vec::new());
        for Opened { transport, socket, .. } in opened {
            match transport {
                Transport::Tcp => tcp.push(TcpListener::from_std(socket.into())),
                Transport::Udp => udp.push(UdpSocket::from_std(socket.into())),
            }
        }
        let first_tcp = FIRST + udp.len();
        let ports =
            udp.iter().filter_map(|socket| Some(socket.local_addr().ok()?.port())).collect();
        let guard = Guard::new(rules.guard, ports, sys::broadcasts());
        let limiter = Limiter::new(rules.limits, Instant::now());
        let udp = UdpService::new(udp, guard, limiter, poll.registry(), FIRST)?;
        let tcp = TcpService::new(tcp, rules.drain, rules.limits, poll.registry(), first_tcp)?;
        let stop = Arc::new(AtomicBool::new(false));
        let worker = Self {
            poll,
            tcp,
            udp,
            first_tcp,
            responder,
            metrics,
            notices: Notices::new(),
            stop,
            until: rules.until,
            quiet_since: Instant::now(),
            supervisor: None,
        };
        Ok((worker, waker))
    }

    /// Takes a connection that somebody else has accepted, and answers it.
    pub(super) fn adopt(&mut self, stream: TcpStream) {
        let Ok(peer) = stream.peer_addr() else { return }; // it has gone already
        let registry = self.poll.registry();
        self.tcp.adopt(stream, peer, &mut self.responder, registry, &self.metrics);
    }

    /// Set it and wake the loop, and [`Worker::run`] ends.
    pub(super) fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    pub(super) fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        self.quiet_since = Instant::now();
        let mut left = true; // what came before us
        while !self.stop.load(Ordering::Acquire) && !self.is_over(left) {
            let busy = !self.tcp.is_idle();
            self.wait(&mut events, left)?;
            left = self.work();
            if busy || left || !events.is_empty() {
                self.quiet_since = Instant::now();
            }
        }
        if let (Until::Idle(time), false) = (self.until, self.stop.load(Ordering::Acquire)) {
            log::info!("no client for {} s: stopping", time.as_secs_f64());
        }
        self.finish(&mut events)
    }

    /// True if it has served for as long as it should, without having been told to stop.
    fn is_over(&self, left: bool) -> bool {
        let over = match self.until {
            Until::Stopped => false,
            Until::Idle(_) => self.idle_deadline().is_some_and(|end| end <= Instant::now()),
            Until::Answered => true,
        };
        over && !left && self.tcp.is_idle()
    }

    /// When nobody will have come for too long, if nobody comes.
    fn idle_deadline(&self) -> Option<Instant> {
        match self.until {
            Until::Idle(time) if self.tcp.is_idle() => self.quiet_since.checked_add(time),
            _ => None,
        }
    }

    /// Sleeps until an event or a deadline; not at all if work is left over.
    fn wait(&mut self, events: &mut Events, left: bool) -> io::Result<()> {
        let until = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
        let supervisor = self.supervisor.as_ref().and_then(Supervisor::next_deadline);
        let (tcp, idle) = (self.tcp.next_deadline(), self.idle_deadline());
        let next = [tcp, idle, supervisor, self.notices.next()].into_iter().flatten().min();
        let timeout = if left { Some(Duration::ZERO) } else { next.map(until) };
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => events.clear(),
            polled => polled?,
        }
        for event in &*events {
            match event.token() {
                WAKE => {}
                Token(token) if token < self.first_tcp => self.udp.event(event),
                _ => self.tcp.event(event, &self.metrics),
            }
        }
        Ok(())
    }

    /// One round: a batch of each, and the deadlines. True if work is left over.
    fn work(&mut self) -> bool {
        let now = Instant::now();
        if let Some(supervisor) = &mut self.supervisor {
            supervisor.tick(now);
        }
        self.tcp.expire(now, &self.metrics);
        let registry = self.poll.registry();
        let tcp = self.tcp.work(&mut self.responder, registry, now, &self.metrics);
        let udp = self.udp.work(&mut self.responder, now, &self.metrics);
        self.notices.tell(&self.metrics, now);
        tcp || udp
    }

    /// Answers what has arrived before the stop, accepts no more, and waits for open connections.
    fn finish(&mut self, events: &mut Events) -> io::Result<()> {
        let deadline = Instant::now() + GRACE;
        if let Some(supervisor) = &mut self.supervisor {
            supervisor.stopping();
        }
        let registry = self.poll.registry();
        self.tcp.stop(&mut self.responder, registry, deadline, &self.metrics);
        self.udp.stop(&mut self.responder, &self.metrics);
        let mut left = true; // what `stop` has not come to
        while !self.tcp.is_idle() && Instant::now() < deadline {
            self.wait(events, left)?;
            left = self.work();
        }
        Ok(())
    }
}
