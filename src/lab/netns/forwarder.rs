//! Forwards packets between the two hosts. For each packet, the simulated link decides whether and when it arrives.

use super::namespace::panicked;
use super::{crowded, frame};
use crate::lab::link::{CLIENT, Link, SERVER};
use crate::lab::recorder::Recorder;
use crate::sys::{Alarm, FrameSocket};
use crate::trace::{Fate, HostId, Packet};
use crate::wire::checksum::complete;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd};
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread;
use std::time::Duration;

/// Size in octets of the buffer for one frame, more than enough: a packet can be at most 1500 octets long.
const MAX_FRAME_OCTETS: usize = 4096;

const ALARM: Token = Token(2);
const WAKER: Token = Token(3);

/// A thread that forwards packets until this value is dropped. The thread runs in the namespace that contains the
/// forwarder's ends of the two cables, the veth pairs to the hosts, and keeps this namespace in existence.
#[derive(Debug)]
pub(super) struct Forwarder {
    waker: Waker,
    /// Passes forged packets to the thread, which ends when this sender is dropped.
    forged: Option<Sender<Forged>>,
    probes: Receiver<HostId>,
}

/// A forged packet to put on the link, which does not come from any host.
#[derive(Debug)]
struct Forged {
    from: HostId,
    to: HostId,
    packet: Vec<u8>,
}

/// State of the forwarding thread.
struct Loop {
    poll: Poll,
    alarm: Alarm,
    /// The forwarder's ends of the two cables. The index is the number of the host at the other end.
    ends: [FrameSocket; 2],
    forged: Receiver<Forged>,
    probes: Sender<HostId>,
    link: Link,
    /// Packet copies on the link, ordered by arrival time and then by the order in which they were sent.
    under_way: BTreeMap<(Duration, u64), Copy>,
    copies: u64,
    recorder: Recorder,
}

/// A copy of a frame that is on the link, with the number that the recorder gave to its packet.
#[derive(Debug)]
struct Copy {
    number: usize,
    to: HostId,
    frame: Vec<u8>,
}

impl Forwarder {
    /// Starts the thread. `interfaces` names the forwarder's ends of the cables to the client and to the server.
    pub(super) fn start(interfaces: [&str; 2], link: Link, recorder: Recorder) -> io::Result<Self> {
        let [client, server] = interfaces.map(FrameSocket::open);
        let (poll, ends) = (Poll::new()?, [client?, server?]);
        for (number, end) in ends.iter().enumerate() {
            let descriptor = end.as_fd().as_raw_fd();
            let mut source = SourceFd(&descriptor);
            poll.registry().register(&mut source, Token(number), Interest::READABLE)?;
        }
        let alarm = Alarm::new(poll.registry(), ALARM)?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let ((forge, forged), (probe, probes)) = (mpsc::channel(), mpsc::channel());
        let (under_way, copies) = (BTreeMap::new(), 0);
        let mut forwarding =
            Loop { poll, alarm, ends, forged, probes: probe, link, under_way, copies, recorder };
        let run = move || {
            let ended = panic::catch_unwind(AssertUnwindSafe(|| forwarding.run()));
            if let Err(error) = ended.unwrap_or_else(|_| Err(panicked())) {
                forwarding.recorder.fail(error);
            }
        };
        thread::Builder::new().name("forwarder".to_owned()).spawn(run).map_err(crowded)?;
        Ok(Self { waker, forged: Some(forge), probes })
    }

    /// Puts a packet on the link as if a host had sent it.
    pub(super) fn forge(&self, from: HostId, to: HostId, packet: Vec<u8>) -> io::Result<()> {
        let ended = || io::Error::other("the forwarder has ended");
        let forged = self.forged.as_ref().ok_or_else(ended)?;
        forged.send(Forged { from, to, packet }).map_err(|_| ended())?;
        self.waker.wake()
    }

    /// Waits for the next probe, and returns the host that sent it; `None` after the timeout.
    pub(super) fn next_probe(&self, timeout: Duration) -> io::Result<Option<HostId>> {
        match self.probes.recv_timeout(timeout) {
            Ok(host) => Ok(Some(host)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the forwarder has ended")),
        }
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.forged = None;
        // If waking the thread fails, the thread ends only when the process ends.
        let _ = self.waker.wake();
    }
}

impl Loop {
    /// Forwards packets until the channel for forged packets is closed.
    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(8);
        let mut room = [0; MAX_FRAME_OCTETS];
        while self.send_forged() {
            self.take_all(&mut room)?;
            let timeout = match self.deliver() {
                Some(after) => {
                    self.alarm.set(after)?;
                    self.alarm.or_wait(after)
                }
                None => None,
            };
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns the forwarder's end of the cable to this host.
    fn end(&self, host: HostId) -> &FrameSocket {
        &self.ends[usize::from(host == SERVER)]
    }

    /// Puts all queued forged packets on the link. Returns false if the channel is closed.
    fn send_forged(&mut self) -> bool {
        loop {
            match self.forged.try_recv() {
                Ok(Forged { from, to, packet }) => {
                    let frame = frame::wrap(from, to, &packet);
                    self.send(from, to, &frame, packet);
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// Receives and handles all frames that have arrived.
    fn take_all(&mut self, room: &mut [u8]) -> io::Result<()> {
        for (from, to) in [(CLIENT, SERVER), (SERVER, CLIENT)] {
            loop {
                match self.end(from).receive(room) {
                    Ok(octets) => self.take(from, to, &mut room[..octets]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Handles one frame. The link decides the fate of TCP, UDP and ICMP packets over IPv4. Other frames, such as ARP,
    /// are forwarded at once.
    fn take(&mut self, from: HostId, to: HostId, frame: &mut [u8]) {
        let Some(packet) = frame::packet(frame) else {
            // A failed send is ignored, because the hosts retry such frames.
            let _ = self.end(to).send(frame);
            return;
        };
        if frame::is_probe(packet) {
            let _ = self.probes.send(from); // the send fails only if no caller still waits for probes
            return;
        }
        // The kernel leaves the checksum to the network hardware, but a veth device has none, so compute it here.
        complete(packet);
        let packet = packet.to_vec();
        self.send(from, to, frame, packet);
    }

    /// Records a packet, and schedules each copy that the link delivers.
    fn send(&mut self, from: HostId, to: HostId, frame: &[u8], octets: Vec<u8>) {
        let at = self.recorder.now();
        let (arrivals, fate) = match self.link.fate(from, at, &octets) {
            Fate::Arrived(times) => (times, Fate::Seen),
            fate => (Vec::new(), fate),
        };
        let packet = Packet { to, octets, fate };
        let number = self.recorder.sent(at, from, packet, arrivals.len());
        for due in arrivals {
            self.copies += 1;
            let copy = Copy { number, to, frame: frame.to_vec() };
            self.under_way.insert((due, self.copies), copy);
        }
    }

    /// Delivers the copies that are due. Returns the time until the next copy is due; `None` if there is none.
    fn deliver(&mut self) -> Option<Duration> {
        loop {
            let (due, now) = (self.under_way.first_key_value()?.0.0, self.recorder.now());
            if due > now {
                return Some(due.saturating_sub(now));
            }
            let (_, copy) = self.under_way.pop_first()?;
            let send = || self.end(copy.to).send(&copy.frame).is_ok();
            self.recorder.deliver(copy.number, now, send);
        }
    }
}
