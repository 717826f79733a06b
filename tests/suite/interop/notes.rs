//! The lab notes' own programs: their client asks `daytime serve`, and ours asks their server.

use super::peer::{Peer, assert_now, objects};
use super::{beside, client};
use crate::or_skip;
use crate::support::{Namespace, Running, program, stderr, stdout};
use std::fs;
use std::process::Output;

/// The notes' port.
const PORT: u16 = 9999;

/// Runs the notes' client in a namespace where `daytime serve` has these arguments.
fn ask(hosts: Option<&str>, serve: &[&str], host: &[&str]) -> Result<Output, String> {
    let namespace = Namespace::new()?;
    if let Some(hosts) = hosts {
        // The file that is mounted over the host's: written in place, so that it stays the same one.
        fs::write(namespace.folder().join("hosts"), hosts).expect("written");
    }
    let mut command = namespace.daytime();
    command.args(["serve", "--port", "9999", "--syntax", "ctime"]).args(serve);
    let _server = Running::start(command);
    let mut python = client(&namespace, "python3")?;
    Ok(python.arg(beside("client.py")).args(host).output().expect("it runs"))
}

fn assert_told_the_time(output: &Output) {
    assert!(output.status.success(), "{}: {}", output.status, stderr(output));
    let text = stdout(output);
    let line = text.strip_prefix("Time got from the server is ");
    let line = line.and_then(|line| line.strip_suffix("\r\n\n"));
    let line = line.unwrap_or_else(|| panic!("{text:?} is not what the notes' client prints"));
    assert_now(line, "%a %b %e %H:%M:%S %Y");
}

#[test]
fn the_notes_client_reads_the_line_from_localhost() {
    assert_told_the_time(&or_skip!(ask(None, &[], &["localhost"])));
}

#[test]
fn the_notes_client_reads_the_line_from_this_hosts_name() {
    assert_told_the_time(&or_skip!(ask(None, &[], &[])));
}

/// Debian gives the host's own name the address 127.0.1.1, which is loopback but not "localhost".
#[test]
fn the_notes_client_reads_the_line_where_this_hosts_name_is_127_0_1_1() {
    let hosts = "127.0.0.1 localhost\n127.0.1.1 lab\n";
    assert_told_the_time(&or_skip!(ask(Some(hosts), &["--listen", "0.0.0.0"], &[])));
}

/// How our client tells that the notes' server is not there over UDP.
const UDP_IS_CLOSED: &str = "127.0.0.1:9999 says by ICMP that its UDP port is closed";

/// The notes' server, and the namespace that it listens in: on one address of IPv4, over TCP.
fn server() -> Result<(Peer, Namespace), String> {
    let namespace = Namespace::new()?;
    let mut command = namespace.command(program("python3")?);
    command.arg(beside("server.py"));
    Ok((Peer::start(&namespace, command, PORT, 1), namespace))
}

#[test]
fn the_notes_server_answers_a_query_over_tcp_and_refuses_one_over_udp() {
    let (_server, namespace) = or_skip!(server());
    let output =
        namespace.daytime().args(["query", "--proto", "both", "--json", "lab:9999"]).output();
    let output = output.expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let [tcp, udp] = &objects(&output)[..] else { panic!("{output:?}") };
    assert_eq!((&tcp["transport"], &udp["transport"]), (&"tcp".into(), &"udp".into()));
    assert_now(tcp["reply"].as_str().expect("a line"), "%a %b %e %H:%M:%S %Y");
    assert!(tcp["reply_hex"].as_str().expect("octets").ends_with("0d0a"), "{tcp}");
    assert!(udp["error"].as_str().expect("an error").starts_with(UDP_IS_CLOSED), "{udp}");
}

#[test]
fn a_comparison_on_the_notes_server_fills_the_column_of_tcp_and_fails() {
    let (_server, namespace) = or_skip!(server());
    let output =
        namespace.daytime().args(["compare", "--count", "20", "--json", "lab:9999"]).output();
    let output = output.expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let [comparison] = &objects(&output)[..] else { panic!("{output:?}") };
    let (tcp, udp) = (&comparison["tcp"], &comparison["udp"]);
    assert_eq!(tcp["failures"], 0);
    assert_eq!(tcp["latency_us"]["samples"].as_array().map(Vec::len), Some(20));
    assert_now(tcp["answer"]["reply"].as_str().expect("a line"), "%a %b %e %H:%M:%S %Y");
    assert!(udp["error"].as_str().expect("an error").starts_with(UDP_IS_CLOSED), "{udp}");
    let told = stderr(&output);
    assert!(told.starts_with(&format!("daytime: {UDP_IS_CLOSED}")), "{told}");
}
