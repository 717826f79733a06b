//! `docs/JSON.md` describes every key that the commands print with `--json`, and no other key.

#[cfg(feature = "teach")]
use crate::support::capturing::pcap;
use crate::support::scripted::Scripted;
use crate::support::wire::closed_port;
use crate::support::{Running, daytime, run, stderr, stdout};
use serde_json::{Deserializer, Value};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Returns the keys in the tables of a section of the page.
fn described(section: &str) -> BTreeSet<String> {
    let page = fs::read_to_string("docs/JSON.md").expect("readable");
    let (_, rest) = page.split_once(&format!("\n## {section}\n")).expect("a section");
    let section = rest.split_once("\n## ").map_or(rest, |(section, _)| section);
    let key = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    let keys: Vec<String> = section.lines().filter_map(key).collect();
    let set: BTreeSet<String> = keys.iter().cloned().collect();
    assert!(set.len() == keys.len() && set.len() > 4, "{keys:?}");
    set
}

/// Returns the keys that a command prints, as the page writes them.
fn printed(command: &mut Command) -> BTreeSet<String> {
    let output = run(command.arg("--json"));
    let text = stdout(&output);
    let mut found = BTreeSet::new();
    for object in Deserializer::from_str(&text).into_iter() {
        add_keys(&object.expect("JSON"), "", &mut found);
    }
    assert!(!found.is_empty(), "{}", stderr(&output));
    found
}

/// Adds the path of each value that is no object and no list. Keys that depend on the run get the name that the page
/// uses.
fn add_keys(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) if !object.is_empty() && path != "TRANSPORT.answer" => {
            for (key, value) in object {
                let key = match (path, &**key) {
                    ("", "tcp" | "udp") if value.is_object() => "TRANSPORT".to_owned(),
                    ("", _) => key.clone(),
                    ("TRANSPORT.wire", _) => format!("{path}.PHASE"),
                    ("closed_port", "tcp" | "udp_connected" | "udp_unconnected") => {
                        format!("{path}.SOCKET")
                    }
                    _ => format!("{path}.{key}"),
                };
                add_keys(value, &key, found);
            }
        }
        Value::Array(all) => all.iter().for_each(|it| add_keys(it, &format!("{path}[]"), found)),
        _ => {
            found.insert(path.to_owned());
        }
    }
}

fn asking(command: &str, host: &str) -> BTreeSet<String> {
    printed(daytime().args(["-q", command]).args(host.split(' ')))
}

fn union(sets: impl IntoIterator<Item = BTreeSet<String>>) -> BTreeSet<String> {
    sets.into_iter().flatten().collect()
}

#[test]
fn the_page_has_every_key_of_serve() {
    // A listener that a supervisor hands over has a name.
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let mut serve = Command::new("sh");
    let script = "exec 3<&0 </dev/null; export LISTEN_PID=$$; exec \"$@\"";
    serve.args(["-c", script, "sh", env!("CARGO_BIN_EXE_daytime")]);
    serve.args(["-q", "serve", "--json", "--metrics", "0"]);
    serve.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", "one").env_remove("RUST_LOG");
    let mut serve =
        serve.stdin(OwnedFd::from(listener)).stdout(Stdio::piped()).spawn().expect("sh");
    let mut line = String::new();
    BufReader::new(serve.stdout.take().expect("piped")).read_line(&mut line).expect("UTF-8");
    serve.kill().expect("ended by us");
    serve.wait().expect("waited for");
    let mut found = BTreeSet::new();
    add_keys(&line.parse().expect("JSON"), "", &mut found);
    assert_eq!(found, described("serve"));
}

#[test]
fn the_page_has_every_key_of_query() {
    let nist = Running::serve(&["--syntax", "nist"]);
    let ambiguous = Scripted { reply: || b"02/03/04 12:00:00\r\n".to_vec(), ..Scripted::default() };
    let hosts = [nist.tcp().to_string(), ambiguous.start(), format!("{} --proto udp", nist.udp())];
    let (address, _holder) = closed_port();
    let closed = asking("query", &address.to_string());
    assert_eq!(closed.into_iter().collect::<Vec<_>>(), ["error", "host", "transport"]);
    let found = union(hosts.iter().map(|host| asking("query", host)));
    let mut expected = union([described("query"), described("parse")]);
    // `query` has no lines. A time code is either null or an object.
    assert!(expected.remove("line"));
    assert_eq!(found, expected);
}

#[test]
fn the_page_has_every_key_of_parse() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("replies");
    let replies = "60494 24-07-03 14:05:11 50 0 2 0.0 UTC(NIST) *\n02/03/04 12:00:00\nno time\n";
    fs::write(&file, replies).expect("written");
    let found = printed(daytime().args(["parse", "--lines"]).arg(&file));
    assert_eq!(found, described("parse"));
}

#[test]
fn the_page_has_every_key_of_compare() {
    assert_eq!(printed(daytime().args(["-q", "compare", "--count", "2"])), described("compare"));
}

#[test]
fn the_page_has_every_key_of_check() {
    let server = Running::serve(&[]);
    assert_eq!(asking("check", &server.tcp().to_string()), described("check"));
}

#[test]
fn the_page_has_every_key_of_bench() {
    let server = Running::serve(&[]);
    let (closed, _holder) = closed_port();
    let hosts = [server.tcp(), closed];
    let short = |host| asking("bench", &format!("--duration 0.2 --warm-up 0 {host}"));
    assert_eq!(union(hosts.map(short)), described("bench"));
}

/// Returns a capture file with a question, and an ICMP error of a third host about the question.
#[cfg(feature = "teach")]
fn with_icmp_error() -> Vec<u8> {
    let record = [0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 56, 0, 0, 0, 56];
    let ip = [0x45, 0, 0, 56, 0, 1, 0, 0, 64, 1, 0, 0, 192, 0, 2, 9, 10, 0, 0, 1];
    let host_unreachable = [3, 1, 0, 0, 0, 0, 0, 0];
    let question = pcap()[40..].to_vec();
    [&pcap()[..], &record, &ip, &host_unreachable, &question].concat()
}

#[cfg(feature = "teach")]
#[test]
fn the_page_has_every_key_of_wire() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("file.pcap");
    fs::write(&file, with_icmp_error()).expect("written");
    let recorded = printed(daytime().args(["wire", "--read"]).arg(&file));
    assert!(recorded.contains("reported_by"), "{recorded:?}");
    let between_namespaces = printed(daytime().args(["wire", "--netns"]));
    if between_namespaces.len() == 1 {
        return crate::support::skip(&format!("no namespaces: {between_namespaces:?}"));
    }
    assert_eq!(union([recorded, between_namespaces]), described("wire"));
}

#[test]
fn a_key_that_the_page_lacks_is_found() {
    let mut found = BTreeSet::new();
    let object: Value = "{\"tcp\":{\"new\":[{\"key\":1}]},\"udp\":null}".parse().expect("JSON");
    add_keys(&object, "", &mut found);
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["TRANSPORT.new[].key", "udp"]);
}
