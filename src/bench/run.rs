//! A running load over one transport: its clock, its counts, and its periodic checks.

use super::options::BenchOptions;
use super::outcome::Load;
use super::schedule::Schedule;
use super::tally::Latencies;
use crate::sys::Alarm;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use socket2::Socket;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// Interval between checks for timeouts, and between progress reports. A socket that has failed pauses until the next
/// tick too, so that repeated failures do not use up the processor.
pub(super) const TICK: Duration = Duration::from_millis(20);

/// A function that is called with the load's elapsed time, and may end the load.
pub(super) type Progress<'a> = dyn FnMut(Duration) -> ControlFlow<()> + 'a;

/// A running load. All times count from its start.
pub(super) struct Run<'a> {
    began: Instant,
    pub schedule: Schedule,
    pub timeout: Duration,
    load: Load,
    latencies: Latencies,
    progress: &'a mut Progress<'a>,
    next_tick: Duration,
    /// This process's processor time at the beginning and at the end of the measurement.
    processor: [Option<Duration>; 2],
    first: FirstAttempts,
    pub interrupted: bool,
}

/// Time between the first refusal and the end of the load, if the server has refused every attempt. A server that
/// starts at the same time as `bench` is listening by then.
const MAX_REFUSED_TIME: Duration = Duration::from_millis(200);

/// Counts refused attempts until an attempt ends in another way.
#[derive(Debug, Default)]
struct FirstAttempts {
    /// Number of sockets. The load ends early only after at least this many refusals.
    sockets: u64,
    started: u64,
    refused: u64,
    first_refusal: Option<Duration>,
    /// Whether any attempt has ended other than with a refusal.
    settled: bool,
}

impl FirstAttempts {
    fn refused(&mut self, now: Duration) {
        self.refused += 1;
        self.first_refusal.get_or_insert(now);
    }

    /// Whether the load must end early: every attempt was refused, there are at least as many refusals as sockets, and
    /// [`MAX_REFUSED_TIME`] has passed since the first refusal.
    fn all_refused(&self, now: Duration) -> bool {
        let lasted = |first| now.saturating_sub(first) >= MAX_REFUSED_TIME;
        !self.settled && self.refused >= self.sockets && self.first_refusal.is_some_and(lasted)
    }
}

impl<'a> Run<'a> {
    pub(super) fn begin(
        load: Load,
        options: &BenchOptions,
        progress: &'a mut Progress<'a>,
    ) -> Self {
        Self {
            began: Instant::now(),
            schedule: Schedule::new(options.warm_up, options.duration, options.rate),
            timeout: options.ask.timeout,
            load,
            latencies: Latencies::default(),
            progress,
            next_tick: Duration::ZERO,
            processor: [None; 2],
            first: FirstAttempts { sockets: options.sockets() as u64, ..FirstAttempts::default() },
            interrupted: false,
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Whether the load is over: all exchanges have ended, the caller interrupted the load, or the server refused every
    /// attempt.
    pub(super) fn is_over(&mut self, now: Duration, under_way: impl FnOnce() -> usize) -> bool {
        self.note_processor_time(now);
        if self.first.all_refused(now) {
            self.load.refused_at_once = true;
            self.schedule.stop(now);
            return true;
        }
        self.interrupted || self.schedule.is_over(now) && under_way() == 0
    }

    /// Reports progress if a tick ([`TICK`]) has passed. Returns whether it has.
    pub(super) fn report_progress(&mut self, now: Duration) -> bool {
        if now < self.next_tick {
            return false;
        }
        self.next_tick = now + TICK;
        if (self.progress)(now.min(self.schedule.until)).is_break() {
            self.schedule.stop(now);
            self.interrupted = true;
        }
        true
    }

    /// Counts the start of an exchange. Returns the time from which its latency counts.
    pub(super) fn begin_exchange(&mut self, now: Duration) -> Duration {
        let due = self.schedule.begin(now);
        self.first.started += 1;
        self.load.asked += u64::from(self.schedule.measures(due));
        due
    }

    fn note_processor_time(&mut self, now: Duration) {
        let moments = [self.schedule.from, self.schedule.until];
        for (moment, noted) in moments.into_iter().zip(&mut self.processor) {
            if now >= moment {
                noted.get_or_insert_with(processor_time);
            }
        }
    }

    pub(super) fn record_answer(&mut self, due: Duration, now: Duration, octets: usize) {
        self.first.settled = true;
        if self.schedule.measures(due) {
            self.load.answered += 1;
            self.load.octets += octets as u64;
            self.latencies.record(now.saturating_sub(due));
        }
    }

    pub(super) fn record_failure(&mut self, due: Duration, error: &io::Error) {
        if error.kind() == io::ErrorKind::ConnectionRefused {
            self.first.refused(self.now());
        } else {
            self.first.settled = true;
        }
        if self.schedule.measures(due) {
            self.load.failures.add(error);
        }
    }

    pub(super) fn record_loss(&mut self, due: Duration) {
        self.first.settled = true;
        self.load.lost += u64::from(self.schedule.measures(due));
    }

    /// Records a datagram that arrives late or answers no query.
    pub(super) fn record_late(&mut self, now: Duration) {
        self.load.late += u64::from(self.schedule.measures(now));
    }

    /// Ends the load and returns its results.
    pub(super) fn finish(self) -> Load {
        let Self { schedule, first, mut load, processor: [began, ended], .. } = self;
        if load.refused_at_once {
            // The load may have ended during the warm-up, so the warm-up's exchanges count too.
            load.asked = first.started;
            load.failures.refused = first.refused;
        }
        let over = load.answered + load.lost + load.failures.count();
        Load {
            measured: schedule.measured(),
            unfinished: load.asked.saturating_sub(over),
            never_begun: schedule.never_begun(),
            latencies: self.latencies.percentiles(),
            processor: ended.unwrap_or_default().saturating_sub(began.unwrap_or_default()),
            ..load
        }
    }
}

fn processor_time() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return Duration::ZERO };
    let microseconds = (usage.user_time() + usage.system_time()).num_microseconds();
    Duration::from_micros(u64::try_from(microseconds).unwrap_or(0))
}

/// Waits until a socket is ready or the next exchange is due.
pub(super) struct Waiting {
    poll: Poll,
    events: Events,
    alarm: Alarm,
}

impl Waiting {
    /// The timer's token, a number that no socket has.
    const ALARM: Token = Token(usize::MAX - 1);

    pub(super) fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let alarm = Alarm::new(poll.registry(), Self::ALARM)?;
        Ok(Self { poll, events: Events::with_capacity(256), alarm })
    }

    /// Registers a socket under this number.
    pub(super) fn watch(&self, socket: &Socket, number: usize) -> io::Result<()> {
        let descriptor = socket.as_raw_fd();
        let socket = &mut SourceFd(&descriptor);
        self.poll.registry().register(socket, Token(number), Interest::READABLE)
    }

    /// Waits until a socket is ready, a tick has passed, or the next exchange is due. If no slot is free
    /// (`has_free_slot`), the next exchange cannot begin, so its scheduled time does not end the wait.
    pub(super) fn wait(&mut self, run: &Run, now: Duration, has_free_slot: bool) -> io::Result<()> {
        let next = run.schedule.next().filter(|_| has_free_slot);
        let timeout = match next.map(|next| next.saturating_sub(now)) {
            Some(soon) if soon.is_zero() => Some(Duration::ZERO),
            Some(soon) if soon < TICK => {
                self.alarm.set(soon)?;
                self.alarm.or_wait(soon)
            }
            _ => Some(TICK),
        };
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                self.events.clear();
                Ok(())
            }
            polled => polled,
        }
    }

    /// Returns each ready socket's number, and whether the peer has closed the connection without a reset.
    pub(super) fn ready(&self) -> impl Iterator<Item = (usize, bool)> {
        let sockets = self.events.iter().filter(|event| event.token() != Self::ALARM);
        sockets.map(|event| (event.token().0, event.is_read_closed() && !event.is_error()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_end_a_load_after_200_ms_and_one_attempt_per_socket() {
        let ms = Duration::from_millis;
        let mut first = FirstAttempts { sockets: 3, ..FirstAttempts::default() };
        assert!(!first.all_refused(ms(900)));
        first.refused(ms(100));
        assert!(!first.all_refused(ms(900)), "two sockets have not tried");
        first.refused(ms(110));
        first.refused(ms(120));
        assert!(!first.all_refused(ms(299)), "a server may be about to start");
        assert!(first.all_refused(ms(300)));
        first.settled = true;
        assert!(!first.all_refused(ms(900)), "a server listens");
    }
}
