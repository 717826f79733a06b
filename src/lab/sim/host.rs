//! A simulated host: its TCP/IP stack, its sockets, and its network interface.

use super::device::Queues;
use crate::lab::link::SERVER;
use crate::trace::HostId;
use crate::transport::PORT;
use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::socket::Socket;
use smoltcp::socket::tcp::{self, State};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpCidr};
use std::net::Ipv4Addr;
use std::time::Duration;

pub(super) struct Host {
    pub interface: Interface,
    pub sockets: SocketSet<'static>,
    pub queues: Queues,
    /// State of each TCP socket when [`Host::changes`] last looked.
    last_seen: Vec<LastSeen>,
}

/// A TCP socket's state at one moment.
#[derive(Clone, Copy, Debug)]
struct LastSeen {
    state: State,
    /// The client's port of the socket's connection, on either host. The port is kept here because a closed `smoltcp`
    /// socket no longer knows its ports.
    port: Option<u16>,
}

impl Host {
    /// Creates a host. The host's initial sequence numbers are the same in every run: the lab's seed affects only the
    /// link.
    pub(super) fn new(address: Ipv4Addr, number: HostId) -> Self {
        let mut queues = Queues::default();
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = u64::from(number == SERVER);
        let mut interface = Interface::new(config, &mut queues, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            // The empty list has space for at least one address, so this cannot fail.
            let _ = addresses.push(IpCidr::new(address.into(), 24));
        });
        let sockets = SocketSet::new(Vec::new());
        Self { interface, sockets, queues, last_seen: Vec::new() }
    }

    /// Lets the stack process the packets that have arrived, and send those that are due.
    pub(super) fn poll(&mut self, now: Duration) {
        self.interface.poll(instant(now), &mut self.queues, &mut self.sockets);
    }

    /// Returns the states that TCP sockets have entered since the last call, each with the connection's client port.
    /// Leaves out LISTEN after CLOSED, in which every server's socket begins.
    pub(super) fn changes(&mut self) -> Vec<(State, Option<u16>)> {
        let sockets = self.sockets.iter().filter_map(|(_, socket)| match socket {
            Socket::Tcp(socket) => Some((socket.state(), port(socket))),
            _ => None,
        });
        let mut changes = Vec::new();
        for (number, (state, port)) in sockets.enumerate() {
            if number == self.last_seen.len() {
                self.last_seen.push(LastSeen { state: State::Closed, port });
            }
            let seen = &mut self.last_seen[number];
            let before = std::mem::replace(seen, LastSeen { state, port: port.or(seen.port) });
            let is_beginning = (before.state, state) == (State::Closed, State::Listen);
            if before.state != state && !is_beginning {
                changes.push((state, seen.port));
            }
        }
        changes
    }

    /// Returns the time at which the stack's next timer expires.
    pub(super) fn next(&mut self, now: Duration) -> Option<Duration> {
        let next = self.interface.poll_at(instant(now), &self.sockets)?;
        Some(Duration::from_micros(u64::try_from(next.total_micros()).unwrap_or(0)))
    }
}

/// Returns the port that a socket's connection uses at the client: the one that is not Daytime's.
pub(super) fn port(socket: &tcp::Socket) -> Option<u16> {
    let ends = [socket.local_endpoint(), socket.remote_endpoint()];
    ends.into_iter().flatten().map(|end| end.port).find(|port| *port != PORT)
}

fn instant(now: Duration) -> Instant {
    Instant::from_micros(i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
}
