//! `daytime check` finds each fault of a scripted server, and reports no other fault.

use crate::or_skip;
use crate::support::scripted::{
    Scripted, answer_every_port, answer_only_empty, answer_twice, lose_every_second, now,
    reply_and_close, reply_and_wait,
};
use crate::support::{daytime, mentions, run, stderr, stdout};
use serde_json::Value;

/// Runs `check --json` on a server. Returns the JSON and the exit status.
fn checked(server: Scripted) -> (Value, Option<i32>) {
    let output = run(daytime().args(["check", "--timeout", "1", "--json", &server.start()]));
    assert_eq!(stderr(&output), "");
    (stdout(&output).parse().expect("JSON"), output.status.code())
}

/// Returns the names of the probes with this verdict.
fn with<'a>(verdict: &str, checked: &'a Value) -> Vec<&'a str> {
    let probes = checked["probes"].as_array().expect("probes");
    assert_eq!(probes.len(), 22);
    let with = probes.iter().filter(|probe| probe["verdict"] == verdict);
    with.map(|probe| probe["probe"].as_str().expect("a name")).collect()
}

/// Asserts that exactly these probes fail, and that the reason of the first has these parts.
fn assert_fails(server: Scripted, expected: &[&str], reason: &[&str]) {
    let (checked, status) = checked(server);
    assert_eq!(with("fail", &checked), expected, "{checked:#}");
    assert_eq!(status, Some(i32::from(!expected.is_empty())));
    let Some(first) = expected.first() else { return };
    mentions(said(&checked, first), reason);
}

fn said<'a>(checked: &'a Value, name: &str) -> &'a str {
    let probes = checked["probes"].as_array().expect("probes");
    let probe = probes.iter().find(|probe| probe["probe"] == name).expect("the probe");
    probe["reason"].as_str().expect("a reason")
}

#[test]
fn a_good_scripted_server_fails_no_probe() {
    assert_fails(Scripted::default(), &[], &[]);
}

#[test]
fn a_server_that_resets_a_client_that_sends_first_is_found_20_times_of_20() {
    let server = Scripted { tcp: reply_and_close, ..Scripted::default() }.start();
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let mut check = daytime();
            let check = check.args(["check", "--json", &server]);
            check.stdout(std::process::Stdio::piped()).spawn().expect("started")
        })
        .collect();
    for child in asking {
        let output = child.wait_with_output().expect("ended");
        let checked: Value = stdout(&output).parse().expect("JSON");
        assert_eq!(with("fail", &checked), ["tcp-crlf-first", "tcp-64k-first"], "{checked:#}");
        mentions(said(&checked, "tcp-crlf-first"), &["reset"]);
    }
}

#[test]
fn a_server_that_does_not_close_is_found_on_each_connection() {
    let server = Scripted { tcp: reply_and_wait, ..Scripted::default() };
    let expected = ["tcp-closes", "tcp-crlf-first", "tcp-64k-first"];
    assert_fails(server, &expected, &["22 octets", "stream", " 1 s"]);
}

#[test]
fn a_server_that_answers_twice_is_found_with_each_datagram() {
    let server = Scripted { udp: answer_twice, ..Scripted::default() };
    let expected = ["udp-empty", "udp-one-octet", "udp-1400-octets", "amplification"];
    assert_fails(server, &expected, &["2 datagrams", "once"]);
}

#[test]
fn a_server_that_reads_the_content_of_a_datagram_is_found() {
    let server = Scripted { udp: answer_only_empty, ..Scripted::default() };
    assert_fails(server, &["udp-one-octet", "udp-1400-octets"], &["twice"]);
}

#[test]
fn a_lost_datagram_is_sent_again_and_fails_no_probe() {
    let (checked, status) = checked(Scripted { udp: lose_every_second, ..Scripted::default() });
    assert_eq!((with("fail", &checked), status), (vec![], Some(0)), "{checked:#}");
    mentions(said(&checked, "udp-one-octet"), &["1 datagram ", "22 octets", "twice"]);
}

#[test]
fn a_server_that_answers_its_own_port_number_is_found() {
    let (checked, status) = checked(Scripted { udp: answer_every_port, ..Scripted::default() });
    assert_eq!(status, Some(1));
    assert!(with("fail", &checked).contains(&"udp-own-port"), "{checked:#}");
}

#[test]
fn a_server_that_answers_privileged_ports_is_found_if_the_test_may_bind_one() {
    let (checked, _) = checked(Scripted { udp: answer_every_port, ..Scripted::default() });
    let untried = with("not-tried", &checked).contains(&"udp-privileged-port");
    or_skip!(if untried { Err(said(&checked, "udp-privileged-port").to_owned()) } else { Ok(()) });
    assert_eq!(with("fail", &checked), ["udp-privileged-port", "udp-own-port"]);
    let reason = said(&checked, "udp-privileged-port");
    assert!(reason.contains("port 10"), "a port below 1024: {reason}");
}

#[test]
fn a_second_line_is_found() {
    let reply = || [&now()[..], b"up 3 days\r\n"].concat();
    assert_fails(saying(reply), &["one-line"], &["line", "\"\\r\\nup 3 days\\r\\n\""]);
}

#[test]
fn binary_octets_after_the_line_are_found_and_escaped() {
    let reply = || [&now()[..], b"\0\0\x1b[2Jpassword"].concat();
    let leak = ["16 octets", "\"\\r\\n\\0\\0\\x1b[2Jpassword\""];
    assert_fails(saying(reply), &["no-leak"], &leak);
}

#[test]
fn an_octet_that_is_not_printable_ascii_is_found_with_its_position() {
    let reply = || [now().trim_ascii_end(), " \u{9b}2J\r\n".as_bytes()].concat();
    assert_fails(saying(reply), &["printable-ascii"], &["octet 22 ", "\\xc2"]);
}

#[test]
fn a_reply_of_more_than_512_octets_is_found() {
    let reply = || [now().trim_ascii_end(), &[b' '; 600][..], b"\r\n"].concat();
    assert_fails(saying(reply), &["amplification", "length"], &["512 octets"]);
}

#[test]
fn a_server_that_reports_itself_unhealthy_is_found() {
    let sick = || b"60482 24-06-21 12:00:07 50 0 2 640.9 UTC(NIST) *\n".to_vec();
    assert_fails(saying(sick), &["health", "clock"], &["TCP", "unhealthy", "H=2"]);
}

#[test]
fn a_wrong_clock_is_found() {
    let late = || b"2019-11-22T14:20:31Z\r\n".to_vec();
    assert_fails(saying(late), &["clock"], &[" s ahead", "±"]);
}

#[test]
fn a_reply_without_a_time_is_found() {
    let words = || b"Access denied\r\n".to_vec();
    assert_fails(saying(words), &["syntax"], &["TCP", "not a time"]);
}

#[test]
fn another_syntax_over_udp_is_found() {
    let udp_reply: fn() -> Vec<u8> = || b"Sun Nov 22 14:20:31 2026\r\n".to_vec();
    let server = Scripted { udp_reply: Some(udp_reply), ..Scripted::default() };
    assert_fails(server, &["same-syntax"], &["rfc3339 over TCP", "ctime over UDP"]);
}

#[test]
fn an_empty_reply_is_found_and_leaves_other_probes_untried() {
    let (checked, status) = checked(saying(Vec::new));
    assert_eq!(status, Some(1));
    assert_eq!(with("fail", &checked), ["tcp-ipv4", "udp-ipv4"], "{checked:#}");
    mentions(said(&checked, "tcp-ipv4"), &["empty reply"]);
    assert_eq!(with("pass", &checked), ["tcp-closes"]);
}

fn saying(reply: fn() -> Vec<u8>) -> Scripted {
    Scripted { reply, ..Scripted::default() }
}
