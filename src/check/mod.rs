//! Checks whether a server follows RFC 867, and whether attackers can abuse it. Runs all exchanges first, and judges
//! the results afterwards.

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
    /// Options for a check.
    ///
    /// ```
    /// use daytime::check::CheckOptions;
    /// use daytime::client::{Options, Pace};
    /// let options = CheckOptions::default().ask(Options::default().pace(Pace::Off));
    /// assert_eq!(options.ask.pace, Pace::Off);
    /// ```
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct CheckOptions {
        /// Options for each query.
        ///
        /// Some probes expect no answer; they wait for one until [`Options::timeout`] has passed. Queries to a public
        /// address are 4 seconds apart, so a check of such an address takes about half a minute.
        /// [`Pace::Off`](crate::client::Pace::Off) removes these pauses. With
        /// [`Pace::Refuse`](crate::client::Pace::Refuse), most probes of a public address are not tried.
        pub ask: Options,
    }
}

impl Default for CheckOptions {
    /// Returns the default: a timeout of 2 seconds per exchange, and 1 retry over UDP.
    fn default() -> Self {
        let ask = Options { timeout: Duration::from_secs(2), retries: 1, ..Options::default() };
        Self { ask }
    }
}

/// The result of a check.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Check {
    /// The host that was checked.
    pub target: Target,
    /// One finding for each probe, in the order of [`Probe::ALL`].
    pub findings: Vec<Finding>,
}

impl Check {
    /// Returns the number of probes with this verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == verdict).count()
    }

    /// Whether the server passed: no probe failed, and the server answered over at least one transport.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let answered = |it: &Finding| it.probe.is_reach() && it.verdict == Verdict::Pass;
        self.count(Verdict::Fail) == 0 && self.findings.iter().any(answered)
    }
}

/// Checks a server with every probe in [`Probe::ALL`].
///
/// After each exchange, calls `progress` with the number of finished exchanges and the total number.
///
/// # Errors
/// [`AskError`]: the name has no address. A server that does not answer is not an error: the [`Check`] then has failed
/// probes.
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
    let (host, client) = (target.host(), Client::new()?);
    let session = Session { client, host, addresses, options, progress, done: 0 };
    let findings = judge::all(&session.observe());
    Ok(Check { target: target.clone(), findings })
}
