//! TCP's control bits.

use std::fmt;

/// TCP's control bits (RFC 9293, section 3.1), printed as in `SYN, ACK`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(pub u8);

impl Flags {
    pub(crate) const FIN: Self = Self(0x01);
    pub(crate) const SYN: Self = Self(0x02);
    pub(crate) const RST: Self = Self(0x04);
    pub(crate) const PSH: Self = Self(0x08);
    pub(crate) const ACK: Self = Self(0x10);
    pub(crate) const URG: Self = Self(0x20);

    /// The flags and their names, in printing order.
    const NAMES: [(Self, &'static str); 8] = [
        (Self::SYN, "SYN"),
        (Self::FIN, "FIN"),
        (Self::RST, "RST"),
        (Self::PSH, "PSH"),
        (Self::ACK, "ACK"),
        (Self::URG, "URG"),
        // RFC 3168, section 6.1, defines the following flags.
        (Self(0x40), "ECE"),
        (Self(0x80), "CWR"),
    ];

    /// Returns the flag with this name, which must be in capitals.
    #[cfg_attr(not(feature = "teach"), allow(dead_code, reason = "only answer files name flags"))]
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, other)| *other == name).map(|(flag, _)| *flag)
    }

    /// Whether all flags in `these` are set.
    pub(crate) const fn contains(self, these: Self) -> bool {
        self.0 & these.0 == these.0
    }

    /// Returns the flags that are not in `those`.
    pub(crate) const fn without(self, those: Self) -> Self {
        Self(self.0 & !those.0)
    }
}

impl std::ops::BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = Self::NAMES.iter().filter(|(flag, _)| self.contains(*flag));
        let names: Vec<&str> = set.map(|(_, name)| *name).collect();
        f.pad(&names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_printed_in_their_usual_order() {
        assert_eq!((Flags::ACK | Flags::SYN).to_string(), "SYN, ACK");
        assert_eq!(Flags(0xff).to_string(), "SYN, FIN, RST, PSH, ACK, URG, ECE, CWR");
        assert_eq!(Flags(0).to_string(), "");
    }
}
