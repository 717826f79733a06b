//! Tests `daytime serve` on sockets that systemd opens: `systemd-socket-activate` starts the
//! server.

use crate::or_skip;
use crate::support::wire::{ask_tcp, ask_udp, connect, eventually, metrics_page};
use crate::support::{
    Namespace, Running, bad, complains, daytime, good, ipv6, mentions, program, run, stderr,
};
use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A `daytime serve` that systemd-socket-activate starts when the first client comes.
struct Activated {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl Activated {
    /// Starts it in a namespace, where port 13 is free. `sockets` are options of
    /// systemd-socket-activate.
    fn start(inside: &Namespace, sockets: &[&str], serve: &[&str]) -> Result<Self, String> {
        let mut command = inside.command(program("systemd-socket-activate")?);
        command.args(sockets).arg(env!("CARGO_BIN_EXE_daytime")).arg("serve").args(serve);
        let bound = sockets.iter().filter(|it| it.starts_with("-l")).count();
        Self::spawn(command, inside, bound)
    }

    /// Starts a whole command, and waits until `bound` sockets are bound to port 13.
    fn spawn(mut command: Command, inside: &Namespace, bound: usize) -> Result<Self, String> {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start it: {error}"))?;
        let output = BufReader::new(child.stdout.take().expect("piped")).lines();
        eventually("the sockets are bound", || {
            let listing = good(inside.command("ss").args(["-Hltun", "sport = :13"]));
            listing.lines().count() == bound
        });
        Ok(Self { child, output })
    }

    /// Returns the next `count` lines of standard output.
    fn lines(&mut self, count: usize) -> Vec<String> {
        self.output.by_ref().take(count).map(|line| line.expect("UTF-8")).collect()
    }

    /// Waits for the end and returns the exit status.
    fn status(&mut self) -> Option<i32> {
        self.child.wait().expect("waited for").code()
    }
}

impl Drop for Activated {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks once inside the namespace and returns the bare reply.
fn ask(inside: &Namespace, proto: &str, host: &str) -> String {
    good(inside.daytime().args(["query", "-q", "--proto", proto, host]))
}

#[test]
fn several_tcp_listeners_of_systemd_are_served_under_their_names() {
    or_skip!(ipv6());
    let inside = or_skip!(Namespace::new());
    let sockets = ["-l127.0.0.1:13", "-l[::1]:13", "--fdname=old:new"];
    let mut server = or_skip!(Activated::start(&inside, &sockets, &["--idle", "3"]));
    // The connection that starts the server is answered too: it waits in the backlog.
    assert!(ask(&inside, "tcp", "127.0.0.1").ends_with("-UTC\n"));
    assert_eq!(server.lines(2), ["tcp 127.0.0.1:13 old", "tcp [::1]:13 new"]);
    assert!(ask(&inside, "tcp", "::1").ends_with("-UTC\n"));
    assert_eq!(server.status(), Some(0), "when idle");
}

#[test]
fn udp_sockets_of_systemd_are_served_under_their_names() {
    or_skip!(ipv6());
    let inside = or_skip!(Namespace::new());
    let sockets = ["-d", "-l127.0.0.1:13", "-l[::1]:13", "--fdname=old:new"];
    let mut server = or_skip!(Activated::start(&inside, &sockets, &["--idle", "3", "--json"]));
    assert!(ask(&inside, "udp", "::1").ends_with("-UTC\n"));
    let printed: serde_json::Value = serde_json::from_str(&server.lines(1)[0]).expect("JSON");
    let socket = |address: &str, name: &str| serde_json::json!({ "transport": "udp", "address": address, "port": 13, "name": name });
    let expected = [socket("127.0.0.1", "old"), socket("::1", "new")];
    assert_eq!(printed, serde_json::json!({ "listening": expected }));
    assert!(ask(&inside, "udp", "127.0.0.1").ends_with("-UTC\n"));
    assert_eq!(server.status(), Some(0), "when idle");
}

#[test]
fn on_an_inherited_wildcard_the_address_that_was_asked_answers() {
    or_skip!(ipv6());
    let addresses = ["192.0.2.1", "2001:db8::1", "192.0.2.2"];
    let inside = or_skip!(Namespace::having(&["192.0.2.1/32", "2001:db8::1/128", "192.0.2.2/32"]));
    let mut server = or_skip!(Activated::start(&inside, &["-d", "-l[::]:13"], &["--idle", "3"]));
    // The client accepts a reply only from the address that it asked.
    for host in addresses {
        assert!(ask(&inside, "udp", host).ends_with("-UTC\n"), "{host}");
    }
    assert_eq!(server.lines(1), ["udp [::]:13"], "a socket without a name");
    assert_eq!(server.status(), Some(0));
}

#[test]
fn one_process_can_serve_each_connection() {
    let inside = or_skip!(Namespace::new());
    let sockets = ["--accept", "--inetd", "-l127.0.0.1:13"];
    let _activator = or_skip!(Activated::start(&inside, &sockets, &["--inetd"]));
    for _ in 0..3 {
        assert!(ask(&inside, "tcp", "127.0.0.1").ends_with("-UTC\n"));
    }
}

/// Passes descriptors that a shell has opened before it becomes the server.
fn handing_over(count: &str, open: &str, pid: &str, serve: &[&str]) -> Command {
    let mut command = daytime();
    let binary = command.get_program().to_owned();
    let script = format!("{open}; export LISTEN_PID={pid}; exec \"$@\"");
    command = Command::new("bash");
    command.args(["-c", &script, "bash"]).arg(binary).arg("serve").args(serve);
    command.env("LISTEN_FDS", count).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

#[test]
fn a_descriptor_that_is_not_a_socket_is_refused_with_number_name_and_description() {
    or_skip!(program("bash"));
    let mut serve = handing_over("1", "exec 3</dev/null", "$$", &[]);
    serve.env("LISTEN_FDNAMES", "hole");
    let message = bad(1, &mut serve);
    complains(&message, &["cannot serve", "descriptor 3 (hole): ", "/dev/null", "not a socket"]);
    mentions(&message, &["TCP listener", "TCP connection", "bound UDP socket"]);
    let message = bad(1, &mut handing_over("2", "exec 3</dev/null", "$$", &[]));
    complains(&message, &["cannot serve", "descriptor 3: ", "/dev/null"]);
    let message = bad(1, &mut handing_over("many", ":", "$$", &[]));
    complains(&message, &["LISTEN_FDS=many", "not a number", "from 0 to 1024"]);
}

#[test]
fn a_listener_named_metrics_becomes_the_metrics_endpoint() {
    let inside = or_skip!(Namespace::new());
    let sockets = ["-l127.0.0.1:13", "-l127.0.0.1:9867", "--fdname=daytime:metrics"];
    for (json, expected) in [
        (&[][..], "tcp 127.0.0.1:13 daytime\nmetrics 127.0.0.1:9867"),
        (
            &["--json"],
            r#"{"listening":[{"transport":"tcp","address":"127.0.0.1","port":13,"name":"daytime"}],"metrics":{"address":"127.0.0.1","port":9867}}"#,
        ),
    ] {
        let serve = [&["--idle", "1"][..], json].concat();
        let mut command = inside.command(or_skip!(program("systemd-socket-activate")));
        command.args(sockets).arg(env!("CARGO_BIN_EXE_daytime")).arg("serve").args(serve);
        let mut server = or_skip!(Activated::spawn(command, &inside, 1));
        assert!(ask(&inside, "tcp", "127.0.0.1").ends_with("-UTC\n"));
        assert_eq!(server.lines(expected.lines().count()).join("\n"), expected);
        let counted = "daytime_exchanges_total{transport=\"tcp\",family=\"ipv4\"} 1\n";
        let is_counted = || metrics_page().contains(counted);
        or_skip!(inside.enter(|| eventually("the exchange is counted", is_counted)));
        assert_eq!(server.status(), Some(0), "when idle");
    }
}

#[test]
fn with_only_a_metrics_socket_the_server_opens_its_own_sockets() {
    let inside = or_skip!(Namespace::new());
    let mut command = inside.command(or_skip!(program("systemd-socket-activate")));
    command.args(["-l127.0.0.1:9867", "--fdname=metrics", env!("CARGO_BIN_EXE_daytime")]);
    command.args(["serve", "--port", "99", "--proto", "tcp", "--listen", "127.0.0.1"]);
    let mut server = or_skip!(Activated::spawn(command, &inside, 0));
    or_skip!(inside.enter(|| {
        eventually("the socket is bound", || TcpStream::connect("127.0.0.1:9867").is_ok());
    }));
    assert_eq!(server.lines(2), ["tcp 127.0.0.1:99", "metrics 127.0.0.1:9867"]);
}

#[test]
fn a_metrics_socket_must_listen_and_excludes_the_metrics_option() {
    or_skip!(program("bash"));
    let udp = "exec 3<>/dev/udp/127.0.0.1/9";
    let mut serve = handing_over("1", udp, "$$", &["--port", "0"]);
    let message = bad(1, serve.env("LISTEN_FDNAMES", "metrics"));
    complains(&message, &["cannot serve metrics: ", "descriptor 3 (metrics)", "UDP socket"]);
    mentions(&message, &["listening TCP socket"]);
    let mut serve = handing_over("1", udp, "$$", &["--port", "0", "--metrics", "0"]);
    let message = bad(2, serve.env("LISTEN_FDNAMES", "metrics"));
    complains(&message, &["leave --metrics out"]);
    let two = format!("{udp}; exec 4<>/dev/udp/127.0.0.1/9");
    let mut serve = handing_over("2", &two, "$$", &["--port", "0"]);
    let message = bad(1, serve.env("LISTEN_FDNAMES", "metrics:metrics"));
    complains(&message, &["2 sockets named metrics", "only one"]);
}

#[test]
fn sockets_meant_for_another_process_are_ignored() {
    or_skip!(program("bash"));
    for pid in ["1", "''"] {
        let mut serve = handing_over("1", "exec 3</dev/null", pid, &["--port", "0"]);
        serve.args(["--idle", "0.1", "-q"]);
        let output = run(&mut serve);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
}

#[test]
fn options_that_open_sockets_are_refused_with_inherited_sockets() {
    or_skip!(program("bash"));
    let inside = or_skip!(Namespace::new());
    let activate = or_skip!(program("systemd-socket-activate"));
    let assert_refused = |message: &str, option: &str| {
        mentions(
            message,
            &["daytime: ", "sockets", "supervisor", "inetd", &format!("leave {option} out\n")],
        );
    };
    for given in ["--listen=127.0.0.1", "--port=9", "--proto=tcp", "--backlog=1", "--only-v6"] {
        let option = given.split('=').next().expect("a name");
        let message = bad(2, daytime().args(["serve", "--inetd", given]));
        complains(&message, &["sockets"]);
        assert_refused(&message, option);
    }
    let mut command = inside.command(activate);
    command.args(["-l127.0.0.1:13", env!("CARGO_BIN_EXE_daytime"), "serve", "--port", "99"]);
    let child = command.stderr(Stdio::piped()).spawn().expect("started");
    eventually("the socket is bound", || {
        !good(inside.command("ss").args(["-Hltn", "sport = :13"])).is_empty()
    });
    let asked = run(inside.daytime().args(["query", "-q", "127.0.0.1"]));
    let output = child.wait_with_output().expect("waited for");
    assert!(!asked.status.success());
    assert_eq!(output.status.code(), Some(2));
    assert_refused(&stderr(&output), "--port");
}

#[test]
fn a_server_ends_after_its_idle_time_but_not_while_a_client_is_connected() {
    let mut command = daytime();
    command.args(["serve", "--port", "0", "--idle", "2", "--drain-deadline", "3"]);
    let mut server = Running::start(command);
    let started = Instant::now();
    let held = connect(server.tcp());
    ask_udp(server.udp(), b"");
    ask_tcp(server.tcp());
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    mentions(&log, &["no client", " 2 s: stopping\n"]);
    // The held connection lasts three seconds. Then the server is idle for two seconds.
    let elapsed = started.elapsed();
    assert!(elapsed >= Duration::from_secs(5), "ended after {elapsed:?}");
    drop(held);
}

/// Python program that becomes a server with listeners on descriptors 3 and 4, and a file on 6 and
/// 70.
const LEAKING: &str = "
import os, socket, sys
for number in 3, 4:
    listener = socket.create_server(('127.0.0.1', 0))
    if listener.fileno() != number:
        os.dup2(listener.fileno(), number)
        listener.close()
    listener.detach()
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
for number in 3, 4:
    os.set_inheritable(number, True)
for number in 70, 6:
    os.dup2(file, number)
os.environ['LISTEN_PID'] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
";

#[test]
fn descriptors_that_the_starting_process_left_open_are_closed() {
    or_skip!(program("python3"));
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("file");
    for (handed_over, first) in [("2", 5), ("0", 3)] {
        let mut python = Command::new("python3");
        python.args(["-c", LEAKING]).arg(&file).arg(env!("CARGO_BIN_EXE_daytime"));
        python.arg("serve").args(if first == 3 { &["--port", "0"][..] } else { &[] });
        python
            .env("LISTEN_FDS", handed_over)
            .env("LISTEN_FDNAMES", ":metrics")
            .env_remove("RUST_LOG");
        let server = Running::start(python);
        assert!(ask_tcp(server.tcp()).ends_with(b"-UTC\r\n"));
        let names: Vec<&str> = server.bound.iter().map(|(name, _)| name.as_str()).collect();
        let expected: &[_] =
            if first == 3 { &["tcp", "udp", "tcp", "udp"] } else { &["tcp", "metrics"] };
        assert_eq!(names, expected);
        let open = descriptors(&server);
        assert!(open.len() > 4 && !open.iter().any(|(_, target)| *target == file), "{open:?}");
        assert!(!open.iter().any(|(number, _)| *number == 70), "{open:?}");
        server.stopped();
    }
}

/// Returns the open descriptors of a server and the file of each (proc(5)).
fn descriptors(server: &Running) -> Vec<(u32, PathBuf)> {
    let folder = fs::read_dir(format!("/proc/{}/fd", server.id())).expect("Linux");
    let descriptor = |entry: fs::DirEntry| {
        let number = entry.file_name().to_str().expect("a number").parse().expect("a number");
        Some((number, fs::read_link(entry.path()).ok()?))
    };
    folder.filter_map(|entry| descriptor(entry.expect("readable"))).collect()
}
