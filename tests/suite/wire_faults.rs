//! Tests `daytime wire` on interfaces of every kind, and its messages when packets are dropped,
//! interfaces go down, or its reader or user stops it.

use crate::or_skip;
use crate::support::capturing::{Capturing, Ended, Place, assert_sum, ladder};
use crate::support::wire::eventually;
use crate::support::{
    Namespace, bad, before, complains, good, ipv6, mentions, program, run, stderr, stdout,
};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::net::UdpSocket;
use std::process::Stdio;

/// Two interfaces joined by a cable, `ve0` with an address. The neighbour 192.0.2.2 has a fixed
/// link-layer address, so packets to it leave without an answer.
const CABLE: [&str; 4] = [
    "link add ve0 type veth peer name ve1",
    "addr add 192.0.2.1/24 dev ve0",
    "link set ve1 up",
    "neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev ve0",
];

fn ip(inside: &Namespace, command: &str) -> Result<(), String> {
    let done = run(inside.command("ip").args(command.split(' ')));
    done.status.success().then_some(()).ok_or_else(|| format!("ip {command}: {}", stderr(&done)))
}

fn cabled() -> Result<Place, String> {
    let place = Place::new()?;
    CABLE.iter().try_for_each(|command| ip(&place.inside, command))?;
    Ok(place)
}

/// Sends this many datagrams of this length to this address. They have left when it returns.
fn send(place: &Place, count: usize, octets: usize, to: &str) -> Result<(), String> {
    place.inside.enter(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("bound");
        for _ in 0..count {
            assert_eq!(socket.send_to(&vec![b'x'; octets], to).expect("sent"), octets);
        }
    })
}

/// Binds a port of 127.0.0.1 and never reads, so that no ICMP error comes back.
fn silent(place: &Place, port: u16) -> Result<UdpSocket, String> {
    place.inside.enter(|| UdpSocket::bind(("127.0.0.1", port)).expect("bound"))
}

/// More datagrams than the buffer of the packet socket holds.
const TOO_MANY: usize = 16_000;

#[test]
fn dropped_packets_are_counted_even_if_no_packet_follows() {
    let place = or_skip!(Place::new());
    let _silent = or_skip!(silent(&place, 7013));
    let wire = place.wire(&["lo", "--port", "7013", "--json"]);
    wire.suspend();
    or_skip!(send(&place, TOO_MANY, 1400, "127.0.0.1:7013"));
    wire.end_suspended();
    let Ended { text, said, status } = wire.ended();
    let mut objects = text.lines().map(|it| serde_json::from_str::<Value>(it).expect("JSON"));
    let lost =
        objects.next_back().expect("some")["lost"].as_u64().expect("the number of dropped packets");
    let shown = objects.inspect(|it| assert_eq!(it["what"], "1400 octets")).count();
    assert!(lost > 1000 && shown > 0, "{lost} lost, {shown} shown");
    // Each packet counts once, although loopback shows two copies. A busy machine may drop some
    // before they are copied.
    let all = usize::try_from(lost).expect("few") + shown;
    assert!(all <= TOO_MANY, "{lost} lost, {shown} shown");
    complains(&said, &["lost", &format!(" {lost} packets"), "port 7013"]);
    assert_eq!(status, Some(0));
}

#[test]
fn traffic_of_other_ports_does_not_fill_the_buffer() {
    let place = or_skip!(Place::new());
    let _silent = or_skip!(silent(&place, 7014));
    let wire = place.wire(&["lo"]);
    wire.suspend();
    or_skip!(send(&place, TOO_MANY, 1400, "127.0.0.1:7014"));
    place.ask("udp");
    wire.end_suspended();
    let text = wire.end();
    assert_sum(&text, 2, 1);
}

#[test]
fn packets_received_before_the_signal_are_shown() {
    let place = or_skip!(Place::new());
    let wire = place.wire(&["lo", "--ladder"]);
    wire.suspend();
    place.ask("udp");
    wire.end_suspended();
    let text = wire.end();
    mentions(&text, &["empty datagram"]);
    assert_sum(&text, 2, 1);
}

#[test]
fn only_packets_of_the_named_interface_are_shown() {
    let place = or_skip!(cabled());
    or_skip!(ip(&place.inside, "link set ve0 up"));
    let wire = place.wire(&["ve0"]);
    wire.suspend();
    place.ask("udp");
    or_skip!(send(&place, 1, 0, "192.0.2.2:13"));
    wire.end_suspended();
    let text = wire.end();
    assert!(text.contains(" → 192.0.2.2:13, on "), "{text}");
    assert_sum(&text, 1, 1);
}

#[test]
fn an_exchange_over_a_cable_is_shown() {
    let place = or_skip!(Place::serving("[::]"));
    let other = or_skip!(Namespace::new());
    or_skip!(place.inside.join(&other, &["192.0.2.1/24"], &["192.0.2.2/24"]));
    let wire = place.wire(&["cable", "--count", "2"]);
    good(other.daytime().args(["query", "-q", "--proto", "udp", "192.0.2.1"]));
    let text = wire.end();
    let drawn = ladder(&text);
    assert!(drawn[0].starts_with("udp 1    │── empty datagram ──"), "{text}");
    assert!(drawn[2].contains("-UTC\\r\\n\" │"), "{text}");
    assert!(
        text.starts_with("udp 1: 192.0.2.2:") && text.contains(" → 192.0.2.1:13, on "),
        "{text}"
    );
}

#[test]
fn an_exchange_over_ipv6_is_shown() {
    or_skip!(ipv6());
    let place = or_skip!(Place::serving("[::1]"));
    let wire = place.wire(&["lo"]);
    wire.suspend();
    for proto in ["udp", "tcp"] {
        good(place.inside.daytime().args(["query", "-q", "--proto", proto, "::1"]));
    }
    wire.end_suspended();
    let text = wire.end();
    assert!(text.starts_with("udp 1: [::1]:") && text.contains(" → [::1]:13, on "), "{text}");
    let drawn = ladder(&text);
    assert!(drawn[1].starts_with("udp 1    │◀──") && drawn[1].ends_with(" octets ──│"), "{text}");
    assert!(drawn[3].starts_with("tcp 2    │── SYN ──"), "{text}");
    assert!(
        drawn[4].starts_with("tcp 2    │◀──") && drawn[4].ends_with("── SYN, ACK ──│"),
        "{text}"
    );
    assert_eq!(before(&text, "exchanges"), Some("2"), "{text}");
    assert!(!text.contains("again"), "{text}");
}

#[test]
fn a_tunnel_without_a_link_layer_address_is_captured() {
    let place = or_skip!(Place::new());
    or_skip!(ip(&place.inside, "tuntap add other mode tun")); // fails without the permission to make a tunnel
    let mut socat = place.inside.command(or_skip!(program("socat")));
    // socat ends with its standard input.
    socat.args(["TUN:192.0.2.1/24,tun-name=tun0,tun-type=tun,iff-no-pi,iff-up", "-"]);
    let mut socat = socat.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
    eventually("the tunnel is there", || {
        let shown = run(place.inside.command("ip").args(["link", "show", "tun0"]));
        stdout(&shown).contains("LOWER_UP")
    });
    let wire = place.wire(&["tun0"]);
    let sent = send(&place, 1, 0, "192.0.2.2:13");
    drop(socat.stdin.take());
    assert!(socat.wait().expect("waited for").success());
    or_skip!(sent);
    let Ended { text, said, status } = wire.ended();
    complains(&said, &["tun0", "down"]);
    assert_eq!(status, Some(1));
    assert!(text.contains(" → 192.0.2.2:13, on "), "{text}");
}

#[test]
fn packets_captured_before_the_interface_went_down_are_shown() {
    for command in ["link set ve0 down", "link delete ve0"] {
        let place = or_skip!(cabled());
        or_skip!(ip(&place.inside, "link set ve0 up"));
        let wire = place.wire(&["ve0", "--ladder"]);
        or_skip!(send(&place, 1, 0, "192.0.2.2:13"));
        or_skip!(ip(&place.inside, command));
        let Ended { text, said, status } = wire.ended();
        complains(&said, &["ve0", "down"]);
        assert_eq!(status, Some(1));
        assert!(text.contains("empty datagram"), "{text}");
        assert_sum(&text, 1, 1);
    }
}

#[test]
fn the_removal_of_another_interface_does_not_end_the_capture() {
    let place = or_skip!(cabled());
    let wire = place.wire(&["lo", "--count", "2"]);
    or_skip!(ip(&place.inside, "link delete ve0"));
    place.ask("udp");
    assert_sum(&wire.end(), 2, 1);
}

#[test]
fn an_interface_that_is_down_is_reported_with_a_hint() {
    let place = or_skip!(cabled());
    let said = bad(1, place.inside.daytime().args(["wire", "ve0"]));
    complains(&said, &["interface ve0", "down", "`ip link set dev ve0 up`"]);
}

#[test]
fn terminal_escapes_in_an_interface_name_never_reach_the_terminal() {
    let inside = or_skip!(Namespace::new());
    or_skip!(ip(&inside, "link add v\u{1b}[2J type veth peer name ve1"));
    let said = bad(1, inside.daytime().args(["wire", "no\u{1b}[2J"]));
    complains(&said, &["no interface", "no\\x1b[2J", "v\\x1b[2J"]);
    assert!(!said.contains('\u{1b}'), "{said}");
}

#[test]
fn a_capture_whose_output_has_no_reader_ends() {
    let place = or_skip!(Place::new());
    let mut wire = place.wire(&["lo"]);
    drop(wire.child.stdout.take());
    place.ask("udp");
    let ended = wire.ended();
    assert_eq!((ended.said.as_str(), ended.status), ("", Some(0)));
}

#[test]
fn the_first_line_says_what_ends_the_capture() {
    let place = or_skip!(Place::new());
    for (arguments, packets, seconds) in [
        (&["lo"][..], None, None),
        (&["lo", "--count", "5"], Some("5"), None),
        (&["lo", "--count", "1", "--duration", "60"], Some("1"), Some("60")),
    ] {
        let wire = place.wire(arguments);
        let line = &wire.announced;
        complains(line, &["port 13 ", " lo", "Ctrl-C"]);
        assert_eq!(before(line, "packets").or(before(line, "packet")), packets, "{line}");
        assert_eq!(before(line, "s"), seconds, "{line}");
        wire.signal(Signal::SIGINT);
        wire.end();
    }
}

#[cfg(feature = "teach")]
#[test]
fn the_demonstration_shows_an_exchange_over_each_transport() {
    let output = run(crate::support::daytime().args(["wire", "--netns"]));
    if !output.status.success() {
        return crate::support::skip(&stderr(&output));
    }
    let text = stdout(&output);
    let drawn = ladder(&text);
    for words in ["── empty datagram ──", " octets ──│", "── SYN ──", "── SYN, ACK ──│"]
    {
        assert!(drawn.iter().any(|line| line.contains(words)), "{words}: {text}");
    }
    assert_eq!(before(&text, "exchanges"), Some("2"), "{text}");
}

#[cfg(feature = "teach")]
#[test]
fn a_demonstration_that_cannot_start_does_not_touch_the_file() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "precious").expect("written");
    // A user namespace may forbid more network namespaces in it.
    let forbid = "echo 0 > /proc/sys/user/max_net_namespaces && exec \"$@\"";
    let mut command = std::process::Command::new(or_skip!(program("unshare")));
    command.args(["-U", "-r", "sh", "-c", forbid, "sh", env!("CARGO_BIN_EXE_daytime")]);
    let said = bad(1, command.args(["wire", "--netns", "--pcapng"]).arg(&file));
    if !said.starts_with("daytime: ") {
        return crate::support::skip(&said);
    }
    assert_eq!(std::fs::read_to_string(&file).expect("there"), "precious");
}

#[test]
fn a_capture_is_written_to_standard_output_without_delay() {
    let place = or_skip!(Place::new());
    let mut wire = place.wire(&["lo", "--count", "2", "--pcapng", "-"]);
    let mut read = crate::support::daytime();
    read.args(["wire", "--read", "-"]).stdin(wire.child.stdout.take().expect("piped"));
    let read = Capturing::spawn(read);
    place.ask("udp");
    let ended = wire.ended();
    assert_sum(&ended.said, 2, 1);
    assert_eq!(ended.status, Some(0));
    let text = read.end();
    assert!(text.contains("── empty datagram ──"), "{text}");
    assert_sum(&text, 2, 1);
}
