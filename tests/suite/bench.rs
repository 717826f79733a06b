//! Runs `daytime bench` on the server of this suite: its output, and the errors that prevent a load.

use crate::or_skip;
use crate::support::wire::udp_server;
use crate::support::{
    Namespace, PATIENCE, Running, assert_fits_80_columns, assert_screen, bad, complains, daytime,
    good, ipv6, mentions, on_terminal, run, stderr, stdout,
};
use serde_json::Value;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Instant;

const SHORT: [&str; 4] = ["--duration", "0.2", "--warm-up", "0.05"];

fn bench(arguments: &[&str]) -> Command {
    let mut command = daytime();
    command.arg("bench").args(arguments);
    command
}

/// Runs a short load, and returns its JSON.
fn short(arguments: &[&str]) -> Value {
    good(bench(&SHORT).arg("--json").args(arguments)).parse().expect("JSON")
}

/// Returns a number from the JSON of a load.
pub fn number(load: &Value, key: &str) -> u64 {
    load[key].as_u64().unwrap_or_else(|| panic!("no {key} in {load:#}"))
}

/// Filters for the rows with measured values.
const MEASURED: [(&str, &str); 2] = [
    (r"(?m)^(  (started|answered|failed|lost|late or extra|per second) +).*", "${1}COUNT"),
    (r"(?m)^(  (minimum|median|p90|p99|p99.9|maximum|mean|processor time) +).*", "${1}TIME"),
];

#[test]
fn both_transports_have_a_column_below_a_heading_for_each_group() {
    let server = Running::serve(&[]);
    let host = server.tcp().to_string();
    let screen = good(bench(&SHORT).arg(&host));
    assert_fits_80_columns(&screen);
    // The width of a column does not depend on the port.
    let screen = screen.replace(&format!("{host:21}  "), "HOST                   ");
    assert_screen("bench", &screen.replace(&host, "HOST"), &MEASURED);
}

#[test]
fn one_transport_has_one_column() {
    let server = Running::serve(&["--proto", "tcp"]);
    let screen = good(bench(&SHORT).args(["--proto", "tcp", &server.tcp().to_string()]));
    assert!(screen.contains("\n                   TCP: a stream\n"), "{screen}");
    assert!(!screen.contains("UDP") && !screen.contains("lost"), "{screen}");
}

#[test]
fn json_has_every_result_and_every_exchange_is_in_one_count() {
    let server = Running::serve(&[]);
    let all = short(&["--concurrency", "3", "--window", "5", &server.tcp().to_string()]);
    let keys = |value: &Value| -> Vec<String> {
        value.as_object().expect("an object").keys().cloned().collect()
    };
    let options = ["duration_s", "warm_up_s", "timeout_s", "concurrency", "window", "rate_per_s"];
    let expected =
        [&["host", "good", "interrupted"][..], &options, &["latency_from", "tcp", "udp"]];
    assert_eq!(keys(&all), expected.concat());
    assert_eq!((&all["concurrency"], &all["window"]), (&3.into(), &5.into()));
    assert_eq!((&all["good"], &all["rate_per_s"]), (&true.into(), &Value::Null));
    for load in [&all["tcp"], &all["udp"]] {
        assert_eq!(load["peer"], server.tcp().to_string());
        let fates = ["answered", "failed", "lost", "unfinished"].map(|key| number(load, key));
        assert_eq!(number(load, "asked"), fates.iter().sum::<u64>(), "{load:#}");
        assert!(fates[0] > 0 && number(load, "octets") > 20 * fates[0], "{load:#}");
        let rate = load["answered_per_s"].as_f64().expect("a rate");
        let answered = f64::from(u32::try_from(fates[0]).expect("few"));
        assert!((rate * 0.2 - answered).abs() < 0.01, "{load:#}");
        let names = ["min", "p50", "p90", "p99", "p99_9", "max"];
        let latencies = names.map(|name| load["latency_us"][name].as_f64().expect("microseconds"));
        assert!(latencies[0] > 0.0 && latencies.is_sorted(), "{load:#}");
        let kinds = ["refused", "reset", "timed_out", "no_whole_line", "no_free_port", "other"];
        assert_eq!(keys(&load["failures"]), kinds);
        assert!(load["client_processor_share"].as_f64().is_some_and(|share| share > 0.0));
    }
}

#[test]
fn client_and_server_count_the_same_number_of_exchanges() {
    let server = Running::serve(&["-v"]);
    let host = server.tcp().to_string();
    let load = ["--duration", "0.2", "--warm-up", "0", "--concurrency", "4", "--window", "8"];
    let all: Value = good(bench(&load).args(["--json", &host])).parse().expect("JSON");
    let counters = server.counters();
    for (name, load) in [("tcp exchanges", &all["tcp"]), ("udp exchanges", &all["udp"])] {
        assert_eq!(number(load, "asked"), number(load, "answered"), "{load:#}");
        let counted = format!("{name}: {}", number(load, "answered"));
        assert!(counters.split(", ").any(|counter| counter == counted), "{counted}: {counters}");
    }
}

#[test]
fn bench_loads_the_address_that_answers() {
    or_skip!(ipv6());
    let inside = or_skip!(Namespace::new());
    let mut serve = inside.daytime();
    serve.args(["serve", "--listen", "127.0.0.1"]);
    let _server = Running::start(serve);
    let mut load = inside.daytime();
    // A name of both families; the first is IPv6.
    let load = load.args(["bench", "--json", "localhost"]).args(SHORT);
    let all: Value = good(load).parse().expect("JSON");
    for transport in ["tcp", "udp"] {
        assert_eq!(all[transport]["peer"], "127.0.0.1:13", "{all:#}");
    }
}

#[test]
fn bench_loads_over_ipv6() {
    or_skip!(ipv6());
    let server = Running::serve(&["--listen", "[::1]"]);
    let port = server.port().to_string();
    let all = short(&["-6", "--port", &port, "::1"]);
    for transport in ["tcp", "udp"] {
        assert_eq!(all[transport]["peer"], format!("[::1]:{port}"), "{all:#}");
    }
    let error = bad(1, &mut bench(&["-4", "::1"]));
    complains(&error, &["::1", "no IPv4"]);
}

#[test]
fn the_open_loop_keeps_its_rate_and_counts_latencies_from_the_schedule() {
    let server = Running::serve(&[]);
    let host = server.tcp().to_string();
    let all = short(&["--rate", "500", "--concurrency", "8", &host]);
    assert_eq!((&all["rate_per_s"], &all["latency_from"]), (&500.into(), &"due".into()));
    for load in [&all["tcp"], &all["udp"]] {
        // 500 exchanges per second are due for 0.2 s, even on a slow machine.
        assert_eq!(number(load, "asked") + number(load, "never_begun"), 100, "{load:#}");
        assert!(number(load, "answered") > 0, "{load:#}");
    }
    let screen = good(bench(&SHORT).args(["--rate", "500", "--concurrency", "8", &host]));
    let heading = screen.lines().find(|line| line.starts_with("LATENCY "));
    mentions(heading.expect("a heading"), &["scheduled"]);
    // On a busy machine some exchanges of the second load cannot start either.
    assert!(screen.contains("\n  never started    "), "{screen}");
}

#[test]
fn a_public_address_is_refused_without_impolite() {
    let inside = or_skip!(Namespace::having(&["192.0.2.1/32"]));
    let mut serve = inside.daytime();
    serve.args(["-v", "serve", "--listen", "192.0.2.1"]);
    let server = Running::start(serve);
    let load = || {
        let mut command = inside.daytime();
        command.arg("bench").args(SHORT);
        command
    };
    let refusal = bad(1, load().arg("192.0.2.1"));
    complains(&refusal, &["192.0.2.1", "public", "4 s", "--impolite"]);
    // The server limits the answers, so some exchanges fail.
    let output = run(load().args(["--impolite", "--json", "192.0.2.1"]));
    let all: Value = stdout(&output).parse().expect("JSON");
    assert!(number(&all["tcp"], "answered") > 0, "{all:#}");
    drop(server);
}

#[test]
fn more_sockets_than_descriptors_is_an_error_with_both_numbers() {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n 64; exec \"$0\" bench --concurrency 49 127.0.0.1:9"]);
    shell.arg(env!("CARGO_BIN_EXE_daytime"));
    let error = bad(1, &mut shell);
    complains(&error, &["49 sockets", " 48", "--concurrency", "`ulimit -Hn`"]);
}

#[test]
fn more_connections_than_ports_is_an_error_with_both_numbers() {
    let inside = or_skip!(Namespace::new());
    let range = "echo 40000 40009 > /proc/sys/net/ipv4/ip_local_port_range";
    let mut shell = inside.command("sh");
    shell.args(["-c", &format!("{range} && exec \"$0\" bench --concurrency 11 127.0.0.1:9")]);
    let error = bad(1, shell.arg(env!("CARGO_BIN_EXE_daytime")));
    complains(&error, &["11 sockets", "10 ports"]);
}

#[test]
fn wrong_arguments_are_a_usage_error() {
    for wrong in [
        &["bench"][..],
        &["bench", "localhost", "127.0.0.1"],
        &["bench", "--concurrency", "0", "localhost"],
        &["bench", "--concurrency", "1000001", "localhost"],
        &["bench", "--window", "0", "localhost"],
        &["bench", "--window", "4097", "localhost"],
        &["bench", "--duration", "0", "localhost"],
        &["bench", "--warm-up", "-1", "localhost"],
        &["bench", "--rate", "0", "localhost"],
        &["bench", "--rate", "fast", "localhost"],
        &["bench", "--timeout", "0", "localhost"],
        &["bench", "--proto", "sctp", "localhost"],
        &["bench", "--port", "0", "localhost"],
        &["bench", "-4", "-6", "localhost"],
        &["bench", "localhost:0"],
    ] {
        bad(2, daytime().args(wrong));
    }
}

/// Runs a long `bench`, which `env` starts with the given disposition of SIGINT. After 100 exchanges, sends these signals
/// one after another. Returns the output.
fn signalled(disposition: &str, signals: &[&str]) -> Output {
    let (sender, middle) = mpsc::channel();
    let host = udp_server(move |socket| {
        for number in 0.. {
            let Ok((_, peer)) = socket.recv_from(&mut [0; 8]) else { return };
            if number == 100 {
                sender.send(()).expect("the test waits");
            }
            socket.send_to(b"tick\r\n", peer).expect("sent");
        }
    });
    let mut command = Command::new("env");
    command.args([disposition, env!("CARGO_BIN_EXE_daytime"), "bench"]);
    command.args(["--proto", "udp", "--warm-up", "0", "--duration", "600", &host]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    middle.recv_timeout(PATIENCE).expect("it gets that far");
    let asked = Instant::now();
    let id = child.id().to_string();
    for signal in signals {
        assert!(Command::new("kill").args(["-s", signal, &id]).status().expect("kill").success());
    }
    let output = child.wait_with_output().expect("ended");
    assert!(asked.elapsed() < PATIENCE, "{:?}", asked.elapsed());
    output
}

#[test]
fn a_sigint_that_was_ignored_at_the_start_does_not_end_bench() {
    // A second signal that ends the load would end bench with status 1 and without results.
    let output = signalled("--ignore-signal=INT", &["INT", "TERM"]);
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    assert!(stdout(&output).contains("\nEnded early: "), "{}", stdout(&output));
}

#[test]
fn ctrl_c_ends_bench_early_with_the_results_until_then() {
    // The tests may have inherited an ignored SIGINT: a shell ignores it for background jobs.
    let output = signalled("--default-signal=INT", &["INT"]);
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    let screen = stdout(&output);
    assert!(screen.contains("\nEnded early: "), "{screen}");
    let answered = screen.split("answered").nth(1).and_then(|it| it.lines().next());
    let answered: u64 = answered.expect("a row").replace(' ', "").parse().expect("a number");
    assert!(answered >= 99, "{screen}");
}

#[test]
fn on_a_terminal_a_bar_shows_the_seconds_unless_quiet_or_json() {
    let server = Running::serve(&[]);
    let shown = |arguments: &str| {
        let load = "--proto udp --duration 1.2 --warm-up 0 --rate 50";
        let command = format!("daytime bench {load} {arguments} {}", server.udp());
        on_terminal(&command).map(|mut script| stdout(&run(&mut script)))
    };
    let bar = or_skip!(shown(""));
    assert!(bar.contains(" 1 of 1 s"), "{bar:?}");
    let screen = &bar[bar.find("Load on").expect("the screen")..];
    assert!(!screen.contains(" of 1 s"), "the bar stays: {screen:?}");
    for silent in ["-q", "--json"] {
        let shown = or_skip!(shown(silent));
        assert!(shown.contains("answered") && !shown.contains(" of 1 s"), "{shown:?}");
    }
}
