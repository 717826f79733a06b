//! A server of somebody else's as a child process.

use crate::support::{Namespace, PATIENCE, stdout};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output};
use std::time::{Instant, SystemTime};

/// A running server in a namespace. It ends when dropped, with the processes it has started.
pub(super) struct Peer {
    /// The leader of a process group, which everything that the server starts belongs to.
    child: Child,
    log: PathBuf,
}

impl Peer {
    /// Starts it with UTC as its local time, and waits until this many sockets are bound to `port`.
    pub(super) fn start(
        namespace: &Namespace,
        mut command: Command,
        port: u16,
        sockets: usize,
    ) -> Self {
        let log = namespace.folder().join("log");
        let file = File::create(&log).expect("written");
        command.env("TZ", "UTC").stdout(file.try_clone().expect("a second handle")).stderr(file);
        command.process_group(0);
        let mut peer = Self { child: command.spawn().expect("it starts"), log };
        peer.wait_until_bound(namespace, port, sockets);
        peer
    }

    /// The processes it has started and that are still there, zombies too.
    pub(super) fn children(&self) -> Vec<u32> {
        let pid = self.child.id();
        let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("Linux");
        list.split_whitespace().map(|child| child.parse().expect("a number")).collect()
    }

    fn wait_until_bound(&mut self, namespace: &Namespace, port: u16, sockets: usize) {
        let deadline = Instant::now() + PATIENCE;
        let filter = format!("sport = :{port}");
        loop {
            let mut listing = namespace.command("ss");
            let listing = listing.args(["-Hltun", &filter]).output().expect("ss runs");
            assert!(listing.status.success(), "{listing:?}");
            let bound = stdout(&listing).lines().count();
            if bound == sockets {
                return;
            }
            let ended = self.child.try_wait().expect("waited for");
            let log = || fs::read_to_string(&self.log).unwrap_or_default();
            assert_eq!(ended, None, "it ended: {}", log());
            assert!(Instant::now() < deadline, "{bound} of {sockets} sockets: {}", log());
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // All of it may have ended already.
        let _ = killpg(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

/// The objects that a command prints, one or many.
pub(super) fn objects(output: &Output) -> Vec<serde_json::Value> {
    let values = serde_json::Deserializer::from_str(&stdout(output)).into_iter().collect();
    let values: Result<_, _> = values;
    values.expect("JSON")
}

/// Asserts that a line is a time in UTC by this `strftime` format, and that it is now.
pub(super) fn assert_now(line: &str, format: &str) {
    let time = NaiveDateTime::parse_from_str(line, format)
        .unwrap_or_else(|error| panic!("{line:?} is not {format:?}: {error}"));
    let off = DateTime::<Utc>::from(SystemTime::now()).naive_utc() - time;
    let patience = TimeDelta::from_std(PATIENCE).expect("in range");
    assert!(off.abs() <= patience, "{line:?} is off by {off}");
}
