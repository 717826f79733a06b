//! Captures packets on one interface or on all interfaces, until a signal ends the capture.

use super::{Captured, Interface, InterfaceId, checksum};
use crate::reply::Printable;
use crate::sys::{self, PacketSocket};
use crate::trace::Fate;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Maximum length of a captured packet in octets. The kernel may hand over packets of up to half a
/// MiB, because the network card splits them only later (segmentation offload).
const MAX_PACKET_OCTETS: usize = 1 << 20;

/// A packet socket (packet(7)) that receives a copy of every packet that passes its filter.
pub(crate) struct Capture {
    socket: PacketSocket,
    changes: OwnedFd,
    /// The interface's name and index, or `None` if all interfaces are captured.
    only: Option<(String, u32)>,
    names: Names,
    room: Vec<u8>,
}

/// The reason why a capture cannot start or continue.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaptureError {
    #[error("no permission to capture packets")]
    NotPermitted(#[source] io::Error),
    /// The interface does not exist. `existing` lists the names of the existing interfaces.
    #[error("no interface named {}", Printable(.name.as_bytes()))]
    NoInterface { name: String, existing: Vec<String> },
    #[error("interface {} is down", Printable(.0.as_bytes()))]
    Down(String),
    #[error("interface {} went down", Printable(.0.as_bytes()))]
    WentDown(String),
    #[error("cannot capture packets")]
    Failed(#[from] io::Error),
}

impl Capture {
    /// Starts capturing packets that may belong to these ports, on `interface` or on all
    /// interfaces.
    pub(crate) fn open(interface: Option<&str>, ports: &[u16]) -> Result<Self, CaptureError> {
        // The socket that reports interface changes must be open before the interface is checked.
        // Otherwise a change just after the check would be missed.
        let changes = sys::open_link_changes()?;
        let only = interface.map(find).transpose()?;
        let index = only.as_ref().map(|(_, index)| *index);
        let socket = PacketSocket::open(index, ports).map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied => CaptureError::NotPermitted(error),
            _ => CaptureError::Failed(error),
        })?;
        Ok(Self {
            socket,
            changes,
            only,
            names: Names::default(),
            room: vec![0; MAX_PACKET_OCTETS],
        })
    }

    /// Waits for the next packet. Returns `None` once the time `until` has come, or when `stop`
    /// becomes readable.
    pub(crate) fn next(
        &mut self,
        until: Option<Instant>,
        stop: BorrowedFd,
    ) -> Result<Option<Captured>, CaptureError> {
        loop {
            let wait = until.map(|until| until.saturating_duration_since(Instant::now()));
            let sources = [self.socket.as_fd(), self.changes.as_fd(), stop];
            let [packet, changed, stopped] = readable(sources, wait)?;
            if stopped || until.is_some_and(|until| until <= Instant::now()) {
                return Ok(None);
            }
            if changed {
                self.check_interface()?;
            }
            if packet && let Some(captured) = self.waiting()? {
                return Ok(Some(captured));
            }
        }
    }

    /// Checks that the captured interface is still up. The packet socket is not bound to the
    /// interface; its filter selects the interface instead. So the kernel reports no error when the
    /// interface goes down.
    fn check_interface(&self) -> Result<(), CaptureError> {
        sys::take_link_changes(&self.changes)?;
        let Some((name, index)) = &self.only else { return Ok(()) };
        let there = sys::interfaces()?;
        let is_up = there.iter().any(|it| it.index == *index && it.is_up);
        if is_up { Ok(()) } else { Err(CaptureError::WentDown(name.clone())) }
    }

    /// Stops receiving packets. [`Capture::waiting`] still returns the packets received before the
    /// stop.
    pub(crate) fn end(&self) -> Result<(), CaptureError> {
        Ok(self.socket.close()?)
    }

    /// Returns the next packet in the socket's queue without waiting, or `None` if the queue is
    /// empty.
    pub(crate) fn waiting(&mut self) -> Result<Option<Captured>, CaptureError> {
        let seen = match self.socket.receive(&mut self.room) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            seen => seen?,
        };
        let mut octets = self.room[..seen.octets].to_vec();
        if !seen.has_checksum {
            checksum::complete(&mut octets);
        }
        let id = InterfaceId { number: seen.interface, passed: None };
        let interface = Some(Interface { id, name: self.names.of(seen.interface) });
        let comments = vec![Fate::Seen.words(seen.at).into_bytes()];
        Ok(Some(Captured { at: Some(seen.at), octets, interface, comments }))
    }

    /// Returns the number of packets that the kernel has dropped since the last call, because they
    /// arrived faster than this program read them. The number includes packets in which the
    /// kernel's filter could not find the ports.
    pub(crate) fn lost(&self) -> Result<u32, CaptureError> {
        Ok(self.socket.lost()?)
    }
}

/// Waits until a descriptor is readable or `wait` has passed. Returns whether each one is readable;
/// if a signal interrupts the wait, none is.
pub(crate) fn readable<const N: usize>(
    all: [BorrowedFd; N],
    wait: Option<Duration>,
) -> io::Result<[bool; N]> {
    let timeout = match wait {
        // Rounds up, because waiting for the last fraction of a millisecond would otherwise be a
        // busy loop.
        Some(wait) => PollTimeout::try_from(wait.as_millis() + 1).unwrap_or(PollTimeout::MAX),
        None => PollTimeout::NONE,
    };
    let mut ready = all.map(|it| PollFd::new(it, PollFlags::POLLIN));
    match poll(&mut ready, timeout) {
        Err(Errno::EINTR) => Ok([false; N]),
        Err(errno) => Err(errno.into()),
        Ok(_) => Ok(ready.map(|it| it.any().unwrap_or(true))),
    }
}

/// Interface names by index. The map is updated when a new index appears. A name is `None` if the
/// interface no longer exists.
#[derive(Default)]
struct Names(BTreeMap<u32, Option<Arc<[u8]>>>);

impl Names {
    fn of(&mut self, number: u32) -> Option<Arc<[u8]>> {
        if !self.0.contains_key(&number) {
            let there = sys::interfaces().unwrap_or_default();
            let named = there.into_iter().map(|it| (it.index, Some(it.name.into_bytes().into())));
            self.0.extend(named);
        }
        self.0.entry(number).or_default().clone()
    }
}

/// Returns the interface's name and index. Fails if the interface does not exist or is not up.
fn find(name: &str) -> Result<(String, u32), CaptureError> {
    let existing = sys::interfaces()?;
    match existing.iter().find(|it| it.name == name) {
        Some(found) if found.is_up => Ok((found.name.clone(), found.index)),
        Some(_) => Err(CaptureError::Down(name.to_owned())),
        None => {
            let names = existing.into_iter().map(|it| it.name).collect();
            Err(CaptureError::NoInterface { name: name.to_owned(), existing: names })
        }
    }
}
