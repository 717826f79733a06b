//! Tests what `daytime serve` logs at its start, and how it opens its sockets.

use crate::or_skip;
use crate::support::wire::{ask_tcp, eventually};
use crate::support::{
    Namespace, Running, assert_screen, bad, complains, daytime, good, ipv6, mentions, run, stderr,
    stdout, whole_sandbox,
};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

/// Starts a server, stops it, and returns its log.
fn log_of(mut command: Command) -> String {
    command.args(["serve", "--port", "0"]);
    Running::start(command).stopped()
}

#[test]
fn the_soft_limit_of_open_files_is_raised_to_the_hard_one() {
    let mut command = Command::new("sh");
    let script = "ulimit -S -n 64; exec \"$0\" serve --port 0 --proto tcp";
    command.args(["-c", script, env!("CARGO_BIN_EXE_daytime")]);
    let server = Running::start(command);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.id())).expect("Linux");
    let files = limits.lines().find(|line| line.starts_with("Max open files")).expect("listed");
    let numbers: Vec<&str> = files.split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers[0], numbers[1], "{files}");
}

#[test]
fn a_server_whose_output_has_no_reader_still_serves() {
    let inside = or_skip!(Namespace::new());
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut serve = inside.daytime();
    serve.args(["serve", "--port", "9999", "-q"]).stdout(writer);
    let mut server = serve.spawn().expect("started");
    eventually("the server answers or has ended", || {
        let mut ask = inside.daytime();
        let answered = run(ask.args(["query", "-q", "127.0.0.1:9999"])).status.success();
        answered || server.try_wait().expect("waited for").is_some()
    });
    let ended = server.try_wait().expect("waited for");
    server.kill().expect("ended by us");
    server.wait().expect("waited for");
    assert_eq!(ended, None, "the server ended because it could not print");
}

#[test]
fn port_0_becomes_the_same_free_port_on_every_socket() {
    or_skip!(ipv6());
    let server = Running::serve(&[]);
    let families = ["127.0.0.1", "[::1]"];
    let expected: Vec<(String, SocketAddr)> = families
        .iter()
        .flat_map(|ip| ["tcp", "udp"].map(|transport| (ip, transport)))
        .map(|(ip, name)| {
            (name.into(), format!("{ip}:{}", server.port()).parse().expect("address"))
        })
        .collect();
    assert_ne!(server.port(), 0);
    assert_eq!(server.bound, expected);
}

#[test]
fn port_13_is_used_where_no_port_is_given() {
    let inside = or_skip!(Namespace::new());
    let mut serve = inside.daytime();
    serve.args(["serve", "--proto", "tcp", "--listen", "127.0.0.1", "--listen", "127.0.0.2:9999"]);
    let server = Running::start(serve);
    let bound: Vec<String> = server.bound.iter().map(|(_, address)| address.to_string()).collect();
    assert_eq!(bound, ["127.0.0.1:13", "127.0.0.2:9999"]);
    good(inside.daytime().args(["query", "127.0.0.1", "127.0.0.2:9999"]));
}

#[test]
fn one_transport_alone_is_served_on_request() {
    or_skip!(ipv6());
    for transport in ["tcp", "udp"] {
        let server = Running::serve(&["--proto", transport]);
        assert_eq!(server.bound.len(), 2, "{:?}", server.bound);
        assert!(server.bound.iter().all(|(name, _)| name == transport), "{:?}", server.bound);
    }
}

#[test]
fn the_addresses_come_first_on_standard_output_as_json_for_scripts() {
    or_skip!(ipv6());
    let mut command = daytime();
    command.args(["serve", "--port", "0", "--json"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the binary starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("readable");
    let printed: serde_json::Value = serde_json::from_str(&line).expect("JSON on one line");
    let port = printed["listening"][0]["port"].as_u64().expect("a number");
    let address = SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).expect("a port")));
    assert_eq!(ask_tcp(address).last(), Some(&b'\n'));
    child.kill().expect("ended");
    child.wait().expect("ended");
    let socket = |transport: &str, address: &str| serde_json::json!({ "transport": transport, "address": address, "port": port });
    let expected = serde_json::json!({ "listening": [
        socket("tcp", "127.0.0.1"), socket("udp", "127.0.0.1"),
        socket("tcp", "::1"), socket("udp", "::1"),
    ]});
    assert_eq!(printed, expected);
}

#[test]
fn by_default_the_log_begins_with_version_and_sandbox_and_lists_no_options() {
    let log = Running::serve(&[]).stopped();
    let version = concat!(" INFO ] daytime ", env!("CARGO_PKG_VERSION"));
    assert!(log.lines().next().is_some_and(|line| line.ends_with(version)), "{log}");
    assert!(log.contains(" INFO ] sandbox: ") && !log.contains("SO_RCVBUF"), "{log}");
}

/// Filters for what differs from run to run, from system to system, and for root.
const DIFFERS: [(&str, &str); 6] = [
    (r"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[TIME"),
    (r"(?m)^(.*127\.0\.0\.1):\d+", "$1:PORT"),
    (r"daytime \d+\.\d+\.\d+", "daytime VERSION"),
    (r"(?m)^.* WARN .* runs as root.*\n", ""),
    (r"(?m)sandbox: .*$", "sandbox: LAYERS"),
    (r"((SO_(RCV|SND)BUF|backlog) asked \w+, is) \d+", "$1 SIZE"),
];

#[test]
fn a_start_and_an_end_look_like_this_with_and_without_v() {
    or_skip!(whole_sandbox());
    for (file, verbose) in [("serve", &[][..]), ("serve_verbose", &["-v"])] {
        let mut serve = daytime();
        serve.args(["serve", "--listen", "127.0.0.1:0", "--metrics", "0", "--idle", "0.05"]);
        let output = run(serve.args(verbose));
        let screen = [stdout(&output), stderr(&output)].concat();
        assert_screen(file, &screen, &DIFFERS);
    }
}

#[test]
fn the_log_shows_requested_and_effective_options_of_each_socket() {
    or_skip!(ipv6());
    let mut command = daytime();
    command.args(["serve", "--port", "0", "--listen", "127.0.0.1", "--listen", "[::]:0"]);
    command.args(["--receive-buffer", "20000", "--send-buffer", "30000", "--backlog", "7"]);
    command.args(["--no-reuse-address", "--only-v6", "-v"]);
    let server = Running::start(command);
    let port = server.port();
    let log = server.stopped();
    // The kernel doubles the buffers, for its own bookkeeping (socket(7)).
    let buffers = "SO_RCVBUF asked 20000, is 40000; SO_SNDBUF asked 30000, is 60000\n";
    let expected = [
        format!(
            "tcp 127.0.0.1:{port}: SO_REUSEADDR asked 0, is 0; backlog asked 7, is 7; TCP_USER_TIMEOUT asked 3000, is 3000; {buffers}"
        ),
        format!("udp 127.0.0.1:{port}: SO_REUSEADDR asked nothing, is 0; {buffers}"),
        format!(
            "tcp [::]:{port}: SO_REUSEADDR asked 0, is 0; IPV6_V6ONLY asked 1, is 1; \
             backlog asked 7, is 7; TCP_USER_TIMEOUT asked 3000, is 3000; {buffers}"
        ),
        format!(
            "udp [::]:{port}: SO_REUSEADDR asked nothing, is 0; IPV6_V6ONLY asked 1, is 1; {buffers}"
        ),
    ];
    for line in expected {
        assert!(log.contains(&line), "{line} is not in:\n{log}");
    }
}

#[test]
fn a_backlog_above_the_kernels_limit_is_logged_with_its_effective_value() {
    let limit = std::fs::read_to_string("/proc/sys/net/core/somaxconn").expect("Linux");
    let log = Running::serve(&["--backlog", "65535", "-v"]).stopped();
    let becomes = limit.trim().parse::<u32>().expect("a number").min(65_535);
    assert!(log.contains(&format!("backlog asked 65535, is {becomes};")), "{log}");
}

#[test]
fn the_log_is_silent_with_q() {
    let mut command = daytime();
    command.arg("-q");
    assert_eq!(log_of(command), "");
}

#[test]
fn the_log_is_silent_with_rust_log_off() {
    let mut command = daytime();
    command.env("RUST_LOG", "off");
    assert_eq!(log_of(command), "");
}

#[test]
fn v_has_precedence_over_rust_log() {
    let mut command = daytime();
    command.env("RUST_LOG", "off").arg("-v");
    assert!(log_of(command).contains("SIGTERM: stopping"));
}

#[test]
fn a_server_restarts_despite_time_wait_unless_no_reuse_address() {
    let inside = or_skip!(Namespace::new());
    let serve = |arguments: &[&str]| {
        let mut serve = inside.daytime();
        serve.args(["serve", "--listen", "127.0.0.1"]).args(arguments);
        serve
    };
    let first = Running::start(serve(&[]));
    // The server closes first, so the connection is in TIME-WAIT on its side.
    good(inside.daytime().args(["query", "127.0.0.1"]));
    first.stopped();
    let message = bad(1, &mut serve(&["--no-reuse-address", "-q"]));
    complains(&message, &["cannot listen", "tcp 127.0.0.1:13: ", "in use"]);
    let again = Running::start(serve(&[]));
    good(inside.daytime().args(["query", "127.0.0.1"]));
    again.stopped();
}

#[test]
fn without_ipv6_on_the_machine_ipv4_is_served_with_a_warning() {
    or_skip!(ipv6());
    let inside = or_skip!(Namespace::new());
    take_ipv6_from(&inside);
    let mut serve = inside.daytime();
    serve.arg("serve");
    let server = Running::start(serve);
    let only_v4 = ["tcp", "udp"].map(|name| (name.to_owned(), ([127, 0, 0, 1], 13).into()));
    assert_eq!(server.bound, only_v4);
    let reply = good(inside.daytime().args(["query", "-q", "--proto", "both", "localhost"]));
    assert_eq!(reply.lines().count(), 2, "{reply}");
    assert_warns_of(&server.stopped(), &["[::1]:13"]);
}

#[test]
fn without_ipv4_on_the_machine_ipv6_is_served_with_a_warning() {
    or_skip!(ipv6());
    let inside = or_skip!(Namespace::new());
    good(inside.command("ip").args(["addr", "del", "127.0.0.1/8", "dev", "lo"]));
    let mut serve = inside.daytime();
    serve.arg("serve");
    let server = Running::start(serve);
    assert_eq!(server.bound.len(), 2, "{:?}", server.bound);
    assert!(server.bound.iter().all(|(_, address)| address.is_ipv6()), "{:?}", server.bound);
    assert_warns_of(&server.stopped(), &["127.0.0.1:13"]);
}

#[test]
fn each_skipped_address_is_logged() {
    or_skip!(ipv6());
    let inside = or_skip!(Namespace::new());
    take_ipv6_from(&inside);
    let mut serve = inside.daytime();
    serve.args(["serve", "--listen", "::1", "--listen", "[::1]:9999", "--listen", "127.0.0.1"]);
    let server = Running::start(serve);
    assert_eq!(server.bound.len(), 2, "{:?}", server.bound);
    assert_warns_of(&server.stopped(), &["[::1]:13", "[::1]:9999"]);
}

fn take_ipv6_from(namespace: &Namespace) {
    for interface in ["all", "lo"] {
        let setting = format!("net.ipv6.conf.{interface}.disable_ipv6=1");
        good(namespace.command("sysctl").args(["-qw", &setting]));
    }
}

/// Asserts one warning for each address, not one for each socket.
fn assert_warns_of(log: &str, addresses: &[&str]) {
    let warnings: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split_once(" WARN ] ").map(|(_, warning)| warning))
        .filter(|warning| !warning.contains("runs as root")) // in a namespace, it does run as root
        .collect();
    assert_eq!(warnings.len(), addresses.len(), "{log}");
    for (warning, address) in warnings.iter().zip(addresses) {
        mentions(warning, &["not serving", &format!(" {address}: "), "address family"]);
    }
}

#[test]
fn require_sync_warns_at_the_start_if_the_clock_is_not_synchronised() {
    let reply = ask_tcp(Running::serve(&["--syntax", "nist"]).tcp());
    let reply = String::from_utf8(reply).expect("ASCII");
    let is_synchronised = reply.split_whitespace().nth(5) == Some("0"); // digit H
    for (option, warns) in [("--require-sync", !is_synchronised), ("--only-v6", false)] {
        let log = Running::serve(&[option]).stopped();
        let warnings: Vec<&str> =
            log.lines().filter(|line| line.contains(" WARN ] the clock")).collect();
        assert_eq!(warnings.len(), usize::from(warns), "{log}");
        for part in ["not synchronised", "--require-sync", "empty reply"] {
            assert!(warnings.iter().all(|line| line.contains(part)), "{part}: {log}");
        }
    }
}
