//! `daytime serve --metrics` and SIGUSR1: what was counted, told to whoever asks, and to nobody's cost.

use crate::or_skip;
use crate::support::forge::forge;
use crate::support::wire::{ask_tcp, ask_udp, connect, eventually, read_to_end, wait_in_vain};
use crate::support::{
    Namespace, PATIENCE, Running, bad, daytime, good, ipv6, program, run, stderr,
};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What a connection may take in all.
const DEADLINE: Duration = Duration::from_secs(2);
/// What is left to a busy machine.
const MARGIN: Duration = Duration::from_secs(2);

fn serving() -> (Running, SocketAddr) {
    let server = Running::serve(&["--metrics", "0"]);
    let metrics = server.address("metrics", |_| true);
    (server, metrics)
}

/// What is answered to a request, with the head: the server closes behind it, without a reset.
fn said(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).expect("sent");
    String::from_utf8(read_to_end(&stream)).expect("UTF-8")
}

const GET: &str = "GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n";

fn page(address: SocketAddr) -> String {
    let answer = said(address, GET);
    let (head, page) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("\r\ncontent-type: text/plain; version=0.0.4;"), "{head}");
    assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", page.len())), "{head}");
    page.to_owned()
}

/// The samples by their names with labels.
fn samples(page: &str) -> BTreeMap<&str, u64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            (name, value.parse().expect("a whole number"))
        })
        .collect()
}

/// Those that are not 0, without build and start.
fn counted(page: &str) -> Vec<String> {
    let samples = samples(page).into_iter();
    let counted = samples.filter(|(name, value)| *value > 0 && name.contains("transport="));
    counted.map(|(name, value)| format!("{name} {value}")).collect()
}

#[test]
fn what_both_services_did_is_told_for_each_transport_and_family() {
    or_skip!(ipv6());
    let (server, metrics) = serving();
    for (family, times) in
        [(SocketAddr::is_ipv4 as fn(&SocketAddr) -> bool, 2), (SocketAddr::is_ipv6, 3)]
    {
        for _ in 0..times {
            ask_tcp(server.address("tcp", family));
            ask_udp(server.address("udp", family), b"");
        }
    }
    eventually("every connection has ended", || {
        let page = page(metrics);
        let open = |family| {
            let name = format!(r#"daytime_open_connections{{transport="tcp",family="{family}"}}"#);
            samples(&page)[name.as_str()]
        };
        open("ipv4") + open("ipv6") == 0
    });
    assert_eq!(
        counted(&page(metrics)),
        [
            r#"daytime_arrivals_total{transport="tcp",family="ipv4"} 2"#,
            r#"daytime_arrivals_total{transport="tcp",family="ipv6"} 3"#,
            r#"daytime_arrivals_total{transport="udp",family="ipv4"} 2"#,
            r#"daytime_arrivals_total{transport="udp",family="ipv6"} 3"#,
            r#"daytime_connections_ended_total{transport="tcp",family="ipv4",how="peer"} 2"#,
            r#"daytime_connections_ended_total{transport="tcp",family="ipv6",how="peer"} 3"#,
            r#"daytime_exchanges_total{transport="tcp",family="ipv4"} 2"#,
            r#"daytime_exchanges_total{transport="tcp",family="ipv6"} 3"#,
            r#"daytime_exchanges_total{transport="udp",family="ipv4"} 2"#,
            r#"daytime_exchanges_total{transport="udp",family="ipv6"} 3"#,
        ]
    );
}

#[test]
fn datagrams_that_get_no_answer_are_told_by_reason() {
    or_skip!(ipv6());
    let inside = or_skip!(Namespace::having(&[
        "192.0.2.1/24",
        "192.0.2.2/24",
        "2001:db8::1/64",
        "2001:db8::2/64"
    ]));
    let mut serve = inside.daytime();
    serve.args(["serve", "--listen", "[::]", "--proto", "udp", "--metrics", "192.0.2.1:9867"]);
    let _server = Running::start(serve);
    let datagrams = [
        ("192.0.2.2 0", "192.0.2.1 13", 0),
        ("192.0.2.2 13", "192.0.2.1 13", 0),
        ("192.0.2.2 7", "192.0.2.1 13", 0),
        ("192.0.2.2 19", "192.0.2.1 13", 0),
        ("2001:db8::2 2049", "2001:db8::1 13", 0),
        ("224.0.0.1 40000", "192.0.2.1 13", 0),
        ("127.0.0.1 40000", "192.0.2.1 13", 0),
        ("203.0.113.9 40000", "192.0.2.1 13", 0), // no route leads back
        ("2001:db8::2 40000", "2001:db8::1 13", 0),
    ];
    or_skip!(forge(&inside, &datagrams));
    let mut told = Vec::new();
    eventually("all are counted", || {
        let mut python = inside.command("python3");
        let page = good(python.args(["-c", FETCH, "http://192.0.2.1:9867/metrics"]));
        told = counted(&page);
        told.contains(&r#"daytime_exchanges_total{transport="udp",family="ipv6"} 1"#.to_owned())
    });
    assert_eq!(
        told,
        [
            r#"daytime_arrivals_total{transport="udp",family="ipv4"} 7"#,
            r#"daytime_arrivals_total{transport="udp",family="ipv6"} 2"#,
            r#"daytime_errors_total{transport="udp",family="ipv4",kind="unreachable"} 1"#,
            r#"daytime_exchanges_total{transport="udp",family="ipv6"} 1"#,
            r#"daytime_ignored_total{transport="udp",family="ipv4",reason="port-own"} 1"#,
            r#"daytime_ignored_total{transport="udp",family="ipv4",reason="port-privileged"} 2"#,
            r#"daytime_ignored_total{transport="udp",family="ipv4",reason="port-zero"} 1"#,
            r#"daytime_ignored_total{transport="udp",family="ipv4",reason="source-loopback"} 1"#,
            r#"daytime_ignored_total{transport="udp",family="ipv4",reason="source-no-host"} 1"#,
            r#"daytime_ignored_total{transport="udp",family="ipv6",reason="port-nfs"} 1"#,
        ]
    );
}

/// An HTTP client of another make.
const FETCH: &str = "import sys, urllib.request as r; \
    print(r.urlopen(sys.argv[1], timeout=30).read().decode(), end='')";

#[test]
fn a_connection_is_open_while_its_client_holds_it() {
    let (server, metrics) = serving();
    let name = r#"daytime_open_connections{transport="tcp",family="ipv4"}"#;
    let open = |wanted: u64| {
        eventually("that many are open", || samples(&page(metrics))[name] == wanted);
    };
    let held = [connect(server.tcp()), connect(server.tcp())];
    open(2);
    drop(held);
    open(0);
}

#[test]
fn prometheus_itself_reads_what_is_told() {
    let python = or_skip!(python_with_prometheus());
    let (server, metrics) = serving();
    ask_tcp(server.tcp());
    let page = page(metrics);
    let mut parser = Command::new(python)
        .args(["-c", PARSE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let parser = parser.as_mut().expect("it starts");
    parser.stdin.take().expect("piped").write_all(page.as_bytes()).expect("written");
    let mut read = String::new();
    parser.stdout.take().expect("piped").read_to_string(&mut read).expect("UTF-8");
    assert!(parser.wait().expect("waited for").success(), "{page}");
    let mut read: Vec<_> = read.lines().collect();
    read.sort_unstable();
    let of = |start: &str| read.iter().filter(|line| line.starts_with(start)).count();
    assert_eq!(read.len(), samples(&page).len(), "each sample is read once");
    assert!(
        read.contains(&"counter daytime_exchanges_total family=ipv4 transport=tcp 1"),
        "{read:?}"
    );
    assert_eq!(of("counter daytime_"), samples(&page).len() - 4);
    assert_eq!(of("gauge daytime_open_connections "), 2);
    let version = concat!("gauge daytime_build_info version=", env!("CARGO_PKG_VERSION"), " 1");
    assert_eq!(of(version), 1, "{read:?}");
    assert_eq!(of("gauge process_start_time_seconds  "), 1);
}

/// Prometheus's own reader of its text format: one line for each sample.
const PARSE: &str = "
import sys
from prometheus_client.parser import text_string_to_metric_families as read
for family in read(sys.stdin.read()):
    assert family.documentation and family.type != 'unknown', family
    for it in family.samples:
        labels = ' '.join(f'{k}={v}' for k, v in sorted(it.labels.items()))
        print(family.type, it.name, labels, int(it.value))
";

fn python_with_prometheus() -> Result<PathBuf, String> {
    let mut pythons = vec![PathBuf::from("/usr/bin/python3")];
    pythons.extend(program("python3"));
    let has = |python: &PathBuf| {
        python.is_file()
            && run(Command::new(python).args(["-c", "import prometheus_client"])).status.success()
    };
    let found = pythons.into_iter().find(has);
    found.ok_or_else(|| "no Python here has prometheus_client".to_owned())
}

#[test]
fn only_get_and_head_of_two_paths_are_answered_with_200() {
    let (_server, metrics) = serving();
    for (request, status, body) in [
        ("GET / HTTP/1.1\r\nHost: here\r\n\r\n", "200 OK", "The metrics are at /metrics\n"),
        ("GET / HTTP/1.0\r\n\r\n", "200 OK", "The metrics are at /metrics\n"),
        (
            "GET /metrics/ HTTP/1.1\r\nHost: here\r\n\r\n",
            "404 Not Found",
            "The metrics are at /metrics\n",
        ),
        (
            "GET /../etc/passwd HTTP/1.1\r\nHost: here\r\n\r\n",
            "404 Not Found",
            "The metrics are at /metrics\n",
        ),
        (
            "DELETE /metrics HTTP/1.1\r\nHost: here\r\n\r\n",
            "405 Method Not Allowed",
            "GET or HEAD\n",
        ),
        ("nonsense\r\n\r\n", "400 Bad Request", ""),
        ("\u{1b}[31m\r\n\r\n", "400 Bad Request", ""),
    ] {
        let answer = said(metrics, request);
        let (head, told) = answer.split_once("\r\n\r\n").expect("a head");
        assert_eq!(
            head.lines().next().and_then(|it| it.split_once(' ')).expect("a status").1,
            status,
            "{request:?}"
        );
        assert_eq!(told, body, "{request:?}");
    }
}

#[test]
fn a_head_request_is_told_how_long_the_page_is_and_no_more() {
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
fn a_body_is_not_read_and_costs_nobody_the_answer() {
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
fn who_half_closes_behind_the_request_is_answered() {
    let (_server, metrics) = serving();
    let mut stream = connect(metrics);
    stream.write_all(GET.as_bytes()).expect("sent");
    stream.shutdown(Shutdown::Write).expect("half closed");
    assert!(read_to_end(&stream).starts_with(b"HTTP/1.1 200 OK\r\n"));
}

/// A connection that the server has ended, by a close or a reset.
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
    let prompt = Instant::now();
    page(metrics);
    assert!(ask_tcp(server.tcp()).ends_with(b"-UTC\r\n"));
    assert!(ask_udp(server.udp(), b"").ends_with(b"-UTC\r\n"));
    assert!(prompt.elapsed() < Duration::from_secs(1), "{:?}", prompt.elapsed());
    behave(&mut slow);
    let took = cut.join().expect("it ended");
    assert!(took >= DEADLINE - Duration::from_millis(10) && took < DEADLINE + MARGIN, "{took:?}");
}

#[test]
fn a_client_that_says_nothing_is_cut_at_the_deadline_and_delays_nobody() {
    assert_cut_at_the_deadline(|_| {});
}

#[test]
fn a_client_that_drips_its_request_is_cut_at_the_same_deadline() {
    assert_cut_at_the_deadline(|slow| {
        for octet in GET.bytes().cycle().filter(|octet| *octet != b'\n') {
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
    assert!(asked.elapsed() >= DEADLINE - Duration::from_millis(50), "{:?}", asked.elapsed());
}

#[test]
fn a_head_without_an_end_is_refused_before_the_deadline() {
    let (_server, metrics) = serving();
    let asked = Instant::now();
    let mut stream = connect(metrics);
    // As long as it may be, and not to be read to the end by the server.
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
        assert!(asked.elapsed() < DEADLINE, "it goes on reading");
    }
}

#[test]
fn clients_that_never_read_keep_no_other_waiting_longer_than_the_deadline() {
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
    assert!(asked.elapsed() < Duration::from_secs(1), "the service: {:?}", asked.elapsed());
    page(metrics);
    assert!(asked.elapsed() < DEADLINE + MARGIN, "a scrape: {:?}", asked.elapsed());
    drop((held, silent));
}

#[test]
fn two_hundred_at_once_are_all_answered() {
    let (_server, metrics) = serving();
    let asked = Instant::now();
    let clients: Vec<_> = (0..200).map(|_| thread::spawn(move || page(metrics))).collect();
    let pages = clients.into_iter().map(|client| client.join().expect("answered")).count();
    assert_eq!(pages, 200);
    assert!(asked.elapsed() < PATIENCE / 3, "{:?}", asked.elapsed());
}

#[test]
fn a_thousand_scrapes_leave_no_descriptor_behind() {
    let (server, metrics) = serving();
    page(metrics);
    let folder = format!("/proc/{}/fd", server.id());
    let descriptors = || fs::read_dir(&folder).expect("Linux").count();
    let held = connect(metrics);
    eventually("one more is open", || descriptors() > 8);
    drop(held);
    let mut before = usize::MAX;
    eventually("nobody is connected", || {
        let now = descriptors();
        let settled = now == before;
        before = now;
        settled
    });
    for _ in 0..1000 {
        page(metrics);
    }
    eventually("as many as before", || descriptors() <= before);
}

#[test]
fn nothing_that_a_stranger_sends_stands_in_the_log() {
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
fn a_stop_does_not_wait_for_those_who_hang_at_the_metrics() {
    let (mut server, metrics) = serving();
    let silent: Vec<_> = (0..50).map(|_| connect(metrics)).collect();
    page(metrics); // so some of them were accepted
    let asked = Instant::now();
    server.signal("TERM");
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    drop(silent);
}

#[test]
fn sigusr1_logs_what_was_counted_and_the_service_goes_on() {
    let mut server = Running::serve(&[]);
    let mut log = server.stderr();
    for expected in ["1", "2"] {
        let held = connect(server.tcp());
        assert!(read_to_end(&held).ends_with(b"-UTC\r\n"));
        ask_udp(server.udp(), b"");
        drop(held);
        wait_in_vain(Duration::from_millis(1));
        server.signal("USR1");
        let told: Vec<_> = (0..4).map(|_| next_line(&mut log, "SIGUSR1: ")).collect();
        assert!(
            told[0].starts_with(&format!("tcp ipv4: arrivals {expected}, exchanges {expected}")),
            "{told:?}"
        );
        assert!(told[0].contains(", open "), "{told:?}");
        assert_eq!(told[1], "tcp ipv6: arrivals 0, exchanges 0, open 0");
        assert_eq!(told[2], format!("udp ipv4: arrivals {expected}, exchanges {expected}"));
        assert_eq!(told[3], "udp ipv6: arrivals 0, exchanges 0");
    }
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0));
}

/// What follows this in the next line that has it.
fn next_line(log: &mut impl BufRead, start: &str) -> String {
    loop {
        let mut line = String::new();
        assert_ne!(log.read_line(&mut line).expect("readable"), 0, "the log ended before {start}");
        if let Some((_, rest)) = line.trim_end().split_once(start) {
            return rest.to_owned();
        }
    }
}

#[test]
fn where_the_metrics_are_is_told_last_and_only_if_they_were_asked_for() {
    let (server, metrics) = serving();
    assert!(metrics.ip().is_loopback() && metrics.is_ipv4() && metrics.port() != 0, "{metrics}");
    assert_eq!(server.bound.last().expect("bound").0, "metrics");
    let without = Running::serve(&[]);
    assert!(without.bound.iter().all(|(name, _)| name != "metrics"), "{:?}", without.bound);
    let mut serve = daytime();
    serve.args(["serve", "--port", "0", "--listen", "127.0.0.1", "--metrics", "0", "--json", "-q"]);
    let mut child = serve.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("read");
    child.kill().expect("killed");
    child.wait().expect("waited for");
    let told: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(told["listening"].as_array().map(Vec::len), Some(2), "{line}");
    assert_eq!(told["metrics"]["address"], "127.0.0.1", "{line}");
    let port = told["metrics"]["port"].as_u64().expect("a port");
    assert_ne!(port, 0);
}

#[test]
fn an_address_that_cannot_be_had_is_told_and_nothing_is_served() {
    let (_server, metrics) = serving();
    let refused =
        |metrics: &str| bad(1, daytime().args(["serve", "--port", "0", "--metrics", metrics]));
    assert_eq!(
        refused(&metrics.to_string()),
        format!(
            "daytime: no metrics: cannot listen on tcp {metrics}: Address already in use (os error 98): \
             is another program there? `ss -lntp` shows which; or choose another port for --metrics\n"
        )
    );
    assert_eq!(
        refused("192.0.2.1:9867"),
        "daytime: no metrics: cannot listen on tcp 192.0.2.1:9867: Cannot assign requested address \
         (os error 99): no interface of this host has that address; `ip address` lists those there are\n"
    );
    let usage = run(daytime().args(["serve", "--metrics", "127.0.0.1"]));
    assert_eq!(usage.status.code(), Some(2));
    assert!(
        stderr(&usage).contains("'127.0.0.1' for '--metrics <[ADDR:]PORT>': not a port"),
        "{}",
        stderr(&usage)
    );
}
