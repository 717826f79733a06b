//! Builds the program as its users do, and runs it as a server.

#![allow(clippy::expect_used, clippy::must_use_candidate, clippy::missing_panics_doc)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Builds the program in the release profile, with additional `options` for cargo. Returns the program's path.
///
/// Cargo does not pass the path of another package's program to a benchmark. Cargo would also build that program with
/// the features that the benchmarks need.
pub fn build(options: &[String]) -> PathBuf {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--release", "--package", "daytime"]).args(options);
    let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo starts");
    assert!(built.success(), "{built}");
    // Cargo places benchmarks in `release/deps`, so the program is in the parent directory.
    let benchmark = std::env::current_exe().expect("a path");
    let release = benchmark.parent().and_then(Path::parent).expect("a folder");
    release.join("daytime")
}

/// A running server. Dropping this value ends the server's process.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Address of the server, which is the same for TCP and UDP.
    pub address: SocketAddr,
}

impl Server {
    /// Starts `command`, which runs `daytime serve`. Returns once the server has printed its addresses.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut next = || lines.next().expect("a line").expect("readable");
        let address = next().strip_prefix("tcp ").expect("bound").parse().expect("an address");
        Self { child, address }
    }

    /// Returns the path of a file in the server's directory `/proc/PID` (proc(5)).
    pub fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.child.id())
    }

    /// Returns the value of the field `name`, in KiB, from a file in the server's directory `/proc/PID` (proc(5)).
    pub fn kib(&self, file: &str, name: &str) -> u64 {
        let text = fs::read_to_string(self.proc(file)).expect("it runs");
        let figure = text.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        figure.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
