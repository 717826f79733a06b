//! A load over one transport while it runs: its time, what it counts, and what it does at each tick.

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

/// Time between two checks for timeouts, and between two reports of progress. A socket that failed at once rests as long,
/// so that failures do not spin.
pub(super) const TICK: Duration = Duration::from_millis(20);

/// Receives how far the load has come, and may end it.
pub(super) type Progress<'a> = dyn FnMut(Duration) -> ControlFlow<()> + 'a;

/// A load under way. Every moment is the time since it began.
pub(super) struct Run<'a> {
    began: Instant,
    pub schedule: Schedule,
    pub timeout: Duration,
    load: Load,
    latencies: Latencies,
    progress: &'a mut Progress<'a>,
    next_tick: Duration,
    /// The processor time of this process when measuring began, and when it ended.
    processor: [Option<Duration>; 2],
    first: FirstAttempts,
    pub interrupted: bool,
}

/// Duration of refusals only after which a load ends. A server that starts together with `bench` listens sooner.
const MAX_REFUSED_TIME: Duration = Duration::from_millis(200);

/// Counts refused first attempts until an attempt is not refused.
#[derive(Debug, Default)]
struct FirstAttempts {
    /// Number of sockets, and the least number of refusals that end a load.
    sockets: u64,
    started: u64,
    refused: u64,
    first_refusal: Option<Duration>,
    /// An attempt was not refused.
    settled: bool,
}

impl FirstAttempts {
    fn refused(&mut self, now: Duration) {
        self.refused += 1;
        self.first_refusal.get_or_insert(now);
    }

    /// Whether as many attempts as there are sockets were refused, over a while, and no attempt was not.
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

    /// Whether nothing more begins and no exchange is under way, or every attempt was refused for a while.
    pub(super) fn is_over(&mut self, now: Duration, under_way: impl FnOnce() -> usize) -> bool {
        self.note_processor_time(now);
        if self.first.all_refused(now) {
            self.load.refused_at_once = true;
            self.schedule.stop(now);
            return true;
        }
        self.interrupted || self.schedule.is_over(now) && under_way() == 0
    }

    /// True once in a while; tells how far it has come.
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

    /// One exchange begins: the moment from which it counts.
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

    /// Records a datagram that came after its question was given up, or that answers no question.
    pub(super) fn record_late(&mut self, now: Duration) {
        self.load.late += u64::from(self.schedule.measures(now));
    }

    /// What came out.
    pub(super) fn finish(self) -> Load {
        let Self { schedule, first, mut load, processor: [began, ended], .. } = self;
        if load.refused_at_once {
            // Counts the warm-up exchanges too, since they may be all.
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

/// Waits for sockets, and for the moment of the next exchange to begin.
pub(super) struct Waiting {
    poll: Poll,
    events: Events,
    alarm: Alarm,
}

impl Waiting {
    /// Not the number of a socket.
    const ALARM: Token = Token(usize::MAX - 1);

    pub(super) fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let alarm = Alarm::new(poll.registry(), Self::ALARM)?;
        Ok(Self { poll, events: Events::with_capacity(256), alarm })
    }

    /// Adds a socket to those awaited.
    pub(super) fn watch(&self, socket: &Socket, number: usize) -> io::Result<()> {
        let descriptor = socket.as_raw_fd();
        let socket = &mut SourceFd(&descriptor);
        self.poll.registry().register(socket, Token(number), Interest::READABLE)
    }

    /// Until a socket is ready, the next exchange is due, or a tick is over. `has_free_slot`: there is a slot for the
    /// next one; else it has to wait for a socket anyway.
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

    /// The sockets that are ready, by number: whether each is closed by its peer, and not reset.
    pub(super) fn ready(&self) -> impl Iterator<Item = (usize, bool)> {
        let sockets = self.events.iter().filter(|event| event.token() != Self::ALARM);
        sockets.map(|event| (event.token().0, event.is_read_closed() && !event.is_error()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_end_a_load_when_every_socket_could_try_and_they_lasted() {
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
        assert!(!first.all_refused(ms(900)), "a server is there");
    }
}
