//! Tests `daytime serve --inetd` with a socket on descriptor 0, as any inetd starts it.

use crate::or_skip;
use crate::support::wire::{ask_tcp, connect, datagrams_with, read_to_end};
use crate::support::{bad, complains, daytime, ipv6, mentions, program, run, stderr, stdout};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Returns a client and the connection that an inetd has accepted from it.
fn accepted(on: &str) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(on).expect("loopback");
    let client = connect(listener.local_addr().expect("bound"));
    let (stream, _) = listener.accept().expect("a client");
    (client, stream)
}

/// Runs `daytime serve --inetd` with the socket on descriptor 0. The caller sets descriptors 1 and
/// 2.
fn serve(socket: impl Into<OwnedFd>, arguments: &[&str]) -> Command {
    let mut command = daytime();
    command.args(["serve", "--inetd"]).args(arguments).stdin(Stdio::from(socket.into()));
    command
}

#[test]
fn a_connection_gets_its_reply_and_the_process_ends_with_it() {
    or_skip!(ipv6());
    for loopback in ["127.0.0.1:0", "[::1]:0"] {
        let (client, stream) = accepted(loopback);
        let mut child = serve(stream, &["-q"]).spawn().expect("started");
        assert!(read_to_end(&client).ends_with(b"-UTC\r\n"), "{loopback}");
        assert_eq!(child.try_wait().expect("waited for"), None, "the client is still there");
        drop(client);
        assert_eq!(child.wait().expect("waited for").code(), Some(0), "{loopback}");
    }
}

#[test]
fn a_connection_is_drained_until_the_deadline_and_no_longer() {
    let (mut client, stream) = accepted("127.0.0.1:0");
    let started = Instant::now();
    let mut command = serve(stream, &["-q", "--drain-deadline", "2"]);
    let mut child = command.spawn().expect("started");
    drop(command); // the command holds a handle of the connection
    assert!(read_to_end(&client).ends_with(b"-UTC\r\n"));
    client.write_all(b"still here").expect("taken");
    assert_eq!(child.wait().expect("waited for").code(), Some(0));
    assert!(started.elapsed() >= Duration::from_secs(2), "after {:?}", started.elapsed());
}

#[test]
fn a_client_on_descriptors_0_to_2_gets_only_the_reply() {
    let (client, stream) = accepted("127.0.0.1:0");
    let mut command = serve(stream.try_clone().expect("a handle"), &["-vv", "--strftime", "ours"]);
    command
        .stdout(OwnedFd::from(stream.try_clone().expect("a handle")))
        .stderr(OwnedFd::from(stream));
    let mut child = command.spawn().expect("started");
    drop(command);
    assert_eq!(read_to_end(&client), b"ours\r\n");
    drop(client);
    assert_eq!(child.wait().expect("waited for").code(), Some(0));
}

/// Every write to a connected UDP socket sends a datagram.
#[test]
fn a_client_of_a_connected_socket_gets_exactly_one_datagram() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let client = datagrams_with(socket.local_addr().expect("bound"));
    let port = client.local_addr().expect("bound").port();
    socket.connect(("127.0.0.1", port)).expect("connected");
    client.send(b"").expect("sent");
    let mut command = serve(socket.try_clone().expect("a handle"), &["-vv", "--idle", "0.1"]);
    command
        .stdout(OwnedFd::from(socket.try_clone().expect("a handle")))
        .stderr(OwnedFd::from(socket));
    assert_eq!(command.status().expect("it runs").code(), Some(0));
    let mut line = [0; 64];
    let length = client.recv(&mut line).expect("answered");
    assert!(line[..length].ends_with(b"-UTC\r\n"), "{}", line[..length].escape_ascii());
    client.set_nonblocking(true).expect("set");
    let more = client.recv(&mut line).expect_err("one answer to one question");
    assert_eq!(more.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn the_log_goes_to_standard_error_if_it_is_not_the_client() {
    let (client, stream) = accepted("127.0.0.1:0");
    drop(client);
    let output = run(&mut serve(stream, &[]));
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout(&output), "");
    assert!(stderr(&output).contains("INFO ] daytime "), "{}", stderr(&output));
}

#[test]
fn a_listener_is_served_until_its_idle_time_is_over() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    let mut command = serve(listener, &["-q", "--idle", "2"]);
    let started = Instant::now();
    let mut child = command.spawn().expect("started");
    drop(command);
    for _ in 0..3 {
        assert!(ask_tcp(address).ends_with(b"-UTC\r\n"));
    }
    assert_eq!(child.wait().expect("waited for").code(), Some(0));
    assert!(started.elapsed() >= Duration::from_secs(2), "after {:?}", started.elapsed());
}

/// Another process may have received the datagram: inetd starts as many as it likes.
#[test]
fn a_process_for_one_datagram_ends_at_once_if_none_waits() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let mut command = daytime();
    command.args(["serve", "-q", "--inetd=nowait"]).stdin(OwnedFd::from(socket));
    assert_eq!(run(&mut command).status.code(), Some(0));
}

#[test]
fn a_process_for_one_datagram_answers_it_and_ends() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let address: SocketAddr = socket.local_addr().expect("bound");
    let client = datagrams_with(address);
    client.send(b"").expect("sent");
    let mut command = daytime();
    command.args(["serve", "-q", "--inetd=nowait"]).stdin(OwnedFd::from(socket));
    assert_eq!(run(&mut command).status.code(), Some(0));
    let mut line = [0; 64];
    let length = client.recv(&mut line).expect("answered");
    assert!(line[..length].ends_with(b"-UTC\r\n"));
}

#[test]
fn a_descriptor_0_that_is_not_a_socket_is_refused() {
    let assert_refused = |command: &mut Command| {
        let message = bad(1, command);
        complains(&message, &["cannot serve", "descriptor 0: ", "/dev/null", "not a socket"]);
        mentions(&message, &["TCP listener", "TCP connection", "bound UDP socket"]);
        mentions(&message, &["--inetd", "inetd or xinetd"]);
    };
    assert_refused(daytime().args(["serve", "--inetd"]).stdin(Stdio::null()));
    or_skip!(program("sh"));
    let mut closed = Command::new("sh");
    closed.args(["-c", r#"exec "$0" serve --inetd <&-"#, env!("CARGO_BIN_EXE_daytime")]);
    assert_refused(&mut closed); // Rust opens /dev/null for a closed descriptor
}
