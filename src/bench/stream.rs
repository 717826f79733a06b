//! Generates the load over TCP, with several concurrent connections. Each connection is opened, read until the end of
//! stream, closed, and replaced with a new one.

use super::run::{Run, Waiting};
use crate::sys;
use nix::libc::EINPROGRESS;
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{self, ErrorKind, Read};
use std::net::SocketAddr;
use std::time::Duration;

/// Maximum length of a reply in octets. A longer stream counts as a failure.
const MAX_REPLY_OCTETS: usize = 64 << 10;

/// Runs the load until it is over.
pub(super) fn load(peer: SocketAddr, connections: usize, run: &mut Run) -> io::Result<()> {
    let mut stream = Streams::new(peer, connections)?;
    loop {
        let now = run.now();
        if run.is_over(now, || stream.under_way()) {
            return Ok(());
        }
        stream.open_idle(run)?;
        let room = !stream.idle.is_empty();
        stream.waiting.wait(run, now, room)?;
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
    slots: Vec<Connection>,
    /// Slots that have no connection and may open one.
    idle: Vec<usize>,
    /// Slots whose last connection was refused or failed immediately. These slots reconnect after the next tick.
    resting: Vec<usize>,
    room: Box<[u8]>,
}

/// A slot, which holds one connection after another.
#[derive(Default)]
struct Connection {
    socket: Option<Socket>,
    due: Duration,
    began: Duration,
    octets: usize,
    last: u8,
}

impl Streams {
    fn new(peer: SocketAddr, connections: usize) -> io::Result<Self> {
        Ok(Self {
            peer: peer.into(),
            domain: Domain::for_address(peer),
            waiting: Waiting::new()?,
            slots: (0..connections).map(|_| Connection::default()).collect(),
            idle: (0..connections).rev().collect(),
            resting: Vec::with_capacity(connections),
            room: vec![0; 2048].into(),
        })
    }

    fn under_way(&self) -> usize {
        self.slots.len() - self.idle.len() - self.resting.len()
    }

    /// Opens connections in idle slots while exchanges are due.
    fn open_idle(&mut self, run: &mut Run) -> io::Result<()> {
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

    fn open(&mut self, number: usize, run: &mut Run, now: Duration) -> io::Result<()> {
        let due = run.begin_exchange(now);
        let socket = sys::open(self.domain, Type::STREAM)?;
        if let Err(error) = socket.connect(&self.peer)
            && error.raw_os_error() != Some(EINPROGRESS)
        {
            run.record_failure(due, &error);
            self.resting.push(number);
            return Ok(());
        }
        self.waiting.watch(&socket, number)?;
        self.slots[number] =
            Connection { socket: Some(socket), due, began: now, octets: 0, last: 0 };
        Ok(())
    }

    /// Reads from the ready connections. A slot whose exchange has ended becomes idle.
    fn read_ready(&mut self, run: &mut Run) {
        let ready = self.waiting.ready();
        for (number, closed) in ready {
            let Some(slot) = self.slots.get_mut(number) else { continue };
            let Some(ended) = slot.read(closed, &mut self.room) else { continue };
            slot.socket = None; // dropping the socket closes it
            match ended {
                Ok(()) => run.record_answer(slot.due, run.now(), slot.octets),
                Err(error) => {
                    run.record_failure(slot.due, &error);
                    if error.kind() == ErrorKind::ConnectionRefused {
                        self.resting.push(number);
                        continue;
                    }
                }
            }
            self.idle.push(number);
        }
    }

    /// Closes connections that have timed out, and makes resting slots idle again.
    fn give_up_old(&mut self, run: &mut Run, now: Duration) {
        for (number, slot) in self.slots.iter_mut().enumerate() {
            if slot.socket.is_some() && now >= slot.began + run.timeout {
                slot.socket = None;
                run.record_failure(slot.due, &ErrorKind::TimedOut.into());
                self.idle.push(number);
            }
        }
        self.idle.append(&mut self.resting);
    }
}

impl Connection {
    /// Reads all octets that have arrived. Returns the exchange's result if it has ended. If `closed` is true, the end
    /// of stream has arrived too, so a read that does not fill `room` is the last one.
    fn read(&mut self, closed: bool, room: &mut [u8]) -> Option<io::Result<()>> {
        let mut socket = self.socket.as_ref()?;
        loop {
            let octets = match socket.read(room) {
                Ok(octets) => octets,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) => return Some(Err(error)),
            };
            self.octets += octets;
            self.last = octets.checked_sub(1).map_or(self.last, |last| room[last]);
            if self.octets > MAX_REPLY_OCTETS {
                return Some(Err(io::Error::other("the reply is too long")));
            }
            if octets == 0 || closed && octets < room.len() {
                let is_line = self.last == b'\n';
                return Some(is_line.then_some(()).ok_or(ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}
