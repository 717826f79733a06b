//! The exchanges of the server allocate no memory. Only the reply of a new second and growing queues do. This test is a
//! separate binary, whose allocator counts the allocations of the serving thread.

#![allow(clippy::expect_used)]

use allocation_counter::measure;
use daytime::{Clock, Config, Event, IpVersion, Server, Syntax, Transport, Zone};
use std::io::Read;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

/// Number of measured exchanges over each transport.
const STEADY: u64 = 10_000;
/// Number of exchanges before the measured ones. In these, tables and queues grow to their size.
const FIRST: u64 = 500;

/// Returns the number of allocations of a server that answers this number of exchanges.
fn allocations(transport: Transport, exchanges: u64) -> u64 {
    let config = Config::default().address("127.0.0.1:0".parse().expect("an address"));
    let server = Server::bind(config).expect("loopback");
    let address = server.bound()[0].address;
    let (shutdown, metrics) = (server.shutdown(), server.metrics());
    let serving = thread::spawn(move || {
        let mut ended = None;
        let allocations = measure(|| ended = Some(server.run()));
        ended.expect("it has run").expect("no failure");
        allocations.count_total
    });
    match transport {
        Transport::Tcp => (0..exchanges).for_each(|_| ask_tcp(address)),
        Transport::Udp => ask_udp(address, exchanges),
    }
    shutdown.stop();
    let allocations = serving.join().expect("no panic");
    let answered = match transport {
        Transport::Tcp => Event::TcpAnswered,
        Transport::Udp => Event::UdpAnswered,
    };
    assert!(metrics.count_over(answered, IpVersion::V4) >= exchanges, "{metrics:?}");
    allocations
}

fn ask_tcp(address: SocketAddr) {
    let mut reply = Vec::new();
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.read_to_end(&mut reply).expect("a line");
    assert!(reply.ends_with(b"\r\n"));
}

fn ask_udp(address: SocketAddr, exchanges: u64) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    socket.connect(address).expect("connected");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    for _ in 0..exchanges {
        socket.send(b"").expect("sent");
        socket.recv(&mut [0; 512]).expect("an answer");
    }
}

/// Returns the number of allocations for one new reply.
fn allocations_of_a_reply() -> u64 {
    let reading = Clock::System.read().expect("the time");
    measure(|| drop(Syntax::default().print(&reading, Zone::UTC))).count_total
}

/// Allocations that are allowed for queues and tables that double a few more times.
const GROWTH: u64 = 32;

#[test]
fn ten_thousand_exchanges_over_each_transport_allocate_nothing() {
    for transport in Transport::BOTH {
        let first = allocations(transport, FIRST);
        let begun = Instant::now();
        let all = allocations(transport, FIRST + STEADY);
        let replies = begun.elapsed().as_secs() + 2;
        let allowed = replies * allocations_of_a_reply() + GROWTH;
        assert!(allowed < STEADY / 64, "less than one per batch: {allowed}");
        assert!(all <= first + allowed, "{transport}: {first} allocations, then {all}");
    }
}
