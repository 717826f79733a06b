//! Records a run's events on every engine: system calls, socket states and packets.
//!
//! The engine `sim` has a virtual clock and passes the time of each event ([`Recorder::record`]). For the other engines
//! the recorder has a clock, which starts when it is first read ([`Recorder::now`]). `loopback/calls.rs` records calls
//! on real sockets.

use super::Obstacle;
use crate::trace::{Action, Event, Fate, Host, HostId, Loss, Packet, Trace};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An event recorder that a run's threads share.
#[derive(Clone, Debug)]
pub(crate) struct Recorder(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    record: Mutex<Record>,
    changed: Condvar,
}

#[derive(Debug)]
struct Record {
    start: Option<Instant>,
    /// Events in the order in which they were recorded.
    trace: Trace,
    /// Number of packet copies still on the link.
    under_way: usize,
    /// The error after which no more packets are recorded; `None` while there is no error.
    failure: Option<io::Error>,
}

impl Record {
    /// Records that a copy of a packet arrived at the time `at`. `None` means that the receiving host dropped the copy.
    fn delivered(&mut self, number: usize, at: Option<Duration>) {
        self.under_way = self.under_way.saturating_sub(1);
        let action = self.trace.events.get_mut(number).map(|event| &mut event.action);
        let Some(Action::Packet(Packet { fate, .. })) = action else { return };
        match (fate, at) {
            (Fate::Arrived(times), Some(at)) => times.push(at),
            // The receiving host dropped this copy, but an earlier copy arrived, so the packet is not lost.
            (Fate::Arrived(_), None) => {}
            (fate, Some(at)) => *fate = Fate::Arrived(vec![at]),
            (fate, None) => *fate = Fate::Lost(Loss::Overflow),
        }
    }
}

impl Recorder {
    /// Creates a recorder for these hosts; the first host is number 0.
    pub(crate) fn between(hosts: Vec<Host>) -> Self {
        let trace = Trace::between(hosts);
        let record = Record { start: None, trace, under_way: 0, failure: None };
        Self(Arc::new(Shared { record: Mutex::new(record), changed: Condvar::new() }))
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.0.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the record, and wakes the threads that wait for such a change.
    fn change<T>(&self, change: impl FnOnce(&mut Record) -> T) -> T {
        let changed = change(&mut self.lock());
        self.0.changed.notify_all();
        changed
    }

    /// Returns the time since the recorder's clock started; the first call starts the clock.
    pub(crate) fn now(&self) -> Duration {
        self.lock().start.get_or_insert_with(Instant::now).elapsed()
    }

    /// Adds the host `forger`, the sender of forged packets, and renames the client `victim`.
    pub(crate) fn add_forger(&self, addresses: Vec<IpAddr>) {
        self.change(|record| {
            let hosts = &mut record.trace.hosts;
            "victim".clone_into(&mut hosts[0].name);
            hosts.push(Host { name: "forger".to_owned(), addresses });
        });
    }

    /// Adds an address to a host.
    pub(crate) fn add_address(&self, host: HostId, address: IpAddr) {
        self.change(|record| record.trace.hosts[host.0].addresses.push(address));
    }

    /// Records an event that happened at the given time.
    pub(crate) fn record(&self, at: Duration, host: HostId, action: Action) {
        self.change(|record| record.trace.events.push(Event { at, host, action }));
    }

    /// Records a packet and how many copies of it the link delivers. Returns the packet's number, to pass to
    /// [`deliver`](Self::deliver).
    pub(crate) fn sent(&self, at: Duration, host: HostId, packet: Packet, copies: usize) -> usize {
        self.change(|record| {
            record.under_way += copies;
            record.trace.events.push(Event { at, host, action: Action::Packet(packet) });
            record.trace.events.len() - 1
        })
    }

    /// Delivers a copy of a packet at the time `at`, and records whether the receiving host took or dropped the copy. No
    /// other thread reads the record in between, so a trace contains the arrival of each packet that a host answered.
    pub(crate) fn deliver(&self, number: usize, at: Duration, send: impl FnOnce() -> bool) {
        self.change(|record| {
            let is_taken = send();
            record.delivered(number, is_taken.then_some(at));
        });
    }

    /// Makes the current wait for packets, or otherwise the next wait, fail with this error, because no more packets
    /// will arrive.
    pub(crate) fn fail(&self, error: io::Error) {
        self.change(|record| record.failure = Some(error));
    }

    /// Waits until a condition holds. Returns false after the timeout. A timeout does not end the run: the events
    /// recorded so far are an observation too.
    pub(crate) fn wait(
        &self,
        timeout: Duration,
        mut holds: impl FnMut(&Trace) -> bool,
    ) -> Result<bool, Obstacle> {
        self.wait_for(timeout, |record| holds(&record.trace))
    }

    fn wait_for(
        &self,
        timeout: Duration,
        mut holds: impl FnMut(&Record) -> bool,
    ) -> Result<bool, Obstacle> {
        let goes_on = |record: &mut Record| record.failure.is_none() && !holds(record);
        let waiting = self.0.changed.wait_timeout_while(self.lock(), timeout, goes_on);
        let (mut record, waited) = waiting.unwrap_or_else(PoisonError::into_inner);
        match record.failure.take() {
            Some(error) => Err(Obstacle::Failed("forward packets".to_owned(), error)),
            None => Ok(!waited.timed_out()),
        }
    }

    /// Waits until no packet is on the link and no host has sent one for the duration `quiet`. If the hosts keep
    /// sending, the wait ends after ten times `quiet`, plus 10 seconds to allow for a busy machine.
    pub(crate) fn settle(&self, quiet: Duration) -> Result<(), Obstacle> {
        let deadline = Instant::now() + 10 * quiet + Duration::from_secs(10);
        let state = |record: &Record| (record.trace.packets().count(), record.under_way);
        while Instant::now() < deadline {
            let before = state(&self.lock());
            if !self.wait_for(quiet, |record| state(record) != before)? && before.1 == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Returns the events recorded so far, ordered by time. Events with the same time keep the order in which they were
    /// recorded.
    pub(crate) fn trace(&self) -> Trace {
        let Trace { hosts, events } = self.lock().trace.clone();
        let mut trace = Trace::between(hosts);
        for event in events {
            trace.push(event);
        }
        trace
    }

    /// Returns the events recorded so far, with equal consecutive calls merged into one entry, for labs that make
    /// hundreds of calls.
    pub(crate) fn short_trace(&self) -> Trace {
        self.trace().with_repeats_joined(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::link::{CLIENT, SERVER};
    use std::io::ErrorKind;
    use std::sync::mpsc;

    const MS: Duration = Duration::from_millis(1);

    /// Records a packet with this number of copies on the link. Returns the packet's number.
    fn send(recorder: &Recorder, copies: usize) -> usize {
        let packet = Packet { to: SERVER, octets: vec![69], fate: Fate::Seen };
        recorder.sent(recorder.now(), CLIENT, packet, copies)
    }

    fn fates(recorder: &Recorder) -> Vec<Fate> {
        recorder.trace().packets().map(|(_, packet)| packet.fate.clone()).collect()
    }

    #[test]
    fn what_does_not_come_in_time_is_told_and_ends_nothing() {
        let recorder = Recorder::between(Vec::new());
        let is_sent = |trace: &Trace| trace.packets().next().is_some();
        assert!(!recorder.wait(MS, is_sent).expect("it goes on"));
        send(&recorder, 1);
        assert!(recorder.wait(MS, is_sent).expect("it goes on"));
        recorder.fail(ErrorKind::NetworkDown.into());
        assert!(recorder.wait(MS, |_| false).is_err(), "nothing is forwarded any more");
    }

    #[test]
    fn what_is_under_way_is_waited_for() {
        let recorder = Recorder::between(Vec::new());
        let number = send(&recorder, 1);
        let forwarder = recorder.clone();
        let forwarding = std::thread::spawn(move || {
            forwarder.wait(20 * MS, |_| false).expect("it goes on");
            forwarder.deliver(number, MS, || true);
        });
        recorder.settle(MS).expect("silence");
        assert_eq!(fates(&recorder), [Fate::Arrived(vec![MS])]);
        forwarding.join().expect("forwarded");
    }

    #[test]
    fn a_trace_has_the_arrival_of_each_packet_that_a_host_may_have_answered() {
        let recorder = Recorder::between(Vec::new());
        let number = send(&recorder, 1);
        let (sent, answered) = mpsc::channel();
        let (read, seen) = mpsc::channel();
        let host = recorder.clone();
        let host = std::thread::spawn(move || {
            answered.recv().expect("a packet");
            read.send(fates(&host)).expect("the test goes on");
        });
        recorder.deliver(number, MS, || {
            sent.send(()).expect("the host waits");
            seen.recv_timeout(20 * MS).is_err()
        });
        assert_eq!(seen.recv().expect("the fates"), [Fate::Arrived(vec![MS])]);
        host.join().expect("the host");
    }

    #[test]
    fn a_packet_that_has_come_is_not_lost_with_its_copy() {
        let recorder = Recorder::between(Vec::new());
        for copies in [[true, false], [false, true], [false, false]] {
            let number = send(&recorder, 2);
            for is_taken in copies {
                recorder.deliver(number, MS, || is_taken);
            }
        }
        let (arrived, lost) = (Fate::Arrived(vec![MS]), Fate::Lost(Loss::Overflow));
        assert_eq!(fates(&recorder), [arrived.clone(), arrived, lost]);
    }

    #[test]
    fn a_call_that_is_repeated_is_one_line_and_another_host_or_outcome_is_a_new_one() {
        let recorder = Recorder::between(Vec::new());
        let call =
            |call: &str, outcome: &str| Action::Call { call: call.into(), outcome: outcome.into() };
        for _ in 0..3 {
            recorder.record(MS, SERVER, call("send(1)", "1 octet"));
        }
        recorder.record(MS, SERVER, call("send(1)", "EAGAIN"));
        recorder.record(MS, CLIENT, call("send(1)", "EAGAIN"));
        let lines: Vec<(HostId, Action)> =
            recorder.short_trace().events.into_iter().map(|it| (it.host, it.action)).collect();
        let expected = [
            (SERVER, call("send(1) × 3", "1 octet each")),
            (SERVER, call("send(1)", "EAGAIN")),
            (CLIENT, call("send(1)", "EAGAIN")),
        ];
        assert_eq!(lines, expected);
    }
}
