//! Whom to ask: a host by name or address, with or without a port, and the addresses it has.

use super::polite::canonical_ip;
use super::{AskError, Options};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Instant;

/// A host to ask: `HOST`, `HOST:PORT`, `ADDRESS` or `[IPV6]:PORT`.
///
/// ```
/// use daytime::client::{Target, TargetError};
/// let target: Target = "[::1]:9999".parse()?;
/// assert_eq!((target.host(), target.port()), ("::1", Some(9999)));
/// assert_eq!("::1".parse::<Target>()?.port(), None);
/// assert!("localhost:daytime".parse::<Target>().is_err());
/// # Ok::<(), TargetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    host: String,
    port: Option<u16>,
}

/// Why a text is no [`Target`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Nothing stands where the host should.
    #[error("there is no host in it")]
    NoHost,
    /// A space, a slash or a control character stands in the host.
    #[error("a host has no space, slash or control character")]
    OddCharacter,
    /// A number, which the resolver would take for an IPv4 address (inet_aton(3)): 9999 for 0.0.39.15.
    #[error("a number is no host; a port goes behind one: HOST:PORT")]
    Number,
    /// What follows the colon is no port.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// A bracket is open, or holds no IPv6 address.
    #[error("brackets go around an IPv6 address: [::1] or [::1]:13")]
    Brackets,
}

impl Target {
    /// The name or address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, if one was given.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The addresses of the host, as the system resolves it (getaddrinfo(3)), each once, though it be
    /// there as an IPv4 address and as an IPv6 one that stands for it.
    pub(crate) fn resolve(
        &self,
        options: &Options,
        deadline: Instant,
    ) -> Result<Vec<SocketAddr>, AskError> {
        let port = self.port.unwrap_or(options.port);
        let resolved = match self.host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => self.look_up(port, deadline)?,
        };
        let mut addresses: Vec<SocketAddr> = Vec::with_capacity(resolved.len());
        for address in resolved {
            let known = addresses.iter().any(|known| is_same_address(*known, address));
            if options.family.admits(address) && !known {
                addresses.push(address);
            }
        }
        if addresses.is_empty() {
            return Err(AskError::NoAddress { host: self.host.clone(), family: options.family });
        }
        Ok(addresses)
    }

    /// getaddrinfo(3) takes no deadline, so it runs aside and is left behind when it takes too long.
    fn look_up(&self, port: u16, deadline: Instant) -> Result<Vec<SocketAddr>, AskError> {
        let (sender, receiver) = mpsc::channel();
        let host = self.host.clone();
        let resolving = thread::Builder::new().name("resolver".into()).spawn(move || {
            let resolved = (host.as_str(), port).to_socket_addrs();
            // The receiver is gone once the deadline is over.
            let _ = sender.send(resolved.map(Vec::from_iter));
        });
        let resolved = resolving.and_then(|_| {
            let left = deadline.saturating_duration_since(Instant::now());
            receiver.recv_timeout(left).unwrap_or_else(|error| match error {
                RecvTimeoutError::Timeout => Err(io::ErrorKind::TimedOut.into()),
                RecvTimeoutError::Disconnected => Err(io::ErrorKind::Other.into()),
            })
        });
        resolved.map_err(|cause| AskError::unresolved(&self.host, cause))
    }
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        let host = match address {
            // A link-local address means nothing without its link.
            SocketAddr::V6(v6) if v6.scope_id() != 0 => format!("{}%{}", v6.ip(), v6.scope_id()),
            _ => address.ip().to_string(),
        };
        Self { host, port: Some(address.port()) }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) if self.host.contains(':') => write!(f, "[{}]:{port}", self.host),
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let odd = |it: char| it.is_whitespace() || it.is_control() || it == '/';
        if text.contains(odd) {
            return Err(TargetError::OddCharacter);
        }
        let (host, port) = split(text)?;
        if host.is_empty() {
            return Err(TargetError::NoHost);
        }
        if is_number(host) {
            return Err(TargetError::Number);
        }
        let port = port.map(|port| {
            let plain = port.bytes().all(|octet| octet.is_ascii_digit());
            let number = port.parse().ok().filter(|number| plain && *number != 0);
            number.ok_or(TargetError::Port)
        });
        Ok(Self { host: host.to_owned(), port: port.transpose()? })
    }
}

/// True if both are one address; link-local ones only on the same link.
fn is_same_address(one: SocketAddr, other: SocketAddr) -> bool {
    one == other
        || one.ip().is_ipv4() != other.ip().is_ipv4()
            && canonical_ip(one.ip()) == canonical_ip(other.ip())
}

/// True for what only inet_aton(3) takes for an address: parts that are all numbers, but not an address
/// in four decimal parts.
fn is_number(host: &str) -> bool {
    let decimal = |part: &str| !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_digit());
    let hexadecimal = |part: &str| {
        let digits = part.strip_prefix("0x").or(part.strip_prefix("0X")).unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_hexdigit())
    };
    let numbers = host.split('.').all(|part| decimal(part) || hexadecimal(part));
    numbers && host.parse::<IpAddr>().is_err()
}

fn split(text: &str) -> Result<(&str, Option<&str>), TargetError> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']').ok_or(TargetError::Brackets)?;
        return match (host.contains(':'), rest.strip_prefix(':')) {
            (true, Some(port)) => Ok((host, Some(port))),
            (true, None) if rest.is_empty() => Ok((host, None)),
            _ => Err(TargetError::Brackets),
        };
    }
    match text.split_once(':') {
        // More than one colon: an IPv6 address without brackets, so without a port.
        Some((_, rest)) if rest.contains(':') => Ok((text, None)),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((text, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Family;
    use std::time::Duration;

    fn parts(text: &str) -> Result<(String, Option<u16>), TargetError> {
        text.parse::<Target>().map(|target| (target.host, target.port))
    }

    #[test]
    fn a_host_may_have_a_port_and_an_ipv6_address_brackets() {
        assert_eq!(parts("localhost"), Ok(("localhost".into(), None)));
        assert_eq!(parts("localhost:9999"), Ok(("localhost".into(), Some(9999))));
        assert_eq!(parts("127.0.0.1:13"), Ok(("127.0.0.1".into(), Some(13))));
        assert_eq!(parts("::1"), Ok(("::1".into(), None)));
        assert_eq!(parts("[::1]"), Ok(("::1".into(), None)));
        assert_eq!(parts("[fe80::1%lo]:13"), Ok(("fe80::1%lo".into(), Some(13))));
    }

    #[test]
    fn what_is_no_target_is_refused_with_the_reason() {
        assert_eq!(parts(""), Err(TargetError::NoHost));
        assert_eq!(parts(":13"), Err(TargetError::NoHost));
        assert_eq!(parts("host:"), Err(TargetError::Port));
        assert_eq!(parts("host:0"), Err(TargetError::Port));
        assert_eq!(parts("host:+13"), Err(TargetError::Port));
        assert_eq!(parts("host:65536"), Err(TargetError::Port));
        assert_eq!(parts("[::1"), Err(TargetError::Brackets));
        assert_eq!(parts("[::1]13"), Err(TargetError::Brackets));
        assert_eq!(parts("[localhost]:13"), Err(TargetError::Brackets));
        assert_eq!(parts("two words"), Err(TargetError::OddCharacter));
        assert_eq!(parts("bell\u{7}"), Err(TargetError::OddCharacter));
        assert_eq!(parts("http://localhost:9999"), Err(TargetError::OddCharacter));
        for number in ["9999", "127.1", "0x7f000001", "1.2.3.4.5", "9999:13", "256.0.0.1"] {
            assert_eq!(parts(number), Err(TargetError::Number), "{number}");
        }
        for name in ["3com", "10.example", "rack.7", "0x", "fe80::1%eth0.100"] {
            assert!(parts(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_target_reads_back_as_it_is_shown() {
        for text in ["localhost", "localhost:13", "[::1]:13", "::1"] {
            assert_eq!(text.parse::<Target>().expect("target").to_string(), text);
        }
    }

    #[test]
    fn an_ipv6_address_that_stands_for_an_ipv4_one_is_the_same_and_another_link_is_another() {
        let same = |one: &str, other: &str| {
            is_same_address(one.parse().expect("address"), other.parse().expect("address"))
        };
        assert!(same("192.0.2.1:13", "192.0.2.1:13"));
        assert!(same("192.0.2.1:13", "[::ffff:192.0.2.1]:13"));
        assert!(same("[::ffff:192.0.2.1]:13", "192.0.2.1:13"));
        assert!(same("[64:ff9b::c000:201]:13", "192.0.2.1:13"));
        assert!(!same("192.0.2.1:13", "[::ffff:192.0.2.2]:13"));
        assert!(!same("[fe80::1%1]:13", "[fe80::1%2]:13"));
    }

    #[test]
    fn an_address_is_its_own_resolution_and_the_family_must_fit() {
        let target: Target = "127.0.0.1".parse().expect("target");
        let deadline = Instant::now() + Duration::from_secs(5);
        let resolved = target.resolve(&Options::default(), deadline).expect("an address");
        assert_eq!(resolved, ["127.0.0.1:13".parse().expect("address")]);
        let v6 = Options { family: Family::V6, ..Options::default() };
        assert!(matches!(target.resolve(&v6, deadline), Err(AskError::NoAddress { .. })));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_what_is_accepted_is_shown_so_that_it_reads_back(text in ".{0,20}") {
            if let Ok(target) = text.parse::<Target>() {
                proptest::prop_assert_eq!(target.to_string().parse(), Ok(target));
            }
        }
    }
}
