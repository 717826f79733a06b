//! Datagrams that the kernel dropped before the service could receive them: the receive buffer was full.
//!
//! The kernel counts them for each socket. The loop asks for the count once a second at most, and only while
//! datagrams come, so that neither a busy loop nor an idle one pays for it.

use std::time::{Duration, Instant};

/// Time between two looks at the kernel's counts.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// When to look at the kernel's counts of dropped datagrams.
#[derive(Clone, Copy, Debug)]
pub(super) struct Losses {
    next_check: Instant,
    /// Datagrams have queued up since the last look at the counts, so some may have been dropped.
    suspected: bool,
}

/// What a round has seen of the receive buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Seen {
    /// No datagram.
    Nothing,
    /// Datagrams that came alone, or a few small ones.
    Singles,
    /// Several in one receive, or one so large that a few of its kind fill the buffer.
    Queue,
}

impl Losses {
    pub(super) fn new(now: Instant) -> Self {
        Self { next_check: now + CHECK_INTERVAL, suspected: false }
    }

    /// Whether to look now. Singles alone set no deadline: a timer for every wait costs a single exchange 3 %.
    pub(super) fn are_due(&mut self, seen: Seen, now: Instant) -> bool {
        self.suspected |= seen == Seen::Queue;
        let due = now >= self.next_check && (seen > Seen::Nothing || self.suspected);
        if due {
            *self = Self::new(now);
        }
        due
    }

    /// When to look even if no more datagrams come.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.suspected.then_some(self.next_check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_looked_at_once_a_second_and_once_more_when_it_is_over() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut losses = Losses::new(start);
        assert_eq!(losses.deadline(), None, "no datagram has come");
        assert!(!losses.are_due(Seen::Queue, at(10)));
        assert_eq!(losses.deadline(), Some(at(1000)));
        assert!(losses.are_due(Seen::Nothing, at(1000)), "the queue is over");
        assert_eq!(losses.deadline(), None);
        assert!(!losses.are_due(Seen::Queue, at(1001)));
        assert!(losses.are_due(Seen::Queue, at(2001)));
        assert!(!losses.are_due(Seen::Nothing, at(9000)), "nothing has come since");
    }

    #[test]
    fn single_datagrams_are_looked_at_in_passing_and_set_no_deadline() {
        let start = Instant::now();
        let mut losses = Losses::new(start);
        assert!(!losses.are_due(Seen::Singles, start));
        assert_eq!(losses.deadline(), None);
        assert!(losses.are_due(Seen::Singles, start + CHECK_INTERVAL));
        assert_eq!(losses.deadline(), None);
    }
}
