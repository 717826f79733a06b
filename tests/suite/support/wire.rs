//! Clients that use plain sockets, and small servers with a given behaviour.

use super::PATIENCE;
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

/// Opens a TCP connection. Connecting, reading and writing time out after [`PATIENCE`].
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream.set_write_timeout(Some(PATIENCE)).expect("set");
    stream
}

/// Reads all octets until the end of stream. Panics on a reset.
pub fn read_to_end(mut stream: &TcpStream) -> Vec<u8> {
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).expect("end of stream without a reset");
    reply
}

/// Queries a server over TCP without sending any data. Returns the reply.
pub fn ask_tcp(address: SocketAddr) -> Vec<u8> {
    read_to_end(&connect(address))
}

/// Opens a UDP socket connected to this address, so that it receives datagrams from no other address.
pub fn datagrams_with(address: SocketAddr) -> UdpSocket {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).expect("bound");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    socket.connect(address).expect("connected");
    socket
}

/// Queries a server over UDP. Returns the reply, which must come from the same address.
pub fn ask_udp(address: SocketAddr, question: &[u8]) -> Vec<u8> {
    let socket = datagrams_with(address);
    socket.send(question).expect("sent");
    let mut reply = [0; 2048];
    let length = socket.recv(&mut reply).expect("an answer from the address that was asked");
    reply[..length].to_vec()
}

/// Waits for the given time, on a socket that no peer sends to.
pub fn wait_in_vain(duration: Duration) {
    let silent = UdpSocket::bind("127.0.0.1:0").expect("bound");
    silent.set_read_timeout(Some(duration)).expect("set");
    let error = silent.recv(&mut [0]).expect_err("no peer has this address");
    // A signal ends the wait early, also one without a handler (signal(7), SO_RCVTIMEO).
    let expected = [ErrorKind::WouldBlock, ErrorKind::TimedOut, ErrorKind::Interrupted];
    assert!(expected.contains(&error.kind()), "{error}");
}

/// Waits until a condition is true. Checks the condition every 10 ms, and panics after [`PATIENCE`].
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "never came true: {what}");
        wait_in_vain(Duration::from_millis(10));
    }
}

/// Asserts that the shortest of five measured times is below a limit. A busy machine delays some of them; a fault
/// delays all.
pub fn assert_prompt(limit: Duration, mut measured: impl FnMut() -> Duration) {
    let mut took = Vec::new();
    while took.len() < 5 {
        took.push(measured());
        if took.last() < Some(&limit) {
            return;
        }
    }
    panic!("never within {limit:?}: {took:?}");
}

/// Returns the metrics endpoint's response. The port is that of the unit in `packaging/systemd`.
pub fn metrics_page() -> String {
    let stream = connect((Ipv4Addr::LOCALHOST, 9867).into());
    (&stream).write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("sent");
    String::from_utf8(read_to_end(&stream)).expect("UTF-8")
}

/// Starts a TCP server that accepts one connection and passes it to `treat`. Returns the server's address.
pub fn tcp_server(treat: impl FnOnce(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound").to_string();
    thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        treat(stream);
    });
    address
}

/// Starts a UDP server, which passes its socket to `serve`. Returns the server's address.
pub fn udp_server(serve: impl FnOnce(UdpSocket) + Send + 'static) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let address = socket.local_addr().expect("bound").to_string();
    thread::spawn(move || serve(socket));
    address
}

/// Returns a port of 127.0.0.1 that is closed for both transports while the returned socket exists. The socket is
/// bound, so no other process can use the TCP port, but it does not listen.
pub fn closed_port() -> (SocketAddr, Socket) {
    loop {
        let holder = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        holder.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("bound");
        let address = holder.local_addr().expect("bound").as_socket().expect("IP");
        if UdpSocket::bind(address).is_ok() {
            return (address, holder);
        }
    }
}
