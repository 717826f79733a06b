//! Takes what each host puts on its cable and passes it to the other, when and if the link says so.

use super::super::link::{CLIENT, SERVER};
use super::namespace::panicked;
use super::recorder::Recorder;
use super::{crowded, frame};
use crate::sys::{Alarm, FrameSocket};
use crate::trace::HostId;
use crate::wire::checksum::complete;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd};
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

/// More than any frame on a cable whose packets have up to 1500 octets.
const ROOM: usize = 4096;

const ALARM: Token = Token(2);
const WAKER: Token = Token(3);

/// Runs in a thread of its own until it is dropped, and keeps the namespace of its ends as long.
#[derive(Debug)]
pub(super) struct Forwarder {
    waker: Waker,
    forged: Sender<Forged>,
    recorder: Recorder,
}

/// A packet that no host has sent.
#[derive(Debug)]
struct Forged {
    from: HostId,
    to: HostId,
    packet: Vec<u8>,
}

/// What the thread has.
struct Loop {
    poll: Poll,
    alarm: Alarm,
    /// The forwarder's ends of the cables, by the number of the host at the other end.
    ends: [FrameSocket; 2],
    forged: Receiver<Forged>,
    recorder: Recorder,
}

impl Forwarder {
    /// Between the interfaces of these names, to the client and to the server.
    pub(super) fn start(interfaces: [&str; 2], recorder: Recorder) -> io::Result<Self> {
        let [client, server] = interfaces.map(FrameSocket::open);
        let (poll, ends) = (Poll::new()?, [client?, server?]);
        for (number, end) in ends.iter().enumerate() {
            let descriptor = end.as_fd().as_raw_fd();
            poll.registry().register(
                &mut SourceFd(&descriptor),
                Token(number),
                Interest::READABLE,
            )?;
        }
        let alarm = Alarm::new(poll.registry(), ALARM)?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let (forge, forged) = mpsc::channel();
        let mut forwarding = Loop { poll, alarm, ends, forged, recorder: recorder.clone() };
        let run = move || {
            let ended = panic::catch_unwind(AssertUnwindSafe(|| forwarding.run()));
            if let Err(error) = ended.unwrap_or_else(|_| Err(panicked())) {
                forwarding.recorder.fail(error);
            }
        };
        thread::Builder::new().name("forwarder".to_owned()).spawn(run).map_err(crowded)?;
        Ok(Self { waker, forged: forge, recorder })
    }

    /// Puts a packet on the link as if a host had sent it.
    pub(super) fn forge(&self, from: HostId, to: HostId, packet: Vec<u8>) -> io::Result<()> {
        let died = |_| io::Error::other("the forwarder has ended");
        self.forged.send(Forged { from, to, packet }).map_err(died)?;
        self.waker.wake()
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.recorder.stop();
        // If that fails, the thread ends with the process.
        let _ = self.waker.wake();
    }
}

impl Loop {
    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(8);
        let mut room = [0; ROOM];
        while !self.recorder.is_stopped() {
            self.take_all(&mut room)?;
            while self.recorder.deliver(|copy| self.end(copy.to).send(&copy.frame)) {}
            let timeout = match self.recorder.next() {
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

    /// The cable that leads to a host.
    fn end(&self, host: HostId) -> &FrameSocket {
        &self.ends[usize::from(host == SERVER)]
    }

    /// Takes all that has come.
    fn take_all(&self, room: &mut [u8]) -> io::Result<()> {
        for (from, to) in [(CLIENT, SERVER), (SERVER, CLIENT)] {
            loop {
                match self.end(from).receive(room) {
                    Ok(octets) => self.take(from, to, &mut room[..octets]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        for Forged { from, to, packet } in self.forged.try_iter() {
            self.recorder.sent(from, to, &frame::wrap(from, to, &packet), &packet);
        }
        Ok(())
    }

    /// Packets of the experiment go the link's way; what the hosts need to find each other goes through.
    fn take(&self, from: HostId, to: HostId, frame: &mut [u8]) {
        self.recorder.reached(from);
        let Some(packet) = frame::packet(frame) else {
            // They repeat it if it is lost.
            let _ = self.end(to).send(frame);
            return;
        };
        if frame::is_discarded(packet) {
            return;
        }
        complete(packet); // a kernel leaves it to hardware, which a veth is without
        let packet = packet.to_vec();
        self.recorder.sent(from, to, frame, &packet);
    }
}
