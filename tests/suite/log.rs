//! Tests the log of `daytime serve`: the number of lines, the clients that they name, and their
//! format.

use crate::or_skip;
use crate::support::wire::{ask_tcp, connect, datagrams_with, read_to_end};
use crate::support::{Running, bad, complains, daytime, mentions, program, run, stderr};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Returns the notices that have all these parts: the number after the last colon, and the text after `example `.
fn notices(log: &str, parts: &[&str]) -> Vec<(u64, String)> {
    let notices = log.lines().filter(|line| parts.iter().all(|part| line.contains(part)));
    notices
        .map(|line| {
            let (start, example) = line.split_once(", example ").expect("an example");
            let (_, number) = start.rsplit_once(": ").expect("a number");
            let number = number.split(' ').next().expect("a number");
            (number.parse().expect("a number"), example.to_owned())
        })
        .collect()
}

/// Opens a connection that has got its reply and stays open. Returns it with the client's address.
fn held(server: &Running) -> (TcpStream, SocketAddr) {
    let stream = connect(server.tcp());
    read_to_end(&stream);
    let address = stream.local_addr().expect("connected");
    (stream, address)
}

#[test]
fn the_log_accounts_for_every_connection_above_a_limit_and_names_an_example_client() {
    const REFUSED: u64 = 200;
    let limits = ["--limit-loopback", "--tcp-per-source", "1", "--drain-deadline", "60"];
    let server = Running::serve(&limits);
    let (first, _) = held(&server);
    let refused: Vec<_> = (0..REFUSED).map(|_| held(&server).1.to_string()).collect();
    drop(first);
    let log = server.stopped();
    let notices = notices(&log, &["] tcp: ", "answered", "closed at once", "from one source"]);
    assert_eq!(notices.iter().map(|(number, _)| number).sum::<u64>(), REFUSED, "{log}");
    assert_eq!(notices[0].1, refused[0], "{log}");
    assert!(notices.iter().all(|(_, example)| refused.contains(example)), "{log}");
    assert!(notices.len() >= 2, "what came after the first was not due yet: {log}");
}

#[test]
fn a_client_that_is_given_up_is_named() {
    let server = Running::serve(&["--drain-deadline", "0.1"]);
    let (stream, address) = held(&server);
    let mut talking = &stream;
    while talking.write_all(b".").is_ok() {} // until the server resets the connection
    let log = server.stopped();
    let given_up = notices(&log, &["] tcp: ", "closed", "client", "in time"]);
    assert_eq!(given_up, [(1, address.to_string())], "{log}");
}

#[test]
fn a_failed_receive_is_reported_with_its_error() {
    let strace = or_skip!(program("strace"));
    let mut traced = daytime_under(&strace);
    // The server ends as soon as it has been idle.
    traced.args(["serve", "--listen", "0.0.0.0:0", "--proto", "udp", "--idle", "0.1"]);
    let output = run(&mut traced);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let log = stderr(&output);
    let notices = notices(&log, &[" WARN ] udp: ", "cannot receive"]);
    assert_eq!(notices.iter().map(|(number, _)| number).sum::<u64>(), 3, "{log}");
    assert!(notices.iter().all(|(_, error)| error.ends_with("(os error 113)")), "{log}"); // EHOSTUNREACH
}

/// Runs the binary under strace, which makes its first three receives fail.
fn daytime_under(strace: &std::path::Path) -> Command {
    let mut command = Command::new(strace);
    let faults = "inject=recvmmsg:error=EHOSTUNREACH:when=1..3";
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=recvmmsg", "-e", faults]);
    command.arg(env!("CARGO_BIN_EXE_daytime")).env_remove("RUST_LOG");
    command
}

/// Returns the log lines about single clients, without their times.
fn about_clients(log: &str) -> Vec<&str> {
    let lines = log.lines().filter_map(|line| line.split_once("] "));
    lines.map(|(_, text)| text).filter(|text| text.contains(" 127.0.0.1:")).collect()
}

#[test]
fn clients_are_logged_with_v_and_their_ends_too_with_vv() {
    let replies = [("tcp", "reply"), ("udp", "reply")];
    let whole = [("tcp", "accepted"), ("tcp", "reply"), ("tcp", "by the client"), ("udp", "reply")];
    for (options, expected) in [(&["-v"][..], &replies[..]), (&["-vv"], &whole), (&[], &[])] {
        let server = Running::serve(&[&["--listen", "127.0.0.1"][..], options].concat());
        let (stream, tcp) = held(&server);
        drop(stream);
        let socket = datagrams_with(server.udp());
        socket.send(b"").expect("sent");
        socket.recv(&mut [0; 64]).expect("a reply");
        let (own, udp) = (server.tcp(), socket.local_addr().expect("bound"));
        let log = server.stopped();
        let mut lines = about_clients(&log);
        lines.retain(|line| !line.contains(&own.to_string())); // lines about the server's sockets
        assert_eq!(lines.len(), expected.len(), "{options:?}: {log}");
        for (transport, event) in expected {
            let client = if *transport == "tcp" { tcp } else { udp };
            let start = format!("{transport} {client}: ");
            let is_there = lines.iter().any(|it| it.starts_with(&start) && it.contains(event));
            assert!(is_there, "{options:?}: no {start}{event} in {log}");
        }
    }
}

#[test]
fn with_v_a_flood_causes_ten_lines_per_second_and_a_count_of_the_others() {
    const CLIENTS: u64 = 300;
    let server = Running::serve(&["--listen", "127.0.0.1", "-v"]);
    let started = std::time::Instant::now();
    (0..CLIENTS).for_each(|_| drop(ask_tcp(server.tcp())));
    let log = server.stopped();
    let seconds = started.elapsed().as_secs() + 1;
    let shown = log.lines().filter(|line| line.ends_with(": reply")).count() as u64;
    let left_out = log.lines().filter_map(|line| {
        let (_, rest) = line.split_once("] left out ")?;
        mentions(rest, &["lines", "clients"]);
        Some(rest.split(' ').next().and_then(|it| it.parse::<u64>().ok()).expect("a number"))
    });
    assert_eq!(shown + left_out.sum::<u64>(), CLIENTS, "{log}");
    assert!((10..=10 * seconds).contains(&shown), "{shown} lines in {seconds} s: {log}");
}

/// Returns the name that systemd gives to a stream (systemd.exec(5)).
fn journal_stream(stream: &impl AsFd) -> String {
    let stream = stream.as_fd().try_clone_to_owned().expect("a second handle");
    let stream = std::fs::File::from(stream).metadata().expect("open");
    format!("{}:{}", stream.dev(), stream.ino())
}

/// Returns the log of a server whose standard error is this pipe, with this `JOURNAL_STREAM`.
fn log_of(stream: Option<&str>, (mut reader, writer): (io::PipeReader, io::PipeWriter)) -> String {
    let mut serve = daytime();
    serve.args(["serve", "--port", "0", "--idle", "0.05"]).stdout(Stdio::null());
    let stream = stream.map_or_else(|| journal_stream(&writer), str::to_owned);
    let mut child = serve.env("JOURNAL_STREAM", stream).stderr(writer).spawn().expect("started");
    drop(serve); // closes this process's end of the pipe
    let mut log = String::new();
    reader.read_to_string(&mut log).expect("text");
    assert_eq!(child.wait().expect("ended").code(), Some(0), "{log}");
    log
}

#[test]
fn in_the_journal_each_line_has_its_priority_and_no_time() {
    let log = log_of(None, io::pipe().expect("a pipe"));
    assert!(log.starts_with("<6>daytime "), "{log}");
    let last = log.lines().next_back().unwrap_or_default();
    assert!(last.starts_with("<6>"), "{log}");
    mentions(last, &[" 0 connections", " 0 datagrams"]);
    let priorities = ["<3>", "<4>", "<6>"];
    assert!(log.lines().all(|line| priorities.contains(&&line[..3])), "{log}");
    assert!(!log.contains("INFO"), "{log}");
    let elsewhere = log_of(Some("1:1"), io::pipe().expect("a pipe"));
    assert!(elsewhere.starts_with("[20"), "{elsewhere}");
    assert!(!elsewhere.contains('<'), "{elsewhere}");
}

#[test]
fn in_the_journal_a_failed_start_has_the_priority_of_an_error() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("journal");
    for (arguments, status, lines) in
        [(&["serve", "--listen", "192.0.2.1"][..], 1, 1), (&["serve", "--no-such-option"], 2, 5)]
    {
        let file = std::fs::File::create(&path).expect("created");
        let stream = journal_stream(&file);
        let mut serve = daytime();
        serve.args(arguments).env("JOURNAL_STREAM", stream).stderr(file);
        assert_eq!(serve.status().expect("it runs").code(), Some(status));
        let log = std::fs::read_to_string(&path).expect("written");
        assert!(log.lines().count() >= lines, "{log}");
        assert!(log.lines().all(|line| line.starts_with("<3>")), "{log}");
    }
    let usual = bad(1, daytime().args(["serve", "--listen", "192.0.2.1"]));
    complains(&usual, &["192.0.2.1"]); // without a priority
}
