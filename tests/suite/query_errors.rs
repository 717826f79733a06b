//! `daytime query` and servers that do not answer, or not as they should: what it says, and that it ends.

use crate::or_skip;
use crate::support::wire::{closed_port, tcp_server, wait_in_vain};
use crate::support::{Namespace, PATIENCE, bad, daytime, good, run, stderr, stdout};
use std::io::Write;
use std::net::{TcpListener, UdpSocket};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// `daytime query` with arguments that have no good end: what it says, and nothing else.
fn refused(status: i32, arguments: &[&str]) -> String {
    bad(status, daytime().arg("query").args(arguments))
}

#[test]
fn a_closed_tcp_port_is_reported_as_refused_with_a_hint() {
    let (address, _holder) = closed_port();
    let start =
        format!("is a server running? `daytime serve --port {}` starts one", address.port());
    assert_eq!(
        refused(1, &[&address.to_string()]),
        format!("daytime: connection refused by {address}: {start}\n")
    );
}

#[test]
fn the_hint_for_a_closed_port_13_names_a_port_that_needs_no_privilege() {
    let inside = or_skip!(Namespace::new());
    let told = bad(1, inside.daytime().args(["query", "127.0.0.1"]));
    let expected = "daytime: connection refused by 127.0.0.1:13: is a server running? `daytime serve \
                    --port 9999` starts one, `daytime query localhost:9999` asks it\n";
    assert_eq!(told, expected);
}

#[test]
fn an_ipv6_address_that_cannot_be_reached_gets_the_hint_for_addresses() {
    let inside = or_skip!(Namespace::new());
    for host in ["[2001:db8::7]:9999", "[2001:db8::7]:13", "[fe80::1%lo]:13"] {
        let told = bad(1, inside.daytime().args(["query", host]));
        let hint = ": does this host have IPv6? See `ip -6 address` and `ip -6 route`\n";
        assert!(told.ends_with(hint), "{told}");
    }
}

#[test]
fn a_closed_udp_port_is_reported_as_said_by_icmp() {
    let (address, _holder) = closed_port();
    let started = Instant::now();
    assert_eq!(
        refused(1, &["--proto", "udp", "--timeout", "20", &address.to_string()]),
        format!(
            "daytime: {address} says by ICMP that its UDP port is closed: is a server running? \
             `daytime serve --port {}` starts one\n",
            address.port()
        )
    );
    assert!(started.elapsed() < Duration::from_secs(10), "it waited though it was told");
}

#[test]
fn a_tcp_server_that_stays_silent_is_given_up_at_the_timeout() {
    // The kernel finishes the handshake; nobody accepts.
    let silent = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = silent.local_addr().expect("bound");
    let started = Instant::now();
    assert_eq!(
        refused(1, &["--timeout", "0.5", &address.to_string()]),
        format!(
            "daytime: the answer of {address} is incomplete: 0 octets came: no end of the stream \
             within 0.5 s: try a longer --timeout\n"
        )
    );
    assert!(started.elapsed() >= Duration::from_millis(500), "{:?}", started.elapsed());
}

#[test]
fn udp_silence_is_reported_as_silence_with_the_number_of_questions() {
    let silent = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let address = silent.local_addr().expect("bound");
    let hint = "question or answer may be lost, or no server is running, and UDP does not report \
                which; try --proto tcp\n";
    for (retries, datagrams) in [("0", "1 datagram"), ("2", "3 datagrams")] {
        let ask = ["--proto", "udp", "--timeout", "0.5", "--retries", retries];
        let told = refused(1, &[&ask[..], &[&address.to_string()]].concat());
        // The time is measured, so it may be a little more than what was asked for.
        let begins = format!("daytime: silence from {address} after {datagrams} in ");
        let rest = told.strip_prefix(&begins).unwrap_or_else(|| panic!("{told}"));
        let (seconds, rest) = rest.split_once(" s: ").expect("seconds");
        assert!((0.45..5.0).contains(&seconds.parse::<f64>().expect("a number")), "{told}");
        assert_eq!(rest, hint);
    }
    silent.set_nonblocking(true).expect("set");
    let questions = std::iter::from_fn(|| silent.recv(&mut [0; 64]).ok());
    assert_eq!(questions.collect::<Vec<_>>(), [0; 4], "empty datagrams, 1 and 3");
}

#[test]
fn the_hint_for_what_looks_like_an_ipv6_address_with_a_port_has_brackets() {
    let inside = or_skip!(Namespace::new()); // no resolver is to be asked
    let told = bad(1, inside.daytime().args(["query", "::1:21999"]));
    assert!(
        told.ends_with(": write an IPv6 address with a port in brackets: [::1]:9999\n"),
        "{told}"
    );
}

#[test]
fn an_unknown_name_is_reported_with_the_resolvers_reason() {
    let inside = or_skip!(Namespace::new());
    let told = bad(1, inside.daytime().args(["query", "no-such-host.invalid"]));
    let reason = told.strip_prefix("daytime: cannot resolve no-such-host.invalid: ");
    let reason = reason.unwrap_or_else(|| panic!("{told}"));
    let hint = ": check the name, and the resolver of this host\n";
    assert!(reason.len() > hint.len() && reason.ends_with(hint), "{told}");
}

#[test]
fn a_name_without_an_address_of_the_family_is_reported() {
    let inside = or_skip!(Namespace::new());
    let told = bad(1, inside.daytime().args(["query", "-6", "127.0.0.1"]));
    assert_eq!(told, "daytime: 127.0.0.1 has no IPv6 address: try without -4 and -6\n");
}

#[test]
fn a_server_that_sends_10_mib_is_cut_at_the_limit() {
    let (sent, end) = mpsc::channel();
    let host = tcp_server(move |mut stream| {
        let reply = vec![b'x'; 10 << 20];
        sent.send(stream.write_all(&reply)).expect("the test waits");
    });
    let output = run(daytime().args(["query", "-q", &host]));
    assert_eq!(stdout(&output), format!("{}\n", "x".repeat(4096)));
    let told = format!("daytime: the answer of {host} is incomplete: 4096 octets came: more than");
    assert!(stderr(&output).starts_with(&told), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(1));
    assert!(end.recv_timeout(PATIENCE).expect("it ends").is_err(), "all of it was taken");
}

#[test]
fn the_limit_goes_up_to_65535_octets_and_no_further() {
    assert!(refused(2, &["--limit", "65536", "localhost"]).contains("--limit"));
    let host = tcp_server(|mut stream| stream.write_all(&vec![b'x'; 65_535]).expect("sent"));
    let printed = good(daytime().args(["query", "-q", "--limit", "65535", &host]));
    assert_eq!(printed.len(), 65_536);
}

#[test]
fn a_server_that_sends_an_octet_a_second_is_given_up_at_the_one_deadline_for_all() {
    let host = tcp_server(|mut stream| {
        while stream.write_all(b"x").is_ok() {
            wait_in_vain(Duration::from_secs(1));
        }
    });
    let started = Instant::now();
    let output = run(daytime().args(["query", "-q", "--timeout", "2.5", &host]));
    assert_eq!((stdout(&output).as_str(), output.status.code()), ("xxx\n", Some(1)));
    assert_eq!(
        stderr(&output),
        format!(
            "daytime: the answer of {host} is incomplete: 3 octets came: no end of the stream \
             within 2.5 s: try a longer --timeout\n"
        )
    );
    let elapsed = started.elapsed();
    assert!(
        elapsed >= Duration::from_millis(2500) && elapsed < Duration::from_secs(5),
        "{elapsed:?}"
    );
}

#[test]
fn a_server_that_closes_without_a_word_is_reported() {
    let host = tcp_server(drop);
    let output = run(daytime().args(["query", "-q", &host]));
    let told = format!("daytime: {host} sent an empty reply over tcp: it may not know the time\n");
    assert_eq!(stderr(&output), told);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_connection_that_breaks_is_reported_with_what_had_come() {
    let host = tcp_server(|mut stream| {
        stream.write_all(b"Sun N").expect("sent");
        // Nothing shows when the client has read it.
        wait_in_vain(Duration::from_secs(1));
        // Closed with this, it sends a reset instead of a FIN (socket(7)).
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("set");
    });
    let output = run(daytime().args(["query", "-q", &host]));
    assert_eq!((stdout(&output).as_str(), output.status.code()), ("Sun N\n", Some(1)));
    assert_eq!(
        stderr(&output),
        format!(
            "daytime: the answer of {host} is incomplete: 5 octets came: Connection reset by peer \
             (os error 104)\n"
        )
    );
}

#[test]
fn a_target_that_is_none_is_a_matter_of_usage() {
    for (target, why) in [
        ("host:0", "the port is not a number from 1 to 65535"),
        ("host:daytime", "the port is not a number from 1 to 65535"),
        ("[::1", "brackets go around an IPv6 address: [::1] or [::1]:13"),
        (":13", "there is no host in it"),
    ] {
        let told = refused(2, &[target]);
        let complaint = format!("error: invalid value '{target}' for '<HOST[:PORT]>...': {why}\n");
        assert!(told.starts_with(&complaint), "{told}");
    }
    assert!(refused(2, &[]).contains("<HOST[:PORT]>..."));
    assert!(refused(2, &["-4", "-6", "::1"]).contains("cannot be used with"));
}
