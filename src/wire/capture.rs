//! Live capture: what passes an interface, or all of them, until somebody stops it.

use super::{Captured, Interface, InterfaceId, checksum};
use crate::sys::{self, PacketSocket};
use crate::trace::Fate;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

/// More than any packet has, one that the kernel has yet to cut for the network card included.
const ROOM: usize = 256 << 10;

/// A socket that gets a copy of every packet.
pub(crate) struct Capture {
    socket: PacketSocket,
    /// The numbers of the interfaces that each packet passes twice, on its way out and in.
    loopbacks: Vec<u32>,
    names: Names,
    room: Vec<u8>,
    /// Packets that came faster than they were taken: the kernel threw their copies away.
    pub lost: u32,
}

/// Why nothing can be captured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaptureError {
    #[error("may not capture packets")]
    NotPermitted(#[source] io::Error),
    /// The name, and what there is.
    #[error("no interface is called {name}")]
    NoInterface { name: String, there: Vec<String> },
    #[error("cannot capture packets")]
    Failed(#[source] io::Error),
}

/// What a wait ended with.
#[derive(Debug)]
pub(crate) enum Next {
    Packet(Captured),
    /// There is something to read on the other descriptor.
    Stopped,
    TimeUp,
}

impl Capture {
    /// Begins to capture on an interface; on all without one.
    pub(crate) fn open(interface: Option<&str>) -> Result<Self, CaptureError> {
        let there = sys::interfaces().map_err(CaptureError::Failed)?;
        if let Some(name) = interface
            && !there.iter().any(|other| other.name == name)
        {
            let mut there: Vec<String> = there.into_iter().map(|it| it.name).collect();
            there.dedup();
            return Err(CaptureError::NoInterface { name: name.to_owned(), there });
        }
        let socket = PacketSocket::open(interface).map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied => CaptureError::NotPermitted(error),
            _ => CaptureError::Failed(error),
        })?;
        let loopbacks = there.iter().filter(|it| it.is_loopback).map(|it| it.index).collect();
        Ok(Self { socket, loopbacks, names: Names::default(), room: vec![0; ROOM], lost: 0 })
    }

    /// Waits for the next packet, until then at most, and no longer than `stop` has nothing to read.
    pub(crate) fn next(
        &mut self,
        until: Option<Instant>,
        stop: BorrowedFd,
    ) -> Result<Next, CaptureError> {
        loop {
            let wait = until.map(|until| until.saturating_duration_since(Instant::now()));
            let timeout = match wait {
                // Up to the next millisecond, so that it is not asked again and again in the last one.
                Some(wait) => {
                    PollTimeout::try_from(wait.as_millis() + 1).unwrap_or(PollTimeout::MAX)
                }
                None => PollTimeout::NONE,
            };
            let wanted = [self.socket.as_fd(), stop].map(|it| PollFd::new(it, PollFlags::POLLIN));
            let mut ready = wanted;
            match poll(&mut ready, timeout) {
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(CaptureError::Failed(error.into())),
                Ok(_) => {}
            }
            let [packet, stopped] = ready.map(|it| it.any().unwrap_or(true));
            if stopped {
                return Ok(Next::Stopped);
            }
            if until.is_some_and(|until| until <= Instant::now()) {
                return Ok(Next::TimeUp);
            }
            if packet && let Some(captured) = self.take()? {
                return Ok(Next::Packet(captured));
            }
        }
    }

    /// A packet that has come; `None` if it is no IP packet or the second copy of one.
    fn take(&mut self) -> Result<Option<Captured>, CaptureError> {
        let seen = match self.socket.receive(&mut self.room) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            seen => seen.map_err(CaptureError::Failed)?,
        };
        self.lost = seen.lost.unwrap_or(self.lost);
        if !seen.is_ip || seen.is_outgoing && self.loopbacks.contains(&seen.interface) {
            return Ok(None);
        }
        let mut octets = self.room[..seen.octets].to_vec();
        checksum::complete(&mut octets);
        let id = InterfaceId { number: seen.interface, passed: None };
        let interface = Some(Interface { id, name: self.names.of(seen.interface) });
        let comments = vec![Fate::Seen.words(seen.at).into_bytes()];
        Ok(Some(Captured { at: Some(seen.at), octets, interface, comments }))
    }
}

/// How the interfaces are called by number, those too that came later; `None` if it has gone again.
#[derive(Default)]
struct Names(BTreeMap<u32, Option<Arc<[u8]>>>);

impl Names {
    fn of(&mut self, number: u32) -> Option<Arc<[u8]>> {
        if !self.0.contains_key(&number) {
            // What cannot be asked for is not known.
            let there = sys::interfaces().unwrap_or_default();
            let named = there.into_iter().map(|it| (it.index, Some(it.name.into_bytes().into())));
            self.0.extend(named);
        }
        self.0.entry(number).or_default().clone()
    }
}
