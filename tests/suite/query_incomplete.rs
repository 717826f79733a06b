//! Tests `daytime query` with replies that stop before their end. The octets received are printed
//! with their meaning, then the error, and the exit status is 1.

use crate::query::{MEASURED, row};
use crate::support::wire::{tcp_server, wait_in_vain};
use crate::support::{PATIENCE, assert_screen, complains, daytime, mentions, run, stderr, stdout};
use daytime::Transport;
use daytime::client::{Answer, AskError, Interruption, Options, ask};
use serde_json::Value;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Output;
use std::thread;
use std::time::Duration;

const LINE: &str = "2024-07-03T14:05:11Z";

/// Sends a whole line and resets the connection (socket(7), SO_LINGER).
fn send_and_reset(mut stream: TcpStream) {
    stream.write_all(format!("{LINE}\r\n").as_bytes()).expect("sent");
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("set");
}

/// Starts a server that sends a whole line and keeps the connection open until the client closes
/// it.
fn never_closes() -> String {
    tcp_server(|mut stream| {
        stream.write_all(format!("{LINE}\r\n").as_bytes()).expect("sent");
        assert_eq!(stream.read(&mut [0]).expect("the client closes"), 0);
    })
}

/// Runs a `daytime query` that receives an incomplete reply.
fn query(arguments: &[&str]) -> Output {
    let output = run(daytime().arg("query").args(arguments));
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    output
}

/// Returns the partial answer, and the reason why the stream stopped.
fn partial(asked: Result<Answer, AskError>) -> (Answer, Interruption) {
    match asked {
        Err(AskError::Incomplete { partial, cause }) => (*partial, cause),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_line_before_a_reset_is_always_kept() {
    const TIMES: usize = 200;
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    let serving = thread::spawn(move || {
        for stream in listener.incoming().take(TIMES + 3) {
            send_and_reset(stream.expect("a client"));
        }
    });
    for _ in 0..TIMES {
        let asked = ask(&address.into(), Transport::Tcp, &Options::default());
        let (answer, cause) = partial(asked);
        assert_eq!(answer.text(), LINE);
        assert!(answer.round_trip <= answer.elapsed && answer.arrived.is_some(), "{answer:?}");
        assert!(answer.offset().is_some() && !answer.calls.names().is_empty(), "{answer:?}");
        let Interruption::Broken { cause: error } = cause else { panic!("{cause}") };
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    let host = address.to_string();
    let cause = [&host, "incomplete", "22 octets", "reset by peer"];
    for _ in 0..3 {
        let output = query(&["-q", &host]);
        assert_eq!(stdout(&output), format!("{LINE}\n"));
        complains(&stderr(&output), &cause);
    }
    serving.join().expect("no panic");
}

#[test]
fn a_line_without_an_end_of_the_stream_is_printed_with_its_meaning() {
    let host = never_closes();
    let output = query(&["--timeout", "0.5", &host]);
    assert_screen("query_without_end_of_stream", &stdout(&output), &MEASURED);
    let cause = [&host, "incomplete", "22 octets", "stream", "0.5 s"];
    complains(&stderr(&output), &[&cause[..], &["whole", "RFC 867", "close"]].concat());
}

#[test]
fn an_incomplete_reply_has_its_error_and_its_meaning_in_json() {
    let host = never_closes();
    let output = query(&["--json", "--timeout", "0.5", &host]);
    let printed: Value = serde_json::from_str(&stdout(&output)).expect("one object");
    assert_eq!(printed["reply"], LINE);
    assert_eq!(printed["utc"], LINE);
    assert_eq!((&printed["error"], &printed["truncated"]), (&Value::Null, &Value::Bool(false)));
    assert!(printed["offset_us"].is_f64(), "{printed}");
    let incomplete = printed["incomplete"].as_str().expect("an error");
    mentions(incomplete, &[&host, "22 octets", "stream", "0.5 s"]);
    assert_eq!(stderr(&output), format!("daytime: {incomplete}\n"));
}

#[test]
fn the_lines_of_several_servers_are_all_printed() {
    let (one, other) = (tcp_server(send_and_reset), never_closes());
    let output = query(&["-q", "--timeout", "0.5", &one, &other]);
    assert_eq!(stdout(&output), format!("{LINE}\n{LINE}\n"));
    assert_eq!(stderr(&output).lines().count(), 2, "{}", stderr(&output));
}

#[test]
fn a_cut_line_gives_no_offset() {
    let host = tcp_server(|mut stream| {
        stream.write_all(LINE.as_bytes()).expect("sent");
        wait_in_vain(Duration::from_millis(300));
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("set");
    });
    let options = Options::default().timeout(PATIENCE);
    let target = host.parse().expect("a target");
    let (answer, cause) = partial(ask(&target, Transport::Tcp, &options));
    assert_eq!((answer.text().as_str(), answer.truncated), (LINE, true));
    assert!(answer.offset().is_none() && matches!(cause, Interruption::Broken { .. }), "{cause}");
}

#[test]
fn a_cut_line_fixes_no_instant() {
    for line in ["2024-07-03T14:05:11", "3 Jul 2024 14:05:11 UT", "2024-07-03T14:05:11+02:00"] {
        let host = || {
            tcp_server(move |mut stream| {
                stream.write_all(line.as_bytes()).expect("sent");
                assert_eq!(stream.read(&mut [0]).expect("the client closes"), 0);
            })
        };
        let text = stdout(&query(&["--timeout", "0.5", &host()]));
        mentions(&row(&text, "means"), &["unknown zone", "cut"]);
        mentions(&row(&text, "offset"), &["unknown", "cut"]);
        let json = stdout(&query(&["--json", "--timeout", "0.5", &host()]));
        let printed: Value = serde_json::from_str(&json).expect("one object");
        assert_eq!((&printed["utc"], &printed["flags"][0]), (&Value::Null, &"truncated".into()));
    }
}

#[test]
fn octets_up_to_the_limit_are_printed() {
    let host = tcp_server(|mut stream| {
        let _ = stream.write_all(&vec![b'x'; 100_000]);
    });
    let output = query(&["-q", "--limit", "30", &host]);
    assert_eq!(stdout(&output), format!("{}\n", "x".repeat(30)));
    let cause = [&host, "incomplete", " 30 octets"];
    complains(&stderr(&output), &[&cause[..], &["--limit", "65535"]].concat());
}
