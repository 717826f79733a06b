//! One UDP socket under load, and what it has asked.

use super::course::Course;
use super::pending::{Pending, Question};
use super::tally::Failure;
use crate::sys::{self, BATCH, ClientBatch};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// A connected socket: nobody else's datagrams reach it.
pub(super) struct Channel {
    peer: SocketAddr,
    socket: Socket,
    /// Receiving waits, so it is done once a round.
    blocks: bool,
    pub pending: Pending,
    /// Something has come back. Before that, questions go one by one: `sendmmsg(2)` keeps silent about a
    /// refusal that meets it behind its first datagram.
    answers: bool,
    /// It failed, and asks no more before the next tick.
    resting: bool,
    /// The socket before, kept open for what comes late. Were its questions' answers to come to the new one, they
    /// would be taken for others'.
    retired: Option<Socket>,
}

/// `SO_RCVBUF` that is asked for: what the server sends must not be lost here.
const RECEIVE_BUFFER: usize = 4 << 20;

fn connected(peer: SocketAddr) -> io::Result<Socket> {
    let socket = sys::open(Domain::for_address(peer), Type::DGRAM)?;
    // The system may have less to give.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.connect(&peer.into())?;
    Ok(socket)
}

impl Channel {
    pub(super) fn open(peer: SocketAddr, window: usize) -> io::Result<Self> {
        Ok(Self {
            peer,
            socket: connected(peer)?,
            blocks: false,
            pending: Pending::new(window),
            answers: false,
            resting: false,
            retired: None,
        })
    }

    /// Has receiving wait for so long.
    pub(super) fn block_for(&mut self, longest: Duration) -> io::Result<()> {
        self.blocks = true;
        self.socket.set_nonblocking(false)?;
        self.socket.set_read_timeout(Some(longest))
    }

    pub(super) fn watch(&self, registry: &Registry, number: usize) -> io::Result<()> {
        let descriptor = self.socket.as_raw_fd();
        registry.register(&mut SourceFd(&descriptor), Token(number), Interest::READABLE)
    }

    /// Asks what may begin and has room, `most` at most; how many it asked.
    pub(super) fn ask(
        &mut self,
        batch: &mut ClientBatch,
        course: &mut Course,
        most: usize,
    ) -> usize {
        let mut asked = 0;
        while !self.resting {
            let at_once = if self.answers { BATCH } else { 1 };
            let room = self.pending.room().min(most - asked).min(at_once);
            if room == 0 {
                break;
            }
            let now = course.now();
            let ready = course.schedule.ready(now, room);
            if ready == 0 {
                break;
            }
            match batch.send_empty(&self.socket, ready) {
                Ok(sent) => {
                    for _ in 0..sent {
                        let due = course.begins(now);
                        self.pending.asked(Question { due, sent: now });
                    }
                    asked += sent;
                }
                Err(error) if is_nothing(&error) => break,
                Err(error) => self.asking_failed(error, course, now),
            }
        }
        asked
    }

    /// A refusal is for a question that was sent before; anything else for the one that was to be sent.
    fn asking_failed(&mut self, error: io::Error, course: &mut Course, now: Duration) {
        let refused = error.kind() == ErrorKind::ConnectionRefused;
        let before = if refused { self.pending.oldest() } else { None };
        let due = before.map_or_else(|| course.begins(now), |question| question.due);
        course.failed(due, &Failure::System(error));
        self.resting = true;
    }

    /// Takes all that has come; where receiving waits, one batch of it.
    pub(super) fn receive(&mut self, batch: &mut ClientBatch, course: &mut Course) {
        loop {
            // More than is awaited: what nobody asked for would else pile up, and be taken for later answers.
            let wanted = (2 * self.pending.len() + 2).min(BATCH);
            let (pending, mut came) = (&mut self.pending, None);
            let received = batch.receive(&self.socket, wanted, |octets| {
                let now = *came.get_or_insert_with(|| course.now());
                take(pending, octets, course, now);
            });
            match received {
                Ok(received) => {
                    self.answers = true;
                    if received < wanted || self.blocks {
                        return;
                    }
                }
                Err(error) if is_nothing(&error) => return,
                Err(error) => {
                    // Of a question that was given up, nobody wants to know.
                    let Some(question) = self.pending.oldest() else { return };
                    course.failed(question.due, &Failure::System(error));
                    self.resting = true;
                    if self.blocks {
                        return;
                    }
                }
            }
        }
    }

    /// Gives up what has had its time, and ends a rest. True if the socket is another one now.
    pub(super) fn tick(
        &mut self,
        batch: &mut ClientBatch,
        course: &mut Course,
        now: Duration,
    ) -> bool {
        self.resting = false;
        count_late(self.retired.as_ref(), batch, course);
        let mut gave_up = false;
        while let Some(question) = self.pending.overdue(now, course.timeout) {
            course.lost(question.due);
            gave_up = true;
        }
        gave_up && self.pending.len() == 0 && self.replace_socket()
    }

    fn replace_socket(&mut self) -> bool {
        self.retired = None; // its descriptor may be the last
        let Ok(fresh) = connected(self.peer) else { return false };
        let old = std::mem::replace(&mut self.socket, fresh);
        self.retired = old.set_nonblocking(true).is_ok().then_some(old);
        true
    }

    /// Counts what has come and is nobody's, at the end.
    pub(super) fn finish(&self, batch: &mut ClientBatch, course: &mut Course) {
        count_late(self.retired.as_ref(), batch, course);
        if self.pending.len() == 0 && self.socket.set_nonblocking(true).is_ok() {
            count_late(Some(&self.socket), batch, course);
        }
    }
}

/// What one datagram is.
fn take(pending: &mut Pending, octets: &[u8], course: &mut Course, now: Duration) {
    match pending.oldest() {
        Some(question) if octets.ends_with(b"\n") => {
            course.answered(question.due, now, octets.len());
        }
        Some(question) => course.failed(question.due, &Failure::CutShort),
        None => course.late(now),
    }
}

fn count_late(socket: Option<&Socket>, batch: &mut ClientBatch, course: &mut Course) {
    let Some(socket) = socket else { return };
    let now = course.now();
    while batch.receive(socket, BATCH, |_| course.late(now)).is_ok_and(|received| received > 0) {}
}

/// Nothing is there, or it does not go now.
fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock)
}
