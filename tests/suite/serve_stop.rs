//! Tests how `daytime serve` ends.

use crate::support::wire::{
    ask_tcp, ask_udp, assert_prompt, connect, datagrams_with, eventually, read_to_end,
};
use crate::support::{PATIENCE, Running, mentions};
use std::fs;
use std::io::BufRead;
use std::process::Command;
use std::time::{Duration, Instant};

/// Time that open connections get to end.
const GRACE: Duration = Duration::from_secs(1);

#[test]
fn an_idle_server_ends_at_once_with_status_0_on_sigterm() {
    ends_at_once_on("TERM");
}

#[test]
fn an_idle_server_ends_at_once_with_status_0_on_sigint() {
    ends_at_once_on("INT");
}

fn ends_at_once_on(signal: &str) {
    assert_prompt(GRACE, || {
        let mut server = Running::serve(&[]);
        ask_tcp(server.tcp());
        ask_udp(server.udp(), b"");
        let asked = Instant::now();
        server.signal(signal);
        let (status, log) = server.wait();
        let elapsed = asked.elapsed();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(log.contains(&format!("SIG{signal}: stopping\n")), "{log}");
        assert_answered(&log, &[" 1 connection ", " 1 datagram"]);
        elapsed
    });
}

#[test]
fn a_server_that_gets_sigterm_before_its_first_client_stops() {
    let server = Running::serve(&[]);
    server.stopped();
}

#[test]
fn an_open_connection_delays_the_end_by_a_second_and_has_its_whole_reply() {
    let mut server = Running::serve(&["--drain-deadline", "600"]);
    let held = connect(server.tcp());
    ask_tcp(server.tcp()); // so the held connection was accepted before
    let asked = Instant::now();
    server.signal("TERM");
    let (status, log) = server.wait();
    let elapsed = asked.elapsed();
    assert_eq!(status.code(), Some(0), "{log}");
    // This is far below the connection's own deadline of 600 s.
    assert!(elapsed >= GRACE && elapsed < PATIENCE, "it took {elapsed:?}");
    assert!(read_to_end(&held).ends_with(b"-UTC\r\n"));
}

#[test]
fn the_server_ends_as_soon_as_the_last_connection_closes() {
    assert_prompt(GRACE, || {
        let mut server = Running::serve(&["--drain-deadline", "600"]);
        let held = connect(server.tcp());
        assert!(read_to_end(&held).ends_with(b"-UTC\r\n"));
        let mut log = server.stderr();
        let asked = Instant::now();
        server.signal("INT");
        wait_for(&mut log, "SIGINT: stopping");
        drop(held);
        let (status, _) = server.wait();
        assert_eq!(status.code(), Some(0));
        asked.elapsed()
    });
}

#[test]
fn a_sigint_that_was_ignored_at_the_start_stays_ignored() {
    let mut command = Command::new("env");
    command.args(["--ignore-signal=INT", env!("CARGO_BIN_EXE_daytime"), "serve", "--port", "0"]);
    let mut server = Running::start(command);
    server.signal("INT");
    // A second signal that stops the server would end it with status 1.
    server.signal("TERM");
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("SIGINT") && log.contains("SIGTERM: stopping"), "{log}");
}

#[test]
fn clients_that_arrived_before_the_signal_are_answered() {
    let mut server = Running::serve(&[]);
    // The process is held, so it sees the questions and the signal at the same moment.
    server.signal("STOP");
    eventually("the process is held", || state(&server) == "T");
    let streams: Vec<_> = (0..100).map(|_| connect(server.tcp())).collect();
    let socket = datagrams_with(server.udp());
    for _ in 0..100 {
        socket.send(b"").expect("sent");
    }
    server.signal("TERM");
    server.signal("CONT");
    for (number, stream) in streams.iter().enumerate() {
        assert!(read_to_end(stream).ends_with(b"-UTC\r\n"), "connection {number}");
    }
    for number in 0..100 {
        socket.recv(&mut [0; 64]).unwrap_or_else(|error| panic!("datagram {number}: {error}"));
    }
    drop(streams);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert_answered(&log, &[" 100 connections", " 100 datagrams"]);
}

#[test]
fn a_second_signal_ends_the_server_at_once_with_status_1() {
    let mut server = Running::serve(&["--drain-deadline", "600"]);
    let held = connect(server.tcp());
    assert!(read_to_end(&held).ends_with(b"-UTC\r\n"));
    let mut log = server.stderr();
    server.signal("TERM");
    wait_for(&mut log, "SIGTERM: stopping");
    server.signal("INT");
    let (status, _) = server.wait();
    assert_eq!(status.code(), Some(1), "an end after the grace has status 0");
    drop(held);
}

#[test]
fn a_log_without_a_reader_does_not_end_the_server() {
    let mut server = Running::serve(&["-vv"]);
    drop(server.stderr());
    assert!(ask_tcp(server.tcp()).ends_with(b"-UTC\r\n"));
    assert!(ask_udp(server.udp(), b"").ends_with(b"-UTC\r\n"));
    server.signal("TERM");
    let (status, _) = server.wait();
    assert_eq!(status.code(), Some(0));
}

/// Asserts that the last line of a log mentions these numbers of answers.
fn assert_answered(log: &str, numbers: &[&str]) {
    mentions(log.lines().next_back().unwrap_or_default(), &[&["answered"], numbers].concat());
}

/// Reads lines until one ends with this text.
fn wait_for(log: &mut impl BufRead, ending: &str) {
    let mut line = String::new();
    while !line.trim_end().ends_with(ending) {
        line.clear();
        assert_ne!(log.read_line(&mut line).expect("readable"), 0, "the log ended before {ending}");
    }
}

/// Returns the state of a process: `S` asleep, `T` held (proc(5)).
fn state(server: &Running) -> String {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.id())).expect("Linux");
    let (_, fields) = stat.rsplit_once(") ").expect("a name");
    fields.split(' ').next().expect("field 3").to_owned()
}

#[test]
fn at_the_end_verbose_logs_the_lines_of_sigusr1() {
    let server = Running::serve(&["-v"]);
    ask_udp(server.udp(), b"");
    let log = server.stopped();
    let totals = log.lines().filter_map(|line| line.split_once("DEBUG] total: "));
    let totals: Vec<&str> = totals.map(|(_, total)| total).collect();
    let [_, _, udp, _] = totals[..] else { panic!("{log}") };
    assert_eq!(udp, "udp ipv4: arrivals 1, exchanges 1");
}
