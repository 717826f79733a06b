//! Asks a server all that is to be asked, one exchange after the other.

use super::datagram;
use super::observed::{Asked, Datagrams, Observed, Reply, Talk, Tried, Usual, reply};
use super::stream::{self, First};
use crate::client::{Client, Family, Options, is_public, note};
use crate::transport::{IpVersion, Transport};
use std::io;
use std::net::SocketAddr;

/// Exchanges with a server that answers over both transports and versions.
pub(super) const EXCHANGES: u32 = 11;

/// A server and how far the asking has come.
pub(super) struct Session<'a> {
    pub client: Client,
    pub addresses: Vec<SocketAddr>,
    pub options: &'a Options,
    pub progress: &'a mut dyn FnMut(u32, u32),
    pub done: u32,
}

impl Session<'_> {
    /// Streams and datagrams take turns: xinetd throws away what its socket holds when it has answered, so a
    /// question at once after another's answer would be lost.
    pub(super) fn observe(mut self) -> Observed {
        if let Some(address) = self.addresses.iter().find(|it| self.must_be_polite(**it)) {
            let ip = address.ip();
            log::info!("{ip} is public, so its questions are 4 s apart: this takes half a minute");
        }
        let usual: Vec<Usual> = IpVersion::BOTH
            .into_iter()
            .flat_map(|version| Transport::BOTH.map(|transport| (transport, version)))
            .map(|(transport, version)| self.usual(transport, version))
            .collect();
        let answers = |transport| match reply(&usual, transport) {
            Some((peer, _)) => Ok(peer),
            None => Err(format!("no answer over {transport}")),
        };
        let (tcp, udp) = (answers(Transport::Tcp), answers(Transport::Udp));
        let crlf_first = self.talk(&tcp, First::Crlf);
        let one_octet = self.datagram(&udp, &[0]);
        let many_first = match &tcp {
            Ok(peer) if self.must_be_polite(*peer) => {
                Err("64 KiB are too much for a public server; --impolite sends them".to_owned())
            }
            tcp => self.talk(tcp, First::Many),
        };
        let long = self.datagram(&udp, &[0; 1400]);
        let half_close = self.talk(&tcp, First::HalfClose);
        let privileged_port = self.from_port(&udp, datagram::ask_from_privileged_port);
        let own_port = self.from_port(&udp, datagram::ask_from_own_port);
        Observed {
            usual,
            crlf_first,
            many_first,
            half_close,
            one_octet,
            long,
            privileged_port,
            own_port,
        }
    }

    fn must_be_polite(&self, peer: SocketAddr) -> bool {
        is_public(peer.ip()) && !self.options.impolite
    }

    fn usual(&mut self, transport: Transport, version: IpVersion) -> Usual {
        let of_version = |address: &&SocketAddr| IpVersion::of(address.ip()) == version;
        let addresses: Vec<_> = self.addresses.iter().filter(of_version).copied().collect();
        let asked = match self.options.family {
            Family::V4 if version == IpVersion::V6 => Err("only IPv4 was wanted".to_owned()),
            Family::V6 if version == IpVersion::V4 => Err("only IPv6 was wanted".to_owned()),
            _ if addresses.is_empty() => Err(match version {
                IpVersion::V4 => "it has no IPv4 address".to_owned(),
                IpVersion::V6 => "it has no IPv6 address".to_owned(),
            }),
            _ => Ok(self.ask(transport, &addresses)),
        };
        self.tick();
        Usual { transport, version, asked }
    }

    fn ask(&mut self, transport: Transport, addresses: &[SocketAddr]) -> Asked {
        self.options.wait_for_turn(addresses);
        let deadline = self.options.deadline();
        let mut further = 0;
        let mut observe = |socket: std::os::fd::BorrowedFd| {
            if transport == Transport::Udp {
                further = datagram::further(socket);
            }
        };
        let (client, options) = (&mut self.client, self.options);
        let answered = client.ask_addresses(addresses, transport, options, deadline, &mut observe);
        Asked { answered, further }
    }

    fn talk(&mut self, tcp: &Tried<SocketAddr>, first: First) -> Tried<Talk> {
        let peer = tcp.clone();
        let timeout = self.options.timeout;
        let talk = peer.map(|peer| self.politely(peer, || stream::talk(peer, first, timeout)));
        self.tick();
        talk
    }

    /// Asks once more if nothing comes back: a datagram may be lost.
    fn datagram(&mut self, udp: &Tried<SocketAddr>, question: &[u8]) -> Tried<Datagrams> {
        let peer = udp.clone()?;
        let timeout = self.options.timeout;
        let mut ask = || self.politely(peer, || datagram::ask(peer, question, timeout));
        let mut asked = ask();
        if let Ok(Datagrams { reply: Reply::Silence, listened, .. }) = asked {
            asked = ask().map(|again| Datagrams {
                questions: 2,
                listened: listened + again.listened,
                ..again
            });
        }
        self.tick();
        sent(asked)
    }

    fn from_port(
        &mut self,
        udp: &Tried<SocketAddr>,
        ask: fn(SocketAddr, std::time::Duration) -> Tried<io::Result<Datagrams>>,
    ) -> Tried<Datagrams> {
        let peer = udp.clone()?;
        let timeout = self.options.timeout;
        let asked = self.politely(peer, || ask(peer, timeout));
        self.tick();
        sent(asked?)
    }

    /// Does something with a server when it may be asked, and notes that it was.
    fn politely<T>(&mut self, peer: SocketAddr, ask: impl FnOnce() -> T) -> T {
        self.options.wait_for_turn(&[peer]);
        let asked = ask();
        note(&[peer]);
        asked
    }

    fn tick(&mut self) {
        self.done += 1;
        (self.progress)(self.done, EXCHANGES);
    }
}

fn sent(asked: io::Result<Datagrams>) -> Tried<Datagrams> {
    asked.map_err(|error| format!("cannot ask: {error}"))
}
