//! `daytime lab`: its options, JSON, CSV and capture files, and that the same seed prints the same.

use crate::or_skip;
use crate::support::{bad, complains, daytime, good, mentions, program, run, skip, stderr, stdout};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

pub fn lab(arguments: &[&str]) -> Command {
    let mut command = daytime();
    command.arg("lab").args(arguments);
    command
}

/// Returns the labs of `lab list --json`.
pub fn labs() -> Vec<Value> {
    let all: Value = good(&mut lab(&["list", "--json"])).parse().expect("JSON");
    let labs = all["labs"].as_array().expect("labs").clone();
    assert!(!labs.is_empty(), "no labs");
    labs
}

pub fn name(lab: &Value) -> &str {
    lab["name"].as_str().expect("a name")
}

pub fn words(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|it| it.as_str().expect("a word")).collect()
}

/// Returns the names of the labs that run on an engine.
pub fn on(engine: &str) -> Vec<String> {
    let labs = labs();
    let has = labs.iter().filter(|lab| words(&lab["engines"]).contains(&engine));
    let names: Vec<String> = has.map(|lab| name(lab).to_owned()).collect();
    assert!(!names.is_empty(), "no lab runs on {engine}");
    names
}

#[test]
fn the_list_has_each_question_with_level_minutes_engines_and_options() {
    let screen = good(&mut lab(&["list"]));
    for lab in labs() {
        let keys: Vec<&String> = lab.as_object().expect("an object").keys().collect();
        assert_eq!(
            keys,
            [
                "name",
                "question",
                "level",
                "minutes",
                "engines",
                "options",
                "theory",
                "next",
                "questions"
            ]
        );
        let row = screen.lines().find(|line| line.starts_with(&format!("{} ", name(&lab))));
        let row = row.unwrap_or_else(|| panic!("no {} in {screen}", name(&lab)));
        let engines = words(&lab["engines"]).join(", ");
        assert!(row.contains(&format!("  {engines} ")), "{row}");
        let level = lab["level"].as_str().expect("a level");
        assert!(row.contains(&format!(" {level} ")), "{row}");
        let below = screen.lines().skip_while(|line| *line != row).nth(1).expect("a line");
        assert!(below.contains(&format!(" {} min", lab["minutes"])), "{row}\n{below}");
        let begin = lab["question"].as_str().expect("a question").split(' ').next();
        assert!(row.contains(begin.expect("a word")), "{row}");
        for engine in words(&lab["engines"]) {
            for (option, limits) in lab["options"][engine].as_object().expect("its options") {
                assert!(screen.contains(&format!("--{option}")), "{option}: {screen}");
                assert!(limits["from"].as_u64() < limits["to"].as_u64(), "{limits}");
            }
        }
    }
    assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
}

/// Asserts that this run is a usage error whose first line mentions these parts. Returns the whole message.
fn usage_error(arguments: &[&str], parts: &[&str]) -> String {
    let message = bad(2, lab(&["run"]).args(arguments));
    let first = message.lines().next().unwrap_or_default();
    assert!(first.starts_with("error: "), "{message}");
    mentions(first, parts);
    message
}

#[test]
fn an_unknown_name_is_a_usage_error_that_names_similar_ones() {
    let message = usage_error(&["exchnage"], &["'exchnage'", "'<NAME>...'"]);
    mentions(&message, &["similar", "'exchange'"]);
    for lab in labs() {
        assert!(message.contains(name(&lab)), "{message}");
    }
    mentions(&usage_error(&[], &["required"]), &["<NAME>"]);
}

#[test]
fn an_option_out_of_range_is_a_usage_error() {
    let dropped = ["loss ", "--drop", "from 1 to 4294967295", "on sim", "not 0"];
    usage_error(&["loss", "--drop", "2,0"], &dropped);
    let count = ["hold ", "--count", "from 0 to 16", "on loopback", "not 17"];
    usage_error(&["hold", "--count", "17"], &count);
    let percent = ["'-5'", "'--loss <PERCENT>'", "percentage", "from 0 to 100"];
    usage_error(&["loss", "--loss", "-5"], &percent);
}

#[test]
fn an_engine_or_option_that_a_lab_lacks_is_a_usage_error() {
    let engines = ["exchange ", "not", "on loopback", "sim and netns"];
    let message = usage_error(&["exchange", "--engine", "loopback"], &engines);
    mentions(&message, &["Usage: daytime lab run"]);
    let others = ["exchange ", "no --backlog", "--delay", "--backlog is for backlog"];
    usage_error(&["exchange", "--backlog", "3"], &others);
    usage_error(&["all", "--backlog", "3"], &["no --backlog"]);
    let engine = ["unread ", "no --count on netns", "--engine loopback"];
    usage_error(&["unread", "--engine", "netns", "--count", "3"], &engine);
    let message = usage_error(&["exchange", "--engine", "simulator"], &["'simulator'"]);
    mentions(&message, &["sim, loopback, netns"]);
}

#[test]
fn an_option_without_a_valid_value_is_a_usage_error() {
    for wrong in [
        ["--loss", "101"],
        ["--loss", "nan"],
        ["--duplicate", "-1"],
        ["--reorder", "a third"],
        ["--delay", "1h"],
        ["--drop", "2,x"],
        ["--count", "1.5"],
        ["--buffer", "-1"],
        ["--backlog", "65536"],
        ["--seed", "x"],
    ] {
        let [option, value] = wrong;
        let (_, bad) = value.rsplit_once(',').unwrap_or(("", value));
        let named = [format!("'{option} <"), format!("'{bad}'")];
        usage_error(&["loss", &format!("{option}={value}")], &named.each_ref().map(|it| &**it));
    }
    usage_error(&["loss", "--json", "--csv"], &["'--json'", "cannot be used", "'--csv'"]);
}

#[test]
fn json_has_predictions_observations_and_traces() {
    for name in on("sim") {
        let text = good(&mut lab(&["run", &name, "--engine", "sim", "--json"]));
        let all: Value = text.parse().expect("JSON");
        let run = &all["runs"][0];
        assert_eq!(all["runs"].as_array().map(Vec::len), Some(1));
        assert_eq!((&run["lab"], &run["engine"]), (&name.as_str().into(), &"sim".into()));
        let seed = if name == "loss" { 867.into() } else { Value::Null };
        assert_eq!((&run["seed"], &run["good"]), (&seed, &true.into()), "{run:#}");
        assert_eq!((&run["system"], &run["obstacle"]), (&Value::Null, &Value::Null));
        let findings = run["findings"].as_array().expect("findings");
        assert!(!findings.is_empty(), "{name}");
        for finding in findings {
            assert_eq!(finding["verdict"], "as predicted", "{finding:#}");
            let predicted = &finding["predicted"];
            let has_value = predicted["is"].is_object() || predicted["from"].is_object();
            assert!(has_value && predicted["in_words"].is_string(), "{finding:#}");
            assert!(finding["observed"]["in_words"].is_string(), "{finding:#}");
        }
        let parts = run["parts"].as_array().expect("parts");
        let events = parts.iter().flat_map(|part| part["events"].as_array().expect("events"));
        let packets: Vec<&Value> = events.filter(|event| event["octets_hex"].is_string()).collect();
        assert!(!packets.is_empty(), "{name} shows no packets");
        for packet in packets {
            assert!(packet["packet"].is_string() && packet["fate"].is_string(), "{packet:#}");
            assert!(packet["at_ns"].is_u64(), "{packet:#}");
        }
    }
}

#[test]
fn without_a_formula_the_table_says_observe_and_the_run_is_good() {
    let options = ["run", "loss", "--loss", "70", "--duplicate", "30", "--drop", "2,5"];
    let screen = good(lab(&options).args(["--count", "50"]));
    let row = |name: &str| {
        let rows = screen.lines().filter(|line| line.starts_with(&format!("  {name} ")));
        rows.map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    for name in ["clients without a reply", "replies with retries"] {
        let rows = row(name);
        assert_eq!(rows.len(), 1, "one row of the table: {screen}");
        assert!(rows[0].starts_with(&format!("{name} observe ")), "{rows:?}");
        assert!(rows[0].ends_with(" observed"), "{rows:?}");
    }
    let csv = good(lab(&options).args(["--count", "50", "--csv"]));
    assert!(csv.contains(",clients without a reply,observe,"), "{csv}");
    assert_eq!(csv.matches(",differs").count(), 0, "{csv}");
}

#[test]
fn csv_has_a_line_for_each_finding() {
    let name = &on("sim")[0];
    let run = |form: &str| good(&mut lab(&["run", name, "--engine", "sim", form]));
    let lines = run("--csv");
    let all: Value = run("--json").parse().expect("JSON");
    let findings = all["runs"][0]["findings"].as_array().expect("findings").len();
    let mut lines = lines.lines();
    let head = lines.next().expect("a head");
    assert!(
        head.starts_with("lab,engine,seed,options,transport,what,theory predicts,observed,"),
        "{head}"
    );
    let rows: Vec<&str> = lines.collect();
    assert_eq!(rows.len(), findings);
    assert!(rows.iter().all(|row| row.starts_with(&format!("{name},sim,,,"))), "{rows:?}");
}

#[test]
fn the_same_seed_gives_the_same_octets() {
    for name in on("sim") {
        let run = |more: &[&str]| good(lab(&["run", &name, "--engine", "sim"]).args(more));
        for more in [&["--explain"][..], &["--json"], &["--csv"], &["--json", "--seed", "3"]] {
            assert_eq!(run(more), run(more), "{name} {more:?}");
        }
        let captured = || {
            let folder = TempDir::new().expect("a temporary folder");
            run(&["--pcapng", &folder.path().to_string_lossy()]);
            files(folder.path())
        };
        let (once, twice) = (captured(), captured());
        assert!(!once.is_empty(), "{name} wrote no capture");
        assert_eq!(once, twice, "{name}");
    }
}

#[test]
fn wireshark_reads_the_capture_files_with_the_fate_of_each_packet_and_right_checksums() {
    let tshark = or_skip!(program("tshark"));
    let folder = TempDir::new().expect("a temporary folder");
    let into = folder.path().to_string_lossy().into_owned();
    let real = run(&mut lab(&["run", "exchange", "--engine", "netns", "--pcapng", &into]));
    if !real.status.success() {
        skip(&format!("the files of netns: {}", stdout(&real)));
    }
    for name in ["exchange", "loss"] {
        good(&mut lab(&["run", name, "--engine", "sim", "--pcapng", &into]));
    }
    let (mut packets, mut answers, mut lost) = (0, 0, 0);
    for file in files(folder.path()).keys().filter(|name| name.ends_with(".pcapng")) {
        let mut command = Command::new(&tshark);
        // Without the preferences of the user.
        command.env("HOME", folder.path()).env_remove("XDG_CONFIG_HOME");
        command.args(["-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-r"]);
        command.arg(folder.path().join(file)).args(["-T", "fields", "-e", "frame.comment"]);
        command.args(["-e", "_ws.col.Protocol", "-e", "tcp.checksum.status"]);
        command.args(["-e", "udp.checksum.status", "-e", "_ws.malformed"]);
        let output = run(&mut command);
        assert!(output.status.success(), "{file}: {}", stderr(&output));
        for line in stdout(&output).lines() {
            let [fate, protocol, tcp, udp, malformed] = line.split('\t').collect::<Vec<_>>()[..]
            else {
                panic!("{file}: {line}")
            };
            assert!(["1", ""].contains(&tcp) && ["1", ""].contains(&udp), "{file}: {line}");
            assert!(format!("{tcp}{udp}") == "1" && malformed.is_empty(), "{file}: {line}");
            assert!(!fate.is_empty(), "{file}: {line}");
            packets += 1;
            answers += u32::from(protocol == "DAYTIME");
            lost += u32::from(fate.starts_with("lost"));
        }
    }
    assert!(packets >= 40 && answers >= 8 && lost >= 3, "{packets} {answers} {lost}");
}

#[test]
fn each_host_has_a_capture_file() {
    let folder = TempDir::new().expect("a temporary folder");
    let below = folder.path().join("made/for/it");
    let screen = good(lab(&["run", "exchange", "--pcapng"]).arg(&below));
    let files = files(&below);
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    let expected = ["tcp-client", "tcp-server", "udp-client", "udp-server"]
        .map(|it| format!("exchange-sim-{it}.pcapng"));
    assert_eq!(names, expected);
    let (_, captured) = screen.split_once("\nCAPTURED\n").expect("what was captured");
    assert_eq!(captured.lines().count(), 4, "{screen}");
    for (name, octets) in &files {
        assert_eq!(octets[..4], [0x0a, 0x0d, 0x0d, 0x0a], "{name}: a section header block");
        assert!(captured.contains(name), "{screen}");
    }
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("a folder");
    let file = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, fs::read(path).expect("readable"))
    };
    entries.map(file).collect()
}

#[test]
fn captures_that_cannot_be_written_are_reported_before_anything_runs() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("written");
    let message = bad(1, lab(&["run", "exchange", "--pcapng"]).arg(&file));
    complains(&message, &["cannot create", "directory", &format!(" {}: ", file.display())]);
}

#[test]
fn without_a_reader_a_run_ends_without_output() {
    for form in [&[][..], &["--json"], &["--csv"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = lab(&["run", "exchange", "loss"]);
        let child =
            command.args(form).stdout(writer).stderr(Stdio::piped()).spawn().expect("started");
        drop(command); // closes the writing end of the pipe in this process
        let output = child.wait_with_output().expect("ended");
        assert_eq!((stderr(&output).as_str(), output.status.code()), ("", Some(0)), "{form:?}");
    }
}

#[test]
fn several_runs_end_with_a_summary() {
    let screen = good(&mut lab(&["run", "exchange", "loss", "--engine", "sim"]));
    let (_, summary) = screen.split_once("\nSUMMARY\n").expect("a summary");
    for name in ["exchange", "loss"] {
        let row = summary.lines().find(|line| line.starts_with(&format!("  {name} ")));
        assert!(row.is_some_and(|row| row.ends_with("  as predicted")), "{summary}");
    }
    let verdicts = summary.lines().rfind(|line| line.contains("2 as predicted"));
    mentions(
        verdicts.unwrap_or(summary),
        &["2 as predicted", " 0 not", " 0 failed", " 0 cannot run"],
    );
}
