//! Tests how `daytime query` explains replies: their meaning, the offset of the local clock, and
//! the exit status.

use crate::query::{MEASURED, query, row};
use crate::support::wire::tcp_server;
use crate::support::{
    PATIENCE, Running, assert_screen, complains, good, mentions, run, stderr, stdout,
};
use serde_json::Value;
use std::io::Write;
use std::process::Stdio;
use std::sync::mpsc;

/// Returns the output for a reply, the exit status, and the text on standard error.
fn printed_for(reply: &'static str) -> (String, Option<i32>, String) {
    let host = tcp_server(move |mut stream| stream.write_all(reply.as_bytes()).expect("sent"));
    let output = run(&mut query(&[&host]));
    let errors = stderr(&output).replace(&host, "HOST");
    (stdout(&output), output.status.code(), errors)
}

/// Returns the number with this key in the printed object.
fn number(object: &Value, key: &str) -> f64 {
    object[key].as_f64().unwrap_or_else(|| panic!("no {key} in {object}"))
}

#[test]
fn a_server_on_this_host_agrees_with_the_local_clock() {
    let server = Running::serve(&[]);
    let host = server.tcp().to_string();
    for proto in ["tcp", "udp"] {
        let printed = good(&mut query(&["--proto", proto, &host]));
        mentions(&row(&printed, "offset"), &["agree"]);
        let object: Value =
            good(&mut query(&["--proto", proto, "--json", &host])).parse().expect("JSON");
        // The server drops the fraction of a second, so the local clock is up to one second ahead.
        let (ahead, round_trip) = (number(&object, "offset_us"), number(&object, "round_trip_us"));
        assert!((-round_trip..1e6 + round_trip).contains(&ahead), "{object}");
        let uncertainty = number(&object, "uncertainty_us");
        assert!((uncertainty - 1e6 - round_trip / 2.0).abs() < 1.0, "{object}");
        assert_eq!((&object["parsable"], &object["syntax"]), (&true.into(), &"rfc867".into()));
    }
}

#[test]
fn a_finer_syntax_claims_no_more_than_half_the_round_trip() {
    let server = Running::serve(&["--strftime", "%FT%T%.6fZ"]);
    let host = server.tcp().to_string();
    for proto in ["tcp", "udp"] {
        let object: Value =
            good(&mut query(&["--proto", proto, "--json", &host])).parse().expect("JSON");
        let half = number(&object, "round_trip_us") / 2.0;
        assert!((number(&object, "uncertainty_us") - half - 1.0).abs() < 0.1, "{object}");
        assert!(number(&object, "offset_us").abs() <= half + 1.0, "{object}");
    }
}

#[test]
fn a_clock_difference_is_reported_with_a_pointer_to_ntp() {
    for (reply, sign, verdict) in
        [("1982-02-22T17:37:43Z\r\n", "+", "ahead"), ("2099-02-22T17:37:43Z\r\n", "-", "behind")]
    {
        let (printed, status, errors) = printed_for(reply);
        assert_eq!((status, errors.as_str()), (Some(0), ""));
        let offset = row(&printed, "offset");
        mentions(&offset, &[&format!("offset  {sign}"), verdict, "NTP"]);
    }
}

#[test]
fn a_reply_without_an_instant_has_no_offset_and_is_not_an_error() {
    let (printed, status, _) = printed_for("Sun Nov 22 14:20:31 2026\r\n");
    assert_eq!(status, Some(0));
    mentions(&row(&printed, "offset"), &["unknown", "zone"]);
}

#[test]
fn an_unhealthy_server_makes_the_status_1_after_its_answer() {
    let (printed, status, errors) =
        printed_for("\n60482 24-06-21 12:00:07 50 0 2 640.9 UTC(NIST) * \n");
    assert_eq!(status, Some(1));
    assert_screen("query_unhealthy_server", &printed, &MEASURED);
    complains(&errors, &["HOST", "unhealthy", "H=2", "5 seconds"]);
}

#[test]
fn a_server_that_contradicts_itself_makes_the_status_1() {
    let (printed, status, errors) = printed_for("Tuesday, February 22, 1982 17:37:43-PST\r\n");
    assert_eq!(status, Some(1));
    mentions(&row(&printed, "note"), &["contradicts", "Tuesday"]);
    complains(&errors, &["HOST", "contradicts"]);
    let (_, status, errors) = printed_for("60336 24-01-15 22:30:45 50 0 0 895.5 UTC(NIST) *\r\n");
    assert_eq!(status, Some(1));
    complains(&errors, &["HOST", "Modified Julian Date"]);
    let (_, _, errors) = printed_for("60336 24-01-15 22:30:45 50 0 1 895.5 UTC(NIST) *\r\n");
    assert_eq!(errors.lines().count(), 2, "both faults are reported: {errors}");
}

#[test]
fn a_cut_reply_has_no_offset() {
    let server = Running::serve(&["--syntax", "rfc3339", "--zone", "+02:30"]);
    let host = server.udp().to_string();
    let output = run(&mut query(&["--proto", "udp", "--limit", "25", &host]));
    assert_eq!(output.status.code(), Some(1));
    let printed = stdout(&output);
    assert!(printed.contains("+02:30\n"), "all octets except the line end arrived: {printed}");
    mentions(&row(&printed, "offset"), &["unknown", "cut"]);
}

#[test]
fn words_instead_of_a_time_are_reported_as_a_possible_refusal() {
    let (printed, status, errors) = printed_for("Access denied\r\n");
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    assert!(printed.starts_with("Access denied\n"), "{printed}");
    mentions(&row(&printed, "means"), &["not a time"]);
    assert!(printed.contains("perhaps a"), "{printed}");
}

#[test]
fn a_fault_is_reported_even_if_the_output_has_no_reader() {
    for json in [&[][..], &["--json"]] {
        let (release, released) = mpsc::channel();
        let host = tcp_server(move |mut stream| {
            released.recv_timeout(PATIENCE).expect("the pipe is closed");
            let sick = b"60482 24-06-21 12:00:07 50 0 2 640.9 UTC(NIST) *\n";
            stream.write_all(sick).expect("sent");
        });
        let mut command = query(json);
        command.arg(host).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("started");
        drop(child.stdout.take());
        release.send(()).expect("the server waits");
        let output = child.wait_with_output().expect("ended");
        assert_eq!(output.status.code(), Some(1), "{json:?}");
        assert!(stderr(&output).contains("unhealthy (H=2)"), "{output:?}");
    }
}

#[test]
fn every_line_fits_80_columns() {
    let (printed, ..) = printed_for("\n60482 24-06-21 12:00:07 16 1 2 640.9 UTC(NIST) # \nmore\n");
    assert!(printed.lines().count() > 8, "{printed}");
    assert!(printed.lines().all(|line| line.chars().count() <= 80), "{printed}");
}
