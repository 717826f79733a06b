//! The simulated network: two hosts, the link between them, and virtual time.

use super::host::Host;
use crate::lab::LabOptions;
use crate::lab::link::{CLIENT, Conditions, FORGER, Link, SERVER};
use crate::lab::packet::client_port;
use crate::lab::recorder::Recorder;
use crate::trace::{self, Action, Fate, HostId, Packet, Trace};
use crate::transport::{PORT, Transport};
use smoltcp::iface::{Context, SocketSet};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

/// Two hosts and a link. Virtual time passes only in [`Network::run`].
pub(crate) struct Network {
    hosts: [Host; 2],
    link: Link,
    /// Packets on the link, each with its receiver, ordered by arrival time and then by the order in which they were
    /// sent.
    under_way: BTreeMap<(Duration, u64), (HostId, Vec<u8>)>,
    sent: u64,
    /// Number of packets that the link has dropped, for any reason.
    pub(crate) lost: u64,
    now: Duration,
    recorders: Recorders,
}

/// Event recorders, each with an optional port. A recorder with a port records only the connection whose client has
/// this port. The list is empty if no trace is wanted.
type Recorders = Vec<(Option<u16>, Recorder)>;

/// A program that runs on a simulated host.
pub(crate) trait Application {
    /// Lets the application do everything that it can do without waiting.
    fn run(&mut self, host: &mut HostAccess);

    /// Returns the time at which the application must run even if no packet arrives; `None` if it only waits for
    /// packets.
    fn next(&self) -> Option<Duration> {
        None
    }
}

/// An application's access to its host.
pub(crate) struct HostAccess<'a> {
    pub now: Duration,
    pub sockets: &'a mut SocketSet<'static>,
    pub context: &'a mut Context,
    /// The client's port of the connection to which the next calls belong. The port selects the recorder if each
    /// connection has its own recorder.
    pub port: Option<u16>,
    host: HostId,
    recorders: &'a Recorders,
}

/// Minimum step of virtual time. Without this minimum, virtual time would stop if a stack always had an event that is
/// already due.
const MIN_STEP: Duration = Duration::from_micros(1);

/// Returns [`Conditions::of`], but with the delay truncated to whole microseconds, at least one, because `smoltcp`
/// counts time in microseconds. Labs must compute their predictions from these conditions.
pub(crate) fn conditions(options: &LabOptions, delay: Duration) -> Conditions {
    let conditions = Conditions::of(options, delay);
    let micros = u64::try_from(conditions.delay.as_micros()).unwrap_or(u64::MAX);
    Conditions { delay: Duration::from_micros(micros).max(MIN_STEP), ..conditions }
}

/// Returns a host's address with Daytime's port.
pub(crate) fn address(host: HostId) -> SocketAddrV4 {
    let number = if host == SERVER { 2 } else { 1 };
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, number), PORT)
}

impl Network {
    pub(crate) fn new(conditions: Conditions, seed: u64) -> Self {
        let hosts = [CLIENT, SERVER].map(|host| Host::new(*address(host).ip(), host));
        Self {
            hosts,
            link: Link::new(conditions, seed),
            under_way: BTreeMap::new(),
            sent: 0,
            lost: 0,
            now: Duration::ZERO,
            recorders: Vec::new(),
        }
    }

    /// Records all events in one trace.
    pub(crate) fn traced(mut self) -> Self {
        self.recorders.push((None, recorder()));
        self
    }

    /// Records the events of two connections in one trace each. The clients' ports identify the connections.
    pub(crate) fn traced_by_port(mut self, ports: [u16; 2]) -> Self {
        self.recorders.extend(ports.map(|port| (Some(port), recorder())));
        self
    }

    /// Runs the applications in virtual time, until `until` or until no further event is scheduled.
    pub(crate) fn run(&mut self, programs: &mut [(HostId, &mut dyn Application)], until: Duration) {
        loop {
            self.deliver();
            self.act(programs);
            let Some(next) = self.next(programs).filter(|next| *next <= until) else { break };
            self.now = next.max(self.now + MIN_STEP);
        }
    }

    /// Runs one application on each host, at most until the virtual time `until`. Returns the trace.
    pub(crate) fn exchange(
        mut self,
        client: &mut dyn Application,
        server: &mut dyn Application,
        until: Duration,
    ) -> Trace {
        self.run(&mut [(CLIENT, client), (SERVER, server)], until);
        self.into_trace()
    }

    /// Sends a forged packet to the server. The caller sets the packet's source to the client's address, although the
    /// client has not sent the packet.
    pub(crate) fn forge(&mut self, packet: Vec<u8>) {
        for (_, recorder) in &self.recorders {
            // The forger has no address, so it receives no answer.
            recorder.add_forger(Vec::new());
        }
        self.send(FORGER, packet);
    }

    /// Returns the trace of all events.
    pub(crate) fn into_trace(self) -> Trace {
        self.into_traces().next().unwrap_or_default()
    }

    /// Returns each connection's trace, in the order in which the ports were given.
    pub(crate) fn into_traces(self) -> impl Iterator<Item = Trace> {
        self.recorders.into_iter().map(|(_, recorder)| recorder.trace())
    }

    /// Delivers the packets that are due, one by one, so that each new socket state is recorded.
    fn deliver(&mut self) {
        while let Some(first) = self.under_way.first_entry()
            && first.key().0 <= self.now
        {
            let (to, packet) = first.remove();
            self.hosts[to.0].queues.incoming.push_back(packet);
            self.poll(to);
        }
    }

    /// Runs both hosts' stacks, then each application once, then both stacks again.
    fn act(&mut self, programs: &mut [(HostId, &mut dyn Application)]) {
        self.poll_both();
        for (host, program) in programs {
            let Host { interface, sockets, .. } = &mut self.hosts[host.0];
            program.run(&mut HostAccess {
                now: self.now,
                sockets,
                context: interface.context(),
                port: None,
                host: *host,
                recorders: &self.recorders,
            });
            self.record_states(*host);
        }
        self.poll_both();
    }

    fn poll_both(&mut self) {
        for host in [CLIENT, SERVER] {
            self.poll(host);
        }
    }

    fn poll(&mut self, host: HostId) {
        self.hosts[host.0].poll(self.now);
        self.record_states(host);
        while let Some(packet) = self.hosts[host.0].queues.outgoing.pop_front() {
            self.send(host, packet);
        }
    }

    /// Records each new socket state.
    fn record_states(&mut self, host: HostId) {
        if self.recorders.is_empty() {
            return;
        }
        for (state, port) in self.hosts[host.0].changes() {
            let action = || Action::State(Transport::Tcp, state.to_string());
            record(&self.recorders, port, self.now, host, action);
        }
    }

    fn send(&mut self, from: HostId, octets: Vec<u8>) {
        let to = if from == SERVER { CLIENT } else { SERVER };
        let fate = self.link.fate(from, self.now, &octets);
        self.lost += u64::from(matches!(fate, Fate::Lost(_)));
        if let Fate::Arrived(times) = &fate {
            for time in times {
                self.sent += 1;
                self.under_way.insert((*time, self.sent), (to, octets.clone()));
            }
        }
        if !self.recorders.is_empty() {
            let (port, packet) = (client_port(&octets), Packet { to, octets, fate });
            record(&self.recorders, port, self.now, from, || Action::Packet(packet.clone()));
        }
    }

    /// Returns the time of the next event: a packet's arrival, or a stack's or an application's timer.
    fn next(&mut self, programs: &[(HostId, &mut dyn Application)]) -> Option<Duration> {
        let arrival = self.under_way.first_key_value().map(|((time, _), _)| *time);
        let now = self.now;
        let stacks = self.hosts.iter_mut().filter_map(|host| host.next(now));
        let timers = programs.iter().filter_map(|(_, program)| program.next());
        stacks.chain(timers).chain(arrival).min()
    }
}

/// Returns a recorder for the two hosts.
fn recorder() -> Recorder {
    let host = |(name, host): (&str, HostId)| trace::Host {
        name: name.to_owned(),
        addresses: vec![IpAddr::V4(*address(host).ip())],
    };
    Recorder::between([("client", CLIENT), ("server", SERVER)].map(host).into())
}

/// Records an event in every recorder that has either no port or this client port.
fn record(
    recorders: &Recorders,
    port: Option<u16>,
    at: Duration,
    host: HostId,
    action: impl Fn() -> Action,
) {
    for (_, recorder) in recorders.iter().filter(|(only, _)| only.is_none() || *only == port) {
        recorder.record(at, host, action());
    }
}

impl HostAccess<'_> {
    /// Records a call that the application makes.
    pub(crate) fn call(&self, call: &str, outcome: impl Fn() -> String) {
        let action = || Action::Call { call: call.to_owned(), outcome: outcome() };
        record(self.recorders, self.port, self.now, self.host, action);
    }
}

/// Converts a `smoltcp` endpoint to the standard library's socket address.
pub(super) fn socket_address(endpoint: smoltcp::wire::IpEndpoint) -> SocketAddr {
    SocketAddr::new(endpoint.addr.into(), endpoint.port)
}
