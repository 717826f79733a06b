//! `daytime query --proto udp` and datagrams that are lost, late, strange or from strangers.

use crate::or_skip;
use crate::support::wire::udp_server;
use crate::support::{Namespace, Running, bad, daytime, good, ipv6, run, stderr, stdout};
use std::net::UdpSocket;
use std::process::Command;

fn query(arguments: &[&str]) -> Command {
    let mut command = daytime();
    command.args(["query", "--proto", "udp"]).args(arguments);
    command
}

/// Answers the first question with these datagrams.
fn answers(replies: &'static [&'static [u8]]) -> String {
    udp_server(move |socket| {
        let (_, peer) = socket.recv_from(&mut [0; 64]).expect("a question");
        for reply in replies {
            socket.send_to(reply, peer).expect("sent");
        }
    })
}

#[test]
fn an_answer_from_another_address_or_port_is_not_taken() {
    let host = udp_server(|socket| {
        let (_, peer) = socket.recv_from(&mut [0; 64]).expect("a question");
        let port = socket.local_addr().expect("bound").port();
        // The same address with another port, another address with the same port.
        for stranger in [("127.0.0.1", 0), ("127.0.0.77", port)] {
            let stranger = UdpSocket::bind(stranger).expect("loopback");
            stranger.send_to(b"wrong\r\n", peer).expect("sent");
        }
        socket.send_to(b"right\r\n", peer).expect("sent");
    });
    assert_eq!(good(&mut query(&["-q", &host])), "right\n");
}

#[test]
fn strangers_alone_leave_silence() {
    let host = udp_server(|socket| {
        let (_, peer) = socket.recv_from(&mut [0; 64]).expect("a question");
        let stranger = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        stranger.send_to(b"wrong\r\n", peer).expect("sent");
        let _ = socket.recv_from(&mut [0; 64]); // the port stays open
    });
    let told = bad(1, &mut query(&["--timeout", "0.5", "--retries", "0", &host]));
    assert!(told.starts_with(&format!("daytime: silence from {host} after 1 datagram")), "{told}");
}

#[test]
fn a_question_that_is_lost_is_asked_again() {
    let host = udp_server(|socket| {
        let (length, first) = socket.recv_from(&mut [0; 64]).expect("a question");
        let (_, second) = socket.recv_from(&mut [0; 64]).expect("another");
        assert_eq!((length, first), (0, second), "the same empty question from the same socket");
        socket.send_to(b"at last\r\n", second).expect("sent");
    });
    let printed = good(&mut query(&["--timeout", "3.5", &host]));
    assert!(printed.starts_with("at last\n"), "{printed}");
    assert!(printed.contains(": 9 octets in 1 datagram, after 2 questions\n"), "{printed}");
}

#[test]
fn only_the_first_of_several_answers_counts() {
    assert_eq!(good(&mut query(&["-q", &answers(&[b"one\r\n", b"two\r\n"])])), "one\n");
}

#[test]
fn an_answer_longer_than_the_limit_is_printed_up_to_it_and_reported_as_cut() {
    let host = answers(&[b"0123456789abc\r\n"]);
    let output = run(&mut query(&["-q", "--limit", "10", &host]));
    assert_eq!(stdout(&output), "0123456789\n");
    let told = format!("daytime: the reply of {host} is cut: it was longer than 10 octets\n");
    assert_eq!(stderr(&output), told);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn an_answer_just_as_long_as_the_limit_is_whole() {
    let host = answers(&[b"0123456789"]);
    assert_eq!(good(&mut query(&["-q", "--limit", "10", &host])), "0123456789\n");
}

#[test]
fn every_address_that_stayed_silent_is_named() {
    or_skip!(ipv6());
    let inside = or_skip!(Namespace::new());
    // Stopped, it keeps its sockets and answers nobody.
    let mut serve = inside.daytime();
    serve.args(["serve", "--proto", "udp", "--port", "9999"]);
    let server = Running::start(serve);
    server.signal("STOP");
    let mut ask = inside.daytime();
    ask.args(["query", "--proto", "udp", "--timeout", "2", "--retries", "1", "localhost:9999"]);
    let told = bad(1, &mut ask);
    for peer in ["127.0.0.1:9999", "[::1]:9999"] {
        assert!(told.contains(&format!("silence from {peer} after 2 datagrams in ")), "{told}");
    }
}

#[test]
fn an_empty_answer_is_reported_as_such() {
    let host = answers(&[b""]);
    let output = run(&mut query(&[&host]));
    let told = format!("daytime: {host} sent an empty reply over udp: it may not know the time\n");
    assert_eq!(stderr(&output), told);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_largest_datagram_there_is_is_taken_whole() {
    let host = udp_server(|socket| {
        let (_, peer) = socket.recv_from(&mut [0; 64]).expect("a question");
        socket.send_to(&vec![b'x'; 65_507], peer).expect("sent");
    });
    let printed = good(&mut query(&["-q", "--limit", "65535", &host]));
    assert_eq!(printed.len(), 65_508);
}
