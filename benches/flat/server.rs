//! The server under test. The kernel reports its processor time and memory.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// Runs the real `daytime` program, with abuse limits so high that they refuse no client.
pub(crate) struct Server {
    running: daytime_benches::Server,
    /// Number of descriptors that the server had open before the first client.
    descriptors: usize,
}

/// The command that runs the server with the scheduling policy SCHED_BATCH (`chrt -b`). With this policy, the server
/// does not preempt the client for each datagram, so it receives full batches.
const UNDER: [&str; 3] = ["chrt", "-b", "0"];
const OPTIONS: [&str; 17] = [
    "serve",
    "-q",
    "--listen",
    "127.0.0.1",
    "--port",
    "0",
    "--udp-rate",
    "1000000",
    "--udp-burst",
    "1000000",
    "--udp-total-rate",
    "1000000",
    "--tcp-per-source",
    "20000",
    "--tcp-total",
    "40000",
    "--drain-deadline=300",
];

/// Whether the server's abuse limits also apply to loopback clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limits {
    Off,
    On,
}

impl Server {
    pub(crate) fn start(program: &Path, limits: Limits) -> Self {
        let [chrt, under @ ..] = UNDER;
        let mut command = Command::new(chrt);
        command.args(under).arg(program).args(OPTIONS);
        if limits == Limits::On {
            command.arg("--limit-loopback");
        }
        let running = daytime_benches::Server::start(&mut command);
        let mut server = Self { running, descriptors: 0 };
        server.descriptors = server.connections();
        server
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.running.address
    }

    /// Returns the number of open connections: the number of descriptors that the server has opened since its start.
    pub(crate) fn connections(&self) -> usize {
        fs::read_dir(self.running.proc("fd"))
            .expect("it runs")
            .count()
            .saturating_sub(self.descriptors)
    }

    /// Calls `run`, which performs `exchanges` exchanges. Returns the server's processor time per exchange, in
    /// nanoseconds.
    pub(crate) fn cost(&self, exchanges: usize, run: impl FnOnce()) -> u32 {
        let before = self.cpu_ns();
        run();
        u32::try_from((self.cpu_ns() - before) / exchanges as u64).expect("less than seconds")
    }

    fn cpu_ns(&self) -> u64 {
        let tasks = fs::read_dir(self.running.proc("task")).expect("it runs");
        let of = |task: fs::DirEntry| {
            let text = fs::read_to_string(task.path().join("schedstat")).expect("schedstat");
            text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).expect("nanoseconds")
        };
        tasks.map(|task| of(task.expect("readable"))).sum()
    }

    /// Returns the server's private memory in octets, which are the anonymous pages that the server has written.
    pub(crate) fn private_octets(&self) -> usize {
        usize::try_from(self.running.kib("smaps_rollup", "Anonymous:") * 1024).expect("it fits")
    }
}
