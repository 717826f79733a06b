//! Carries packets between the two hosts: the simulated link decides for each packet whether and when it arrives.

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

/// Size of the buffer for one frame. The largest packet has 1500 octets.
const MAX_FRAME_OCTETS: usize = 4096;

const ALARM: Token = Token(2);
const WAKER: Token = Token(3);

/// A thread that forwards packets until this value is dropped. The thread runs in the namespace that holds the
/// forwarder's ends of the two cables. That namespace exists as long as the thread runs.
#[derive(Debug)]
pub(super) struct Forwarder {
    waker: Waker,
    /// Channel for forged packets; the thread ends when this sender is dropped.
    forged: Option<Sender<Forged>>,
    probes: Receiver<HostId>,
}

/// A packet to put on the link that no host has sent.
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
    /// The forwarder's ends of the two cables. Each index is the number of the host at the other end of the cable.
    ends: [FrameSocket; 2],
    forged: Receiver<Forged>,
    probes: Sender<HostId>,
    link: Link,
    /// Packet copies on the link, ordered by arrival. Copies with the same arrival keep the order of sending.
    under_way: BTreeMap<(Duration, u64), Copy>,
    copies: u64,
    recorder: Recorder,
}

/// One copy of a frame under way, with the number of its packet in the trace.
#[derive(Debug)]
struct Copy {
    number: usize,
    to: HostId,
    frame: Vec<u8>,
}

impl Forwarder {
    /// Starts the thread. The two interface names are those of the cables to the client and to the server.
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

    /// Waits for the next probe, and returns the host that sent it.
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
        // If waking fails, the thread ends with the process.
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

    /// Sends the waiting forged packets. Returns false if the channel is closed.
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

    /// Receives all frames that have arrived.
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

    /// Handles one frame. The link decides the fate of the experiment's packets. Other frames, such as ARP, pass at
    /// once.
    fn take(&mut self, from: HostId, to: HostId, frame: &mut [u8]) {
        let Some(packet) = frame::packet(frame) else {
            // A failed send is ignored, because the hosts repeat such frames.
            let _ = self.end(to).send(frame);
            return;
        };
        if frame::is_probe(packet) {
            let _ = self.probes.send(from); // the send fails only if no caller waits for probes any more
            return;
        }
        // The kernel left the checksum to the hardware, but a veth has no hardware that computes it.
        complete(packet);
        let packet = packet.to_vec();
        self.send(from, to, frame, packet);
    }

    /// Records a packet, and schedules the copies that the link delivers.
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

    /// Delivers the copies that are due. Returns the time until the next one is due.
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
