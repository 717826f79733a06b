//! What goes wrong on the host of a server, and that it goes on.

use crate::metrics::{lines, next_line};
use crate::or_skip;
use crate::support::forge::forge;
use crate::support::wire::{ask_tcp, ask_udp, connect, eventually, read_to_end, wait_in_vain};
use crate::support::{Namespace, PATIENCE, Running, daytime, good, program};
use nix::pty::{OpenptyResult, openpty};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a new client may wait for its line, whatever happens, on a busy machine. Those in its way stay for
/// 60 s.
const PROMPT: Duration = Duration::from_secs(5);

fn assert_is_prompt(address: SocketAddr) {
    let started = Instant::now();
    assert_eq!(ask_tcp(address).last(), Some(&b'\n'));
    assert!(started.elapsed() < PROMPT, "{:?}", started.elapsed());
}

/// A server with no more descriptors than these.
fn with_descriptors(limit: u32, workers: u32) -> Running {
    let mut limited = Command::new("sh");
    let options = format!("--listen 127.0.0.1 --workers {workers} -v --drain-deadline 60");
    let serve = format!(r#"ulimit -n {limit}; exec "$0" serve --port 0 {options}"#);
    limited.args(["-c", &serve, env!("CARGO_BIN_EXE_daytime")]);
    Running::start(limited)
}

#[test]
fn with_20_descriptors_and_100_held_clients_a_new_one_is_served_over_both_transports() {
    let server = with_descriptors(20, 1);
    let held: Vec<TcpStream> = (0..100).map(|_| connect(server.tcp())).collect();
    for _ in 0..3 {
        assert_is_prompt(server.tcp());
        ask_udp(server.udp(), b"");
    }
    // Some may have been handed down to it by whoever runs the tests.
    assert!(server.descriptors() < 50, "the limit holds");
    drop(held);
    for _ in 0..3 {
        assert_is_prompt(server.tcp());
    }
    let counters = server.counters();
    assert!(counters.contains("TcpMadeRoom: "), "{counters}");
}

#[test]
fn a_worker_without_connections_is_served_where_the_others_have_every_descriptor() {
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
    assert!(counters.contains("TcpMadeRoom: "), "{counters}");
    assert!(
        counters.contains("TcpNoDescriptor: "),
        "no worker was without connections: {counters}"
    );
}

/// How long a server without descriptors is watched.
const WATCHED: Duration = Duration::from_secs(1);

#[test]
fn with_no_descriptor_at_all_it_neither_spins_nor_stops_and_goes_on_when_there_are_some() {
    let prlimit = or_skip!(program("prlimit"));
    let server = Running::serve(&["-v"]);
    let limit = |descriptors: usize| {
        let number = format!("--nofile={descriptors}:4096");
        good(Command::new(&prlimit).args([&number, "--pid", &server.id().to_string()]));
    };
    limit(3); // which standard input, output and error have
    let waiting: Vec<TcpStream> = (0..3).map(|_| connect(server.tcp())).collect();
    let (started, before) = (Instant::now(), processor_time(&server));
    // Datagrams go on all the time.
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
    assert!(counters.contains("TcpNoDescriptor: "), "{counters}");
}

/// What a process has used so far, in user and system mode (proc(5), utime and stime).
fn processor_time(server: &Running) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.id())).expect("it runs");
    let (_, fields) = stat.rsplit_once(") ").expect("a name in parentheses");
    let ticks = |place: usize| -> u64 {
        fields.split(' ').nth(place).expect("a field").parse().expect("a number")
    };
    Duration::from_millis((ticks(11) + ticks(12)) * 10) // 100 ticks a second, to user space
}

#[test]
fn signals_that_interrupt_its_calls_do_it_no_harm() {
    let server = Running::serve(&[]);
    for _ in 0..20 {
        server.signal("STOP");
        server.signal("CONT");
        assert_is_prompt(server.tcp());
        ask_udp(server.udp(), b"");
    }
}

#[test]
fn an_answer_that_is_forbidden_is_counted_and_the_next_one_sent() {
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
    let expected = "UdpReceived: 3, UdpAnswered: 1, UdpNotPermitted: 1, UdpUnreachable: 1";
    assert_eq!(server.counters(), expected);
}

#[test]
fn an_interface_that_goes_away_takes_no_other_with_it_and_serves_when_it_is_back() {
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
    assert!(counters.contains("TcpAnswered: 4, "), "{counters}");
}

#[test]
fn a_client_that_vanishes_is_given_up_at_the_write_deadline() {
    let (here, there) = (or_skip!(Namespace::new()), or_skip!(Namespace::new()));
    or_skip!(here.join(&there, &["192.0.2.1/24"], &["192.0.2.9/24"]));
    let mut serve = here.daytime();
    serve.args(["serve", "--listen", "192.0.2.1", "-v"]);
    serve.args(["--write-deadline", "1", "--drain-deadline", "600"]);
    let server = Running::start(serve);
    let idle = server.descriptors();
    // Stopped, it has the connection in its backlog; then the cable is cut, and the line goes nowhere.
    server.signal("STOP");
    let address: SocketAddr = "192.0.2.1:13".parse().expect("address");
    let client = or_skip!(there.enter(|| connect(address)));
    good(here.command("ip").args(["link", "set", "cable", "down"]));
    server.signal("CONT");
    eventually("it is accepted", || server.descriptors() == idle + 1);
    eventually("it is given up", || server.descriptors() == idle);
    drop(client);
    let counters = server.counters();
    assert!(counters.contains("TcpWriteDeadline: 1"), "{counters}");
}

#[test]
fn where_synchronisation_is_required_the_answer_is_the_kernels_word() {
    let reply = ask_tcp(Running::serve(&["--syntax", "nist"]).tcp());
    let reply = String::from_utf8(reply).expect("ASCII");
    // H is 0 if the kernel says that its clock is synchronised.
    let synchronised = reply.split_whitespace().nth(5) == Some("0");
    let server = Running::serve(&["--require-sync", "-v"]);
    assert_eq!(!ask_tcp(server.tcp()).is_empty(), synchronised, "{reply}");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
    socket.connect(server.udp()).expect("connected");
    // What has to come may take its time; of what must not come the server's counter tells in the end.
    let wait = if synchronised { PATIENCE } else { Duration::from_millis(300) };
    socket.set_read_timeout(Some(wait)).expect("set");
    socket.send(b"").expect("sent");
    assert_eq!(socket.recv(&mut [0; 64]).is_ok(), synchronised, "{reply}");
    let counters = server.counters();
    assert_eq!(counters.contains("TcpNoTime: 1, "), !synchronised, "{counters}");
    assert_eq!(counters.contains("UdpNoTime: 1"), !synchronised, "{counters}");
}

#[test]
fn whatever_a_flood_does_the_log_has_few_lines_for_it_and_they_count_all_of_it() {
    let server = with_descriptors(20, 1);
    let held: Vec<TcpStream> = (0..300).map(|_| connect(server.tcp())).collect();
    assert_is_prompt(server.tcp());
    let log = server.stopped();
    let made_room = log.lines().filter_map(|line| {
        let start = "] tcp: closed to make room: no descriptor left (ulimit -n): ";
        let (number, _) = line.split_once(start)?.1.split_once([' ', ','])?;
        Some(number.parse::<u64>().expect("a number"))
    });
    let made_room: Vec<u64> = made_room.collect();
    // At once, after a second, and at the end.
    assert!((1..=3).contains(&made_room.len()), "{log}");
    let counted = format!("TcpMadeRoom: {}", made_room.iter().sum::<u64>());
    assert!(log.contains(&counted), "{counted}: {log}");
    drop(held);
}

/// Starts a server whose standard error takes nothing more.
fn with_blocked_log(log: impl Into<Stdio>, options: &[&str]) -> Running {
    let mut serve = daytime();
    serve.args(["serve", "--port", "0"]).args(options);
    Running::logging_to(log, serve)
}

/// Starts a server whose standard output takes nothing more. It answers, says why the addresses are not all there, and
/// ends.
fn goes_on_without_output(output: impl Into<Stdio>, options: &[String], first: &str) {
    let mut serve = daytime();
    serve.args(["serve", "--port", "0", "-v"]).args(options);
    let mut server = Running::printing_to(output, serve);
    let log = lines(server.stderr());
    let port = next_line(&log, &format!("] tcp {first}:"));
    let port = port.split(':').next().expect("a port");
    next_line(&log, " WARN ] standard output is full: ");
    assert_is_prompt(format!("{first}:{port}").parse().expect("an address"));
    server.signal("TERM");
    next_line(&log, "answered 1 connection and 0 datagrams");
    assert_ends_well(server);
}

fn assert_ends_well(mut server: Running) {
    eventually("it has ended", || server.has_ended());
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn a_service_beside_a_log_that_is_full_goes_on() {
    let full = match fs::OpenOptions::new().write(true).open("/dev/full") {
        Ok(full) => full,
        Err(error) => return crate::support::skip(&format!("no /dev/full: {error}")),
    };
    assert_is_prompt(with_blocked_log(full, &["-vv"]).tcp());
}

#[test]
fn a_standard_output_that_is_full_keeps_the_server_neither_from_answering_nor_from_ending() {
    let (_reader, mut writer) = std::io::pipe().expect("a pipe");
    writer.write_all(&vec![b'.'; 65_536]).expect("written"); // all it holds (pipe(7))
    goes_on_without_output(writer, &["--listen=127.0.0.1".to_owned()], "127.0.0.1");
}

#[test]
fn a_log_without_a_reader_keeps_the_server_neither_from_answering_nor_from_ending() {
    let (_reader, mut writer) = std::io::pipe().expect("a pipe");
    // Almost full: a pipe has 65536 octets (pipe(7)), and writing more would wait.
    writer.write_all(&vec![b'.'; 65_536 - 40]).expect("written");
    let limits = ["--limit-loopback", "--udp-rate", "1", "--udp-burst", "1"];
    let server = with_blocked_log(writer, &limits);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
    for _ in 0..5 {
        socket.send_to(b"", server.udp()).expect("sent"); // which the log would report
        server.signal("USR1");
        assert_is_prompt(server.tcp());
    }
    server.signal("TERM");
    assert_ends_well(server);
}

/// Fills the terminal on standard error of a server, from these octets on, and stops the server.
fn fill_terminal(octets: usize) {
    let OpenptyResult { master, slave } = openpty(None, None).expect("a terminal");
    let mut slave = fs::File::from(slave);
    slave.write_all(&vec![b'.'; octets]).expect("written");
    let server = with_blocked_log(slave, &["--listen", "127.0.0.1"]);
    for _ in 0..100 {
        server.signal("USR1"); // a terminal holds some 20 KiB, five times the counters
        wait_in_vain(Duration::from_millis(1));
    }
    assert_is_prompt(server.tcp());
    assert!(ask_udp(server.udp(), b"").ends_with(b"\n"));
    server.signal("TERM");
    assert_ends_well(server);
    let mut log = Vec::new();
    let _ = fs::File::from(master).read_to_end(&mut log); // at the end a terminal says EIO
    let log = String::from_utf8(log).expect("text");
    assert!(log.contains("] SIGUSR1: "), "{log}");
    assert!(!log.contains("answered 1 connection and 1 datagram"), "it was not full: {log}");
}

#[test]
fn a_terminal_that_is_not_read_keeps_the_server_neither_from_answering_nor_from_ending() {
    // A write that wants more room than there is waits, so the room that is left decides.
    for octets in [0, 40, 80] {
        fill_terminal(octets);
    }
}

#[test]
fn a_terminal_that_does_not_take_all_addresses_keeps_the_server_from_nothing() {
    let OpenptyResult { master: _master, slave } = openpty(None, None).expect("a terminal");
    // More than a terminal holds: 40 octets for each.
    let listen = (0..600).map(|it| format!("--listen=127.0.{}.{}", 100 + it / 250, 1 + it % 250));
    goes_on_without_output(slave, &listen.collect::<Vec<_>>(), "127.0.100.1");
}
