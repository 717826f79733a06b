//! RFC 867's datagram service and a client for it, on a simulated host's sockets.

use super::network::{Application, HostAccess, address, socket_address};
use super::reply_at;
use crate::lab::link::SERVER;
use crate::sys::Received;
use crate::transport::PORT;
use crate::udp::guard::{Guard, GuardOptions, admit_content};
use crate::udp::retries::{Retries, Schedule};
use smoltcp::iface::SocketHandle;
use smoltcp::socket::udp::{PacketBuffer, PacketMetadata, Socket};
use smoltcp::wire::IpEndpoint;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// Capacity of each socket buffer: the maximum number of datagrams, and the maximum total number of their octets.
const MAX_QUEUED_DATAGRAMS: usize = 16;
const MAX_QUEUED_OCTETS: usize = 1024;

fn socket(port: u16) -> Socket<'static> {
    let buffer = || {
        PacketBuffer::new(
            vec![PacketMetadata::EMPTY; MAX_QUEUED_DATAGRAMS],
            vec![0; MAX_QUEUED_OCTETS],
        )
    };
    let mut socket = Socket::new(buffer(), buffer());
    // Binding fails only for port 0 or a bound socket; neither occurs here.
    let _ = socket.bind(port);
    socket
}

/// How a service decides whether to answer a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Answers every datagram, as early implementations did.
    Unguarded,
    /// Answers only the datagrams that the guard of `daytime serve` permits.
    Guarded,
}

/// The datagram service, which runs as an application on a simulated host.
#[derive(Debug)]
pub(crate) struct Service {
    local: SocketAddr,
    /// `None` if the service answers every datagram.
    guard: Option<Guard>,
    /// Time from the arrival of a question until the service sends the reply.
    reply_delay: Duration,
    handle: Option<SocketHandle>,
    /// Number of questions (datagrams that ask for the time) that the service has received.
    questions: usize,
    waiting: VecDeque<Waiting>,
    pub answers: Vec<Answer>,
}

/// A question to which the service has not replied yet.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    due: Duration,
    peer: IpEndpoint,
    question: usize,
}

/// A reply that the service has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub sent: Duration,
    /// Number of the question that this reply answers, in the order received (1-based).
    pub question: usize,
}

impl Service {
    pub(crate) fn new(local: SocketAddr, policy: Policy, reply_delay: Duration) -> Self {
        let guard = (policy == Policy::Guarded)
            .then(|| Guard::new(GuardOptions::default(), vec![PORT], Vec::new()));
        let (waiting, answers) = (VecDeque::new(), Vec::new());
        Self { local, guard, reply_delay, handle: None, questions: 0, waiting, answers }
    }

    fn is_answered(&self, peer: IpEndpoint, content: &[u8], now: Duration) -> bool {
        let (peer, octets) = (socket_address(peer), content.len());
        let datagram = Received { peer, octets, sent_to_many: false, destination: None };
        self.guard.as_ref().is_none_or(|guard| {
            guard.admit(&datagram, self.local).is_ok()
                && reply_at(now).is_some_and(|reply| admit_content(content, &reply).is_ok())
        })
    }

    fn receive(&mut self, handle: SocketHandle, host: &mut HostAccess) {
        while let Ok((octets, meta)) = host.sockets.get_mut::<Socket>(handle).recv() {
            let content = octets.to_vec();
            let (due, peer) = (host.now + self.reply_delay, meta.endpoint);
            host.call("recvfrom()", || format!("{} octets from {peer}", content.len()));
            self.questions += 1;
            if self.is_answered(peer, &content, host.now) {
                self.waiting.push_back(Waiting { due, peer, question: self.questions });
            } else {
                host.call("the guard ignores it", String::new);
            }
        }
    }

    fn answer(&mut self, handle: SocketHandle, host: &mut HostAccess) {
        while let Some(Waiting { due, peer, question }) = self.waiting.front().copied()
            && due <= host.now
        {
            self.waiting.pop_front();
            let Some(line) = reply_at(host.now) else { return };
            let sent = host.sockets.get_mut::<Socket>(handle).send_slice(&line, peer).is_ok();
            if sent {
                self.answers.push(Answer { sent: host.now, question });
            }
            let call = || format!("{} octets to {peer}", line.len());
            host.call("sendto()", || if sent { call() } else { "ENOBUFS".into() });
        }
    }
}

impl Application for Service {
    fn run(&mut self, host: &mut HostAccess) {
        let handle = *self.handle.get_or_insert_with(|| host.sockets.add(socket(PORT)));
        self.receive(handle, host);
        self.answer(handle, host);
    }

    fn next(&self) -> Option<Duration> {
        self.waiting.front().map(|waiting| waiting.due)
    }
}

/// A client that makes several queries, one after the other, on one socket. Like `daytime query`, the client sends
/// another question if no reply to the first one arrives, so one query may consist of several questions.
#[derive(Debug, Default)]
pub(crate) struct Asker {
    retries: u32,
    /// Time from a query's first question until the client gives up.
    timeout: Duration,
    /// Number of queries that have not begun yet.
    queries: u32,
    handle: Option<SocketHandle>,
    current: Option<Query>,
    /// Number of datagrams received from the server, including those that arrive when no query is waiting.
    pub received: u64,
    /// Result of each query that has ended: the arrival time and the octets of its reply, or `None` if it got no reply.
    pub answers: Vec<Option<(Duration, Vec<u8>)>>,
    /// Time at which each query began.
    pub query_starts: Vec<Duration>,
    /// Time at which each question was sent.
    pub questions: Vec<Duration>,
}

#[derive(Debug)]
struct Query {
    exchange: Schedule,
    /// Time of the next step: sending another query, or giving up.
    due: Duration,
}

/// The client's port.
const CLIENT_PORT: u16 = 50_000;

impl Asker {
    pub(crate) fn new(queries: u32, retries: u32, timeout: Duration) -> Self {
        Self { retries, timeout, queries, ..Self::default() }
    }

    /// Receives the datagrams that have arrived. Ignores those that are not from the server, as a connected socket
    /// does.
    fn receive(&mut self, handle: SocketHandle, host: &mut HostAccess) {
        while let Ok((octets, meta)) = host.sockets.get_mut::<Socket>(handle).recv() {
            if socket_address(meta.endpoint) != SocketAddr::V4(address(SERVER)) {
                continue;
            }
            let octets = octets.to_vec();
            self.received += 1;
            host.call("recv()", || format!("{} octets", octets.len()));
            if self.current.take().is_some() {
                self.answers.push(Some((host.now, octets)));
            }
        }
    }

    fn begin(&mut self, host: &mut HostAccess) {
        self.queries -= 1;
        self.query_starts.push(host.now);
        let retries = Retries { max: self.retries, min_interval: |_| Duration::ZERO };
        let deadline = host.now + self.timeout;
        let mut exchange = Schedule::new(&[address(SERVER).into()], retries, deadline);
        exchange.next_address(host.now);
        self.current = Some(Query { exchange, due: host.now });
    }

    /// If the query's next step is due, sends a question or gives up. Returns false if the query has ended.
    fn step(&mut self, handle: SocketHandle, host: &mut HostAccess) -> bool {
        let Some(query) = self.current.as_mut().filter(|query| query.due <= host.now) else {
            return true;
        };
        if !query.exchange.next_question(host.now) {
            host.call("recv()", || "EAGAIN: the deadline".into());
            self.answers.push(None);
            self.current = None;
            return false;
        }
        self.questions.push(host.now);
        let sent = host.sockets.get_mut::<Socket>(handle).send_slice(&[], address(SERVER));
        query.due = query.exchange.wait_until(host.now);
        host.call("send(0)", || if sent.is_ok() { "0 octets".into() } else { "ENOBUFS".into() });
        true
    }
}

impl Application for Asker {
    fn run(&mut self, host: &mut HostAccess) {
        let handle = *self.handle.get_or_insert_with(|| host.sockets.add(socket(CLIENT_PORT)));
        self.receive(handle, host);
        loop {
            if self.current.is_none() {
                if self.queries == 0 {
                    return;
                }
                self.begin(host);
            }
            if self.step(handle, host) {
                return;
            }
        }
    }

    fn next(&self) -> Option<Duration> {
        self.current.as_ref().map(|query| query.due)
    }
}
