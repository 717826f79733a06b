//! The laboratory's engine `netns`: the process of a run, as each kind of user, and what it sends back.

use crate::or_skip;
use crate::support::{daytime, program, skip};
use nix::unistd::geteuid;
use serde_json::{Value, json};
use smoltcp::wire::{IpAddress, IpProtocol, Ipv4Packet, TcpPacket, UdpPacket};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The labs that run there.
const LABS: [&str; 7] = ["exchange", "loop", "multihome", "raw", "refused", "silent", "unread"];

/// What the process of a run is told, with some knobs turned, further than the command line would let them be, if
/// need be.
pub fn request(lab: &str, turned: &Value) -> Value {
    let mut knobs = json!({
        "backlog": null, "buffer": null, "count": null, "delay": null, "drop": [],
        "duplicate": null, "loss": null, "reorder": null,
    });
    for (knob, stands) in turned.as_object().expect("knobs") {
        knobs[knob] = stands.clone();
    }
    let setting = json!({ "seed": 1, "knobs": knobs });
    json!({ "lab": lab, "setting": setting })
}

/// Runs a lab's experiment with such a command and the knobs as they are; what came out.
pub fn inside(command: Command, lab: &str) -> Value {
    turned(command, lab, &json!({}))
}

/// The same with some knobs turned.
fn turned(mut command: Command, lab: &str, turned: &Value) -> Value {
    let mut child = command
        .arg("lab-inside")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut input = child.stdin.take().expect("piped");
    writeln!(input, "{}", request(lab, turned)).expect("taken");
    // When its input ends, so does the run.
    let output = child.wait_with_output().expect("ended");
    drop(input);
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The run, or what is missing for it here.
pub fn ran(outcome: &Value) -> Result<Value, String> {
    if let Some(missing) = outcome["Missing"].as_str() {
        return Err(missing.to_owned());
    }
    assert!(outcome["Ran"].is_object(), "{outcome}");
    Ok(outcome["Ran"].clone())
}

/// `tcp packets: 6 packet`, sorted.
fn observations(run: &Value) -> Vec<String> {
    let observed = run["observed"].as_array().expect("observations").iter();
    let mut lines: Vec<String> = observed
        .map(|it| {
            let value = match &it["value"] {
                Value::Object(value) if value.contains_key("Count") => {
                    format!("{} {}", value["Count"][0], value["Count"][1])
                }
                Value::Object(value) if value.contains_key("Text") => value["Text"].to_string(),
                Value::Object(value) if value.contains_key("Share") => "a share".to_owned(),
                _ => "some time".to_owned(),
            };
            let text = format!("{} {}: {value}", it["transport"], it["what"]);
            text.replace('"', "")
        })
        .collect();
    lines.sort();
    lines
}

/// Every packet, from the IP header on, with its fate.
fn packets(run: &Value) -> Vec<(Vec<u8>, Value)> {
    let parts = run["parts"].as_array().expect("parts").iter();
    let events = parts.flat_map(|part| part["trace"]["events"].as_array().expect("events"));
    let octet = |it: &Value| u8::try_from(it.as_u64().expect("a number")).expect("an octet");
    events
        .filter_map(|event| event["what"].get("Packet"))
        .map(|packet| {
            let octets = packet["octets"].as_array().expect("octets").iter().map(octet).collect();
            (octets, packet["fate"].clone())
        })
        .collect()
}

/// A copy of the program that every user may run.
pub fn copy() -> (TempDir, std::path::PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("daytime");
    fs::copy(env!("CARGO_BIN_EXE_daytime"), &path).expect("copied");
    for path in [folder.path(), &path] {
        let all: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(path, all).expect("permitted");
    }
    (folder, path)
}

/// As a user who may do nothing. Else this user is one.
pub fn unprivileged(daytime: &Path) -> Result<Command, String> {
    if !geteuid().is_root() {
        return Ok(Command::new(daytime));
    }
    let mut command = Command::new(program("setpriv")?);
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(daytime);
    Ok(command)
}

#[test]
fn a_raw_socket_sees_the_packets_whoever_runs_the_lab() {
    let expected = [
        "tcp IP header of the copy: 20 octet",
        "tcp copies of what came: all, to the octet",
        "tcp copies of what it sent: 0 packet",
        "tcp socket(), unprivileged: EPERM",
        "tcp the client's reply: came",
        "tcp the first raw packet: SYN",
        "udp IP header of the copy: 20 octet",
        "udp copies of what came: all, to the octet",
        "udp copies of what it sent: 0 packet",
        "udp octets of the copy: 28 octet",
        "udp socket(), unprivileged: EPERM",
        "udp the client's reply: came",
        "udp the first raw packet: datagram",
    ];
    let (_folder, program) = copy();
    for command in [daytime(), or_skip!(unprivileged(&program))] {
        let run = or_skip!(ran(&inside(command, "raw")));
        assert_eq!(observations(&run), expected);
    }
}

#[test]
fn nobody_is_there_to_a_stream_and_to_a_connected_datagram() {
    let run = or_skip!(ran(&inside(daytime(), "refused")));
    let expected = [
        "tcp connect(): ECONNREFUSED",
        "tcp what comes back: RST",
        "udp ICMP messages: 3 message",
        "udp recv(), connected: ECONNREFUSED",
        "udp recv(), not connected: EAGAIN",
        "udp recv(), with IP_RECVERR: ECONNREFUSED",
        "udp what comes back: ICMP port unreachable",
    ];
    assert_eq!(observations(&run), expected);
}

#[test]
fn what_does_not_come_is_an_observation_and_ends_no_run() {
    // The SYN, which is repeated, and the first question, which is not: no ICMP message comes for that.
    let run = or_skip!(ran(&turned(daytime(), "refused", &json!({ "drop": [1] }))));
    let expected = [
        "tcp connect(): ECONNREFUSED",
        "tcp what comes back: RST",
        "udp ICMP messages: 2 message",
        "udp recv(), connected: ECONNREFUSED",
        "udp recv(), not connected: EAGAIN",
        "udp recv(), with IP_RECVERR: ECONNREFUSED",
        "udp what comes back: ICMP port unreachable",
    ];
    assert_eq!(observations(&run), expected);
}

#[test]
fn a_lost_reply_is_not_repaired_after_a_reset() {
    let run = or_skip!(ran(&inside(daytime(), "unread")));
    let expected = [
        "tcp client's challenge ACKs: 1 packet",
        "tcp octets read: 0 octet",
        "tcp packets with the reply: 1 packet",
        "tcp recv(): ECONNRESET",
        "tcp the server's last packet: RST",
        "udp other packets: 0 packet",
        "udp packets with the reply: 1 packet",
        "udp recv(): EAGAIN",
    ];
    assert_eq!(observations(&run), expected);
    let lost = packets(&run).into_iter().filter(|(_, fate)| fate["Lost"] == "Reply");
    assert_eq!(lost.count(), 2, "the reply over each transport");
}

#[test]
fn a_careless_server_answers_from_the_first_of_two_addresses_of_its_host() {
    let run = or_skip!(ran(&inside(daytime(), "multihome")));
    let expected = [
        "tcp careless: client gets: 26 octets",
        "tcp careless: socket is at: 10.0.0.3",
        "tcp daytime serve: answers: a reply",
        "udp careless: client gets: EAGAIN",
        "udp careless: reply is from: 10.0.0.2",
        "udp daytime serve: answers: a reply",
        "udp daytime serve: sent from: 10.0.0.3",
    ];
    assert_eq!(observations(&run), expected);
    // Neither address is the client's own, and its host refuses the reply that it did not ask for.
    let careless = &run["parts"].as_array().expect("parts")[2];
    assert_eq!(careless["name"], "a careless server");
    assert_eq!(careless["trace"]["hosts"][1]["addresses"], json!(["10.0.0.2", "10.0.0.3"]));
    let packets = packets(&json!({ "parts": [careless] }));
    let source = |octets: &[u8]| Ipv4Packet::new_checked(octets).expect("IPv4").src_addr();
    let protocol = |octets: &[u8]| Ipv4Packet::new_checked(octets).expect("IPv4").next_header();
    let sources: Vec<String> = packets.iter().map(|it| source(&it.0).to_string()).collect();
    assert_eq!(sources, ["10.0.0.1", "10.0.0.2", "10.0.0.1", "10.0.0.1", "10.0.0.2"]);
    assert_eq!(protocol(&packets[2].0), IpProtocol::Icmp);
}

#[test]
fn only_the_server_repeats_when_the_link_is_cut() {
    let run = or_skip!(ran(&inside(daytime(), "silent")));
    let observed = observations(&run);
    let expected = [
        "tcp client, after the cut: 0 packet",
        "tcp each wait, of the former: a share",
        "tcp recv(): EAGAIN",
        "udp client, after the cut: 0 packet",
        "udp recv(): EAGAIN",
        "udp reply sent again: 0 time",
    ];
    let (again, rest): (Vec<_>, Vec<_>) =
        observed.into_iter().partition(|line| line.starts_with("tcp reply sent again: "));
    assert_eq!(rest, expected);
    assert_eq!(again.len(), 1);
    assert_ne!(again[0], "tcp reply sent again: 0 time");
    let cut = packets(&run).into_iter().filter(|(_, fate)| fate["Lost"] == "Cut").count();
    assert!(cut >= 3, "{cut} packets were cut: twice over TCP, once over UDP");
}

#[test]
fn a_forged_source_makes_services_without_a_guard_talk_for_ever() {
    let run = or_skip!(ran(&inside(daytime(), "loop")));
    let observed = observations(&run);
    let expected = [
        "tcp connections accepted: 0 connection",
        "tcp packets: 3 packet",
        "tcp the server answers: SYN-ACK",
        "tcp the victim answers: RST",
        "udp with the guard: 1 datagram",
    ];
    let (without, rest): (Vec<_>, Vec<_>) =
        observed.into_iter().partition(|line| line.starts_with("udp without a guard: "));
    assert_eq!(rest, expected);
    let count = without[0].split(' ').nth_back(1).expect("a number");
    assert!(count.parse::<u64>().expect("a number") >= 100, "{without:?}");
}

#[test]
fn an_answer_takes_two_round_trips_or_one_and_packets_as_long_as_they_are_told_to() {
    let run = or_skip!(ran(&turned(
        daytime(),
        "exchange",
        &json!({ "delay": { "secs": 0, "nanos": 5_000_000 } })
    )));
    let observed = observations(&run);
    for expected in ["tcp round trips: 2 round trip", "udp round trips: 1 round trip"] {
        assert!(observed.iter().any(|it| it == expected), "{observed:?}");
    }
    let delay_ns = 5_000_000;
    let events = run["parts"][0]["trace"]["events"].as_array().expect("events");
    assert!(events.len() >= 6, "{events:?}");
    for event in events {
        let time = |it: &Value| {
            it["secs"].as_u64().expect("s") * 1_000_000_000 + it["nanos"].as_u64().expect("ns")
        };
        let arrived = time(&event["what"]["Packet"]["fate"]["Arrived"][0]);
        assert!(arrived >= time(&event["at"]) + delay_ns, "{event}");
    }
}

#[test]
fn every_packet_written_down_has_its_checksums() {
    let mut seen = [0; 2];
    for lab in LABS {
        let run = or_skip!(ran(&inside(daytime(), lab)));
        for (octets, _) in packets(&run) {
            let ip = Ipv4Packet::new_checked(&octets[..]).expect("IPv4");
            assert!(ip.verify_checksum(), "{lab}: {octets:?}");
            let (from, to) = (IpAddress::from(ip.src_addr()), IpAddress::from(ip.dst_addr()));
            let payload = ip.payload();
            let is_right = match ip.next_header() {
                IpProtocol::Tcp => {
                    seen[0] += 1;
                    TcpPacket::new_checked(payload).expect("TCP").verify_checksum(&from, &to)
                }
                IpProtocol::Udp => {
                    seen[1] += 1;
                    UdpPacket::new_checked(payload).expect("UDP").verify_checksum(&from, &to)
                }
                _ => true,
            };
            assert!(is_right, "{lab}: {octets:?}");
        }
    }
    assert!(seen[0] > 20 && seen[1] > 10, "{seen:?}");
}

#[test]
fn where_user_namespaces_are_forbidden_it_says_by_what_and_what_to_do() {
    // Root of a namespace that forbids further ones, without what root may do.
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && \
                  exec setpriv --bounding-set=-all --inh-caps=-all \"$@\"";
    or_skip!(program("setpriv"));
    let mut forbidding = Command::new(or_skip!(program("unshare")));
    let able = Command::new("unshare").args(["-Ur", "true"]).status().expect("started");
    if !able.success() {
        return skip("no user namespace can be made here to forbid others in");
    }
    forbidding.args(["-Ur", "sh", "-c", script, "sh", env!("CARGO_BIN_EXE_daytime")]);
    let outcome = inside(forbidding, "raw");
    let missing = outcome["Missing"].as_str().expect("it cannot run");
    let advice =
        "user namespaces are forbidden here: user.max_user_namespaces is 0; set it above 0";
    // Who started the test as a user is not told to be root in vain.
    let root = if geteuid().is_root() { "" } else { ", or run as root" };
    assert_eq!(missing, format!("{advice}{root}"));
}

#[test]
fn an_unknown_lab_is_no_reason_to_make_a_namespace() {
    let outcome = inside(daytime(), "flood");
    assert_eq!(outcome["Missing"], "lab flood does not run in namespaces");
}
