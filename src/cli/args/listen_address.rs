//! Command-line arguments that are addresses to listen on.

use nix::net::if_::if_nametoindex;
use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// An IP address with an optional port. An IPv6 address may name its interface: `fe80::1%eth0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct ListenAddress {
    /// The address, with port 0 if the argument has no port.
    address: SocketAddr,
    port: Option<u16>,
}

impl ListenAddress {
    pub(in crate::cli) fn with_port(self, port: u16) -> SocketAddr {
        let mut address = self.address;
        address.set_port(self.port.unwrap_or(port));
        address
    }
}

impl FromStr for ListenAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "not an IP address with an optional port: \
                             try 127.0.0.1, 0.0.0.0:9999, ::1 or [::]:9999";
        let text = with_link_number(text)?;
        let with_port = text.parse().map(|address: SocketAddr| (address, Some(address.port())));
        let (address, port) = with_port.or_else(|_| {
            let host = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
            let v6 = format!("[{}]:0", host.unwrap_or(&text)).parse();
            v6.or_else(|_| format!("{text}:0").parse())
                .map(|address| (address, None))
                .or(Err(EXPECTED))
        })?;
        match address.ip() {
            ip if ip.is_multicast() || ip == Ipv4Addr::BROADCAST => {
                Err("a multicast or broadcast address: use an address of this host")
            }
            _ => Ok(Self { address, port }),
        }
    }
}

/// Parses an address with a port, or a port alone, which means that port on 127.0.0.1.
pub(super) fn metrics_address(text: &str) -> Result<SocketAddr, &'static str> {
    const EXPECTED: &str =
        "not a port, nor an IP address with a port: try 9867, 127.0.0.1:9867 or [::1]:9867";
    if text.bytes().all(|octet| octet.is_ascii_digit()) {
        let port = text.parse().map_err(|_| EXPECTED)?;
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    let on: ListenAddress = text.parse().map_err(|_| EXPECTED)?;
    on.port.map(|port| on.with_port(port)).ok_or(EXPECTED)
}

/// Replaces an interface name after `%` with the interface's index, because `SocketAddr` parses only numbers.
fn with_link_number(text: &str) -> Result<Cow<'_, str>, &'static str> {
    let Some((host, rest)) = text.split_once('%') else { return Ok(text.into()) };
    let (link, rest) = rest.split_at(rest.find(']').unwrap_or(rest.len()));
    let number = link.parse().ok().or_else(|| if_nametoindex(link).ok());
    let number: Option<u32> = number.filter(|number| *number != 0);
    let number = number.ok_or("this host has no interface with the name after %")?;
    Ok(format!("{host}%{number}{rest}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_to_listen_on_may_have_a_port() {
        let read =
            |text: &str| text.parse::<ListenAddress>().map(|it| it.with_port(13).to_string());
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
    fn the_address_of_the_metrics_has_a_port_and_is_on_loopback_by_default() {
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
