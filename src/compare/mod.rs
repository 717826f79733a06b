//! Compares what the same query costs over TCP and over UDP: packets, system calls, latencies, and state left in the
//! kernel.

mod closed;
mod latency;
mod probe;

#[cfg(feature = "lab")]
pub(crate) use closed::closed_port;
pub use closed::{ClosedPort, NoListener};
pub use latency::Latencies;
pub use probe::{Leftover, Phase, Phases, Provenance};

use crate::client::{Answer, AskError, Calls, Client, Options, Target, off_limits};
use crate::server::{Config, ServeError, Server};
use crate::transport::Transport;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

options! {
    /// Options for a comparison.
    ///
    /// ```
    /// use daytime::compare::CompareOptions;
    /// let options = CompareOptions::default().count(10);
    /// assert_eq!((options.count, options.ask.retries), (10, 0));
    /// ```
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct CompareOptions {
        /// Number of exchanges over each transport from which the latencies are measured.
        pub count: u32,
        /// Options for each query. The default has no retries, so that a lost datagram is visible. A comparison
        /// sends hundreds of queries without a pause, so a public address requires
        /// [`Pace::Off`](crate::client::Pace::Off).
        pub ask: Options,
    }
}

impl Default for CompareOptions {
    /// Returns the default: 200 exchanges over each transport, each with a timeout of 2 seconds and no retries.
    fn default() -> Self {
        let ask = Options { timeout: Duration::from_secs(2), retries: 0, ..Options::default() };
        Self { count: 200, ask }
    }
}

/// The result of a comparison.
#[derive(Debug)]
#[non_exhaustive]
pub struct Comparison {
    /// The host that was queried.
    pub target: Target,
    /// Whether the comparison started a local server for its run.
    pub local_server: bool,
    /// Requested number of exchanges over each transport from which to measure the latencies.
    pub count: u32,
    /// The results over TCP.
    pub tcp: Result<Side, AskError>,
    /// The results over UDP.
    pub udp: Result<Side, AskError>,
    /// How a closed port on this host responds over each transport.
    pub closed: Result<ClosedPort, io::Error>,
}

/// The results over one transport.
#[derive(Debug)]
#[non_exhaustive]
pub struct Side {
    /// The first answer.
    pub answer: Answer,
    /// The client's most frequent sequence of system calls. Sequences vary, because a client that must wait for the
    /// reply makes an additional call.
    pub calls: Calls,
    /// Packets and octets while connecting, during the exchange, and while closing.
    pub phases: Phases,
    /// State that an exchange leaves in a kernel.
    pub leftover: Leftover,
    /// Durations of the exchanges, from opening the socket to closing it.
    pub latencies: Latencies,
    /// Number of exchanges without an answer. After [`MAX_FAILURES`] of them in a row, the comparison sends no more
    /// queries over this transport.
    pub failures: u32,
}

/// Number of failures in a row after which a comparison sends no more queries over a transport.
pub const MAX_FAILURES: u32 = 3;

/// The reason why a comparison could not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// The local server could not be started.
    #[error("cannot start a local server")]
    Server(#[from] ServeError),
    /// The local server's thread could not be started.
    #[error("cannot start a thread for the local server")]
    Thread(#[source] io::Error),
    /// One of the host's addresses is public, and the [`Pace`](crate::client::Pace) is not `Off`.
    #[error(
        "cannot compare on {target}: {address} is public, and questions to it must be 4 s apart"
    )]
    Public {
        /// The requested host.
        target: Target,
        /// The host's first public address.
        address: IpAddr,
    },
    /// The host could not be queried at all.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The host answers over neither transport.
    #[error("{target} answers over neither transport")]
    NoAnswer {
        /// The requested host.
        target: Target,
        /// The error over TCP.
        tcp: Box<AskError>,
        /// The error over UDP.
        udp: Box<AskError>,
    },
}

/// Compares TCP and UDP on a host. If `target` is `None`, starts a local server on a free port of a loopback address.
///
/// After each round, calls `progress` with the number of finished rounds and the total number. A round is one exchange
/// over each transport.
///
/// # Errors
/// [`CompareError`]. A host that answers over only one transport is not an error: the [`Comparison`] then has an error
/// for the other transport.
///
/// ```
/// use daytime::compare::{CompareOptions, compare};
/// let options = CompareOptions::default().count(3);
/// let comparison = compare(None, &options, &mut |done, of| assert!(done <= of))?;
/// let (tcp, udp) = (comparison.tcp?, comparison.udp?);
/// assert!(tcp.phases.total.packets > udp.phases.total.packets);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn compare(
    target: Option<&Target>,
    options: &CompareOptions,
    progress: &mut dyn FnMut(u32, u32),
) -> Result<Comparison, CompareError> {
    if let Some(target) = target {
        return compare_on(target, options, progress);
    }
    let local = Server::bind(local_config(options))?.spawn().map_err(CompareError::Thread)?;
    let comparison = compare_on(&local.bound()[0].address.into(), options, progress)?;
    Ok(Comparison { local_server: true, ..comparison })
}

fn compare_on(
    target: &Target,
    options: &CompareOptions,
    progress: &mut dyn FnMut(u32, u32),
) -> Result<Comparison, CompareError> {
    let mut client = Client::new()?;
    let addresses = target.resolve(&options.ask, options.ask.deadline()?)?;
    if let Some(address) = off_limits(&addresses, &options.ask) {
        return Err(CompareError::Public { target: target.clone(), address });
    }
    let mut first_exchange =
        |transport| first_exchange(&mut client, &addresses, transport, &options.ask);
    let (mut tcp, mut udp) = match (first_exchange(Transport::Tcp), first_exchange(Transport::Udp))
    {
        (Err(tcp), Err(udp)) => {
            let (tcp, udp) = (Box::new(tcp), Box::new(udp));
            return Err(CompareError::NoAnswer { target: target.clone(), tcp, udp });
        }
        sides => sides,
    };
    measure_latencies(&mut client, &mut tcp, &mut udp, options, progress);
    let closed = closed::try_closed_port(&mut client, addresses[0]);
    let target = target.clone();
    Ok(Comparison { target, local_server: false, count: options.count, tcp, udp, closed })
}

/// Runs the first exchange over a transport, then probes the address that answered.
fn first_exchange(
    client: &mut Client,
    addresses: &[SocketAddr],
    transport: Transport,
    options: &Options,
) -> Result<Side, AskError> {
    let answer = client.ask_addresses(addresses, transport, options)?;
    let (phases, leftover) = probe::probe(client, &answer, options);
    let calls = answer.calls.clone();
    Ok(Side { answer, calls, phases, leftover, latencies: Latencies::default(), failures: 0 })
}

/// Runs the exchanges that measure the latencies. The transports alternate, so that other load on the machine affects
/// both.
fn measure_latencies(
    client: &mut Client,
    tcp: &mut Result<Side, AskError>,
    udp: &mut Result<Side, AskError>,
    options: &CompareOptions,
    progress: &mut dyn FnMut(u32, u32),
) {
    let sides = [tcp, udp].into_iter().filter_map(|side| side.as_mut().ok());
    let mut sides: Vec<_> = sides.map(|side| (side, Tally::default())).collect();
    for done in 0..options.count {
        for (side, tally) in &mut sides {
            if tally.failed_in_a_row < MAX_FAILURES {
                tally.add_exchange(client, &side.answer, &options.ask);
            }
        }
        progress(done + 1, options.count);
    }
    for (side, tally) in sides {
        side.latencies = tally.latencies.into_iter().collect();
        side.failures = tally.failures;
        if let Some((calls, _)) = tally.calls.into_iter().max_by_key(|(_, times)| *times) {
            side.calls = calls;
        }
    }
}

/// Latencies, failures and system calls of all exchanges over one transport.
#[derive(Default)]
struct Tally {
    latencies: Vec<Duration>,
    failures: u32,
    failed_in_a_row: u32,
    calls: BTreeMap<Calls, u32>,
}

impl Tally {
    /// Queries `answer`'s peer once more over the same transport, and records the result.
    fn add_exchange(&mut self, client: &mut Client, answer: &Answer, options: &Options) {
        let started = Instant::now();
        if let Ok(answer) = client.ask_addresses(&[answer.peer], answer.transport, options) {
            self.latencies.push(started.elapsed());
            *self.calls.entry(answer.calls).or_default() += 1;
            self.failed_in_a_row = 0;
        } else {
            self.failures += 1;
            self.failed_in_a_row += 1;
        }
    }
}

/// Returns the local server's configuration: both transports, on the loopback addresses of the requested address
/// families.
fn local_config(options: &CompareOptions) -> Config {
    let candidates: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let addresses = candidates.map(|ip| SocketAddr::new(ip, 0)).into_iter();
    let addresses = addresses.filter(|address| options.ask.family.admits(*address)).collect();
    Config { addresses, ..Config::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::thread;

    #[test]
    fn one_lost_datagram_does_not_remove_the_column_of_udp() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let address = socket.local_addr().expect("bound");
        let server = thread::spawn(move || {
            // The server answers the first query, and ignores the second one, which comes from the first probe.
            for number in 0.. {
                let (length, peer) = socket.recv_from(&mut [0; 8]).expect("readable");
                if length > 0 {
                    return number;
                }
                if number != 1 {
                    socket.send_to(b"noon\r\n", peer).expect("sent");
                }
            }
            0
        });
        let mut options = CompareOptions { count: 5, ..CompareOptions::default() };
        options.ask.timeout = Duration::from_secs(1);
        let comparison = compare(Some(&address.into()), &options, &mut |_, _| {});
        let stop = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        stop.send_to(b"stop", address).expect("sent");
        assert!(server.join().expect("no panic") >= 2, "the lost question was asked");
        let udp = comparison.expect("UDP answers").udp.expect("UDP answers");
        assert_eq!((udp.failures, udp.latencies.sorted().len()), (0, 5));
    }
}
