//! The network between two hosts: what becomes of each packet, drawn from a seed.
//!
//! `sim` and `netns` both ask here, so the same options mean the same on both.

use super::LabOptions;
use super::packet::kind;
use crate::trace::{Fate, HostId, Loss};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};
use std::time::Duration;

/// What the link does to packets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Conditions {
    /// How long a packet is under way.
    pub delay: Duration,
    /// The share that is lost, from 0 to 1.
    pub loss: f64,
    /// The share that comes twice, the second time one delay after the first.
    pub duplicate: f64,
    /// The share that is held back for one delay more, so that later ones overtake them.
    pub reorder: f64,
    /// Packets that are lost for certain, counted from 1 as they are sent, in both directions together.
    pub drop: Vec<u32>,
    pub fault: Fault,
}

/// Something that goes wrong at a certain moment: when the server's reply is on its way, which is the
/// first packet from the server that carries octets of the application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    None,
    /// From then on nothing passes any more, in either direction.
    CutAtReply,
    /// It is lost, and whatever carries the same octets once more passes.
    LoseReply,
}

/// The host that serves, on every engine that has a link.
pub(crate) const SERVER: HostId = HostId(1);
/// The host that asks.
pub(crate) const CLIENT: HostId = HostId(0);

/// Who puts packets on the link that no host has made.
pub(crate) const FORGER: HostId = HostId(2);

/// A link as it goes on.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    conditions: Conditions,
    random: Pcg64Mcg,
    sent: u64,
    replied: bool,
}

impl Conditions {
    /// As the options say, where the lab itself asks for a delay only.
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

    /// Whether chance decides what becomes of a packet: a share of none or of all leaves nothing to chance.
    pub(crate) fn is_random(&self) -> bool {
        [self.loss, self.duplicate, self.reorder].iter().any(|share| 0.0 < *share && *share < 1.0)
    }
}

impl Link {
    pub(crate) fn new(conditions: Conditions, seed: u64) -> Self {
        Self { conditions, random: Pcg64Mcg::seed_from_u64(seed), sent: 0, replied: false }
    }

    /// What becomes of a packet, from the IP header on, that a host sends at this time.
    pub(crate) fn fate(&mut self, from: HostId, at: Duration, octets: &[u8]) -> Fate {
        // As many draws for every packet, so that another loss leaves the rest as it was.
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

    /// From 0 to 1, 1 excluded: 53 bits, as many as an `f64` can tell apart.
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
        // Five standard errors of 46.
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
