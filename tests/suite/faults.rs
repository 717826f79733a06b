//! Tests faults of the host of a server, which must keep serving.

use crate::metrics::{lines, next_line};
use crate::or_skip;
use crate::support::forge::forge;
use crate::support::wire::{ask_tcp, ask_udp, connect, eventually, read_to_end, wait_in_vain};
use crate::support::{
    Namespace, PATIENCE, Running, count, counters, daytime, good, mentions, program,
};
use nix::pty::{OpenptyResult, openpty};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Maximum time that a new client waits for its reply on a busy machine. The other clients stay for
/// 60 s.
const PROMPT: Duration = Duration::from_secs(5);

fn assert_is_prompt(address: SocketAddr) {
    let started = Instant::now();
    assert_eq!(ask_tcp(address).last(), Some(&b'\n'));
    assert!(started.elapsed() < PROMPT, "{:?}", started.elapsed());
}

/// Starts a server that may open at most `limit` descriptors.
fn with_descriptors(limit: u32, workers: u32) -> Running {
    let mut limited = Command::new("sh");
    let options = format!("--listen 127.0.0.1 --workers {workers} -v --drain-deadline 60");
    let serve = format!(r#"ulimit -n {limit}; exec "$0" serve --port 0 {options}"#);
    limited.args(["-c", &serve, env!("CARGO_BIN_EXE_daytime")]);
    Running::start(limited)
}

#[test]
fn with_20_descriptors_and_100_held_clients_a_new_client_is_served_over_both_transports() {
    let server = with_descriptors(20, 1);
    let held: Vec<TcpStream> = (0..100).map(|_| connect(server.tcp())).collect();
    for _ in 0..3 {
        assert_is_prompt(server.tcp());
        ask_udp(server.udp(), b"");
    }
    // The server may have inherited descriptors from the test runner.
    assert!(server.descriptors() < 50, "the limit holds");
    drop(held);
    for _ in 0..3 {
        assert_is_prompt(server.tcp());
    }
    let counters = server.counters();
    assert!(counters.contains("tcp ended made-room: "), "{counters}");
}

#[test]
fn a_worker_gets_descriptors_from_workers_that_hold_them_all() {
    let server = with_descriptors(45, 8);
    let mut held = Vec::new();
    while server.descriptors() < 45 {
        held.push(connect(server.tcp()));
        read_to_end(held.last().expect("one"));
    }
    for _ in 0..40 {
        let started = Instant::now();
        held.push(connect(server.tcp()));
        assert_eq!(read_to_end(held.last().expect("one")).last(), Some(&b'\n'));
        assert!(started.elapsed() < PROMPT, "{:?}", started.elapsed());
    }
    let counters = server.counters();
    assert!(counters.contains("tcp ended made-room: "), "{counters}");
    assert!(
        counters.contains("tcp error no-descriptor: "),
        "no worker was without connections: {counters}"
    );
}

/// Time for which the test watches a server without descriptors.
const WATCHED: Duration = Duration::from_secs(1);

#[test]
fn without_descriptors_the_server_neither_spins_nor_stops_and_recovers() {
    let prlimit = or_skip!(program("prlimit"));
    let server = Running::serve(&["-v"]);
    let limit = |descriptors: usize| {
        let number = format!("--nofile={descriptors}:4096");
        good(Command::new(&prlimit).args([&number, "--pid", &server.id().to_string()]));
    };
    limit(3); // standard input, output and error use them
    let waiting: Vec<TcpStream> = (0..3).map(|_| connect(server.tcp())).collect();
    let (started, before) = (Instant::now(), processor_time(&server));
    // The server keeps answering datagrams.
    while started.elapsed() < WATCHED {
        ask_udp(server.udp(), b"");
        wait_in_vain(Duration::from_millis(10));
    }
    let used = processor_time(&server).saturating_sub(before);
    assert!(used < WATCHED / 4, "{used:?} of processor time in {:?}", started.elapsed());
    limit(4096);
    assert!(waiting.iter().all(|stream| read_to_end(stream).ends_with(b"\n")));
    assert_is_prompt(server.tcp());
    let counters = server.counters();
    assert!(counters.contains("tcp error no-descriptor: "), "{counters}");
}

/// Returns the processor time of a process, in user and system mode (proc(5), utime and stime).
fn processor_time(server: &Running) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.id())).expect("it runs");
    let (_, fields) = stat.rsplit_once(") ").expect("a name in parentheses");
    let ticks = |place: usize| -> u64 {
        fields.split(' ').nth(place).expect("a field").parse().expect("a number")
    };
    Duration::from_millis((ticks(11) + ticks(12)) * 10) // 100 ticks per second
}

#[test]
fn signals_that_interrupt_system_calls_do_no_harm() {
    let server = Running::serve(&[]);
    for _ in 0..20 {
        server.signal("STOP");
        server.signal("CONT");
        assert_is_prompt(server.tcp());
        ask_udp(server.udp(), b"");
    }
}

#[test]
fn a_forbidden_reply_is_counted_and_the_next_one_sent() {
    let inside = or_skip!(Namespace::having(&["10.0.0.1/32", "10.0.0.2/32"]));
    let route = |kind: &str, to: &str| {
        good(inside.command("ip").args(["route", "add", kind, to]));
    };
    route("prohibit", "203.0.113.1/32");
    route("unreachable", "203.0.113.2/32");
    let mut serve = inside.daytime();
    serve.args(["serve", "--listen", "10.0.0.1", "-v"]);
    let server = Running::start(serve);
    let to = "10.0.0.1 13";
    let forged =
        ["203.0.113.1 40000", "203.0.113.2 40000", "10.0.0.2 40000"].map(|from| (from, to, 0));
    or_skip!(forge(&inside, &forged));
    let expected =
        "udp arrivals: 3, udp exchanges: 1, udp error not-permitted: 1, udp error unreachable: 1";
    assert_eq!(server.counters(), expected);
}

#[test]
fn an_interface_that_goes_down_leaves_the_others_serving_and_recovers() {
    let inside = or_skip!(Namespace::having(&["10.0.0.1/32"]));
    let ip = |line: &str| good(inside.command("ip").args(line.split(' ')));
    let plug_in = || {
        ip("link add gone type veth peer name other");
        ip("link set other up");
        ip("addr add 10.9.0.1/24 dev gone");
        ip("link set gone up");
    };
    plug_in();
    let mut serve = inside.daytime();
    serve.args(["serve", "--listen", "10.0.0.1", "--listen", "10.9.0.1", "-v"]);
    let server = Running::start(serve);
    let ask = |host: &str| {
        let both = ["query", "-q", "--proto", "both", host];
        assert_eq!(good(inside.daytime().args(both)).lines().count(), 2);
    };
    ask("10.9.0.1");
    ip("link del gone");
    ask("10.0.0.1");
    plug_in();
    ask("10.9.0.1");
    ask("10.0.0.1");
    let counters = server.counters();
    assert!(counters.contains("tcp exchanges: 4, "), "{counters}");
}

#[test]
fn the_connection_of_a_client_that_vanishes_ends_at_the_write_deadline() {
    let (here, there) = (or_skip!(Namespace::new()), or_skip!(Namespace::new()));
    or_skip!(here.join(&there, &["192.0.2.1/24"], &["192.0.2.9/24"]));
    let mut serve = here.daytime();
    serve.args(["serve", "--listen", "192.0.2.1", "-v"]);
    serve.args(["--write-deadline", "1", "--drain-deadline", "600"]);
    let server = Running::start(serve);
    let idle = server.descriptors();
    // The server is stopped, so the connection waits in its backlog. Then the cable is cut, and the
    // reply is lost.
    server.signal("STOP");
    let address: SocketAddr = "192.0.2.1:13".parse().expect("address");
    let client = or_skip!(there.enter(|| connect(address)));
    good(here.command("ip").args(["link", "set", "cable", "down"]));
    server.signal("CONT");
    eventually("the connection is accepted", || server.descriptors() == idle + 1);
    eventually("the connection is given up", || server.descriptors() == idle);
    drop(client);
    let counters = server.counters();
    assert!(counters.contains("tcp ended write-deadline: 1"), "{counters}");
}

#[test]
fn with_require_sync_the_server_replies_only_if_the_kernel_reports_synchronisation() {
    let reply = ask_tcp(Running::serve(&["--syntax", "nist"]).tcp());
    let reply = String::from_utf8(reply).expect("ASCII");
    // H is 0 if the kernel reports a synchronised clock.
    let synchronised = reply.split_whitespace().nth(5) == Some("0");
    let server = Running::serve(&["--require-sync", "-v"]);
    assert_eq!(!ask_tcp(server.tcp()).is_empty(), synchronised, "{reply}");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
    socket.connect(server.udp()).expect("connected");
    // An expected reply may take its time. The counter of the server shows whether an unexpected
    // one was withheld.
    let wait = if synchronised { PATIENCE } else { Duration::from_millis(300) };
    socket.set_read_timeout(Some(wait)).expect("set");
    socket.send(b"").expect("sent");
    assert_eq!(socket.recv(&mut [0; 64]).is_ok(), synchronised, "{reply}");
    let log = server.stopped();
    assert_eq!(counters(&log).contains("tcp ignored no-time: 1"), !synchronised, "{log}");
    assert_eq!(counters(&log).contains("udp ignored no-time: 1"), !synchronised, "{log}");
    let is_warning = |line: &&str| line.contains(" WARN ] ") && line.contains("no valid time");
    assert_eq!(log.lines().filter(is_warning).count(), 2 * usize::from(!synchronised), "{log}");
}

#[test]
fn the_log_has_few_lines_for_a_flood_and_they_count_every_event() {
    let server = with_descriptors(20, 1);
    let held: Vec<TcpStream> = (0..300).map(|_| connect(server.tcp())).collect();
    assert_is_prompt(server.tcp());
    let log = server.stopped();
    let made_room = log.lines().filter_map(|line| {
        let (_, counted) = line.split_once("] tcp: closed ")?.1.split_once("(ulimit -n): ")?;
        let (number, _) = counted.split_once([' ', ','])?;
        Some(number.parse::<u64>().expect("a number"))
    });
    let made_room: Vec<u64> = made_room.collect();
    // One line at once, one after a second, and one at the end.
    assert!((1..=3).contains(&made_room.len()), "{log}");
    let counted = count(&counters(&log), "tcp ended made-room");
    assert_eq!(counted, made_room.iter().sum::<u64>(), "{log}");
    drop(held);
}

/// Starts a server whose standard error is full.
fn with_blocked_log(log: impl Into<Stdio>, options: &[&str]) -> Running {
    let mut serve = daytime();
    serve.args(["serve", "--port", "0"]).args(options);
    Running::logging_to(log, serve)
}

/// Starts a server whose standard output is full. Asserts that it answers, logs why addresses are
/// missing, and ends.
fn assert_serves_without_output(output: impl Into<Stdio>, options: &[String], first: &str) {
    let mut serve = daytime();
    serve.args(["serve", "--port", "0", "-v"]).args(options);
    let mut server = Running::printing_to(output, serve);
    let log = lines(server.stderr());
    let port = next_line(&log, &format!("] tcp {first}:"));
    let port = port.split(':').next().expect("a port");
    mentions(&next_line(&log, " WARN ] cannot print "), &["addresses"]);
    assert_is_prompt(format!("{first}:{port}").parse().expect("an address"));
    server.signal("TERM");
    mentions(&next_line(&log, "answered "), &["1 connection ", "0 datagrams"]);
    assert_ends_well(server);
}

fn assert_ends_well(mut server: Running) {
    eventually("the server has ended", || server.has_ended());
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn a_full_log_does_not_stop_the_service() {
    let full = match fs::OpenOptions::new().write(true).open("/dev/full") {
        Ok(full) => full,
        Err(error) => return crate::support::skip(&format!("no /dev/full: {error}")),
    };
    assert_is_prompt(with_blocked_log(full, &["-vv"]).tcp());
}

#[test]
fn with_a_full_standard_output_the_server_answers_and_ends() {
    let (_reader, mut writer) = std::io::pipe().expect("a pipe");
    writer.write_all(&vec![b'.'; 65_536]).expect("written"); // the capacity of a pipe (pipe(7))
    assert_serves_without_output(writer, &["--listen=127.0.0.1".to_owned()], "127.0.0.1");
}

#[test]
fn with_an_unread_log_the_server_answers_and_ends() {
    let (_reader, mut writer) = std::io::pipe().expect("a pipe");
    // The pipe is almost full: it holds 65536 octets (pipe(7)), and a longer write would block.
    writer.write_all(&vec![b'.'; 65_536 - 40]).expect("written");
    let limits = ["--limit-loopback", "--udp-rate", "1", "--udp-burst", "1"];
    let server = with_blocked_log(writer, &limits);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
    for _ in 0..5 {
        socket.send_to(b"", server.udp()).expect("sent"); // the log would report this
        server.signal("USR1");
        assert_is_prompt(server.tcp());
    }
    server.signal("TERM");
    assert_ends_well(server);
}

/// Fills the terminal on standard error of a server, starting with this number of octets, and stops
/// the server.
fn fill_terminal(octets: usize) {
    let OpenptyResult { master, slave } = openpty(None, None).expect("a terminal");
    let mut slave = fs::File::from(slave);
    slave.write_all(&vec![b'.'; octets]).expect("written");
    let server = with_blocked_log(slave, &["--listen", "127.0.0.1"]);
    for _ in 0..100 {
        server.signal("USR1"); // a terminal holds about 20 KiB, five times the counters
        wait_in_vain(Duration::from_millis(1));
    }
    assert_is_prompt(server.tcp());
    assert!(ask_udp(server.udp(), b"").ends_with(b"\n"));
    server.signal("TERM");
    assert_ends_well(server);
    let mut log = Vec::new();
    let _ = fs::File::from(master).read_to_end(&mut log); // a closed terminal returns EIO at the end
    let log = String::from_utf8(log).expect("text");
    assert!(log.contains("] SIGUSR1: "), "{log}");
    assert!(!log.contains(" 1 connection"), "the output was not full: {log}");
}

#[test]
fn with_an_unread_terminal_the_server_answers_and_ends() {
    // A write that needs more room than is left blocks, so the room that is left decides.
    for octets in [0, 40, 80] {
        fill_terminal(octets);
    }
}

#[test]
fn a_terminal_too_full_for_all_addresses_does_not_stop_the_server() {
    let OpenptyResult { master: _master, slave } = openpty(None, None).expect("a terminal");
    // More addresses than a terminal holds, at 40 octets each.
    let listen = (0..600).map(|it| format!("--listen=127.0.{}.{}", 100 + it / 250, 1 + it % 250));
    assert_serves_without_output(slave, &listen.collect::<Vec<_>>(), "127.0.100.1");
}
