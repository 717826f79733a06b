//! How to ask.

use crate::asking::{AskError, Family};
use crate::transport::PORT;
use std::time::{Duration, Instant};

options! {
    /// How to ask.
    ///
    /// ```
    /// use daytime::client::{Family, Options};
    /// use std::time::Duration;
    /// let options = Options::default().family(Family::V4).timeout(Duration::from_secs(1));
    /// assert_eq!((options.family, options.retries), (Family::V4, 2));
    /// ```
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Options {
        /// Which addresses of a name to use.
        pub family: Family,
        /// The port, where the target names none.
        pub port: u16,
        /// Time for resolving the name, connecting, and the reply together. A pause that [`Options::pace`] asks
        /// for comes on top: [`Answer::waited`](super::Answer::waited) says how long it was.
        pub timeout: Duration,
        /// How often a datagram is sent again while nothing comes back, at most 10. Each wait is twice as
        /// long as the one before, and together they fill the timeout. See [`Options::pace`] for public
        /// addresses. Any reply ends the retries, even an empty one.
        pub retries: u32,
        /// Maximum octets of a reply. A stream that goes on is an error, a datagram is cut.
        pub limit: usize,
        /// What keeps two questions to one public address apart.
        pub pace: Pace,
    }
}

impl Default for Options {
    /// Port 13, both families, 5 seconds, 2 retries, 4096 octets, and a pause before a public address is asked
    /// again.
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
    /// When an exchange that begins now has to be over.
    ///
    /// # Errors
    /// [`AskError::NoTime`]
    pub(crate) fn deadline(&self) -> Result<Instant, AskError> {
        let timeout = Some(self.timeout.min(MAX_TIMEOUT)).filter(|timeout| !timeout.is_zero());
        timeout.map(|timeout| Instant::now() + timeout).ok_or(AskError::NoTime)
    }
}

/// A year: a longer timeout is as good as this, and its end may be no instant at all.
const MAX_TIMEOUT: Duration = Duration::from_hours(365 * 24);

/// What keeps two questions to one public address 4 seconds apart, as NIST wants it from every user of its
/// servers. Public is every address but loopback, link-local and private ones.
///
/// The process remembers which public addresses it has asked, whatever the [`Client`](super::Client). Two threads
/// that ask one address at the same time are not kept apart. Unless it is [`Pace::Off`], a datagram is sent again after 4 seconds, or not at all if the timeout comes
/// first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pace {
    /// Wait for up to 4 seconds, before the timeout begins.
    #[default]
    Wait,
    /// Do not ask: [`AskError::TooSoon`](super::AskError::TooSoon) says when the address may be asked again.
    Refuse,
    /// Ask at once, for servers of your own. `compare` and `bench` need it for a public address.
    Off,
}
