//! Tests what code that has taken over a confined server can still reach. A C library
//! (`support/taken_over.c`) is preloaded into the real server and makes its calls after the first
//! connection. Without the sandbox, each call must work, so that a refusal means something.

use crate::or_skip;
use crate::support::wire::{connect, read_to_end};
use crate::support::{Running, daytime, good, ipv6, program, whole_sandbox};
use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Address family of the abused listener, and target of the connection attempt.
#[derive(Clone, Copy, Debug)]
struct Family {
    listen: &'static str,
    /// Address in the form that the socket needs.
    target: &'static str,
    /// Same address, in the form of the target's listener.
    there: &'static str,
}

const V4: Family = Family { listen: "127.0.0.1", target: "4 127.0.0.1", there: "127.0.0.1" };
const V6: Family = Family { listen: "::1", target: "6 ::1", there: "::1" };
const MAPPED: Family = Family { listen: "::", target: "6 ::ffff:127.0.0.1", there: "127.0.0.1" };

const CALLS: [&str; 3] = ["sendto", "sendmsg", "sendmmsg"];

/// Results that the library reported, and data that arrived outside.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    calls: Vec<String>,
    connected: bool,
    udp_received: bool,
    unix_received: bool,
}

fn library(folder: &Path) -> std::path::PathBuf {
    let library = folder.join("taken_over.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/support/taken_over.c");
    good(Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl"));
    library
}

/// Listens over TCP and UDP on one free port.
fn target(address: &str) -> (TcpListener, UdpSocket) {
    let address: IpAddr = address.parse().expect("an address");
    for _ in 0..32 {
        let udp = UdpSocket::bind((address, 0)).expect("bound");
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().expect("bound")) {
            tcp.set_nonblocking(true).expect("set");
            udp.set_nonblocking(true).expect("set");
            return (tcp, udp);
        }
    }
    panic!("no port is free for both");
}

/// Starts a server that is taken over at the first connection, and waits until all calls are made.
fn taken_over(
    mut serve: Command,
    library: &Path,
    family: Family,
    call: &str,
    sandbox: &str,
) -> Outcome {
    let folder = TempDir::new().expect("a temporary folder");
    let [notify, other] = ["notify", "other"].map(|name| folder.path().join(name));
    let _supervisor = UnixDatagram::bind(&notify).expect("bound");
    let unix = UnixDatagram::bind(&other).expect("bound");
    unix.set_nonblocking(true).expect("set");
    let (tcp, udp) = target(family.there);
    let port = udp.local_addr().expect("bound").port();

    serve.args(["serve", "--port", "0", "--listen", family.listen, "--sandbox", sandbox]);
    serve.env("LD_PRELOAD", library).env("NOTIFY_SOCKET", &notify);
    serve.env("DAYTIME_TEST_TARGET", format!("{} {port}", family.target));
    serve.env("DAYTIME_TEST_UNIX", &other).env("DAYTIME_TEST_CALL", call);
    let mut server = Running::start(serve);
    let address = SocketAddr::new(family.there.parse().expect("an address"), server.port());
    read_to_end(&connect(address)); // the reply follows the calls
    server.signal("KILL");
    let (_, log) = server.wait();
    let calls = log.lines().filter_map(|line| line.strip_prefix("> ").map(str::to_owned)).collect();

    // Loopback delivers before the call returns.
    Outcome {
        calls,
        connected: arrived(tcp.accept().map(drop)),
        udp_received: arrived(udp.recv(&mut [0; 8]).map(drop)),
        unix_received: arrived(unix.recv(&mut [0; 8]).map(drop)),
    }
}

fn arrived(received: std::io::Result<()>) -> bool {
    match received {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::WouldBlock => false,
        Err(error) => panic!("{error}"),
    }
}

fn outcome(how: &str, reached: bool) -> Outcome {
    let report = |call| format!("{call}: {how}");
    let mut calls = ["shutdown", "fast open"].map(report).to_vec();
    calls.push("udp: works".to_owned());
    calls.extend(["unix", "descriptor"].map(report));
    Outcome { calls, connected: reached, udp_received: true, unix_received: reached }
}

/// Checks the requirements of the attack: a C compiler, both families, and TCP Fast Open for
/// clients.
fn can_be_tried() -> Result<TempDir, String> {
    program("cc")?;
    ipv6()?;
    let fast_open = fs::read_to_string("/proc/sys/net/ipv4/tcp_fastopen").unwrap_or_default();
    let bits: u32 = fast_open.trim().parse().unwrap_or(0);
    if bits & 1 == 0 {
        return Err("net.ipv4.tcp_fastopen is off for clients".to_owned());
    }
    Ok(TempDir::new().expect("a temporary folder"))
}

fn on_every_family(sandbox: &str, expected: &Outcome) -> Result<(), String> {
    let folder = can_be_tried()?;
    let library = library(folder.path());
    for family in [V4, V6, MAPPED] {
        for call in CALLS {
            let outcome = taken_over(daytime(), &library, family, call, sandbox);
            assert_eq!(outcome, *expected, "{call} on {family:?}");
        }
    }
    Ok(())
}

#[test]
fn without_the_sandbox_code_inside_connects_over_tcp_and_reaches_any_unix_socket() {
    or_skip!(on_every_family("off", &outcome("works", true)));
}

#[test]
fn in_the_sandbox_code_inside_reaches_nothing_but_over_udp() {
    or_skip!(whole_sandbox());
    or_skip!(on_every_family("require", &outcome("errno 1", false))); // EPERM
}

/// Python program that becomes a server on one more address, with a Unix datagram socket among the
/// descriptors of its UDP sockets.
const LEAKING: &str = "
import os, socket, sys
os.dup2(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).detach(), 6)
os.execv(sys.argv[1], sys.argv[1:] + ['--listen', '127.0.0.2'])
";

#[test]
fn a_unix_socket_that_the_starting_process_left_open_is_closed_before_code_inside_can_use_it() {
    or_skip!(whole_sandbox());
    or_skip!(program("python3"));
    let folder = or_skip!(can_be_tried());
    let library = library(folder.path());
    let mut expected = outcome("errno 1", false); // EPERM
    expected.calls.insert(3, "udp: works".to_owned()); // on the other address
    for call in CALLS {
        let mut serve = Command::new("python3");
        serve.args(["-c", LEAKING, env!("CARGO_BIN_EXE_daytime")]);
        assert_eq!(taken_over(serve, &library, V4, call, "require"), expected, "{call}");
    }
}
