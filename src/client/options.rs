//! Options for a query.

use crate::asking::{AskError, Family};
use crate::transport::PORT;
use std::time::{Duration, Instant};

options! {
    /// Options for a query.
    ///
    /// ```
    /// use daytime::client::{Family, Options};
    /// use std::time::Duration;
    /// let options = Options::default().family(Family::V4).timeout(Duration::from_secs(1));
    /// assert_eq!((options.family, options.retries), (Family::V4, 2));
    /// ```
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Options {
        /// Address families that the client uses. The default is both.
        pub family: Family,
        /// The port to use if the target names none. The default is 13.
        pub port: u16,
        /// Maximum time for resolving the name, connecting and receiving the reply, all together. A
        /// pause because of [`Options::pace`] is not included;
        /// [`Answer::waited`](super::Answer::waited) reports it. The default is 5 seconds.
        pub timeout: Duration,
        /// Maximum number of retries of an unanswered UDP query, at most 10. Each wait for an
        /// answer is twice as long as the previous one, and together the waits fill the timeout.
        /// [`Options::pace`] keeps retries to a public address 4 s apart. Any reply ends the retries, even
        /// an empty one. The default is 2.
        pub retries: u32,
        /// Maximum length of a reply in octets. A longer stream is an error; a longer datagram is
        /// truncated. The default is 4096.
        pub limit: usize,
        /// The client's behaviour if it queried the same public address less than 4 seconds ago. The
        /// default is [`Pace::Wait`].
        pub pace: Pace,
    }
}

impl Default for Options {
    /// Returns the defaults that the fields name.
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
    /// Returns the time at which an exchange that is starting now times out.
    ///
    /// # Errors
    /// Returns [`AskError::NoTime`] if the timeout is zero.
    pub(crate) fn deadline(&self) -> Result<Instant, AskError> {
        let timeout = Some(self.timeout.min(MAX_TIMEOUT)).filter(|timeout| !timeout.is_zero());
        timeout.map(|timeout| Instant::now() + timeout).ok_or(AskError::NoTime)
    }
}

/// Maximum timeout: one year. Adding a longer timeout to the current time might overflow.
const MAX_TIMEOUT: Duration = Duration::from_hours(365 * 24);

/// How the client keeps successive queries to a public address 4 seconds apart, as NIST asks of all users of its
/// servers. Every address is public except loopback, link-local and private addresses.
///
/// The process remembers the public addresses that it has queried, across all [`Client`](super::Client)s. If two
/// threads query the same address at the same moment, neither of them pauses. Unless the pace is [`Pace::Off`], a UDP
/// retry to a public address also waits for 4 seconds. If the timeout ends earlier, there is no retry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pace {
    /// Wait for at most 4 seconds. The timeout begins after the wait.
    #[default]
    Wait,
    /// Return [`AskError::TooSoon`](super::AskError::TooSoon), which says when the client may query the address again.
    Refuse,
    /// Query at once. Use this only for your own servers. `compare` and `bench` accept a public address only with this
    /// pace.
    Off,
}
