//! A simulated host: its stack, its sockets, its end of the link.

use super::device::Queues;
use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::socket::Socket;
use smoltcp::socket::tcp::State;
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpCidr};
use std::net::Ipv4Addr;
use std::time::Duration;

pub(super) struct Host {
    pub interface: Interface,
    pub sockets: SocketSet<'static>,
    pub queues: Queues,
    /// Of each TCP socket, as it was last seen.
    states: Vec<State>,
}

impl Host {
    pub(super) fn new(address: Ipv4Addr, seed: u64) -> Self {
        let mut queues = Queues::default();
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut queues, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            // There is room for one at least.
            let _ = addresses.push(IpCidr::new(address.into(), 24));
        });
        let sockets = SocketSet::new(Vec::new());
        Self { interface, sockets, queues, states: Vec::new() }
    }

    /// Takes what has come and sends what is due.
    pub(super) fn poll(&mut self, now: Duration) {
        self.interface.poll(instant(now), &mut self.queues, &mut self.sockets);
    }

    /// The states that TCP sockets have come into since the last look.
    pub(super) fn changes(&mut self) -> impl Iterator<Item = State> {
        let states = self.sockets.iter().filter_map(|(_, socket)| match socket {
            Socket::Tcp(socket) => Some(socket.state()),
            _ => None,
        });
        let states: Vec<State> = states.collect();
        let mut last = std::mem::replace(&mut self.states, states.clone());
        last.resize(states.len(), State::Closed);
        states.into_iter().zip(last).filter(|(now, then)| now != then).map(|(now, _)| now)
    }

    /// When the stack has something to do, if nothing comes.
    pub(super) fn next(&mut self, now: Duration) -> Option<Duration> {
        let next = self.interface.poll_at(instant(now), &self.sockets)?;
        Some(Duration::from_micros(u64::try_from(next.total_micros()).unwrap_or(0)))
    }
}

fn instant(now: Duration) -> Instant {
    Instant::from_micros(i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
}
