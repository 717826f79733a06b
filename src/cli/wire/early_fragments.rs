//! Holds later fragments of a packet until its first fragment arrives, because only the first fragment has ports.

use crate::trace::Fate;
use crate::wire::Captured;
use crate::wire::conversation::FragmentedPacket;
use std::collections::VecDeque;

/// Maximum number of held fragments. Above this number, the oldest fragment from the pair of hosts with the most
/// fragments is dropped.
const MAX_HELD: usize = 64;

/// Maximum number of remembered packets on unwanted ports. Above this number, a new packet replaces the oldest one.
const MAX_OTHERS: usize = 256;

/// Fragments of packets whose ports are not known yet, and packets whose ports are not wanted.
#[derive(Debug, Default)]
pub(super) struct EarlyFragments {
    fragments: VecDeque<Fragment>,
    /// Packets whose first fragment has unwanted ports, oldest first.
    others: VecDeque<FragmentedPacket>,
    /// Number of dropped fragments.
    pub replaced: u64,
}

#[derive(Debug)]
struct Fragment {
    whole: FragmentedPacket,
    captured: Captured,
    fate: Fate,
}

impl EarlyFragments {
    /// Holds a later fragment, unless its packet is known to have unwanted ports.
    pub(super) fn hold(&mut self, whole: FragmentedPacket, captured: &Captured, fate: &Fate) {
        if self.others.contains(&whole) {
            return;
        }
        let fragment = Fragment { whole, captured: captured.clone(), fate: fate.clone() };
        self.fragments.push_back(fragment);
        if self.fragments.len() > MAX_HELD {
            self.replace();
        }
    }

    /// Drops the oldest fragment from the pair of hosts with the most fragments, so that other traffic cannot displace
    /// a reply.
    fn replace(&mut self) {
        let hosts = |it: &Fragment| (it.whole.source, it.whole.destination);
        let of_same =
            |it: &Fragment| self.fragments.iter().filter(|other| hosts(other) == hosts(it)).count();
        let counts = self.fragments.iter().map(of_same).enumerate();
        // Among fragments with equal counts, the first one is the oldest. `rev` makes `max_by_key` choose it.
        let most = counts.rev().max_by_key(|(_, count)| *count);
        if let Some((oldest, _)) = most {
            self.fragments.remove(oldest);
            self.replaced += 1;
        }
    }

    /// Ignores all fragments of a packet whose first fragment has unwanted ports.
    pub(super) fn ignore(&mut self, whole: FragmentedPacket) {
        self.fragments.retain(|fragment| fragment.whole != whole);
        self.others.retain(|other| *other != whole);
        if self.others.len() == MAX_OTHERS {
            self.others.pop_front();
        }
        self.others.push_back(whole);
    }

    /// Removes and returns a packet's held fragments, oldest first. Call this when the packet's first fragment has
    /// wanted ports.
    pub(super) fn take(&mut self, whole: FragmentedPacket) -> Vec<(Captured, Fate)> {
        self.others.retain(|other| *other != whole);
        let all = std::mem::take(&mut self.fragments);
        let (taken, kept): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| it.whole == whole);
        self.fragments = kept.into();
        taken.into_iter().map(|it| (it.captured, it.fate)).collect()
    }

    /// Returns the number of held fragments, whose packets' first fragments have not been captured.
    pub(super) fn count(&self) -> u64 {
        self.fragments.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Loss;
    use crate::wire::decode::{Content, Decoded, Endpoint};
    use std::net::Ipv4Addr;

    /// Returns the identity of a fragmented packet from host 10.0.0.`host`.
    fn whole(host: u8, identification: u32) -> FragmentedPacket {
        let end = |host| Endpoint { address: Ipv4Addr::new(10, 0, 0, host).into(), port: None };
        let packet = Decoded {
            source: end(host),
            destination: end(99),
            protocol: 17,
            content: Content::Fragment { offset: 16 },
            octets: 36,
            carried: 16,
            fragment_of: Some(identification),
        };
        FragmentedPacket::of(None, &packet).expect("a fragment")
    }

    fn captured(number: u8) -> Captured {
        Captured { at: None, octets: vec![number], interface: None, comments: Vec::new() }
    }

    #[test]
    fn at_most_64_fragments_are_held_and_each_dropped_one_is_counted() {
        let mut held = EarlyFragments::default();
        for number in 0..70 {
            held.hold(whole(1, number.into()), &captured(number), &Fate::Seen);
        }
        assert_eq!((held.count(), held.replaced), (64, 6));
        assert!(held.take(whole(1, 5)).is_empty());
        assert_eq!(held.take(whole(1, 6)), [(captured(6), Fate::Seen)]);
        assert_eq!(held.count(), 63);
    }

    #[test]
    fn fragments_of_other_hosts_do_not_displace_a_fragment_and_its_fate() {
        let mut held = EarlyFragments::default();
        held.hold(whole(1, 7), &captured(1), &Fate::Lost(Loss::Chance));
        for number in 0..100_u32 {
            held.hold(whole(2, number), &captured(2), &Fate::Seen);
        }
        assert_eq!(held.take(whole(1, 7)), [(captured(1), Fate::Lost(Loss::Chance))]);
    }

    #[test]
    fn fragments_of_other_ports_are_not_held() {
        let mut held = EarlyFragments::default();
        held.hold(whole(1, 7), &captured(1), &Fate::Seen);
        held.ignore(whole(1, 7));
        held.hold(whole(1, 7), &captured(2), &Fate::Seen);
        assert_eq!((held.count(), held.replaced), (0, 0));
        // A later packet may have the same identification, so its fragment is held again.
        held.take(whole(1, 7));
        held.hold(whole(1, 7), &captured(3), &Fate::Seen);
        assert_eq!(held.count(), 1);
        (0..1000).for_each(|number| held.ignore(whole(2, number)));
        assert_eq!(held.others.len(), MAX_OTHERS);
    }
}
