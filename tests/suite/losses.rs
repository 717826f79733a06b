//! Tests that datagrams are counted when the kernel drops them because the receive buffer is full.

use crate::metrics::page;
use crate::support::wire::{datagrams_with, eventually};
use crate::support::{Running, count, counters, daytime, mentions};
use std::net::SocketAddr;

/// Sends `count` empty datagrams to a server that is stopped meanwhile.
fn flood(server: &Running, count: usize) {
    let client = datagrams_with(server.udp());
    server.signal("STOP");
    for _ in 0..count {
        client.send(&[]).expect("sent");
    }
    server.signal("CONT");
}

#[test]
fn every_datagram_of_a_flood_is_received_or_counted_as_lost() {
    for workers in ["1", "2"] {
        let mut serve = daytime();
        serve.args(["serve", "-v", "--proto", "udp", "--listen", "127.0.0.1:0"]);
        serve.args(["--receive-buffer", "20000", "--workers", workers]);
        let server = Running::start(serve);
        flood(&server, 2000);
        let counters = server.counters();
        let count = |name: &str| count(&counters, name);
        let (received, lost) = (count("udp arrivals"), count("udp error receive-buffer"));
        assert!(lost > 1000, "{counters}");
        assert_eq!(received + lost, 2000, "{counters}");
        assert_eq!(count("udp exchanges"), received);
    }
}

#[test]
fn losses_are_counted_even_if_no_more_datagrams_come() {
    let mut serve = daytime();
    serve.args(["serve", "--proto", "udp", "--listen", "127.0.0.1:0", "--metrics", "0"]);
    serve.args(["--receive-buffer", "20000", "--sandbox", "on"]);
    let mut server = Running::start(serve);
    let metrics: SocketAddr = server.address("metrics", |_| true);
    flood(&server, 2000);
    let name = "daytime_errors_total{transport=\"udp\",family=\"ipv4\",kind=\"receive-buffer\"} ";
    eventually("the losses are in the metrics", || {
        let page = page(metrics);
        let count = page.lines().find_map(|line| line.strip_prefix(name)).expect("a count");
        count != "0"
    });
    server.signal("TERM");
    let (_, log) = server.wait();
    let lost = log.lines().find(|line| line.contains("] udp: lost: "));
    mentions(lost.unwrap_or(&log), &["receive buffer", "full", "SO_RCVBUF"]);
}

#[test]
fn losses_of_a_few_large_datagrams_are_counted_too() {
    let mut serve = daytime();
    serve.args(["serve", "--proto", "udp", "--listen", "127.0.0.1:0", "--metrics", "0"]);
    serve.args(["--receive-buffer", "212992"]);
    let server = Running::start(serve);
    let metrics: SocketAddr = server.address("metrics", |_| true);
    let client = datagrams_with(server.udp());
    server.signal("STOP");
    let large = vec![0; 60_000];
    for _ in 0..200 {
        client.send(&large).expect("sent");
    }
    server.signal("CONT");
    let arrived = "daytime_arrivals_total{transport=\"udp\",family=\"ipv4\"} ";
    let lost = "daytime_errors_total{transport=\"udp\",family=\"ipv4\",kind=\"receive-buffer\"} ";
    eventually("each is received or lost", || {
        let page = page(metrics);
        let count = |name| -> u32 {
            let count = page.lines().find_map(|line| line.strip_prefix(name)).expect("a count");
            count.parse().expect("a number")
        };
        count(arrived) + count(lost) == 200
    });
}

#[test]
fn all_datagrams_that_arrived_before_a_stop_are_answered() {
    let mut serve = daytime();
    serve.args(["serve", "-v", "--proto", "udp", "--listen", "127.0.0.1:0"]);
    // Room for 5000 datagrams, if the system grants it.
    serve.args(["--receive-buffer", "2097152"]);
    let mut server = Running::start(serve);
    let client = datagrams_with(server.udp());
    server.signal("STOP");
    for _ in 0..2300 {
        client.send(&[]).expect("sent");
    }
    server.signal("TERM");
    server.signal("CONT");
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    let lost = "udp error receive-buffer";
    let counters = counters(&log);
    let lost = if counters.contains(lost) { count(&counters, lost) } else { 0 };
    let answered = count(&counters, "udp exchanges");
    assert!(answered + lost == 2300 && answered > 400, "{log}");
}

#[test]
fn the_udp_receive_buffer_is_requested_large_enough_for_a_burst() {
    let log = Running::serve(&["--listen", "127.0.0.1", "-v"]).stopped();
    let asked = |transport: &str| {
        let mut lines = log.lines().filter(|line| line.contains(&format!("{transport} 127.0.0.1")));
        let line = lines.next().unwrap_or_else(|| panic!("no {transport} in {log}"));
        let (_, rest) = line.split_once("SO_RCVBUF asked ").expect("the option");
        rest.split(',').next().expect("a value").to_owned()
    };
    assert_eq!((asked("udp"), asked("tcp")), ("1048576".into(), "nothing".into()));
}
