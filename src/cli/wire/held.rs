//! Later fragments that came before the first one of their packet, which alone has the ports.

use crate::wire::Captured;
use std::collections::VecDeque;

/// Fragments that are kept at once; the oldest makes room.
const MAX_HELD: usize = 64;

/// Fragments whose packet is not known yet.
#[derive(Debug, Default)]
pub(super) struct Held {
    fragments: VecDeque<Captured>,
    /// How many made room for others.
    dropped: u64,
}

impl Held {
    pub(super) fn hold(&mut self, fragment: &Captured) {
        if self.fragments.len() == MAX_HELD {
            self.fragments.pop_front();
            self.dropped += 1;
        }
        self.fragments.push_back(fragment.clone());
    }

    /// Takes all that are held, the oldest first.
    pub(super) fn take(&mut self) -> VecDeque<Captured> {
        std::mem::take(&mut self.fragments)
    }

    /// Fragments whose first one has not come.
    pub(super) fn count(&self) -> u64 {
        self.dropped + self.fragments.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_64_are_held_and_each_is_counted() {
        let fragment = |number: u8| Captured {
            at: None,
            octets: vec![number],
            interface: None,
            comments: Vec::new(),
        };
        let mut held = Held::default();
        (0..70).for_each(|number| held.hold(&fragment(number)));
        assert_eq!(held.count(), 70);
        let kept: Vec<Captured> = held.take().into();
        assert_eq!((kept.len(), &kept[0]), (64, &fragment(6)));
        assert_eq!(held.count(), 6);
    }
}
