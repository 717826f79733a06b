//! Remarks on a reply, in addition to its time.

use crate::macros::UnknownName;
use std::fmt;
use std::str::FromStr;

/// Declares [`Flag`]. A `named` flag has only a name; a `numbered` flag has a name and a number.
macro_rules! flags {
    ($(#[$about:meta])* pub enum Flag {
        named { $($(#[$each:meta])* $flag:ident = $name:literal,)+ }
        numbered { $($numbered:tt)+ }
    }) => {
        $(#[$about])*
        pub enum Flag { $($(#[$each])* $flag,)+ $($numbered)+ }

        impl Flag {
            /// The flags without a number, each with its name.
            const NAMED: &[(Self, &str)] = &[$((Self::$flag, $name)),+];
        }
    };
}

flags! {
    /// A remark on a reply, in addition to its time.
    ///
    /// The names ([`Display`](fmt::Display)) are fixed: scripts may rely on them.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum Flag {
        named {
            /// `two-digit-year`: the century was inferred, by POSIX's rule that 69 to 99 mean 1969
            /// to 1999, or in [`Form::Acts`](super::Form::Acts) from the Modified Julian Date. A
            /// reply in [`Form::Nist`](super::Form::Nist) never has this flag.
            TwoDigitYear = "two-digit-year",
            /// `weekday-mismatch`: the reply names the wrong weekday for its date.
            WeekdayMismatch = "weekday-mismatch",
            /// `mjd-mismatch`: the Modified Julian Date is not that of the date.
            MjdMismatch = "mjd-mismatch",
            /// `zone-unknown`: the reply names a zone, but the name does not determine the offset.
            ZoneUnknown = "zone-unknown",
            /// `zone-conflict`: the reply names two zones that conflict with each other.
            ZoneConflict = "zone-conflict",
            /// `ambiguous-date`: the order of day, month and year is uncertain.
            AmbiguousDate = "ambiguous-date",
            /// `leap-second`: the time is a leap second (second 60).
            LeapSecond = "leap-second",
            /// `otm-missing`: NIST's on-time marker is missing.
            OtmMissing = "otm-missing",
            /// `otm-hash`: the on-time marker is `#`, which only the telephone service sends.
            OtmHash = "otm-hash",
            /// `fraction`: the time has a fraction of a second.
            Fraction = "fraction",
            /// `locale-names`: a month, weekday or AM/PM marker is not in English.
            LocaleNames = "locale-names",
            /// `nul`: the reply contains a NUL octet.
            Nul = "nul",
            /// `control-chars`: the line contains a control character.
            ControlChars = "control-chars",
            /// `non-ascii`: the line contains an octet above 0x7F, or follows a byte order mark.
            NonAscii = "non-ascii",
            /// `binary`: the reply is not text.
            Binary = "binary",
            /// `trailing-garbage`: octets that do not belong to the time follow it. These octets
            /// may be words, or not even text.
            TrailingGarbage = "trailing-garbage",
            /// `second-line`: a second line of text follows the first.
            SecondLine = "second-line",
            /// `truncated`: the reply ends before its text is complete.
            Truncated = "truncated",
            /// `looks-like-refusal`: the reply contains words instead of a time.
            LooksLikeRefusal = "looks-like-refusal",
        }
        numbered {
            /// `leap-warning:+1` or `leap-warning:-1`: NIST's digit L announces a leap second at
            /// the end of the month.
            LeapWarning {
                /// 1 if the month ends with an additional second, -1 if its last second is left
                /// out.
                seconds: i8,
            },
            /// `unhealthy:N`: NIST's digit H is N instead of 0.
            Unhealthy {
                /// NIST's digit H, from 1 to 9.
                digit: u8,
            },
        }
    }
}

impl Flag {
    const LEAP_WARNING: &str = "leap-warning:";
    const UNHEALTHY: &str = "unhealthy:";
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeapWarning { seconds } => write!(f, "{}{seconds:+}", Self::LEAP_WARNING),
            Self::Unhealthy { digit } => write!(f, "{}{digit}", Self::UNHEALTHY),
            plain => {
                let named = Self::NAMED.iter().find(|(flag, _)| flag == plain);
                f.pad(named.map_or("", |(_, name)| name))
            }
        }
    }
}

impl FromStr for Flag {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        if let Some(seconds) = text.strip_prefix(Self::LEAP_WARNING) {
            let seconds = seconds.parse().ok().filter(|seconds| matches!(seconds, -1 | 1));
            return seconds.map(|seconds| Self::LeapWarning { seconds }).ok_or(UnknownName);
        }
        if let Some(digit) = text.strip_prefix(Self::UNHEALTHY) {
            let digit = digit.parse().ok().filter(|digit| matches!(digit, 1..=9));
            return digit.map(|digit| Self::Unhealthy { digit }).ok_or(UnknownName);
        }
        let named = Self::NAMED.iter().find(|(_, name)| *name == text);
        named.map(|(flag, _)| *flag).ok_or(UnknownName)
    }
}

/// A set of [`Flag`]s, in the order in which the reader found them.
///
/// ```
/// use daytime::read::{Flag, recognise};
/// let flags = recognise(b"Tuesday, February 22, 82 17:37:43-PST\0")?.flags;
/// assert!(flags.contains(Flag::TwoDigitYear) && !flags.is_empty());
/// let wrong: Vec<Flag> = flags.iter().filter(|flag| flag.is_contradiction()).collect();
/// assert_eq!(wrong, ["weekday-mismatch".parse()?]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags {
    /// One element per kind of flag, because the set stores each flag once. An array needs no heap
    /// allocation.
    found: [Option<Flag>; Self::KINDS],
}

impl Flag {
    /// Whether the flag means that the reply contradicts itself.
    #[must_use]
    pub fn is_contradiction(self) -> bool {
        matches!(self, Self::WeekdayMismatch | Self::MjdMismatch | Self::ZoneConflict)
    }
}

impl Flags {
    const KINDS: usize = Flag::NAMED.len() + 2;

    /// Iterates over the flags, each once.
    pub fn iter(&self) -> impl Iterator<Item = Flag> {
        self.found.iter().map_while(|flag| *flag)
    }

    /// Whether the set contains `flag`.
    #[must_use]
    pub fn contains(&self, flag: Flag) -> bool {
        self.found.contains(&Some(flag))
    }

    /// Whether the set contains no flag.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found[0].is_none()
    }

    pub(super) fn add(&mut self, flag: Flag) {
        if !self.contains(flag)
            && let Some(free) = self.found.iter_mut().find(|place| place.is_none())
        {
            *free = Some(flag);
        }
    }

    pub(super) fn add_if(&mut self, condition: bool, flag: Flag) {
        if condition {
            self.add(flag);
        }
    }

    pub(super) fn add_all(&mut self, others: Self) {
        others.iter().for_each(|flag| self.add(flag));
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_is_read_back_by_its_name() {
        let numbered = [
            Flag::LeapWarning { seconds: -1 },
            Flag::LeapWarning { seconds: 1 },
            Flag::Unhealthy { digit: 4 },
        ];
        let flags: Vec<Flag> = Flag::NAMED.iter().map(|(flag, _)| *flag).chain(numbered).collect();
        assert_eq!(flags.len(), Flags::KINDS + 1);
        for flag in flags {
            assert_eq!(flag.to_string().parse(), Ok(flag));
        }
        for unknown in [
            "",
            "NUL",
            "unhealthy:",
            "unhealthy:200",
            "leap-warning:x",
            "leap-warning:5",
            "no-such-flag",
        ] {
            assert_eq!(unknown.parse::<Flag>(), Err(UnknownName), "{unknown}");
        }
    }

    #[test]
    fn a_set_keeps_each_flag_once_in_the_order_found() {
        let mut flags = Flags::default();
        assert!(flags.is_empty());
        for flag in
            [Flag::Nul, Flag::Unhealthy { digit: 2 }, Flag::Nul, Flag::LeapWarning { seconds: -1 }]
        {
            flags.add(flag);
        }
        let names: Vec<String> = flags.iter().map(|flag| flag.to_string()).collect();
        assert_eq!(names, ["nul", "unhealthy:2", "leap-warning:-1"]);
        assert!(
            flags.contains(Flag::Unhealthy { digit: 2 })
                && !flags.contains(Flag::Unhealthy { digit: 1 })
        );
    }
}
