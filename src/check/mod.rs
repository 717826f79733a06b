//! Does a server keep RFC 867, and is it a safe neighbour? Asks it a dozen times and judges what comes.

mod datagram;
mod finding;
mod judge;
mod observed;
mod probe;
mod ready;
mod session;
mod stream;

pub use finding::{Finding, Verdict};
pub use probe::Probe;

use crate::client::{AskError, Client, Options, Target};
use session::Session;
use std::time::Duration;

options! {
    /// How to check.
    ///
    /// ```
    /// use daytime::check::CheckOptions;
    /// use daytime::client::{Options, Pace};
    /// let options = CheckOptions::default().ask(Options::default().pace(Pace::Off));
    /// assert_eq!(options.ask.pace, Pace::Off);
    /// ```
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct CheckOptions {
        /// How to ask. [`Options::timeout`] is also how long a probe waits for an answer that should not come.
        /// A public address is asked every 4 seconds at most, so that a check of one takes about half a minute;
        /// [`Pace::Off`](crate::client::Pace::Off) does without the pauses, and with
        /// [`Pace::Refuse`](crate::client::Pace::Refuse) most probes of one are not tried.
        pub ask: Options,
    }
}

impl Default for CheckOptions {
    /// 2 seconds for each exchange, and 1 retry over UDP.
    fn default() -> Self {
        let ask = Options { timeout: Duration::from_secs(2), retries: 1, ..Options::default() };
        Self { ask }
    }
}

/// What came out.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Check {
    /// The host.
    pub target: Target,
    /// One for each of [`Probe::ALL`], in that order.
    pub findings: Vec<Finding>,
}

impl Check {
    /// How many probes ended so.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == verdict).count()
    }

    /// True if nothing failed and the server answered at all.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let answered = |it: &Finding| it.probe.is_reach() && it.verdict == Verdict::Pass;
        self.count(Verdict::Fail) == 0 && self.findings.iter().any(answered)
    }
}

/// Checks a server: every probe of [`Probe::ALL`], each once.
///
/// `progress` gets, after each exchange, the number of exchanges done and of all.
///
/// # Errors
/// [`AskError`]: the name has no address. A server that does not answer is no error: see [`Check`].
///
/// ```
/// use daytime::check::{CheckOptions, Probe, Verdict, check};
/// use daytime::{Config, Server, Transport};
///
/// let config = Config::default().address("127.0.0.1:0".parse()?);
/// let server = Server::bind(config.transports(vec![Transport::Tcp]))?.spawn()?;
/// let target = server.bound()[0].address.into();
///
/// let check = check(&target, &CheckOptions::default(), &mut |done, of| assert!(done <= of))?;
/// let of = |probe| check.findings.iter().find(|finding| finding.probe == probe).unwrap();
/// assert_eq!(of(Probe::TcpCloses).verdict, Verdict::Pass);
/// assert_eq!(of(Probe::UdpEmpty).verdict, Verdict::NotTried);
/// assert!(check.count(Verdict::NotTried) > 0 && !check.is_good()); // no reply over UDP
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check(
    target: &Target,
    options: &CheckOptions,
    progress: &mut dyn FnMut(u32, u32),
) -> Result<Check, AskError> {
    let options = &options.ask;
    let addresses = target.resolve(options, options.deadline()?)?;
    let session = Session { client: Client::new()?, addresses, options, progress, done: 0 };
    let findings = judge::all(&session.observe());
    Ok(Check { target: target.clone(), findings })
}
