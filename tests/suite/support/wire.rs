//! Raw clients of a server, and servers that behave in a way of their own.

use super::PATIENCE;
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

/// A connection that gives up after [`PATIENCE`].
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream.set_write_timeout(Some(PATIENCE)).expect("set");
    stream
}

/// All octets until the end of the stream; a reset is a failure.
pub fn read_to_end(mut stream: &TcpStream) -> Vec<u8> {
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).expect("a clean end of the stream");
    reply
}

/// What a server says over TCP to a client that says nothing.
pub fn ask_tcp(address: SocketAddr) -> Vec<u8> {
    read_to_end(&connect(address))
}

/// A connected socket: it takes datagrams from that address only.
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

/// What a server answers to a datagram, from the very address that was asked.
pub fn ask_udp(address: SocketAddr, question: &[u8]) -> Vec<u8> {
    let socket = datagrams_with(address);
    socket.send(question).expect("sent");
    let mut reply = [0; 2048];
    let length = socket.recv(&mut reply).expect("an answer from the address that was asked");
    reply[..length].to_vec()
}

/// Waits on a socket for something that does not come.
pub fn wait_in_vain(duration: Duration) {
    let silent = UdpSocket::bind("127.0.0.1:0").expect("bound");
    silent.set_read_timeout(Some(duration)).expect("set");
    let error = silent.recv(&mut [0]).expect_err("nobody knows this socket");
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
}

/// Looks again and again until it is so, with a little wait on a silent socket between.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "never came true: {what}");
        wait_in_vain(Duration::from_millis(10));
    }
}

/// Asserts that something takes less than this, in the best of five tries: a busy machine delays some tries, and
/// a fault delays them all.
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

/// What the endpoint at the port of the shipped unit answers.
pub fn metrics_page() -> String {
    let stream = connect((Ipv4Addr::LOCALHOST, 9867).into());
    (&stream).write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("sent");
    String::from_utf8(read_to_end(&stream)).expect("UTF-8")
}

/// A TCP server that treats one connection as told; its address as text.
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

/// A UDP server that does as told with its socket; its address as text.
pub fn udp_server(serve: impl FnOnce(UdpSocket) + Send + 'static) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let address = socket.local_addr().expect("bound").to_string();
    thread::spawn(move || serve(socket));
    address
}

/// A port of 127.0.0.1 that is closed on both transports, as long as the socket lives: it is bound, so
/// nobody else can have the number, but does not listen.
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
