//! Load over TCP: so many connections at once, each opened, read to the end and closed, again and again.

use super::BenchError;
use super::course::{Course, Waiting};
use super::tally::Failure;
use crate::sys;
use mio::unix::SourceFd;
use mio::{Interest, Token};
use nix::libc::EINPROGRESS;
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// The most octets of a reply: longer is none.
const MOST: usize = 64 << 10;

/// Asks until the course is over.
pub(super) fn load(
    peer: SocketAddr,
    connections: usize,
    course: &mut Course,
) -> Result<(), BenchError> {
    let mut stream = Streams::new(peer, connections).map_err(BenchError::Setup)?;
    loop {
        let now = course.now();
        if course.is_over(now, || stream.under_way()) {
            return Ok(());
        }
        stream.open_idle(course)?;
        let room = !stream.idle.is_empty();
        stream.waiting.wait(course, now, room).map_err(BenchError::Setup)?;
        stream.read_ready(course);
        if course.ticks(now) {
            stream.give_up_old(course, now);
        }
    }
}

struct Streams {
    peer: SockAddr,
    domain: Domain,
    waiting: Waiting,
    places: Vec<Place>,
    /// Places without a connection.
    idle: Vec<usize>,
    /// Those whose last connection failed at once, or was refused: they try again after a tick.
    resting: Vec<usize>,
    room: Box<[u8]>,
}

/// What one connection after the other has.
#[derive(Default)]
struct Place {
    socket: Option<Socket>,
    due: Duration,
    began: Duration,
    octets: usize,
    last: u8,
}

/// What reading came to.
enum Progress {
    Ended,
    Failed(Failure),
    More,
}

impl Streams {
    fn new(peer: SocketAddr, connections: usize) -> std::io::Result<Self> {
        Ok(Self {
            peer: peer.into(),
            domain: Domain::for_address(peer),
            waiting: Waiting::new()?,
            places: (0..connections).map(|_| Place::default()).collect(),
            idle: (0..connections).rev().collect(),
            resting: Vec::with_capacity(connections),
            room: vec![0; 2048].into(),
        })
    }

    fn under_way(&self) -> usize {
        self.places.len() - self.idle.len() - self.resting.len()
    }

    /// Opens what may begin.
    fn open_idle(&mut self, course: &mut Course) -> Result<(), BenchError> {
        while let Some(number) = self.idle.pop() {
            let now = course.now();
            if course.schedule.ready(now, 1) == 0 {
                self.idle.push(number);
                break;
            }
            self.open(number, course, now)?;
        }
        Ok(())
    }

    fn open(
        &mut self,
        number: usize,
        course: &mut Course,
        now: Duration,
    ) -> Result<(), BenchError> {
        let due = course.begins(now);
        let socket = sys::open(self.domain, Type::STREAM).map_err(BenchError::Setup)?;
        match socket.connect(&self.peer) {
            Err(error) if error.raw_os_error() != Some(EINPROGRESS) => {
                course.failed(due, &Failure::System(error));
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
        self.places[number] = Place { socket: Some(socket), due, began: now, octets: 0, last: 0 };
        Ok(())
    }

    /// Reads where something has come; a place whose exchange is over begins the next at once.
    fn read_ready(&mut self, course: &mut Course) {
        let ready = self.waiting.ready();
        for (number, closed) in ready {
            let Some(place) = self.places.get_mut(number) else { continue };
            let ended = match place.read(closed, &mut self.room) {
                Progress::More => continue,
                Progress::Ended => Ok(()),
                Progress::Failed(failure) => Err(failure),
            };
            place.socket = None; // which closes it
            match ended {
                Ok(()) => course.answered(place.due, course.now(), place.octets),
                Err(failure) => {
                    course.failed(place.due, &failure);
                    if failure.is_refusal() {
                        self.resting.push(number);
                        continue;
                    }
                }
            }
            self.idle.push(number);
        }
    }

    /// Closes what has had its time, and lets those that failed at once try again.
    fn give_up_old(&mut self, course: &mut Course, now: Duration) {
        for (number, place) in self.places.iter_mut().enumerate() {
            if place.socket.is_some() && now >= place.began + course.timeout {
                place.socket = None;
                course.failed(place.due, &Failure::TimedOut);
                self.idle.push(number);
            }
        }
        self.idle.append(&mut self.resting);
    }
}

impl Place {
    /// Reads all there is. `closed`: the end of the stream has come with it, so a read that does not fill the
    /// room is the last.
    fn read(&mut self, closed: bool, room: &mut [u8]) -> Progress {
        let Some(mut socket) = self.socket.as_ref() else { return Progress::More };
        loop {
            match socket.read(room) {
                Ok(0) => return self.end(),
                Ok(octets) => {
                    self.octets += octets;
                    self.last = room[octets - 1];
                    if self.octets > MOST {
                        return Progress::Failed(Failure::TooLong);
                    }
                    if closed && octets < room.len() {
                        return self.end();
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::More,
                Err(error) => return Progress::Failed(Failure::System(error)),
            }
        }
    }

    /// What the stream was, now that it has ended.
    fn end(&self) -> Progress {
        if self.last == b'\n' { Progress::Ended } else { Progress::Failed(Failure::CutShort) }
    }
}
