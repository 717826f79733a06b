//! The inetds of Debian, with the daytime service they have inside, answer our client.

use super::peer::{Peer, assert_now, objects};
use crate::or_skip;
use crate::support::forge::forge;
use crate::support::wire::eventually;
use crate::support::{Namespace, Running, good, stderr, stdout, unpacked};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

/// An address for documentation (RFC 5737), given to the namespace's loopback interface: openbsd-inetd
/// drops every datagram from 127.0.0.0/8, and does not say so.
pub(super) const HOST: &str = "192.0.2.1";

const CTIME: &str = "%a %b %e %H:%M:%S %Y";

/// One inetd: how it is started, and what it says.
pub(super) struct Inetd {
    pub(super) package: &'static str,
    /// Where the package has it, and its name on PATH.
    path: &'static str,
    /// Stays in the foreground; the file's name follows.
    arguments: &'static [&'static str],
    configuration: &'static str,
    /// TCP and UDP, for IPv4, IPv6 or both.
    sockets: usize,
    reply: &'static str,
}

const CLASSIC: &str = "\
daytime stream tcp nowait root internal
daytime dgram udp wait root internal
";

pub(super) const OPENBSD: Inetd = Inetd {
    package: "openbsd-inetd",
    path: "usr/sbin/inetd",
    arguments: &["-i"],
    configuration: CLASSIC,
    sockets: 4,
    reply: CTIME,
};

pub(super) const INETUTILS: Inetd = Inetd {
    package: "inetutils-inetd",
    path: "usr/sbin/inetutils-inetd",
    arguments: &["-d"],
    configuration: CLASSIC,
    sockets: 2,
    reply: CTIME,
};

/// Debian's package has busybox without its inetd, so `.ci/peers` builds that from Debian's source.
pub(super) const BUSYBOX: Inetd = Inetd {
    package: "busybox-inetd",
    path: "usr/sbin/inetd",
    arguments: &["-f"],
    configuration: CLASSIC,
    sockets: 2,
    reply: CTIME,
};

/// By default it takes 50 connections a second, and then none for 10 seconds.
pub(super) const XINETD: Inetd = Inetd {
    package: "xinetd",
    path: "usr/sbin/xinetd",
    arguments: &["-dontfork", "-f"],
    configuration: "\
defaults
{
    instances = UNLIMITED
    per_source = UNLIMITED
    cps = 0 0
}
service daytime
{
    id = daytime-stream
    type = INTERNAL
    socket_type = stream
    protocol = tcp
    wait = no
    user = root
}
service daytime
{
    id = daytime-dgram
    type = INTERNAL
    socket_type = dgram
    protocol = udp
    wait = yes
    user = root
}
",
    sockets: 2,
    reply: "%d %b %Y %H:%M:%S UTC",
};

impl Inetd {
    /// As `.ci/peers` unpacked it, or as it is installed.
    fn program(&self) -> Result<PathBuf, String> {
        let unpacked = unpacked(self.package).join(self.path);
        if unpacked.is_file() {
            return fs::canonicalize(unpacked).map_err(|error| error.to_string());
        }
        let name = Path::new(self.path).file_name().expect("a name").to_string_lossy();
        // Several packages have a program of this name: any other one would be another test.
        if name == "inetd" {
            return Err(format!("{} is not unpacked here (.ci/peers does it)", self.package));
        }
        crate::support::program(&name)
    }

    fn start(&self) -> Result<(Peer, Namespace), String> {
        let namespace = Namespace::having(&[&format!("{HOST}/32")])?;
        Ok((self.start_in(&namespace)?, namespace))
    }

    pub(super) fn start_in(&self, namespace: &Namespace) -> Result<Peer, String> {
        self.start_with(namespace, self.configuration, self.sockets)
    }

    /// With another configuration, which leads to so many sockets.
    pub(super) fn start_with(
        &self,
        namespace: &Namespace,
        lines: &str,
        sockets: usize,
    ) -> Result<Peer, String> {
        let program = self.program()?;
        // They write their process ids there, each into the same file as another test's.
        good(namespace.command("mount").args(["-t", "tmpfs", "tmpfs", "/run"]));
        let configuration = namespace.folder().join("inetd.conf");
        fs::write(&configuration, lines).expect("written");
        let mut command = namespace.command(program);
        command.args(self.arguments).arg(configuration);
        Ok(Peer::start(namespace, command, 13, sockets))
    }

    fn assert_reply(&self, answer: &serde_json::Value, transport: &str) {
        assert_eq!(answer["transport"], transport, "{answer}");
        assert_eq!(answer["peer"], format!("{HOST}:13"), "{answer}");
        assert_now(answer["reply"].as_str().expect("a line"), self.reply);
        assert!(answer["reply_hex"].as_str().expect("octets").ends_with("0d0a"), "{answer}");
        assert_eq!(answer["octets"], 26, "{answer}");
    }

    /// One question over each transport.
    fn assert_answers_queries(&self) {
        let (_inetd, namespace) = or_skip!(self.start());
        for transport in ["tcp", "udp"] {
            let mut query = namespace.daytime();
            let output = query.args(["query", "--proto", transport, "--json", HOST]).output();
            let output = output.expect("it runs");
            assert_clean(&output);
            let [answer] = &objects(&output)[..] else { panic!("{output:?}") };
            self.assert_reply(answer, transport);
        }
    }

    /// Many questions over both.
    fn assert_can_be_compared_on(&self) {
        let (_inetd, namespace) = or_skip!(self.start());
        let mut compare = namespace.daytime();
        let output =
            compare.args(["compare", "--impolite", "--count", "20", "--json", HOST]).output();
        let output = output.expect("it runs");
        assert_clean(&output);
        let [comparison] = &objects(&output)[..] else { panic!("{output:?}") };
        for transport in ["tcp", "udp"] {
            let side = &comparison[transport];
            self.assert_reply(&side["answer"], transport);
            assert_eq!(side["failures"], 0, "{side}");
            let samples = side["latency_us"]["samples"].as_array().map(Vec::len);
            assert_eq!(samples, Some(20), "{side}");
        }
        let packets = |transport: &str| comparison[transport]["wire"]["total"]["packets"].as_u64();
        assert_eq!(packets("udp"), Some(2));
        assert!(packets("tcp") >= Some(6), "handshake, line and two goodbyes: {comparison}");
        assert_eq!(comparison["tcp"]["remaining_state"], "time-wait at server");
        assert_eq!(comparison["udp"]["remaining_state"], "nothing");
    }
}

fn assert_clean(output: &Output) {
    let said = (stdout(output), stderr(output));
    assert!(output.status.success() && said.1.is_empty(), "{}: {said:?}", output.status);
}

#[test]
fn openbsd_inetd_answers_queries() {
    OPENBSD.assert_answers_queries();
}

#[test]
fn openbsd_inetd_can_be_compared_on() {
    OPENBSD.assert_can_be_compared_on();
}

#[test]
fn busybox_inetd_answers_queries() {
    BUSYBOX.assert_answers_queries();
}

#[test]
fn busybox_inetd_can_be_compared_on() {
    BUSYBOX.assert_can_be_compared_on();
}

#[test]
fn inetutils_inetd_answers_queries() {
    INETUTILS.assert_answers_queries();
}

#[test]
fn inetutils_inetd_can_be_compared_on() {
    INETUTILS.assert_can_be_compared_on();
}

#[test]
fn xinetd_answers_queries() {
    XINETD.assert_answers_queries();
}

/// After each answer it throws away what its socket holds. So a question that comes at once after
/// another's answer is lost; the comparison has to live with that.
#[test]
fn xinetd_can_be_compared_on() {
    XINETD.assert_can_be_compared_on();
}

/// Two hosts, one cable. A datagram that was forged on the second, from its own daytime port to the first's,
/// and how many datagrams the first has taken since it began.
fn forged_between(
    serve: impl Fn(&Namespace) -> Result<(), String>,
) -> Result<(Namespace, Namespace), String> {
    let (here, there) = (Namespace::new()?, Namespace::new()?);
    here.join(&there, &["192.0.2.1/24"], &["192.0.2.9/24"])?;
    serve(&here)?;
    serve(&there)?;
    forge(&there, &[("192.0.2.9 13", "192.0.2.1 13", 0)])?;
    Ok((here, there))
}

/// Datagrams that a host's UDP sockets have taken (`/proc/net/snmp`, `Udp: InDatagrams`).
fn datagrams(host: &Namespace) -> u64 {
    let counters = good(host.command("cat").arg("/proc/net/snmp"));
    let line = counters.lines().filter_map(|line| line.strip_prefix("Udp: ")).nth(1);
    let taken = line.and_then(|line| line.split(' ').next()).expect("a number");
    taken.parse().expect("a number")
}

/// Without a guard one forged datagram keeps two services busy for ever; 1000 are enough to see it.
fn assert_loops(inetd: &Inetd) {
    let peers = std::cell::RefCell::new(Vec::new());
    let hosts = forged_between(|host| {
        peers.borrow_mut().push(inetd.start_in(host)?);
        Ok(())
    });
    let (here, _there) = or_skip!(hosts);
    eventually("they go on and on", || datagrams(&here) > 1000);
}

#[test]
fn one_forged_datagram_keeps_two_openbsd_inetds_busy_for_ever() {
    assert_loops(&OPENBSD);
}

#[test]
fn one_forged_datagram_keeps_two_busybox_inetds_busy_for_ever() {
    assert_loops(&BUSYBOX);
}

#[test]
fn one_forged_datagram_keeps_two_inetutils_inetds_busy_for_ever() {
    assert_loops(&INETUTILS);
}

#[test]
fn one_forged_datagram_starts_nothing_between_two_of_our_servers() {
    let servers = std::cell::RefCell::new(Vec::new());
    let hosts = forged_between(|host| {
        let mut serve = host.daytime();
        serve.args(["serve", "--listen", "0.0.0.0", "-v"]);
        servers.borrow_mut().push(Running::start(serve));
        Ok(())
    });
    let (here, there) = or_skip!(hosts);
    // Each answers the other host's client, so whatever there was before that has been treated.
    let ask = ["query", "-q", "--proto", "udp", "--impolite"];
    good(there.daytime().args(ask).arg("192.0.2.1"));
    good(here.daytime().args(ask).arg("192.0.2.9"));
    let mut servers = servers.into_inner().into_iter().map(Running::counters);
    let counted = "udp arrivals: 2, udp exchanges: 1, udp ignored port-own: 1";
    assert_eq!(servers.next().as_deref(), Some(counted));
    assert_eq!(servers.next().as_deref(), Some("udp arrivals: 1, udp exchanges: 1"));
}
