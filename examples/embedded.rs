//! Tests a client against a server in the same program. A fixed clock gives a known reply, port 0 chooses a free port,
//! and dropping the server stops it.
//!
//! `cargo run --example embedded`
#![allow(clippy::print_stdout, reason = "a program prints")]

use daytime::{Clock, Config, Reading, Running, Server, Transport};
use std::error::Error;
use std::io::Read;
use std::net::{SocketAddr, TcpStream, UdpSocket};

const REPLY: &str = "Monday, February 22, 1982 17:37:43-UTC\r\n";

fn main() -> Result<(), Box<dyn Error>> {
    let server = start()?;
    let tcp = server.address(Transport::Tcp).ok_or("no TCP")?;
    let udp = server.address(Transport::Udp).ok_or("no UDP")?;
    assert_eq!(ask_over_tcp(tcp)?, REPLY);
    assert_eq!(ask_over_udp(udp)?, REPLY);
    println!("{tcp}: {}", REPLY.trim_end());

    drop(server);
    assert!(TcpStream::connect(tcp).is_err());
    println!("{tcp}: stopped");
    Ok(())
}

/// Starts a server with a fixed clock.
fn start() -> Result<Running, Box<dyn Error>> {
    let noted = Reading::at("1982-02-22T17:37:43Z".parse()?);
    let config = Config::default().address("127.0.0.1:0".parse()?).clock(Clock::Fixed(noted));
    Ok(Server::bind(config)?.spawn()?)
}

/// The TCP client under test. The end of the stream marks the end of the reply.
fn ask_over_tcp(server: SocketAddr) -> std::io::Result<String> {
    let mut reply = String::new();
    TcpStream::connect(server)?.read_to_string(&mut reply)?;
    Ok(reply)
}

/// The UDP client under test, which sends an empty datagram and receives the reply in one datagram.
fn ask_over_udp(server: SocketAddr) -> std::io::Result<String> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.send_to(&[], server)?;
    let mut reply = [0; 512];
    let (length, _) = socket.recv_from(&mut reply)?;
    Ok(String::from_utf8_lossy(&reply[..length]).into_owned())
}
