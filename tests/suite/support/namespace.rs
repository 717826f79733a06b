//! A network namespace for a test. Every port is free in it, and no packet leaves it.

use nix::sched::{CloneFlags, setns};
use nix::unistd::geteuid;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::panic::resume_unwind;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use tempfile::TempDir;

/// Namespaces for network, host name and mounts. Loopback is up, the host is named `lab`, `localhost` has addresses in
/// both families, and `/etc/services` contains the service daytime.
#[derive(Debug)]
pub struct Namespace {
    holder: Child,
    /// The standard input of `holder`, a process that keeps the namespaces alive until its standard input is closed.
    _stdin: ChildStdin,
    user: bool,
    files: TempDir,
}

/// The file `/etc/hosts` inside the namespaces. The name `pair` has two addresses from a range reserved for
/// documentation.
const HOSTS: &str = "127.0.0.1 localhost lab\n::1 localhost\n192.0.2.1 pair\n192.0.2.2 pair\n";

/// Shell script that sets up the namespaces from inside.
const SET_UP: &str = "\
set -e
ip link set lo up
hostname lab
mount --bind \"$1/hosts\" /etc/hosts
if [ -e /etc/services ]; then mount --bind \"$1/services\" /etc/services; fi
echo ready
exec cat
";

impl Namespace {
    /// Creates the namespaces, as root or in a user namespace.
    ///
    /// # Errors
    /// The error is the reason to pass to [`skip`](super::skip).
    pub fn new() -> Result<Self, String> {
        for name in ["unshare", "nsenter", "ip", "hostname", "mount"] {
            super::program(name)?;
        }
        let files = TempDir::new().expect("a temporary folder");
        let write =
            |name: &str, text: &str| fs::write(files.path().join(name), text).expect("written");
        write("hosts", HOSTS);
        write("services", "daytime 13/tcp\ndaytime 13/udp\n");
        let user = !geteuid().is_root();
        let mut holder = Command::new("unshare")
            .args(if user { &["-U", "-r", "-n", "-u", "-m"][..] } else { &["-n", "-u", "-m"] })
            .args(["sh", "-c", SET_UP, "sh"])
            .arg(files.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start unshare: {error}"))?;
        let stdin = holder.stdin.take().expect("piped");
        let mut ready = String::new();
        let mut output = BufReader::new(holder.stdout.take().expect("piped"));
        output.read_line(&mut ready).expect("readable");
        if ready != "ready\n" {
            let mut why = String::new();
            drop(stdin);
            let _ = holder.stderr.take().expect("piped").read_to_string(&mut why);
            let _ = holder.wait();
            return Err(format!("cannot make a network namespace: {}", why.trim()));
        }
        Ok(Self { holder, _stdin: stdin, user, files })
    }

    /// Creates namespaces in which the host has these addresses in addition to the loopback addresses.
    pub fn having(addresses: &[&str]) -> Result<Self, String> {
        let inside = Self::new()?;
        for address in addresses {
            super::good(inside.command("ip").args(["addr", "add", address, "dev", "lo"]));
        }
        Ok(inside)
    }

    /// Returns a command that runs a program inside the namespaces. The process starts as `nsenter`, which executes the
    /// program.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.holder.id().to_string(), "-n", "-u", "-m"]);
        if self.user {
            command.args(["-U", "--preserve-credentials"]);
        }
        command.arg("--").arg(program);
        super::running::clean(command)
    }

    /// Returns a command that runs the binary under test inside the namespaces.
    pub fn daytime(&self) -> Command {
        self.command(env!("CARGO_BIN_EXE_daytime"))
    }

    /// Calls `act` in a thread inside the network namespace, so that `act` opens its sockets there.
    ///
    /// # Errors
    /// Only root may enter. The error is the reason to pass to [`skip`](super::skip).
    pub fn enter<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T, String> {
        let network = fs::File::open(format!("/proc/{}/ns/net", self.holder.id()));
        let network = network.map_err(|error| format!("no namespace to enter: {error}"))?;
        thread::scope(|scope| {
            let entered = scope.spawn(|| {
                setns(&network, CloneFlags::CLONE_NEWNET)
                    .map_err(|error| format!("no thread may enter a namespace: {error}"))?;
                Ok(act())
            });
            entered.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    /// Connects two namespaces with a pair of interfaces. Both are named `cable`, and get the given addresses with
    /// their prefix lengths.
    ///
    /// # Errors
    /// Only root may configure both. The error is the reason to pass to [`skip`](super::skip).
    pub fn join(&self, other: &Self, here: &[&str], there: &[&str]) -> Result<(), String> {
        let pid = other.holder.id();
        let link = format!("link add cable type veth peer name cable netns {pid}");
        let linked = super::run(self.command("ip").args(link.split(' ')));
        if !linked.status.success() {
            return Err(format!("no cable between namespaces: {}", super::stderr(&linked).trim()));
        }
        for (namespace, addresses) in [(self, here), (other, there)] {
            for address in addresses {
                // Without "nodad", an IPv6 address is tentative for a second (RFC 4862, 5.4).
                let nodad = if address.contains(':') { " nodad" } else { "" };
                let add = format!("addr add {address} dev cable{nodad}");
                super::good(namespace.command("ip").args(add.split(' ')));
            }
            super::good(namespace.command("ip").args("link set cable up".split(' ')));
        }
        Ok(())
    }

    /// Returns a folder for the test's files.
    pub fn folder(&self) -> &std::path::Path {
        self.files.path()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
