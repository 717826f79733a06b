//! Where to listen, as the command line has it.

use nix::net::if_::if_nametoindex;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::str::FromStr;

/// An address with or without a port. An IPv6 address may name its link: `fe80::1%eth0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct ListenOn {
    /// With port 0 if none was given.
    address: SocketAddr,
    port: Option<u16>,
}

impl ListenOn {
    pub(in crate::cli) fn with_port(self, port: u16) -> SocketAddr {
        let mut address = self.address;
        address.set_port(self.port.unwrap_or(port));
        address
    }
}

impl FromStr for ListenOn {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "not an IP address, or not a port behind it: \
                             use 127.0.0.1, 0.0.0.0:9999, ::1 or [::]:9999";
        let (host, port) = match text.strip_prefix('[') {
            Some(bracketed) => match bracketed.split_once(']').ok_or(WRONG)? {
                (host, "") => (host, None),
                (host, rest) => (host, Some(rest.strip_prefix(':').ok_or(WRONG)?)),
            },
            None if text.matches(':').count() == 1 => {
                text.split_once(':').map(|(host, port)| (host, Some(port))).ok_or(WRONG)?
            }
            None => (text, None),
        };
        let plain = |port: &str| port.bytes().all(|octet| octet.is_ascii_digit());
        if !port.is_none_or(plain) {
            return Err(WRONG);
        }
        let port = port.map(str::parse).transpose().map_err(|_| WRONG)?;
        let (host, link) = match host.split_once('%') {
            Some((host, link)) => (host, link_number(link)?),
            None => (host, 0),
        };
        let address = match host.parse().map_err(|_| WRONG)? {
            IpAddr::V4(_) if text.starts_with('[') || link != 0 => return Err(WRONG),
            address if address.is_multicast() || address == Ipv4Addr::BROADCAST => {
                return Err("a group of hosts has this address: listen on one of this host's own");
            }
            IpAddr::V4(v4) => SocketAddr::new(v4.into(), 0),
            IpAddr::V6(v6) => SocketAddrV6::new(v6, 0, 0, link).into(),
        };
        Ok(Self { address, port })
    }
}

/// An address with a port, or the port alone: then on loopback.
pub(super) fn metrics_address(text: &str) -> Result<SocketAddr, &'static str> {
    const WRONG: &str =
        "not a port, or an IP address with one: use 9867, 127.0.0.1:9867 or [::1]:9867";
    if text.bytes().all(|octet| octet.is_ascii_digit()) {
        let port = text.parse().map_err(|_| WRONG)?;
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    let on: ListenOn = text.parse().map_err(|_| WRONG)?;
    on.port.map(|port| on.with_port(port)).ok_or(WRONG)
}

/// The number of an interface given by name or number.
fn link_number(link: &str) -> Result<u32, &'static str> {
    let number = link.parse().ok().or_else(|| if_nametoindex(link).ok());
    number.filter(|number| *number != 0).ok_or("behind the % stands no interface of this host")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_to_listen_on_may_have_a_port() {
        let read = |text: &str| text.parse::<ListenOn>().map(|it| it.with_port(13).to_string());
        assert_eq!(read("127.0.0.1"), Ok("127.0.0.1:13".into()));
        assert_eq!(read("127.0.0.1:9999"), Ok("127.0.0.1:9999".into()));
        assert_eq!(read("::1"), Ok("[::1]:13".into()));
        assert_eq!(read("[::1]"), Ok("[::1]:13".into()));
        assert_eq!(read("[::]:0"), Ok("[::]:0".into()));
        assert_eq!(read("[fe80::1%7]:9999"), Ok("[fe80::1%7]:9999".into()));
        assert_eq!(read("fe80::1%7"), Ok("[fe80::1%7]:13".into()));
        for wrong in [
            "localhost",
            "127.0.0.1:",
            "[::1",
            "[127.0.0.1]:13",
            "",
            "127.0.0.1:99999",
            "[::1]13",
            "127.0.0.1%1",
            "fe80::1%no-such-link",
            "fe80::1%0",
            "224.0.0.1",
            "[ff02::1]:13",
            "255.255.255.255",
            "127.0.0.1:+0",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn metrics_are_on_loopback_unless_an_address_is_given_and_have_a_port() {
        let read = |text: &str| metrics_address(text).map(|it| it.to_string());
        assert_eq!(read("9867"), Ok("127.0.0.1:9867".into()));
        assert_eq!(read("0"), Ok("127.0.0.1:0".into()));
        assert_eq!(read("192.0.2.1:9867"), Ok("192.0.2.1:9867".into()));
        assert_eq!(read("[::]:9867"), Ok("[::]:9867".into()));
        for wrong in ["", "65536", "127.0.0.1", "::1", "[::1]", "localhost:9867", ":9867", "+1"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
