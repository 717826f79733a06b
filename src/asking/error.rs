//! Why there is no answer, in words that say what failed and on which address.

use super::{Answer, Attempt, AttemptFailure, Family, Seconds};
use crate::syntax::Frame;
use crate::transport::Transport;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::time::Duration;

/// Why there is no answer.
///
/// ```
/// use daytime::client::AttemptFailure;
/// use daytime::{AskError, Options, Transport, ask};
/// use std::net::UdpSocket;
/// use std::time::Duration;
///
/// let silent = UdpSocket::bind("127.0.0.1:0")?;
/// let options = Options::default().timeout(Duration::from_millis(100)).retries(1);
/// let error = ask(&silent.local_addr()?.into(), Transport::Udp, &options).unwrap_err();
/// assert!(error.is_timeout() && !error.is_refused());
/// let AskError::NoAnswer { attempts, .. } = error else { panic!("{error}") };
/// assert_eq!(attempts[0].peer, silent.local_addr()?);
/// assert!(matches!(attempts[0].failure, AttemptFailure::Silent { questions: 2, .. }));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The name does not exist, or has no address.
    #[error("cannot resolve {host}")]
    UnknownHost {
        /// The name.
        host: String,
        /// The resolver's error.
        #[source]
        cause: io::Error,
    },
    /// The resolver has no address for the name for another reason, or not in time.
    #[error("cannot resolve {host}")]
    Unresolved {
        /// The name.
        host: String,
        /// The resolver's error.
        #[source]
        cause: io::Error,
    },
    /// The host has addresses, but none of the family asked for.
    #[error("{host} has no {} address", if *family == Family::V4 { "IPv4" } else { "IPv6" })]
    NoAddress {
        /// The name or address.
        host: String,
        /// The family.
        family: Family,
    },
    /// A public address was asked within 4 seconds, and [`Options::pace`](crate::Options::pace) is `Pace::Refuse`.
    #[error("{address} is public and was asked within 4 s: ask again in {}", Seconds(*retry_after))]
    TooSoon {
        /// The address.
        address: IpAddr,
        /// How long it has to be left alone.
        retry_after: Duration,
    },
    /// [`Client::ask_addresses`](crate::Client::ask_addresses) was given no address.
    #[error("there is no address to ask")]
    NothingToAsk,
    /// [`Options::timeout`](crate::Options::timeout) is zero.
    #[error("the timeout is 0 s, which leaves no time to ask")]
    NoTime,
    /// No address answered.
    #[error("{}", Attempts(attempts))]
    NoAnswer {
        /// The transport.
        transport: Transport,
        /// How long the client tried, in all.
        timeout: Duration,
        /// Each address and how it ended.
        attempts: Vec<Attempt>,
    },
    /// TCP: connected, but the stream stopped short of its end.
    #[error("the answer of {} is incomplete: {} came", partial.peer, octets(partial.octets.len()))]
    Incomplete {
        /// What had come until then, perhaps nothing, with its timing.
        partial: Box<Answer>,
        /// What stopped it.
        #[source]
        cause: Interruption,
    },
    /// The client could not set up its own waiting.
    #[error("cannot set up the client")]
    Setup(#[source] io::Error),
}

/// What stops a stream short of its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Interruption {
    /// The server had not ended the stream by the deadline.
    #[error("no end of the stream within {}", Seconds(*timeout))]
    Timeout {
        /// [`Options::timeout`](crate::Options::timeout).
        timeout: Duration,
    },
    /// The stream went on beyond the limit.
    #[error("more than the limit of {limit} octets")]
    Limit {
        /// [`Options::limit`](crate::Options::limit).
        limit: usize,
    },
    /// The connection broke.
    #[error(transparent)]
    Broken {
        /// The system's error.
        cause: io::Error,
    },
}

impl AskError {
    /// Whether the time was over. To ask again, with more time, may succeed.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::NoTime => true,
            Self::Unresolved { cause, .. } => cause.kind() == ErrorKind::TimedOut,
            Self::NoAnswer { attempts, .. } => attempts.iter().any(Attempt::is_open),
            Self::Incomplete { cause, .. } => matches!(cause, Interruption::Timeout { .. }),
            _ => false,
        }
    }

    /// Whether every address said that no service listens there: the host is up.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        let refused = |attempt: &Attempt| matches!(attempt.failure, AttemptFailure::Refused);
        match self {
            Self::NoAnswer { attempts, .. } => !attempts.is_empty() && attempts.iter().all(refused),
            _ => false,
        }
    }

    /// A stream that this has stopped.
    pub(crate) fn incomplete(mut partial: Answer, cause: Interruption) -> Self {
        let frame = Frame::of(&partial.octets);
        let is_limit = matches!(cause, Interruption::Limit { .. });
        partial.truncated = is_limit || !frame.ended || frame.line.is_empty();
        Self::Incomplete { partial: Box::new(partial), cause }
    }

    /// An error of the resolver. `std` hides its number, so its words decide: those of glibc, musl, and
    /// the BSDs, which translate them only for programs that call setlocale(3).
    pub(crate) fn unresolved(host: &str, cause: io::Error) -> Self {
        const UNKNOWN: [&str; 5] = [
            "Name or service not known",
            "No address associated with hostname",
            "Name does not resolve",
            "Name has no usable address",
            "nodename nor servname provided, or not known",
        ];
        let (host, words) = (host.to_owned(), cause.to_string());
        if UNKNOWN.iter().any(|unknown| words.ends_with(unknown)) {
            Self::UnknownHost { host, cause }
        } else {
            Self::Unresolved { host, cause }
        }
    }
}

/// `connection refused by A; no answer from B …`.
struct Attempts<'a>(&'a [Attempt]);

impl fmt::Display for Attempts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, attempt) in self.0.iter().enumerate() {
            let mark = if number > 0 { "; " } else { "" };
            write!(f, "{mark}{attempt}")?;
        }
        Ok(())
    }
}

/// `1 octet`, `24 octets`.
pub(crate) fn octets(count: usize) -> String {
    format!("{count} octet{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_answer(transport: Transport, failures: Vec<(&str, AttemptFailure)>) -> AskError {
        let attempt = |(peer, failure): (&str, _)| {
            Attempt::new(transport, peer.parse().expect("address"), failure)
        };
        let attempts = failures.into_iter().map(attempt).collect();
        AskError::NoAnswer { transport, timeout: Duration::from_secs(5), attempts }
    }

    #[test]
    fn each_address_is_named_with_how_it_failed() {
        let silent = AttemptFailure::Silent { questions: 0, waited: Duration::from_secs(1) };
        let error = no_answer(
            Transport::Tcp,
            vec![
                ("[::1]:13", AttemptFailure::Refused),
                (
                    "127.0.0.1:13",
                    AttemptFailure::Failed { cause: ErrorKind::NetworkUnreachable.into() },
                ),
                ("127.0.0.2:13", silent),
                ("127.0.0.3:13", AttemptFailure::Untried),
            ],
        );
        assert_eq!(
            error.to_string(),
            "connection refused by [::1]:13; cannot ask 127.0.0.1:13: network unreachable; \
             no connection to 127.0.0.2:13 within 1 s; no time was left for 127.0.0.3:13"
        );
    }

    #[test]
    fn silence_over_udp_is_told_as_silence() {
        let waited = Duration::from_millis(5001);
        let silent = AttemptFailure::Silent { questions: 3, waited };
        let error = no_answer(Transport::Udp, vec![("127.0.0.1:13", silent)]);
        assert_eq!(error.to_string(), "silence from 127.0.0.1:13 after 3 datagrams in 5 s");
    }

    #[test]
    fn a_refusal_is_no_timeout_and_one_address_that_may_still_answer_is() {
        let silent = || AttemptFailure::Silent { questions: 0, waited: Duration::from_secs(5) };
        let of = |failures: Vec<AttemptFailure>| {
            let failures = failures.into_iter().map(|failure| ("127.0.0.1:13", failure)).collect();
            let error = no_answer(Transport::Tcp, failures);
            (error.is_refused(), error.is_timeout())
        };
        assert_eq!(of(vec![AttemptFailure::Refused, AttemptFailure::Refused]), (true, false));
        assert_eq!(of(vec![AttemptFailure::Refused, silent()]), (false, true));
        assert_eq!(of(vec![AttemptFailure::Untried]), (false, true));
        let failed = AttemptFailure::Failed { cause: ErrorKind::NetworkUnreachable.into() };
        assert_eq!(of(vec![failed, AttemptFailure::Refused]), (false, false));
        let late = AskError::unresolved("slow.example", ErrorKind::TimedOut.into());
        assert!(late.is_timeout() && !late.is_refused());
    }

    #[test]
    fn a_name_that_does_not_exist_is_told_from_a_resolver_that_does_not_answer() {
        let of = |words: &str| {
            let cause = io::Error::other(format!("failed to lookup address information: {words}"));
            AskError::unresolved("nosuch.example", cause)
        };
        for unknown in [
            "Name or service not known",
            "No address associated with hostname",
            "Name does not resolve",
            "nodename nor servname provided, or not known",
        ] {
            let error = of(unknown);
            assert!(matches!(error, AskError::UnknownHost { .. }), "{unknown}");
            assert_eq!(error.to_string(), "cannot resolve nosuch.example");
        }
        let temporary = of("Temporary failure in name resolution");
        assert!(matches!(temporary, AskError::Unresolved { .. }), "{temporary:?}");
    }
}
