//! Clients of others ask `daytime serve`, on port 13 of a namespace.

use super::client;
use crate::or_skip;
use crate::support::{Namespace, Running, stderr, stdout};
use std::fs::{self, File};
use std::process::{Command, Output};

/// What the server says, whatever the time is.
const LINE: &str = "noon at the lab";
/// The same as it goes over the wire.
const REPLY: &str = "noon at the lab\r\n";

/// A namespace whose port 13 answers, over both transports and both families.
struct Lab {
    server: Running,
    namespace: Namespace,
}

impl Lab {
    fn open() -> Result<Self, String> {
        let namespace = Namespace::new()?;
        let mut command = namespace.daytime();
        command.args(["serve", "--strftime", LINE]);
        let server = Running::start(command);
        assert_eq!(server.bound.len(), 4, "{:?}", server.bound);
        Ok(Self { server, namespace })
    }

    fn client(&self, name: &str) -> Result<Command, String> {
        client(&self.namespace, name)
    }

    /// Something to send: what it says makes no difference.
    fn question(&self) -> File {
        let path = self.namespace.folder().join("question");
        fs::write(&path, "what time is it?\n").expect("written");
        File::open(path).expect("readable")
    }

    /// Ends the server: how many connections and how many datagrams it says it answered.
    fn close(mut self) -> [u64; 2] {
        self.server.signal("TERM");
        let (status, log) = self.server.wait();
        assert!(status.success(), "{status}: {log}");
        let (_, answered) = log.rsplit_once("answered ").expect("the last line");
        let counts = answered.split_whitespace().filter_map(|word| word.parse().ok());
        counts.collect::<Vec<u64>>().try_into().unwrap_or_else(|_| panic!("not two counts: {log}"))
    }
}

fn assert_reply(output: &Output) {
    assert!(output.status.success(), "{}: {}", output.status, stderr(output));
    assert_eq!(stdout(output), REPLY, "{}", stderr(output));
}

#[test]
fn perl_net_time_reads_the_line_over_tcp_and_udp() {
    let lab = or_skip!(Lab::open());
    for protocol in ["tcp", "udp"] {
        let mut perl = or_skip!(lab.client("perl"));
        let program = "print inet_daytime('localhost', shift, 20) // die 'no answer'";
        let output = perl.args(["-MNet::Time=inet_daytime", "-e", program, protocol]).output();
        assert_reply(&output.expect("it runs"));
    }
    assert_eq!(lab.close(), [1, 1]);
}

#[test]
fn netcat_reads_the_line_over_tcp() {
    let lab = or_skip!(Lab::open());
    for host in ["127.0.0.1", "::1"] {
        let mut netcat = or_skip!(lab.client("nc.openbsd"));
        assert_reply(&netcat.args([host, "13"]).output().expect("it runs"));
    }
    assert_eq!(lab.close(), [2, 0]);
}

#[test]
fn netcat_reads_the_line_over_udp() {
    let lab = or_skip!(Lab::open());
    for host in ["127.0.0.1", "::1"] {
        let mut netcat = or_skip!(lab.client("nc.openbsd"));
        // It sends what it is given, and ends after one datagram (-W 1).
        let netcat = netcat.args(["-u", "-W", "1", host, "13"]).stdin(lab.question());
        assert_reply(&netcat.output().expect("it runs"));
    }
    assert_eq!(lab.close(), [0, 2]);
}

#[test]
fn socat_reads_the_line_over_tcp() {
    let lab = or_skip!(Lab::open());
    for address in ["TCP4:127.0.0.1:13", "TCP6:[::1]:13"] {
        let mut socat = or_skip!(lab.client("socat"));
        // Its standard input is empty, so it half-closes first; -t is how long it reads on then.
        assert_reply(&socat.args(["-t", "20", "STDIO", address]).output().expect("it runs"));
    }
    assert_eq!(lab.close(), [2, 0]);
}

#[test]
fn socat_reads_the_line_over_udp() {
    let lab = or_skip!(Lab::open());
    for address in ["UDP4:127.0.0.1:13", "UDP6:[::1]:13"] {
        let mut socat = or_skip!(lab.client("socat"));
        // Datagrams have no end, so it is told how much to read.
        let address = format!("{address},readbytes={}", REPLY.len());
        let socat = socat.args(["-t", "20", "STDIO", &address]).stdin(lab.question());
        assert_reply(&socat.output().expect("it runs"));
    }
    assert_eq!(lab.close(), [0, 2]);
}

#[test]
fn busybox_nc_reads_the_line_over_tcp() {
    let lab = or_skip!(Lab::open());
    let mut busybox = or_skip!(lab.client("busybox"));
    assert_reply(&busybox.args(["nc", "127.0.0.1", "13"]).output().expect("it runs"));
    assert_eq!(lab.close(), [1, 0]);
}

#[test]
fn nmaps_script_reads_the_line_over_tcp() {
    let [connections, datagrams] = or_skip!(nmap("-sT", "13/tcp open  daytime"));
    // The scan resets its connection at once, answered or not; the script asks for itself.
    assert!((1..=2).contains(&connections) && datagrams == 0, "{connections}, {datagrams}");
}

#[test]
fn nmaps_script_reads_the_line_over_udp() {
    let [connections, datagrams] = or_skip!(nmap("-sU", "13/udp open  daytime"));
    // One for the scan, one for the script; either may ask again on a busy machine.
    assert!(connections == 0 && datagrams >= 2, "{connections}, {datagrams}");
}

/// Has nmap find the open port and its script ask: what the server answered then.
fn nmap(scan: &str, open: &str) -> Result<[u64; 2], String> {
    let lab = Lab::open()?;
    let mut nmap = lab.client("nmap")?;
    let output = nmap.args(["-n", "-Pn", scan, "-p13", "--script", "daytime", "127.0.0.1"]);
    let output = output.output().expect("it runs");
    assert!(output.status.success(), "{}: {}", output.status, stderr(&output));
    let text = stdout(&output);
    let at = text.lines().position(|line| line.trim_end() == open);
    let at = at.unwrap_or_else(|| panic!("{open:?} is not in {text}"));
    // It escapes the carriage return, and takes the line feed for the end of the line.
    let said = text.lines().nth(at + 1).unwrap_or_default();
    assert_eq!(said, format!("|_daytime: {LINE}\\x0D"), "{text}");
    Ok(lab.close())
}
