//! `daytime lab`: what it takes, what it prints, and that the same seed prints the same.

use crate::or_skip;
use crate::support::{
    assert_fits_80_columns, bad, daytime, good, on_terminal, program, run, skip, stderr, stdout,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

fn lab(arguments: &[&str]) -> Command {
    let mut command = daytime();
    command.arg("lab").args(arguments);
    command
}

/// What `lab list --json` says of each.
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

/// The names of those that run on an engine.
fn on(engine: &str) -> Vec<String> {
    let labs = labs();
    let has = labs.iter().filter(|lab| words(&lab["engines"]).contains(&engine));
    let names: Vec<String> = has.map(|lab| name(lab).to_owned()).collect();
    assert!(!names.is_empty(), "no lab runs on {engine}");
    names
}

#[test]
fn the_list_has_each_question_with_engines_and_options() {
    let screen = good(&mut lab(&["list"]));
    for lab in labs() {
        let keys: Vec<&String> = lab.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["name", "question", "engines", "options", "theory", "next"]);
        let row = screen.lines().find(|line| line.starts_with(&format!("{} ", name(&lab))));
        let row = row.unwrap_or_else(|| panic!("no {} in {screen}", name(&lab)));
        let engines = words(&lab["engines"]).join(", ");
        assert!(row.contains(&format!("  {engines} ")), "{row}");
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

#[test]
fn an_unknown_name_is_a_usage_error_that_names_similar_ones() {
    let told = bad(2, &mut lab(&["run", "exchnage"]));
    assert!(told.contains("invalid value 'exchnage' for '<NAME>...'"), "{told}");
    assert!(told.contains("a similar value exists: 'exchange'"), "{told}");
    for lab in labs() {
        assert!(told.contains(name(&lab)), "{told}");
    }
    let told = bad(2, &mut lab(&["run"]));
    assert!(told.contains("required arguments were not provided"), "{told}");
}

#[test]
fn an_option_that_is_out_of_range_is_a_matter_of_usage() {
    let told = bad(2, &mut lab(&["run", "loss", "--drop", "2,0"]));
    assert!(told.contains("loss takes --drop from 1 to 4294967295 on sim, not 0"), "{told}");
    let told = bad(2, &mut lab(&["run", "hold", "--count", "17"]));
    let expected = "error: hold takes --count from 0 to 16 on loopback, not 17\n";
    assert!(told.starts_with(expected), "{told}");
    let told = bad(2, &mut lab(&["run", "loss", "--loss", "-5"]));
    assert!(told.contains("'--loss <PERCENT>': not a percentage from 0 to 100"), "{told}");
}

#[test]
fn an_engine_or_an_option_that_a_lab_has_not_is_a_matter_of_usage() {
    let told = bad(2, &mut lab(&["run", "exchange", "--engine", "loopback"]));
    let expected = "error: exchange does not run on loopback: it has sim and netns\n";
    assert!(told.starts_with(expected), "{told}");
    assert!(told.contains("Usage: daytime lab run"), "{told}");
    let told = bad(2, &mut lab(&["run", "exchange", "--backlog", "3"]));
    assert!(told.starts_with("error: exchange has no --backlog: it has "), "{told}");
    assert!(told.contains("; --backlog is for backlog\n"), "{told}");
    let told = bad(2, &mut lab(&["run", "all", "--backlog", "3"]));
    assert!(told.contains(" has no --backlog: "), "{told}");
    let told = bad(2, &mut lab(&["run", "unread", "--engine", "netns", "--count", "3"]));
    let expected = "error: unread has no --count on netns: it is for --engine loopback\n";
    assert!(told.starts_with(expected), "{told}");
    let told = bad(2, &mut lab(&["run", "exchange", "--engine", "simulator"]));
    assert!(told.contains("[possible values: sim, loopback, netns]"), "{told}");
}

#[test]
fn an_option_that_cannot_be_is_a_matter_of_usage() {
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
        let told = bad(2, lab(&["run", "loss"]).arg(format!("{}={}", wrong[0], wrong[1])));
        assert!(told.starts_with("error: invalid value '"), "{wrong:?}: {told}");
        assert!(told.contains(wrong[0]), "{wrong:?}: {told}");
    }
    let told = bad(2, &mut lab(&["run", "loss", "--json", "--csv"]));
    assert!(told.contains("cannot be used with"), "{told}");
}

#[test]
fn a_run_shows_the_prediction_before_what_happened_and_fits_80_columns() {
    for name in on("sim") {
        let screen = good(&mut lab(&["run", &name, "--engine", "sim", "--explain"]));
        let places: Vec<usize> =
            ["\nTHEORY\n", "\nWHAT IS DONE\n", "\nPREDICTED\n", "\nOBSERVED\n", "\nLESSON\n"]
                .iter()
                .map(|heading| {
                    screen.find(heading).unwrap_or_else(|| panic!("{heading}: {screen}"))
                })
                .collect();
        assert!(places.is_sorted(), "{screen}");
        let draws = name == "loss";
        assert_eq!(screen.contains("\n  seed     867\n"), draws, "{screen}");
        assert_fits_80_columns(&screen);
    }
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
fn where_no_formula_gives_a_value_the_table_says_observe_and_the_run_is_good() {
    let options = ["run", "loss", "--loss", "70", "--duplicate", "30", "--drop", "2,5"];
    let screen = good(lab(&options).args(["--count", "50"]));
    let row = |name: &str| {
        let rows = screen.lines().filter(|line| line.starts_with(&format!("  {name} ")));
        rows.map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    for name in ["clients without a reply", "replies with retries"] {
        let rows = row(name);
        assert_eq!(rows.len(), 2, "predicted, then observed: {screen}");
        assert_eq!(rows[0], format!("{name} observe"));
        assert!(rows[1].starts_with(&format!("{name} observe ")), "{rows:?}");
        assert!(rows[1].ends_with(" observed"), "{rows:?}");
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
        head.starts_with("lab,engine,seed,options,transport,what,predicted,observed,"),
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
        // Nobody's preferences.
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
    assert!(packets >= 40 && answers >= 8 && lost >= 4, "{packets} {answers} {lost}");
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
    let told = bad(1, lab(&["run", "exchange", "--pcapng"]).arg(&file));
    assert!(
        told.starts_with(&format!("daytime: cannot make the directory {}: ", file.display())),
        "{told}"
    );
}

#[test]
fn without_a_reader_it_ends_without_a_word() {
    for form in [&[][..], &["--json"], &["--csv"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = lab(&["run", "exchange", "loss"]);
        let child =
            command.args(form).stdout(writer).stderr(Stdio::piped()).spawn().expect("started");
        drop(command); // and with it our end of the pipe
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
    assert!(
        summary.contains("\n2 as predicted, 0 not, 0 failed, 0 cannot run here; in "),
        "{summary}"
    );
}

#[test]
fn colour_comes_when_it_is_forced_and_takes_no_column() {
    let run = |name: &str| good(lab(&["run", "exchange"]).env(name, "1"));
    let (coloured, plain) = (run("CLICOLOR_FORCE"), run("NO_COLOR"));
    assert!(coloured.contains("\x1b[1m\x1b[36mOBSERVED\x1b[0m"), "{coloured:?}");
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
}

#[test]
fn a_wide_terminal_has_tcp_and_udp_beside_each_other_and_a_narrow_one_below() {
    let shown = |columns: u32| {
        let script = on_terminal(&format!("stty rows 40 cols {columns}; daytime lab run exchange"));
        script.map(|mut script| stdout(&run(script.env("NO_COLOR", "1"))))
    };
    let beside = |screen: &str| {
        screen.lines().any(|line| line.starts_with("TCP ") && line.trim_end().ends_with("UDP"))
    };
    let wide = or_skip!(shown(140));
    assert!(beside(&wide), "{wide}");
    assert!(wide.lines().all(|line| line.trim_end().chars().count() <= 140), "{wide}");
    let narrow = or_skip!(shown(80));
    assert!(!beside(&narrow), "{narrow}");
    assert!(narrow.lines().all(|line| line.trim_end().chars().count() <= 80), "{narrow}");
    let piped = |columns| good(lab(&["run", "exchange"]).env("COLUMNS", columns));
    assert_eq!((beside(&piped("140")), beside(&piped("80"))), (true, false));
    assert_eq!(piped("0"), piped("80"));
}

#[test]
fn on_a_terminal_a_bar_names_the_lab_under_way_and_ctrl_c_takes_it_away() {
    // Whoever started the tests may have told them to ignore SIGINT, as a shell does in the background.
    let labs = "lab run loss loss loss loss loss loss loss loss loss loss loss loss --count 30000";
    let command = format!("echo pid $$; exec env --default-signal=INT daytime {labs}");
    let mut script = or_skip!(on_terminal(&command));
    let mut child = script.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("started");
    let mut terminal = child.stdout.take().expect("piped");
    let mut screen = Vec::new();
    let shows = |screen: &[u8], what: &str| String::from_utf8_lossy(screen).contains(what);
    // It takes a second, and ends by itself, if no bar comes.
    while !shows(&screen, " of 12: loss on sim") {
        let mut some = [0; 4096];
        let count = terminal.read(&mut some).expect("readable");
        assert!(count > 0, "no bar: {}", String::from_utf8_lossy(&screen));
        screen.extend(&some[..count]);
    }
    let text = String::from_utf8_lossy(&screen).into_owned();
    let id = text.lines().find_map(|line| line.trim().strip_prefix("pid ")).expect("its id");
    assert!(Command::new("kill").args(["-s", "INT", id]).status().expect("kill").success());
    // At its end a terminal may say EIO, and not 0.
    let _ = terminal.read_to_end(&mut screen);
    let status = child.wait().expect("ended");
    assert_eq!(status.code(), Some(130), "SIGINT: {status}");
    let text = String::from_utf8_lossy(&screen).into_owned();
    let last = text.rsplit("\x1b[2K").next().unwrap_or_default();
    assert!(!last.contains(" of 12: "), "the bar stays: {last:?}");
    assert!(!text.contains("SUMMARY"), "it went on to its end");
}

#[test]
fn quietly_there_is_no_bar() {
    let mut script = or_skip!(on_terminal("daytime -q lab run loss loss --count 20000"));
    let screen = stdout(&run(&mut script));
    assert!(screen.contains("SUMMARY") && !screen.contains(" of 2: "), "{screen}");
}
