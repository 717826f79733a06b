//! Load: how many exchanges a second a server gives, how long they take, and how many fail.
//!
//! One thread asks as fast as it can and allocates nothing for an exchange, so that the server is what is
//! measured. The open loop ([`BenchOptions::rate`]) has its exchanges at fixed times and counts their latency
//! from then, also of those that began late because all slots were taken: otherwise a server that stops for a
//! second would spoil one exchange and not all that should have been in that second ("coordinated omission").

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

/// Why a server cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// The host has no address.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// More sockets are wanted than this process may open (`RLIMIT_NOFILE`).
    #[error("cannot keep {concurrency} sockets open: this process may have {limit}")]
    Descriptors {
        /// How many are wanted.
        concurrency: u32,
        /// How many there may be.
        limit: u64,
    },
    /// More sockets are wanted than there are ports for clients, each of which has its own.
    #[error("cannot keep {concurrency} sockets open: this system gives clients {limit} ports")]
    Ports {
        /// How many are wanted.
        concurrency: u32,
        /// How many there are.
        limit: u32,
    },
    /// One of the host's addresses is public, and the [`Pace`](crate::client::Pace) is not `Off`.
    #[error("will not load {target}: {address} is public, so questions have to be 4 s apart")]
    Public {
        /// Who was to be asked.
        target: Target,
        /// The first such address.
        address: IpAddr,
    },
    /// No socket could be opened, or not be waited for.
    #[error("cannot set up the sockets to ask with")]
    Setup(#[source] io::Error),
}

/// Loads a server, over one transport after the other.
///
/// Of a host with several addresses, the one that answers a question beforehand is loaded. `progress` is told
/// about 50 times a second how much of the time is over; what has been measured when it breaks is the result.
///
/// # Errors
/// [`BenchError`]. A server that does not answer is not an error: see [`Bench`]. If every attempt over a
/// transport is refused for 200 ms from the first one on, its load ends ([`Load::refused_at_once`]).
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

/// The address that answers, or the first where none does; a single one is not asked.
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
