//! When to ask, whom, and when to give up: the client's side of a datagram exchange as a state
//! machine, without sockets or clocks.
//!
//! The time there is goes to the addresses in equal parts. On each, every wait is twice as long as
//! the one before (back-off), and together they fill its part:
//!
//! ```text
//! 2 retries, 7 s   ask .... ask ........ ask ................ next address
//!                  0 s      1 s          3 s                 7 s
//! ```

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

/// The most retries that are taken: the first wait would be too short to be of use.
pub(crate) const MAX_RETRIES: u32 = 10;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Send the question to this address and wait for the answer this long.
    Ask {
        /// The address, new on its first question.
        peer: SocketAddr,
        /// When to take the next step.
        until: Instant,
    },
    /// No address is left.
    GiveUp,
}

/// One exchange as it goes on.
#[derive(Debug)]
pub(crate) struct Exchange {
    waiting: VecDeque<SocketAddr>,
    current: Option<Current>,
    deadline: Instant,
    retries: u32,
}

#[derive(Debug)]
struct Current {
    peer: SocketAddr,
    /// When its part of the time is over.
    deadline: Instant,
    questions: u32,
}

impl Exchange {
    pub(crate) fn new(addresses: &[SocketAddr], retries: u32, deadline: Instant) -> Self {
        let waiting = addresses.iter().copied().collect();
        Self { waiting, current: None, deadline, retries: retries.min(MAX_RETRIES) }
    }

    /// The next step; called first, and whenever the time of the last one is over.
    pub(crate) fn step(&mut self, now: Instant) -> Step {
        let retries = self.retries;
        if let Some(current) = &mut self.current
            && current.questions <= retries
            && now < current.deadline
        {
            return current.ask(retries, now);
        }
        self.next_address(now)
    }

    /// The address has said that nobody is there: it is not asked again.
    pub(crate) fn refused(&mut self) {
        self.current = None;
    }

    fn next_address(&mut self, now: Instant) -> Step {
        let parts = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        let Some(peer) = self.waiting.pop_front().filter(|_| now < self.deadline) else {
            return Step::GiveUp;
        };
        let deadline = now + self.deadline.saturating_duration_since(now) / parts;
        self.current.insert(Current { peer, deadline, questions: 0 }).ask(self.retries, now)
    }
}

impl Current {
    fn ask(&mut self, retries: u32, now: Instant) -> Step {
        // The waits to come are 1, 2, 4 … parts of the time that is left.
        let questions_left = retries + 1 - self.questions;
        let parts = (1u32 << questions_left) - 1;
        self.questions += 1;
        let left = self.deadline.saturating_duration_since(now);
        Step::Ask { peer: self.peer, until: now + left / parts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn addresses(count: u16) -> Vec<SocketAddr> {
        (1..=count).map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect()
    }

    /// Lets every wait run out: when each question was asked, and of which port.
    fn silence(addresses: &[SocketAddr], retries: u32, timeout: Duration) -> Vec<(u128, u16)> {
        let start = Instant::now();
        let mut exchange = Exchange::new(addresses, retries, start + timeout);
        let (mut now, mut asked) = (start, Vec::new());
        while let Step::Ask { peer, until } = exchange.step(now) {
            assert!(until > now && until <= start + timeout);
            asked.push(((now - start).as_millis(), peer.port()));
            now = until;
        }
        assert_eq!(now - start, timeout, "silence lasts exactly the timeout");
        asked
    }

    #[test]
    fn each_wait_is_twice_the_one_before() {
        let asked = silence(&addresses(1), 2, Duration::from_secs(7));
        assert_eq!(asked, [(0, 1), (1000, 1), (3000, 1)]);
    }

    #[test]
    fn without_retries_the_only_wait_is_the_timeout() {
        assert_eq!(silence(&addresses(1), 0, Duration::from_secs(2)), [(0, 1)]);
    }

    #[test]
    fn addresses_share_the_time_in_equal_parts() {
        let asked = silence(&addresses(2), 1, Duration::from_secs(6));
        assert_eq!(asked, [(0, 1), (1000, 1), (3000, 2), (4000, 2)]);
    }

    #[test]
    fn a_refusal_gives_its_time_to_the_next_address() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut exchange = Exchange::new(&addresses(2), 0, start + 4 * second);
        assert!(matches!(exchange.step(start), Step::Ask { peer, .. } if peer.port() == 1));
        exchange.refused();
        let next = exchange.step(start + second);
        let expected = Step::Ask { peer: addresses(2)[1], until: start + 4 * second };
        assert_eq!(next, expected);
        exchange.refused();
        assert_eq!(exchange.step(start + 2 * second), Step::GiveUp);
    }

    #[test]
    fn more_retries_than_there_is_time_for_are_cut() {
        let asked = silence(&addresses(1), u32::MAX, Duration::from_secs(10));
        assert_eq!(asked.len(), 11);
    }

    #[test]
    fn nowhere_to_ask_is_given_up_at_once() {
        let now = Instant::now();
        assert_eq!(Exchange::new(&[], 2, now + Duration::from_secs(1)).step(now), Step::GiveUp);
    }
}
