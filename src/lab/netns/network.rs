//! Two hosts on one link, and the actions of experiments there.

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

/// Time between two tests whether a cable is ready. The kernel needs some milliseconds at most.
const RETRY_INTERVAL: Duration = Duration::from_millis(5);

/// Name of the interface that is the host's end of its cable.
const CABLE: &str = "cable";

/// Names of the hosts by number, which are also the names of the forwarder's ends of the cables.
const HOST_NAMES: [&str; 2] = ["client", "server"];

/// The network of one part of an experiment. Dropping this value removes the network.
#[derive(Debug)]
pub(in crate::lab) struct Network {
    hosts: [Namespace; 2],
    pub recorder: Recorder,
    forwarder: Forwarder,
    delay: Duration,
}

/// A real server on a host. Dropping this value stops the server.
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
        // The forwarder's ends of the cables come up last, and work at once. Then `wait_for_cables` sends probes until
        // the hosts' ends work too.
        set_up(&middle, |setup| HOST_NAMES.into_iter().try_for_each(|end| setup.set_up(end)))?;
        let network = Self { hosts, recorder, forwarder, delay };
        network.wait_for_cables()?;
        Ok(network)
    }

    /// Waits until both cables work, because a packet that a host sends before that may be lost.
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
                // A send may also fail while the cable is not ready.
                let _ = self.host(host).run(probe);
            }
        }
        Ok(())
    }

    fn host(&self, host: HostId) -> &Namespace {
        &self.hosts[usize::from(host == SERVER)]
    }

    /// Returns the time from sending a packet to receiving its answer: twice the delay of the link.
    pub(in crate::lab) fn round_trip(&self) -> Duration {
        2 * self.delay
    }

    /// Runs a job on a host; the job gets the recorder for its calls.
    pub(in crate::lab) fn on<T: Send + 'static>(
        &self,
        host: HostId,
        what: &str,
        act: impl FnOnce(&Recorder) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Obstacle> {
        let recorder = self.recorder.clone();
        self.host(host).run(move || act(&recorder)).map_err(failed(what))
    }

    /// Starts a job in a new thread of the host. The job gets the recorder for its calls.
    pub(in crate::lab) fn meanwhile<T: Send + 'static>(
        &self,
        host: HostId,
        what: &str,
        act: impl FnOnce(&Recorder) -> io::Result<T> + Send + 'static,
    ) -> Result<Pending<T>, Obstacle> {
        let recorder = self.recorder.clone();
        self.host(host).start(move || act(&recorder)).map_err(failed(what))
    }

    /// Gives the server's host a second address, and makes it known to the client's host.
    pub(in crate::lab) fn add_address(&self, address: Ipv4Addr) -> Result<(), Obstacle> {
        set_up(self.host(SERVER), move |setup| setup.add_address(CABLE, address))?;
        let hardware = hardware(SERVER);
        set_up(self.host(CLIENT), move |setup| setup.add_neighbour(CABLE, address, hardware))?;
        self.recorder.add_address(SERVER, address.into());
        Ok(())
    }

    /// Starts the real server, TCP and UDP, at port 13 of a host.
    pub(in crate::lab) fn serve(&self, host: HostId) -> Result<Serving, Obstacle> {
        self.serve_at(host, address(host).into())
    }

    /// Starts the real server at this address of a host.
    pub(in crate::lab) fn serve_at(
        &self,
        host: HostId,
        at: SocketAddr,
    ) -> Result<Serving, Obstacle> {
        let mut listen = Listen::default();
        // The timeout is longer by several round trips. TCP_USER_TIMEOUT must not end the retransmissions before three
        // of them show how the waits grow.
        listen.write_deadline += 15 * self.round_trip();
        let config = Config { addresses: vec![at], listen, ..Config::default() };
        let bind = move || Server::bind(config).map_err(io::Error::other);
        let server = self.host(host).run(bind).map_err(failed("start the server"))?;
        let serving = Serving { shutdown: server.shutdown(), metrics: server.metrics() };
        let run = move || server.run().map_err(io::Error::other);
        self.host(host).start(run).map_err(failed("start the server"))?;
        Ok(serving)
    }

    /// Asks the server with the client of this crate.
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

    /// Puts a packet on the link to the server. Its source is the client's address, but the client has not sent it.
    pub(in crate::lab) fn forge(&self, packet: Vec<u8>) -> Result<(), Obstacle> {
        self.recorder.add_forger(vec![UNUSED_ADDRESS.into()]);
        self.forwarder.forge(FORGER, SERVER, packet).map_err(failed("forge a packet"))
    }

    /// Returns the trace recorded so far.
    pub(in crate::lab) fn trace(&self) -> Trace {
        self.recorder.trace()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.shutdown.stop();
    }
}

/// Returns the address of a host with Daytime's port, 13.
pub(in crate::lab) fn address(host: HostId) -> SocketAddrV4 {
    SocketAddrV4::new(ADDRESSES[usize::from(host == SERVER)], PORT)
}

fn host(name: &str, host: HostId) -> trace::Host {
    let address = ADDRESSES[usize::from(host == SERVER)];
    trace::Host { name: name.into(), addresses: vec![address.into()] }
}

/// Lays a cable (a veth pair) from each host to the forwarder's namespace. The hosts know each other's hardware
/// address, so that no packet has to ask for it before the experiment's first packet.
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

/// Configures a namespace. This may fail although the namespace was made, because some systems give no rights inside
/// it.
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
