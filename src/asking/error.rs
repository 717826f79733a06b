//! Reasons why a query gets no complete answer. Each message names the failure and the address.

use super::{Answer, Attempt, AttemptFailure, Family, Seconds};
use crate::syntax::Frame;
use crate::transport::Transport;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::time::Duration;

/// The reason why there is no complete answer.
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
    /// The name does not exist, or it has no address.
    #[error("cannot resolve {host}")]
    UnknownHost {
        /// The name that was looked up.
        host: String,
        /// The resolver's error.
        #[source]
        cause: io::Error,
    },
    /// The resolver failed for another reason, or did not answer in time.
    #[error("cannot resolve {host}")]
    Unresolved {
        /// The name that was looked up.
        host: String,
        /// The resolver's error.
        #[source]
        cause: io::Error,
    },
    /// The host has addresses, but none of them is of the requested family.
    #[error("{host} has no {family} address")]
    NoAddress {
        /// The name or address of the host.
        host: String,
        /// The requested address family.
        family: Family,
    },
    /// The client queried a public address less than 4 seconds ago, and [`Options::pace`](crate::Options::pace) is
    /// `Pace::Refuse`.
    #[error(
        "public address {address} was asked less than 4 s ago; ask again in {}",
        Seconds(*retry_after)
    )]
    TooSoon {
        /// The public address.
        address: IpAddr,
        /// The time until the client may query the address again.
        retry_after: Duration,
    },
    /// The list of addresses passed to [`Client::ask_addresses`](crate::Client::ask_addresses) is
    /// empty.
    #[error("no address to ask")]
    NothingToAsk,
    /// [`Options::timeout`](crate::Options::timeout) is zero.
    #[error("the timeout is 0 s; use a longer one")]
    NoTime,
    /// No address answered.
    #[error("{}", Attempts(attempts))]
    NoAnswer {
        /// The transport over which the client sent its query.
        transport: Transport,
        /// The timeout of the query. If every address failed sooner, the client did not wait that
        /// long.
        timeout: Duration,
        /// Each address, with the reason why it did not answer.
        attempts: Vec<Attempt>,
    },
    /// TCP: the connection was established, but the stream stopped before the server closed it.
    #[error("{}", incomplete(partial))]
    Incomplete {
        /// The part of the answer that was received before the stream stopped, with its timing. This part may be empty.
        /// It may also have the whole line: then [`Answer::truncated`] is false, and [`Answer::offset`] may be used.
        partial: Box<Answer>,
        /// The reason why the stream stopped.
        #[source]
        cause: Interruption,
    },
    /// The client could not open the descriptors it needs.
    #[error("cannot set up the client")]
    Setup(#[source] io::Error),
}

/// The reason why a stream stopped before the server closed it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Interruption {
    /// The server had not closed the connection at the deadline.
    #[error("no end of the stream within {}", Seconds(*timeout))]
    Timeout {
        /// The timeout, from [`Options::timeout`](crate::Options::timeout).
        timeout: Duration,
    },
    /// The stream was longer than the limit.
    #[error("more than the limit of {limit} octets")]
    Limit {
        /// The limit in octets, from [`Options::limit`](crate::Options::limit).
        limit: usize,
    },
    /// The connection failed.
    #[error(transparent)]
    Broken {
        /// The system call's error.
        cause: io::Error,
    },
}

impl AskError {
    /// Whether the query timed out. With a longer timeout, the server may answer.
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

    /// Whether every address refused the query. A refusal means that the host is up but no service listens.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        let refused = |attempt: &Attempt| matches!(attempt.failure, AttemptFailure::Refused);
        match self {
            Self::NoAnswer { attempts, .. } => !attempts.is_empty() && attempts.iter().all(refused),
            _ => false,
        }
    }

    /// Returns the error for a stream that stopped because of `cause`.
    pub(crate) fn incomplete(mut partial: Answer, cause: Interruption) -> Self {
        let frame = Frame::of(&partial.octets);
        let is_limit = matches!(cause, Interruption::Limit { .. });
        partial.truncated = is_limit || !frame.ended || frame.line.is_empty();
        Self::Incomplete { partial: Box::new(partial), cause }
    }

    /// Returns the error for a name that the resolver could not resolve. `std` hides the error number, so this function
    /// compares the error message with those of glibc, musl and the BSDs. The C library translates these messages only
    /// in a program that calls setlocale(3).
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

/// Describes an answer whose stream stopped before the server closed it.
fn incomplete(Answer { peer, octets: received, .. }: &Answer) -> String {
    match received.len() {
        0 => format!("{peer} accepted the connection but sent no reply"),
        count => format!("the reply of {peer} is incomplete: {} received", octets(count)),
    }
}

/// Formats the list of attempts: `connection refused by A; no reply from B …`.
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

/// Formats a number of octets: `1 octet`, `24 octets`.
pub(crate) fn octets(count: usize) -> String {
    format!("{count} octet{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mentions::{each_mentions, mentions};

    fn no_answer(transport: Transport, failures: Vec<(&str, AttemptFailure)>) -> AskError {
        let attempt = |(peer, failure): (&str, _)| {
            Attempt::new(transport, peer.parse().expect("address"), failure)
        };
        let attempts = failures.into_iter().map(attempt).collect();
        AskError::NoAnswer { transport, timeout: Duration::from_secs(5), attempts }
    }

    #[test]
    fn the_error_names_each_address_and_its_failure() {
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
        each_mentions(
            error.to_string().split("; "),
            &[
                &["[::1]:13", "refused"],
                &["127.0.0.1:13", "network unreachable"],
                &["127.0.0.2:13", "no connection", "1 s"],
                &["127.0.0.3:13", "no time"],
            ],
        );
    }

    #[test]
    fn a_missing_reply_over_udp_names_datagrams_and_time() {
        let waited = Duration::from_millis(5001);
        let silent = AttemptFailure::Silent { questions: 3, waited };
        let error = no_answer(Transport::Udp, vec![("127.0.0.1:13", silent)]);
        mentions(&error, &["no reply", "127.0.0.1:13", "3 datagrams", "5 s"]);
    }

    #[test]
    fn an_error_is_a_timeout_only_if_an_address_might_still_answer() {
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
    fn an_unknown_name_and_a_failing_resolver_are_different_errors() {
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
            mentions(&error, &["resolve", "nosuch.example"]);
        }
        let temporary = of("Temporary failure in name resolution");
        assert!(matches!(temporary, AskError::Unresolved { .. }), "{temporary:?}");
    }
}
