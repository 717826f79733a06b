//! Tests `daytime wire` with real exchanges in a namespace where it may capture, and its message if
//! it may not.

use crate::or_skip;
use crate::support::capturing::{Capturing, Place, assert_sum, ladder, pcap};
use crate::support::{
    Namespace, PATIENCE, bad, before, complains, daytime, good, program, run, stderr, stdout,
};
use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use std::fs;
use std::process::Command;
use std::thread;
use tempfile::TempDir;

#[test]
fn an_exchange_over_each_transport_is_drawn_as_a_ladder() {
    let place = or_skip!(Place::new());
    let text = place.capture();
    let drawn = ladder(&text);
    let (question, answer) = (&drawn[0], &drawn[1]);
    assert!(question.starts_with("udp 1    │── empty datagram ──"), "{text}");
    assert!(question.ends_with("▶│"), "{text}");
    assert!(answer.starts_with("udp 1    │◀──") && answer.ends_with(" octets ──│"), "{text}");
    assert!(drawn[2].contains("-UTC\\r\\n\" │"), "{text}");
    let tcp: Vec<&str> =
        drawn[3..].iter().map(|line| line.trim_start_matches("tcp 2    │")).collect();
    assert!(tcp[0].starts_with("── SYN ──"), "{text}");
    assert!(tcp[1].starts_with("◀──") && tcp[1].ends_with("── SYN, ACK ──│"), "{text}");
    assert!(tcp[2].starts_with("── ACK ──"), "{text}");
    assert!(
        tcp.iter().any(|line| line.starts_with("◀──") && line.ends_with(" octets, FIN ──│")),
        "{text}"
    );
    assert!(text.contains("\ntcp 2: 127.0.0.1:"), "{text}");
    assert_sum(&text, 8, 2);
    assert!(!text.contains("again"), "each packet on loopback counts once: {text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn a_written_file_shows_the_same_ladder() {
    let place = or_skip!(Place::new());
    let live = place.capture();
    let read = good(daytime().arg("wire").arg("--read").arg(place.file()));
    let without_summary =
        |text: &str| text.lines().filter(|it| !it.contains(" in ")).collect::<Vec<_>>().join("\n");
    assert_eq!(without_summary(&read), without_summary(&live));
    // Reading from a pipe gives the same text, and writing again gives the same octets.
    let copy = place.folder.path().join("copy.pcapng");
    let mut piped = daytime();
    piped.args(["wire", "--read", "-", "--pcapng"]).arg(&copy);
    piped.stdin(fs::File::open(place.file()).expect("it is there"));
    assert_eq!(good(&mut piped), read);
    let (copy, file) = (fs::read(copy), fs::read(place.file()));
    // The files differ only in the name of the interface.
    let packets = |file: &[u8]| file[file.len() - 600..].to_vec();
    assert_eq!(packets(&copy.expect("written")), packets(&file.expect("written")));
}

#[test]
fn the_page_about_packets_shows_what_wire_prints() {
    let page = fs::read_to_string("docs/wire.md").expect("UTF-8");
    let (_, block) = page.split_once("# daytime wire lo").expect("an example");
    let (block, _) = block.split_once("```").expect("its end");
    // The kernel decides how a TCP exchange ends after its answer.
    let until_answer = |text: &str| {
        let figures = |line: String| line.replace(|it: char| it.is_ascii_digit(), "0");
        let is_date = |line: &String| line.contains("-UTC");
        let drawn = ladder(text).into_iter().filter(|line| !is_date(line)).map(figures);
        drawn.take(6).collect::<Vec<String>>()
    };
    let shown = until_answer(block);
    assert_eq!(shown.len(), 6, "{block}");
    let place = or_skip!(Place::new());
    assert_eq!(shown, until_answer(&place.capture()));
}

#[test]
fn wireshark_reads_the_file_with_its_comments_and_right_checksums() {
    let tshark = or_skip!(program("tshark"));
    let place = or_skip!(Place::new());
    place.capture();
    let read = |arguments: &[&str]| {
        let mut command = Command::new(&tshark);
        // The default preferences of tshark.
        command.env("HOME", place.folder.path()).env_remove("XDG_CONFIG_HOME");
        command.args(["-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-r"]);
        let output = run(command.arg(place.file()).args(arguments));
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    let fields = ["-T", "fields", "-e", "frame.comment", "-e", "daytime.string"];
    let daytime = read(&[&["-Y", "daytime"][..], &fields].concat());
    assert_eq!(daytime.lines().count(), 2, "an answer over each transport: {daytime}");
    for line in daytime.lines() {
        assert!(line.starts_with("seen here\t") && line.contains("-UTC"), "{line}");
    }
    assert_eq!(read(&["-Y", "tcp || udp"]).lines().count(), 8);
    let wrong = "tcp.checksum.status == 0 || udp.checksum.status == 0 || ip.checksum.status == 0";
    assert_eq!(read(&["-Y", wrong]), "");
    assert_eq!(read(&["-Y", "_ws.malformed"]), "");
}

#[test]
fn an_icmp_error_is_shown_in_its_exchange() {
    let place = or_skip!(Place::new());
    let wire = place.wire(&["any", "--port", "7013", "--count", "2"]);
    bad(1, place.inside.daytime().args(["query", "--proto", "udp", "127.0.0.1:7013"]));
    let text = wire.end();
    let drawn = ladder(&text);
    assert_eq!(drawn.len(), 2, "{text}");
    assert!(
        drawn[1].starts_with("udp 1    │◀──") && drawn[1].ends_with(" port unreachable ──│"),
        "{text}"
    );
}

#[test]
fn packets_of_other_ports_are_not_shown() {
    let place = or_skip!(Place::new());
    let wire = place.wire(&["lo", "--port", "7013", "--port", "7014", "--count", "2"]);
    place.ask("udp");
    bad(1, place.inside.daytime().args(["query", "--proto", "udp", "127.0.0.1:7014"]));
    let text = wire.end();
    assert!(text.contains(" → 127.0.0.1:7014, on lo\n") && !text.contains("octets"), "{text}");
}

#[test]
fn the_first_signal_ends_a_capture_with_a_summary_and_a_complete_file() {
    let place = or_skip!(Place::new());
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let file = place.file();
        let wire = place.wire(&["lo", "--pcapng", file.to_str().expect("UTF-8")]);
        // More octets than the header and one packet, so both packets are written.
        place.ask("udp");
        wait_for_octets(&file, 200);
        wire.signal(signal);
        let text = wire.end();
        assert_sum(&text, 2, 1);
        let read = good(daytime().arg("wire").arg("--read").arg(&file));
        assert_eq!(ladder(&read), ladder(&text));
    }
}

#[test]
fn a_sigint_that_was_ignored_at_the_start_does_not_end_a_capture() {
    let place = or_skip!(Place::new());
    let mut command = place.inside.command("env");
    command.args([
        "--ignore-signal=INT",
        env!("CARGO_BIN_EXE_daytime"),
        "wire",
        "lo",
        "--port",
        "13",
    ]);
    let wire = Capturing::start(command);
    wire.signal(Signal::SIGINT);
    // A second signal that ends the capture would end it with status 1 and without a summary.
    wire.signal(Signal::SIGTERM);
    assert_sum(&wire.end(), 0, 0);
}

/// Waits until the other process has written this many octets.
fn wait_for_octets(file: &std::path::Path, octets: u64) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while fs::metadata(file).map_or(0, |it| it.len()) < octets {
        assert!(std::time::Instant::now() < deadline, "too few octets were written");
        thread::yield_now();
    }
}

#[test]
fn a_duration_ends_a_capture() {
    let place = or_skip!(Place::new());
    let wire = place.wire(&["--duration", "0.05"]);
    complains(&wire.announced, &["port 13 ", " any", " 0.05 s", "Ctrl-C"]);
    let text = wire.end();
    assert_sum(&text, 0, 0);
    // The upper limit depends on the machine. A hanging process would fail earlier.
    let lasted: f64 = before(&text, "s").expect("a time").parse().expect("a number");
    assert!(lasted >= 0.05, "{text}");
}

#[test]
fn as_json_each_packet_is_an_object() {
    let place = or_skip!(Place::new());
    let wire = place.wire(&["lo", "--json", "--count", "2"]);
    place.ask("udp");
    let text = wire.end();
    let objects: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let [question, answer] = &objects[..] else { panic!("{text}") };
    assert_eq!(question["what"], "empty datagram");
    assert_eq!((&question["to"], &answer["to"]), (&"server".into(), &"client".into()));
    assert!(answer["payload"].as_str().is_some_and(|it| it.ends_with("-UTC\\r\\n")), "{text}");
    assert!(answer["time"].as_str().is_some_and(|it| it.starts_with("20")), "{text}");
    assert!(answer["since_first_us"].as_f64().is_some_and(|it| it > 0.0), "{text}");
}

#[test]
fn without_the_privilege_the_error_names_it_and_the_remedies() {
    if !geteuid().is_root() {
        return check_unprivileged(daytime());
    }
    // Root without this one capability.
    let mut command = Command::new(or_skip!(program("setpriv")));
    command.args(["--bounding-set", "-net_raw", "--inh-caps", "-net_raw"]);
    command.arg(env!("CARGO_BIN_EXE_daytime"));
    check_unprivileged(command);
}

fn check_unprivileged(mut command: Command) {
    let said = bad(1, command.args(["wire", "lo"]));
    let remedies = ["CAP_NET_RAW", "root", "setcap cap_net_raw+ep", "--netns"];
    complains(&said, &[&["no permission"][..], &remedies].concat());
}

#[test]
fn an_unknown_interface_is_reported_with_the_existing_ones() {
    let said = bad(1, daytime().args(["wire", "nosuch0"]));
    complains(&said, &["no interface", "nosuch0", " lo"]);
}

#[test]
fn a_file_that_cannot_be_written_is_reported_before_anything_is_captured() {
    let inside = or_skip!(Namespace::new());
    let said = bad(1, inside.daytime().args(["wire", "--pcapng", "/proc/no/file"]));
    complains(&said, &["cannot write", "/proc/no/file", "No such file"]);
}

#[test]
fn a_file_that_is_not_a_capture_or_is_cut_off_is_reported() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("file");
    let read = || {
        let mut command = daytime();
        command.arg("wire").arg("--read").arg(&file);
        command
    };
    let name = file.to_str().expect("UTF-8");
    complains(&bad(1, &mut read()), &[name, "No such file"]);
    fs::write(&file, "Monday, November 23, 2026 10:00:00-UTC\r\n").expect("written");
    complains(&bad(1, &mut read()), &[name, "pcap", "pcapng", "`tcpdump -w`"]);
    // A pcap file with one whole datagram and one cut datagram.
    fs::write(&file, [pcap(), vec![7; 9]].concat()).expect("written");
    let output = run(&mut read());
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(ladder(&stdout(&output)).len(), 1, "the whole packet is shown");
    complains(&stderr(&output), &[name, "ends within", "octet 68", "packet 1"]);
    // A whole packet of another port.
    fs::write(&file, pcap()).expect("written");
    let output = run(read().args(["--port", "37"]));
    complains(&stderr(&output), &[name, "1 packet", "port 37", "--port 13"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn colour_is_off_without_a_terminal_unless_it_is_forced() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("file");
    fs::write(&file, pcap()).expect("written");
    let mut plain = daytime();
    let plain = good(plain.arg("wire").arg("--read").arg(&file));
    let mut coloured = daytime();
    coloured.env("CLICOLOR_FORCE", "1").arg("wire").arg("--read").arg(&file);
    let coloured = good(&mut coloured);
    assert!(!plain.contains('\u{1b}') && coloured.contains("\u{1b}[36m── empty datagram"));
}
