//! Runs each program of `examples/`, which shows users of the library how to call it.
//!
//! `cargo test` builds the examples; `cargo test --test suite` does not.

use crate::or_skip;
use crate::support::wire::{closed_port, eventually, tcp_server};
use crate::support::{Running, assert_screen, good, mentions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use tempfile::tempfile;

/// Returns a command for the example of this name.
///
/// # Errors
/// The reason for [`skip`](crate::support::skip).
fn example(name: &str) -> Result<Command, String> {
    let program = Path::new(env!("CARGO_BIN_EXE_daytime")).with_file_name("examples").join(name);
    if program.exists() {
        let mut command = Command::new(program);
        command.stdin(Stdio::null());
        return Ok(command);
    }
    Err(format!("the example {name} is not built: `cargo build --examples` builds it"))
}

#[test]
fn ask_prints_the_reply_with_its_offset_and_advice_for_each_failure() {
    let server = Running::serve(&["--listen", "127.0.0.1"]);
    let (closed, _holder) = closed_port();
    let silent = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let hosts = [server.tcp(), closed, silent.local_addr().expect("bound")];
    let broken = tcp_server(|mut stream| {
        stream.write_all(b"Sunday, No").expect("sent");
        assert_eq!(stream.read(&mut [0]).expect("the client gives up"), 0);
    });
    let mut ask = or_skip!(example("ask"));
    ask.args(hosts.map(|host| host.to_string())).args([&broken, "no..host", "time server"]);
    let printed = good(&mut ask);
    let lines: Vec<&str> = printed.lines().collect();
    let [answered, refused, late, partial, unknown, wrong] = lines[..] else {
        panic!("{printed}");
    };
    let offset = answered.split_once("-UTC (local minus server: ").expect(answered).1;
    assert!(offset.ends_with(" s)") && offset.contains(" s ± 1.0"), "{answered}");
    mentions(refused, &[&format!("{closed}: "), "no Daytime server", "port"]);
    mentions(late, &[&format!("{}: ", hosts[2]), "in time", "again"]);
    mentions(partial, &[&format!("{broken}: "), "broke off", ": Sunday, No"]);
    mentions(unknown, &["no..host: ", "no such host", "name"]);
    mentions(wrong, &["time server: ", "not a host"]);
}

#[test]
fn embedded_starts_a_server_asks_it_and_stops_it() {
    let printed = good(&mut or_skip!(example("embedded")));
    let [reply, stopped] = &printed.lines().collect::<Vec<_>>()[..] else { panic!("{printed}") };
    let (address, reply) = reply.split_once(": ").expect("an address");
    assert_eq!(reply, "Monday, February 22, 1982 17:37:43-UTC");
    assert_eq!(*stopped, format!("{address}: stopped"));
}

#[test]
fn read_prints_what_each_saved_reply_fixes() {
    let mut input = tempfile().expect("a file");
    let replies = b"Monday, February 22, 1982 17:37:43-PST\r\n16:05:11 5.3.2009\nno\xff time\n\
                    60482 24-06-21 12:00:07 50 0 2 640.9 UTC(NIST) *\nMon Feb 22 17:37:43 1982\n";
    input.write_all(replies).expect("written");
    std::io::Seek::rewind(&mut input).expect("rewound");
    let printed = good(or_skip!(example("read")).stdin(input));
    assert_screen("example_read", &printed, &[]);
}

#[test]
fn metrics_serves_the_counters_of_its_server_over_http() {
    let mut program = Serving::start(or_skip!(example("metrics")));
    let (daytime, http) = (program.address("daytime "), program.address("http "));
    let mut reply = String::new();
    TcpStream::connect(daytime).expect("served").read_to_string(&mut reply).expect("a reply");
    assert!(reply.ends_with("-UTC\r\n"), "{reply}");
    // The server counts an exchange after it has sent the reply.
    let answered = "\ndaytime_exchanges_total{transport=\"tcp\",family=\"ipv4\"} 1\n";
    eventually("the exchange is counted", || get(http, "/metrics").1.contains(answered));
    let (head, page) = get(http, "/metrics");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("\r\nContent-Type: text/plain; version=0.0.4\r\n"), "{head}");
    assert!(page.contains("# TYPE daytime_exchanges_total counter\n"), "{page}");
    assert!(get(http, "/other").0.starts_with("HTTP/1.1 404 "));
}

#[cfg(feature = "lab")]
#[test]
fn lab_prints_findings_verdicts_and_the_lesson() {
    let printed = good(or_skip!(example("lab")).arg("30"));
    let lines: Vec<&str> = printed.lines().collect();
    let question = daytime::lab::find("loss").expect("a lab").question();
    assert_eq!(lines[0], question);
    let (lessons, findings): (Vec<&str>, Vec<&str>) =
        lines[1..].iter().partition(|line| line.starts_with("Lesson: "));
    assert!(lessons.len() > 1 && findings.len() > 5, "{printed}");
    for finding in &findings {
        mentions(finding, &[": expected ", ", observed "]);
        assert!(finding.ends_with(": as predicted"), "{finding}");
    }
    let has = |parts: &[&str]| findings.iter().any(|it| parts.iter().all(|part| it.contains(part)));
    assert!(has(&["tcp ", "expected 1.08 s", "observed 1.08 s"]), "{printed}");
    assert!(has(&["udp ", "reply in 1 try", " %"]), "{printed}");
    assert!(has(&["random: packets lost", "expected at least 1 packet"]), "{printed}");
}

/// Sends a GET request. Returns head and body of the answer.
fn get(server: SocketAddr, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(server).expect("served");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (format!("{head}\r\n"), body.to_owned())
}

/// A running example that serves. Dropping it ends the example.
struct Serving {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Serving {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, output }
    }

    /// Reads the next line. Returns its address, which follows this word.
    fn address(&mut self, word: &str) -> SocketAddr {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("readable");
        let address = line.trim_end().strip_prefix(word).expect("the word");
        address.parse().expect("an address")
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
