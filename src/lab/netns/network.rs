//! Two hosts on one link, and the operations on them that experiments use.

use super::forwarder::Forwarder;
use super::frame::{DISCARD, hardware};
use super::namespace::{Namespace, Pending};
use super::{ADDRESSES, UNUSED_ADDRESS, failed};
use crate::client::{Answer, AskError, Options, ask};
use crate::lab::link::{CLIENT, Conditions, FORGER, Link, SERVER};
use crate::lab::loopback::PATIENCE;
use crate::lab::recorder::Recorder;
use crate::lab::{Obstacle, Setting};
use crate::listen::Listen;
use crate::metrics::Metrics;
use crate::server::{Config, Server, Shutdown};
use crate::sys::{self, NetworkSetup};
use crate::trace::{self, HostId, Trace};
use crate::transport::{PORT, Transport};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Interval between two checks whether a cable works. The kernel needs at most a few milliseconds to bring it up.
const RETRY_INTERVAL: Duration = Duration::from_millis(5);

/// Name of the network interface that is a host's end of its cable.
const CABLE: &str = "cable";

/// Names of the hosts, by host number. The forwarder's ends of the cables have the same names.
const HOST_NAMES: [&str; 2] = ["client", "server"];

/// The network for one part of an experiment. Dropping this value removes the network.
#[derive(Debug)]
pub(in crate::lab) struct Network {
    hosts: [Namespace; 2],
    pub recorder: Recorder,
    forwarder: Forwarder,
    delay: Duration,
}

/// A real server that runs on a host. Dropping this value stops the server.
#[derive(Debug)]
pub(in crate::lab) struct Serving {
    shutdown: Shutdown,
    pub metrics: Arc<Metrics>,
}

impl Network {
    pub(in crate::lab) fn new(conditions: Conditions, setting: &Setting) -> Result<Self, Obstacle> {
        super::require_permission()?;
        let namespace = |name| Namespace::new(name).map_err(failed("make a network namespace"));
        let (hosts, middle) = ([namespace("client")?, namespace("server")?], namespace("link")?);
        lay_cables(&hosts, &middle)?;
        let delay = conditions.delay;
        let recorder = Recorder::between(vec![host("client", CLIENT), host("server", SERVER)]);
        let (link, shared) = (Link::new(conditions, setting.seed), recorder.clone());
        let forwarder = middle
            .run(move || Forwarder::start(HOST_NAMES, link, shared))
            .map_err(failed("forward between the namespaces"))?;
        // The forwarder's ends of the cables are brought up last and work at once. After this, `wait_for_cables` sends
        // probes until the hosts' ends work too.
        set_up(&middle, |setup| HOST_NAMES.into_iter().try_for_each(|end| setup.set_up(end)))?;
        let network = Self { hosts, recorder, forwarder, delay };
        network.wait_for_cables()?;
        Ok(network)
    }

    /// Waits until both cables work, because a packet that a host sends earlier may be lost.
    fn wait_for_cables(&self) -> Result<(), Obstacle> {
        let deadline = Instant::now() + PATIENCE;
        for host in [CLIENT, SERVER] {
            let other = ADDRESSES[usize::from(host == CLIENT)];
            let probe = move || UdpSocket::bind("0.0.0.0:0")?.send_to(&[], (other, DISCARD));
            let next =
                || self.forwarder.next_probe(RETRY_INTERVAL).map_err(failed("wait for the cables"));
            while next()? != Some(host) {
                if Instant::now() > deadline {
                    let what = "a packet through the namespaces";
                    return Err(Obstacle::TooLate(what.into(), PATIENCE));
                }
                // The result is ignored: while the cable is not ready, the send may fail.
                let _ = self.host(host).run(probe);
            }
        }
        Ok(())
    }

    fn host(&self, host: HostId) -> &Namespace {
        &self.hosts[usize::from(host == SERVER)]
    }

    /// Returns the round-trip time without the hosts' own delays: twice the delay of the link.
    pub(in crate::lab) fn round_trip(&self) -> Duration {
        2 * self.delay
    }

    /// Runs a job on a host and returns its result. The job gets the recorder, to record its calls.
    pub(in crate::lab) fn on<T: Send + 'static>(
        &self,
        host: HostId,
        what: &str,
        act: impl FnOnce(&Recorder) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Obstacle> {
        let recorder = self.recorder.clone();
        self.host(host).run(move || act(&recorder)).map_err(failed(what))
    }

    /// Starts a job in a new thread on a host. The job gets the recorder, to record its calls.
    pub(in crate::lab) fn meanwhile<T: Send + 'static>(
        &self,
        host: HostId,
        what: &str,
        act: impl FnOnce(&Recorder) -> io::Result<T> + Send + 'static,
    ) -> Result<Pending<T>, Obstacle> {
        let recorder = self.recorder.clone();
        self.host(host).start(move || act(&recorder)).map_err(failed(what))
    }

    /// Gives the server's host a second address, and adds it to the neighbour table (ARP cache) of the client's host.
    pub(in crate::lab) fn add_address(&self, address: Ipv4Addr) -> Result<(), Obstacle> {
        set_up(self.host(SERVER), move |setup| setup.add_address(CABLE, address))?;
        let hardware = hardware(SERVER);
        set_up(self.host(CLIENT), move |setup| setup.add_neighbour(CABLE, address, hardware))?;
        self.recorder.add_address(SERVER, address.into());
        Ok(())
    }

    /// Starts the real server on a host, for TCP and UDP on port 13.
    pub(in crate::lab) fn serve(&self, host: HostId) -> Result<Serving, Obstacle> {
        self.serve_at(host, address(host).into())
    }

    /// Starts the real server on a host, at this address.
    pub(in crate::lab) fn serve_at(
        &self,
        host: HostId,
        at: SocketAddr,
    ) -> Result<Serving, Obstacle> {
        let mut listen = Listen::default();
        // Adds several round trips to the timeout. Otherwise TCP_USER_TIMEOUT might end the retransmissions before the
        // lab `silent` has seen three of them. The lab needs three to show how the waits grow.
        listen.write_deadline += 15 * self.round_trip();
        let config = Config { addresses: vec![at], listen, ..Config::default() };
        let bind = move || Server::bind(config).map_err(io::Error::other);
        let server = self.host(host).run(bind).map_err(failed("start the server"))?;
        let serving = Serving { shutdown: server.shutdown(), metrics: server.metrics() };
        let run = move || server.run().map_err(io::Error::other);
        self.host(host).start(run).map_err(failed("start the server"))?;
        Ok(serving)
    }

    /// Queries the server with this crate's own client.
    pub(in crate::lab) fn ask(
        &self,
        transport: Transport,
    ) -> Result<Result<Answer, AskError>, Obstacle> {
        let timeout = PATIENCE + 5 * self.round_trip();
        let options = Options { timeout, retries: 0, ..Options::default() };
        let target = SocketAddr::from(address(SERVER)).into();
        let asked = move || Ok(ask(&target, transport, &options));
        self.host(CLIENT).run(asked).map_err(failed("ask"))
    }

    /// Puts a forged packet on the link to the server. The caller sets the packet's source to the client's address,
    /// although the client has not sent the packet.
    pub(in crate::lab) fn forge(&self, packet: Vec<u8>) -> Result<(), Obstacle> {
        self.recorder.add_forger(vec![UNUSED_ADDRESS.into()]);
        self.forwarder.forge(FORGER, SERVER, packet).map_err(failed("forge a packet"))
    }

    /// Returns the trace of all events recorded until now.
    pub(in crate::lab) fn trace(&self) -> Trace {
        self.recorder.trace()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.shutdown.stop();
    }
}

/// Returns a host's address with Daytime's port, 13.
pub(in crate::lab) fn address(host: HostId) -> SocketAddrV4 {
    SocketAddrV4::new(ADDRESSES[usize::from(host == SERVER)], PORT)
}

fn host(name: &str, host: HostId) -> trace::Host {
    let address = ADDRESSES[usize::from(host == SERVER)];
    trace::Host { name: name.into(), addresses: vec![address.into()] }
}

/// Creates a cable (a veth pair) from each host to the forwarder's namespace. Each host gets the other's hardware
/// address in its neighbour table, so that no ARP request comes before the experiment's first packet.
fn lay_cables(hosts: &[Namespace; 2], middle: &Namespace) -> Result<(), Obstacle> {
    for (id, host) in [CLIENT, SERVER].into_iter().zip(hosts) {
        let (end, thread) = (HOST_NAMES[id.0], host.thread);
        set_up(middle, move |setup| setup.add_cable(end, CABLE, hardware(id), thread))?;
        let other = if id == CLIENT { SERVER } else { CLIENT };
        set_up(host, move |setup| {
            setup.set_up("lo")?;
            setup.add_address(CABLE, ADDRESSES[id.0])?;
            setup.set_up(CABLE)?;
            setup.add_neighbour(CABLE, ADDRESSES[other.0], hardware(other))
        })?;
    }
    Ok(())
}

/// Configures a namespace. This may fail although the namespace exists, because some systems grant no rights inside it.
fn set_up(
    namespace: &Namespace,
    act: impl FnOnce(&NetworkSetup) -> io::Result<()> + Send + 'static,
) -> Result<(), Obstacle> {
    namespace.run(move || act(&NetworkSetup::open()?)).map_err(not_set_up)
}

fn not_set_up(error: io::Error) -> Obstacle {
    match error.kind() {
        ErrorKind::PermissionDenied => Obstacle::Missing(sys::no_rights_inside()),
        ErrorKind::Unsupported => Obstacle::Missing(NO_VETH.to_owned()),
        _ => failed("set up a network namespace")(error),
    }
}

const NO_VETH: &str = "the kernel has no veth devices: load the module (modprobe veth) as root";

#[cfg(test)]
mod tests {
    use super::*;
    use nix::errno::Errno;

    #[test]
    fn an_error_of_a_namespace_names_the_cause_and_the_remedy() {
        let sentence = |errno: Errno| match not_set_up(errno.into()) {
            Obstacle::Missing(sentence) => sentence,
            other => panic!("{other:?}"),
        };
        assert_eq!(sentence(Errno::EPERM), sys::no_rights_inside());
        assert!(sentence(Errno::EOPNOTSUPP).contains("modprobe veth"));
        assert!(matches!(not_set_up(Errno::EEXIST.into()), Obstacle::Failed(..)));
    }
}
