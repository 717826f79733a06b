//! Detects datagrams that the kernel dropped because the receive buffer was full.
//!
//! The kernel counts drops per socket. The event loop reads the count at most once per second, and
//! only if datagrams have arrived since the last read. So the check costs almost nothing, whether
//! the loop is busy or idle.

use std::time::{Duration, Instant};

/// Minimum time between two reads of the kernel's counts.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Schedule for reading the kernel's counts of dropped datagrams.
#[derive(Clone, Copy, Debug)]
pub(super) struct DropChecks {
    next_check: Instant,
    /// Whether datagrams have queued up since the last read of the counts. If so, the kernel may
    /// have dropped some.
    suspected: bool,
}

/// The state of the receive buffers that one round of the event loop found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum BufferState {
    /// No datagram arrived.
    Nothing,
    /// Datagrams arrived one at a time, and they are too small to fill the buffer.
    Singles,
    /// One receive returned several datagrams, or a datagram so large that a few of the same size
    /// fill the buffer.
    Queue,
}

impl DropChecks {
    pub(super) fn new(now: Instant) -> Self {
        Self { next_check: now + CHECK_INTERVAL, suspected: false }
    }

    /// Whether the kernel's drop counts must be read now. A datagram that arrives alone starts no
    /// timer for the next read, because a timer in every wait would cost 3 % of an exchange.
    pub(super) fn are_due(&mut self, seen: BufferState, now: Instant) -> bool {
        self.suspected |= seen == BufferState::Queue;
        let due = now >= self.next_check && (seen > BufferState::Nothing || self.suspected);
        if due {
            *self = Self::new(now);
        }
        due
    }

    /// Returns the time at which the counts must be read even if no more datagrams arrive. `None`
    /// if no drop is suspected.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.suspected.then_some(self.next_check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_checked_once_a_second_and_once_after_its_end() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut losses = DropChecks::new(start);
        assert_eq!(losses.deadline(), None, "no datagram has come");
        assert!(!losses.are_due(BufferState::Queue, at(10)));
        assert_eq!(losses.deadline(), Some(at(1000)));
        assert!(losses.are_due(BufferState::Nothing, at(1000)), "the queue is over");
        assert_eq!(losses.deadline(), None);
        assert!(!losses.are_due(BufferState::Queue, at(1001)));
        assert!(losses.are_due(BufferState::Queue, at(2001)));
        assert!(!losses.are_due(BufferState::Nothing, at(9000)), "nothing has come since");
    }

    #[test]
    fn single_datagrams_cause_checks_but_set_no_deadline() {
        let start = Instant::now();
        let mut losses = DropChecks::new(start);
        assert!(!losses.are_due(BufferState::Singles, start));
        assert_eq!(losses.deadline(), None);
        assert!(losses.are_due(BufferState::Singles, start + CHECK_INTERVAL));
        assert_eq!(losses.deadline(), None);
    }
}
