//! Tests clients of `daytime serve --metrics`: each gets an answer or an end in time, and delays no
//! other client.

use crate::metrics::{GET, page, said, serving};
use crate::support::wire::{
    ask_tcp, ask_udp, assert_prompt, connect, eventually, read_to_end, wait_in_vain,
};
use crate::support::{PATIENCE, Running, mentions};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// Maximum time of a connection.
const DEADLINE: Duration = Duration::from_secs(2);
/// Time that a busy machine may add. If each earlier client took its whole deadline, a scrape would
/// wait 12 s.
const MARGIN: Duration = Duration::from_secs(6);

/// Time that may pass before a test first reads its clock.
const EARLY: Duration = Duration::from_millis(50);

#[test]
fn only_get_and_head_of_two_paths_are_answered_with_200() {
    let (_server, metrics) = serving();
    for (request, status, body) in [
        ("GET / HTTP/1.1\r\nHost: here\r\n\r\n", "200 OK", &[" /metrics\n"][..]),
        ("GET / HTTP/1.0\r\n\r\n", "200 OK", &[" /metrics\n"]),
        ("GET /metrics/ HTTP/1.1\r\nHost: here\r\n\r\n", "404 Not Found", &[" /metrics\n"]),
        ("GET /../etc/passwd HTTP/1.1\r\nHost: here\r\n\r\n", "404 Not Found", &[" /metrics\n"]),
        (
            "DELETE /metrics HTTP/1.1\r\nHost: here\r\n\r\n",
            "405 Method Not Allowed",
            &["GET", "HEAD"],
        ),
        ("nonsense\r\n\r\n", "400 Bad Request", &[]),
        ("\u{1b}[31m\r\n\r\n", "400 Bad Request", &[]),
    ] {
        let answer = said(metrics, request);
        let (head, text) = answer.split_once("\r\n\r\n").expect("a head");
        assert_eq!(
            head.lines().next().and_then(|it| it.split_once(' ')).expect("a status").1,
            status,
            "{request:?}"
        );
        assert_eq!(text.lines().count(), usize::from(!body.is_empty()), "{request:?}: {text}");
        if !body.is_empty() {
            mentions(text, body);
        }
    }
}

#[test]
fn a_head_request_gets_the_length_of_the_page_and_no_more() {
    let (_server, metrics) = serving();
    let answer = said(metrics, "HEAD /metrics HTTP/1.1\r\nHost: here\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
    assert_eq!(answer.matches("\r\n\r\n").count(), 1, "{answer}");
    assert!(
        answer.contains(&format!("\r\ncontent-length: {}\r\n", page(metrics).len())),
        "{answer}"
    );
}

#[test]
fn a_request_body_is_ignored_and_the_client_gets_its_answer() {
    let (_server, metrics) = serving();
    let body = "x".repeat(60_000);
    let head =
        format!("POST /metrics HTTP/1.1\r\nHost: here\r\nContent-Length: {}\r\n\r\n", body.len());
    let answer = said(metrics, &(head.clone() + &body));
    assert!(answer.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{answer}");
    assert!(answer.contains("\r\nallow: GET, HEAD\r\n"), "{answer}");
    // The answer does not wait for a body that never comes.
    let asked = Instant::now();
    assert!(said(metrics, &head).starts_with("HTTP/1.1 405 "));
    assert!(asked.elapsed() < DEADLINE, "{:?}", asked.elapsed());
}

#[test]
fn one_connection_is_one_request() {
    let (_server, metrics) = serving();
    let answer = said(metrics, &GET.repeat(3));
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
}

#[test]
fn a_client_that_half_closes_after_its_request_is_answered() {
    let (_server, metrics) = serving();
    let mut stream = connect(metrics);
    stream.write_all(GET.as_bytes()).expect("sent");
    stream.shutdown(Shutdown::Write).expect("half closed");
    assert!(read_to_end(&stream).starts_with(b"HTTP/1.1 200 OK\r\n"));
}

/// Waits until the server has ended a connection, by a close or a reset.
fn has_ended(mut stream: &TcpStream) {
    match stream.read_to_end(&mut Vec::new()) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
}

fn assert_cut_at_the_deadline(behave: impl FnOnce(&mut TcpStream)) {
    let (server, metrics) = serving();
    let asked = Instant::now();
    let mut slow = connect(metrics);
    let watched = slow.try_clone().expect("cloned");
    let cut = thread::spawn(move || {
        has_ended(&watched);
        asked.elapsed()
    });
    page(metrics);
    assert!(ask_tcp(server.tcp()).ends_with(b"-UTC\r\n"));
    assert!(ask_udp(server.udp(), b"").ends_with(b"-UTC\r\n"));
    assert!(asked.elapsed() < DEADLINE, "none waits for its end: {:?}", asked.elapsed());
    behave(&mut slow);
    let took = cut.join().expect("it ended");
    assert!(took + EARLY >= DEADLINE && took < DEADLINE + MARGIN, "{took:?}");
}

#[test]
fn a_silent_client_is_cut_at_the_deadline_and_delays_no_other() {
    assert_cut_at_the_deadline(|_| {});
}

#[test]
fn a_client_that_drips_its_request_is_cut_at_the_same_deadline() {
    assert_cut_at_the_deadline(|slow| {
        for octet in GET.bytes().cycle().filter(|octet| *octet != b'\n').take(1000) {
            if slow.write_all(&[octet]).is_err() {
                break;
            }
            wait_in_vain(Duration::from_millis(20));
        }
    });
}

#[test]
fn a_client_that_stays_after_its_answer_is_cut_at_the_same_deadline() {
    let (_server, metrics) = serving();
    let asked = Instant::now();
    let mut stays = connect(metrics);
    stays.write_all(GET.as_bytes()).expect("sent");
    assert!(read_to_end(&stays).starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert!(asked.elapsed() < DEADLINE, "the answer itself does not wait");
    while stays.write_all(b"x").is_ok() {
        assert!(asked.elapsed() < DEADLINE + MARGIN, "still open");
        wait_in_vain(Duration::from_millis(20));
    }
    assert!(asked.elapsed() + EARLY >= DEADLINE, "{:?}", asked.elapsed());
}

#[test]
fn a_head_without_an_end_is_refused_before_the_deadline() {
    let (_server, metrics) = serving();
    let asked = Instant::now();
    let mut stream = connect(metrics);
    // The head has the maximum length, and the server does not read it to the end.
    let head = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(20_000));
    stream.write_all(head.as_bytes()).expect("sent");
    let answer = read_to_end(&stream);
    assert!(answer.starts_with(b"HTTP/1.1 431 "), "{}", answer.escape_ascii());
    assert!(asked.elapsed() < DEADLINE, "{:?}", asked.elapsed());
    let fields = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(100));
    assert!(said(metrics, &fields).starts_with("HTTP/1.1 431 "));
}

#[test]
fn a_client_that_sends_without_end_is_cut_off() {
    let (_server, metrics) = serving();
    let asked = Instant::now();
    let mut stream = connect(metrics);
    let octets = [b'x'; 4096];
    while stream.write_all(&octets).is_ok() {
        assert!(asked.elapsed() < DEADLINE, "the server keeps reading");
    }
}

#[test]
fn clients_that_never_read_delay_others_at_most_by_the_deadline() {
    let (server, metrics) = serving();
    let held: Vec<_> = (0..100)
        .map(|_| {
            let mut stream = connect(metrics);
            stream.write_all(GET.as_bytes()).expect("sent");
            stream
        })
        .collect();
    let silent: Vec<_> = (0..100).map(|_| connect(metrics)).collect();
    let asked = Instant::now();
    assert!(ask_tcp(server.tcp()).ends_with(b"-UTC\r\n"));
    assert!(ask_udp(server.udp(), b"").ends_with(b"-UTC\r\n"));
    assert!(asked.elapsed() < DEADLINE, "the service: {:?}", asked.elapsed());
    page(metrics);
    assert!(asked.elapsed() < DEADLINE + MARGIN, "a scrape: {:?}", asked.elapsed());
    drop((held, silent));
}

#[test]
fn two_hundred_clients_at_once_are_all_answered() {
    let (_server, metrics) = serving();
    let asked = Instant::now();
    let clients: Vec<_> = (0..200).map(|_| thread::spawn(move || page(metrics))).collect();
    for client in clients {
        assert!(client.join().expect("answered").contains("daytime_build_info"));
    }
    assert!(asked.elapsed() < PATIENCE / 3, "{:?}", asked.elapsed());
}

#[test]
fn a_thousand_scrapes_leak_no_descriptor() {
    let (server, metrics) = serving();
    let before = server.descriptors();
    for _ in 0..1000 {
        page(metrics);
    }
    eventually("all descriptors are closed", || server.descriptors() <= before);
}

#[test]
fn the_log_shows_no_input_from_http_clients() {
    let mut server = Running::serve(&["--metrics", "0", "-vv"]);
    let metrics = server.address("metrics", |_| true);
    for request in [
        "GET /secret\u{7}word HTTP/1.1\r\n\r\n",
        "GET /secretword HTTP/1.1\r\nX: secretword\r\n\r\n",
    ] {
        said(metrics, request);
    }
    server.signal("TERM");
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("secret") && !log.contains('\u{7}'), "{log}");
}

#[test]
fn a_stop_does_not_wait_for_clients_of_the_metrics() {
    assert_prompt(Duration::from_secs(1), || {
        let (mut server, metrics) = serving();
        let silent: Vec<_> = (0..50).map(|_| connect(metrics)).collect();
        page(metrics); // so some connections were accepted
        let asked = Instant::now();
        server.signal("TERM");
        let (status, log) = server.wait();
        assert_eq!(status.code(), Some(0), "{log}");
        drop(silent);
        asked.elapsed()
    });
}

#[test]
fn the_last_descriptors_are_reserved_for_the_services() {
    let mut limited = Command::new("sh");
    let serve = r#"ulimit -n 24; exec "$0" serve --port 0 --metrics 0"#;
    limited.args(["-c", serve, env!("CARGO_BIN_EXE_daytime")]);
    let server = Running::start(limited);
    let metrics = server.address("metrics", |_| true);
    let silent: Vec<_> = (0..32).map(|_| connect(metrics)).collect();
    eventually("the endpoint holds its descriptors", || server.descriptors() >= 20);
    for _ in 0..10 {
        assert_prompt(Duration::from_secs(1), || {
            let asked = Instant::now();
            assert!(ask_tcp(server.tcp()).ends_with(b"-UTC\r\n"));
            asked.elapsed()
        });
    }
    drop(silent);
    eventually("the endpoint has closed its descriptors", || server.descriptors() < 20);
    assert!(page(metrics).contains("daytime_build_info"));
}
