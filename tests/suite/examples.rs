//! Runs each program of `examples/`, which shows users of the library how to call it.
//!
//! `cargo test` builds the examples; `cargo test --test suite` does not.

use crate::or_skip;
use crate::support::wire::{closed_port, eventually, tcp_server};
use crate::support::{Running, good};
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
    assert_eq!(refused, format!("{closed}: no Daytime server there: check the port"));
    assert_eq!(late, format!("{}: no reply in time: try again later", hosts[2]));
    assert_eq!(partial, format!("{broken}: the reply broke off: Sunday, No"));
    assert_eq!(unknown, "no..host: no such host: check the name");
    assert!(wrong.starts_with("time server: not a host: "), "{wrong}");
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
    let meanings: Vec<&str> = printed.lines().filter_map(|it| it.strip_prefix("    ")).collect();
    let [instant, ambiguous, no_time, unhealthy, wall_clock] = meanings[..] else {
        panic!("{printed}");
    };
    assert_eq!(instant, "1982-02-23T01:37:43+00:00 (rfc867)");
    let both = "2009-03-05 16:05:11 or 2009-05-03 16:05:11 in an unknown zone (numeric)";
    assert_eq!(ambiguous, both);
    assert!(
        no_time.starts_with("not a time: ") && printed.contains("\nno\\xff time\n"),
        "{printed}"
    );
    let distrust = "but the server reports itself unhealthy (H=2)";
    assert_eq!(unhealthy, format!("2024-06-21T12:00:07+00:00 (nist), {distrust}"));
    assert_eq!(wall_clock, "1982-02-22 17:37:43 in an unknown zone (ctime)");
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
    assert!(printed.starts_with("Who repairs what the network loses?\n"), "{printed}");
    let syn = "tcp time to the reply: expected 1.08 s, observed 1.08 s: as predicted\n";
    assert!(printed.contains(syn), "{printed}");
    let one_try = printed.lines().find(|it| it.starts_with("udp answered with one try: expected "));
    assert!(one_try.is_some_and(|it| it.ends_with(": as predicted")), "{printed}");
    assert!(
        printed.contains("packets lost at random: expected 1 packet or more, observed "),
        "{printed}"
    );
    assert!(printed.lines().any(|it| it.starts_with("Lesson: ")), "{printed}");
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
