//! Runs `daytime check` on the server of this suite, and on hosts that it cannot ask.

use crate::or_skip;
use crate::support::wire::closed_port;
use crate::support::{
    Namespace, Running, assert_fits_80_columns, assert_screen, bad, complains, daytime, good, ipv6,
    mentions, run, stderr, stdout,
};
use serde_json::Value;
use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn check(arguments: &[&str]) -> Command {
    let mut command = daytime();
    command.arg("check").args(arguments);
    command
}

fn json(command: &mut Command) -> Value {
    stdout(&run(command.arg("--json"))).parse().expect("JSON")
}

/// Returns each probe with its verdict and reason.
fn verdicts(checked: &Value) -> Vec<(&str, &str, &str)> {
    let probes = checked["probes"].as_array().expect("probes");
    assert_eq!(probes.len(), 22);
    probes.iter().map(|it| (text(it, "probe"), text(it, "verdict"), text(it, "reason"))).collect()
}

fn text<'a>(probe: &'a Value, key: &str) -> &'a str {
    probe[key].as_str().unwrap_or_else(|| panic!("no {key} in {probe}"))
}

/// Returns the probes that did not pass, with verdict and reason.
fn others(checked: &Value) -> Vec<(&str, &str, &str)> {
    let mut others = verdicts(checked);
    others.retain(|(_, verdict, _)| *verdict != "pass");
    others
}

#[test]
fn the_server_of_this_suite_passes_every_probe_that_one_address_allows() {
    let inside = or_skip!(Namespace::new());
    let _server = Running::start(serving(&inside, &[]));
    let checked = json(inside.daytime().args(["check", "127.0.0.1"]));
    let others = others(&checked);
    let names: Vec<_> = others.iter().map(|it| (it.0, it.1)).collect();
    assert_eq!(names, [("tcp-ipv6", "not-tried"), ("udp-ipv6", "not-tried")], "{checked:#}");
    for (_, _, reason) in others {
        mentions(reason, &["127.0.0.1", "IPv4"]);
    }
    let counts = [&checked["passed"], &checked["failed"], &checked["not_tried"]];
    assert_eq!(counts, [20, 0, 2], "{checked:#}");
    assert_eq!((&checked["good"], &checked["host"]), (&true.into(), &"127.0.0.1".into()));
}

#[test]
fn the_server_of_this_suite_passes_over_both_families_in_every_syntax() {
    or_skip!(ipv6());
    for syntax in ["rfc867", "smtp", "ctime", "nist", "rfc3339"] {
        let inside = or_skip!(Namespace::new());
        let _server = Running::start(serving(&inside, &["--syntax", syntax]));
        let checked = json(inside.daytime().args(["check", "--timeout", "1", "localhost"]));
        // NIST's digit H fails the health probe where this machine's clock is not synchronised.
        let failed = others(&checked).into_iter().filter(|it| it.1 == "fail" && it.0 != "health");
        assert_eq!(failed.count(), 0, "{checked:#}");
        let reached = verdicts(&checked).into_iter().take(4).all(|it| it.1 == "pass");
        assert!(reached, "{checked:#}");
        let named = verdicts(&checked).into_iter().find(|it| it.0 == "syntax").expect("syntax");
        assert!(named.2.starts_with(syntax), "{checked:#}");
    }
}

fn serving(inside: &Namespace, options: &[&str]) -> Command {
    let mut serve = inside.daytime();
    serve.arg("serve").args(options);
    serve
}

#[test]
fn json_has_the_measured_numbers_next_to_the_verdict() {
    let server = Running::serve(&[]);
    let checked = json(&mut check(&[&server.tcp().to_string()]));
    let probe = |name: &str| {
        let probes = checked["probes"].as_array().expect("probes");
        probes.iter().find(|it| it["probe"] == name).expect("the probe")
    };
    let octets = probe("udp-one-octet")["octets"].as_u64().expect("a count");
    assert!((28..=48).contains(&octets), "{checked:#}");
    assert_eq!(probe("udp-one-octet")["datagrams"], 1);
    let factor = |key: &str| probe("amplification")[key].as_f64().expect("a factor");
    let of = |octets: u64| f64::from(u32::try_from(octets).expect("few"));
    assert!((factor("payload_factor") - of(octets)).abs() < 1e-9);
    assert!((factor("wire_factor") - of(octets + 28) / 28.0).abs() < 1e-9);
    assert!(probe("clock")["uncertainty_us"].as_f64() >= Some(1e6), "{checked:#}");
    assert!(probe("tcp-ipv4")["elapsed_us"].as_f64() > Some(0.0), "{checked:#}");
}

/// Filters for the results that differ from run to run or need a privilege.
const MEASURED: [(&str, &str); 5] = [
    (r" (after|for|in) [\d.]+ (µs|ms|s)\b", " $1 TIME"),
    (r"(?m)^(  clock +pass +).*", "${1}MEASURED"),
    (r"(?m)^(  from a port < 1024 +).*\n( {24}.*\n)*", "${1}RESULT\n"),
    (r"asked from port \d+", "asked from port PORT"),
    (r"(19|20) passed, 0 failed, [23] not tried", "PASSED"),
];

#[test]
fn the_table_fits_80_columns_and_has_headings_and_totals() {
    let server = Running::serve(&["--syntax", "rfc3339", "--zone", "UTC"]);
    let port = server.port().to_string();
    let screen = good(&mut check(&["localhost", "-4", "--port", &port]));
    assert_fits_80_columns(&screen);
    assert_screen("check", &screen.replace(&format!(":{port}"), ":PORT"), &MEASURED);
}

#[test]
fn colour_comes_when_it_is_forced_and_never_with_no_color() {
    let (closed, _holder) = closed_port();
    let closed = closed.to_string();
    let output = run(check(&["--timeout", "1", &closed]).env("CLICOLOR_FORCE", "1"));
    assert!(stdout(&output).contains("\x1b[1m\x1b[31mfail\x1b[0m  "), "{output:?}");
    let output = run(check(&["--timeout", "1", &closed]).env("NO_COLOR", "1"));
    assert!(!stdout(&output).contains('\x1b'), "{output:?}");
}

#[test]
fn without_a_server_the_refusals_fail_and_the_status_is_1() {
    let (closed, _holder) = closed_port();
    let output = run(&mut check(&[&closed.to_string(), "--json"]));
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(1), ""));
    let checked: Value = stdout(&output).parse().expect("JSON");
    let failed: Vec<_> = others(&checked).into_iter().filter(|it| it.1 == "fail").collect();
    let [tcp, udp] = failed[..] else { panic!("{checked:#}") };
    assert_eq!((tcp.0, udp.0), ("tcp-ipv4", "udp-ipv4"));
    mentions(tcp.2, &["refused", &closed.to_string()]);
    mentions(udp.2, &["ICMP", "closed", &closed.to_string()]);
    assert_eq!((&checked["passed"], &checked["good"]), (&0.into(), &false.into()));
}

#[test]
fn an_unknown_name_gives_the_same_error_as_query() {
    let error = bad(1, &mut check(&["no-such-host.invalid"]));
    complains(&error, &["resolve", "no-such-host.invalid"]);
    let error = bad(1, &mut check(&["-6", "127.0.0.1"]));
    complains(&error, &["127.0.0.1", "no IPv6"]);
    bad(2, &mut check(&[]));
}

#[test]
fn a_server_of_one_transport_fails_over_the_other_and_gets_the_remaining_probes() {
    let server = Running::serve(&["--proto", "tcp"]);
    let checked = json(&mut check(&[&server.tcp().to_string()]));
    let failed: Vec<_> = others(&checked).into_iter().filter(|it| it.1 == "fail").collect();
    assert_eq!(failed.len(), 1, "{checked:#}");
    assert_eq!(failed[0].0, "udp-ipv4");
    let untried = |name: &str| others(&checked).into_iter().find(|it| it.0 == name);
    let (_, verdict, reason) = untried("udp-one-octet").expect("not passed");
    assert_eq!(verdict, "not-tried");
    mentions(reason, &["no answer", "UDP"]);
    assert_eq!(untried("tcp-64k-first"), None, "{checked:#}");
}

#[test]
fn a_public_address_is_asked_every_4_seconds_and_not_sent_64_kib() {
    let inside = or_skip!(Namespace::having(&["192.0.2.1/32"]));
    let serve = ["--listen", "192.0.2.1", "--proto", "tcp"];
    let _server = Running::start(serving(&inside, &serve));
    let took = |options: &[&str]| {
        let started = Instant::now();
        let mut command = inside.daytime();
        let checked = json(command.arg("check").args(options).arg("192.0.2.1"));
        (started.elapsed(), checked)
    };
    // Four questions: TCP, UDP, TCP after CR LF, TCP after a half-close.
    let (polite, checked) = took(&[]);
    assert!(polite >= Duration::from_secs(12), "{polite:?}");
    let many = verdicts(&checked).into_iter().find(|it| it.0 == "tcp-64k-first").expect("there");
    assert_eq!(many.1, "not-tried");
    assert!(many.2.contains("--impolite"), "{}", many.2);
    let (impolite, checked) = took(&["--impolite"]);
    assert!(impolite < Duration::from_secs(4), "{impolite:?}");
    let many = verdicts(&checked).into_iter().find(|it| it.0 == "tcp-64k-first").expect("there");
    assert_eq!(many.1, "pass");
}

/// Runs a check as a monitoring plugin. Returns its exit status and its standard output.
fn plugin(command: &mut Command) -> (Option<i32>, String) {
    let output = run(command.arg("--nagios"));
    (output.status.code(), stdout(&output))
}

#[test]
fn a_plugin_prints_one_line_with_performance_data_and_its_status_is_0() {
    let server = Running::serve(&["--listen", "127.0.0.1"]);
    let (status, line) = plugin(&mut check(&[&format!("127.0.0.1:{}", server.port())]));
    assert_eq!((status, line.lines().count()), (Some(0), 1), "{line}");
    let (text, data) = line.trim_end().split_once('|').expect("performance data");
    mentions(text, &["DAYTIME OK - ", " passed, 0 failed, "]);
    let labels = data.split(' ').map(|it| {
        let (label, seconds) = it.split_once('=').expect("a value");
        let seconds: f64 = seconds.strip_suffix('s').expect("a unit").parse().expect("a number");
        assert!(seconds.abs() < 10.0, "{line}");
        label
    });
    let labels: Vec<&str> = labels.collect();
    assert_eq!(labels, ["tcp-ipv4", "udp-ipv4", "offset", "uncertainty"]);
}

#[test]
fn a_plugin_has_status_1_for_a_wrong_reply_2_without_a_reply_and_3_without_a_check() {
    let wrong = Running::serve(&["--listen", "127.0.0.1", "--strftime", "noon|OK"]);
    let (status, line) = plugin(&mut check(&[&format!("127.0.0.1:{}", wrong.port())]));
    assert_eq!(status, Some(1), "{line}");
    mentions(&line, &["DAYTIME WARNING - syntax: ", "noon/OK", "1 failed"]);
    let tcp = Running::serve(&["--proto", "tcp"]);
    let (status, line) = plugin(&mut check(&["--timeout", "1", &tcp.tcp().to_string()]));
    assert_eq!(status, Some(2), "{line}");
    mentions(&line, &["DAYTIME CRITICAL - udp-ipv4: ", "ICMP", "|tcp-ipv4="]);
    let (status, line) = plugin(&mut check(&["no-such-host.invalid"]));
    assert_eq!((status, line.lines().count()), (Some(3), 1), "{line}");
    mentions(&line, &["DAYTIME UNKNOWN - ", "resolve", "no-such-host.invalid"]);
    assert_eq!(plugin(&mut check(&["--no-such-option"])).0, Some(3));
}

#[test]
fn the_status_is_1_also_when_the_output_has_no_reader() {
    let (closed, _holder) = closed_port();
    let mut command = check(&[&closed.to_string()]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("started");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("ended").code(), Some(1));
}

#[cfg(target_os = "linux")]
#[test]
fn a_plugin_that_cannot_print_has_status_3() {
    let server = Running::serve(&["--listen", "127.0.0.1"]);
    let mut command = check(&[&format!("127.0.0.1:{}", server.port()), "--nagios"]);
    let full = File::options().write(true).open("/dev/full").expect("a full device");
    let output = command.stdout(full).output().expect("it runs");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    mentions(&String::from_utf8_lossy(&output.stderr), &["standard output", "No space left"]);
}
