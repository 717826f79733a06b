//! Tests how `daytime wire` shows packets, in lines and in ladders, live and from its own files.

use crate::or_skip;
use crate::support::capturing::{Place, assert_sum, ladder, pcap};
use crate::support::forge::forge;
use crate::support::{assert_screen, daytime, good, program, run, stderr, stdout};
use nix::sys::signal::Signal;
use socket2::{Domain, Protocol, Socket, Type};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use tempfile::TempDir;

/// Returns a place where packets to 192.0.2.2 pass two interfaces, first `ve0` and then `ve1`.
fn cabled() -> Result<Place, String> {
    let place = Place::new()?;
    for command in [
        "link add ve0 type veth peer name ve1",
        "addr add 192.0.2.1/24 dev ve0",
        "link set ve0 up",
        "link set ve1 up",
        "neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev ve0",
    ] {
        let done = run(place.inside.command("ip").args(command.split(' ')));
        if !done.status.success() {
            return Err(format!("ip {command}: {}", stderr(&done)));
        }
    }
    Ok(place)
}

/// Starts to connect to 192.0.2.2, where no host answers. The SYN has left when it returns.
fn connect(place: &Place) -> Result<Socket, String> {
    place.inside.enter(|| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_nonblocking(true).expect("set");
        let server: SocketAddr = "192.0.2.2:13".parse().expect("an address");
        socket.connect(&server.into()).expect_err("it takes its time");
        socket
    })
}

fn read(path: &Path, arguments: &[&str]) -> String {
    good(daytime().args(["wire", "--read"]).arg(path).args(arguments))
}

#[test]
fn a_packet_on_two_interfaces_is_not_a_retransmission_in_a_file_either() {
    let place = or_skip!(cabled());
    let file = place.file();
    let wire = place.wire(&["any", "--count", "2", "--pcapng", file.to_str().expect("UTF-8")]);
    let _connecting = or_skip!(connect(&place));
    let live = wire.end();
    assert_eq!(live.matches(" → 192.0.2.2:13, on ve").count(), 2, "{live}");
    for text in [live, read(&file, &[])] {
        assert_sum(&text, 2, 2);
        assert!(text.contains("── SYN ──") && !text.contains("again"), "{text}");
    }
    let objects = read(&file, &["--json"]);
    let names: Vec<String> = objects
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .map(|object| object["interface_name"].to_string())
        .collect();
    assert_eq!(names, ["\"ve0\"", "\"ve1\""], "{objects}");
    let ladders = read(&file, &["--ladder"]);
    assert!(!ladders.contains("again"), "{ladders}");
    for title in ["tcp 1: 192.0.2.1:", "tcp 2: 192.0.2.1:"] {
        assert!(ladders.contains(title), "{ladders}");
    }
    for place in [" → 192.0.2.2:13, on ve0\n", " → 192.0.2.2:13, on ve1, at 0.0"] {
        assert!(ladders.contains(place), "{ladders}");
    }
}

#[test]
fn a_live_ladder_distinguishes_interfaces() {
    let place = or_skip!(cabled());
    // The SYN, and its retransmission a second later, on both interfaces.
    let wire = place.wire(&["any", "--ladder", "--count", "4"]);
    let _connecting = or_skip!(connect(&place));
    let ladders = wire.end();
    assert_eq!(ladders.matches("── again: SYN ──").count(), 2, "{ladders}");
    assert_eq!(ladders.matches("── SYN ──").count(), 2, "{ladders}");
}

#[test]
fn all_fragments_of_a_datagram_are_shown_and_written() {
    let place = or_skip!(cabled());
    let file = place.file();
    let wire = place.wire(&["ve0", "--count", "3", "--pcapng", file.to_str().expect("UTF-8")]);
    or_skip!(place.inside.enter(|| {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").expect("bound");
        socket.send_to(&[b'x'; 3000], "192.0.2.2:13").expect("sent")
    }));
    let text = wire.end();
    let expected = [
        "1472 octets (first fragment)",
        "fragment, from octet 1480 on",
        "fragment, from octet 2960 on",
    ];
    let drawn: Vec<String> = ladder(&text).into_iter().filter(|line| line.contains("──")).collect();
    assert_eq!(drawn.len(), 3, "{text}");
    for (line, label) in drawn.iter().zip(expected) {
        assert!(line.starts_with(&format!("udp 1    │── {label} ──")), "{text}");
    }
    let tshark = or_skip!(program("tshark"));
    let mut command = std::process::Command::new(tshark);
    command.env("HOME", place.folder.path()).env_remove("XDG_CONFIG_HOME").arg("-r").arg(&file);
    let whole = run(command.args(["-T", "fields", "-e", "ip.reassembled.length"]));
    assert_eq!(stdout(&whole).trim(), "3008", "{}", stderr(&whole));
}

#[test]
fn a_file_read_and_written_again_has_the_same_octets() {
    let place = or_skip!(Place::new());
    place.capture();
    let copy = place.folder.path().join("copy.pcapng");
    read(&place.file(), &["--pcapng", copy.to_str().expect("UTF-8")]);
    assert_eq!(fs::read(copy).expect("written"), fs::read(place.file()).expect("written"));
}

#[test]
fn a_packet_read_from_a_file_gets_no_comment_and_keeps_its_octets() {
    let folder = TempDir::new().expect("a temporary folder");
    let [file, copy] = ["file", "copy"].map(|name| folder.path().join(name));
    fs::write(&file, pcap()).expect("written");
    read(&file, &["--pcapng", copy.to_str().expect("UTF-8")]);
    let copy = fs::read(copy).expect("written");
    let packet = &pcap()[40..];
    // No octets come between the packet and the end of its block.
    assert_eq!(copy[copy.len() - 4 - packet.len()..copy.len() - 4], *packet);
}

#[test]
fn an_icmp_error_about_an_answer_goes_to_the_server() {
    let place = or_skip!(Place::new());
    let wire = place.wire(&["lo", "--count", "3"]);
    // The port is closed when the answer arrives.
    or_skip!(forge(&place.inside, &[("127.0.0.1 40000", "127.0.0.1 13", 0)]));
    let text = wire.end();
    let drawn = ladder(&text);
    let error = drawn.last().expect("three packets");
    assert!(
        error.starts_with("udp 1    │── port unreachable ──") && error.ends_with("▶│"),
        "{text}"
    );
}

#[test]
fn an_unfinished_checksum_sent_on_purpose_stays_unfinished() {
    let place = or_skip!(Place::new());
    let file = place.file();
    let wire = place.wire(&["lo", "--count", "1", "--pcapng", file.to_str().expect("UTF-8")]);
    // The sum of the pseudo-header: 7f00 + 0001 + 7f00 + 0001 + 0011 + 0008.
    let datagram = [0x9c, 0x40, 0, 13, 0, 8, 0xfe, 0x1b];
    let sent = place.inside.enter(|| {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP)).expect("a socket");
        let server: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        socket.send_to(&datagram, &server.into()).expect("sent")
    });
    assert_eq!(or_skip!(sent), datagram.len());
    wire.end();
    let written = fs::read(file).expect("written");
    assert!(written.windows(datagram.len()).any(|octets| octets == datagram), "{written:02x?}");
}

#[test]
fn a_ladder_has_a_title_and_starts_at_0() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("file");
    fs::write(&file, pcap()).expect("written");
    assert_screen("wire_ladder", &read(&file, &["--ladder"]), &[]);
}

#[cfg(feature = "teach")]
#[test]
fn the_ladders_of_the_demonstration_show_when_packets_arrive() {
    let output = run(daytime().args(["wire", "--netns", "--ladder"]));
    if !output.status.success() {
        return crate::support::skip(&stderr(&output));
    }
    let text = stdout(&output);
    for words in ["tcp 1: ", "udp 2: ", " server arrives\n", "── SYN ──", "── empty datagram ──"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn sigint_draws_the_captured_packets() {
    let place = or_skip!(Place::new());
    let wire = place.wire(&["lo", "--ladder"]);
    place.ask("udp");
    wire.signal(Signal::SIGINT);
    let text = wire.end();
    assert!(text.starts_with("udp 1: 127.0.0.1:"), "{text}");
    assert!(text.contains(" → 127.0.0.1:13, on lo\n"), "{text}");
}
