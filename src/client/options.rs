//! The options of a question.

use crate::asking::{AskError, Family};
use crate::transport::PORT;
use std::time::{Duration, Instant};

options! {
    /// The options of a question.
    ///
    /// ```
    /// use daytime::client::{Family, Options};
    /// use std::time::Duration;
    /// let options = Options::default().family(Family::V4).timeout(Duration::from_secs(1));
    /// assert_eq!((options.family, options.retries), (Family::V4, 2));
    /// ```
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Options {
        /// The address families whose addresses the client asks.
        pub family: Family,
        /// The port to use if the target has none.
        pub port: u16,
        /// Time for resolving the name, connecting and receiving the reply, together. A pause for
        /// [`Options::pace`] comes in addition, and [`Answer::waited`](super::Answer::waited)
        /// reports it.
        pub timeout: Duration,
        /// Number of retries while a datagram has no answer, at most 10. Each wait is twice as long
        /// as the previous one, and the waits together fill the timeout. [`Options::pace`] limits
        /// retries to public addresses. Any reply ends the retries, even an empty one.
        pub retries: u32,
        /// Maximum length of a reply in octets. A longer stream is an error; a longer datagram is
        /// cut.
        pub limit: usize,
        /// The action when a public address was asked less than 4 seconds ago.
        pub pace: Pace,
    }
}

impl Default for Options {
    /// Returns the defaults: port 13, both families, 5 seconds, 2 retries, and 4096 octets. Before
    /// a public address is asked again, the client pauses.
    fn default() -> Self {
        Self {
            family: Family::Any,
            port: PORT,
            timeout: Duration::from_secs(5),
            retries: 2,
            limit: 4096,
            pace: Pace::Wait,
        }
    }
}

impl Options {
    /// Returns the latest end of an exchange that begins now.
    ///
    /// # Errors
    /// [`AskError::NoTime`]: the timeout is zero.
    pub(crate) fn deadline(&self) -> Result<Instant, AskError> {
        let timeout = Some(self.timeout.min(MAX_TIMEOUT)).filter(|timeout| !timeout.is_zero());
        timeout.map(|timeout| Instant::now() + timeout).ok_or(AskError::NoTime)
    }
}

/// Maximum timeout, one year. Adding a longer timeout to the current time might overflow.
const MAX_TIMEOUT: Duration = Duration::from_hours(365 * 24);

/// The rule that keeps two questions to a public address 4 seconds apart, as NIST asks of all users
/// of its servers. Every address is public except loopback, link-local and private addresses.
///
/// The process remembers the public addresses that it has asked, across all
/// [`Client`](super::Client)s. Two threads that ask the same address at the same moment are not
/// kept apart. Unless the pace is [`Pace::Off`], a datagram to a public address is sent again only
/// after 4 seconds. If the timeout ends earlier, the datagram is not sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pace {
    /// Wait for at most 4 seconds, before the timeout begins.
    #[default]
    Wait,
    /// Return [`AskError::TooSoon`](super::AskError::TooSoon), which says when the address may be
    /// asked again.
    Refuse,
    /// Ask at once. Use this only for your own servers. `compare` and `bench` need this pace for a
    /// public address.
    Off,
}
