//! Load over TCP: several connections at once, each opened, read to the end, closed and replaced.

use super::BenchError;
use super::run::{Run, Waiting};
use super::tally::ExchangeError;
use crate::sys;
use mio::unix::SourceFd;
use mio::{Interest, Token};
use nix::libc::EINPROGRESS;
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// What is longer is no reply.
const MAX_REPLY_OCTETS: usize = 64 << 10;

/// Asks until the run is over.
pub(super) fn load(peer: SocketAddr, connections: usize, run: &mut Run) -> Result<(), BenchError> {
    let mut stream = Streams::new(peer, connections).map_err(BenchError::Setup)?;
    loop {
        let now = run.now();
        if run.is_over(now, || stream.under_way()) {
            return Ok(());
        }
        stream.open_idle(run)?;
        let room = !stream.idle.is_empty();
        stream.waiting.wait(run, now, room).map_err(BenchError::Setup)?;
        stream.read_ready(run);
        if run.report_progress(now) {
            stream.give_up_old(run, now);
        }
    }
}

struct Streams {
    peer: SockAddr,
    domain: Domain,
    waiting: Waiting,
    slots: Vec<Slot>,
    /// Places without a connection.
    idle: Vec<usize>,
    /// Those whose last connection failed at once, or was refused: they try again after a tick.
    resting: Vec<usize>,
    room: Box<[u8]>,
}

/// One connection after another.
#[derive(Default)]
struct Slot {
    socket: Option<Socket>,
    due: Duration,
    began: Duration,
    octets: usize,
    last: u8,
}

impl Streams {
    fn new(peer: SocketAddr, connections: usize) -> std::io::Result<Self> {
        Ok(Self {
            peer: peer.into(),
            domain: Domain::for_address(peer),
            waiting: Waiting::new()?,
            slots: (0..connections).map(|_| Slot::default()).collect(),
            idle: (0..connections).rev().collect(),
            resting: Vec::with_capacity(connections),
            room: vec![0; 2048].into(),
        })
    }

    fn under_way(&self) -> usize {
        self.slots.len() - self.idle.len() - self.resting.len()
    }

    /// Opens what may begin.
    fn open_idle(&mut self, run: &mut Run) -> Result<(), BenchError> {
        while let Some(number) = self.idle.pop() {
            let now = run.now();
            if run.schedule.ready(now, 1) == 0 {
                self.idle.push(number);
                break;
            }
            self.open(number, run, now)?;
        }
        Ok(())
    }

    fn open(&mut self, number: usize, run: &mut Run, now: Duration) -> Result<(), BenchError> {
        let due = run.begin_exchange(now);
        let socket = sys::open(self.domain, Type::STREAM).map_err(BenchError::Setup)?;
        match socket.connect(&self.peer) {
            Err(error) if error.raw_os_error() != Some(EINPROGRESS) => {
                run.failed(due, &ExchangeError::System(error));
                self.resting.push(number);
                return Ok(());
            }
            _ => {}
        }
        let registry = self.waiting.poll.registry();
        let descriptor = socket.as_raw_fd();
        registry
            .register(&mut SourceFd(&descriptor), Token(number), Interest::READABLE)
            .map_err(BenchError::Setup)?;
        self.slots[number] = Slot { socket: Some(socket), due, began: now, octets: 0, last: 0 };
        Ok(())
    }

    /// Reads where something has come; a slot whose exchange is over begins the next at once.
    fn read_ready(&mut self, run: &mut Run) {
        let ready = self.waiting.ready();
        for (number, closed) in ready {
            let Some(slot) = self.slots.get_mut(number) else { continue };
            let Some(ended) = slot.read(closed, &mut self.room) else { continue };
            slot.socket = None; // which closes it
            match ended {
                Ok(()) => run.answered(slot.due, run.now(), slot.octets),
                Err(error) => {
                    run.failed(slot.due, &error);
                    if error.is_refusal() {
                        self.resting.push(number);
                        continue;
                    }
                }
            }
            self.idle.push(number);
        }
    }

    /// Closes what has had its time, and lets those that failed at once try again.
    fn give_up_old(&mut self, run: &mut Run, now: Duration) {
        for (number, slot) in self.slots.iter_mut().enumerate() {
            if slot.socket.is_some() && now >= slot.began + run.timeout {
                slot.socket = None;
                run.failed(slot.due, &ExchangeError::TimedOut);
                self.idle.push(number);
            }
        }
        self.idle.append(&mut self.resting);
    }
}

impl Slot {
    /// Reads all there is. Returns how the exchange ended, if it has. `closed`: the end of the stream has come with
    /// it, so a read that does not fill the room is the last.
    fn read(&mut self, closed: bool, room: &mut [u8]) -> Option<Result<(), ExchangeError>> {
        let mut socket = self.socket.as_ref()?;
        loop {
            let octets = match socket.read(room) {
                Ok(octets) => octets,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) => return Some(Err(ExchangeError::System(error))),
            };
            self.octets += octets;
            self.last = octets.checked_sub(1).map_or(self.last, |last| room[last]);
            if self.octets > MAX_REPLY_OCTETS {
                return Some(Err(ExchangeError::TooLong));
            }
            if octets == 0 || closed && octets < room.len() {
                let is_line = self.last == b'\n';
                return Some(is_line.then_some(()).ok_or(ExchangeError::CutShort));
            }
        }
    }
}
