//! Measures how the cost of an exchange depends on the number of sources and on the number of idle connections, and how
//! much memory an open connection takes: see `benches/README.md`.
//!
//! ```sh
//! cargo bench --package daytime-benches --bench flat
//! cargo bench --package daytime-benches --bench flat -- 3
//! ```
//!
//! The argument is the number of rounds. Each round measures every row of a table once, so other load on the machine
//! affects all rows alike. The tables show medians. The cost is the processor time of the server's threads, which Linux
//! reports in nanoseconds (`/proc/PID/task/TID/schedstat`).
//!
//! The exit status is 1 if an exchange is lost. The measured costs do not affect the exit status.

#![allow(clippy::expect_used, clippy::print_stdout)]

mod load;
mod server;

use load::{Datagrams, Held, exchange_streams};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;
use server::{Limits, Server};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

const ROUNDS: usize = 5;
/// Number of datagrams per measurement. It equals the number of sources in the last row, so each of those sources sends
/// one query.
const DATAGRAMS: usize = 100_000;
const STREAMS: usize = 5_000;
const SOURCES: [usize; 4] = [1, 100, 10_000, 100_000];
const CONNECTIONS: [usize; 4] = [1, 100, 1_000, 10_000];
/// Maximum ratio of a row's cost to the cost of the first row. The table marks a row above this ratio as "not flat".
const FLAT: f64 = 1.10;
/// Expected maximum memory per connection, in octets.
const CONNECTION_OCTETS: usize = 200;
/// Number of descriptors that must stay free for other uses, in the server and in this process.
const OTHER_DESCRIPTORS: usize = 200;

fn main() -> ExitCode {
    // Skips arguments that are not numbers, because Cargo passes `--bench` to every benchmark.
    let rounds = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let rounds = rounds.unwrap_or(ROUNDS).clamp(1, 99);
    let most = raise_descriptors().saturating_sub(OTHER_DESCRIPTORS);
    // Builds the program before this process is pinned to one processor, so that the build can use all processors.
    let program = daytime_benches::build(&[]);
    // Client and server share one processor, so they take turns, and no wake-up crosses processors.
    let mut first = CpuSet::new();
    first.set(0).expect("a processor");
    sched_setaffinity(Pid::from_raw(0), &first).expect("pinned");
    memory(&program, most);
    let lost = sources(&program, rounds) + idle(&program, rounds, most);
    if lost == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Raises the soft limit on open files to the hard limit. Returns the new limit.
fn raise_descriptors() -> usize {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("raised");
    usize::try_from(hard).unwrap_or(usize::MAX)
}

/// Measures how much the server's private memory grows per connection.
fn memory(program: &Path, most: usize) {
    let server = Server::start(program, Limits::On);
    let mut datagrams = Datagrams::new(server.address());
    // Makes the server allocate all memory that does not depend on the number of connections.
    assert_eq!(datagrams.exchange(1_000, 1) + exchange_streams(server.address(), 1_000), 0, "lost");
    settle();
    let before = server.private_octets();
    println!("\n| open connections | own memory, KiB | octets each |\n|--:|--:|--:|");
    println!("| 0 | {} | |", before / 1024);
    let mut held = Held::new(server.address());
    for connections in [1_000, 10_000, 16_000] {
        let Some(connections) = within(connections, most) else { break };
        held.hold(connections, || server.connections());
        settle();
        let now = server.private_octets();
        let each = now.saturating_sub(before) / connections;
        let verdict = if each <= CONNECTION_OCTETS { "" } else { ", more than 200" };
        println!("| {connections} | {} | {each}{verdict} |", now / 1024);
    }
}

/// Measures how the cost of a datagram depends on the number of sources, once with abuse limits and once without them.
/// Without limits, only the kernel's cost grows: on loopback, the server's send call also looks up the client's socket,
/// whose address changes with each datagram.
fn sources(program: &Path, rounds: usize) -> usize {
    let mut lost = 0;
    let mut runs = [Limits::On, Limits::Off].map(|limits| {
        let server = Server::start(program, limits);
        let mut datagrams = Datagrams::new(server.address());
        lost += datagrams.exchange(DATAGRAMS, DATAGRAMS); // fills the server's table of sources before the measurement
        (server, datagrams, SOURCES.map(|_| Vec::new()))
    });
    for _ in 0..rounds {
        for (row, sources) in SOURCES.into_iter().enumerate() {
            for (server, datagrams, costs) in &mut runs {
                settle();
                let run = || lost += datagrams.exchange(DATAGRAMS, sources);
                costs[row].push(server.cost(DATAGRAMS, run));
            }
        }
    }
    let [on, off] = runs.map(|(.., costs)| SOURCES.into_iter().zip(costs));
    table("different sources, limits on", "UDP", on);
    table("different sources, limits off", "UDP", off);
    lost
}

/// Measures how the cost of an exchange depends on the number of idle connections.
fn idle(program: &Path, rounds: usize, most: usize) -> usize {
    let server = Server::start(program, Limits::On);
    let mut datagrams = Datagrams::new(server.address());
    let mut held = Held::new(server.address());
    let mut rows: Vec<_> = CONNECTIONS.into_iter().filter_map(|it| within(it, most)).collect();
    rows.dedup();
    let mut costs: Vec<_> = rows.into_iter().map(|it| (it, Vec::new(), Vec::new())).collect();
    let mut lost = exchange_streams(server.address(), STREAMS);
    for _ in 0..rounds {
        for (connections, streams, datagram) in &mut costs {
            held.hold(*connections, || server.connections());
            settle();
            streams.push(server.cost(STREAMS, || {
                lost += exchange_streams(server.address(), STREAMS);
                settle(); // The server checks new connections in this pause, so this row includes the check.
            }));
            let udp = DATAGRAMS / 2;
            datagram.push(server.cost(udp, || lost += datagrams.exchange(udp, 1)));
        }
        costs.reverse(); // alternates the order of the rows, so that no row is always measured last
    }
    costs.sort_by_key(|(connections, ..)| *connections);
    let streams = costs.iter().map(|(connections, costs, _)| (*connections, costs.clone()));
    table("idle connections", "TCP", streams);
    table("idle connections", "UDP", costs.into_iter().map(|(it, _, costs)| (it, costs)));
    lost
}

/// Caps `connections` at `most`, the number that the limit on open files allows. Returns `None` if `most` is 0.
fn within(connections: usize, most: usize) -> Option<usize> {
    if connections > most {
        println!("(the limit of open files leaves {most} connections)");
    }
    (most > 0).then_some(connections.min(most))
}

/// Waits long enough for the server to register or close its connections and for all packets to arrive.
fn settle() {
    thread::sleep(Duration::from_millis(40));
}

/// Prints a table of costs in microseconds. It has one row for each number of sources or connections.
fn table(of: &str, transport: &str, rows: impl Iterator<Item = (usize, Vec<u32>)>) {
    println!("\n| {of} | µs a {transport} exchange (min-max) | ratio | |\n|--:|--:|--:|---|");
    let mut first = None;
    for (number, mut costs) in rows {
        costs.sort_unstable();
        let shown = [costs[costs.len() / 2], costs[0], costs[costs.len() - 1]];
        let [median, min, max] = shown.map(|ns| f64::from(ns) / 1e3);
        let ratio = median / *first.get_or_insert(median);
        let verdict = if ratio <= FLAT { "within 10 %" } else { "not flat" };
        println!("| {number} | {median:.2} ({min:.2}-{max:.2}) | {ratio:.2} | {verdict} |");
    }
}
