//! The syntaxes for replies. RFC 867 prescribes none ("There is no specific syntax for the daytime"). Each common
//! syntax has its own file, which contains the printer, the reader and their tests. Reading starts in `recognise.rs`.
//! docs/SYNTAXES.md lists the forms that can be read, and the servers that send them.
//!
//! | name | example | source | file |
//! |---|---|---|---|
//! | `rfc867` | `Tuesday, February 22, 1982 17:37:43-PST` | RFC 867, first example | `rfc867.rs` |
//! | `smtp` | `02 FEB 82 07:59:01 PST` | RFC 867, second example | `smtp.rs` |
//! | `ctime` | `Mon Feb 22 17:37:43 1982` | ctime(3), as inetd sends it | `ctime.rs` |
//! | `nist` | `45022 82-02-22 17:37:43 00 0 0   0.0 UTC(NIST) * ` | NIST, framed by line feeds | `nist.rs` |
//! | `rfc3339` | `1982-02-22T17:37:43-08:00` | RFC 3339 | `rfc3339.rs` |
//! | a pattern | `%F %T %Z` | strftime(3) | `strftime.rs` |

mod ctime;
mod cursor;
mod flags;
mod frame;
mod free;
mod iana;
mod local_zone;
mod names;
mod nist;
mod numeric;
mod offset;
mod recognise;
mod recognised;
mod rfc3339;
mod rfc5322;
mod rfc850;
mod rfc867;
mod smtp;
mod strftime;
mod telephone;
mod time_code;
mod truetime;
mod unrecognised;
mod utc_offset;
mod zone;
mod zone_text;

#[cfg(test)]
mod properties;

pub use flags::{Flag, Flags};
pub(crate) use frame::Frame;
pub use offset::Offset;
pub use recognise::recognise;
#[cfg(test)]
pub(crate) use recognise::tests::READ;
pub use recognised::{Candidates, Distrust, Form, Recognised, ReplyTime};
pub use strftime::{PartFault, Pattern, PatternError};
pub use time_code::{Marker, TimeCode};
pub use unrecognised::{Reason, Unrecognised};
pub use zone::{Zone, ZoneError, ZoneOffset};

use crate::clock::Reading;
use crate::reply::{Reply, ReplyError};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The syntax in which a reply is printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Syntax {
    /// The ctime(3) format, as inetd sends it. The reply names no zone.
    Ctime,
    /// NIST's time code, which is always in UTC, whatever the zone.
    Nist,
    /// RFC 3339 with whole seconds.
    Rfc3339,
    /// The first example in RFC 867.
    #[default]
    Rfc867,
    /// The second example in RFC 867, "used in SMTP".
    Smtp,
    /// A strftime(3) pattern.
    Strftime(Pattern),
}

/// Error: the text is not a syntax name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such syntax; use ctime, nist, rfc3339, rfc867 or smtp")]
pub struct UnknownSyntax;

impl Syntax {
    /// All named syntaxes: all except the strftime(3) patterns.
    pub const NAMED: &'static [Self] =
        &[Self::Ctime, Self::Nist, Self::Rfc3339, Self::Rfc867, Self::Smtp];

    /// Returns the reply that shows the instant of `reading` in `zone`.
    ///
    /// # Errors
    /// [`ReplyError`]: the syntax cannot show this instant in one line of printable ASCII.
    ///
    /// ```
    /// use daytime::read::{Reading, Syntax, Zone};
    /// let reading = Reading::at("1982-02-22T17:37:43Z".parse()?);
    /// let reply = Syntax::Rfc867.print(&reading, Zone::UTC)?;
    /// assert_eq!(reply.octets(), b"Monday, February 22, 1982 17:37:43-UTC\r\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn print(&self, reading: &Reading, zone: Zone) -> Result<Reply, ReplyError> {
        let local = || reading.utc.with_timezone(&zone);
        match self {
            Self::Ctime => Reply::line(local().format(ctime::PATTERN)),
            Self::Nist => nist::print(reading),
            Self::Rfc3339 => rfc3339::print(&local()),
            Self::Rfc867 => Reply::line(local().format(rfc867::PATTERN)),
            Self::Smtp => smtp::print(&local()),
            Self::Strftime(pattern) => pattern.print(&local()),
        }
    }

    /// Returns the smallest unit of time that the syntax shows. A reply stays correct for this long.
    #[must_use]
    pub fn resolution(&self) -> Duration {
        match self {
            Self::Strftime(pattern) => pattern.resolution(),
            _ => Duration::from_secs(1),
        }
    }

    /// Whether the zone affects the reply: the reply shows the zone or its local time.
    #[must_use]
    pub fn uses_zone(&self) -> bool {
        *self != Self::Nist
    }
}

impl fmt::Display for Syntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ctime => f.pad("ctime"),
            Self::Nist => f.pad("nist"),
            Self::Rfc3339 => f.pad("rfc3339"),
            Self::Rfc867 => f.pad("rfc867"),
            Self::Smtp => f.pad("smtp"),
            Self::Strftime(pattern) => write!(f, "{pattern}"),
        }
    }
}

impl FromStr for Syntax {
    type Err = UnknownSyntax;

    fn from_str(name: &str) -> Result<Self, UnknownSyntax> {
        Self::NAMED.iter().find(|syntax| syntax.to_string() == name).cloned().ok_or(UnknownSyntax)
    }
}

/// Helpers that every syntax's tests share.
#[cfg(test)]
mod tests_at {
    use super::{Reading, ReplyTime, Syntax, TimeCode, recognise};
    use chrono::NaiveDateTime;

    /// Returns a synchronised clock's reading at this RFC 3339 instant.
    pub(super) fn at(instant: &str) -> Reading {
        Reading::at(instant.parse().expect("an instant in RFC 3339"))
    }

    /// Returns the text of the reply in this syntax, for this instant and zone.
    pub(super) fn reply(syntax: &Syntax, instant: &str, zone: &str) -> String {
        let reply = syntax.print(&at(instant), zone.parse().expect("a zone"));
        String::from_utf8(reply.expect("printable").octets().to_vec()).expect("ASCII")
    }

    /// Reads a reply and describes the result: form, time, zone and flags, or the error and flags. Each character of
    /// `reply` up to U+00FF becomes one octet.
    pub(super) fn read(reply: &str) -> String {
        let flags = |flags: super::Flags, mark: &str| {
            flags.iter().fold(String::new(), |all, flag| format!("{all}{mark}{flag}"))
        };
        let written = |local: NaiveDateTime| local.format("%Y-%m-%dT%H:%M:%S%.f").to_string();
        match recognise(&octets(reply)) {
            Ok(recognised) => {
                let time = match recognised.time {
                    ReplyTime::Instant { utc, .. } => format!("{}Z", written(utc.naive_utc())),
                    ReplyTime::WallClock { local } => written(local),
                    ReplyTime::Ambiguous { candidates } => {
                        candidates.iter().map(written).collect::<Vec<_>>().join("|")
                    }
                };
                let zone = recognised.zone.as_deref().unwrap_or("-");
                format!("{} {time} {zone}{}", recognised.form, flags(recognised.flags, " "))
            }
            Err(error) => format!("{error}{}", flags(error.flags, "; ")),
        }
    }

    /// Returns the time code in a reply.
    pub(super) fn code(reply: &str) -> TimeCode {
        let octets = octets(reply);
        recognise(&octets).expect("a time").code.expect("a time code")
    }

    /// Converts text to octets. Each character up to U+00FF becomes one octet. Any other character is encoded in UTF-8.
    fn octets(reply: &str) -> Vec<u8> {
        let mut utf_8 = [0; 4];
        let octets = |letter: char| match u8::try_from(letter) {
            Ok(octet) => vec![octet],
            Err(_) => letter.encode_utf8(&mut utf_8).as_bytes().to_vec(),
        };
        reply.chars().flat_map(octets).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_name_is_parsed_back_to_its_syntax() {
        assert_eq!(Syntax::NAMED.len(), 5);
        for syntax in Syntax::NAMED {
            assert_eq!(syntax.to_string().parse().as_ref(), Ok(syntax));
        }
        assert_eq!("RFC867".parse::<Syntax>(), Err(UnknownSyntax));
    }

    proptest! {
        #[test]
        fn every_instant_up_to_2099_is_one_printable_line_in_every_syntax(
            second in 0i64..4_102_444_800,
            nanosecond in 0u32..1_000_000_000,
            zone in prop::sample::select(vec!["utc", "America/St_Johns", "Asia/Kathmandu",
                "America/Sao_Paulo", "Africa/Monrovia", "-11:30", "+00:00"]),
        ) {
            let zone: Zone = zone.parse().expect("zone");
            let utc = chrono::DateTime::from_timestamp(second, nanosecond).expect("in range");
            let reading = Reading::at(utc);
            for syntax in Syntax::NAMED {
                let reply = syntax.print(&reading, zone).expect("printable");
                let (head, tail) = match syntax {
                    Syntax::Nist => (1, 1),
                    _ => (0, 2),
                };
                let octets = reply.octets();
                let line = &octets[head..octets.len() - tail];
                prop_assert!(line.iter().all(|octet| (b' '..=b'~').contains(octet)));
                prop_assert!(octets.ends_with(b"\n"));
            }
        }
    }
}
