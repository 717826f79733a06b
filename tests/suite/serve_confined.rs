//! What `daytime serve` gives up when its sockets are open, as the kernel tells (proc(5)), and that it
//! serves all the same.

use crate::or_skip;
use crate::support::traced::{Traced, strace};
use crate::support::wire::{ask_tcp, ask_udp, connect, eventually, read_to_end};
use crate::support::{Namespace, Running, bad, daytime, good, program, skip, whole_sandbox};
use nix::unistd::geteuid;
use std::fs::{self, Permissions};
use std::io::Write;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// The lines of `status` that begin so, of each thread of the server, without a repetition.
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
    assert!(count >= 2, "the worker and the one that waits for signals");
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

fn root() -> Result<(), String> {
    geteuid().is_root().then_some(()).ok_or_else(|| "only root becomes somebody else".to_owned())
}

#[test]
fn every_thread_is_without_capabilities_and_under_no_new_privileges_and_seccomp() {
    or_skip!(whole_sandbox());
    let server = Running::serve(&["--sandbox", "require"]);
    assert_eq!(thread_status(&server, "NoNewPrivs"), ["1"]);
    assert_eq!(thread_status(&server, "Seccomp"), ["2"]);
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(thread_status(&server, set), ["0000000000000000"], "{set}");
    }
    assert_serves(&server, b"-UTC\r\n");
    let log = server.stopped();
    let line = "] sandbox: no capabilities, no new privileges, landlock ABI ";
    assert_eq!(log.matches(line).count(), 1, "{log}");
    assert!(log.contains("(no files"), "{log}");
    assert!(log.contains(" system calls)\n"), "{log}");
}

#[test]
fn with_sandbox_off_it_keeps_all_it_had() {
    let own = fs::read_to_string("/proc/thread-self/status").expect("Linux");
    let server = Running::serve(&["--sandbox", "off"]);
    for field in ["NoNewPrivs", "Seccomp", "CapEff"] {
        let [value] = &thread_status(&server, field)[..] else { panic!("{field} differs") };
        assert!(own.contains(&format!("{field}:\t{value}\n")), "{field} {value}: {own}");
    }
    assert_serves(&server, b"-UTC\r\n");
    assert!(server.stopped().contains("] sandbox: nothing in force\n"));
}

#[test]
fn as_another_user_it_serves_port_13_with_that_user_and_group_alone() {
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
        assert!(log.contains("runs from here on as user 65534, group 4711 and cannot"), "{log}");
        assert!(!log.contains("runs as root"), "{log}");
    }
}

#[test]
fn a_user_by_name_brings_the_primary_group_along() {
    or_skip!(root());
    let [id, group] = ["-u", "-g"].map(|what| {
        good(Command::new("id").args([what, "nobody"])).trim().to_owned() // as this system has it
    });
    let server = Running::serve(&["--user", "nobody"]);
    assert_eq!(thread_status(&server, "Uid"), [[id.as_str(); 4].join(" ")]);
    assert_eq!(thread_status(&server, "Gid"), [[group.as_str(); 4].join(" ")]);
    assert_serves(&server, b"-UTC\r\n");
}

#[test]
fn as_root_it_warns_once() {
    or_skip!(root());
    let log = Running::serve(&[]).stopped();
    let warning = " WARN ] the server runs as root; --user NAME ";
    assert_eq!(log.matches(warning).count(), 1, "{log}");
}

#[test]
fn as_that_user_already_it_has_nothing_to_change_and_says_so() {
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
        let line = "runs already as user 65534, group 65534 and cannot";
        assert_eq!(log.matches(line).count(), 1, "{log}");
    }
    // Another group is a change, which needs root.
    let mut serve = or_skip!(copy.as_nobody());
    serve.args(["serve", "--port", "0", "--user", "65534", "--group", "4711"]);
    let said = bad(1, &mut serve);
    assert!(
        said.starts_with("daytime: cannot become user 65534, group 4711: setgroups: "),
        "{said}"
    );
}

#[test]
fn as_that_user_already_an_inetd_service_ends_without_an_error() {
    or_skip!(root());
    let copy = Copy::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let client = connect(listener.local_addr().expect("bound"));
    let (stream, _) = listener.accept().expect("a client");
    let mut serve = or_skip!(copy.as_nobody());
    serve.args(["serve", "--inetd=nowait", "--user", "65534", "--group", "65534", "-q"]);
    let mut child = serve.stdin(OwnedFd::from(stream)).spawn().expect("started");
    drop(serve); // with our own handle of the connection
    assert!(read_to_end(&client).ends_with(b"-UTC\r\n"));
    drop(client);
    assert_eq!(child.wait().expect("waited for").code(), Some(0));
}

#[test]
fn without_privileges_it_is_confined_without_a_warning_and_becomes_no_other_user() {
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
    assert!(!log.contains("runs as root"), "{log}");
    let mut serve = or_skip!(copy.as_nobody());
    assert_eq!(
        bad(1, serve.args(["serve", "--port", "0", "--user", "1", "--group", "1"])),
        "daytime: cannot become user 1, group 1: setgroups: Operation not permitted (os error 1): \
         only root may; start it as root, or leave --user out\n"
    );
}

#[test]
fn root_that_may_not_become_another_user_is_not_advised_to_start_as_root() {
    let mut serve = Command::new(or_skip!(program("unshare")));
    // Such a user namespace denies setgroups(2), also to its root.
    serve.args(["-U", "-r", env!("CARGO_BIN_EXE_daytime"), "serve", "--port", "0"]);
    let said = bad(1, serve.args(["--user", "65534", "--group", "65534"]));
    if !said.starts_with("daytime: ") {
        return skip(&said);
    }
    assert!(
        said.starts_with("daytime: cannot become user 65534, group 65534: setgroups: "),
        "{said}"
    );
    assert!(!said.contains("start it as root"), "{said}");
    assert!(said.contains("CAP_SETUID"), "{said}");
}

#[test]
fn the_capability_of_the_file_is_gone_once_port_13_is_bound() {
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

/// The binary where everybody may start it.
struct Copy {
    _folder: TempDir,
    binary: PathBuf,
}

impl Copy {
    fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("set");
        let binary = folder.path().join("daytime");
        // Not by this process: a fork of it elsewhere could hold the copy open for writing (ETXTBSY).
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
fn an_identity_that_cannot_be_is_refused_with_what_to_do() {
    for (arguments, told) in [
        (
            &["--user", "no-such"][..],
            "there is no user \"no-such\": `getent passwd` lists those there are",
        ),
        (
            &["--user", "4294967295"],
            "there is no user \"4294967295\": `getent passwd` lists those there are",
        ),
        (
            &["--user", "4000000000", "--group", "no-such"],
            "there is no group \"no-such\": `getent group` lists those there are",
        ),
        (
            &["--user", "4000000000"],
            "user 4000000000 has no entry here that names a group: name one with --group",
        ),
        (&["--user", "root"], "\"root\" is root: name one without privileges, such as nobody"),
        (
            &["--user", "nobody", "--group", "root"],
            "\"root\" is root: name one without privileges, such as nobody",
        ),
    ] {
        let mut serve = daytime();
        let said = bad(1, serve.args(["serve", "--port", "0"]).args(arguments));
        assert_eq!(said, format!("daytime: {told}\n"));
    }
}

#[test]
fn a_group_without_a_user_and_a_mode_that_is_none_are_usage_errors() {
    let said = bad(2, daytime().args(["serve", "--group", "daemon"]));
    assert!(said.contains("--user <USER>"), "{said}");
    let said = bad(2, daytime().args(["serve", "--sandbox", "maybe"]));
    assert!(said.contains("[possible values: off, on, require]"), "{said}");
}

#[test]
fn under_strace_no_call_of_a_running_server_is_refused() {
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
        // A socket on a wildcard answers no loopback address over UDP, so the host has others.
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

/// A client that talks, more that hold than there are descriptors, and their end by the deadline.
fn work_hard(server: &Running) {
    let talks = connect(server.tcp());
    (&talks).write_all(&[b'.'; 10_000]).expect("taken");
    read_to_end(&talks);
    let held: Vec<_> = (0..60).map(|_| connect(server.tcp())).collect();
    for stream in &held {
        read_to_end(stream);
    }
    eventually("all are given up", || held.iter().all(|mut it| it.write_all(b".").is_err()));
    assert!(ask_tcp(server.tcp()).ends_with(b"\n"));
}

fn assert_none_refused(trace: &str) {
    let (_, running) = trace.split_once("SECCOMP_SET_MODE_FILTER").expect("it is confined");
    for call in ["accept4(", "recvfrom(", "sendto(", "shutdown(", "epoll_", "write(", "exit_group("]
    {
        assert!(running.contains(call), "it never came to {call} in {running}");
    }
    assert!(running.contains("EMFILE"), "no descriptor was short in {running}");
    let refused: Vec<&str> = running.lines().filter(|line| line.contains("EPERM")).collect();
    assert_eq!(refused, [""; 0]);
}
