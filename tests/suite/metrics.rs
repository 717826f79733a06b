//! Tests `daytime serve --metrics` and SIGUSR1, which report the counters.

use crate::or_skip;
use crate::support::forge::forge;
use crate::support::wire::{ask_tcp, ask_udp, connect, eventually, read_to_end};
use crate::support::{
    Namespace, PATIENCE, Running, bad, complains, daytime, good, ipv6, mentions, python, run,
    stderr, whole_sandbox,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{ChildStderr, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

pub fn serving() -> (Running, SocketAddr) {
    let server = Running::serve(&["--metrics", "0"]);
    let metrics = server.address("metrics", |_| true);
    (server, metrics)
}

/// Returns the answer to a request, including its head. The server closes without a reset.
pub fn said(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).expect("sent");
    String::from_utf8(read_to_end(&stream)).expect("UTF-8")
}

pub const GET: &str = "GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n";

pub fn page(address: SocketAddr) -> String {
    let answer = said(address, GET);
    let (head, page) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("\r\ncontent-type: text/plain; version=0.0.4;"), "{head}");
    assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", page.len())), "{head}");
    page.to_owned()
}

/// Returns the samples by their names with labels.
fn samples(page: &str) -> BTreeMap<&str, u64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            (name, value.parse().expect("a whole number"))
        })
        .collect()
}

/// Returns the samples that are not 0, without build and start.
fn counted(page: &str) -> Vec<String> {
    let samples = samples(page).into_iter();
    let counted = samples.filter(|(name, value)| *value > 0 && name.contains("transport="));
    counted.map(|(name, value)| format!("{name} {value}")).collect()
}

#[test]
fn events_are_counted_for_each_transport_and_family() {
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
    let expected = [
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
    ];
    // The server counts an event after the reply, and a connection also ends after it.
    let all = || counted(&page(metrics)) == expected;
    eventually(&format!("the counters are {expected:#?}"), all);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
fn datagrams_that_get_no_answer_are_counted_by_reason() {
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
        ("127.0.0.1 40000", "192.0.2.1 13", 0), // received over loopback
        ("203.0.113.9 40000", "192.0.2.1 13", 0), // no route to the source
        ("2001:db8::2 40000", "2001:db8::1 13", 0),
    ];
    or_skip!(forge(&inside, &datagrams));
    let mut printed = Vec::new();
    eventually("all are counted", || {
        let mut python = inside.command("python3");
        let page = good(python.args(["-c", FETCH, "http://192.0.2.1:9867/metrics"]));
        printed = counted(&page);
        printed.contains(&r#"daytime_exchanges_total{transport="udp",family="ipv6"} 1"#.to_owned())
    });
    assert_eq!(
        printed,
        [
            r#"daytime_arrivals_total{transport="udp",family="ipv4"} 7"#,
            r#"daytime_arrivals_total{transport="udp",family="ipv6"} 2"#,
            r#"daytime_errors_total{transport="udp",family="ipv4",kind="unreachable"} 1"#,
            r#"daytime_exchanges_total{transport="udp",family="ipv4"} 1"#,
            r#"daytime_exchanges_total{transport="udp",family="ipv6"} 1"#,
            r#"daytime_ignored_total{transport="udp",family="ipv4",reason="port-own"} 1"#,
            r#"daytime_ignored_total{transport="udp",family="ipv4",reason="port-privileged"} 2"#,
            r#"daytime_ignored_total{transport="udp",family="ipv4",reason="port-zero"} 1"#,
            r#"daytime_ignored_total{transport="udp",family="ipv4",reason="source-no-host"} 1"#,
            r#"daytime_ignored_total{transport="udp",family="ipv6",reason="port-nfs"} 1"#,
        ]
    );
}

/// HTTP client that is independent of this suite.
const FETCH: &str = "import sys, urllib.request as r; \
    print(r.urlopen(sys.argv[1], timeout=30).read().decode(), end='')";

#[test]
fn a_connection_is_open_while_its_client_holds_it() {
    let (server, metrics) = serving();
    let name = r#"daytime_open_connections{transport="tcp",family="ipv4"}"#;
    let open = |wanted: u64| {
        eventually("the gauge shows the open connections", || {
            samples(&page(metrics))[name] == wanted
        });
    };
    let held = [connect(server.tcp()), connect(server.tcp())];
    open(2);
    drop(held);
    open(0);
}

/// Returns 1 if the kernel reports a synchronised clock: H = 0 in the NIST syntax.
fn clock_is_synchronised() -> u64 {
    let reply = ask_tcp(Running::serve(&["--syntax", "nist"]).tcp());
    let reply = String::from_utf8(reply).expect("ASCII");
    u64::from(reply.split_whitespace().nth(5) == Some("0"))
}

#[test]
fn the_gauges_show_the_servers_clock_limits_and_descriptors_confined_or_not() {
    let synchronised = clock_is_synchronised();
    or_skip!(whole_sandbox());
    for sandbox in ["off", "require"] {
        let limits = ["--udp-rate", "7", "--tcp-per-source", "5", "--prefix-v6", "56"];
        let options = ["--metrics", "0", "--drain-deadline", "60", "--sandbox", sandbox];
        let server = Running::serve(&[&limits[..], &options].concat());
        let metrics = server.address("metrics", |_| true);
        let idle = server.descriptors() as u64;
        // The client reads each page over a connection of its own.
        let open = |more: u64| {
            let text = page(metrics);
            let samples = samples(&text);
            samples["process_open_fds"] == idle + 1 + more
        };
        eventually("descriptors without clients are counted", || open(0));
        let held: Vec<_> = (0..30).map(|_| connect(server.tcp())).collect();
        eventually("clients are counted", || open(30));
        eventually("the kernel counts the same descriptors", || {
            server.descriptors() as u64 == idle + 30
        });
        drop(held);
        eventually("the connections are closed", || open(0));
        let text = page(metrics);
        let samples = samples(&text);
        let limit = fs::read_to_string(format!("/proc/{}/limits", server.id())).expect("it runs");
        let limit = limit.lines().find_map(|line| line.strip_prefix("Max open files"));
        let limit = limit.and_then(|line| line.split_whitespace().next()?.parse().ok());
        assert_eq!(Some(samples["process_max_fds"]), limit);
        assert_eq!(samples["daytime_clock_synchronised"], synchronised);
        assert_eq!(samples[r#"daytime_udp_limit_per_second{scope="source"}"#], 7);
        assert_eq!(samples[r#"daytime_tcp_limit_connections{scope="source"}"#], 5);
        assert_eq!(samples[r#"daytime_source_prefix_bits{family="ipv6"}"#], 56);
        assert_eq!(samples["daytime_limits_loopback"], 0);
    }
}

#[test]
fn prometheus_itself_reads_the_page() {
    let python = or_skip!(python("prometheus_client"));
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
        read.contains(&"counter daytime_arrivals_total family=ipv4 transport=tcp 1"),
        "{read:?}"
    );
    let counters = samples(&page).keys().filter(|name| name.contains("_total{")).count();
    assert_eq!(of("counter daytime_"), counters);
    assert_eq!(of("gauge "), samples(&page).len() - counters);
    assert_eq!(of("gauge daytime_open_connections "), 2);
    let version = concat!("gauge daytime_build_info version=", env!("CARGO_PKG_VERSION"), " 1");
    assert_eq!(of(version), 1, "{read:?}");
    assert_eq!(of("gauge process_start_time_seconds  "), 1);
}

/// Prometheus's own parser of its text format. It prints one line for each sample.
const PARSE: &str = "
import sys
from prometheus_client.parser import text_string_to_metric_families as read
for family in read(sys.stdin.read()):
    assert family.documentation and family.type != 'unknown', family
    for it in family.samples:
        labels = ' '.join(f'{k}={v}' for k, v in sorted(it.labels.items()))
        print(family.type, it.name, labels, int(it.value))
";

#[test]
fn sigusr1_logs_the_counters_and_the_service_continues() {
    let mut server = Running::serve(&[]);
    let log = lines(server.stderr());
    let counters = || {
        server.signal("USR1");
        let lines: Vec<_> = (0..7).map(|_| next_line(&log, "SIGUSR1: ")).collect();
        let (counters, gauges) = lines.split_at(4);
        let names = ["clock: ", "limits: udp ", "descriptors: "];
        assert!(gauges.iter().zip(names).all(|(line, name)| line.starts_with(name)), "{gauges:?}");
        mentions(&gauges[1], &["udp 20 per second", "burst of 100", "per source"]);
        counters.to_vec()
    };
    let [tcp, udp] = [server.tcp(), server.udp()];
    for times in 1..=2 {
        assert!(ask_tcp(tcp).ends_with(b"-UTC\r\n"));
        assert!(ask_udp(udp, b"").ends_with(b"-UTC\r\n"));
        let expected = [
            format!("tcp ipv4: arrivals {times}, exchanges {times}, ended peer {times}, open 0"),
            "tcp ipv6: arrivals 0, exchanges 0, open 0".to_owned(),
            format!("udp ipv4: arrivals {times}, exchanges {times}"),
            "udp ipv6: arrivals 0, exchanges 0".to_owned(),
        ];
        eventually(&format!("the log has {expected:#?}"), || counters() == expected);
    }
    server.stopped();
}

/// Reads the lines of a log as they come.
pub fn lines(log: BufReader<ChildStderr>) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || log.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    receiver
}

/// Returns the text after `start` in the next line that holds it.
pub fn next_line(log: &Receiver<String>, start: &str) -> String {
    loop {
        let line = log.recv_timeout(PATIENCE).expect("a line");
        if let Some((_, rest)) = line.split_once(start) {
            return rest.to_owned();
        }
    }
}

#[test]
fn the_address_of_the_metrics_is_printed_last_and_only_on_request() {
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
    let printed: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(printed["listening"].as_array().map(Vec::len), Some(2), "{line}");
    assert_eq!(printed["metrics"]["address"], "127.0.0.1", "{line}");
    let port = printed["metrics"]["port"].as_u64().expect("a port");
    assert_ne!(port, 0);
}

#[test]
fn an_unavailable_metrics_address_stops_the_server_with_a_message() {
    let (_server, metrics) = serving();
    let refused =
        |metrics: &str| bad(1, daytime().args(["serve", "--port", "0", "--metrics", metrics]));
    let message = refused(&metrics.to_string());
    complains(&message, &["cannot serve metrics: ", &format!("tcp {metrics}: "), "in use"]);
    mentions(&message, &["`ss -lntp`", "another port", "--metrics"]);
    let message = refused("192.0.2.1:9867");
    complains(&message, &["cannot serve metrics: ", "tcp 192.0.2.1:9867: ", "no interface"]);
    mentions(&message, &["`ip -4 address`", "FreeBind=yes", "systemd"]);
    let usage = run(daytime().args(["serve", "--metrics", "127.0.0.1"]));
    assert_eq!(usage.status.code(), Some(2));
    mentions(&stderr(&usage), &["'127.0.0.1'", "'--metrics <[ADDR:]PORT>'", "not a port"]);
}

/// Returns the names of metrics and the values of labels in the configuration for Prometheus.
fn names_in_the_configuration(document: &str) -> BTreeSet<String> {
    let blocks = document.split("```yaml\n").skip(1).filter_map(|it| it.split("```").next());
    let blocks: Vec<&str> = blocks.collect();
    assert_eq!(blocks.len(), 2, "the configuration and the rules");
    let is_part_of_name = |it: char| it.is_ascii_lowercase() || it == '_';
    let words = blocks.iter().flat_map(|block| block.split(|it| !is_part_of_name(it)));
    let metrics = words.filter(|word| word.starts_with("daytime_") || word.starts_with("process_"));
    let selectors = blocks.iter().flat_map(|block| block.split(['{', ',']).skip(1));
    let selectors = selectors.filter_map(|it| {
        it.split_once('"')?
            .0
            .strip_suffix(['=', '~'])
            .map(|label| (label.trim_end_matches('=').to_owned(), it))
    });
    // Prometheus itself adds the label `job`.
    let selectors = selectors.filter(|(label, _)| label != "job");
    let values = selectors.flat_map(|(label, it)| {
        let values = it.split('"').nth(1).unwrap_or_default().split('|');
        values.map(|value| format!("{label}=\"{value}\"")).collect::<Vec<_>>()
    });
    metrics.map(str::to_owned).chain(values).collect()
}

#[test]
fn the_configuration_for_prometheus_names_metrics_and_labels_that_exist() {
    let (_server, metrics) = serving();
    let page = page(metrics);
    let document = fs::read_to_string("docs/operating.md").expect("UTF-8");
    let names = names_in_the_configuration(&document);
    assert_eq!(names.len(), 3 + 1 + 5, "{names:?}");
    for name in names {
        assert!(page.contains(&name), "no {name}: {page}");
    }
}

#[test]
fn the_page_about_operating_has_every_value_of_a_label_with_its_transports() {
    const LABELS: [&str; 3] = ["reason=", "how=", "kind="];
    // Returns the labels of a sample: {transport="tcp",family="ipv4",how="peer"}.
    let labels = |line: &str| Some(line.split_once('{')?.1.split_once('}')?.0.to_owned());
    let mut printed = BTreeMap::<String, BTreeSet<String>>::new();
    let page = daytime::Metrics::default().prometheus();
    for labels in page.lines().filter_map(labels) {
        let all: Vec<&str> = labels.split(',').collect();
        let transport = all[0].trim_start_matches("transport=").trim_matches('"');
        for label in all.iter().filter(|it| LABELS.iter().any(|name| it.starts_with(name))) {
            printed.entry((*label).to_owned()).or_default().insert(transport.to_owned());
        }
    }
    let page = fs::read_to_string("docs/operating.md").expect("UTF-8");
    let row = |line: &str| {
        let [_, label, transports, meaning, _] = line.split('|').collect::<Vec<_>>()[..] else {
            return None;
        };
        let label = label.trim().trim_matches('`');
        assert!(!meaning.trim().is_empty(), "{line}");
        let is_label = LABELS.iter().any(|name| label.starts_with(name));
        let transports = transports.split(',').map(|it| it.trim().to_owned()).collect();
        is_label.then(|| (label.to_owned(), transports))
    };
    let described: BTreeMap<String, BTreeSet<String>> = page.lines().filter_map(row).collect();
    assert!(printed.len() > 20, "{printed:?}");
    assert_eq!(printed, described);
}
