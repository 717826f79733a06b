//! Tests `daytime query --proto udp` with datagrams that are lost, late or malformed, or come from
//! other peers.

use crate::or_skip;
use crate::query::row;
use crate::support::wire::udp_server;
use crate::support::{
    Namespace, Running, bad, complains, daytime, good, ipv6, mentions, run, stderr, stdout,
};
use std::net::UdpSocket;
use std::process::Command;

fn query(arguments: &[&str]) -> Command {
    let mut command = daytime();
    command.args(["query", "--proto", "udp"]).args(arguments);
    command
}

/// Starts a server that answers the first question with these datagrams.
fn answers(replies: &'static [&'static [u8]]) -> String {
    udp_server(move |socket| {
        let (_, peer) = socket.recv_from(&mut [0; 64]).expect("a question");
        for reply in replies {
            socket.send_to(reply, peer).expect("sent");
        }
    })
}

#[test]
fn an_answer_from_another_address_or_port_is_ignored() {
    let host = udp_server(|socket| {
        let (_, peer) = socket.recv_from(&mut [0; 64]).expect("a question");
        let port = socket.local_addr().expect("bound").port();
        // Two other peers: the same address with another port, and another address with the same
        // port.
        for stranger in [("127.0.0.1", 0), ("127.0.0.77", port)] {
            let stranger = UdpSocket::bind(stranger).expect("loopback");
            stranger.send_to(b"wrong\r\n", peer).expect("sent");
        }
        socket.send_to(b"right\r\n", peer).expect("sent");
    });
    assert_eq!(good(&mut query(&["-q", &host])), "right\n");
}

#[test]
fn answers_only_from_other_peers_count_as_no_reply() {
    let host = udp_server(|socket| {
        let (_, peer) = socket.recv_from(&mut [0; 64]).expect("a question");
        let stranger = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        stranger.send_to(b"wrong\r\n", peer).expect("sent");
        let _ = socket.recv_from(&mut [0; 64]); // keeps the port open
    });
    let message = bad(1, &mut query(&["--timeout", "0.5", "--retries", "0", &host]));
    complains(&message, &["no reply", &host, " 1 datagram"]);
}

#[test]
fn a_lost_question_is_sent_again() {
    let host = udp_server(|socket| {
        let (length, first) = socket.recv_from(&mut [0; 64]).expect("a question");
        let (_, second) = socket.recv_from(&mut [0; 64]).expect("another");
        assert_eq!((length, first), (0, second), "the same empty question from the same socket");
        socket.send_to(b"at last\r\n", second).expect("sent");
    });
    let printed = good(&mut query(&["--timeout", "3.5", &host]));
    assert!(printed.starts_with("at last\n"), "{printed}");
    mentions(&row(&printed, "udp"), &[&host, "9 octets", "1 datagram", "2 questions"]);
}

#[test]
fn only_the_first_of_several_answers_counts() {
    assert_eq!(good(&mut query(&["-q", &answers(&[b"one\r\n", b"two\r\n"])])), "one\n");
}

#[test]
fn a_reply_longer_than_the_limit_is_cut_and_reported() {
    let host = answers(&[b"0123456789abc\r\n"]);
    let output = run(&mut query(&["-q", "--limit", "10", &host]));
    assert_eq!(stdout(&output), "0123456789\n");
    complains(&stderr(&output), &[&host, "cut", "10 octets"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_reply_exactly_as_long_as_the_limit_is_complete() {
    let host = answers(&[b"0123456789"]);
    assert_eq!(good(&mut query(&["-q", "--limit", "10", &host])), "0123456789\n");
}

#[test]
fn the_error_names_every_silent_address() {
    or_skip!(ipv6());
    let inside = or_skip!(Namespace::new());
    // A stopped server keeps its sockets and answers no client.
    let mut serve = inside.daytime();
    serve.args(["serve", "--proto", "udp", "--port", "9999"]);
    let server = Running::start(serve);
    server.signal("STOP");
    let mut ask = inside.daytime();
    ask.args(["query", "--proto", "udp", "--timeout", "2", "--retries", "1", "localhost:9999"]);
    let message = bad(1, &mut ask);
    complains(&message, &["127.0.0.1:9999", "[::1]:9999"]);
    for part in ["no reply", "2 datagrams"] {
        assert_eq!(message.matches(part).count(), 2, "{part}: {message}");
    }
}

#[test]
fn an_empty_reply_is_reported() {
    let host = answers(&[b""]);
    let output = run(&mut query(&[&host]));
    complains(&stderr(&output), &[&host, "empty reply", "udp"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_largest_possible_datagram_is_received_whole() {
    let host = udp_server(|socket| {
        let (_, peer) = socket.recv_from(&mut [0; 64]).expect("a question");
        socket.send_to(&vec![b'x'; 65_507], peer).expect("sent");
    });
    let printed = good(&mut query(&["-q", "--limit", "65535", &host]));
    assert_eq!(printed.len(), 65_508);
}
