//! Tests `daytime query` with servers that answer, each in a different way.

use crate::or_skip;
use crate::support::wire::{closed_port, tcp_server, udp_server};
use crate::support::{
    Namespace, PATIENCE, Running, assert_screen, bad, complains, daytime, good, ipv6, mentions,
    run, skip, stderr, stdout,
};
use serde_json::{Deserializer, Value};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Starts a server whose reply is always `tick`.
fn tick() -> Running {
    Running::serve(&["--strftime", "tick"])
}

pub fn query(arguments: &[&str]) -> Command {
    let mut command = daytime();
    command.arg("query").args(arguments);
    command
}

/// Filters for the rows that differ from run to run: how the reply arrived, and the offset of a clock that is ahead.
pub const MEASURED: [(&str, &str); 2] = [
    (r"(?m)^(    (tcp|udp)) 127\.0\.0\.1:\d+, [\d.]+ (ns|µs|ms|s): ", "$1 HOST, TIME: "),
    (r"(?m)^    offset  \+.*\n( {12}.*\n)*", "    offset  +MEASURED\n"),
];

/// Returns the row of a screen with this label, on one line even if it is wrapped.
pub fn row(screen: &str, label: &str) -> String {
    let unwrapped = screen.replace("\n            ", " ");
    let row = unwrapped.lines().find(|line| line.starts_with(&format!("    {label} ")));
    row.unwrap_or_else(|| panic!("no row {label}: {screen}")).to_owned()
}

/// Starts a TCP server that sends these octets and closes.
fn says(reply: &'static [u8]) -> String {
    tcp_server(move |mut stream| stream.write_all(reply).expect("sent"))
}

#[test]
fn the_reply_is_printed_first_and_then_how_it_arrived() {
    let server = tick();
    let (tcp, udp) = (server.tcp(), server.udp());
    let printed = good(&mut query(&["--proto", "both", &tcp.to_string()]));
    mentions(&row(&printed, "tcp"), &[&tcp.to_string()]);
    mentions(&row(&printed, "udp"), &[&udp.to_string()]);
    assert_screen("query_over_both_transports", &printed, &MEASURED);
}

#[test]
fn with_q_only_the_reply_is_printed() {
    let server = tick();
    let host = server.tcp().to_string();
    assert_eq!(good(&mut query(&["-q", "--proto", "both", &host])), "tick\ntick\n");
}

#[test]
fn ipv6_addresses_are_asked_with_and_without_brackets() {
    or_skip!(ipv6());
    let server = tick();
    let port = server.port().to_string();
    let bracketed = format!("[::1]:{port}");
    let hosts = ["-q", "--proto", "both", "--port", &port, "::1", "[::1]", &bracketed];
    assert_eq!(good(&mut query(&hosts)), "tick\n".repeat(6));
}

#[test]
fn a_reply_that_arrives_octet_by_octet_is_printed_whole() {
    let host = tcp_server(|mut stream| {
        stream.set_nodelay(true).expect("set");
        for octet in b"02 FEB 82 07:59:01 PST\r\n" {
            stream.write_all(&[*octet]).expect("sent");
        }
    });
    assert_eq!(good(&mut query(&["-q", &host])), "02 FEB 82 07:59:01 PST\n");
}

#[test]
fn a_reply_without_a_line_end_is_complete_at_the_end_of_the_stream() {
    let host = says(b"no line end");
    assert_eq!(good(&mut query(&["-q", &host])), "no line end\n");
}

#[test]
fn terminal_escapes_never_reach_the_terminal_over_tcp() {
    let escapes = b"\x1b[2J\x1b]0;title\x07 \x9b31m\x08\x7f back\\slash\r\nSun\r\n";
    for option in ["-q", "--json"] {
        assert_harmless(&good(&mut query(&[option, &says(escapes)])), "Sun");
    }
    let verbose = run(&mut query(&["-v", &says(escapes)]));
    assert_harmless(&stdout(&verbose), "Sun");
    assert_harmless(&stderr(&verbose), "connecting");
}

#[test]
fn terminal_escapes_never_reach_the_terminal_over_udp() {
    let host = udp_server(|socket| {
        let (_, peer) = socket.recv_from(&mut [0; 64]).expect("a question");
        socket.send_to(b"\x1b[2J\x07\x9b31m\rSun\r\n", peer).expect("sent");
    });
    assert_harmless(&good(&mut query(&["--proto", "udp", &host])), "\\x1b[2J\\x07\\x9b31m\\rSun");
}

#[test]
fn terminal_escapes_never_reach_the_terminal_in_an_error() {
    let (release, released) = mpsc::channel::<()>();
    let host = tcp_server(move |mut stream| {
        stream.write_all(b"\x1b[2J\x07Sun").expect("sent");
        let _ = released.recv_timeout(PATIENCE); // held open until the client ends
    });
    let output = run(&mut query(&["--timeout", "0.5", &host]));
    assert_harmless(&stdout(&output), "\\x1b[2J\\x07Sun");
    assert_harmless(&stderr(&output), "8 octets received");
    assert_eq!(output.status.code(), Some(1));
    drop(release);
}

/// Asserts that the text has only printable characters and line feeds.
fn assert_harmless(printed: &str, part: &str) {
    assert!(printed.contains(part), "{printed:?}");
    let harmless = |c: char| c == '\n' || c == 'µ' || matches!(c, ' '..='~');
    assert!(printed.chars().all(harmless), "{printed:?}");
}

#[test]
fn json_has_one_object_per_question() {
    let server = tick();
    let host = server.tcp().to_string();
    let printed =
        good(&mut query(&["--json", "--proto", "both", "--count", "2", "--interval", "0", &host]));
    let objects: Vec<Value> = printed.lines().map(|line| line.parse().expect("JSON")).collect();
    assert_eq!(objects.len(), 4, "{printed}");
    for (object, transport) in objects.iter().zip(["tcp", "udp", "tcp", "udp"]) {
        assert_eq!(object["host"], *host);
        assert_eq!(object["peer"], *host);
        assert_eq!(object["transport"], transport);
        assert_eq!(object["reply"], "tick");
        assert_eq!(object["reply_hex"], "7469636b0d0a");
        assert_eq!(object["octets"], 6);
        assert_eq!(object["truncated"], false);
        assert_eq!(object["reads"], serde_json::json!([6]));
        assert_eq!(object["questions"], u32::from(transport == "udp"));
        assert_eq!(object["connected_us"].is_f64(), transport == "tcp");
        let microseconds = |key: &str| object[key].as_f64().expect("a number");
        let (elapsed, round_trip) = (microseconds("elapsed_us"), microseconds("round_trip_us"));
        assert!(round_trip > 0.0 && round_trip <= elapsed, "{object}");
        assert_eq!(round_trip < elapsed, transport == "tcp", "{object}");
        let arrived = object["arrived"].as_str().expect("a date");
        assert_eq!((arrived.len(), &arrived[26..]), (27, "Z"), "{object}");
        assert!(object["calls"].as_array().is_some_and(|it| it.len() > 4), "{object}");
    }
}

#[test]
fn one_of_several_hosts_without_an_answer_makes_the_status_1() {
    let server = tick();
    let (closed, _holder) = closed_port();
    let (good, closed) = (server.tcp().to_string(), closed.to_string());
    let output = run(&mut query(&["--json", &good, &closed, &good]));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    let objects: Vec<Value> =
        Deserializer::from_str(&stdout(&output)).into_iter().map(|it| it.expect("JSON")).collect();
    assert_eq!(objects.len(), 3);
    assert_eq!((&objects[0]["reply"], &objects[2]["reply"]), (&"tick".into(), &"tick".into()));
    assert_eq!(objects[1]["host"], *closed);
    let error = objects[1]["error"].as_str().expect("an error");
    assert_eq!(format!("daytime: {error}\n"), stderr(&output));
}

#[test]
fn count_and_interval_set_the_number_of_rounds_and_the_pause() {
    let server = tick();
    let host = server.udp().to_string();
    let rounds = ["-q", "--proto", "udp", "--count", "3", "--interval", "0.3", &host];
    let started = Instant::now();
    assert_eq!(good(&mut query(&rounds)), "tick\ntick\ntick\n");
    assert!(started.elapsed() >= Duration::from_millis(600), "{:?}", started.elapsed());
}

#[test]
fn a_name_with_both_families_reaches_a_server_on_one_of_them() {
    or_skip!(ipv6());
    let inside = or_skip!(Namespace::new());
    for (listen, served, other) in [("127.0.0.1", "-4", "-6"), ("::1", "-6", "-4")] {
        let mut serve = inside.daytime();
        serve.args(["serve", "--listen", listen, "--strftime", "tick"]);
        let server = Running::start(serve);
        for proto in ["tcp", "udp"] {
            let ask = |arguments: &[&str]| {
                let mut query = inside.daytime();
                query.args(["query", "-q", "--proto", proto, "localhost"]).args(arguments);
                query
            };
            assert_eq!(good(&mut ask(&[])), "tick\n", "{proto} on {listen}");
            assert_eq!(good(&mut ask(&[served])), "tick\n", "{proto} on {listen}");
            let message = bad(1, &mut ask(&[other]));
            mentions(
                &message,
                &[if proto == "tcp" { "refused" } else { "ICMP" }, "`daytime serve"],
            );
        }
        drop(server);
    }
}

#[test]
fn a_closed_pipe_as_standard_output_ends_the_query_quietly() {
    let (release, released) = mpsc::channel();
    let host = tcp_server(move |mut stream| {
        released.recv_timeout(PATIENCE).expect("the pipe is closed");
        stream.write_all(b"no client reads this\r\n").expect("sent");
    });
    let mut command = query(&[&host]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    drop(child.stdout.take());
    release.send(()).expect("the server waits");
    let output = child.wait_with_output().expect("ended");
    assert_eq!((stderr(&output).as_str(), output.status.code()), ("", Some(0)));
}

#[test]
fn a_client_whose_output_has_no_reader_stops_asking() {
    let server = tick();
    let mut command = query(&["-q", "--count", "1000000", "--interval", "0"]);
    command.arg(server.tcp().to_string());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    let mut line = [0; 5];
    let mut output = child.stdout.take().expect("piped");
    std::io::Read::read_exact(&mut output, &mut line).expect("a line");
    assert_eq!(&line, b"tick\n");
    drop(output);
    let output = child.wait_with_output().expect("ended"); // with a bug this takes minutes
    assert_eq!((stderr(&output).as_str(), output.status.code()), ("", Some(0)));
}

#[test]
fn a_standard_output_on_a_full_disk_is_reported() {
    let full = match std::fs::OpenOptions::new().write(true).open("/dev/full") {
        Ok(full) => full,
        Err(error) => return skip(&format!("no /dev/full: {error}")),
    };
    let server = tick();
    let mut command = query(&[&server.tcp().to_string()]);
    let output = command.stdout(full).stderr(Stdio::piped()).output().expect("ended");
    complains(&stderr(&output), &["standard output", "No space left on device"]);
    assert_eq!(output.status.code(), Some(1));
}
