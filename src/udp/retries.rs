//! When to ask, whom, and when to give up: the client's side of a datagram exchange as a state
//! machine, without sockets or clocks. Each time is the time since a start that the caller chooses.
//!
//! The time there is goes to the addresses in equal parts. On each, every wait is twice as long as
//! the one before (back-off), and together they fill its part:
//!
//! ```text
//! 2 retries, 7 s   ask .... ask ........ ask ................ next address
//!                  0 s      1 s          3 s                 7 s
//! ```
//!
//! Where questions to an address have to be some time apart, no wait is shorter than that; a retry that
//! would come too late then is left out.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The most retries that are taken: the first wait would be too short to be of use.
pub(crate) const MAX_RETRIES: u32 = 10;

/// How questions are repeated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retries {
    /// The most of them, for each address; [`MAX_RETRIES`] if more.
    pub max: u32,
    /// The least time between two questions to this address.
    pub min_interval: fn(IpAddr) -> Duration,
}

/// When to ask which address, in one exchange.
#[derive(Debug)]
pub(crate) struct Schedule {
    waiting: VecDeque<SocketAddr>,
    current: Option<Current>,
    deadline: Duration,
    retries: Retries,
}

#[derive(Debug)]
struct Current {
    peer: SocketAddr,
    /// When its part of the time is over.
    deadline: Duration,
    questions: u32,
}

impl Schedule {
    pub(crate) fn new(addresses: &[SocketAddr], retries: Retries, deadline: Duration) -> Self {
        let waiting = addresses.iter().copied().collect();
        let retries = Retries { max: retries.max.min(MAX_RETRIES), ..retries };
        Self { waiting, current: None, deadline, retries }
    }

    /// The next address to ask; `None` if none is left, or no time.
    pub(crate) fn next_address(&mut self, now: Duration) -> Option<SocketAddr> {
        let parts = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        let left = self.deadline.checked_sub(now).filter(|left| !left.is_zero())?;
        let peer = self.waiting.pop_front()?;
        self.current = Some(Current { peer, deadline: now + left / parts, questions: 0 });
        Some(peer)
    }

    /// Whether to send a question to this address, its first or, when the last wait is over, another one.
    /// [`Schedule::wait_until`] then tells how long to wait for the answer.
    pub(crate) fn next_question(&mut self, now: Duration) -> bool {
        let Some(current) = &mut self.current else { return false };
        let is_first = current.questions == 0;
        let asks = is_first || current.questions <= self.retries.max && now < current.deadline;
        current.questions += u32::from(asks);
        asks
    }

    /// The addresses that are left.
    #[cfg(feature = "client")]
    pub(crate) fn untried(self) -> impl Iterator<Item = SocketAddr> {
        self.waiting.into_iter()
    }

    /// When to ask the next question, the last one having left `now`: not when it was decided on, since
    /// opening its socket comes between.
    pub(crate) fn wait_until(&self, now: Duration) -> Duration {
        let Some(current) = &self.current else { return now };
        // This wait and those to come are 1, 2, 4 … parts of the time that is left.
        let retries_left = self.retries.max + 1 - current.questions;
        let parts = (2u32 << retries_left) - 1;
        let left = current.deadline.saturating_sub(now);
        let wait = (left / parts).max((self.retries.min_interval)(current.peer.ip()));
        (now + wait).min(current.deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(count: u16) -> Vec<SocketAddr> {
        (1..=count).map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect()
    }

    fn at_will(most: u32) -> Retries {
        Retries { max: most, min_interval: |_| Duration::ZERO }
    }

    fn polite(most: u32) -> Retries {
        Retries { max: most, min_interval: |_| Duration::from_secs(4) }
    }

    /// Lets every wait run out: when each question was asked, and of which port.
    fn silence(addresses: &[SocketAddr], retries: Retries, timeout: Duration) -> Vec<(u128, u16)> {
        let mut schedule = Schedule::new(addresses, retries, timeout);
        let (mut now, mut asked) = (Duration::ZERO, Vec::new());
        while let Some(peer) = schedule.next_address(now) {
            while schedule.next_question(now) {
                let until = schedule.wait_until(now);
                assert!(until > now && until <= timeout);
                asked.push((now.as_millis(), peer.port()));
                now = until;
            }
        }
        assert_eq!(now, timeout, "silence lasts exactly the timeout");
        asked
    }

    #[test]
    fn each_wait_is_twice_the_one_before() {
        let asked = silence(&addresses(1), at_will(2), Duration::from_secs(7));
        assert_eq!(asked, [(0, 1), (1000, 1), (3000, 1)]);
    }

    #[test]
    fn without_retries_the_only_wait_is_the_timeout() {
        assert_eq!(silence(&addresses(1), at_will(0), Duration::from_secs(2)), [(0, 1)]);
    }

    #[test]
    fn addresses_share_the_time_in_equal_parts() {
        let asked = silence(&addresses(2), at_will(1), Duration::from_secs(6));
        assert_eq!(asked, [(0, 1), (1000, 1), (3000, 2), (4000, 2)]);
    }

    #[test]
    fn a_refusal_gives_its_time_to_the_next_address() {
        let second = Duration::from_secs(1);
        let mut schedule = Schedule::new(&addresses(2), at_will(0), 4 * second);
        assert_eq!(schedule.next_address(Duration::ZERO), Some(addresses(2)[0]));
        assert!(schedule.next_question(Duration::ZERO));
        assert_eq!(schedule.next_address(second), Some(addresses(2)[1]));
        assert!(schedule.next_question(second));
        assert_eq!(schedule.wait_until(second), 4 * second);
        assert_eq!(schedule.next_address(2 * second), None);
    }

    #[test]
    fn more_retries_than_there_is_time_for_are_cut() {
        let asked = silence(&addresses(1), at_will(u32::MAX), Duration::from_secs(10));
        assert_eq!(asked.len(), 11);
    }

    #[test]
    fn nowhere_to_ask_is_given_up_at_once() {
        let mut schedule = Schedule::new(&[], at_will(2), Duration::from_secs(1));
        assert_eq!(schedule.next_address(Duration::ZERO), None);
        assert!(!schedule.next_question(Duration::ZERO));
    }

    #[test]
    fn questions_that_have_to_be_apart_are_or_are_left_out() {
        let asked = |seconds| silence(&addresses(1), polite(2), Duration::from_secs(seconds));
        assert_eq!(asked(4), [(0, 1)]);
        assert_eq!(asked(5), [(0, 1), (4000, 1)]);
        assert_eq!(asked(9), [(0, 1), (4000, 1), (8000, 1)]);
        // Waits that are long enough already stay as they are.
        assert_eq!(asked(35), [(0, 1), (5000, 1), (15_000, 1)]);
    }

    #[test]
    fn the_next_address_does_not_wait_for_the_last_one() {
        let asked = silence(&addresses(2), polite(2), Duration::from_secs(6));
        assert_eq!(asked, [(0, 1), (3000, 2)]);
    }

    #[test]
    fn the_distance_counts_from_when_a_question_has_left() {
        let second = Duration::from_secs(1);
        let mut schedule = Schedule::new(&addresses(1), polite(2), 9 * second);
        assert_eq!(schedule.next_address(Duration::ZERO), Some(addresses(1)[0]));
        assert!(schedule.next_question(Duration::ZERO));
        assert_eq!(schedule.wait_until(3 * second), 7 * second);
    }
}
