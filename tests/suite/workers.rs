//! Tests `daytime serve --workers`: several event loops that behave as one server.

use crate::support::wire::{ask_tcp, ask_udp, connect, datagrams_with, eventually, read_to_end};
use crate::support::{Running, bad, complains, count, counters, daytime, mentions};
use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Instant;

const WORKERS: usize = 4;

fn serve(options: &[&str]) -> Running {
    let workers = WORKERS.to_string();
    Running::serve(&[&["--listen", "127.0.0.1", "--workers", &workers, "-v"][..], options].concat())
}

/// Returns, for each worker's number, how often its thread went to sleep (proc(5)).
fn sleeps(server: &Running) -> BTreeMap<usize, u64> {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.id())).expect("Linux");
    let mut sleeps = BTreeMap::new();
    for task in tasks {
        let path = task.expect("readable").path();
        let status = fs::read_to_string(path.join("status")).expect("readable");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {status}")).trim().to_owned()
        };
        let number = match field("Name:").strip_prefix("worker ") {
            Some(number) => number.parse().expect("a number"),
            None if path.ends_with(server.id().to_string()) => 1, // the main thread
            None => continue,
        };
        sleeps.insert(number, field("voluntary_ctxt_switches:").parse().expect("a number"));
    }
    sleeps
}

#[test]
fn every_worker_serves_and_each_exchange_is_counted_once() {
    let server = serve(&[]);
    // Each thread sets its own name.
    eventually("each worker has a thread", || sleeps(&server).len() == WORKERS);
    let before = sleeps(&server);
    // The probability that one worker gets none of 400 clients is 10^-49.
    for _ in 0..200 {
        assert!(ask_tcp(server.tcp()).ends_with(b"-UTC\r\n"));
        assert!(ask_udp(server.udp(), b"").ends_with(b"-UTC\r\n"));
    }
    let after = sleeps(&server);
    assert!(before.iter().all(|(number, sleeps)| after[number] > *sleeps), "{before:?} {after:?}");
    let log = server.stopped();
    assert_answered(&log, &[" 200 connections", " 200 datagrams"]);
    let counters = counters(&log);
    for counter in ["tcp arrivals", "tcp exchanges", "udp arrivals", "udp exchanges"] {
        assert_eq!(count(&counters, counter), 200, "{log}");
    }
    assert_eq!(log.matches(": stopping").count(), 1, "{log}");
}

#[test]
fn the_udp_limit_of_a_source_counts_all_workers() {
    let server = serve(&["--limit-loopback", "--udp-rate", "1", "--udp-burst", "5"]);
    assert_answers_5_of_50(server, 1, "udp ignored source-limit");
}

#[test]
fn the_udp_limit_of_all_sources_counts_all_workers() {
    let server = serve(&["--limit-loopback", "--udp-rate", "0", "--udp-total-rate", "5"]);
    assert_answers_5_of_50(server, 5, "udp ignored total-limit");
}

/// Asserts that a server answers 5 of 50 questions, and `per_second` more while they arrive.
/// `counter` counts the others.
fn assert_answers_5_of_50(server: Running, per_second: u64, counter: &str) {
    let begun = Instant::now();
    // Each question comes from a port of its own, so all workers get some.
    let clients: Vec<UdpSocket> = (0..50).map(|_| datagrams_with(server.udp())).collect();
    for client in &clients {
        assert_eq!(client.send(b"").expect("sent"), 0);
    }
    let counters = server.counters();
    let answered = count(&counters, "udp exchanges");
    let refilled = per_second * (begun.elapsed().as_secs() + 1);
    assert!((5..=5 + refilled).contains(&answered), "{answered}: {counters}");
    assert_eq!(count(&counters, counter) + answered, 50, "{counters}");
}

#[test]
fn the_limit_of_connections_counts_all_workers() {
    let server = serve(&["--limit-loopback", "--tcp-per-source", "3", "--drain-deadline", "60"]);
    let idle = server.descriptors();
    let held: Vec<TcpStream> = (0..20).map(|_| connect(server.tcp())).collect();
    assert!(held.iter().all(|client| read_to_end(client).ends_with(b"\n")), "each has its line");
    eventually("all but three are closed", || server.descriptors() == idle + 3);
    drop(held);
    eventually("the connections are closed", || server.descriptors() == idle);
    assert_eq!(count(&server.counters(), "tcp ended source-limit"), 17);
}

#[test]
fn a_closed_connection_stops_counting_for_all_workers() {
    // A busy machine may delay a worker, and its closed connections count meanwhile. If no close
    // were noticed at once, each trial would refuse 20 to 50 clients.
    let mut refused: Vec<u64> = (0..5).map(|_| refused_in_a_row()).collect();
    refused.sort_unstable();
    assert!(refused[2] < 10, "the median is too high: {refused:?}");
}

/// Returns the number of refused clients out of 5000 that come one after the other, with a limit of
/// 8.
fn refused_in_a_row() -> u64 {
    let server = serve(&["--limit-loopback", "--tcp-per-source", "8", "--drain-deadline", "60"]);
    let idle = server.descriptors();
    for _ in 0..5000 {
        assert!(ask_tcp(server.tcp()).ends_with(b"\n"));
    }
    eventually("the connections are closed", || server.descriptors() == idle);
    // A refusal now shows that the limit is in force and counted.
    let held: Vec<TcpStream> = (0..11).map(|_| connect(server.tcp())).collect();
    assert!(held.iter().all(|client| read_to_end(client).ends_with(b"\n")));
    eventually("all but eight are closed", || server.descriptors() == idle + 8);
    let refused = count(&server.counters(), "tcp ended source-limit");
    refused.checked_sub(3).expect("three of the eleven are refused")
}

#[test]
fn each_thread_is_as_confined_as_the_first() {
    let server = serve(&[]);
    let tasks = fs::read_dir(format!("/proc/{}/task", server.id())).expect("Linux");
    let statuses = tasks.map(|task| {
        fs::read_to_string(task.expect("readable").path().join("status")).expect("readable")
    });
    let statuses: Vec<String> = statuses.collect();
    assert!(statuses.len() > WORKERS, "the workers, and the thread that waits for signals");
    for status in statuses {
        for line in ["Seccomp:\t2", "NoNewPrivs:\t1", "CapEff:\t0000000000000000"] {
            assert!(status.lines().any(|it| it == line), "no {line} in {status}");
        }
    }
}

#[test]
fn a_port_of_several_workers_is_refused_to_a_second_server() {
    let first = serve(&[]);
    for workers in ["1", "2"] {
        let mut second = daytime();
        second.args(["serve", "--workers", workers, "--listen", &first.tcp().to_string()]);
        complains(&bad(1, &mut second), &[&format!("tcp {}: ", first.tcp()), "in use"]);
    }
}

#[test]
fn invalid_numbers_of_workers_are_usage_errors() {
    let one_worker = ["one worker: ", "leave out --idle or --workers"];
    for (options, parts) in [
        (&["--workers", "0"][..], &["'0'", "--workers", "from 1 to 1024", "auto"][..]),
        (&["--workers", "many"], &["'many'", "--workers", "from 1 to 1024", "auto"]),
        (
            &["--workers", "2", "--no-reuse-port"],
            &["one worker: ", "leave out --no-reuse-port or --workers"],
        ),
        (&["--workers", "2", "--idle", "9"], &one_worker),
        (&["--workers", "auto", "--idle", "9"], &one_worker),
    ] {
        mentions(&bad(2, daytime().args(["serve", "--port", "0"]).args(options)), parts);
    }
}

#[test]
fn without_shared_ports_auto_is_one_worker() {
    let server = Running::serve(&["--workers", "auto", "--no-reuse-port", "-v"]);
    assert_eq!(sleeps(&server).len(), 1);
    assert!(ask_tcp(server.tcp()).ends_with(b"-UTC\r\n"));
    let log = server.stopped();
    assert!(!log.contains("SO_REUSEPORT asked"), "{log}");
}

#[test]
fn the_log_has_the_number_of_workers_and_what_they_share() {
    let log = serve(&[]).stopped();
    assert_eq!(log.matches("; SO_REUSEPORT asked 1, is 1\n").count(), 2, "{log}");
    assert!(log.contains("4 workers\n"), "{log}");
}

/// Asserts that the log has one line about the answers, which mentions these numbers.
fn assert_answered(log: &str, numbers: &[&str]) {
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("] answered ")).collect();
    let [line] = lines[..] else { panic!("not one line about the answers: {log}") };
    mentions(line, numbers);
}

/// Makes several sockets, so that different workers get the datagrams.
fn from_many(address: SocketAddr, number: usize) -> Vec<UdpSocket> {
    (0..number).map(|_| datagrams_with(address)).collect()
}

#[test]
fn every_worker_answers_datagrams_that_arrived_before_the_signal() {
    let mut server = serve(&[]);
    server.signal("STOP");
    let state = |server: &Running| {
        let stat = fs::read_to_string(format!("/proc/{}/stat", server.id())).expect("Linux");
        stat.rsplit_once(") ").expect("a name").1.starts_with('T')
    };
    eventually("the process is held", || state(&server));
    let streams: Vec<_> = (0..100).map(|_| connect(server.tcp())).collect();
    let datagrams = from_many(server.udp(), 100);
    for client in &datagrams {
        assert_eq!(client.send(b"").expect("sent"), 0);
    }
    server.signal("TERM");
    server.signal("CONT");
    for (number, stream) in streams.iter().enumerate() {
        assert!(read_to_end(stream).ends_with(b"-UTC\r\n"), "connection {number}");
    }
    for (number, client) in datagrams.iter().enumerate() {
        client.recv(&mut [0; 64]).unwrap_or_else(|error| panic!("datagram {number}: {error}"));
    }
    drop(streams);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert_answered(&log, &[" 100 connections", " 100 datagrams"]);
}
