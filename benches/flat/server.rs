//! The server that is measured, and what the kernel tells of it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// The real binary with limits so wide that nobody is refused; ended when dropped.
pub(crate) struct Server {
    child: Child,
    pub address: SocketAddr,
    /// Descriptors it had before anybody came.
    descriptors: usize,
}

/// `chrt -b`: it does not interrupt the client for each datagram, so that it finds a batch each time.
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

/// Whether the server's limits are those of loopback too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limits {
    Off,
    On,
}

impl Server {
    pub(crate) fn start(limits: Limits) -> Self {
        let [chrt, under @ ..] = UNDER;
        let mut command = Command::new(chrt);
        command.args(under).arg(env!("CARGO_BIN_EXE_daytime")).args(OPTIONS);
        if limits == Limits::On {
            command.arg("--limit-loopback");
        }
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut output = BufReader::new(child.stdout.take().expect("piped")).lines();
        let line = output.next().expect("a line").expect("readable");
        let address = line.strip_prefix("tcp ").expect("bound").parse().expect("an address");
        let _udp = output.next(); // it is bound, too
        let mut server = Self { child, address, descriptors: 0 };
        server.descriptors = server.connections();
        server
    }

    /// How many connections it has open, once `start` is over.
    pub(crate) fn connections(&self) -> usize {
        fs::read_dir(self.proc("fd")).expect("it runs").count().saturating_sub(self.descriptors)
    }

    /// Nanoseconds of its CPU time that each of so many exchanges takes.
    pub(crate) fn cost(&self, exchanges: usize, run: impl FnOnce()) -> u32 {
        let before = self.cpu_ns();
        run();
        u32::try_from((self.cpu_ns() - before) / exchanges as u64).expect("less than seconds")
    }

    fn cpu_ns(&self) -> u64 {
        let tasks = fs::read_dir(self.proc("task")).expect("it runs");
        let of = |task: fs::DirEntry| {
            let text = fs::read_to_string(task.path().join("schedstat")).expect("schedstat");
            text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).expect("nanoseconds")
        };
        tasks.map(|task| of(task.expect("readable"))).sum()
    }

    /// Memory that is its alone and no file's: what it has written to.
    pub(crate) fn private_octets(&self) -> usize {
        let rollup = fs::read_to_string(self.proc("smaps_rollup")).expect("it runs");
        let private = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:"));
        let kib = private.expect("a line").trim().trim_end_matches(" kB");
        kib.parse::<usize>().expect("a number") * 1024
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
