//! Puts load on a server, and measures exchanges per second, latencies and failures.
//!
//! One thread sends queries as fast as it can. It allocates no memory during an exchange, so that the client does not
//! limit the result. The open loop ([`BenchOptions::rate`]) schedules exchanges at fixed times, and counts each latency
//! from the scheduled time. So if a server stops for a second, the result shows that every exchange scheduled in that
//! second was delayed. If latencies were counted from the actual start, only one exchange per socket would look slow
//! ("coordinated omission").

mod datagram;
mod options;
mod outcome;
mod pending;
mod run;
mod schedule;
mod socket;
mod stream;
mod tally;

pub use options::BenchOptions;
pub use outcome::{Bench, Failures, Load, Percentiles};

use crate::client::{AskError, Client, Target, off_limits};
use crate::transport::Transport;
use run::Run;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;
use std::time::Duration;

/// The reason why a load could not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// The host has no address.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The options require more sockets than this process may open (`RLIMIT_NOFILE`).
    #[error("cannot open {concurrency} sockets: this process may open {limit}")]
    Descriptors {
        /// Number of sockets that the options require.
        concurrency: u32,
        /// Number of sockets that the process may open.
        limit: u64,
    },
    /// The options require more sockets than the system has ephemeral ports. Each socket needs its own port.
    #[error("cannot open {concurrency} sockets: this system has {limit} ports for clients")]
    Ports {
        /// Number of sockets that the options require.
        concurrency: u32,
        /// Number of ephemeral ports.
        limit: u32,
    },
    /// One of the host's addresses is public, and the [`Pace`](crate::client::Pace) is not `Off`.
    #[error("cannot load {target}: {address} is public, and questions to it must be 4 s apart")]
    Public {
        /// The requested host.
        target: Target,
        /// The host's first public address.
        address: IpAddr,
    },
    /// A socket could not be opened or registered.
    #[error("cannot set up the sockets for the load")]
    Setup(#[source] io::Error),
}

/// Puts load on a server, over one transport after the other.
///
/// If the host has several addresses, first sends one query to find an address that answers, and puts the load on that
/// address. Calls `progress` about 50 times per second with the elapsed time and the total time. If `progress` returns
/// `Break`, stops early and returns the results up to then.
///
/// # Errors
/// [`BenchError`]. A server that does not answer is not an error: the [`Bench`] then has no answers. If the server
/// refuses every attempt over a transport for the first 200 ms, the load over that transport ends early
/// ([`Load::refused_at_once`]).
///
/// ```
/// use daytime::{BenchOptions, Config, Server, bench};
/// use std::ops::ControlFlow;
/// use std::time::Duration;
///
/// let server = Server::bind(Config::default().address("127.0.0.1:0".parse()?))?.spawn()?;
/// let target = server.bound()[0].address.into();
///
/// let options = BenchOptions::default().duration(Duration::from_millis(100)).warm_up(Duration::ZERO);
/// let bench = bench(&target, &options, &mut |_, _| ControlFlow::Continue(()))?;
/// let [tcp, udp] = &bench.loads[..] else { panic!("two transports") };
/// assert!(tcp.answered > 0 && tcp.failures.count() == 0 && bench.is_good());
/// assert!(tcp.per_second() > 0.0 && tcp.processor_share() > 0.0);
/// assert!(udp.latencies.is_some_and(|latencies| latencies.p50 <= latencies.p99));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn bench(
    target: &Target,
    options: &BenchOptions,
    progress: &mut dyn FnMut(Duration, Duration) -> ControlFlow<()>,
) -> Result<Bench, BenchError> {
    let addresses = target.resolve(&options.ask, options.ask.deadline()?)?;
    if let Some(address) = off_limits(&addresses, &options.ask) {
        return Err(BenchError::Public { target: target.clone(), address });
    }
    options.feasible()?;
    let (target, options) = (target.clone(), options.clone().bounded());
    let mut bench = Bench { target, options, loads: Vec::new(), interrupted: false };
    for transport in bench.options.transports.clone() {
        let peer = choose(&addresses, transport, &bench.options)?;
        load(&mut bench, transport, peer, progress)?;
        if bench.interrupted {
            break;
        }
    }
    Ok(bench)
}

/// Chooses the address to load: the first one that answers a query, or the first in the list if none answers. A single
/// address is chosen without sending a query.
fn choose(
    addresses: &[SocketAddr],
    transport: Transport,
    options: &BenchOptions,
) -> Result<SocketAddr, AskError> {
    if let [only] = addresses {
        return Ok(*only);
    }
    let (ask, mut client) = (&options.ask, Client::new()?);
    let asked = client.ask_addresses(addresses, transport, ask);
    Ok(asked.map_or(addresses[0], |answer| answer.peer))
}

fn load(
    bench: &mut Bench,
    transport: Transport,
    peer: SocketAddr,
    progress: &mut dyn FnMut(Duration, Duration) -> ControlFlow<()>,
) -> Result<(), BenchError> {
    let options = &bench.options;
    let each = options.warm_up + options.duration;
    let part = |count: usize| each * u32::try_from(count).unwrap_or(u32::MAX);
    let (before, all) = (part(bench.loads.len()), part(options.transports.len()));
    let mut of_all = |now| progress(before + now, all);
    let mut run = Run::begin(Load::new(transport, peer), options, &mut of_all);
    let asked = match transport {
        Transport::Tcp => stream::load(peer, options.sockets(), &mut run),
        Transport::Udp => datagram::load(peer, options, &mut run),
    };
    asked.map_err(BenchError::Setup)?;
    bench.interrupted = run.interrupted;
    bench.loads.push(run.finish());
    Ok(())
}
