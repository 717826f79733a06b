//! Runs all of a check's exchanges, one after the other.

use super::datagram;
use super::judge::over;
use super::observed::{Conversation, Datagrams, Observed, Reply, Tried, UsualExchange, replied};
use super::stream::{self, Opening};
use crate::client::{Client, Family, Options, Pace, await_turn, is_public, note_asked};
use crate::transport::{IpVersion, Transport};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

/// Number of exchanges with a server that answers over both transports and both IP versions.
const STEPS: u32 = 11;

/// A check in progress.
pub(super) struct Session<'a> {
    pub client: Client,
    /// The host as the caller named it.
    pub host: &'a str,
    pub addresses: Vec<SocketAddr>,
    pub options: &'a Options,
    pub progress: &'a mut dyn FnMut(u32, u32),
    pub done: u32,
}

impl Session<'_> {
    /// Runs the exchanges, alternating between TCP and UDP. After each answer, xinetd discards the datagrams in its
    /// queue, so it would drop a query that is sent immediately after an answer.
    pub(super) fn observe(mut self) -> Observed {
        self.announce();
        let usual = self.ask_usual();
        let answers = |transport| match replied(&usual, transport).and_then(UsualExchange::reply) {
            Some((peer, _)) => Ok(peer),
            None => Err(format!("no answer over {}", over(transport))),
        };
        let (tcp, udp) = (answers(Transport::Tcp), answers(Transport::Udp));
        Observed {
            usual,
            line_end_first: self.step(|it| it.send_first(&tcp, Opening::Crlf)),
            one_octet: self.step(|it| it.datagram(&udp, &[0])),
            long_input_first: self.step(|it| it.send_first(&tcp, Opening::LongInput)),
            long: self.step(|it| it.datagram(&udp, &[0; 1400])),
            half_close: self.step(|it| it.send_first(&tcp, Opening::HalfClose)),
            privileged_port: self.step(|it| it.ask_from(&udp, datagram::ask_from_privileged_port)),
            service_port: self.step(|it| it.ask_from(&udp, datagram::ask_from_service_port)),
        }
    }

    /// Logs that checking a public address takes half a minute. Without this line, users might take the pauses for a
    /// fault.
    fn announce(&self) {
        if let Some(address) = self.addresses.iter().find(|it| self.must_be_polite(**it)) {
            let ip = address.ip();
            log::info!("{ip} is a public address: questions are 4 s apart; the check takes 30 s");
        }
    }

    fn must_be_polite(&self, peer: SocketAddr) -> bool {
        is_public(peer.ip()) && self.options.pace != Pace::Off
    }

    fn ask_usual(&mut self) -> Vec<UsualExchange> {
        let mut usual = Vec::new();
        for version in IpVersion::BOTH {
            for transport in Transport::BOTH {
                usual.push(self.step(|it| it.ask(transport, version)));
            }
        }
        usual
    }

    fn ask(&mut self, transport: Transport, version: IpVersion) -> UsualExchange {
        let of_version = |address: &&SocketAddr| IpVersion::of(address.ip()) == version;
        let addresses: Vec<_> = self.addresses.iter().filter(of_version).copied().collect();
        if addresses.is_empty() {
            let why = self.without(version);
            return UsualExchange::new(transport, version, Err(why));
        }
        let mut further = 0;
        let (client, options) = (&mut self.client, self.options);
        let answered = options
            .deadline()
            .and_then(|deadline| client.exchange(&addresses, transport, options, deadline));
        let answered = answered.map(|(answer, socket)| {
            if transport == Transport::Udp {
                further = datagram::further(socket.as_fd());
            }
            answer
        });
        UsualExchange { further, ..UsualExchange::new(transport, version, Ok(answered)) }
    }

    /// Returns the reason why the check has no address for this version of IP.
    fn without(&self, version: IpVersion) -> String {
        let (host, is_address) = (self.host, self.host.parse::<IpAddr>().is_ok());
        match (version, self.options.family) {
            (IpVersion::V4, Family::V6) => "skipped: IPv6 only".to_owned(),
            (IpVersion::V6, Family::V4) => "skipped: IPv4 only".to_owned(),
            (IpVersion::V4, _) if is_address => format!("{host} is an IPv6 address"),
            (IpVersion::V6, _) if is_address => format!("{host} is an IPv4 address"),
            (IpVersion::V4, _) => format!("no IPv4 address is known for {host}"),
            (IpVersion::V6, _) => format!("no IPv6 address is known for {host}"),
        }
    }

    fn send_first(&mut self, tcp: &Tried<SocketAddr>, opening: Opening) -> Tried<Conversation> {
        let peer = tcp.clone()?;
        if opening == Opening::LongInput && self.must_be_polite(peer) {
            return Err(
                "skipped: 64 KiB is too much for a public server; try --impolite".to_owned()
            );
        }
        let timeout = self.options.timeout;
        self.politely(peer, || stream::send_first(peer, opening, timeout))
    }

    /// Sends a query. If no response arrives, sends it once more, because the network may have dropped a datagram.
    fn datagram(&self, udp: &Tried<SocketAddr>, question: &[u8]) -> Tried<Datagrams> {
        let peer = udp.clone()?;
        let timeout = self.options.timeout;
        let ask = || sent(self.politely(peer, || datagram::ask(peer, question, timeout))?);
        let asked = ask()?;
        if asked.reply != Reply::Silence {
            return Ok(asked);
        }
        let retry = ask()?;
        Ok(Datagrams { questions: 2, listened: asked.listened + retry.listened, ..retry })
    }

    fn ask_from(
        &self,
        udp: &Tried<SocketAddr>,
        ask: fn(SocketAddr, Duration) -> Tried<io::Result<Datagrams>>,
    ) -> Tried<Datagrams> {
        let peer = udp.clone()?;
        sent(self.politely(peer, || ask(peer, self.options.timeout))??)
    }

    /// Waits until the option `pace` permits another query to the peer, then runs `ask`. Records when `ask` ends,
    /// because the next pause counts from that time.
    fn politely<T>(&self, peer: SocketAddr, ask: impl FnOnce() -> T) -> Tried<T> {
        await_turn(&[peer], self.options.pace).map_err(|error| error.to_string())?;
        let asked = ask();
        note_asked(&[peer]);
        Ok(asked)
    }

    /// Runs one step of the check, then reports how many steps are finished.
    fn step<T>(&mut self, ask: impl FnOnce(&mut Self) -> T) -> T {
        let seen = ask(self);
        self.done += 1;
        (self.progress)(self.done, STEPS);
        seen
    }
}

fn sent(asked: io::Result<Datagrams>) -> Tried<Datagrams> {
    asked.map_err(|error| format!("cannot ask: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_family_is_explained_for_a_name_and_for_an_address() {
        let options = Options::default();
        let without = |host, version| {
            let (client, progress) = (Client::new().expect("a client"), &mut |_, _| {});
            let (addresses, options) = (Vec::new(), &options);
            Session { client, host, addresses, options, progress, done: 0 }.without(version)
        };
        assert_eq!(without("127.0.0.1", IpVersion::V6), "127.0.0.1 is an IPv4 address");
        assert_eq!(without("::1", IpVersion::V4), "::1 is an IPv6 address");
        let name = without("old.example", IpVersion::V6);
        assert!(name.contains("IPv6") && name.contains("old.example"), "{name}");
    }
}
