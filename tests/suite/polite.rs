//! Tests that public addresses are asked at most every 4 seconds, unless an option changes this. In
//! a namespace the documentation ranges (RFC 5737, RFC 3849) count as public, but belong to the
//! test.

use crate::or_skip;
use crate::support::wire::udp_server;
use crate::support::{
    Namespace, PATIENCE, Running, bad, before, complains, daytime, good, ipv6, mentions, program,
    run, stderr, stdout,
};
use serde_json::Value;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::net::{TcpListener, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const APART: Duration = Duration::from_secs(4);

/// Starts a server on port 13 of these addresses, whose reply is the seconds since 1970.
fn counting(inside: &Namespace, addresses: &[&str]) -> Running {
    let mut serve = inside.daytime();
    serve.args(["serve", "--strftime", "%s%.6f"]);
    serve.args(addresses.iter().flat_map(|address| ["--listen", address]));
    Running::start(serve)
}

fn query(inside: &Namespace, arguments: &[&str]) -> Command {
    let mut command = inside.daytime();
    command.arg("query").args(arguments);
    command
}

/// Returns the server's time in each reply, in microseconds.
fn times(printed: &str) -> Vec<u64> {
    let digits = printed.lines().map(|line| line.replace('.', ""));
    digits.map(|line| line.parse().expect("a time")).collect()
}

#[test]
fn repeated_questions_of_every_kind_are_4_seconds_apart() {
    or_skip!(ipv6());
    let inside = or_skip!(Namespace::having(&["192.0.2.1/32"]));
    let _server = counting(&inside, &["192.0.2.1"]);
    let kinds: [&[&str]; 4] = [
        &["--count", "2", "--interval", "0", "192.0.2.1"],
        &["--proto", "both", "192.0.2.1"],
        &["192.0.2.1", "192.0.2.1"],
        &["--proto", "udp", "192.0.2.1", "::ffff:192.0.2.1"],
    ];
    // All commands run at the same time, to save time. The timeout must not include the pause.
    let asking = kinds.map(|kind| {
        let mut command = query(&inside, &["-q", "--timeout", "3"]);
        let piped = command.args(kind).stdout(Stdio::piped()).stderr(Stdio::piped());
        (kind, piped.spawn().expect("started"))
    });
    for (kind, child) in asking {
        let output = child.wait_with_output().expect("ended");
        assert_eq!((stderr(&output).as_str(), output.status.code()), ("", Some(0)), "{kind:?}");
        let times = times(&stdout(&output));
        assert_eq!(times.len(), 2, "{kind:?}");
        assert!(u128::from(times[1] - times[0]) >= APART.as_micros(), "{kind:?}: {times:?}");
    }
}

#[test]
fn an_address_that_refused_is_not_asked_for_4_seconds() {
    let inside = or_skip!(Namespace::having(&["192.0.2.1/32"]));
    let twice = |arguments: &[&str]| {
        let started = Instant::now();
        let message = bad(1, query(&inside, arguments).args(["192.0.2.1", "192.0.2.1"]));
        assert_eq!(message.lines().count(), 2, "{message}");
        message.lines().for_each(|line| mentions(line, &["refused", "192.0.2.1:13"]));
        started.elapsed()
    };
    assert!(twice(&[]) >= APART);
    assert!(twice(&["--impolite"]) < APART);
}

#[test]
fn no_address_tried_for_a_name_is_asked_for_4_seconds() {
    // The client tries one of the two addresses first, and this address refuses.
    let asking = ["192.0.2.1", "192.0.2.2"].map(|serving| {
        let inside = Namespace::having(&["192.0.2.1/32", "192.0.2.2/32"])?;
        let server = counting(&inside, &[serving]);
        let mut ask = query(&inside, &["-q", "pair", serving]);
        let asking = ask.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("started");
        Ok::<_, String>((inside, server, asking))
    });
    for asking in asking {
        let (_inside, _server, asking) = or_skip!(asking);
        let times = times(&stdout(&asking.wait_with_output().expect("ended")));
        assert_eq!(times.len(), 2);
        assert!(u128::from(times[1] - times[0]) >= APART.as_micros(), "{times:?}");
    }
}

#[test]
fn a_lost_question_to_a_public_address_is_sent_again_after_4_seconds() {
    let inside = or_skip!(Namespace::having(&["192.0.2.1/32"]));
    // A stopped server keeps its socket and answers no client.
    let silent = counting(&inside, &["192.0.2.1"]);
    silent.signal("STOP");
    let mut ask = query(&inside, &["--proto", "udp", "--json", "--timeout", "8", "192.0.2.1"]);
    let ask = ask.arg("-v").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut asking = ask.spawn().expect("started");
    let _log = read_until(&["question 1 "], asking.stderr.take().expect("piped"));
    drop(silent);
    let _answering = counting(&inside, &["192.0.2.1"]);
    let output = asking.wait_with_output().expect("ended");
    let answer: Value = stdout(&output).parse().expect("JSON");
    assert_eq!(answer["questions"], 2);
    // Without the minimum interval the retry would come after a seventh of 8 seconds.
    assert!(answer["elapsed_us"].as_f64().is_some_and(|it| it >= 4e6), "{answer}");
}

#[test]
fn with_impolite_or_on_loopback_there_is_no_pause() {
    let inside = or_skip!(Namespace::having(&["192.0.2.1/32", "10.0.0.1/32"]));
    let _server = counting(&inside, &["192.0.2.1", "10.0.0.1", "127.0.0.1"]);
    let twice = ["-q", "--proto", "both", "--count", "2", "--interval", "0"];
    for host in [&["--impolite", "192.0.2.1"][..], &["10.0.0.1"], &["127.0.0.1"]] {
        let times = times(&good(query(&inside, &twice).args(host)));
        assert_eq!(times.len(), 4, "{host:?}");
        let all = u128::from(times[3] - times[0]);
        assert!(all < APART.as_micros(), "{host:?}: {times:?}");
    }
}

#[test]
fn addresses_do_not_wait_for_each_other() {
    let inside = or_skip!(Namespace::having(&["192.0.2.1/32", "198.51.100.1/32"]));
    let _server = counting(&inside, &["192.0.2.1", "198.51.100.1"]);
    let times = times(&good(&mut query(&inside, &["-q", "192.0.2.1", "198.51.100.1"])));
    assert_eq!(times.len(), 2);
    assert!(u128::from(times[1] - times[0]) < APART.as_micros(), "{times:?}");
}

#[test]
fn a_silent_public_address_gets_no_retry_if_the_timeout_is_short() {
    let inside = or_skip!(Namespace::having(&["192.0.2.1/32"]));
    let silent = counting(&inside, &["192.0.2.1"]);
    silent.signal("STOP");
    let retries = ["--proto", "udp", "--retries", "2", "--timeout", "0.5", "192.0.2.1"];
    let message = bad(1, &mut query(&inside, &retries));
    complains(&message, &["no reply", "192.0.2.1:13"]);
    assert_eq!(before(&message, "datagram"), Some("1"), "{message}");
    let message = bad(1, query(&inside, &retries).arg("--impolite"));
    complains(&message, &["no reply", "192.0.2.1:13"]);
    assert_eq!(before(&message, "datagrams"), Some("3"), "{message}");
}

#[test]
fn the_pause_is_logged_with_v_and_on_a_terminal() {
    let inside = or_skip!(Namespace::having(&["192.0.2.1/32"]));
    let script = or_skip!(program("script"));
    let _server = counting(&inside, &["192.0.2.1"]);
    let repeat = ["--count", "5", "--interval", "0", "192.0.2.1"];
    let pause = [" INFO ] ", "public", " 192.0.2.1 ", "4 s", "waiting "];
    let mut logged = query(&inside, &["-v"]);
    let logged = logged.args(repeat).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut logged = logged.spawn().expect("started");
    read_until(&pause, logged.stderr.take().expect("piped"));
    end(logged);
    let mut watched = inside.command(script);
    // The standard output of script(1) is the terminal. The output of the query itself is
    // discarded.
    let line = format!("{} query {} >/dev/null", env!("CARGO_BIN_EXE_daytime"), repeat.join(" "));
    watched.args(["-qec", &line, "/dev/null"]).env("NO_COLOR", "1");
    // Standard input stays open, because script(1) may end before its child prints if standard
    // input has ended.
    watched.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut watched = watched.spawn().expect("started");
    read_until(&pause, watched.stdout.take().expect("piped"));
    end(watched);
}

#[test]
fn an_empty_datagram_is_an_answer_and_ends_the_retries() {
    let (sender, next) = mpsc::channel();
    let host = udp_server(move |socket| {
        let (_, peer) = socket.recv_from(&mut [0; 8]).expect("a question");
        socket.send_to(b"", peer).expect("sent");
        let (length, _) = socket.recv_from(&mut [0; 8]).expect("the next datagram");
        sender.send(length).expect("the test waits");
    });
    let output = run(daytime().args(["query", "--proto", "udp", "--retries", "5", &host]));
    assert_eq!(output.status.code(), Some(1));
    complains(&stderr(&output), &["empty reply"]);
    let test = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    test.send_to(b"test", host).expect("sent");
    assert_eq!(next.recv_timeout(PATIENCE), Ok(4), "0 octets are another question");
}

#[test]
fn an_empty_stream_is_an_answer_and_is_not_retried() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let host = listener.local_addr().expect("bound").to_string();
    let closing = thread::spawn(move || {
        drop(listener.accept().expect("a client"));
        listener
    });
    let output = run(daytime().args(["query", "--retries", "5", &host]));
    assert_eq!(output.status.code(), Some(1));
    complains(&stderr(&output), &["empty reply"]);
    let listener = closing.join().expect("no panic");
    listener.set_nonblocking(true).expect("set");
    let next = listener.accept().expect_err("no other connection");
    assert_eq!(next.kind(), ErrorKind::WouldBlock);
}

#[test]
fn compare_refuses_a_public_host_before_it_sends_anything() {
    let inside = or_skip!(Namespace::having(&["192.0.2.1/32"]));
    let _server = counting(&inside, &["192.0.2.1"]);
    let before = packets(&inside);
    let compare = || {
        let mut command = inside.daytime();
        command.args(["compare", "192.0.2.1:13"]);
        command
    };
    // The status is 1 and not 2: the name resolves to a public address, but the command line is
    // correct.
    let message = bad(1, &mut compare());
    let remedies = ["HOST", "local server", "--impolite"];
    complains(&message, &[&["compare", "192.0.2.1:13", "public", "4 s"][..], &remedies].concat());
    let output = run(compare().arg("--json"));
    assert_eq!(output.status.code(), Some(1));
    let object: Value = stdout(&output).parse().expect("JSON");
    let message = message.trim_start_matches("daytime: ").trim_end();
    assert_eq!(object, serde_json::json!({ "error": message }));
    assert_eq!(packets(&inside), before);
    let screen = good(compare().args(["--impolite", "--count", "2"]));
    mentions(screen.lines().next().expect("a line"), &[" 192.0.2.1:13 ", " 2 times"]);
    assert_ne!(packets(&inside), before, "packets are not counted here");
}

/// Returns the loopback line of the kernel's interface list, with its packet counters.
fn packets(inside: &Namespace) -> String {
    let list = good(inside.command("cat").arg("/proc/net/dev"));
    list.lines().find(|line| line.trim_start().starts_with("lo:")).expect("loopback").to_owned()
}

/// Reads until a line with all of these words. The peer can write as long as the returned reader lives.
fn read_until<S: Read>(words: &[&str], stream: S) -> BufReader<S> {
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    while !words.iter().all(|it| line.contains(it)) {
        line.clear();
        let length = lines.read_line(&mut line).expect("readable");
        assert_ne!(length, 0, "no line with {words:?}");
    }
    lines
}

fn end(mut child: Child) {
    child.kill().expect("not waited for yet");
    child.wait().expect("ended");
}
