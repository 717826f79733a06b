//! Tests which datagrams the guard ignores. The tests forge datagrams and read the counters of the
//! server.

use crate::or_skip;
use crate::support::forge::{Datagram, forge};
use crate::support::wire::eventually;
use crate::support::{Namespace, Running, good, ipv6, program, run, stderr, stdout};

/// Starts a server on port 13 of a host that has two addresses of each family besides loopback.
fn serving(options: &[&str]) -> Result<(Namespace, Running), String> {
    ipv6()?;
    let addresses = ["192.0.2.1/24", "192.0.2.2/24", "2001:db8::1/64", "2001:db8::2/64"];
    let inside = Namespace::having(&addresses)?;
    let mut serve = inside.daytime();
    serve.args(["serve", "--strftime", "%Y", "-v"]).args(options);
    let server = Running::start(serve);
    Ok((inside, server))
}

/// Sends a datagram to a server of its own, and asserts how the server counted it.
fn assert_counted(options: &[&str], datagram: Datagram, expected: &str) {
    let (inside, server) = or_skip!(serving(options));
    or_skip!(forge(&inside, &[datagram]));
    let expected = format!("udp arrivals: 1, {expected}: 1");
    assert_eq!(server.counters(), expected, "{datagram:?}");
}

const EVERYWHERE: [&str; 2] = ["--listen", "[::]"];

#[test]
fn a_forged_question_of_an_ordinary_client_is_answered() {
    assert_counted(&EVERYWHERE, ("192.0.2.2 40000", "192.0.2.1 13", 0), "udp exchanges");
    assert_counted(&EVERYWHERE, ("2001:db8::2 40000", "2001:db8::1 13", 0), "udp exchanges");
}

#[test]
fn a_question_from_port_0_is_not_answered() {
    assert_counted(&EVERYWHERE, ("192.0.2.2 0", "192.0.2.1 13", 0), "udp ignored port-zero");
    assert_counted(&EVERYWHERE, ("2001:db8::2 0", "2001:db8::1 13", 0), "udp ignored port-zero");
}

#[test]
fn a_question_from_another_service_is_not_answered() {
    for port in ["7", "17", "19", "37", "1023"] {
        let from = format!("192.0.2.2 {port}");
        assert_counted(&EVERYWHERE, (&from, "192.0.2.1 13", 0), "udp ignored port-privileged");
    }
    assert_counted(&EVERYWHERE, ("192.0.2.2 2049", "192.0.2.1 13", 0), "udp ignored port-nfs");
}

#[test]
fn a_question_from_a_privileged_port_is_answered_on_request() {
    let options = ["--listen", "[::]", "--answer-privileged-ports"];
    assert_counted(&options, ("192.0.2.2 1023", "192.0.2.1 13", 0), "udp exchanges");
    assert_counted(&options, ("192.0.2.2 13", "192.0.2.1 13", 0), "udp ignored port-own");
}

#[test]
fn a_question_from_the_services_own_port_is_not_answered() {
    assert_counted(&EVERYWHERE, ("192.0.2.2 13", "192.0.2.1 13", 0), "udp ignored port-own");
    let high = ["--listen", "192.0.2.1:9999"];
    assert_counted(&high, ("192.0.2.2 9999", "192.0.2.1 9999", 0), "udp ignored port-own");
}

#[test]
fn a_question_from_an_address_that_no_host_has_is_not_answered() {
    for source in ["224.0.0.1", "255.255.255.255", "0.1.2.3"] {
        let from = format!("{source} 40000");
        assert_counted(&EVERYWHERE, (&from, "192.0.2.1 13", 0), "udp ignored source-no-host");
        assert_counted(
            &["--listen", "0.0.0.0"],
            (&from, "192.0.2.1 13", 0),
            "udp ignored source-no-host",
        );
    }
    // Linux itself drops datagrams from an IPv6 multicast address. Unit tests of the guard cover
    // them.
}

#[test]
fn a_question_from_the_broadcast_address_of_an_interface_is_not_answered() {
    let (here, there) = (or_skip!(Namespace::new()), or_skip!(Namespace::new()));
    or_skip!(here.join(&there, &["192.0.2.1/24"], &["192.0.2.9/24"]));
    let mut serve = here.daytime();
    serve.args(["serve", "--strftime", "%Y", "-v", "--listen", "192.0.2.1"]);
    let server = Running::start(serve);
    or_skip!(forge(&here, &[("192.0.2.255 40000", "192.0.2.1 13", 0)]));
    assert_eq!(server.counters(), "udp arrivals: 1, udp ignored source-no-host: 1");
}

#[test]
fn a_loopback_source_is_answered_over_the_loopback_interface() {
    for everywhere in [&EVERYWHERE[..], &["--listen", "0.0.0.0"]] {
        assert_counted(everywhere, ("127.0.0.1 40000", "127.0.0.1 13", 0), "udp exchanges");
        assert_counted(everywhere, ("127.0.0.1 40000", "192.0.2.1 13", 0), "udp exchanges");
    }
    assert_counted(&EVERYWHERE, ("::1 40000", "::1 13", 0), "udp exchanges");
    assert_counted(
        &["--listen", "127.0.0.1"],
        ("127.0.0.1 40000", "127.0.0.1 13", 0),
        "udp exchanges",
    );
    // The interface is unknown on a socket that is bound to an address.
    let bound = ["--listen", "192.0.2.1"];
    assert_counted(&bound, ("127.0.0.1 40000", "192.0.2.1 13", 0), "udp ignored source-loopback");
}

#[test]
fn a_forged_loopback_source_that_comes_in_over_a_cable_is_not_answered() {
    for local_net in ["0", "1"] {
        let (here, there) = (or_skip!(Namespace::new()), or_skip!(Namespace::new()));
        or_skip!(here.join(&there, &["192.0.2.1/24", "2001:db8::1/64"], &["192.0.2.9/24"]));
        // These two settings would drop the datagram even if route_localnet allowed it.
        let others = [("rp_filter", "0"), ("accept_local", "1")];
        for (setting, value) in [("route_localnet", local_net)].into_iter().chain(others) {
            for interfaces in ["all", "cable"] {
                let file = format!("/proc/sys/net/ipv4/conf/{interfaces}/{setting}");
                good(here.command("sh").args(["-c", &format!("echo {value} > {file}")]));
            }
        }
        let mut serve = here.daytime();
        serve.args(["serve", "-v", "--strftime", "%Y", "--listen", "[::]"]);
        let server = Running::start(serve);
        let forged = ("127.0.0.1 40000", "192.0.2.1 13", 0);
        let mut query = there.daytime();
        query.args(["query", "-q", "--proto", "udp", "--impolite", "192.0.2.1"]);
        good(&mut query); // so that each host learns the other's link address
        or_skip!(forge(&there, &[forged]));
        // The cable delivers in order, so this reply shows that the forged datagram has been
        // judged.
        good(&mut query);
        let counted = match local_net {
            "1" => "udp arrivals: 3, udp exchanges: 2, udp ignored source-loopback: 1",
            _ => "udp arrivals: 2, udp exchanges: 2", // the kernel dropped it
        };
        assert_eq!(server.counters(), counted, "route_localnet={local_net}");
    }
}

#[test]
fn without_amplification_only_a_question_as_long_as_the_reply_is_answered() {
    // The reply is the year and CR LF.
    let options = ["--listen", "[::]", "--no-amplification"];
    assert_counted(&options, ("192.0.2.2 40000", "192.0.2.1 13", 5), "udp ignored too-short");
    assert_counted(&options, ("192.0.2.2 40000", "192.0.2.1 13", 6), "udp exchanges");
    assert_counted(&options, ("2001:db8::2 40000", "2001:db8::1 13", 1400), "udp exchanges");
}

#[test]
fn a_question_sent_to_a_broadcast_address_is_not_answered() {
    for wildcard in ["0.0.0.0", "[::]"] {
        let (here, there) = (or_skip!(Namespace::new()), or_skip!(Namespace::new()));
        or_skip!(here.join(&there, &["192.0.2.1/24", "2001:db8::1/64"], &["192.0.2.9/24"]));
        let mut serve = here.daytime();
        serve.args(["serve", "--strftime", "%Y", "-v", "--listen", wildcard]);
        let server = Running::start(serve);
        let mut python = there.command(or_skip!(program("python3")));
        let said = run(python.args(["-c", TO_MANY]));
        assert_eq!((stderr(&said).as_str(), stdout(&said).as_str()), ("", "192.0.2.1\n"));
        assert_eq!(
            server.counters(),
            "udp arrivals: 3, udp exchanges: 1, udp ignored sent-to-many: 2"
        );
    }
}

/// Python program that asks two kinds of broadcast addresses, which get no reply, and then the host
/// itself, whose reply comes first.
const TO_MANY: &str = r"
import socket
ask = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ask.settimeout(30)
ask.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
ask.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'cable')
for host in ['192.0.2.255', '255.255.255.255', '192.0.2.1']:
    ask.sendto(b'', (host, 13))
print(ask.recvfrom(64)[1][0])
";

#[test]
fn a_question_sent_to_an_ipv6_multicast_address_is_not_answered() {
    // Over IPv4, the kernel reports multicast like broadcast, and not every kernel supports
    // multicast there.
    let (here, there) = (or_skip!(Namespace::new()), or_skip!(Namespace::new()));
    or_skip!(here.join(&there, &["2001:db8::1/64"], &["2001:db8::9/64"]));
    let mut serve = here.daytime();
    serve.args(["serve", "--strftime", "%Y", "-v", "--listen", "[::]"]);
    let server = Running::start(serve);
    let python = or_skip!(program("python3"));
    // A new link carries multicast only after a while.
    eventually("the host gets a multicast datagram", || {
        run(there.command(&python).args(["-c", TO_ALL]));
        has_taken_datagrams(&here)
    });
    let counters = server.counters();
    let (_, counts) = counters.split_once("udp arrivals: ").expect("received");
    let (received, ignored) =
        counts.split_once(", udp ignored sent-to-many: ").expect("nothing else");
    assert_eq!(received, ignored);
}

/// Whether a UDP socket of this host has received a datagram over IPv6 (`/proc/net/snmp6`).
fn has_taken_datagrams(host: &Namespace) -> bool {
    let counters = good(host.command("cat").arg("/proc/net/snmp6"));
    let mut taken = counters.lines().filter_map(|line| line.strip_prefix("Udp6InDatagrams"));
    taken.next().expect("a line").trim() != "0"
}

const TO_ALL: &str = r"
import socket
ask = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
ask.bind(('2001:db8::9', 0))
ask.sendto(b'', ('ff02::1%cable', 13))
";

#[test]
fn a_reply_that_cannot_be_sent_does_not_affect_the_next_one() {
    let (inside, server) = or_skip!(serving(&["--listen", "0.0.0.0"]));
    // There is no route to the source of the second datagram.
    let datagrams = [
        ("192.0.2.2 40000", "192.0.2.1 13", 0),
        ("203.0.113.9 40000", "192.0.2.1 13", 0),
        ("192.0.2.2 40001", "192.0.2.1 13", 0),
    ];
    or_skip!(forge(&inside, &datagrams));
    assert_eq!(server.counters(), "udp arrivals: 3, udp exchanges: 2, udp error unreachable: 1");
}

#[test]
fn two_sockets_of_one_service_pointed_at_each_other_exchange_nothing() {
    let options = ["--listen", "192.0.2.1:9998", "--listen", "192.0.2.2:9999"];
    let datagram = ("192.0.2.2 9999", "192.0.2.1 9998", 0);
    assert_counted(&options, datagram, "udp ignored port-own");
}

#[test]
fn two_services_pointed_at_each_other_exchange_nothing() {
    let (inside, one) = or_skip!(serving(&["--listen", "192.0.2.1:13"]));
    let mut serve = inside.daytime();
    serve.args(["serve", "--strftime", "%Y", "-v", "--listen", "192.0.2.2:13"]);
    let other = Running::start(serve);
    or_skip!(forge(&inside, &[("192.0.2.2 13", "192.0.2.1 13", 0)]));
    // Both servers run, and each has answered only this client.
    for host in ["192.0.2.1", "192.0.2.2"] {
        good(inside.daytime().args(["query", "-q", "--proto", "udp", host, "--impolite"]));
    }
    assert_eq!(one.counters(), "udp arrivals: 2, udp exchanges: 1, udp ignored port-own: 1");
    assert_eq!(other.counters(), "udp arrivals: 1, udp exchanges: 1");
}
