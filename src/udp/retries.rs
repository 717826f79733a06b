//! Decides when to query each address and when to give up. This is the client's side of a UDP
//! exchange as a state machine without sockets or clocks. The caller passes all times, counted from
//! a start of its choice.
//!
//! The addresses share the time equally. For each address, every wait is twice as long as the
//! previous wait (back-off). Together, the waits fill the address's share of the time:
//!
//! ```text
//! 2 retries, 7 s   ask .... ask ........ ask ................ next address
//!                  0 s      1 s          3 s                 7 s
//! ```
//!
//! If an address requires a minimum interval between queries, every wait is at least that long. A
//! retry that would come after the deadline is omitted.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Maximum number of retries. With more retries, the first wait would be too short to be useful.
pub(crate) const MAX_RETRIES: u32 = 10;

/// Rules for retries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retries {
    /// Maximum number of retries per address, at most [`MAX_RETRIES`].
    pub max: u32,
    /// A function that returns the minimum time between two queries to an address.
    pub min_interval: fn(IpAddr) -> Duration,
}

/// Schedule of one exchange: which address to query next, when to retry, and when to give up.
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
    /// Time at which this address's share of the timeout ends.
    deadline: Duration,
    questions: u32,
}

impl Schedule {
    pub(crate) fn new(addresses: &[SocketAddr], retries: Retries, deadline: Duration) -> Self {
        let waiting = addresses.iter().copied().collect();
        let retries = Retries { max: retries.max.min(MAX_RETRIES), ..retries };
        Self { waiting, current: None, deadline, retries }
    }

    /// Returns the next address to query; `None` if no address or no time is left.
    pub(crate) fn next_address(&mut self, now: Duration) -> Option<SocketAddr> {
        let parts = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        let left = self.deadline.checked_sub(now).filter(|left| !left.is_zero())?;
        let peer = self.waiting.pop_front()?;
        self.current = Some(Current { peer, deadline: now + left / parts, questions: 0 });
        Some(peer)
    }

    /// Whether to send another query to this address now: the first query, or a retry after a wait
    /// without an answer. If so, send it and call [`Schedule::wait_until`], which returns the time
    /// at which the wait for the answer ends.
    pub(crate) fn next_question(&mut self, now: Duration) -> bool {
        let Some(current) = &mut self.current else { return false };
        let is_first = current.questions == 0;
        let asks = is_first || current.questions <= self.retries.max && now < current.deadline;
        current.questions += u32::from(asks);
        asks
    }

    /// Returns the addresses that were never queried.
    #[cfg(feature = "client")]
    pub(crate) fn untried(self) -> impl Iterator<Item = SocketAddr> {
        self.waiting.into_iter()
    }

    /// Returns the time at which the wait after a query ends. `now` must be the time after sending,
    /// because opening the socket takes time.
    pub(crate) fn wait_until(&self, now: Duration) -> Duration {
        let Some(current) = &self.current else { return now };
        // The wait after this query and the waits after later ones take 1, 2, 4 … equal parts of
        // the remaining time.
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

    /// Simulates an exchange in which no address answers. Returns the time and the destination port
    /// of each query.
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
    fn each_wait_is_twice_the_previous_one() {
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
    fn the_time_of_a_refusing_address_goes_to_the_next() {
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
    fn retries_are_limited_to_ten() {
        let asked = silence(&addresses(1), at_will(u32::MAX), Duration::from_secs(10));
        assert_eq!(asked.len(), 11);
    }

    #[test]
    fn without_an_address_the_schedule_ends_at_once() {
        let mut schedule = Schedule::new(&[], at_will(2), Duration::from_secs(1));
        assert_eq!(schedule.next_address(Duration::ZERO), None);
        assert!(!schedule.next_question(Duration::ZERO));
    }

    #[test]
    fn a_question_waits_for_the_minimum_interval_or_is_left_out() {
        let asked = |seconds| silence(&addresses(1), polite(2), Duration::from_secs(seconds));
        assert_eq!(asked(4), [(0, 1)]);
        assert_eq!(asked(5), [(0, 1), (4000, 1)]);
        assert_eq!(asked(9), [(0, 1), (4000, 1), (8000, 1)]);
        // A wait longer than the minimum interval stays unchanged.
        assert_eq!(asked(35), [(0, 1), (5000, 1), (15_000, 1)]);
    }

    #[test]
    fn the_minimum_interval_does_not_delay_the_next_address() {
        let asked = silence(&addresses(2), polite(2), Duration::from_secs(6));
        assert_eq!(asked, [(0, 1), (3000, 2)]);
    }

    #[test]
    fn the_minimum_interval_counts_from_the_sending_of_a_question() {
        let second = Duration::from_secs(1);
        let mut schedule = Schedule::new(&addresses(1), polite(2), 9 * second);
        assert_eq!(schedule.next_address(Duration::ZERO), Some(addresses(1)[0]));
        assert!(schedule.next_question(Duration::ZERO));
        assert_eq!(schedule.wait_until(3 * second), 7 * second);
    }
}
