//! A Daytime server on both transports, whose behaviour the test chooses.

use super::PATIENCE;
use chrono::{DateTime, SecondsFormat, Utc};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::SystemTime;

/// A function that handles a connection. Its arguments are the stream and the reply.
pub type Tcp = fn(TcpStream, &[u8]);
/// A function that handles a datagram. Its arguments are the socket, the peer, the question and the reply.
pub type Udp = fn(&UdpSocket, SocketAddr, &[u8], &[u8]);

/// The server's behaviour. By default, the server behaves correctly.
#[derive(Clone, Copy, Debug)]
pub struct Scripted {
    /// Returns the reply to each question.
    pub reply: fn() -> Vec<u8>,
    /// Returns the reply over UDP, if it differs from the reply over TCP.
    pub udp_reply: Option<fn() -> Vec<u8>>,
    /// Handles each connection.
    pub tcp: Tcp,
    /// Handles each datagram.
    pub udp: Udp,
}

impl Default for Scripted {
    fn default() -> Self {
        Self { reply: now, udp_reply: None, tcp: reply_and_drain, udp: answer }
    }
}

impl Scripted {
    /// Starts the server on a free port of 127.0.0.1, and returns its address. The server runs until the test process
    /// ends.
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

/// Binds a TCP and a UDP socket to the same port number.
fn bind() -> (TcpListener, UdpSocket) {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        if let Ok(socket) = UdpSocket::bind(listener.local_addr().expect("bound")) {
            return (listener, socket);
        }
    }
}

/// Returns the current time as a reply in RFC 3339 format.
pub fn now() -> Vec<u8> {
    let now = DateTime::<Utc>::from(SystemTime::now());
    format!("{}\r\n", now.to_rfc3339_opts(SecondsFormat::Secs, true)).into_bytes()
}

/// Sends the reply and the FIN, then reads until the client closes.
pub fn reply_and_drain(mut stream: TcpStream, reply: &[u8]) {
    stream.write_all(reply).expect("sent");
    stream.shutdown(Shutdown::Write).expect("shut down");
    let _ = stream.read_to_end(&mut Vec::new());
}

/// Sends the reply and closes immediately, as inetd does. If the client has sent anything, the kernel resets the
/// connection.
pub fn reply_and_close(mut stream: TcpStream, reply: &[u8]) {
    // An error is ignored, because the client may have reset the connection.
    let _ = stream.write_all(reply);
}

/// Sends the reply, and closes only after the client has closed its direction.
pub fn reply_and_wait(mut stream: TcpStream, reply: &[u8]) {
    stream.write_all(reply).expect("sent");
    let _ = stream.read_to_end(&mut Vec::new());
}

/// Sends one datagram as the reply, unless the question comes from a service's port.
pub fn answer(socket: &UdpSocket, peer: SocketAddr, _: &[u8], reply: &[u8]) {
    let own = socket.local_addr().expect("bound").port();
    if peer.port() >= 1024 && peer.port() != own {
        socket.send_to(reply, peer).expect("sent");
    }
}

/// Sends two datagrams in reply to one question.
pub fn answer_twice(socket: &UdpSocket, peer: SocketAddr, question: &[u8], reply: &[u8]) {
    answer(socket, peer, question, reply);
    answer(socket, peer, question, reply);
}

/// Sends one datagram as the reply, whatever the source port.
pub fn answer_every_port(socket: &UdpSocket, peer: SocketAddr, _: &[u8], reply: &[u8]) {
    socket.send_to(reply, peer).expect("sent");
}

/// Answers only every second question, as if the others had been lost.
pub fn lose_every_second(socket: &UdpSocket, peer: SocketAddr, question: &[u8], reply: &[u8]) {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    if NUMBER.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
        answer(socket, peer, question, reply);
    }
}

/// Answers only empty questions.
pub fn answer_only_empty(socket: &UdpSocket, peer: SocketAddr, question: &[u8], reply: &[u8]) {
    if question.is_empty() {
        answer(socket, peer, question, reply);
    }
}
