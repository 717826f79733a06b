//! Tests what `daytime serve` gives up once its sockets are open, as the kernel reports it
//! (proc(5)), and that it still serves.

use crate::or_skip;
use crate::support::traced::{Traced, strace};
use crate::support::wire::{ask_tcp, ask_udp, connect, eventually, read_to_end};
use crate::support::{
    Namespace, Running, bad, complains, daytime, good, mentions, program, skip, whole_sandbox,
};
use nix::unistd::geteuid;
use std::fs::{self, Permissions};
use std::io::Write;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// Returns the field `field` of `status` for each thread of the server, without adjacent
/// duplicates.
fn thread_status(server: &Running, field: &str) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{}/task", server.id())).expect("Linux");
    let mut values: Vec<String> = Vec::new();
    let mut count = 0;
    for thread in threads {
        let path = thread.expect("readable").path().join("status");
        let status = fs::read_to_string(path).expect("readable");
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let value: Vec<&str> = line.expect("a field").split_whitespace().collect();
        values.push(value.join(" "));
        count += 1;
    }
    assert!(count >= 2, "the worker and the thread that waits for signals");
    values.dedup();
    values
}

fn assert_serves(server: &Running, ending: &[u8]) {
    for (transport, address) in &server.bound {
        let line = match transport.as_str() {
            "tcp" => ask_tcp(*address),
            _ => ask_udp(*address, b""),
        };
        assert!(line.ends_with(ending), "{transport} {address}: {}", line.escape_ascii());
    }
}

/// Key words of the warning of a server that stays root.
const AS_ROOT: &str = "runs as root";

/// Returns the only line of a log that has this part.
fn only_line<'a>(log: &'a str, part: &str) -> &'a str {
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(part)).collect();
    let [line] = lines[..] else { panic!("not one line with {part:?}: {log}") };
    line
}

fn root() -> Result<(), String> {
    geteuid().is_root().then_some(()).ok_or_else(|| "only root can become another user".to_owned())
}

#[test]
fn every_thread_has_no_capabilities_no_new_privileges_and_seccomp() {
    or_skip!(whole_sandbox());
    let server = Running::serve(&["--sandbox", "require"]);
    assert_eq!(thread_status(&server, "NoNewPrivs"), ["1"]);
    assert_eq!(thread_status(&server, "Seccomp"), ["2"]);
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(thread_status(&server, set), ["0000000000000000"], "{set}");
    }
    assert_serves(&server, b"-UTC\r\n");
    let log = server.stopped();
    let layers = only_line(&log, "] sandbox: ");
    mentions(layers, &["no capabilities", "no new privileges", "landlock ABI ", "no files"]);
    mentions(layers, &["seccomp (", " system calls)"]);
}

#[test]
fn with_sandbox_off_the_server_keeps_its_rights() {
    let own = fs::read_to_string("/proc/thread-self/status").expect("Linux");
    let server = Running::serve(&["--sandbox", "off"]);
    for field in ["NoNewPrivs", "Seccomp", "CapEff"] {
        let [value] = &thread_status(&server, field)[..] else { panic!("{field} differs") };
        assert!(own.contains(&format!("{field}:\t{value}\n")), "{field} {value}: {own}");
    }
    assert_serves(&server, b"-UTC\r\n");
    mentions(only_line(&server.stopped(), "] sandbox: "), &["nothing"]);
}

#[test]
fn with_user_the_server_keeps_only_that_user_and_group_and_serves_port_13() {
    or_skip!(root());
    or_skip!(program("setpriv"));
    let inside = or_skip!(Namespace::new());
    for sandbox in ["on", "off"] {
        let mut serve = inside.command("setpriv");
        serve.args(["--groups=4,24", env!("CARGO_BIN_EXE_daytime"), "serve", "--sandbox", sandbox]);
        serve.args(["--user", "65534", "--group", "4711"]);
        let server = Running::start(serve);
        assert_eq!(thread_status(&server, "Uid"), ["65534 65534 65534 65534"]);
        assert_eq!(thread_status(&server, "Gid"), ["4711 4711 4711 4711"]);
        assert_eq!(thread_status(&server, "Groups"), [""]);
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(thread_status(&server, set), ["0000000000000000"], "{set}");
        }
        let answers = good(inside.daytime().args(["query", "-q", "--proto", "both", "localhost"]));
        assert_eq!(answers.lines().count(), 2, "{answers}");
        let log = server.stopped();
        mentions(only_line(&log, " now "), &["user 65534", "group 4711", "cannot switch back"]);
        assert!(!log.contains(AS_ROOT), "{log}");
    }
}

#[test]
fn a_user_name_implies_its_primary_group() {
    or_skip!(root());
    let [id, group] = ["-u", "-g"].map(|what| {
        good(Command::new("id").args([what, "nobody"])).trim().to_owned() // numbers of this system
    });
    let server = Running::serve(&["--user", "nobody"]);
    assert_eq!(thread_status(&server, "Uid"), [[id.as_str(); 4].join(" ")]);
    assert_eq!(thread_status(&server, "Gid"), [[group.as_str(); 4].join(" ")]);
    assert_serves(&server, b"-UTC\r\n");
}

#[test]
fn a_server_that_stays_root_warns_once() {
    or_skip!(root());
    let log = Running::serve(&[]).stopped();
    mentions(only_line(&log, AS_ROOT), &[" WARN ] ", "--user NAME"]);
}

#[test]
fn a_server_that_is_already_that_user_logs_it() {
    or_skip!(root());
    let copy = Copy::new();
    for sandbox in ["on", "off"] {
        let mut serve = or_skip!(copy.as_nobody());
        serve.args(["serve", "--port", "0", "--user", "65534", "--group", "65534"]);
        let server = Running::start({
            serve.args(["--sandbox", sandbox]);
            serve
        });
        assert_eq!(thread_status(&server, "Uid"), ["65534 65534 65534 65534"]);
        assert_serves(&server, b"-UTC\r\n");
        let log = server.stopped();
        let line = only_line(&log, " already ");
        mentions(line, &["user 65534", "group 65534", "cannot switch back"]);
    }
    // Another group is a change, which only root can make.
    let mut serve = or_skip!(copy.as_nobody());
    serve.args(["serve", "--port", "0", "--user", "65534", "--group", "4711"]);
    let said = bad(1, &mut serve);
    complains(&said, &["user 65534", "group 4711", "setgroups: "]);
}

#[test]
fn an_inetd_service_that_is_already_that_user_ends_without_an_error() {
    or_skip!(root());
    let copy = Copy::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let client = connect(listener.local_addr().expect("bound"));
    let (stream, _) = listener.accept().expect("a client");
    let mut serve = or_skip!(copy.as_nobody());
    serve.args(["serve", "--inetd=nowait", "--user", "65534", "--group", "65534", "-q"]);
    let mut child = serve.stdin(OwnedFd::from(stream)).spawn().expect("started");
    drop(serve); // the command holds a handle of the connection
    assert!(read_to_end(&client).ends_with(b"-UTC\r\n"));
    drop(client);
    assert_eq!(child.wait().expect("waited for").code(), Some(0));
}

#[test]
fn an_unprivileged_server_is_confined_and_cannot_change_its_user() {
    or_skip!(root());
    let copy = Copy::new();
    let mut serve = or_skip!(copy.as_nobody());
    let server = Running::start({
        serve.args(["serve", "--port", "0"]);
        serve
    });
    assert_eq!(thread_status(&server, "Uid"), ["65534 65534 65534 65534"]);
    assert_serves(&server, b"-UTC\r\n");
    let log = server.stopped();
    assert!(!log.contains(AS_ROOT), "{log}");
    let mut serve = or_skip!(copy.as_nobody());
    let said = bad(1, serve.args(["serve", "--port", "0", "--user", "1", "--group", "1"]));
    complains(&said, &["user 1,", "group 1:", "setgroups: ", "not permitted"]);
    mentions(&said, &["as root", "leave --user out"]);
}

#[test]
fn root_without_cap_setuid_is_not_advised_to_start_as_root() {
    let mut serve = Command::new(or_skip!(program("unshare")));
    // This user namespace denies setgroups(2), even to its root.
    serve.args(["-U", "-r", env!("CARGO_BIN_EXE_daytime"), "serve", "--port", "0"]);
    let said = bad(1, serve.args(["--user", "65534", "--group", "65534"]));
    if !said.starts_with("daytime: ") {
        return skip(&said);
    }
    complains(&said, &["user 65534", "group 65534", "setgroups: ", "CAP_SETUID"]);
    assert!(!said.contains("as root"), "{said}");
}

#[test]
fn the_file_capability_is_dropped_after_port_13_is_bound() {
    or_skip!(root());
    let setcap = or_skip!(program("setcap"));
    let inside = or_skip!(Namespace::new());
    let privileged = "net.ipv4.ip_unprivileged_port_start=1024";
    good(inside.command("sysctl").args(["-qw", privileged]));
    let copy = Copy::new();
    let set = Command::new(setcap).arg("cap_net_bind_service=+ep").arg(&copy.binary).status();
    if !set.expect("it runs").success() {
        return skip("this file system has no file capabilities");
    }
    let mut serve = inside.command("setpriv");
    serve.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&copy.binary);
    serve.arg("serve");
    let server = Running::start(serve);
    assert_eq!(server.port(), 13);
    for set in ["CapPrm", "CapEff"] {
        assert_eq!(thread_status(&server, set), ["0000000000000000"], "{set}");
    }
    good(inside.daytime().args(["query", "-q", "localhost"]));
}

/// Copy of the binary in a folder from which every user may start it.
struct Copy {
    _folder: TempDir,
    binary: PathBuf,
}

impl Copy {
    fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("set");
        let binary = folder.path().join("daytime");
        // Copy in another process: a fork of this process could hold the copy open for writing
        // (ETXTBSY).
        good(Command::new("cp").arg(env!("CARGO_BIN_EXE_daytime")).arg(&binary));
        Self { _folder: folder, binary }
    }

    fn as_nobody(&self) -> Result<Command, String> {
        let mut command = Command::new(program("setpriv")?);
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&self.binary);
        command.env_remove("RUST_LOG");
        Ok(command)
    }
}

#[test]
fn an_invalid_identity_is_refused_with_advice() {
    let is_root = ["\"root\"", "is root", "user without privileges", "nobody"];
    for (arguments, parts) in [
        (&["--user", "no-such"][..], &["no user \"no-such\"", "`getent passwd`"][..]),
        (&["--user", "4294967295"], &["no user \"4294967295\"", "`getent passwd`"]),
        (
            &["--user", "4000000000", "--group", "no-such"],
            &["no group \"no-such\"", "`getent group`"],
        ),
        (
            &["--user", "4000000000"],
            &["user 4000000000", "no entry", "user database", "group", "--group"],
        ),
        (&["--user", "root"], &is_root),
        (&["--user", "nobody", "--group", "root"], &is_root),
    ] {
        let mut serve = daytime();
        complains(&bad(1, serve.args(["serve", "--port", "0"]).args(arguments)), parts);
    }
}

#[test]
fn a_group_without_a_user_and_an_unknown_sandbox_level_are_usage_errors() {
    let said = bad(2, daytime().args(["serve", "--group", "daemon"]));
    assert!(said.contains("--user <USER>"), "{said}");
    let said = bad(2, daytime().args(["serve", "--sandbox", "maybe"]));
    mentions(&said, &["'maybe'", "--sandbox", "off, on, require"]);
}

#[test]
fn the_sandbox_refuses_no_call_of_a_running_server() {
    or_skip!(whole_sandbox());
    for (arguments, ending) in [
        (&["--syntax", "nist"][..], " * \n"),
        (&["--syntax", "rfc3339", "--zone", "local", "-vv"], "+01:00\r\n"),
        (
            &[
                "--strftime",
                "%A %T.%9f",
                "--listen",
                "[::]:0",
                "--listen",
                "0.0.0.0:0",
                "--only-v6",
            ],
            "\r\n",
        ),
    ] {
        let folder = TempDir::new().expect("a temporary folder");
        let trace = folder.path().join("trace");
        // A wildcard socket ignores loopback addresses over UDP, so the host has others.
        let inside = or_skip!(Namespace::having(&["10.0.0.1/32", "fd00::1/128"]));
        let mut traced = inside.command("sh");
        let script = r#"ulimit -n 40; exec "$@" --port 0 --drain-deadline 0.3"#;
        traced.args(["-c", script, "sh"]).args(or_skip!(strace(&trace)));
        traced.args([env!("CARGO_BIN_EXE_daytime"), "serve"]).args(arguments);
        traced.env("TZ", "Africa/Lagos").env_remove("RUST_LOG");
        let mut traced = Traced::start(traced, &trace);
        for (_, address) in &mut traced.server.bound {
            if address.ip().is_unspecified() {
                let own = if address.is_ipv4() { "10.0.0.1" } else { "fd00::1" };
                address.set_ip(own.parse().expect("an address"));
            }
        }
        or_skip!(inside.enter(|| {
            assert_serves(&traced.server, ending.as_bytes());
            work_hard(&traced.server);
        }));
        assert_none_refused(&traced.stopped());
    }
}

/// Loads a server: a client that sends data, more held connections than descriptors, and their end
/// by the deadline.
fn work_hard(server: &Running) {
    let talks = connect(server.tcp());
    (&talks).write_all(&[b'.'; 10_000]).expect("taken");
    read_to_end(&talks);
    let held: Vec<_> = (0..60).map(|_| connect(server.tcp())).collect();
    for stream in &held {
        read_to_end(stream);
    }
    eventually("all connections are given up", || {
        held.iter().all(|mut it| it.write_all(b".").is_err())
    });
    assert!(ask_tcp(server.tcp()).ends_with(b"\n"));
}

fn assert_none_refused(trace: &str) {
    let (_, running) = trace.split_once("SECCOMP_SET_MODE_FILTER").expect("a filter is installed");
    for call in ["accept4(", "recvfrom(", "sendto(", "shutdown(", "epoll_", "write(", "exit_group("]
    {
        assert!(running.contains(call), "no {call} in {running}");
    }
    assert!(running.contains("EMFILE"), "no descriptor was short in {running}");
    let refused: Vec<&str> = running.lines().filter(|line| line.contains("EPERM")).collect();
    assert_eq!(refused, [""; 0]);
}
