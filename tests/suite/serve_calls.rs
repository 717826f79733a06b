//! Counts, with strace, the system calls that an exchange costs the server.

use crate::or_skip;
use crate::support::Running;
use crate::support::traced::{Traced, strace};
use crate::support::wire::{ask_tcp, datagrams_with};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Instant;
use tempfile::TempDir;

/// Number of exchanges under strace.
const EXCHANGES: usize = 200;

/// Returns the number of each system call of a server while `ask` runs, and the seconds that it
/// took.
fn calls(ask: impl Fn(&Running)) -> Result<(BTreeMap<String, usize>, usize), String> {
    let folder = TempDir::new().expect("a temporary folder");
    let trace = folder.path().join("trace");
    // Trace without the help of the seccomp filter, which would hide calls.
    let [strace, options @ ..] = strace(&trace)?;
    let mut traced = Command::new(strace);
    traced.args(options).arg(env!("CARGO_BIN_EXE_daytime"));
    traced.args(["serve", "-q", "--port", "0", "--listen", "127.0.0.1"]);
    let begun = Instant::now();
    let traced = Traced::start(traced, &trace);
    ask(&traced.server);
    let seconds = usize::try_from(begun.elapsed().as_secs()).expect("few");
    let trace = traced.stopped();
    // The server sets itself up until the first wait of the loop.
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

/// System calls that read the time where no vDSO does.
const CLOCKS: [&str; 5] = ["clock_gettime", "gettimeofday", "time", "adjtimex", "clock_adjtime"];

fn assert_costs(calls: &BTreeMap<String, usize>, seconds: usize, of_exchange: &[(&str, usize)]) {
    let count = |name: &str| calls.get(name).copied().unwrap_or(0);
    for (name, most) in of_exchange {
        // Allow a few more calls for the beginning, the end and the waits between.
        assert!(count(name) <= most * EXCHANGES + 20, "{} times {name}", count(name));
    }
    let clocks: usize = CLOCKS.iter().map(|name| count(name)).sum();
    assert!(clocks <= seconds + 3, "once a second, to form the line: {calls:?}");
    let known = |name: &str| of_exchange.iter().any(|(known, _)| *known == name);
    let other: usize = calls.iter().filter(|(name, _)| !known(name)).map(|(_, count)| count).sum();
    assert!(other < EXCHANGES / 2, "calls that no exchange needs: {calls:?}");
}

#[test]
fn a_datagram_costs_two_receives_a_send_and_a_wait_and_no_call_for_the_time() {
    let (calls, seconds) = or_skip!(calls(|server| ask_udp_often(server.udp())));
    assert!(calls["sendto"] >= EXCHANGES, "{calls:?}");
    let each = [("sendto", 1), ("epoll_wait", 1), ("recvfrom", 2), ("recvmmsg", 1)];
    assert_costs(&calls, seconds, &each);
    let receives: usize = ["recvfrom", "recvmmsg"].iter().filter_map(|name| calls.get(*name)).sum();
    assert!(receives <= 2 * EXCHANGES + 20, "{calls:?}");
}

#[test]
fn a_connection_costs_few_calls_none_to_watch_it_and_none_for_the_time() {
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
        ("fcntl", 1), // std checks a descriptor, in debug builds only
    ];
    assert_costs(&calls, seconds, &each);
}
