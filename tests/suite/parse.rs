//! Tests the output of `daytime parse` for saved replies.

use crate::support::{assert_screen, bad, complains, daytime, good, mentions, run, stderr, stdout};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, Write};
use std::process::{Command, Stdio};
use tempfile::{NamedTempFile, tempfile};

/// Returns a `daytime parse` with these octets on standard input.
fn parse(arguments: &[&str], input: &[u8]) -> Command {
    let mut file: File = tempfile().expect("a file");
    file.write_all(input).expect("written");
    file.rewind().expect("rewound");
    let mut command = daytime();
    command.arg("parse").args(arguments).stdin(file);
    command
}

fn objects(printed: &str) -> Vec<Value> {
    printed.lines().map(|line| line.parse().expect("JSON")).collect()
}

#[test]
fn a_reply_is_explained_in_words() {
    let rfc = "Tuesday, February 22, 1982 17:37:43-PST\r\n";
    assert_screen("parse_reply", &good(&mut parse(&[], rfc.as_bytes())), &[]);
}

#[test]
fn an_error_is_reported_even_if_the_output_has_no_reader() {
    for json in [&[][..], &["--json"]] {
        let mut command = daytime();
        command.arg("parse").args(json).stdin(Stdio::piped());
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
        drop(child.stdout.take());
        let mut input = child.stdin.take().expect("piped");
        input.write_all(b"rubbish\n").expect("written");
        drop(input);
        let output = child.wait_with_output().expect("ended");
        assert_eq!(output.status.code(), Some(1), "{json:?}");
        assert!(stderr(&output).contains("not a time"), "{output:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_reported_as_json_too() {
    let output = run(daytime().args(["parse", "--json", "/"]));
    assert_eq!(output.status.code(), Some(1));
    let [object] = &objects(&stdout(&output))[..] else { panic!("{output:?}") };
    complains(&stderr(&output), &[" /", "Is a directory"]);
    let error = object["error"].as_str().expect("an error");
    assert_eq!(stderr(&output), format!("daytime: {error}\n"));
}

#[test]
fn a_file_and_standard_input_are_read_alike() {
    let mut file = NamedTempFile::new().expect("a file");
    file.write_all(b"\n60966 25-10-18 07:09:27 16 0 0 621.4 UTC(NIST) * \n").expect("written");
    let path = file.path().to_str().expect("UTF-8");
    assert_eq!(good(&mut parse(&["-q", path], b"")), "2025-10-18T07:09:27Z\n");
    assert_eq!(good(&mut parse(&["-q", "-"], b"2024-07-03T14:05:11Z")), "2024-07-03T14:05:11Z\n");
}

#[test]
fn json_has_every_value_of_the_reply() {
    let reply = b"\n60482 24-06-21 12:00:07 50 1 2 640.9 UTC(NIST) * \n";
    let printed = good(&mut parse(&["--json"], reply));
    let expected = json!({
        "reply": "60482 24-06-21 12:00:07 50 1 2 640.9 UTC(NIST) * ",
        "parsable": true,
        "syntax": "nist",
        "utc": "2024-06-21T12:00:07Z",
        "naive": "2024-06-21T12:00:07",
        "fraction_ns": null,
        "resolution_ns": 1_000_000_000,
        "zone_given": true,
        "zone": "UTC(NIST)",
        "flags": ["leap-warning:+1", "unhealthy:2"],
        "code": {
            "mjd": 60_482, "tt": 50, "l": 1, "h": 2, "dut1_s": null, "advance_ms": 640.9,
            "marker": "*",
        },
        "error": null,
    });
    assert_eq!(objects(&printed), [expected]);
}

#[test]
fn json_lists_the_readings_of_an_ambiguous_date_only() {
    let lines = b"16:05:11 5.3.2009\n2024-07-03 16:05:11.250\n";
    let objects = objects(&good(&mut parse(&["--lines", "--json"], lines)));
    assert_eq!(objects.len(), 2);
    let both = json!(["2009-03-05T16:05:11", "2009-05-03T16:05:11"]);
    assert_eq!((&objects[0]["ambiguous"], &objects[0]["naive"]), (&both, &Value::Null));
    assert_eq!(objects[1].get("ambiguous"), None);
    assert_eq!(objects[1]["naive"], "2024-07-03T16:05:11");
    assert_eq!(objects[1]["fraction_ns"], 250_000_000);
    assert_eq!((&objects[0]["line"], &objects[1]["line"]), (&json!(1), &json!(2)));
    let leap = good(&mut parse(&["--json"], b"2016-12-31T23:59:60.5Z"));
    let leap: Value = leap.parse().expect("JSON");
    assert_eq!(
        (&leap["utc"], &leap["fraction_ns"]),
        (&json!("2016-12-31T23:59:60Z"), &json!(500_000_000))
    );
}

#[test]
fn one_reply_without_a_time_makes_the_status_1_and_the_others_are_read() {
    let lines = b"Mon Jul 28 11:56:22 2003\r\nAccess denied\r\n\nnoon\n02 FEB 82 07:59:01 PST";
    let output = run(&mut parse(&["--lines", "-q"], lines));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "2003-07-28T11:56:22\n1982-02-02T15:59:01Z\n");
    let errors = stderr(&output);
    let [denied, noon] = errors.lines().collect::<Vec<_>>()[..] else { panic!("{errors}") };
    mentions(denied, &["daytime: line 2: ", "not a time", "refusal"]);
    mentions(noon, &["daytime: line 4: ", "not a time", "\"noon\"", "octet 1"]);
    assert!(!noon.contains("refusal"), "{noon}");
    let output = run(&mut parse(&["--lines", "--json"], lines));
    let objects = objects(&stdout(&output));
    assert_eq!(objects.len(), 4);
    let parsable: Vec<_> = objects.iter().map(|object| &object["parsable"]).collect();
    assert_eq!(parsable, [true, false, false, true]);
    let lines: Vec<_> = objects.iter().map(|object| &object["line"]).collect();
    assert_eq!(lines, [1, 2, 4, 5], "a blank line is skipped, but counted");
    mentions(objects[1]["error"].as_str().expect("text"), &["\"Access denied\"", "octet 1"]);
    assert_eq!(objects[1]["utc"], Value::Null);
    assert_eq!(objects[1]["flags"], json!(["looks-like-refusal"]));
}

#[test]
fn a_file_that_cannot_be_read_is_reported_with_its_name() {
    let message = bad(1, &mut parse(&["/no/such/file"], b""));
    complains(&message, &["/no/such/file", "No such file"]);
    let message = bad(1, &mut parse(&["/"], b""));
    complains(&message, &[" /", "Is a directory"]);
}

#[test]
fn a_reply_of_64_kib_is_read_and_a_longer_one_refused() {
    let mut reply = b"2024-07-03T14:05:11Z\r\n".to_vec();
    reply.resize(65_536, 0);
    assert_eq!(good(&mut parse(&["-q"], &reply)), "2024-07-03T14:05:11Z\n");
    reply.push(0);
    let message = bad(1, &mut parse(&["-q"], &reply));
    complains(&message, &["longer", "65536 octets", "--lines"]);
}

#[test]
fn a_line_that_is_too_long_is_skipped_and_the_next_one_read() {
    for extra in [1, 2, 100_000] {
        let mut lines = vec![b'A'; 65_535 + extra];
        lines.extend(b"\n2024-07-03T14:05:11Z\n");
        let output = run(&mut parse(&["--lines", "--json"], &lines));
        assert_eq!(output.status.code(), Some(1));
        let objects = objects(&stdout(&output));
        assert_eq!(objects.len(), 2, "{extra}");
        assert_eq!(objects[0]["parsable"], false);
        mentions(objects[0]["error"].as_str().expect("text"), &["longer", "65536 octets"]);
        let keys =
            |object: &Value| object.as_object().expect("an object").keys().cloned().collect();
        let (one, other): (Vec<String>, Vec<String>) = (keys(&objects[0]), keys(&objects[1]));
        assert_eq!(one, other, "the keys are always there");
        assert_eq!((&objects[1]["line"], &objects[1]["parsable"]), (&json!(2), &json!(true)));
    }
}

#[test]
fn an_output_without_a_reader_does_not_hide_a_failure() {
    let mut lines = b"noon\n".to_vec();
    lines.extend(b"2024-07-03T14:05:11Z\n".repeat(10_000));
    let mut command = parse(&["--lines"], &lines);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut child = command.stdout(writer).stderr(Stdio::null()).spawn().expect("it starts");
    command.stdout(Stdio::null()); // closes the test's end of the pipe
    let mut first = String::new();
    BufReader::new(reader).read_line(&mut first).expect("readable"); // and closes the pipe
    assert_eq!((first.as_str(), child.wait().expect("ended").code()), ("noon\n", Some(1)));
}

#[test]
fn a_file_of_several_replies_gets_a_hint_for_lines() {
    let output = run(&mut parse(&["-q"], b"2024-07-03T14:05:11Z\n2024-07-03T14:05:12Z\n"));
    assert_eq!(
        (output.status.code(), stdout(&output).as_str()),
        (Some(0), "2024-07-03T14:05:11Z\n")
    );
    complains(&stderr(&output), &["first line", "--lines"]);
}

#[test]
fn a_long_line_is_cut_on_the_screen_but_not_in_json() {
    let reply = [&b"2024-07-03T14:05:11Z "[..], &b"x".repeat(400)].concat();
    let printed = good(&mut parse(&[], &reply));
    let first = printed.lines().next().expect("a line");
    assert_eq!((first.chars().count(), first.chars().last()), (241, Some('…')));
    let object = &objects(&good(&mut parse(&["--json"], &reply)))[0];
    assert_eq!(object["reply"].as_str().expect("text").len(), 421);
    assert_eq!(object["flags"], json!(["trailing-garbage"]));
}

#[test]
fn terminal_escapes_in_a_file_never_reach_the_terminal() {
    let hostile = b"\x1b[2J\x9b31mWed Jul  3 16:05:11 2024\x07\r\n\x00\xff";
    let output = run(&mut parse(&[], hostile));
    assert_eq!(output.status.code(), Some(1));
    for text in [stdout(&output), stderr(&output)] {
        assert!(
            text.bytes().all(|octet| octet == b'\n' || (b' '..=b'~').contains(&octet)),
            "{text}"
        );
    }
}

#[test]
fn empty_input_is_an_empty_reply_without_lines_and_nothing_with_lines() {
    let message = run(&mut parse(&[], b""));
    assert_eq!((message.status.code(), stdout(&message).as_str()), (Some(1), "\n"));
    complains(&stderr(&message), &["not a time", "empty"]);
    assert_eq!(good(&mut parse(&["--lines"], b"")), "");
}

#[test]
fn a_reply_without_a_time_has_one_reason() {
    for (reply, reason) in [
        (&b"Access denied\r\n"[..], "perhaps a refusal"),
        (b"\xea0/\x97", "RFC 868"),
        (b"\x01\x02\xff\xfe\x03", "binary"),
        (b"Mon Nov 23 12:00", "the end of the line at octet 17"),
    ] {
        let output = run(&mut parse(&[], reply));
        let message = stderr(&output);
        assert!(message.contains(reason), "{reason}: {message}");
        let reasons = ["refusal", "expected", "binary", "RFC 868", "in the middle"];
        let count = reasons.iter().filter(|it| message.contains(**it)).count();
        assert_eq!(count, 1, "{message}");
    }
}
