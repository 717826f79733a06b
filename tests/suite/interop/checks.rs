//! `daytime check` tells the servers of others apart, over a cable between two hosts.
//!
//! What is expected stands in `PEERS.md` of the project's measurements, where it was a matter of luck how
//! often a client that talks first was reset; that the reset comes is not.

use super::inetds::{BUSYBOX, INETUTILS, Inetd, OPENBSD, XINETD};
use super::peer::{Peer, objects};
use crate::or_skip;
use crate::support::{Namespace, program, run};
use serde_json::Value;
use std::fs;

/// Two hosts, and what `check` on the second says of `server` on the first.
fn check(start: impl FnOnce(&Namespace) -> Result<Peer, String>) -> Result<Value, String> {
    let (there, here) = (Namespace::new()?, Namespace::new()?);
    let addresses = ["198.51.100.1/24", "2001:db8::1/64"];
    there.join(&here, &addresses, &["198.51.100.2/24", "2001:db8::2/64"])?;
    let hosts = "198.51.100.1 server\n2001:db8::1 server\n";
    fs::write(here.folder().join("hosts"), hosts).expect("written");
    let _peer = start(&there)?;
    let mut check = here.daytime();
    let output = run(check.args(["check", "--impolite", "--json", "server"]));
    let [checked] = &objects(&output)[..] else { panic!("{output:?}") };
    Ok(checked.clone())
}

fn probe<'a>(checked: &'a Value, name: &str) -> &'a Value {
    let probes = checked["probes"].as_array().expect("probes");
    probes.iter().find(|probe| probe["probe"] == name).unwrap_or_else(|| panic!("no {name}"))
}

fn reason<'a>(checked: &'a Value, name: &str) -> &'a str {
    probe(checked, name)["reason"].as_str().expect("a reason")
}

/// The names of all probes with a verdict, but for those left out.
fn with<'a>(verdict: &str, checked: &'a Value, without: &[&str]) -> Vec<&'a str> {
    let probes = checked["probes"].as_array().expect("probes").iter();
    let with = probes.filter(|probe| probe["verdict"] == verdict);
    let names = with.map(|probe| probe["probe"].as_str().expect("a name"));
    names.filter(|name| !without.contains(name)).collect()
}

fn inetd(inetd: &Inetd) -> Result<Value, String> {
    check(|there| inetd.start_in(there))
}

/// What is wrong with each inetd there is.
const RESETS: [&str; 2] = ["tcp-crlf-first", "tcp-64k-first"];
const ANSWERS_SERVICES: [&str; 2] = ["udp-privileged-port", "udp-own-port"];

fn assert_inetd(checked: &Value, without: &[&str], syntax: &str) {
    let wrong = [RESETS, ANSWERS_SERVICES].concat();
    assert_eq!(with("fail", checked, without), wrong, "{checked:#}");
    for name in RESETS {
        assert!(reason(checked, name).starts_with("reset after "), "{checked:#}");
    }
    assert_eq!(reason(checked, "one-line"), "ends with CR LF");
    assert_eq!(reason(checked, "syntax"), syntax);
}

const CTIME: &str = "ctime, no instant: its zone is not certain";

#[test]
fn openbsd_inetd_resets_who_talks_and_answers_services_over_both_families() {
    let checked = or_skip!(inetd(&OPENBSD));
    assert_inetd(&checked, &[], CTIME);
    assert_eq!(with("not-tried", &checked, &[]), ["clock"], "{checked:#}");
}

#[test]
fn inetutils_inetd_does_the_same_over_ipv4_only() {
    let checked = or_skip!(inetd(&INETUTILS));
    assert_inetd(&checked, &["tcp-ipv6", "udp-ipv6"], CTIME);
    assert_eq!(reason(&checked, "tcp-ipv6"), "connection refused by [2001:db8::1]:13");
    assert_eq!(with("not-tried", &checked, &[]), ["clock"], "{checked:#}");
}

#[test]
fn busybox_inetd_does_the_same_over_ipv4_only() {
    let checked = or_skip!(inetd(&BUSYBOX));
    assert_inetd(&checked, &["tcp-ipv6", "udp-ipv6"], CTIME);
    assert_eq!(with("not-tried", &checked, &[]), ["clock"], "{checked:#}");
}

#[test]
fn xinetd_does_the_same_and_names_its_zone() {
    let checked = or_skip!(inetd(&XINETD));
    assert_inetd(&checked, &[], "smtp, an instant");
    assert_eq!(with("not-tried", &checked, &[]), [""; 0], "{checked:#}");
}

/// It forwards what a client says to date(1), which does not read it and may be gone already: what socat does
/// then is luck, so the probes that say something are left out.
#[test]
fn socat_and_date_end_with_lf_and_answer_services() {
    let socat = or_skip!(program("socat"));
    let checked = or_skip!(check(|there| {
        let both = "\"$0\" UDP4-RECVFROM:13,fork SYSTEM:date & \
                    exec \"$0\" TCP4-LISTEN:13,fork,reuseaddr SYSTEM:date";
        let mut command = there.command("sh");
        command.args(["-c", both]).arg(&socat);
        Ok(Peer::start(there, command, 13, 2))
    }));
    let says_something = [RESETS, ["udp-one-octet", "udp-1400-octets"]].concat();
    let without = [&["tcp-ipv6", "udp-ipv6"], &says_something[..]].concat();
    assert_eq!(with("fail", &checked, &without), ANSWERS_SERVICES, "{checked:#}");
    assert_eq!(reason(&checked, "one-line"), "ends with LF, not CR LF");
    assert_eq!(reason(&checked, "syntax"), "ctime, an instant");
}

#[test]
fn our_own_server_passes_where_they_fail() {
    let checked = or_skip!(check(|there| {
        let mut serve = there.daytime();
        serve.args(["serve", "--listen", "[::]"]);
        Ok(Peer::start(there, serve, 13, 2))
    }));
    assert_eq!(checked["passed"], 22, "{checked:#}");
}
