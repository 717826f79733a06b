//! Drawings and tables for terminals without Unicode, and drawings as a list for a screen reader.

use crate::support::{bad, daytime, good, mentions};
use std::process::Command;
use tempfile::TempDir;

fn lab(arguments: &[&str]) -> Command {
    let mut command = daytime();
    command.args(["lab", "run"]).args(arguments).env("LC_ALL", "C.UTF-8");
    command
}

#[test]
fn the_locale_c_and_the_option_draw_in_ascii_in_the_same_columns() {
    let unicode = good(&mut lab(&["loss"]));
    let ascii = good(&mut lab(&["loss", "--ascii"]));
    assert!(ascii.is_ascii() && !unicode.is_ascii(), "{ascii}");
    assert_eq!(ascii, good(lab(&["loss"]).env("LC_ALL", "C")));
    assert_eq!(ascii, good(lab(&["loss"]).env("LC_ALL", "").env("LC_CTYPE", "POSIX")));
    assert!(ascii.contains("\n    0.0 |-- SYN --------"), "{ascii}");
    assert!(ascii.contains("X lost on purpose     |\n"), "{ascii}");
    let columns = |screen: &str, axis: char| -> Vec<Vec<usize>> {
        let of = |line: &str| {
            line.chars().enumerate().filter(|(_, it)| *it == axis).map(|(at, _)| at).collect()
        };
        screen.lines().map(of).collect()
    };
    assert_eq!(columns(&ascii, '|'), columns(&unicode, '│'));
}

#[test]
fn theory_and_answers_are_ascii_too() {
    for name in ["exchange", "loss", "silent", "stale", "loop"] {
        let screen = good(&mut lab(&[name, "--explain", "--answers", "--ascii"]));
        let other = screen.lines().find(|line| !line.is_ascii());
        assert_eq!(other, None, "{name}");
        assert!(screen.contains("\nTRY NEXT\n"), "{screen}");
    }
}

#[test]
fn tables_are_ascii_too() {
    for arguments in [&["compare", "--count", "2"][..], &["lab", "list"], &["lab", "run", "notes"]]
    {
        let screen = good(daytime().args(arguments).env("LC_ALL", "C"));
        assert!(screen.is_ascii(), "{screen}");
    }
}

#[test]
fn json_is_the_same_in_every_locale() {
    let unicode = good(&mut lab(&["loop", "--json"]));
    assert_eq!(unicode, good(lab(&["loop", "--json"]).env("LC_ALL", "C")));
    let list = |locale: &str| good(daytime().args(["lab", "list", "--json"]).env("LC_ALL", locale));
    let unicode = list("C.UTF-8");
    assert!(!unicode.is_ascii(), "{unicode}");
    assert_eq!(unicode, list("C"));
}

#[test]
fn with_text_a_lab_lists_packets_and_calls_as_sentences() {
    let screen = good(&mut lab(&["loss", "--text"]));
    let (_, list) = screen.split_once("\nHosts: ").expect("a list");
    for (line, parts) in list.lines().zip([
        &["client 10.0.0.1", "server 10.0.0.2"][..],
        &["1. 0.0 ms, client: ", "connect() = "],
        &["2. 0.0 ms, client: ", "SYN to server", "lost on purpose"],
        &["3. 1000.0 ms, client: ", "retransmits", "SYN to server", "at 1020.0 ms"],
    ]) {
        mentions(line, parts);
    }
    assert!(list.lines().count() > 5, "{screen}");
    assert!(!screen.contains('│'), "{screen}");
    for format in ["--json", "--csv"] {
        let message = bad(2, &mut lab(&["loss", "--text", format]));
        mentions(&message, &["'--text'", "cannot be used", &format!("'{format}'")]);
    }
}

#[test]
fn with_text_wire_lists_the_packets_of_each_exchange() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().to_str().expect("a path");
    good(&mut lab(&["exchange", "--pcapng", path]));
    let file = folder.path().join("exchange-sim-udp-client.pcapng");
    let screen = good(daytime().args(["wire", "--text", "--read"]).arg(file));
    let lines: Vec<&str> = screen.lines().collect();
    assert_eq!(lines[1], "Hosts: client, server", "{screen}");
    mentions(lines[2], &["1. 0.0 ms, client: ", "sends", "empty datagram", "to server"]);
    mentions(lines[3], &["2. ", ", server: ", "sends", "40 octets", "to client"]);
}
