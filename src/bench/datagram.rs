//! Generates the load over UDP, with several sockets that each have a window of unanswered queries. Sends and receives
//! in batches.

use super::BenchOptions;
use super::run::{Run, TICK, Waiting};
use super::socket::QuestionSocket;
use crate::sys::ClientBatch;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// Runs the load until it is over.
pub(super) fn load(peer: SocketAddr, options: &BenchOptions, run: &mut Run) -> io::Result<()> {
    let mut datagrams = Datagrams::new(peer, options)?;
    let asked = match &mut datagrams.sockets[..] {
        [socket] if !run.schedule.is_open() => ask_on_one(socket, &mut datagrams.batch, run),
        _ => datagrams.ask_on_many(run),
    };
    for socket in &datagrams.sockets {
        socket.finish(&mut datagrams.batch, run);
    }
    asked
}

/// Runs a closed loop on a single socket. Receive calls block, so the loop needs no poll.
fn ask_on_one(
    socket: &mut QuestionSocket,
    batch: &mut ClientBatch,
    run: &mut Run,
) -> io::Result<()> {
    socket.block_for(TICK)?;
    loop {
        let now = run.now();
        if run.is_over(now, || socket.pending.len()) {
            return Ok(());
        }
        socket.ask(batch, run, usize::MAX);
        socket.receive(batch, run);
        if run.report_progress(now) && socket.tick(batch, run, now) {
            socket.block_for(TICK)?;
        }
    }
}

struct Datagrams {
    waiting: Waiting,
    sockets: Vec<QuestionSocket>,
    batch: ClientBatch,
    /// Open loop: index of the socket that sent the most recent query.
    turn: usize,
}

impl Datagrams {
    fn new(peer: SocketAddr, options: &BenchOptions) -> io::Result<Self> {
        let sockets = (0..options.sockets())
            .map(|_| QuestionSocket::open(peer, options.questions_per_socket()));
        let sockets = sockets.collect::<io::Result<_>>()?;
        Ok(Self { waiting: Waiting::new()?, sockets, batch: ClientBatch::new(), turn: 0 })
    }

    fn ask_on_many(&mut self, run: &mut Run) -> io::Result<()> {
        for (number, socket) in self.sockets.iter().enumerate() {
            socket.watch(&self.waiting, number)?;
        }
        if !run.schedule.is_open() {
            self.ask_on_all(run);
        }
        loop {
            let now = run.now();
            if run.is_over(now, || self.under_way()) {
                return Ok(());
            }
            let room = run.schedule.is_open() && self.ask_in_turn(run);
            self.waiting.wait(run, now, room)?;
            self.receive_ready(run);
            if run.report_progress(now) {
                self.tick(run, now)?;
            }
        }
    }

    fn under_way(&self) -> usize {
        self.sockets.iter().map(|socket| socket.pending.len()).sum()
    }

    fn ask_on_all(&mut self, run: &mut Run) {
        for socket in &mut self.sockets {
            socket.ask(&mut self.batch, run, usize::MAX);
        }
    }

    /// Open loop: sends the queries that are due, each on the next socket whose window has free space. Returns whether
    /// any window still has free space.
    fn ask_in_turn(&mut self, run: &mut Run) -> bool {
        let mut without_room = 0;
        while without_room < self.sockets.len() {
            if run.schedule.ready(run.now(), 1) == 0 {
                return true;
            }
            self.turn = (self.turn + 1) % self.sockets.len();
            let asked = self.sockets[self.turn].ask(&mut self.batch, run, 1);
            without_room = if asked == 0 { without_room + 1 } else { 0 };
        }
        false
    }

    /// Receives from the ready sockets. In a closed loop, each of these sockets immediately sends its next queries.
    fn receive_ready(&mut self, run: &mut Run) {
        for (number, _) in self.waiting.ready() {
            let Some(socket) = self.sockets.get_mut(number) else { continue };
            socket.receive(&mut self.batch, run);
            if !run.schedule.is_open() {
                socket.ask(&mut self.batch, run, usize::MAX);
            }
        }
    }

    fn tick(&mut self, run: &mut Run, now: Duration) -> io::Result<()> {
        for (number, socket) in self.sockets.iter_mut().enumerate() {
            if socket.tick(&mut self.batch, run, now) {
                socket.watch(&self.waiting, number)?;
            }
        }
        if !run.schedule.is_open() {
            self.ask_on_all(run);
        }
        Ok(())
    }
}
