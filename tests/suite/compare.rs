//! Runs `daytime compare`, in network namespaces where no other traffic changes the kernel's counters.

use crate::or_skip;
use crate::support::wire::{closed_port, eventually, udp_server, wait_in_vain};
use crate::support::{
    Namespace, PATIENCE, Running, assert_fits_80_columns, assert_screen, bad, complains, daytime,
    good, ipv6, mentions, on_terminal, run, stderr, stdout,
};
use serde_json::Value;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The first words of the headings.
const SECTIONS: [&str; 6] =
    ["THE REPLY", "ON THE WIRE", "THE CLIENT", "LATENCY", "IF NO SERVER LISTENS", "STATE LEFT"];

/// Filters for the rows that differ from run to run.
const MEASURED: [(&str, &str); 8] = [
    (r"(?m)^  question, reply  .*\n( {19}.*\n)*", "  question, reply  PACKETS\n"),
    (r"(?m)^(  (close|total) +)\d+ packets?, \d+ octets +", "${1}PACKETS  "),
    (r"(?m)^  usual system .*\n  calls .*\n( {19}.*\n)*", "  usual system calls\n"),
    (r"(?m)^(  reads +)\S+ .* octets  +", "${1}READS  "),
    (r"(?m)^(  (minimum|median|p90|p99|maximum) +).*", "${1}TIME"),
    (r" (after|for) [\d.]+ (ns|µs|ms|s)\b", " $1 TIME"),
    (r", by a {2,}", ", by a    "),
    (r"tried on 127\.0\.0\.1:\d+", "tried on HOST"),
];

fn compare(arguments: &[&str]) -> Command {
    let mut command = daytime();
    command.arg("compare").args(arguments);
    command
}

fn json(command: &mut Command) -> Value {
    good(command.arg("--json")).parse().expect("JSON")
}

#[test]
fn without_a_host_compare_starts_a_local_server_and_shows_every_section() {
    let screen = good(&mut compare(&[]));
    assert!(screen.starts_with("Asked 127.0.0.1:"), "{screen}");
    mentions(screen.lines().next().expect("a line"), &["local server", "200 times"]);
    for section in SECTIONS {
        assert!(screen.lines().any(|line| line.starts_with(section)), "{section}:\n{screen}");
    }
    assert_eq!(screen.matches("0 of 200").count(), 2, "{screen}");
    assert_fits_80_columns(&screen);
}

#[test]
fn both_transports_have_a_column_in_every_section() {
    let inside = or_skip!(Namespace::new());
    let mut serve = inside.daytime();
    serve.args(["serve", "--strftime", "tick"]);
    let _server = Running::start(serve);
    let screen = good(inside.daytime().args(["compare", "--count", "3", "127.0.0.1"]));
    assert_screen("compare", &screen, &MEASURED);
}

#[test]
fn colour_comes_when_it_is_forced_and_never_with_no_color() {
    let few = ["--count", "1"];
    let screen = good(compare(&few).env("CLICOLOR_FORCE", "1"));
    assert!(screen.contains("\x1b[1m\x1b[36mTHE REPLY\x1b[0m"), "{screen:?}");
    let plain = anstream::adapter::strip_str(&screen).to_string();
    assert!(plain.lines().all(|line| line.chars().count() <= 80), "{plain}");
    let screen = good(compare(&few).env("NO_COLOR", "1"));
    assert!(!screen.contains('\x1b'), "{screen:?}");
}

#[test]
fn json_has_every_result() {
    let inside = or_skip!(Namespace::new());
    let all = json(inside.daytime().args(["compare", "--count", "25"]));
    assert_eq!((&all["local_server"], &all["count"]), (&true.into(), &25.into()));
    for transport in ["tcp", "udp"] {
        let side = &all[transport];
        assert_eq!(side["answer"]["transport"], transport);
        assert_eq!(side["answer"]["octets"], reply_octets(side));
        assert_eq!(side["failures"], 0);
        for phase in ["before", "exchange", "after", "total"] {
            let phase = &side["wire"][phase];
            assert!(phase["packets"].is_u64() && phase["octets"].is_u64(), "{side}");
            assert!(phase["source"] == "measured" || phase["source"] == "derived", "{side}");
        }
        let samples = side["latency_us"]["samples"].as_array().expect("samples");
        assert_eq!(samples.len(), 25);
        assert!(samples.iter().all(|it| it.as_f64().is_some_and(|it| it > 0.0)), "{side}");
        assert_eq!(side["latency_us"]["min"], samples[0]);
        assert_eq!(side["latency_us"]["median"], samples[12]);
        assert_eq!(side["latency_us"]["p90"], samples[22]);
        assert_eq!(side["latency_us"]["p99"], samples[24]);
    }
    assert_eq!(all["tcp"]["remaining_state"], "time-wait at server");
    assert_eq!(all["udp"]["remaining_state"], "nothing");
}

#[test]
fn the_system_calls_are_those_of_a_handwritten_client() {
    let all = json(&mut compare(&["--count", "50"]));
    let calls = |transport: &str| {
        let names = all[transport]["calls"].as_array().expect("calls");
        names.iter().map(|name| name.as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    let udp = calls("udp");
    assert_eq!(udp, ["socket", "connect", "epoll_ctl", "send", "epoll_wait", "recv", "close"]);
    let tcp = calls("tcp");
    assert_eq!(tcp[..4], ["socket", "connect", "epoll_ctl", "epoll_wait"]);
    assert_eq!(tcp[tcp.len() - 2..], ["recv", "close"]);
    assert!(!tcp.contains(&"send".to_owned()), "over TCP the server sends first: {tcp:?}");
    let reads = tcp.iter().filter(|name| *name == "recv").count();
    assert!(reads >= 2, "one for the reply, one for end of stream: {tcp:?}");
}

#[test]
fn the_section_about_a_port_without_a_server_tries_a_closed_port() {
    let all = json(&mut compare(&["--count", "1"]));
    let closed = &all["closed_port"];
    assert!(closed["tried"].as_str().is_some_and(|it| it.starts_with("127.0.0.1:")), "{closed}");
    let after = |reaction: &Value, key: &str| reaction[key].as_f64().expect("microseconds");
    assert!(after(&closed["tcp"], "refused_after_us") > 0.0);
    assert!(after(&closed["udp_connected"], "refused_after_us") > 0.0);
    assert!(after(&closed["udp_unconnected"], "silent_for_us") >= 200_000.0);
}

#[test]
fn over_ipv4_the_packets_and_octets_are_measured() {
    assert_measured(&[], 20);
}

#[test]
fn over_ipv6_the_packets_and_octets_are_measured() {
    or_skip!(ipv6());
    assert_measured(&["-6"], 40);
}

fn assert_measured(arguments: &[&str], ip_header: u64) {
    let inside = or_skip!(Namespace::new());
    let all = json(inside.daytime().args(["compare", "--count", "5"]).args(arguments));
    let v6 = ip_header == 40;
    assert_eq!(all["host"].as_str().is_some_and(|host| host.starts_with("[::1]:")), v6, "{all}");
    let reply = reply_octets(&all["udp"]);
    // RFC 768: a header of 8 octets. The question is empty, and the answer has the reply.
    let udp = serde_json::json!(
        { "packets": 2, "octets": 2 * (ip_header + 8) + reply, "source": "measured" }
    );
    assert_eq!(all["udp"]["wire"]["exchange"], udp);
    assert_eq!(all["udp"]["wire"]["total"], udp);
    // Handshake, the reply with the FIN, an ACK, the client's FIN and its ACK. Some segments have ACK and FIN.
    let tcp = &all["tcp"]["wire"];
    assert!(tcp["total"]["packets"].as_u64().is_some_and(|it| (6..=8).contains(&it)), "{tcp}");
    // SYN and SYN-ACK with 20 octets of options, the ACK with 12 (RFC 9293, RFC 7323).
    let handshake = 2 * (ip_header + 40) + ip_header + 32;
    let before = serde_json::json!({ "packets": 3, "octets": handshake, "source": "measured" });
    assert_eq!(tcp["before"], before, "{tcp}");
    assert_eq!(tcp["exchange"]["source"], "measured", "{tcp}");
    let headers = tcp["total"]["packets"].as_u64().expect("a number") * (ip_header + 20);
    let octets = tcp["total"]["octets"].as_u64().expect("a number");
    assert!(octets > headers + reply && octets < headers + reply + 8 * 40, "{tcp}");
    assert_eq!(tcp["after"]["source"], "measured", "{tcp}");
    assert_eq!(tcp["total"]["source"], "measured", "{tcp}");
}

/// Returns the length of the reply in octets, from its hexadecimal text.
fn reply_octets(side: &Value) -> u64 {
    side["answer"]["reply_hex"].as_str().expect("hexadecimal").len() as u64 / 2
}

#[test]
fn with_a_host_compare_asks_that_host() {
    let server = Running::serve(&["--syntax", "ctime"]);
    let host = server.tcp().to_string();
    let all = json(&mut compare(&["--count", "3", &host]));
    assert_eq!((&all["local_server"], &all["host"]), (&false.into(), &host.as_str().into()));
    for transport in ["tcp", "udp"] {
        assert_eq!(all[transport]["answer"]["peer"], *host);
        assert_eq!(reply_octets(&all[transport]), 26, "ctime");
    }
    let screen = good(&mut compare(&["--count", "3", &host]));
    let head = screen.lines().next().expect("a line");
    mentions(head, &[&format!(" {host} "), " 3 times"]);
    assert!(!head.contains("local server"), "{head}");
}

#[test]
fn a_host_that_serves_tcp_only_gives_one_column_and_an_error() {
    let server = Running::serve(&["--proto", "tcp"]);
    let host = server.tcp().to_string();
    let output = run(&mut compare(&["--count", "3", &host]));
    let error = stderr(&output);
    complains(&error, &[&host, "ICMP", "UDP", "closed", "other transport"]);
    assert_eq!(output.status.code(), Some(1));
    let screen = stdout(&output);
    assert!(SECTIONS.iter().all(|section| screen.contains(section)), "{screen}");
    assert!(screen.contains("0 of 3"), "{screen}");
}

#[test]
fn a_host_without_a_server_is_an_error_with_the_cause_of_each_transport() {
    let (address, _holder) = closed_port();
    let error = bad(1, &mut compare(&[&address.to_string()]));
    let (name, causes) = (address.to_string(), ["tcp", "refused", "udp", "ICMP", "closed"]);
    complains(&error, &[&causes[..], &[&name, "--timeout", "HOST"]].concat());
}

#[test]
fn compare_stops_asking_a_host_that_stops_answering() {
    // The first exchange, 16 probes and 3 more for the latencies.
    let host = ticking_for(20, |_| {});
    let output = run(&mut compare(&["--count", "50", "--timeout", "5", &host]));
    assert_eq!(output.status.code(), Some(1));
    let errors = stderr(&output);
    let lost = errors.lines().find(|line| line.contains("3 questions")).expect("a line");
    mentions(lost, &["daytime: ", "tcp", "no answer"]);
    mentions(&stdout(&output), &["3 of 6", "stopped after 3"]);
}

#[test]
fn an_empty_answer_is_reported_and_the_status_is_1() {
    let host = udp_server(|socket| {
        let mut question = [0; 8];
        while let Ok((length @ 0, peer)) = socket.recv_from(&mut question) {
            assert_eq!(length, 0, "a question is empty");
            socket.send_to(b"", peer).expect("sent");
        }
    });
    let output = run(&mut compare(&["--count", "2", &host]));
    assert_eq!(output.status.code(), Some(1));
    let (error, last) = (stderr(&output), format!("daytime: {host} "));
    let last = error.lines().last().filter(|line| line.starts_with(&last));
    assert!(last.is_some_and(|it| it.contains("udp") && it.contains("empty reply")), "{error}");
    let stop = std::net::UdpSocket::bind("127.0.0.1:0").expect("bound");
    stop.send_to(b"stop", &host).expect("sent");
}

#[test]
fn a_missing_answer_makes_the_status_1_when_the_output_has_no_reader() {
    let server = Running::serve(&["--proto", "tcp"]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = compare(&["--count", "2", &server.tcp().to_string()]);
    let child = command.stdout(writer).stderr(Stdio::piped()).spawn().expect("started");
    drop(command); // and with it our end of the pipe
    let output = child.wait_with_output().expect("ended");
    assert_eq!(output.status.code(), Some(1));
    mentions(&stderr(&output), &["UDP", "closed", "other transport"]);
}

#[test]
fn a_port_without_a_host_is_a_usage_error() {
    let error = bad(2, &mut compare(&["--port", "9999"]));
    assert!(error.starts_with("error: "), "{error}");
    mentions(&error, &["required", "<HOST[:PORT]>"]);
}

#[test]
fn ctrl_c_ends_compare_early() {
    let (sender, middle) = mpsc::channel();
    let host = ticking_for(u32::MAX, move |number| {
        if number == 100 {
            sender.send(()).expect("the test waits");
        }
    });
    // The tests may have inherited an ignored SIGINT: a shell ignores it for background jobs.
    let mut command = Command::new("env");
    command.args(["--default-signal=INT", env!("CARGO_BIN_EXE_daytime")]);
    command.args(["compare", "--count", "1000000", &host]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("started");
    middle.recv_timeout(PATIENCE).expect("it gets that far");
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-s", "INT", &id]).status().expect("kill").success());
    eventually("it ends", || child.try_wait().expect("waited for").is_some());
    let status = child.wait().expect("ended");
    assert_eq!(status.signal(), Some(2), "{status}");
}

#[test]
fn on_a_terminal_a_bar_shows_the_progress_after_one_second() {
    let shown = |arguments: &str| {
        let script = on_terminal(&format!("daytime compare {arguments}"));
        script.map(|mut script| stdout(&run(&mut script)))
    };
    let slow = ticking_for(u32::MAX, |_| wait_in_vain(Duration::from_millis(20)));
    let long = or_skip!(shown(&format!("--count 70 {slow}")));
    assert!(long.contains(" of 70, "), "{long:?}");
    let screen = &long[long.find("Asked ").expect("the screen")..];
    assert!(!screen.contains(" of 70, "), "the bar stays: {screen:?}");
    let began = Instant::now();
    let short = or_skip!(shown("--count 1"));
    // On a busy machine even this run may take a second.
    let may_have_bar = began.elapsed() >= Duration::from_secs(1);
    assert!(short.contains("Asked "), "{short:?}");
    assert!(may_have_bar || !short.contains(" of 1, "), "{short:?}");
}

/// Starts a TCP server that answers `clients` clients, and calls `each` with the number of each client.
fn ticking_for(clients: u32, mut each: impl FnMut(u32) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let host = listener.local_addr().expect("bound").to_string();
    thread::spawn(move || {
        for number in 1..=clients {
            let (mut stream, _) = listener.accept().expect("a client");
            each(number);
            // The client may be gone.
            let _ = stream.write_all(b"tick\r\n");
        }
    });
    host
}
