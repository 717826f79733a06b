//! The laboratory's engine `netns`: what its labs observe, as each kind of user.

use crate::or_skip;
use crate::support::{daytime, mentions, program, run, skip, stderr};
use nix::unistd::geteuid;
use serde_json::{Value, json};
use smoltcp::wire::{IpAddress, IpProtocol, Ipv4Packet, TcpPacket, UdpPacket};
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// The labs that run there.
const LABS: [&str; 7] = ["exchange", "loop", "multihome", "raw", "refused", "silent", "unread"];

/// Runs a lab there with such a command and these options, and returns its result as JSON has it.
pub fn result(mut command: Command, lab: &str, options: &[&str]) -> Value {
    command.args(["lab", "run", lab, "--engine", "netns", "--json"]).args(options);
    let output = run(&mut command);
    let json: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)));
    json["runs"][0].clone()
}

/// The result, or why there is none.
pub fn ran(result: Value) -> Result<Value, String> {
    match result["obstacle"].as_str() {
        Some(obstacle) => Err(obstacle.to_owned()),
        None => Ok(result),
    }
}

/// The result of a lab as this user.
fn ran_here(lab: &str) -> Result<Value, String> {
    ran(result(daytime(), lab, &[]))
}

/// `tcp packets sent: 6 packet`, sorted.
fn observations(run: &Value) -> Vec<String> {
    let findings = run["findings"].as_array().expect("findings").iter();
    let mut lines: Vec<String> = findings
        .map(|it| {
            let value = match it["observed"].as_object().expect("observed") {
                value if value.contains_key("count") => {
                    format!("{} {}", value["count"], value["of"])
                }
                value if value.contains_key("text") => value["text"].to_string(),
                value if value.contains_key("share") => "a share".to_owned(),
                _ => "some time".to_owned(),
            };
            let text = format!("{} {}: {value}", it["transport"], it["what"]);
            text.replace('"', "")
        })
        .collect();
    lines.sort();
    lines
}

/// Every packet, from the IP header on, with its fate in words.
fn packets(parts: &Value) -> Vec<(Vec<u8>, String)> {
    let parts = parts.as_array().expect("parts").iter();
    let events = parts.flat_map(|part| part["events"].as_array().expect("events"));
    let packet = |event: &Value| {
        let hex = event["octets_hex"].as_str()?.as_bytes();
        let digits = hex.chunks(2).map(|two| std::str::from_utf8(two).expect("ASCII"));
        let octets = digits.map(|it| u8::from_str_radix(it, 16).expect("an octet")).collect();
        Some((octets, event["fate"].as_str().expect("a fate").to_owned()))
    };
    events.filter_map(packet).collect()
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
fn a_raw_socket_receives_the_packets_for_root_and_for_any_other_user() {
    let expected = [
        "tcp IP header of the copy: 20 octet",
        "tcp client's reply: received",
        "tcp copies, packets received: all, to the octet",
        "tcp copies, packets sent: 0 packet",
        "tcp first raw packet: SYN",
        "tcp socket(), unprivileged: EPERM",
        "udp IP header of the copy: 20 octet",
        "udp client's reply: received",
        "udp copies, packets received: all, to the octet",
        "udp copies, packets sent: 0 packet",
        "udp first raw packet: datagram",
        "udp octets of the copy: 28 octet",
        "udp socket(), unprivileged: EPERM",
    ];
    let (_folder, program) = copy();
    for command in [daytime(), or_skip!(unprivileged(&program))] {
        let run = or_skip!(ran(result(command, "raw", &[])));
        assert_eq!(observations(&run), expected);
    }
}

#[test]
fn a_missing_server_shows_to_a_stream_and_to_a_connected_datagram() {
    let run = or_skip!(ran_here("refused"));
    let expected = [
        "tcp connect(): ECONNREFUSED",
        "tcp packet sent back: RST",
        "udp ICMP messages received: 3 message",
        "udp packet sent back: ICMP port unreachable",
        "udp recv(), connected: ECONNREFUSED",
        "udp recvfrom(), IP_RECVERR: ECONNREFUSED",
        "udp recvfrom(), unconnected: EAGAIN",
    ];
    assert_eq!(observations(&run), expected);
}

#[test]
fn a_lost_reply_is_not_repaired_after_a_reset() {
    let run = or_skip!(ran_here("unread"));
    let expected = [
        "tcp client's challenge ACKs: 1 packet",
        "tcp client's recv(): ECONNRESET",
        "tcp octets the client read: 0 octet",
        "tcp packets with the reply: 1 packet",
        "tcp server's last packet: RST",
        "udp client's recv(): EAGAIN",
        "udp packets with the reply: 1 packet",
        "udp packets without a reply: 0 packet",
    ];
    assert_eq!(observations(&run), expected);
    let lost =
        packets(&run["parts"]).into_iter().filter(|(_, fate)| fate == "lost on purpose: the reply");
    assert_eq!(lost.count(), 2, "the reply over each transport");
}

#[test]
fn a_careless_server_answers_from_the_first_of_two_addresses_of_its_host() {
    let run = or_skip!(ran_here("multihome"));
    let expected = [
        "tcp careless: client gets: 26 octets",
        "tcp careless: local address: 10.0.0.3",
        "tcp daytime serve: reply: a reply",
        "udp careless: client gets: EAGAIN",
        "udp careless: reply is from: 10.0.0.2",
        "udp daytime serve: reply: a reply",
        "udp daytime serve: sent from: 10.0.0.3",
    ];
    assert_eq!(observations(&run), expected);
    // Neither address is the client's own, and its host refuses the reply that it did not ask for.
    let careless = &run["parts"].as_array().expect("parts")[1];
    assert_eq!(careless["name"], "a careless server");
    assert_eq!(careless["hosts"][1]["addresses"], json!(["10.0.0.2", "10.0.0.3"]));
    let packets = packets(&json!([careless]));
    let source = |octets: &[u8]| Ipv4Packet::new_checked(octets).expect("IPv4").src_addr();
    let protocol = |octets: &[u8]| Ipv4Packet::new_checked(octets).expect("IPv4").next_header();
    let sources: Vec<String> = packets.iter().map(|it| source(&it.0).to_string()).collect();
    assert_eq!(sources, ["10.0.0.1", "10.0.0.2", "10.0.0.1", "10.0.0.1", "10.0.0.2"]);
    assert_eq!(protocol(&packets[2].0), IpProtocol::Icmp);
}

#[test]
fn only_the_server_repeats_when_the_link_is_cut() {
    let run = or_skip!(ran_here("silent"));
    let observed = observations(&run);
    let expected = [
        "tcp client packets after cut: 0 packet",
        "tcp client's recv(): EAGAIN",
        "tcp wait / previous wait: a share",
        "udp client packets after cut: 0 packet",
        "udp client's recv(): EAGAIN",
        "udp reply retransmissions: 0 time",
    ];
    let (again, rest): (Vec<_>, Vec<_>) =
        observed.into_iter().partition(|line| line.starts_with("tcp reply retransmissions: "));
    assert_eq!(rest, expected);
    assert_eq!(again.len(), 1);
    assert_ne!(again[0], "tcp reply retransmissions: 0 time");
    let cut = packets(&run["parts"])
        .into_iter()
        .filter(|(_, fate)| fate == "lost: the link was cut")
        .count();
    assert!(cut >= 3, "{cut} packets were cut: twice over TCP, once over UDP");
}

#[test]
fn a_forged_source_makes_services_without_a_guard_talk_for_ever() {
    let run = or_skip!(ran_here("loop"));
    let observed = observations(&run);
    let expected = [
        "tcp connections accepted: 0 connection",
        "tcp packets in all: 3 packet",
        "tcp server's answer: SYN-ACK",
        "tcp victim's answer: RST",
        "udp datagrams with guard: 1 datagram",
    ];
    let (without, rest): (Vec<_>, Vec<_>) =
        observed.into_iter().partition(|line| line.starts_with("udp datagrams without guard: "));
    assert_eq!(rest, expected);
    let count = without[0].split(' ').nth_back(1).expect("a number");
    assert!(count.parse::<u64>().expect("a number") >= 100, "{without:?}");
}

#[test]
fn an_answer_takes_two_round_trips_or_one_and_each_packet_takes_the_delay() {
    let run = or_skip!(ran(result(daytime(), "exchange", &["--delay", "5"])));
    let observed = observations(&run);
    for expected in
        ["tcp round trips to the reply: 2 round trip", "udp round trips to the reply: 1 round trip"]
    {
        assert!(observed.iter().any(|it| it == expected), "{observed:?}");
    }
    let delay_ns = 5_000_000;
    let events = run["parts"][0]["events"].as_array().expect("events");
    assert!(events.len() >= 6, "{events:?}");
    for event in events {
        let [at, arrived] = [&event["at_ns"], &event["arrived_ns"][0]].map(Value::as_u64);
        assert!(arrived.expect("ns") >= at.expect("ns") + delay_ns, "{event}");
    }
}

#[test]
fn every_packet_written_down_has_its_checksums() {
    let mut seen = [0; 2];
    for lab in LABS {
        let run = or_skip!(ran_here(lab));
        for (octets, _) in packets(&run["parts"]) {
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
fn where_user_namespaces_are_forbidden_the_obstacle_names_the_setting_and_what_to_do() {
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
    let missing = ran(result(forbidding, "raw", &[])).expect_err("it cannot run");
    mentions(&missing, &["user namespaces", "user.max_user_namespaces is 0", "above 0"]);
    // Only a user who is not root gets the hint to run as root.
    assert_eq!(missing.contains("as root"), !geteuid().is_root(), "{missing}");
}
