//! Two hosts on one link, each with an end of a cable, and what experiments do there.

use super::super::link::{CLIENT, Conditions, FORGER, Link, SERVER};
use super::super::loopback::{PATIENCE, failed};
use super::super::{Obstacle, Setting};
use super::forwarder::Forwarder;
use super::frame::{DISCARD, hardware};
use super::host::{Host, Pending};
use super::ip::ip;
use super::recorder::Recorder;
use super::{ADDRESSES, NOBODY};
use crate::client::{Answer, AskError, Options, ask};
use crate::metrics::Metrics;
use crate::server::{Config, Server, Shutdown};
use crate::trace::{self, HostId, Trace};
use crate::transport::{PORT, Transport};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How often it is tried whether a cable is ready, which takes the kernel some milliseconds at most.
const TRY: Duration = Duration::from_millis(5);

/// The network of one part of an experiment; gone when it is dropped.
#[derive(Debug)]
pub(super) struct Network {
    hosts: [Host; 2],
    pub recorder: Recorder,
    forwarder: Forwarder,
    delay: Duration,
}

/// A real server that runs on a host until it is dropped.
#[derive(Debug)]
pub(super) struct Serving {
    shutdown: Shutdown,
    pub metrics: Arc<Metrics>,
}

impl Network {
    pub(super) fn new(conditions: Conditions, setting: &Setting) -> Result<Self, Obstacle> {
        // Those of an earlier part may still be there: the kernel takes its time.
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let [client, server] = ["client", "server"].map(Host::new);
        let hosts = [
            client.map_err(failed("make a network namespace"))?,
            server.map_err(failed("make a network namespace"))?,
        ];
        let interfaces = ["client", "server"].map(|name| format!("{name}{count}"));
        lay_cables(&hosts, &interfaces)?;
        let delay = conditions.delay;
        let recorder = Recorder::new(Link::new(conditions, setting.seed));
        let ends = interfaces.each_ref().map(String::as_str);
        let forwarder = Forwarder::start(ends, recorder.clone())
            .map_err(failed("forward between the namespaces"))?;
        // The last ends to come up work at once, and what comes from the others shows that they do.
        ip(&ends.map(|end| format!("link set {end} up\n")).concat())?;
        let network = Self { hosts, recorder, forwarder, delay };
        network.wait_for_cables()?;
        network.recorder.begin();
        Ok(network)
    }

    /// Before that, what a host sends may be lost.
    fn wait_for_cables(&self) -> Result<(), Obstacle> {
        let deadline = Instant::now() + PATIENCE;
        for host in [CLIENT, SERVER] {
            let other = ADDRESSES[usize::from(host == CLIENT)];
            let knock = move || UdpSocket::bind("0.0.0.0:0")?.send_to(&[], (other, DISCARD));
            while !self.recorder.wait_for_host(host, TRY) {
                if Instant::now() > deadline {
                    return Err(Obstacle::TooLate(
                        "a packet through the namespaces".into(),
                        PATIENCE,
                    ));
                }
                // While the cable is not ready it may fail, too.
                let _ = self.host(host).run(knock);
            }
        }
        Ok(())
    }

    pub(super) fn host(&self, host: HostId) -> &Host {
        &self.hosts[usize::from(host == SERVER)]
    }

    /// How long a packet and its answer take.
    pub(super) fn round_trip(&self) -> Duration {
        2 * self.delay
    }

    /// Does on a host what makes calls and writes them down.
    pub(super) fn on<T: Send + 'static>(
        &self,
        host: HostId,
        what: &str,
        act: impl FnOnce(&Recorder) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Obstacle> {
        let recorder = self.recorder.clone();
        self.host(host).run(move || act(&recorder)).map_err(failed(what))
    }

    /// The same meanwhile.
    pub(super) fn meanwhile<T: Send + 'static>(
        &self,
        host: HostId,
        what: &str,
        act: impl FnOnce(&Recorder) -> io::Result<T> + Send + 'static,
    ) -> Result<Pending<T>, Obstacle> {
        let recorder = self.recorder.clone();
        self.host(host).start(move || act(&recorder)).map_err(failed(what))
    }

    /// Gives the server's host another address, which the client's host knows how to reach.
    pub(super) fn add_address(&self, own: Ipv4Addr) -> Result<(), Obstacle> {
        let set_up = |host: HostId, lines: String| {
            let done = self.host(host).run(move || Ok(ip(&lines)));
            Ok::<_, Obstacle>(done.map_err(failed("add an address in a namespace"))??)
        };
        set_up(SERVER, format!("addr add {own}/24 dev cable\n"))?;
        let hardware = hardware_text(SERVER.0);
        set_up(CLIENT, format!("neigh add {own} lladdr {hardware} nud permanent dev cable\n"))
    }

    /// Starts the real services on a host, at its port 13.
    pub(super) fn serve(&self, host: HostId) -> Result<Serving, Obstacle> {
        self.serve_at(host, address(host))
    }

    /// The same at another address of that host.
    pub(super) fn serve_at(&self, host: HostId, at: SocketAddrV4) -> Result<Serving, Obstacle> {
        let config = Config { addresses: vec![at.into()], ..Config::default() };
        let bind = move || Server::bind(config).map_err(io::Error::other);
        let server = self.host(host).run(bind).map_err(failed("start the server"))?;
        let serving = Serving { shutdown: server.shutdown(), metrics: server.metrics() };
        let run = move || server.run().map_err(io::Error::other);
        self.host(host).start(run).map_err(failed("start the server"))?;
        Ok(serving)
    }

    /// Asks the server with the real client.
    pub(super) fn ask(&self, transport: Transport) -> Result<Result<Answer, AskError>, Obstacle> {
        let timeout = PATIENCE + 5 * self.round_trip();
        let options = Options { timeout, retries: 0, ..Options::default() };
        let target = SocketAddr::from(address(SERVER)).into();
        let asked = move || Ok(ask(&target, transport, &options));
        self.host(CLIENT).run(asked).map_err(failed("ask"))
    }

    /// Puts a packet on the link to a host that seems to come from another.
    pub(super) fn forge(&self, to: HostId, packet: Vec<u8>) -> Result<(), Obstacle> {
        self.forwarder.forge(FORGER, to, packet).map_err(failed("forge a packet"))
    }

    /// The trace up to now, of the client and the server.
    pub(super) fn trace(&self) -> Trace {
        self.recorder.trace(vec![host("client", CLIENT), host("server", SERVER)])
    }

    /// The same where packets were forged that seem to come from the client, who asks nothing there.
    pub(super) fn trace_with_forger(&self) -> Trace {
        let forger = trace::Host { name: "forger".into(), addresses: vec![NOBODY.into()] };
        self.recorder.trace(vec![host("victim", CLIENT), host("server", SERVER), forger])
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.shutdown.stop();
    }
}

/// Port 13 of a host.
pub(super) fn address(host: HostId) -> SocketAddrV4 {
    SocketAddrV4::new(ADDRESSES[usize::from(host == SERVER)], PORT)
}

fn host(name: &str, host: HostId) -> trace::Host {
    let address = ADDRESSES[usize::from(host == SERVER)];
    trace::Host { name: name.into(), addresses: vec![address.into()] }
}

/// Between each host and this thread's network. The hosts know each other's hardware address, so nothing
/// but the experiment's packets has to go first.
fn lay_cables(hosts: &[Host; 2], interfaces: &[String; 2]) -> Result<(), Obstacle> {
    let cable = |(number, (host, interface)): (usize, (&Host, &String))| {
        let (hardware, thread) = (hardware_text(number), host.number);
        format!(
            "link add {interface} type veth peer name cable address {hardware} netns {thread}\n"
        )
    };
    let lines: String = hosts.iter().zip(interfaces).enumerate().map(cable).collect();
    ip(&lines)?;
    for ((number, host), other) in hosts.iter().enumerate().zip([1, 0]) {
        let ([own, peer], hardware) =
            ([number, other].map(|it| ADDRESSES[it]), hardware_text(other));
        // One segment at a time: else the kernel would leave it to the cable to cut long ones.
        let lines = format!(
            "link set lo up\n\
             addr add {own}/24 dev cable\n\
             link set cable gso_max_segs 1 up\n\
             neigh add {peer} lladdr {hardware} nud permanent dev cable\n"
        );
        host.run(move || Ok(ip(&lines))).map_err(failed("set up a namespace"))??;
    }
    Ok(())
}

fn hardware_text(number: usize) -> String {
    hardware(HostId(number)).map(|octet| format!("{octet:02x}")).join(":")
}
