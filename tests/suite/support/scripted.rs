//! A Daytime server on both transports that behaves as a test wants it.

use super::PATIENCE;
use chrono::{DateTime, SecondsFormat, Utc};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::SystemTime;

/// How it treats a connection.
pub type Tcp = fn(TcpStream, &[u8]);
/// How it treats a datagram from that peer.
pub type Udp = fn(&UdpSocket, SocketAddr, &[u8], &[u8]);

/// What it does; what is not said is as it should be.
#[derive(Clone, Copy, Debug)]
pub struct Scripted {
    /// What it says, made when it is asked.
    pub reply: fn() -> Vec<u8>,
    /// What it says over UDP, where that is something else.
    pub udp_reply: Option<fn() -> Vec<u8>>,
    /// What it does with a connection.
    pub tcp: Tcp,
    /// What it does with a datagram.
    pub udp: Udp,
}

impl Default for Scripted {
    fn default() -> Self {
        Self { reply: now, udp_reply: None, tcp: say_and_drain, udp: answer }
    }
}

impl Scripted {
    /// Starts it on a free port of 127.0.0.1, until the process ends; its address.
    pub fn start(self) -> String {
        let (listener, socket) = bind();
        let address = listener.local_addr().expect("bound").to_string();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.expect("a client");
                stream.set_read_timeout(Some(PATIENCE)).expect("set");
                (self.tcp)(stream, &(self.reply)());
            }
        });
        thread::spawn(move || {
            let mut question = [0; 2048];
            loop {
                let (length, peer) = socket.recv_from(&mut question).expect("a datagram");
                let reply = self.udp_reply.unwrap_or(self.reply)();
                (self.udp)(&socket, peer, &question[..length], &reply);
            }
        });
        address
    }
}

/// One number that is free on both transports.
fn bind() -> (TcpListener, UdpSocket) {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        if let Ok(socket) = UdpSocket::bind(listener.local_addr().expect("bound")) {
            return (listener, socket);
        }
    }
}

/// The time in RFC 3339.
pub fn now() -> Vec<u8> {
    let now = DateTime::<Utc>::from(SystemTime::now());
    format!("{}\r\n", now.to_rfc3339_opts(SecondsFormat::Secs, true)).into_bytes()
}

/// The line, the end of the stream, and patience for whatever the client says.
pub fn say_and_drain(mut stream: TcpStream, reply: &[u8]) {
    stream.write_all(reply).expect("sent");
    stream.shutdown(Shutdown::Write).expect("shut down");
    let _ = stream.read_to_end(&mut Vec::new());
}

/// The line and the end, as an inetd has it: a client that talks is reset.
pub fn say_and_close(mut stream: TcpStream, reply: &[u8]) {
    // Who has talked is gone already, perhaps.
    let _ = stream.write_all(reply);
}

/// The line, and no end until the client has closed its direction.
pub fn say_and_wait(mut stream: TcpStream, reply: &[u8]) {
    stream.write_all(reply).expect("sent");
    let _ = stream.read_to_end(&mut Vec::new());
}

/// One datagram for one, but none for a service.
pub fn answer(socket: &UdpSocket, peer: SocketAddr, _: &[u8], reply: &[u8]) {
    let own = socket.local_addr().expect("bound").port();
    if peer.port() >= 1024 && peer.port() != own {
        socket.send_to(reply, peer).expect("sent");
    }
}

/// Two datagrams for one.
pub fn answer_twice(socket: &UdpSocket, peer: SocketAddr, question: &[u8], reply: &[u8]) {
    answer(socket, peer, question, reply);
    answer(socket, peer, question, reply);
}

/// One datagram, whoever asks.
pub fn answer_everybody(socket: &UdpSocket, peer: SocketAddr, _: &[u8], reply: &[u8]) {
    socket.send_to(reply, peer).expect("sent");
}

/// Every second datagram is lost.
pub fn lose_every_second(socket: &UdpSocket, peer: SocketAddr, question: &[u8], reply: &[u8]) {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    if NUMBER.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
        answer(socket, peer, question, reply);
    }
}

/// One datagram for an empty one only.
pub fn answer_nothing_but_nothing(
    socket: &UdpSocket,
    peer: SocketAddr,
    question: &[u8],
    reply: &[u8],
) {
    if question.is_empty() {
        answer(socket, peer, question, reply);
    }
}
