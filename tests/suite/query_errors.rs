//! Tests `daytime query` with servers that do not answer, or answer wrongly: its message, and that
//! it ends.

use crate::or_skip;
use crate::support::wire::{closed_port, tcp_server, wait_in_vain};
use crate::support::{
    Namespace, PATIENCE, bad, before, complains, daytime, good, mentions, run, stderr, stdout,
};
use std::io::Write;
use std::net::{TcpListener, ToSocketAddrs, UdpSocket};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Returns the error message of a failing `daytime query`, which prints nothing else.
fn refused(status: i32, arguments: &[&str]) -> String {
    bad(status, daytime().arg("query").args(arguments))
}

#[test]
fn a_closed_tcp_port_is_reported_as_refused_with_a_hint() {
    let (address, _holder) = closed_port();
    let message = refused(1, &[&address.to_string()]);
    let start = format!("`daytime serve --port {}`", address.port());
    complains(&message, &["refused", &address.to_string(), &start]);
}

#[test]
fn the_hint_for_a_closed_port_13_names_a_port_that_needs_no_privilege() {
    let inside = or_skip!(Namespace::new());
    let message = bad(1, inside.daytime().args(["query", "127.0.0.1"]));
    let commands = ["`daytime serve --port 9999`", "`daytime query localhost:9999`"];
    complains(&message, &["refused", "127.0.0.1:13", commands[0], commands[1]]);
}

#[test]
fn the_hint_for_an_unreachable_ipv6_address_names_ip_address_and_ip_route() {
    let inside = or_skip!(Namespace::new());
    for host in ["[2001:db8::7]:9999", "[2001:db8::7]:13", "[fe80::1%lo]:13"] {
        let message = bad(1, inside.daytime().args(["query", host]));
        complains(&message, &["IPv6", "`ip -6 address`", "`ip -6 route`"]);
    }
}

#[test]
fn a_closed_udp_port_is_reported_at_once_from_the_icmp_message() {
    let (address, _holder) = closed_port();
    let started = Instant::now();
    let message = refused(1, &["--proto", "udp", "--timeout", "20", &address.to_string()]);
    let start = format!("`daytime serve --port {}`", address.port());
    complains(&message, &[&address.to_string(), "ICMP", "closed", &start]);
    assert!(started.elapsed() < Duration::from_secs(10), "it must not wait after the ICMP message");
}

#[test]
fn a_silent_tcp_server_is_reported_at_the_timeout() {
    // The kernel completes the handshake, but no program accepts.
    let silent = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = silent.local_addr().expect("bound");
    let started = Instant::now();
    let message = refused(1, &["--timeout", "0.5", &address.to_string()]);
    let parts = [&*address.to_string(), "no reply", "0.5 s", "another protocol", "--timeout"];
    complains(&message, &parts);
    assert!(started.elapsed() >= Duration::from_millis(500), "{:?}", started.elapsed());
}

#[test]
fn a_silent_udp_server_is_reported_with_the_number_of_datagrams() {
    let silent = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let address = silent.local_addr().expect("bound");
    for (retries, datagrams) in [("0", "1 datagram"), ("2", "3 datagrams")] {
        let ask = ["--proto", "udp", "--timeout", "0.5", "--retries", retries];
        let message = refused(1, &[&ask[..], &[&address.to_string()]].concat());
        let (count, unit) = datagrams.split_once(' ').expect("a number and its unit");
        assert_eq!(before(&message, unit), Some(count), "{message}");
        // The time is measured, so it may be slightly longer than the timeout.
        let seconds = before(&message, "s").and_then(|it| it.parse().ok());
        assert!(seconds.is_some_and(|it| (0.45..5.0).contains(&it)), "{message}");
        complains(&message, &[&address.to_string(), "no reply", "lost", "--proto tcp"]);
    }
    silent.set_nonblocking(true).expect("set");
    let questions = std::iter::from_fn(|| silent.recv(&mut [0; 64]).ok());
    assert_eq!(questions.collect::<Vec<_>>(), [0; 4], "empty datagrams, 1 and 3");
}

#[test]
fn the_hint_for_an_ipv6_address_with_a_port_shows_brackets() {
    let inside = or_skip!(Namespace::new()); // a namespace without a resolver
    let message = bad(1, inside.daytime().args(["query", "::1:21999"]));
    complains(&message, &["::1:21999", "IPv6", "brackets", "[::1]:9999"]);
}

#[test]
fn an_unknown_name_is_reported_with_the_resolvers_reason() {
    let inside = or_skip!(Namespace::new());
    let message = bad(1, inside.daytime().args(["query", "no-such-host.invalid"]));
    let resolved = inside.enter(|| ("no-such-host.invalid", 13).to_socket_addrs().map(drop));
    let reason = or_skip!(resolved).expect_err("there is no resolver").to_string();
    complains(&message, &["resolve", "no-such-host.invalid", &reason, "resolver"]);
}

#[test]
fn a_name_without_an_address_of_the_family_is_reported() {
    let inside = or_skip!(Namespace::new());
    let message = bad(1, inside.daytime().args(["query", "-6", "127.0.0.1"]));
    complains(&message, &["127.0.0.1", "no IPv6", "-4", "-6"]);
}

#[test]
fn a_reply_of_10_mib_is_cut_at_the_limit() {
    let (sent, end) = mpsc::channel();
    let host = tcp_server(move |mut stream| {
        let reply = vec![b'x'; 10 << 20];
        sent.send(stream.write_all(&reply)).expect("the test waits");
    });
    let output = run(daytime().args(["query", "-q", &host]));
    assert_eq!(stdout(&output), format!("{}\n", "x".repeat(4096)));
    complains(&stderr(&output), &[&host, "incomplete", "4096 octets", "--limit"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        end.recv_timeout(PATIENCE).expect("it ends").is_err(),
        "the client must not read all octets"
    );
}

#[test]
fn the_limit_is_at_most_65535_octets() {
    assert!(refused(2, &["--limit", "65536", "localhost"]).contains("--limit"));
    let host = tcp_server(|mut stream| stream.write_all(&vec![b'x'; 65_535]).expect("sent"));
    let printed = good(daytime().args(["query", "-q", "--limit", "65535", &host]));
    assert_eq!(printed.len(), 65_536);
}

#[test]
fn a_server_that_sends_an_octet_per_second_cannot_extend_the_deadline() {
    let host = tcp_server(|mut stream| {
        while stream.write_all(b"x").is_ok() {
            wait_in_vain(Duration::from_secs(1));
        }
    });
    let started = Instant::now();
    let output = run(daytime().args(["query", "-q", "--timeout", "2.5", &host]));
    assert_eq!((stdout(&output).as_str(), output.status.code()), ("xxx\n", Some(1)));
    complains(&stderr(&output), &[&host, "incomplete", " 3 octets", "2.5 s", "--timeout"]);
    let elapsed = started.elapsed();
    assert!(
        elapsed >= Duration::from_millis(2500) && elapsed < Duration::from_secs(5),
        "{elapsed:?}"
    );
}

#[test]
fn a_server_that_closes_without_a_reply_is_reported() {
    let host = tcp_server(drop);
    let output = run(daytime().args(["query", "-q", &host]));
    complains(&stderr(&output), &[&host, "empty reply", "tcp"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_connection_that_breaks_is_reported_after_the_octets_received() {
    let host = tcp_server(|mut stream| {
        stream.write_all(b"Sun N").expect("sent");
        // No event shows when the client has read the octets.
        wait_in_vain(Duration::from_secs(1));
        // With this option close(2) sends a reset instead of a FIN (socket(7)).
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("set");
    });
    let output = run(daytime().args(["query", "-q", &host]));
    assert_eq!((stdout(&output).as_str(), output.status.code()), ("Sun N\n", Some(1)));
    let cause = ["incomplete", " 5 octets", "reset by peer"];
    complains(&stderr(&output), &[&cause[..], &[&host]].concat());
}

#[test]
fn an_invalid_target_is_a_usage_error() {
    for (target, why) in [
        ("host:0", &["port", "number", "65535"][..]),
        ("host:daytime", &["port", "number", "65535"]),
        ("[::1", &["brackets", "IPv6", "[::1]:13"]),
        (":13", &["host", "missing", "HOST:PORT"]),
    ] {
        let message = refused(2, &[target]);
        let first = message.lines().next().expect("a line");
        assert!(first.starts_with("error: "), "{message}");
        mentions(first, &[&[&format!("'{target}'"), "<HOST[:PORT]>"][..], why].concat());
    }
    mentions(&refused(2, &[]), &["<HOST[:PORT]>..."]);
    mentions(&refused(2, &["-4", "-6", "::1"]), &["'--ipv4'", "'--ipv6'"]);
}
