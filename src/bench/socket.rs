//! A load's UDP socket, with its unanswered queries.

use super::pending::{Pending, Question};
use super::run::{Run, Waiting};
use crate::sys::{self, ClientBatch, MAX_BATCH_DATAGRAMS};
use socket2::{Domain, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

/// A connected UDP socket, which receives datagrams only from its peer.
pub(super) struct QuestionSocket {
    peer: SocketAddr,
    socket: Socket,
    /// Whether receive calls block. If so, the socket receives only one batch at a time.
    blocks: bool,
    pub pending: Pending,
    /// Whether the socket has received a datagram. Until then, it sends queries one by one, because sendmmsg(2) does
    /// not report a refusal that follows its first datagram.
    has_answered: bool,
    /// Whether the socket has failed. If so, it sends no query until the next tick.
    resting: bool,
    /// The previous socket, which stays open to receive late answers. If the current socket received them, they would
    /// be mistaken for answers to newer queries.
    retired: Option<Socket>,
}

/// Requested size of the receive buffer in octets (`SO_RCVBUF`), large enough that this host drops no answers.
const RECEIVE_BUFFER: usize = 4 << 20;

fn connected(peer: SocketAddr) -> io::Result<Socket> {
    let socket = sys::open(Domain::for_address(peer), Type::DGRAM)?;
    // A failure is ignored, because the system may allow only a smaller buffer.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.connect(&peer.into())?;
    Ok(socket)
}

impl QuestionSocket {
    pub(super) fn open(peer: SocketAddr, window: usize) -> io::Result<Self> {
        Ok(Self {
            peer,
            socket: connected(peer)?,
            blocks: false,
            pending: Pending::new(window),
            has_answered: false,
            resting: false,
            retired: None,
        })
    }

    /// Makes receive calls block for at most this time.
    pub(super) fn block_for(&mut self, timeout: Duration) -> io::Result<()> {
        self.blocks = true;
        self.socket.set_nonblocking(false)?;
        self.socket.set_read_timeout(Some(timeout))
    }

    pub(super) fn watch(&self, waiting: &Waiting, number: usize) -> io::Result<()> {
        waiting.watch(&self.socket, number)
    }

    /// Sends the queries that are due and fit into the window, but no more than `max`. Returns the number of queries
    /// sent.
    pub(super) fn ask(&mut self, batch: &mut ClientBatch, run: &mut Run, max: usize) -> usize {
        let mut asked = 0;
        while !self.resting {
            let at_once = if self.has_answered { MAX_BATCH_DATAGRAMS } else { 1 };
            let room = self.pending.room().min(max - asked).min(at_once);
            let now = run.now();
            let ready = run.schedule.ready(now, room);
            if ready == 0 {
                break;
            }
            match batch.send_empty(&self.socket, ready) {
                Ok(sent) => {
                    for _ in 0..sent {
                        let due = run.begin_exchange(now);
                        self.pending.asked(Question { due, sent: now });
                    }
                    asked += sent;
                }
                Err(error) if would_block(&error) => break,
                Err(error) => self.asking_failed(&error, run, now),
            }
        }
        asked
    }

    /// Records an error from a send call. A refusal concerns the oldest unanswered query; any other error concerns the
    /// query that could not be sent.
    fn asking_failed(&mut self, error: &io::Error, run: &mut Run, now: Duration) {
        let refused = error.kind() == ErrorKind::ConnectionRefused;
        let before = if refused { self.pending.oldest() } else { None };
        let due = before.map_or_else(|| run.begin_exchange(now), |question| question.due);
        run.record_failure(due, error);
        self.resting = true;
    }

    /// Receives all queued datagrams, or one batch if receive calls block.
    pub(super) fn receive(&mut self, batch: &mut ClientBatch, run: &mut Run) {
        loop {
            // Requests more datagrams than expected, because an extra datagram left in the queue would later be
            // mistaken for an answer.
            let wanted = (2 * self.pending.len() + 2).min(MAX_BATCH_DATAGRAMS);
            let (pending, mut came) = (&mut self.pending, None);
            let received = batch.receive(&self.socket, wanted, |octets| {
                let now = *came.get_or_insert_with(|| run.now());
                count_answer(pending, octets, run, now);
            });
            match received {
                Ok(received) => {
                    self.has_answered = true;
                    if received < wanted || self.blocks {
                        return;
                    }
                }
                Err(error) if would_block(&error) => return,
                Err(error) => {
                    // If no query is unanswered, the error concerns a query that has already timed out.
                    let Some(question) = self.pending.oldest() else { return };
                    run.record_failure(question.due, &error);
                    self.resting = true;
                    if self.blocks {
                        return;
                    }
                }
            }
        }
    }

    /// Records queries that have timed out, and ends the pause after a failure. Returns true if it opened a new socket,
    /// which the caller must register.
    pub(super) fn tick(&mut self, batch: &mut ClientBatch, run: &mut Run, now: Duration) -> bool {
        self.resting = false;
        count_late(self.retired.as_ref(), batch, run);
        let mut gave_up = false;
        while let Some(question) = self.pending.overdue(now, run.timeout) {
            run.record_loss(question.due);
            gave_up = true;
        }
        gave_up && self.pending.len() == 0 && self.replace_socket()
    }

    fn replace_socket(&mut self) -> bool {
        self.retired = None; // Closes the retired socket first, so that its descriptor becomes free for the new socket.
        let Ok(fresh) = connected(self.peer) else { return false };
        let old = std::mem::replace(&mut self.socket, fresh);
        self.retired = old.set_nonblocking(true).is_ok().then_some(old);
        true
    }

    /// Counts the late datagrams that have arrived by the end of the load.
    pub(super) fn finish(&self, batch: &mut ClientBatch, run: &mut Run) {
        count_late(self.retired.as_ref(), batch, run);
        if self.pending.len() == 0 && self.socket.set_nonblocking(true).is_ok() {
            count_late(Some(&self.socket), batch, run);
        }
    }
}

/// Records a datagram as the answer to the oldest query.
fn count_answer(pending: &mut Pending, octets: &[u8], run: &mut Run, now: Duration) {
    match pending.oldest() {
        Some(question) if octets.ends_with(b"\n") => {
            run.record_answer(question.due, now, octets.len());
        }
        Some(question) => run.record_failure(question.due, &ErrorKind::UnexpectedEof.into()),
        None => run.record_late(now),
    }
}

fn count_late(socket: Option<&Socket>, batch: &mut ClientBatch, run: &mut Run) {
    let Some(socket) = socket else { return };
    let now = run.now();
    while batch
        .receive(socket, MAX_BATCH_DATAGRAMS, |_| run.record_late(now))
        .is_ok_and(|received| received > 0)
    {}
}

/// Whether the system call failed only because it would block or was interrupted. If so, the caller retries later.
fn would_block(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock)
}
