//! Tests against endless loops. Two services that answer each other would never stop. The server
//! ignores a datagram whose content is itself a Daytime reply, so both end after one reply each.

use crate::metrics::page;
use crate::or_skip;
use crate::replies::saved;
use crate::support::forge::forge;
use crate::support::wire::{datagrams_with, eventually};
use crate::support::{Namespace, Running, daytime, mentions};
use daytime::recognise;
use std::net::{SocketAddr, UdpSocket};

/// Starts a UDP service with these options. The test reads its counters at the end.
fn serving(listen: &str, options: &[&str]) -> Running {
    let mut serve = daytime();
    serve.args(["serve", "-v", "--proto", "udp", "--listen", listen]).args(options);
    Running::start(serve)
}

/// Options for each kind of limit, and for no limit.
const LIMITS: [&[&str]; 4] = [
    &[],
    &["--limit-loopback"],
    &["--limit-loopback", "--udp-rate", "0", "--udp-total-rate", "0"],
    &["--no-amplification"],
];

#[test]
fn a_service_that_takes_the_port_of_a_client_does_not_answer_the_late_reply() {
    for workers in ["1", "4"] {
        let options = ["--workers", workers];
        let asked = serving("127.0.0.1:0", &options);
        asked.signal("STOP");
        let client = datagrams_with(asked.udp());
        client.send(&[]).expect("sent");
        let port = client.local_addr().expect("bound").to_string();
        drop(client);
        let late = serving(&port, &[&options[..], &["--metrics", "0"]].concat());
        asked.signal("CONT");
        assert_eq!(asked.counters(), "udp arrivals: 1, udp exchanges: 1", "{workers} workers");
        // On a busy machine the kernel may deliver the reply after `send` has returned.
        let metrics = late.address("metrics", |_| true);
        let ignored = "reason=\"reply\"} 1\n";
        eventually("the late reply arrives", || page(metrics).contains(ignored));
        assert_eq!(late.counters(), "udp arrivals: 1, udp ignored reply: 1", "{workers} workers");
    }
}

#[test]
fn sixty_four_forged_questions_between_two_hosts_get_one_reply_each() {
    let (here, there) = (or_skip!(Namespace::new()), or_skip!(Namespace::new()));
    or_skip!(here.join(&there, &["192.0.2.1/24"], &["192.0.2.9/24"]));
    let serving = |host: &Namespace, listen: &str| {
        let mut serve = host.daytime();
        serve.args(["serve", "-v", "--proto", "udp", "--workers", "4", "--listen", listen]);
        Running::start(serve)
    };
    let one = serving(&here, "192.0.2.1:9998");
    let other = serving(&there, "192.0.2.9:9999");
    // Sends from this host with the forged source of the other one.
    or_skip!(forge(&here, &[("192.0.2.9 9999", "192.0.2.1 9998", 0); 64]));
    assert_eq!(one.counters(), "udp arrivals: 64, udp exchanges: 64");
    assert_eq!(other.counters(), "udp arrivals: 64, udp ignored reply: 64");
}

/// Asks, sends back the reply as an echo service on any port would (RFC 862), and asks again.
fn echoed_once(server: SocketAddr, question: &[u8]) {
    let echo = datagrams_with(server);
    let mut reply = [0; 512];
    for _ in 0..2 {
        echo.send(question).expect("sent");
        let octets = echo.recv(&mut reply).expect("the question is answered");
        echo.send(&reply[..octets]).expect("sent");
    }
    // A reply to the first echo would have arrived before the reply to the second question.
    echo.set_nonblocking(true).expect("set");
    echo.recv(&mut reply).expect_err("an echo is not answered");
}

#[test]
fn an_echo_service_on_any_port_gets_one_reply_in_every_syntax_and_with_any_limit() {
    let syntaxes = ["rfc867", "smtp", "ctime", "nist", "rfc3339"].map(|name| ["--syntax", name]);
    let patterns = ["%s", "%A", "%S", "it is %H o'clock", "%d.%m.%Y-%T", "%Z", "time"];
    for printed in syntaxes.into_iter().chain(patterns.map(|pattern| ["--strftime", pattern])) {
        for limits in LIMITS {
            let server = serving("127.0.0.1:0", &[&printed[..], limits].concat());
            echoed_once(server.udp(), &[0; 512]);
            let counted = "udp arrivals: 4, udp exchanges: 2, udp ignored reply: 2";
            assert_eq!(server.counters(), counted, "{printed:?} {limits:?}");
        }
    }
}

#[test]
fn the_replies_of_other_servers_are_not_answered() {
    let server = serving("127.0.0.1:0", &[]);
    let times: Vec<_> = saved().into_iter().filter(|it| recognise(&it.reply).is_ok()).collect();
    assert!(times.len() > 40, "{}", times.len());
    let service = datagrams_with(server.udp());
    for saved in &times {
        service.send(&saved.reply).expect("sent");
    }
    let count = times.len();
    let counted = format!("udp arrivals: {count}, udp ignored reply: {count}");
    assert_eq!(server.counters(), counted);
}

#[test]
fn a_question_with_any_other_content_is_answered() {
    let server = serving("127.0.0.1:0", &[]);
    let long = [b'x'; 1400];
    let questions: [&[u8]; 8] =
        [b"", b"\n", b"\r\n", b"?", b"time\r\n", b"what time is it?\r\n", &[0; 600], &long];
    let client: UdpSocket = datagrams_with(server.udp());
    for question in questions {
        client.send(question).expect("sent");
        let octets = client.recv(&mut [0; 512]).expect("an answer");
        assert!(octets > 20, "{}", question.escape_ascii());
    }
    assert_eq!(server.counters(), "udp arrivals: 8, udp exchanges: 8");
}

#[test]
fn the_log_reports_a_prevented_loop() {
    let mut server = serving("127.0.0.1:0", &[]);
    let client = datagrams_with(server.udp());
    client.send(b"Wed Jul  3 16:05:11 2024\r\n").expect("sent");
    server.signal("TERM");
    let (_, log) = server.wait();
    let ignored = log.lines().find(|line| line.contains("] udp: ignored: "));
    mentions(ignored.unwrap_or(&log), &["content", "Daytime reply"]);
}
