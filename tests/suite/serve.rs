//! `daytime serve`, as its clients and its operator meet it.

use crate::support::{PATIENCE, Running};
use std::io::Read;
use std::net::{TcpStream, UdpSocket};

#[test]
fn both_transports_answer_with_the_same_line() {
    let server = Running::serve(&["--strftime", "%Y %Z"]);
    let mut reply = Vec::new();
    let mut stream = TcpStream::connect(server.tcp()).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream.read_to_end(&mut reply).expect("a clean end");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    socket.send_to(&[], server.udp()).expect("sent");
    let mut datagram = [0; 64];
    let (length, peer) = socket.recv_from(&mut datagram).expect("answered");
    assert_eq!(peer, server.udp());
    assert_eq!(reply, &datagram[..length]);
    assert!(reply.ends_with(b" UTC\r\n"), "{}", reply.escape_ascii());
}
