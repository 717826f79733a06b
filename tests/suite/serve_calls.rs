//! The system calls that an exchange costs the server, as strace sees them.

use crate::or_skip;
use crate::support::Running;
use crate::support::traced::{Traced, strace};
use crate::support::wire::{ask_tcp, datagrams_with};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Instant;
use tempfile::TempDir;

/// Exchanges under strace.
const EXCHANGES: usize = 200;

/// How often each system call was made by a server that these clients ask, and for how many seconds.
fn calls(ask: impl Fn(&Running)) -> Result<(BTreeMap<String, usize>, usize), String> {
    let folder = TempDir::new().expect("a temporary folder");
    let trace = folder.path().join("trace");
    // It may not be traced with the seccomp filter's help, which would hide calls.
    let [strace, options @ ..] = strace(&trace)?;
    let mut traced = Command::new(strace);
    traced.args(options).arg(env!("CARGO_BIN_EXE_daytime"));
    traced.args(["serve", "-q", "--port", "0", "--listen", "127.0.0.1"]);
    let begun = Instant::now();
    let traced = Traced::start(traced, &trace);
    ask(&traced.server);
    let seconds = usize::try_from(begun.elapsed().as_secs()).expect("few");
    let trace = traced.stopped();
    // Up to here it was only set up: the first wait of the loop.
    let (_, serving) = trace.split_once(" epoll_wait(").ok_or("no epoll_wait in the trace")?;
    let mut calls = BTreeMap::new();
    for line in serving.lines() {
        let call = line.split_whitespace().nth(1).unwrap_or_default();
        if let Some((name, _)) = call.split_once('(') {
            *calls.entry(name.to_owned()).or_default() += 1;
        }
    }
    Ok((calls, seconds))
}

fn ask_udp_often(address: SocketAddr) {
    let client = datagrams_with(address);
    for _ in 0..EXCHANGES {
        client.send(b"").expect("sent");
        assert!(client.recv(&mut [0; 64]).expect("an answer") > 0);
    }
}

/// The calls that tell the time, where no vDSO does.
const CLOCKS: [&str; 5] = ["clock_gettime", "gettimeofday", "time", "adjtimex", "clock_adjtime"];

fn assert_costs(calls: &BTreeMap<String, usize>, seconds: usize, of_exchange: &[(&str, usize)]) {
    let count = |name: &str| calls.get(name).copied().unwrap_or(0);
    for (name, most) in of_exchange {
        // A little more for the beginning, the end and the waits between.
        assert!(count(name) <= most * EXCHANGES + 20, "{} times {name}", count(name));
    }
    let clocks: usize = CLOCKS.iter().map(|name| count(name)).sum();
    assert!(clocks <= seconds + 3, "once a second, to form the line: {calls:?}");
    let known = |name: &str| of_exchange.iter().any(|(known, _)| *known == name);
    let other: usize = calls.iter().filter(|(name, _)| !known(name)).map(|(_, count)| count).sum();
    assert!(other < EXCHANGES / 2, "calls that no exchange needs: {calls:?}");
}

#[test]
fn a_datagram_costs_a_receive_a_send_a_look_and_a_wait_and_no_call_for_the_time() {
    let (calls, seconds) = or_skip!(calls(|server| ask_udp_often(server.udp())));
    assert!(calls["sendto"] >= EXCHANGES, "{calls:?}");
    let each = [("sendto", 1), ("epoll_wait", 1), ("recvfrom", 2), ("recvmmsg", 1)];
    assert_costs(&calls, seconds, &each);
    let receives: usize = ["recvfrom", "recvmmsg"].iter().filter_map(|name| calls.get(*name)).sum();
    assert!(receives <= 2 * EXCHANGES + 20, "{calls:?}");
}

#[test]
fn a_connection_costs_seven_calls_none_to_watch_it_and_none_for_the_time() {
    let (calls, seconds) = or_skip!(calls(|server| {
        for _ in 0..EXCHANGES {
            assert!(ask_tcp(server.tcp()).ends_with(b"\n"));
        }
    }));
    assert!(calls["sendto"] >= EXCHANGES, "{calls:?}");
    let each = [
        ("accept4", 1),
        ("sendto", 1),
        ("shutdown", 1),
        ("poll", 1),
        ("recvfrom", 2),
        ("close", 1),
        ("epoll_wait", 2),
        ("fcntl", 1), // the standard library's check of a descriptor, in debug builds only
    ];
    assert_costs(&calls, seconds, &each);
}
