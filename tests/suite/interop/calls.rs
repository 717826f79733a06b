//! The calls that an answer reports are those that strace sees.

use crate::or_skip;
use crate::support::traced::strace;
use crate::support::{Running, run, stderr, stdout};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use tempfile::TempDir;

/// Everything a socket can be used with.
const TRACE: &str = "trace=network,close,read,readv,write,writev,\
                     epoll_ctl,epoll_wait,epoll_pwait,epoll_pwait2,poll,ppoll,select,pselect6";

/// A question under strace: the calls it reports, and those that were seen.
fn reported_and_seen(transport: &str) -> Result<[Vec<String>; 2], String> {
    let server = Running::serve(&[]);
    let folder = TempDir::new().expect("a temporary folder");
    let trace = folder.path().join("trace");
    let [strace, options @ ..] = strace(&trace)?;
    let mut query = Command::new(strace);
    query.args(options).args(["-e", TRACE]).arg(env!("CARGO_BIN_EXE_daytime"));
    query.args(["query", "--json", "--proto", transport, &server.tcp().to_string()]);
    // Its output ends with strace, which holds it too: so all of the trace is written.
    let output = run(query.env_remove("RUST_LOG"));
    let errors = stderr(&output);
    if errors.contains("Operation not permitted") {
        return Err(format!("strace may not trace here: {}", errors.trim()));
    }
    assert!(output.status.success(), "{}: {errors}", output.status);
    let answer: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let reported = answer["calls"].as_array().expect("calls").iter();
    let reported = reported.map(|name| name.as_str().expect("a name").to_owned()).collect();
    let trace = fs::read_to_string(trace).expect("written");
    Ok([reported, exchange(&trace)])
}

/// The calls from the one `socket` to its `close`, by the names of the manual pages that our report
/// uses. In between, every traced call counts, whatever it is made on.
fn exchange(trace: &str) -> Vec<String> {
    let mut seen = Vec::new();
    let (mut socket, mut processes) = (None, BTreeSet::new());
    for line in trace.lines() {
        // With -f: 4711 recvfrom(4, "…", 2048, 0, NULL, NULL) = 40
        let (process, call) = line.split_once(char::is_whitespace).expect("a process id");
        let Some((name, rest)) = call.trim_start().split_once('(') else { continue };
        let first = rest.split([',', ')']).next().expect("an argument");
        if name == "socket" && rest.starts_with("AF_INET") {
            assert_eq!(socket, None, "a second socket in {trace}");
            let (_, descriptor) = rest.rsplit_once("= ").expect("a result");
            socket = Some(descriptor.trim().to_owned());
        } else if socket.is_none() {
            continue;
        }
        processes.insert(process);
        seen.push(as_reported(name).to_owned());
        if name == "close" && Some(first) == socket.as_deref() {
            assert_eq!(processes.len(), 1, "one thread exchanges: {trace}");
            return seen;
        }
    }
    panic!("no exchange in {trace}");
}

/// The C library makes some calls by way of others.
fn as_reported(name: &str) -> &str {
    match name {
        "recvfrom" => "recv",
        "sendto" => "send",
        "epoll_pwait" => "epoll_wait",
        name => name,
    }
}

#[test]
fn a_stream_takes_the_calls_it_reports() {
    let [reported, seen] = or_skip!(reported_and_seen("tcp"));
    assert_eq!(reported, seen);
    assert!(seen.len() >= 9, "{seen:?}");
}

#[test]
fn a_datagram_takes_the_calls_it_reports() {
    let [reported, seen] = or_skip!(reported_and_seen("udp"));
    assert_eq!(reported, seen);
    assert_eq!(seen.join(" "), "socket connect epoll_ctl send epoll_wait recv close");
}
