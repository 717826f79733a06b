//! `daytime serve` on sockets that systemd opens: its own `systemd-socket-activate` starts us.

use crate::or_skip;
use crate::support::wire::{ask_tcp, ask_udp, connect, eventually, metrics_page};
use crate::support::{Namespace, Running, bad, daytime, good, ipv6, program, run, stderr};
use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A `daytime serve` that systemd's program becomes when the first client comes.
struct Activated {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl Activated {
    /// In a namespace, where port 13 is free; `sockets` are options of systemd-socket-activate.
    fn start(inside: &Namespace, sockets: &[&str], serve: &[&str]) -> Result<Self, String> {
        let mut command = inside.command(program("systemd-socket-activate")?);
        command.args(sockets).arg(env!("CARGO_BIN_EXE_daytime")).arg("serve").args(serve);
        let bound = sockets.iter().filter(|it| it.starts_with("-l")).count();
        Self::spawn(command, inside, bound)
    }

    /// The same of a whole command, once so many sockets are bound to port 13.
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

    /// The next lines of standard output.
    fn lines(&mut self, count: usize) -> Vec<String> {
        self.output.by_ref().take(count).map(|line| line.expect("UTF-8")).collect()
    }

    /// The exit status, once it ends by itself.
    fn status(&mut self) -> Option<i32> {
        self.child.wait().expect("waited for").code()
    }
}

impl Drop for Activated {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One question inside: the bare line.
fn ask(inside: &Namespace, proto: &str, host: &str) -> String {
    good(inside.daytime().args(["query", "-q", "--proto", proto, host]))
}

#[test]
fn several_tcp_listeners_of_systemd_are_served_under_their_names() {
    or_skip!(ipv6());
    let inside = or_skip!(Namespace::new());
    let sockets = ["-l127.0.0.1:13", "-l[::1]:13", "--fdname=old:new"];
    let mut server = or_skip!(Activated::start(&inside, &sockets, &["--idle", "3"]));
    // The connection that starts it is answered too: it waits in the backlog.
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
    let told: serde_json::Value = serde_json::from_str(&server.lines(1)[0]).expect("JSON");
    let socket = |address: &str, name: &str| serde_json::json!({ "transport": "udp", "address": address, "port": 13, "name": name });
    let expected = [socket("127.0.0.1", "old"), socket("::1", "new")];
    assert_eq!(told, serde_json::json!({ "listening": expected }));
    assert!(ask(&inside, "udp", "127.0.0.1").ends_with("-UTC\n"));
    assert_eq!(server.status(), Some(0), "when idle");
}

#[test]
fn on_an_inherited_wildcard_the_address_that_was_asked_answers() {
    or_skip!(ipv6());
    let addresses = ["192.0.2.1", "2001:db8::1", "192.0.2.2"];
    let inside = or_skip!(Namespace::having(&["192.0.2.1/32", "2001:db8::1/128", "192.0.2.2/32"]));
    let mut server = or_skip!(Activated::start(&inside, &["-d", "-l[::]:13"], &["--idle", "3"]));
    // The client takes an answer only from where it asked.
    for host in addresses {
        assert!(ask(&inside, "udp", host).ends_with("-UTC\n"), "{host}");
    }
    assert_eq!(server.lines(1), ["udp [::]:13"], "a socket without a name");
    assert_eq!(server.status(), Some(0));
}

#[test]
fn one_process_for_each_connection_is_possible_too() {
    let inside = or_skip!(Namespace::new());
    let sockets = ["--accept", "--inetd", "-l127.0.0.1:13"];
    let _activator = or_skip!(Activated::start(&inside, &sockets, &["--inetd"]));
    for _ in 0..3 {
        assert!(ask(&inside, "tcp", "127.0.0.1").ends_with("-UTC\n"));
    }
}

/// Hands over descriptors as a shell opens them, before it becomes the server.
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
fn a_descriptor_that_is_no_socket_is_refused_with_number_name_and_what_it_is() {
    or_skip!(program("bash"));
    let mut serve = handing_over("1", "exec 3</dev/null", "$$", &[]);
    serve.env("LISTEN_FDNAMES", "hole");
    assert_eq!(
        bad(1, &mut serve),
        "daytime: descriptor 3 (hole) is /dev/null, no socket: neither a TCP nor a UDP socket \
         that can be served on\n"
    );
    let told = bad(1, &mut handing_over("2", "exec 3</dev/null", "$$", &[]));
    assert!(told.starts_with("daytime: descriptor 3 is /dev/null"), "{told}");
    let told = bad(1, &mut handing_over("many", ":", "$$", &[]));
    assert_eq!(told, "daytime: LISTEN_FDS=many is no number of sockets up to 1024\n");
}

#[test]
fn a_listener_with_the_name_metrics_is_the_endpoint_for_them() {
    let inside = or_skip!(Namespace::new());
    let sockets = ["-l127.0.0.1:13", "-l127.0.0.1:9867", "--fdname=daytime:metrics"];
    for (json, told) in [
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
        assert_eq!(server.lines(told.lines().count()).join("\n"), told);
        let counted = "daytime_exchanges_total{transport=\"tcp\",family=\"ipv4\"} 1\n";
        let is_counted = || metrics_page().contains(counted);
        or_skip!(inside.enter(|| eventually("the exchange is counted", is_counted)));
        assert_eq!(server.status(), Some(0), "when idle");
    }
}

#[test]
fn without_other_sockets_the_server_opens_its_own_beside_the_one_for_the_metrics() {
    let inside = or_skip!(Namespace::new());
    let mut command = inside.command(or_skip!(program("systemd-socket-activate")));
    command.args(["-l127.0.0.1:9867", "--fdname=metrics", env!("CARGO_BIN_EXE_daytime")]);
    command.args(["serve", "--port", "99", "--proto", "tcp", "--listen", "127.0.0.1"]);
    let mut server = or_skip!(Activated::spawn(command, &inside, 0));
    or_skip!(inside.enter(|| {
        eventually("it is bound", || TcpStream::connect("127.0.0.1:9867").is_ok());
    }));
    assert_eq!(server.lines(2), ["tcp 127.0.0.1:99", "metrics 127.0.0.1:9867"]);
}

#[test]
fn a_socket_for_the_metrics_has_to_listen_and_leaves_nothing_to_the_option() {
    or_skip!(program("bash"));
    let udp = "exec 3<>/dev/udp/127.0.0.1/9";
    let mut serve = handing_over("1", udp, "$$", &["--port", "0"]);
    let told = bad(1, serve.env("LISTEN_FDNAMES", "metrics"));
    assert_eq!(
        told,
        "daytime: cannot serve metrics: descriptor 3 (metrics) is a UDP socket, not a listening TCP socket\n"
    );
    let mut serve = handing_over("1", udp, "$$", &["--port", "0", "--metrics", "0"]);
    let told = bad(2, serve.env("LISTEN_FDNAMES", "metrics"));
    assert!(told.ends_with(": leave --metrics out\n"), "{told}");
    let two = format!("{udp}; exec 4<>/dev/udp/127.0.0.1/9");
    let mut serve = handing_over("2", &two, "$$", &["--port", "0"]);
    let told = bad(1, serve.env("LISTEN_FDNAMES", "metrics:metrics"));
    assert_eq!(told, "daytime: cannot use 2 sockets named metrics: hand over only one\n");
}

#[test]
fn sockets_meant_for_another_process_are_left_alone() {
    or_skip!(program("bash"));
    for pid in ["1", "''"] {
        let mut serve = handing_over("1", "exec 3</dev/null", pid, &["--port", "0"]);
        serve.args(["--idle", "0.1", "-q"]);
        let output = run(&mut serve);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
}

#[test]
fn options_that_open_sockets_are_refused_where_they_are_open_already() {
    or_skip!(program("bash"));
    let inside = or_skip!(Namespace::new());
    let activate = or_skip!(program("systemd-socket-activate"));
    let told = |option: &str| {
        format!(
            "daytime: the sockets are handed over, open, by a supervisor or inetd: leave {option} \
             out\n"
        )
    };
    for given in ["--listen=127.0.0.1", "--port=9", "--proto=tcp", "--backlog=1", "--only-v6"] {
        let option = given.split('=').next().expect("a name");
        assert_eq!(bad(2, daytime().args(["serve", "--inetd", given])), told(option));
    }
    let mut command = inside.command(activate);
    command.args(["-l127.0.0.1:13", env!("CARGO_BIN_EXE_daytime"), "serve", "--port", "99"]);
    let child = command.stderr(Stdio::piped()).spawn().expect("started");
    eventually("it is bound", || {
        !good(inside.command("ss").args(["-Hltn", "sport = :13"])).is_empty()
    });
    let asked = run(inside.daytime().args(["query", "-q", "127.0.0.1"]));
    let output = child.wait_with_output().expect("waited for");
    assert!(!asked.status.success());
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).ends_with(&told("--port")), "{}", stderr(&output));
}

#[test]
fn a_server_ends_after_its_idle_time_and_not_while_a_client_is_there() {
    let mut command = daytime();
    command.args(["serve", "--port", "0", "--idle", "2", "--drain-deadline", "3"]);
    let mut server = Running::start(command);
    let started = Instant::now();
    let held = connect(server.tcp());
    ask_udp(server.udp(), b"");
    ask_tcp(server.tcp());
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("no client for 2 s: stopping\n"), "{log}");
    // The held connection had its three seconds, and then no client was there for two seconds.
    let elapsed = started.elapsed();
    assert!(elapsed >= Duration::from_secs(5), "ended after {elapsed:?}");
    drop(held);
}

/// Becomes a server with a listener on 3, another on 4, and a file on 6 and 70.
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

/// The open descriptors of a server, and what each leads to (proc(5)).
fn descriptors(server: &Running) -> Vec<(u32, PathBuf)> {
    let folder = fs::read_dir(format!("/proc/{}/fd", server.id())).expect("Linux");
    let descriptor = |entry: fs::DirEntry| {
        let number = entry.file_name().to_str().expect("a number").parse().expect("a number");
        Some((number, fs::read_link(entry.path()).ok()?))
    };
    folder.filter_map(|entry| descriptor(entry.expect("readable"))).collect()
}
