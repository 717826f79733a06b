//! The link between two hosts. It uses seeded random numbers to decide whether and when each packet arrives.
//!
//! The engines `sim` and `netns` both use this link, so an option has the same effect in both.

use super::LabOptions;
use super::packet::kind;
use crate::trace::{Fate, HostId, Loss};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};
use std::time::Duration;

/// Properties of a link.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Conditions {
    /// One-way delay: the time that a packet takes from one host to the other.
    pub delay: Duration,
    /// Probability that the link drops a packet, from 0 to 1.
    pub loss: f64,
    /// Probability that a packet arrives twice, from 0 to 1. The second copy arrives one delay after the first.
    pub duplicate: f64,
    /// Probability that the link holds a packet back for one more delay, so that later packets may overtake it.
    pub reorder: f64,
    /// Numbers of the packets that the link always drops. Packets in both directions are numbered together from 1, in
    /// the order in which they are sent.
    pub drop: Vec<u32>,
    pub fault: Fault,
}

/// A link fault that the server's reply triggers. The reply is the first packet from the server that carries
/// application data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    None,
    /// The link drops the reply and every later packet, in both directions.
    CutAtReply,
    /// The link drops the reply, but delivers its retransmissions.
    LoseReply,
}

/// Number of the server's host on the engines that have a link.
pub(crate) const SERVER: HostId = HostId(1);
/// Number of the client's host.
pub(crate) const CLIENT: HostId = HostId(0);

/// The host that a trace names as the sender of forged packets. No such host exists.
pub(crate) const FORGER: HostId = HostId(2);

/// A link and its state: the random number generator, the number of packets that hosts have sent, and whether the
/// server has replied.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    conditions: Conditions,
    random: Pcg64Mcg,
    sent: u64,
    replied: bool,
}

impl Conditions {
    /// Returns the conditions that the options set. If `--delay` is not set, the lab's default `delay` applies.
    pub(crate) fn of(options: &LabOptions, delay: Duration) -> Self {
        let share = |percent: Option<f64>| percent.unwrap_or(0.0) / 100.0;
        Self {
            delay: options.delay.unwrap_or(delay),
            loss: share(options.loss),
            duplicate: share(options.duplicate),
            reorder: share(options.reorder),
            drop: options.drop.clone(),
            fault: Fault::None,
        }
    }

    /// Whether random numbers decide any packet's fate. A probability of 0 or 1 leaves nothing to chance.
    pub(crate) fn is_random(&self) -> bool {
        [self.loss, self.duplicate, self.reorder].iter().any(|share| 0.0 < *share && *share < 1.0)
    }
}

impl Link {
    pub(crate) fn new(conditions: Conditions, seed: u64) -> Self {
        Self { conditions, random: Pcg64Mcg::seed_from_u64(seed), sent: 0, replied: false }
    }

    /// Decides the fate of a packet that the host `from` sends at the time `at`. `octets` begins with the IP header.
    pub(crate) fn fate(&mut self, from: HostId, at: Duration, octets: &[u8]) -> Fate {
        // Draws the same number of random values for every packet, so that a change to one probability leaves the other
        // decisions as they were.
        let [lost, twice, late] = [(); 3].map(|()| self.draw());
        self.sent += 1;
        let Conditions { delay, loss, duplicate, reorder, ref drop, fault } = self.conditions;
        let is_first_reply = !self.replied && from == SERVER && kind(octets).octets() > 0;
        self.replied |= is_first_reply;
        match fault {
            Fault::CutAtReply if self.replied => return Fate::Lost(Loss::Cut),
            Fault::LoseReply if is_first_reply => return Fate::Lost(Loss::Reply),
            _ => {}
        }
        if drop.iter().any(|number| u64::from(*number) == self.sent) {
            return Fate::Lost(Loss::Ordered(self.sent));
        }
        if lost < loss {
            return Fate::Lost(Loss::Chance);
        }
        let first = at + if late < reorder { 2 * delay } else { delay };
        let duplicate_arrival = (twice < duplicate).then_some(first + delay);
        Fate::Arrived([first].into_iter().chain(duplicate_arrival).collect())
    }

    /// Returns a random number from 0 up to but not including 1, with 53 random bits: the precision of an `f64`.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    fn draw(&mut self) -> f64 {
        (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn plain() -> Conditions {
        Conditions::of(&LabOptions::default(), 20 * MS)
    }

    fn fates(conditions: Conditions, count: usize) -> Vec<Fate> {
        let mut link = Link::new(conditions, 7);
        (0..count).map(|_| link.fate(CLIENT, MS, &[])).collect()
    }

    #[test]
    fn every_packet_comes_after_the_delay_where_nothing_goes_wrong() {
        assert_eq!(fates(plain(), 50), vec![Fate::Arrived(vec![21 * MS]); 50]);
    }

    #[test]
    fn the_packets_that_are_to_be_lost_are_and_no_others() {
        let fates = fates(Conditions { drop: vec![2, 3], ..plain() }, 4);
        let arrived = Fate::Arrived(vec![21 * MS]);
        let lost = |number| Fate::Lost(Loss::Ordered(number));
        assert_eq!(fates, [arrived.clone(), lost(2), lost(3), arrived]);
    }

    #[test]
    fn about_the_share_that_was_asked_for_is_lost_duplicated_and_held_back() {
        let share = |conditions, is: fn(&Fate) -> bool| {
            fates(conditions, 10_000).iter().filter(|fate| is(fate)).count()
        };
        let lost = share(Conditions { loss: 0.3, ..plain() }, |it| matches!(it, Fate::Lost(_)));
        let twice = share(
            Conditions { duplicate: 0.3, ..plain() },
            |it| matches!(it, Fate::Arrived(times) if times[..] == [21 * MS, 41 * MS]),
        );
        let late = share(
            Conditions { reorder: 0.3, ..plain() },
            |it| matches!(it, Fate::Arrived(times) if times[..] == [41 * MS]),
        );
        // The expected count is 3000 and its standard error is 46; the test allows five standard errors.
        for count in [lost, twice, late] {
            assert!((2770..=3230).contains(&count), "{lost} {twice} {late}");
        }
    }

    #[test]
    fn another_loss_leaves_the_packets_that_pass_as_they_were() {
        let some = Conditions { duplicate: 0.5, reorder: 0.5, ..plain() };
        let lossy = fates(Conditions { loss: 0.5, ..some.clone() }, 100);
        let passed = lossy.iter().zip(fates(some, 100));
        let mut equal = 0;
        for (lossy, other) in passed {
            if !matches!(lossy, Fate::Lost(_)) {
                assert_eq!(*lossy, other);
                equal += 1;
            }
        }
        assert!((20..=80).contains(&equal), "{equal}");
    }
}
