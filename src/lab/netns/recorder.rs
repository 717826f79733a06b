//! What is seen and done on the network, written down as it happens, and waited for.

use super::super::Obstacle;
use super::super::link::Link;
use super::super::loopback::{PATIENCE, name, placed, uninterrupted};
use crate::lab::packet::{Kind, kind};
use crate::trace::{Event, Fate, Host, HostId, Loss, Packet, Trace, What};
use std::collections::BTreeMap;
use std::collections::btree_map::OccupiedEntry;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Shared by the forwarder, which writes packets down, and the experiment, which writes down calls and
/// waits for packets.
#[derive(Clone, Debug)]
pub(super) struct Recorder(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    start: Instant,
    link: Link,
    /// By arrival; of two at the same time the one sent first is first.
    under_way: BTreeMap<(Duration, usize), Copy>,
    /// Copies sent on their way until now.
    copies: usize,
    packets: Vec<Sent>,
    calls: Vec<Event>,
    /// From which hosts something has come at all.
    reached: [bool; 2],
    stopped: bool,
    /// Why nothing is forwarded any more.
    failed: Option<io::Error>,
}

/// A packet that a host has sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub at: Duration,
    pub from: HostId,
    pub to: HostId,
    pub octets: Vec<u8>,
    lost: Option<Loss>,
    /// When it was put on the receiver's cable.
    arrived: Vec<Duration>,
}

/// A frame under way: with the number of its packet.
#[derive(Debug)]
pub(super) struct Copy {
    number: usize,
    pub to: HostId,
    pub frame: Vec<u8>,
}

impl Recorder {
    pub(super) fn new(link: Link) -> Self {
        let state = State {
            start: Instant::now(),
            link,
            under_way: BTreeMap::new(),
            copies: 0,
            packets: Vec::new(),
            calls: Vec::new(),
            reached: [false; 2],
            stopped: false,
            failed: None,
        };
        Self(Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the trace begin now.
    pub(super) fn begin(&self) {
        self.state().start = Instant::now();
    }

    /// Notes that a frame came from a host, of whatever kind.
    pub(super) fn reached(&self, from: HostId) {
        if let Some(reached) = self.state().reached.get_mut(from.0) {
            *reached = true;
        }
        self.0.changed.notify_all();
    }

    /// Writes a packet down and sends it on its way, as the link has it.
    pub(super) fn sent(&self, from: HostId, to: HostId, frame: &[u8], packet: &[u8]) {
        let mut state = self.state();
        let at = state.start.elapsed();
        let number = state.packets.len();
        let (times, lost) = match state.link.fate(from, at, packet) {
            Fate::Arrived(times) => (times, None),
            Fate::Lost(why) => (Vec::new(), Some(why)),
            Fate::Seen => (Vec::new(), None),
        };
        for due in times {
            state.copies += 1;
            let place = (due, state.copies);
            state.under_way.insert(place, Copy { number, to, frame: frame.to_vec() });
        }
        let (octets, arrived) = (packet.to_vec(), Vec::new());
        state.packets.push(Sent { at, from, to, octets, lost, arrived });
        drop(state);
        self.0.changed.notify_all();
    }

    /// Hands a copy that is due to `deliver`; false if there is none.
    pub(super) fn deliver(&self, deliver: impl FnOnce(&Copy) -> io::Result<()>) -> bool {
        let mut state = self.state();
        let now = state.start.elapsed();
        let next = state.under_way.first_entry().filter(|entry| entry.key().0 <= now);
        let Some(copy) = next.map(OccupiedEntry::remove) else { return false };
        let delivered = deliver(&copy);
        if let Some(packet) = state.packets.get_mut(copy.number) {
            match delivered {
                Ok(()) => packet.arrived.push(now),
                Err(_) => packet.lost = Some(Loss::Overflow),
            }
        }
        drop(state);
        self.0.changed.notify_all();
        true
    }

    /// How long it is until the next copy is due.
    pub(super) fn next(&self) -> Option<Duration> {
        let state = self.state();
        let (due, _) = state.under_way.keys().next()?;
        Some(due.saturating_sub(state.start.elapsed()))
    }

    pub(super) fn stop(&self) {
        self.state().stopped = true;
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.state().stopped
    }

    pub(super) fn fail(&self, error: io::Error) {
        self.state().failed = Some(error);
        self.0.changed.notify_all();
    }

    /// Makes a call and writes down what came of it.
    pub(super) fn call<T>(
        &self,
        host: HostId,
        call: &str,
        mut make: impl FnMut() -> io::Result<T>,
        outcome: impl FnOnce(&T) -> String,
    ) -> io::Result<T> {
        let begun = self.state().start.elapsed();
        let came = uninterrupted(&mut make);
        let outcome = match &came {
            Ok(value) => outcome(value),
            // Every socket of these labs blocks, so it is its deadline that has come.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                format!("{}: the deadline", name(error))
            }
            Err(error) => name(error),
        };
        let what = What::Call { call: call.to_owned(), outcome };
        let mut state = self.state();
        let at = placed(call, &came, begun, state.start.elapsed());
        state.calls.push(Event { at, host, what });
        drop(state);
        came
    }

    /// Waits until something has come from this host; false if nothing does for so long.
    pub(super) fn wait_for_host(&self, host: HostId, patience: Duration) -> bool {
        let unreached = |state: &mut State| !state.reached.get(host.0).is_some_and(|it| *it);
        let waiting = self.0.changed.wait_timeout_while(self.state(), patience, unreached);
        !waiting.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Waits until the packets are such; false if they are not for so long, which is no reason to end the
    /// run: what there is instead is an observation.
    pub(super) fn wait(
        &self,
        patience: Duration,
        mut are_such: impl FnMut(&[Sent]) -> bool,
    ) -> Result<bool, Obstacle> {
        let goes_on = |state: &mut State| state.failed.is_none() && !are_such(&state.packets);
        let waiting = self.0.changed.wait_timeout_while(self.state(), patience, goes_on);
        let (mut state, waited) = waiting.unwrap_or_else(PoisonError::into_inner);
        match state.failed.take() {
            Some(error) => Err(Obstacle::Failed("forward packets".to_owned(), error)),
            None => Ok(!waited.timed_out()),
        }
    }

    /// Waits until nothing is under way and no host has sent anything for so long; or, if they never stop,
    /// until ten times as long is over, and some seconds for a busy machine.
    pub(super) fn settle(&self, quiet: Duration) -> Result<(), Obstacle> {
        let deadline = Instant::now() + 10 * quiet + 2 * PATIENCE;
        while Instant::now() < deadline {
            let (count, left) = (self.count(), self.next());
            let more = |packets: &[Sent]| packets.len() > count;
            if !self.wait(left.unwrap_or_default() + quiet, more)? && left.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// How many packets were sent up to now.
    pub(super) fn count(&self) -> usize {
        self.state().packets.len()
    }

    /// The trace up to now.
    pub(super) fn trace(&self, hosts: Vec<Host>) -> Trace {
        let state = self.state();
        let mut trace = Trace::between(hosts);
        state.packets.iter().for_each(|sent| trace.push(sent.event()));
        state.calls.iter().for_each(|call| trace.push(call.clone()));
        trace
    }
}

impl Sent {
    /// When it came, if it has.
    pub(super) fn arrived(&self) -> Option<Duration> {
        self.arrived.first().copied()
    }

    /// True if there is something for an application in it.
    pub(super) fn carries_octets(&self) -> bool {
        self.kind().octets() > 0
    }

    pub(super) fn kind(&self) -> Kind {
        kind(&self.octets)
    }

    fn event(&self) -> Event {
        let fate = match self.lost {
            // Of a copy that had no room, the packet is not lost that has come.
            _ if !self.arrived.is_empty() => Fate::Arrived(self.arrived.clone()),
            Some(loss) => Fate::Lost(loss),
            // The run was over before it came.
            None => Fate::Seen,
        };
        let packet = Packet { to: self.to, octets: self.octets.clone(), fate };
        Event { at: self.at, host: self.from, what: What::Packet(packet) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Knobs;
    use crate::lab::link::{CLIENT, Conditions, SERVER};
    use crate::lab::packet::empty_datagram;

    const MS: Duration = Duration::from_millis(1);

    fn recorder() -> Recorder {
        Recorder::new(Link::new(Conditions::of(&Knobs::default(), 20 * MS), 1))
    }

    fn send(recorder: &Recorder) {
        let address = |host: &str| format!("10.0.0.{host}:13").parse().expect("address");
        let packet = empty_datagram(address("1"), address("2"));
        recorder.sent(CLIENT, SERVER, &packet, &packet);
    }

    #[test]
    fn what_does_not_come_in_time_is_told_and_ends_nothing() {
        let recorder = recorder();
        assert!(!recorder.wait(MS, |packets| !packets.is_empty()).expect("it goes on"));
        send(&recorder);
        assert!(recorder.wait(MS, |packets| packets.len() == 1).expect("it goes on"));
        recorder.fail(ErrorKind::NetworkDown.into());
        assert!(recorder.wait(MS, |_| false).is_err(), "nothing is forwarded any more");
    }

    #[test]
    fn what_is_under_way_is_waited_for() {
        let recorder = recorder();
        send(&recorder);
        let forward = recorder.clone();
        let forwarding = std::thread::spawn(move || {
            while forward.next().is_some() {
                forward.deliver(|_| Ok(()));
            }
        });
        recorder.settle(MS).expect("silence");
        let trace = recorder.trace(Vec::new());
        assert!(trace.packets().all(|(_, packet)| matches!(packet.fate, Fate::Arrived(_))));
        assert_eq!(trace.packets().count(), 1);
        forwarding.join().expect("forwarded");
    }

    #[test]
    fn a_packet_that_has_come_is_not_lost_with_its_copy() {
        let twice = Knobs { duplicate: Some(100.0), ..Knobs::default() };
        let recorder = Recorder::new(Link::new(Conditions::of(&twice, Duration::ZERO), 1));
        for outcomes in [[true, false], [false, true], [false, false]] {
            send(&recorder);
            for is_sent in outcomes {
                let full = || Err(ErrorKind::WouldBlock.into());
                assert!(recorder.deliver(|_| if is_sent { Ok(()) } else { full() }));
            }
        }
        let trace = recorder.trace(Vec::new());
        let came: Vec<bool> =
            trace.packets().map(|(_, it)| matches!(it.fate, Fate::Arrived(_))).collect();
        assert_eq!(came, [true, true, false]);
    }

    #[test]
    fn a_call_that_is_interrupted_is_made_again() {
        let (recorder, mut calls) = (recorder(), 0);
        let make = || {
            calls += 1;
            if calls < 3 { Err(ErrorKind::Interrupted.into()) } else { Ok(26) }
        };
        let came = recorder.call(CLIENT, "recv(512)", make, |octets| format!("{octets} octets"));
        assert_eq!(came.expect("made"), 26);
        let trace = recorder.trace(Vec::new());
        let What::Call { outcome, .. } = &trace.events[0].what else { panic!("{trace:?}") };
        assert_eq!((trace.events.len(), outcome.as_str()), (1, "26 octets"));
    }

    #[test]
    fn a_call_that_waited_in_vain_says_that_it_was_its_deadline() {
        let recorder = recorder();
        let wait = || Err::<(), _>(io::Error::from(nix::errno::Errno::EAGAIN));
        assert!(recorder.call(CLIENT, "recv(512)", wait, |()| "0".into()).is_err());
        let trace = recorder.trace(Vec::new());
        let What::Call { outcome, .. } = &trace.events[0].what else { panic!("{trace:?}") };
        assert_eq!(outcome, "EAGAIN: the deadline");
    }
}
