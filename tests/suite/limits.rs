//! Tests the limits of one source and of all sources, on a host whose clients are not on loopback.

use crate::or_skip;
use crate::support::forge::{forge, forge_range};
use crate::support::wire::{ask_tcp, ask_udp, assert_prompt, connect, eventually, read_to_end};
use crate::support::{Namespace, PATIENCE, Running, count, counters, daytime};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

const SERVER: &str = "10.0.0.1:13";

/// Starts a server with these options on 10.0.0.1, on a host that has addresses of two clients.
fn serving(options: &[&str]) -> Result<(Namespace, Running), String> {
    let inside = Namespace::having(&["10.0.0.1/32", "10.0.0.2/32", "10.0.0.3/32"])?;
    inside.enter(|| ())?; // skips if this process cannot enter the namespace
    let mut serve = inside.daytime();
    serve.args(["serve", "--listen", SERVER, "--strftime", "%Y", "-v"]).args(options);
    let server = Running::start(serve);
    Ok((inside, server))
}

fn server() -> SocketAddr {
    SERVER.parse().expect("address")
}

/// Returns the number of answered datagrams out of `tries` from this address. The first `sure`
/// datagrams must be answered, so the client waits long for them. After them, the first datagram
/// without a quick reply is the last.
fn answered(from: &str, sure: usize, tries: usize) -> usize {
    let socket = UdpSocket::bind((from, 0)).expect("an address of this host");
    socket.connect(server()).expect("connected");
    let ask = |number: usize| {
        let wait = if number < sure { PATIENCE } else { Duration::from_millis(300) };
        socket.set_read_timeout(Some(wait)).expect("set");
        socket.send(b"").and_then(|_| socket.recv(&mut [0; 64])).is_ok()
    };
    (0..tries).take_while(|number| ask(*number)).count()
}

#[test]
fn a_source_above_its_rate_is_ignored_and_another_is_answered() {
    let options = ["--udp-rate", "1", "--udp-burst", "5"];
    let (inside, server) = or_skip!(serving(&options));
    // Each second that passes meanwhile adds a token.
    let first = or_skip!(inside.enter(|| answered("10.0.0.2", 5, 50)));
    assert!((5..=20).contains(&first), "{first}");
    assert!(or_skip!(inside.enter(|| answered("10.0.0.3", 5, 5))) == 5);
    let counters = server.counters();
    assert!(counters.contains("udp ignored source-limit: 1"), "{counters}");
}

#[test]
fn all_sources_together_have_a_limit_too() {
    let (inside, server) = or_skip!(serving(&["--udp-total-rate", "5"]));
    let datagrams: Vec<String> = (1..=50).map(|host| format!("10.1.0.{host} 40000")).collect();
    let datagrams: Vec<_> =
        datagrams.iter().map(|from| (from.as_str(), "10.0.0.1 13", 0)).collect();
    or_skip!(forge(&inside, &datagrams));
    let counters = server.counters();
    let limited = count(&counters, "udp ignored total-limit");
    // Python takes a while for 50 datagrams, and a token returns every 200 ms.
    assert!((1..=45).contains(&limited), "{counters}");
}

#[test]
fn a_flood_of_forged_sources_grows_neither_memory_nor_the_log() {
    let (inside, server) = or_skip!(serving(&["--udp-rate", "1", "--udp-burst", "1"]));
    let before = server.private_memory();
    // Three times as many sources as the table has entries.
    for sources in ["10.1.0.0 40000", "10.2.0.0 40000", "10.3.0.0 40000", "10.4.0.0 40000"] {
        or_skip!(forge_range(&inside, sources, "10.0.0.1 13", 50_000));
    }
    // The table has 1024 KiB, which the kernel assigns as it is used.
    let grown = server.private_memory() - before;
    assert!(grown < 1536, "{grown} KiB more than before");
    let log = server.stopped();
    // With -v, the number of lines about single clients per second is limited.
    let lines = log.lines().filter(|line| !line.contains(" DEBUG] ")).count();
    assert!(lines < 20, "{log}");
    // A busy machine drops some of them before the server gets them; between 40 000 and 45 000 were
    // dropped in trials.
    assert!(count(&counters(&log), "udp arrivals") > 20_000, "{log}");
}

#[test]
fn above_the_limit_of_one_source_the_newest_connection_is_answered_and_closed_at_once() {
    let (inside, server) = or_skip!(serving(&["--tcp-per-source", "3", "--drain-deadline", "60"]));
    let idle = server.descriptors();
    or_skip!(inside.enter(|| {
        let held: Vec<TcpStream> = (0..5).map(|_| drained("10.0.0.2")).collect();
        // Each client gets its reply. Two connections are closed and three are drained. The limit
        // applies to this source only.
        eventually("the newest are closed", || server.descriptors() == idle + 3);
        let other = drained("10.0.0.3");
        eventually("another source is drained", || server.descriptors() == idle + 4);
        drop(held);
        eventually("the connections are closed", || server.descriptors() == idle + 1);
        let again = drained("10.0.0.2");
        eventually("a new connection is kept", || server.descriptors() == idle + 2);
        drop((other, again));
    }));
    let counters = server.counters();
    assert!(counters.contains("tcp ended source-limit: 2"), "{counters}");
}

#[test]
fn above_the_limit_of_all_sources_the_newest_connection_is_answered_and_closed_at_once() {
    let (inside, server) = or_skip!(serving(&["--tcp-total", "2", "--drain-deadline", "60"]));
    let idle = server.descriptors();
    or_skip!(inside.enter(|| {
        let held = ["10.0.0.2", "10.0.0.3", "10.0.0.3"].map(drained);
        eventually("the newest is closed", || server.descriptors() == idle + 2);
        drop(held);
        eventually("the connections are closed", || server.descriptors() == idle);
        let again = drained("10.0.0.2");
        eventually("a new connection is kept", || server.descriptors() == idle + 1);
        drop(again);
    }));
    let counters = server.counters();
    assert!(counters.contains("tcp ended total-limit: 1"), "{counters}");
}

/// Opens a connection from this address that has got its reply and the end of stream, and stays
/// open.
fn drained(from: &str) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let socket = socket.expect("a socket");
    let local: SocketAddr = format!("{from}:0").parse().expect("address");
    socket.bind(&local.into()).expect("an address of this host");
    socket.connect(&server().into()).expect("connected");
    let stream: TcpStream = socket.into();
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    assert_eq!(read_to_end(&stream).len(), 6, "a year and CR LF");
    stream
}

#[test]
fn loopback_is_limited_only_with_limit_loopback() {
    let limits = ["--udp-rate", "1", "--udp-burst", "1", "--tcp-per-source", "1"];
    let server = Running::serve(&[&["-v", "--drain-deadline", "60"][..], &limits].concat());
    let held: Vec<TcpStream> = (0..10).map(|_| connect(server.tcp())).collect();
    for _ in 0..10 {
        ask_udp(server.udp(), b"");
        ask_tcp(server.tcp());
    }
    drop(held);
    let counted = server.counters();
    assert!(!counted.contains("-limit"), "{counted}");
    assert_eq!(count(&counted, "udp exchanges"), 10);
    let mut serve = daytime();
    serve.args(["serve", "--port", "0", "-v", "--limit-loopback"]).args(limits);
    let server = Running::start(serve);
    ask_udp(server.udp(), b"");
    let held = [connect(server.tcp()), connect(server.tcp())];
    assert!(held.iter().all(|stream| !read_to_end(stream).is_empty()));
    let counted = server.counters();
    assert!(counted.contains("tcp ended source-limit: 1"), "{counted}");
}

#[test]
fn a_thousand_connections_at_once_are_answered_within_a_second_despite_many_held_ones() {
    const HOLDERS: usize = 1000;
    const CLIENTS: usize = 1000;
    let (inside, _server) = or_skip!(serving(&["--drain-deadline", "60"]));
    or_skip!(inside.enter(|| {
        let holders: Vec<TcpStream> = (0..HOLDERS).map(|_| connect(server())).collect();
        assert_prompt(Duration::from_secs(1), || {
            let started = Instant::now();
            let clients: Vec<TcpStream> = (0..CLIENTS).map(|_| connect(server())).collect();
            assert!(clients.iter().all(|client| read_to_end(client).len() == 6));
            started.elapsed()
        });
        drop(holders);
    }));
}
