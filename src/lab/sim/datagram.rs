//! RFC 867's datagram service and its client, on the sockets of a simulated host.

use super::line;
use super::network::{Application, Place, address, standard};
use crate::lab::link::SERVER;
use crate::transport::PORT;
use crate::udp::exchange::{Retries, Schedule, Step};
use crate::udp::guard::{Guard, GuardOptions, Question, admit_content};
use smoltcp::iface::SocketHandle;
use smoltcp::socket::udp::{PacketBuffer, PacketMetadata, Socket};
use smoltcp::wire::IpEndpoint;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// Datagrams that a socket keeps, and their octets.
const DATAGRAMS: usize = 16;
const OCTETS: usize = 1024;

fn socket(port: u16) -> Socket<'static> {
    let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; DATAGRAMS], vec![0; OCTETS]);
    let mut socket = Socket::new(buffer(), buffer());
    // It fails for port 0 and a socket that is bound only.
    let _ = socket.bind(port);
    socket
}

/// Whom a service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Everybody, as the first services did.
    Everybody,
    /// Whom the guard of `daytime serve` lets pass.
    Guarded,
}

/// Answers datagrams.
#[derive(Debug)]
pub(crate) struct Service {
    local: SocketAddr,
    /// `None` if everybody is answered.
    guard: Option<Guard>,
    /// How long it thinks before it answers.
    thinks: Duration,
    handle: Option<SocketHandle>,
    /// Questions that have come.
    questions: usize,
    waiting: VecDeque<Waiting>,
    pub answers: Vec<Answer>,
}

/// A question that waits for its answer.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    due: Duration,
    peer: IpEndpoint,
    question: usize,
}

/// An answer that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub sent: Duration,
    /// To the question with this number, counted from 1 as they came.
    pub question: usize,
}

impl Service {
    pub(crate) fn new(local: SocketAddr, policy: Policy, thinks: Duration) -> Self {
        let guard = (policy == Policy::Guarded)
            .then(|| Guard::new(GuardOptions::default(), vec![PORT], Vec::new()));
        let (waiting, answers) = (VecDeque::new(), Vec::new());
        Self { local, guard, thinks, handle: None, questions: 0, waiting, answers }
    }

    fn is_answered(&self, peer: IpEndpoint, content: &[u8], now: Duration) -> bool {
        let (peer, local, octets) = (standard(peer), self.local, content.len());
        let question = Question { peer, local, octets, sent_to_many: false, over_loopback: false };
        self.guard.as_ref().is_none_or(|guard| {
            guard.admit(question).is_ok()
                && line(now).is_some_and(|reply| admit_content(content, &reply).is_ok())
        })
    }

    fn receive(&mut self, handle: SocketHandle, place: &mut Place) {
        while let Ok((octets, meta)) = place.sockets.get_mut::<Socket>(handle).recv() {
            let content = octets.to_vec();
            let (due, peer) = (place.now + self.thinks, meta.endpoint);
            place.call("recvfrom()", || format!("{} octets from {peer}", content.len()));
            self.questions += 1;
            if self.is_answered(peer, &content, place.now) {
                self.waiting.push_back(Waiting { due, peer, question: self.questions });
            } else {
                place.call("the guard", || "ignores it".into());
            }
        }
    }

    fn answer(&mut self, handle: SocketHandle, place: &mut Place) {
        while let Some(Waiting { due, peer, question }) = self.waiting.front().copied()
            && due <= place.now
        {
            self.waiting.pop_front();
            let Some(line) = line(place.now) else { return };
            let sent = place.sockets.get_mut::<Socket>(handle).send_slice(&line, peer).is_ok();
            if sent {
                self.answers.push(Answer { sent: place.now, question });
            }
            let call = || format!("{} octets to {peer}", line.len());
            place.call("sendto()", || if sent { call() } else { "ENOBUFS".into() });
        }
    }
}

impl Application for Service {
    fn run(&mut self, place: &mut Place) {
        let handle = *self.handle.get_or_insert_with(|| place.sockets.add(socket(PORT)));
        self.receive(handle, place);
        self.answer(handle, place);
    }

    fn next(&self) -> Option<Duration> {
        self.waiting.front().map(|waiting| waiting.due)
    }
}

/// Asks, and again, as the client of this program does, so many times one after the other on one socket.
#[derive(Debug)]
pub(crate) struct Asker {
    retries: u32,
    /// How long each query may take.
    timeout: Duration,
    /// Queries still to come.
    queries: u32,
    handle: Option<SocketHandle>,
    current: Option<Query>,
    /// Datagrams that have come from the server, whether a query still waited for them or not.
    pub received: u64,
    /// How each query ended: when its answer came, and what it was.
    pub answers: Vec<Option<(Duration, Vec<u8>)>>,
    /// When each query began.
    pub begun: Vec<Duration>,
    /// When each question was sent.
    pub questions: Vec<Duration>,
}

#[derive(Debug)]
struct Query {
    exchange: Schedule,
    /// When it takes the next step.
    due: Duration,
}

/// The client's own port.
const OWN: u16 = 50_000;

impl Asker {
    pub(crate) fn new(queries: u32, retries: u32, timeout: Duration) -> Self {
        let (answers, begun, questions) = (Vec::new(), Vec::new(), Vec::new());
        let (handle, current) = (None, None);
        let received = 0;
        Self { retries, timeout, queries, handle, current, received, answers, begun, questions }
    }

    /// Takes what has come; only the server's datagrams do, as on a connected socket.
    fn receive(&mut self, handle: SocketHandle, place: &mut Place) {
        while let Ok((octets, meta)) = place.sockets.get_mut::<Socket>(handle).recv() {
            if standard(meta.endpoint) != SocketAddr::V4(address(SERVER)) {
                continue;
            }
            let octets = octets.to_vec();
            self.received += 1;
            place.call("recv()", || format!("{} octets", octets.len()));
            if self.current.take().is_some() {
                self.answers.push(Some((place.now, octets)));
            }
        }
    }

    fn begin(&mut self, place: &mut Place) {
        self.queries -= 1;
        self.begun.push(place.now);
        let retries = Retries { max: self.retries, min_interval: |_| Duration::ZERO };
        let deadline = place.instant() + self.timeout;
        let exchange = Schedule::new(&[address(SERVER).into()], retries, deadline);
        self.current = Some(Query { exchange, due: place.now });
    }

    /// Asks, if the time of the last question is over. False if the query is over with it.
    fn step(&mut self, handle: SocketHandle, place: &mut Place) -> bool {
        let Some(query) = self.current.as_mut().filter(|query| query.due <= place.now) else {
            return true;
        };
        if query.exchange.step(place.instant()) == Step::GiveUp {
            place.call("recv()", || "EAGAIN: the deadline".into());
            self.answers.push(None);
            self.current = None;
            return false;
        }
        self.questions.push(place.now);
        let sent = place.sockets.get_mut::<Socket>(handle).send_slice(&[], address(SERVER));
        query.due = place.time_of(query.exchange.sent(place.instant()));
        place.call("send(0)", || if sent.is_ok() { "0 octets".into() } else { "ENOBUFS".into() });
        true
    }
}

impl Application for Asker {
    fn run(&mut self, place: &mut Place) {
        let handle = *self.handle.get_or_insert_with(|| place.sockets.add(socket(OWN)));
        self.receive(handle, place);
        loop {
            if self.current.is_none() {
                if self.queries == 0 {
                    return;
                }
                self.begin(place);
            }
            if self.step(handle, place) {
                return;
            }
        }
    }

    fn next(&self) -> Option<Duration> {
        self.current.as_ref().map(|query| query.due)
    }
}
