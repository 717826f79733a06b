//! The loop of one thread: wait, answer, drain.

use super::crew::Crew;
use super::{Supervisor, Until};
use crate::limit::{Census, Limiter};
use crate::listen::Opened;
use crate::metrics::Counters;
use crate::responder::Responder;
use crate::sys;
use crate::tcp::server::{Drain, Round, Service as TcpService};
use crate::transport::Transport;
use crate::udp::guard::{Guard, GuardOptions};
use crate::udp::server::Service as UdpService;
use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Events, Poll, Token};
use std::io::{self, ErrorKind};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) const WAKE: Token = Token(0);
/// Tokens: the waker, the UDP sockets, the TCP listeners, then the connections without an end.
const FIRST: usize = 1;
/// How long open connections may take to end once a stop was asked for.
const GRACE: Duration = Duration::from_secs(1);
/// How long a worker waits at least before it tells of more trouble.
const NOTICES_APART: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Worker {
    poll: Poll,
    tcp: TcpService,
    udp: UdpService,
    first_tcp: usize,
    responder: Responder,
    counters: Arc<Counters>,
    crew: Arc<Crew>,
    /// Its number in the crew.
    number: usize,
    until: Until,
    /// How much trouble there was in the round before, when an operator was told of it, and when there is
    /// more to tell.
    troubles: u64,
    told: Option<Instant>,
    notices_due: Option<Instant>,
    /// When it has to show that it is alive.
    alive_due: Option<Instant>,
    /// The first worker's alone.
    pub(super) supervisor: Option<Supervisor>,
}

/// What a worker lets strangers do. The limits are those of all workers together.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub drain: Drain,
    pub census: Arc<Census>,
    pub limiter: Arc<Limiter>,
    pub guard: GuardOptions,
    pub until: Until,
}

impl Worker {
    pub(super) fn new(
        poll: Poll,
        opened: Vec<Opened>,
        responder: Responder,
        rules: Rules,
        (crew, number): (Arc<Crew>, usize),
    ) -> io::Result<Self> {
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
        let Rules { drain, census, limiter, guard, until } = rules;
        let guard = Guard::new(guard, ports, sys::broadcasts());
        let counters = crew.metrics.worker(number);
        let counted = || Arc::clone(&counters);
        let udp = UdpService::new(udp, guard, limiter, counted(), poll.registry(), FIRST)?;
        let tcp = TcpService::new(tcp, drain, census, counted(), poll.registry(), first_tcp)?;
        Ok(Self {
            poll,
            tcp,
            udp,
            first_tcp,
            responder,
            counters,
            crew,
            number,
            until,
            troubles: 0,
            told: None,
            notices_due: None,
            alive_due: None,
            supervisor: None,
        })
    }

    /// Takes a connection that somebody else has accepted, and answers it.
    pub(super) fn adopt(&mut self, stream: TcpStream) {
        let Ok(peer) = stream.peer_addr() else { return }; // it has gone already
        let (registry, now) = (self.poll.registry(), Instant::now());
        self.tcp.adopt(stream, peer, &mut Round { responder: &mut self.responder, registry, now });
    }

    pub(super) fn accepts(&self) -> bool {
        self.tcp.accepts()
    }

    pub(super) fn crew(&self) -> &Crew {
        &self.crew
    }

    pub(super) fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        self.note_clients(!self.tcp.is_idle(), Instant::now());
        let mut left = true; // what came before us
        while !self.crew.is_stopped() && !self.is_over(left) {
            let busy = !self.tcp.is_idle();
            let came = self.wait(&mut events, left)?;
            let now = Instant::now();
            let clients = busy || left || came;
            if clients {
                // Before it answers: whoever has a line from one worker finds all of them there.
                self.note_clients(true, now);
            }
            left = self.work(now);
            if clients {
                self.note_clients(left || !self.tcp.is_idle(), now);
            }
        }
        // The others too; of several that are over at once one tells.
        if let (true, Until::Idle(time)) = (self.crew.stop(), self.until) {
            log::info!("no client for {} s: stopping", time.as_secs_f64());
        }
        self.finish(&mut events)
    }

    /// Has the others know whether it has a client, where the end depends on that.
    fn note_clients(&self, are_there: bool, now: Instant) {
        if let Until::Idle(_) = self.until {
            self.crew.note_clients(self.number, are_there, now);
        }
    }

    /// True if it has served for as long as it should, without having been told to stop.
    fn is_over(&self, left: bool) -> bool {
        if left || !self.tcp.is_idle() {
            return false;
        }
        match self.until {
            Until::Stopped => false,
            Until::Idle(time) => self.crew.are_all_idle(self.number, time, Instant::now()),
            Until::Answered => true,
        }
    }

    /// When nobody will have come for too long, if nobody comes, and this worker has to say so.
    fn idle_deadline(&self) -> Option<Instant> {
        match self.until {
            Until::Idle(time) if !self.crew.is_stopped() => {
                self.crew.idle_deadline(self.number, time)
            }
            _ => None,
        }
    }

    /// Sleeps until an event or a deadline; not at all if work is left over. True if a socket had an event.
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
                Token(token) if token < self.first_tcp => self.udp.event(event),
                _ => self.tcp.event(event),
            }
        }
        Ok(came)
    }

    /// How long there is nothing to do without an event; `None` if for ever.
    fn timeout(&self) -> Option<Duration> {
        let supervisor = self.supervisor.as_ref().and_then(Supervisor::next_deadline);
        let (tcp, udp) = (self.tcp.next_deadline(), self.udp.next_deadline());
        let idle = self.idle_deadline();
        let next = [tcp, udp, idle, supervisor, self.notices_due, self.alive_due];
        let next = next.into_iter().flatten().min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// One round: a batch of each, and the deadlines. True if work is left over.
    fn work(&mut self, now: Instant) -> bool {
        self.alive_due = self.crew.note_alive(self.number, now);
        if let Some(supervisor) = &mut self.supervisor {
            supervisor.tick(now, || self.crew.is_alive(now));
        }
        let registry = self.poll.registry();
        if self.crew.has_to_make_room(self.number) {
            self.tcp.make_room(now);
        }
        let tcp = self.tcp.work(&mut Round { responder: &mut self.responder, registry, now });
        if self.tcp.lacks_room() {
            self.crew.ask_for_room(self.number);
        }
        let udp = self.udp.work(&mut self.responder, now);
        self.tell(now);
        tcp || udp
    }

    /// Tells an operator of trouble, but not each time: to tell takes a lock that all workers share, and a
    /// stranger can make trouble in every round.
    fn tell(&mut self, now: Instant) {
        let troubles = self.counters.troubles();
        if troubles != mem::replace(&mut self.troubles, troubles) {
            let soon = self.told.map_or(now, |told| told + NOTICES_APART);
            self.notices_due = Some(self.notices_due.map_or(soon, |due| due.min(soon)));
        }
        if self.notices_due.is_some_and(|due| due <= now) {
            self.told = Some(now);
            self.notices_due = self.crew.tell(now);
        }
    }

    /// Answers what has arrived before the stop, accepts no more, and waits for open connections.
    fn finish(&mut self, events: &mut Events) -> io::Result<()> {
        let now = Instant::now();
        let deadline = now + GRACE;
        if let Some(supervisor) = &mut self.supervisor {
            supervisor.stopping();
        }
        let registry = self.poll.registry();
        self.tcp.stop(&mut Round { responder: &mut self.responder, registry, now }, deadline);
        self.udp.stop(&mut self.responder, deadline);
        let mut left = true; // what `stop` has not come to
        while !self.tcp.is_idle() && Instant::now() < deadline {
            self.wait(events, left)?;
            left = self.work(Instant::now());
        }
        Ok(())
    }
}
