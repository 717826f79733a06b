//! Tests `daytime serve` from the client's side: RFC 867 on both transports and both families.

use crate::or_skip;
use crate::support::wire::{ask_tcp, ask_udp, connect, datagrams_with, read_to_end};
use crate::support::{Namespace, Running, bad, good, ipv6, mentions};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

/// Starts a server whose reply does not change while a test runs.
fn fixed(arguments: &[&str]) -> Running {
    Running::serve(&[&["--strftime", "the year is %Y %Z"], arguments].concat())
}

fn assert_is_the_reply(reply: &[u8]) {
    let text = reply.escape_ascii().to_string();
    assert!(reply.starts_with(b"the year is 2"), "{text}");
    assert!(reply.ends_with(b" UTC\r\n"), "{text}");
}

#[test]
fn both_transports_on_both_families_send_the_same_reply() {
    or_skip!(ipv6());
    let server = fixed(&[]);
    assert_eq!(server.bound.len(), 4, "{:?}", server.bound);
    let line = ask_tcp(server.tcp());
    assert_is_the_reply(&line);
    assert_eq!(ask_tcp(server.address("tcp", SocketAddr::is_ipv6)), line);
    assert_eq!(ask_udp(server.udp(), b""), line);
    assert_eq!(ask_udp(server.address("udp", SocketAddr::is_ipv6), b""), line);
}

#[test]
fn any_datagram_content_gets_the_same_reply() {
    let server = fixed(&[]);
    let line = ask_udp(server.udp(), b"");
    assert_is_the_reply(&line);
    for question in [&b"\r\n"[..], &[0; 1400], b"what time is it?", &vec![0xFF; 65_507]] {
        assert_eq!(ask_udp(server.udp(), question), line, "{} octets", question.len());
    }
}

#[test]
fn each_datagram_gets_exactly_one_reply() {
    let server = fixed(&[]);
    let socket = datagrams_with(server.udp());
    for _ in 0..3 {
        socket.send(b"?").expect("sent");
    }
    let mut reply = [0; 64];
    for _ in 0..3 {
        let length = socket.recv(&mut reply).expect("answered");
        assert_is_the_reply(&reply[..length]);
    }
    socket.set_read_timeout(Some(Duration::from_millis(100))).expect("set");
    let more = socket.recv(&mut reply).expect_err("a fourth answer to three questions");
    assert!(matches!(more.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{more}");
}

#[test]
fn input_of_a_tcp_client_is_discarded() {
    let server = fixed(&[]);
    let line = ask_tcp(server.tcp());
    for input in [&b"\r\n"[..], b"GET / HTTP/1.0\r\n\r\n", &vec![0; 100_000]] {
        let mut stream = connect(server.tcp());
        stream.write_all(input).expect("sent");
        assert_eq!(read_to_end(&stream), line, "{} octets", input.len());
    }
}

#[test]
fn a_client_that_half_closes_at_once_gets_the_whole_reply() {
    let server = fixed(&[]);
    let stream = connect(server.tcp());
    stream.shutdown(std::net::Shutdown::Write).expect("half closed");
    assert_is_the_reply(&read_to_end(&stream));
}

#[test]
fn a_client_that_sends_while_it_reads_gets_the_whole_reply() {
    let server = fixed(&[]);
    let mut stream = connect(server.tcp());
    let mut reply = Vec::new();
    let mut octet = [0];
    while stream.read(&mut octet).expect("no reset") == 1 {
        reply.push(octet[0]);
        stream.write_all(b".").expect("the server still receives");
    }
    assert_is_the_reply(&reply);
}

#[test]
fn a_client_that_sends_a_mebibyte_first_gets_the_reply_and_a_clean_end_200_times_over_ipv4() {
    mebibyte_first(SocketAddr::is_ipv4);
}

#[test]
fn a_client_that_sends_a_mebibyte_first_gets_the_reply_and_a_clean_end_200_times_over_ipv6() {
    or_skip!(ipv6());
    mebibyte_first(SocketAddr::is_ipv6);
}

fn mebibyte_first(admits: fn(&SocketAddr) -> bool) {
    let server = fixed(&[]);
    let address = server.address("tcp", admits);
    let line = ask_tcp(address);
    let input = vec![b'x'; 1 << 20];
    for round in 1..=200 {
        let mut stream = connect(address);
        stream.write_all(&input).unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert_eq!(read_to_end(&stream), line, "round {round}");
    }
}

/// Starts a server with these options on port 13 of a host with these addresses besides loopback.
fn inside(addresses: &[&str], options: &[&str]) -> Result<(Namespace, Running), String> {
    let inside = Namespace::having(addresses)?;
    let mut serve = inside.daytime();
    serve.args(["serve", "--strftime", "%Y"]).args(options);
    let server = Running::start(serve);
    Ok((inside, server))
}

/// Asks over both transports. Over UDP, only a reply from the asked address counts.
fn assert_answers_from(inside: &Namespace, host: &str) {
    let printed = good(inside.daytime().args(["query", "-q", "--proto", "both", host]));
    assert_eq!(printed.lines().count(), 2, "{host}: {printed}");
}

#[test]
fn each_ipv4_address_of_the_host_replies_from_itself() {
    let options = ["--listen", "0.0.0.0"];
    let (inside, _server) = or_skip!(inside(&["10.0.0.1/32", "10.0.0.2/32"], &options));
    for host in ["10.0.0.1", "10.0.0.2"] {
        assert_answers_from(&inside, host);
    }
}

#[test]
fn the_ipv6_wildcard_accepts_ipv4_and_replies_from_the_address_asked() {
    or_skip!(ipv6());
    let options = ["--listen", "[::]"];
    let (inside, _server) = or_skip!(inside(&["10.0.0.3/32", "fd00::1/128"], &options));
    // An IPv6 socket may carry IPv4 too (RFC 4291, 2.5.5.2).
    for host in ["10.0.0.3", "fd00::1", "::ffff:10.0.0.3"] {
        assert_answers_from(&inside, host);
    }
}

#[test]
fn with_only_v6_the_ipv6_wildcard_refuses_ipv4() {
    or_skip!(ipv6());
    let options = ["--listen", "[::]", "--only-v6"];
    let (inside, _server) = or_skip!(inside(&["10.0.0.1/32", "fd00::1/128"], &options));
    assert_answers_from(&inside, "fd00::1");
    let message = bad(1, inside.daytime().args(["query", "--proto", "both", "10.0.0.1"]));
    let [over_tcp, over_udp] = message.lines().collect::<Vec<_>>()[..] else { panic!("{message}") };
    mentions(over_tcp, &["refused", "10.0.0.1:13"]);
    mentions(over_udp, &["10.0.0.1:13", "ICMP", "UDP", "closed"]);
}

#[test]
fn both_wildcards_share_a_port_with_only_v6() {
    or_skip!(ipv6());
    let options = ["--listen", "0.0.0.0", "--listen", "[::]", "--only-v6"];
    let (inside, _server) = or_skip!(inside(&["10.0.0.1/32", "fd00::1/128"], &options));
    assert_answers_from(&inside, "10.0.0.1");
    assert_answers_from(&inside, "fd00::1");
}

#[test]
fn each_address_of_an_interface_replies_from_itself() {
    or_skip!(ipv6());
    let (here, there) = (or_skip!(Namespace::new()), or_skip!(Namespace::new()));
    // Addresses of TEST-NET-1, of the documentation prefix (RFC 5737, RFC 3849), and link-local.
    let mine = ["192.0.2.1/24", "192.0.2.2/24", "2001:db8::1/64", "2001:db8::2/64", "fe80::1/64"];
    or_skip!(here.join(&there, &mine, &["192.0.2.9/24", "2001:db8::9/64", "fe80::9/64"]));
    let mut serve = here.daytime();
    serve.args(["serve", "--listen", "[::]", "--strftime", "%Y"]);
    let _server = Running::start(serve);
    for address in mine {
        let (host, _) = address.split_once('/').expect("a prefix");
        // A link-local address needs the name of its link (RFC 4007).
        let host = if host.starts_with("fe80") { format!("{host}%cable") } else { host.into() };
        let printed = good(there.daytime().args(["query", "-q", "--proto", "both", &host]));
        assert_eq!(printed.lines().count(), 2, "{host}: {printed}");
    }
}
