//! Load over UDP: so many sockets, each with a window of unanswered questions, sent and received in batches.

use super::BenchError;
use super::channel::Channel;
use super::course::{Course, TICK, Waiting};
use crate::sys::ClientBatch;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// Asks until the course is over.
pub(super) fn load(
    peer: SocketAddr,
    sockets: usize,
    window: usize,
    course: &mut Course,
) -> Result<(), BenchError> {
    let mut datagrams = Datagrams::new(peer, sockets, window).map_err(BenchError::Setup)?;
    let asked = match &mut datagrams.channels[..] {
        [channel] if !course.schedule.is_open() => {
            ask_on_one(channel, &mut datagrams.batch, course)
        }
        _ => datagrams.ask_on_many(course),
    };
    for channel in &datagrams.channels {
        channel.finish(&mut datagrams.batch, course);
    }
    asked.map_err(BenchError::Setup)
}

/// The closed loop on a single socket needs no readiness: receiving waits, which saves a call each time.
fn ask_on_one(
    channel: &mut Channel,
    batch: &mut ClientBatch,
    course: &mut Course,
) -> io::Result<()> {
    channel.block_for(TICK)?;
    loop {
        let now = course.now();
        if course.is_over(now, || channel.pending.len()) {
            return Ok(());
        }
        channel.ask(batch, course, usize::MAX);
        channel.receive(batch, course);
        if course.ticks(now) && channel.tick(batch, course, now) {
            channel.block_for(TICK)?;
        }
    }
}

struct Datagrams {
    waiting: Waiting,
    channels: Vec<Channel>,
    batch: ClientBatch,
    /// Open loop: whose turn it is to ask.
    turn: usize,
}

impl Datagrams {
    fn new(peer: SocketAddr, sockets: usize, window: usize) -> io::Result<Self> {
        let channels = (0..sockets).map(|_| Channel::open(peer, window));
        let channels = channels.collect::<io::Result<_>>()?;
        Ok(Self { waiting: Waiting::new()?, channels, batch: ClientBatch::new(), turn: 0 })
    }

    fn ask_on_many(&mut self, course: &mut Course) -> io::Result<()> {
        for (number, channel) in self.channels.iter().enumerate() {
            channel.watch(self.waiting.poll.registry(), number)?;
        }
        if !course.schedule.is_open() {
            self.ask_on_all(course);
        }
        loop {
            let now = course.now();
            if course.is_over(now, || self.under_way()) {
                return Ok(());
            }
            let room = course.schedule.is_open() && self.ask_in_turn(course);
            self.waiting.wait(course, now, room)?;
            self.receive_ready(course);
            if course.ticks(now) {
                self.tick(course, now)?;
            }
        }
    }

    fn under_way(&self) -> usize {
        self.channels.iter().map(|channel| channel.pending.len()).sum()
    }

    fn ask_on_all(&mut self, course: &mut Course) {
        for channel in &mut self.channels {
            channel.ask(&mut self.batch, course, usize::MAX);
        }
    }

    /// Open loop: asks what is due, each on the next socket that has room. True if there is room for more.
    fn ask_in_turn(&mut self, course: &mut Course) -> bool {
        let mut without_room = 0;
        while without_room < self.channels.len() {
            if course.schedule.ready(course.now(), 1) == 0 {
                return true;
            }
            self.turn = (self.turn + 1) % self.channels.len();
            let asked = self.channels[self.turn].ask(&mut self.batch, course, 1);
            without_room = if asked == 0 { without_room + 1 } else { 0 };
        }
        false
    }

    /// Takes what has come; in a closed loop each asks again at once.
    fn receive_ready(&mut self, course: &mut Course) {
        for (number, _) in self.waiting.ready() {
            let Some(channel) = self.channels.get_mut(number) else { continue };
            channel.receive(&mut self.batch, course);
            if !course.schedule.is_open() {
                channel.ask(&mut self.batch, course, usize::MAX);
            }
        }
    }

    fn tick(&mut self, course: &mut Course, now: Duration) -> io::Result<()> {
        for (number, channel) in self.channels.iter_mut().enumerate() {
            if channel.tick(&mut self.batch, course, now) {
                channel.watch(self.waiting.poll.registry(), number)?;
            }
        }
        if !course.schedule.is_open() {
            self.ask_on_all(course);
        }
        Ok(())
    }
}
