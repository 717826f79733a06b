//! The target of a query: a host name or address, and an optional port. Resolves the host to its
//! addresses.

use super::polite::canonical_ip;
use super::{AskError, Options};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Instant;

/// The host to query: `HOST`, `HOST:PORT`, `ADDRESS` or `[IPV6]:PORT`.
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

/// The reason why a string is not a valid [`Target`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// The text has no host.
    #[error("the host is missing; use HOST or HOST:PORT")]
    NoHost,
    /// The host contains a space, a slash or a control character.
    #[error("a host contains no space, slash or control character")]
    OddCharacter,
    /// The host is a number, which the resolver would read as an IPv4 address (inet_aton(3)): 9999
    /// as 0.0.39.15.
    #[error("a number is not a host; write a port after its host: HOST:PORT")]
    Number,
    /// The text after the colon is not a valid port.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// A bracket is not closed, or the text in brackets is not an IPv6 address.
    #[error("brackets are for IPv6 addresses only: [::1] or [::1]:13")]
    Brackets,
}

impl Target {
    /// Returns the name or address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port, if the text has one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Resolves the host to its addresses with the system's resolver (getaddrinfo(3)). Each address
    /// appears once, even if the resolver returns both an IPv4 address and the IPv6 address that
    /// embeds it.
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

    /// Resolves the name in another thread, because getaddrinfo(3) has no timeout. At the deadline
    /// the caller stops waiting for the thread.
    fn look_up(&self, port: u16, deadline: Instant) -> Result<Vec<SocketAddr>, AskError> {
        let (sender, receiver) = mpsc::channel();
        let host = self.host.clone();
        let resolving = thread::Builder::new().name("resolver".into()).spawn(move || {
            let resolved = (host.as_str(), port).to_socket_addrs();
            // Sending fails if the caller stopped waiting at the deadline. In that case the result
            // is no longer needed.
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
            // A link-local address is valid only together with an interface, so the host includes
            // the interface.
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

/// Whether both are the same address, even if one of them is an IPv6 address that embeds the
/// other's IPv4 address. Link-local addresses must also be on the same link.
fn is_same_address(one: SocketAddr, other: SocketAddr) -> bool {
    one == other
        || one.ip().is_ipv4() != other.ip().is_ipv4()
            && canonical_ip(one.ip()) == canonical_ip(other.ip())
}

/// Whether the host is a number that the resolver would read as an IPv4 address (inet_aton(3)),
/// such as `9999` or `127.1`. Every part between the dots is a number. Returns false for the usual
/// form of four decimal numbers, which is a valid address.
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
        // A host with several colons is an IPv6 address without brackets, which cannot be followed
        // by a port.
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
    fn hosts_with_ports_and_ipv6_addresses_with_brackets_are_read() {
        assert_eq!(parts("localhost"), Ok(("localhost".into(), None)));
        assert_eq!(parts("localhost:9999"), Ok(("localhost".into(), Some(9999))));
        assert_eq!(parts("127.0.0.1:13"), Ok(("127.0.0.1".into(), Some(13))));
        assert_eq!(parts("::1"), Ok(("::1".into(), None)));
        assert_eq!(parts("[::1]"), Ok(("::1".into(), None)));
        assert_eq!(parts("[fe80::1%lo]:13"), Ok(("fe80::1%lo".into(), Some(13))));
    }

    #[test]
    fn an_invalid_target_is_refused_with_the_reason() {
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
    fn a_printed_target_is_parsed_back() {
        for text in ["localhost", "localhost:13", "[::1]:13", "::1"] {
            assert_eq!(text.parse::<Target>().expect("target").to_string(), text);
        }
    }

    #[test]
    fn the_ipv6_form_of_an_ipv4_address_is_the_same_address() {
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
    fn an_address_resolves_to_itself_if_its_family_is_allowed() {
        let target: Target = "127.0.0.1".parse().expect("target");
        let deadline = Instant::now() + Duration::from_secs(5);
        let resolved = target.resolve(&Options::default(), deadline).expect("an address");
        assert_eq!(resolved, ["127.0.0.1:13".parse().expect("address")]);
        let v6 = Options { family: Family::V6, ..Options::default() };
        assert!(matches!(target.resolve(&v6, deadline), Err(AskError::NoAddress { .. })));
    }

    proptest::proptest! {
        #[test]
        fn every_accepted_target_is_printed_so_that_it_parses_back(text in ".{0,20}") {
            if let Ok(target) = text.parse::<Target>() {
                proptest::prop_assert_eq!(target.to_string().parse(), Ok(target));
            }
        }
    }
}
