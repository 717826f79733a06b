//! Tests the reports of `daytime serve` to a supervisor that listens as systemd does.

use crate::support::wire::{ask_tcp, connect, eventually, read_to_end};
use crate::support::{PATIENCE, Running, bad, daytime, mentions};
use std::fs;
use std::io::ErrorKind;

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{self, UnixDatagram};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Notification socket, as systemd opens it for a service.
struct Supervisor {
    socket: UnixDatagram,
    name: String,
    _folder: TempDir,
}

impl Supervisor {
    fn on_a_path() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("bound");
        Self::with(socket, path.display().to_string(), folder)
    }

    fn on_an_abstract_name() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let name = format!("{}/notify", folder.path().display()); // a unique name
        let address = net::SocketAddr::from_abstract_name(&name).expect("a name");
        let socket = UnixDatagram::bind_addr(&address).expect("bound");
        Self::with(socket, format!("@{name}"), folder)
    }

    fn with(socket: UnixDatagram, name: String, folder: TempDir) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        Self { socket, name, _folder: folder }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = daytime();
        command.args(["serve", "--port", "0", "--listen", "127.0.0.1"]).args(arguments);
        command.env("NOTIFY_SOCKET", &self.name);
        command
    }

    fn next_message(&self) -> String {
        let mut text = [0; 4096];
        let length = self.socket.recv(&mut text).expect("a message in time");
        String::from_utf8_lossy(&text[..length]).into_owned()
    }

    fn assert_no_more_messages(&self) {
        self.socket.set_nonblocking(true).expect("set");
        let nothing = self.socket.recv(&mut [0; 4096]).expect_err("no more messages");
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    }
}

/// Asserts that a message reports the stop, with a status that names the time for open connections.
fn assert_stopping(message: &str) {
    let status = message.strip_prefix("STOPPING=1\nSTATUS=stopping: ");
    let status = status.unwrap_or_else(|| panic!("{message}"));
    assert!(status.ends_with('\n') && status.lines().count() == 1, "{message}");
    mentions(status, &["open connections", "1 s"]);
}

fn ready(server: &Running) -> String {
    let port = server.port();
    format!("READY=1\nSTATUS=serving tcp 127.0.0.1:{port}, udp 127.0.0.1:{port}\n")
}

fn reports_when_it_is_ready_and_when_it_stops(supervisor: &Supervisor) {
    let mut server = Running::start(supervisor.command(&[]));
    assert_eq!(supervisor.next_message(), ready(&server));
    let held = connect(server.tcp());
    assert!(read_to_end(&held).ends_with(b"-UTC\r\n"));
    server.signal("TERM");
    // The connection is still open.
    assert_stopping(&supervisor.next_message());
    drop(held);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    supervisor.assert_no_more_messages();
}

#[test]
fn a_supervisor_on_a_path_gets_ready_and_stopping() {
    reports_when_it_is_ready_and_when_it_stops(&Supervisor::on_a_path());
}

#[test]
fn a_supervisor_on_an_abstract_name_gets_ready_and_stopping() {
    reports_when_it_is_ready_and_when_it_stops(&Supervisor::on_an_abstract_name());
}

#[test]
fn a_service_that_ends_when_idle_reports_stopping_first() {
    let supervisor = Supervisor::on_a_path();
    let mut server = Running::start(supervisor.command(&["--idle", "0.1"]));
    assert_eq!(supervisor.next_message(), ready(&server));
    assert_stopping(&supervisor.next_message());
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn a_service_that_cannot_serve_never_reports_ready() {
    let supervisor = Supervisor::on_a_path();
    let first = Running::serve(&["--listen", "127.0.0.1"]);
    let mut serve = daytime();
    serve.args(["serve", "--listen", &first.tcp().to_string()]);
    bad(1, serve.env("NOTIFY_SOCKET", &supervisor.name));
    supervisor.assert_no_more_messages();
}

#[test]
fn the_event_loop_reports_to_the_watchdog() {
    let supervisor = Supervisor::on_a_path();
    let mut command = supervisor.command(&[]);
    command.env("WATCHDOG_USEC", "200000");
    let begun = Instant::now();
    let server = Running::start(command);
    assert_eq!(supervisor.next_message(), ready(&server));
    let asleep = switches(&server);
    for _ in 0..5 {
        assert_eq!(supervisor.next_message(), "WATCHDOG=1\n");
    }
    let elapsed = begun.elapsed();
    assert!(elapsed >= Duration::from_millis(500), "five half intervals took {elapsed:?}");
    // Only the first thread, which runs the loop, has been awake, so no other thread can have
    // reported.
    let now = switches(&server);
    let woken: Vec<u32> =
        now.iter().zip(&asleep).filter(|(now, then)| now != then).map(|(now, _)| now.0).collect();
    assert_eq!(woken, [server.id()]);
    assert!(ask_tcp(server.tcp()).ends_with(b"-UTC\r\n"));
}

#[test]
fn a_busy_server_reports_to_the_watchdog_too() {
    let supervisor = Supervisor::on_a_path();
    let mut command = supervisor.command(&[]);
    command.env("WATCHDOG_USEC", "200000");
    let server = Running::start(command);
    assert_eq!(supervisor.next_message(), ready(&server));
    let mut signs = 0;
    supervisor.socket.set_nonblocking(true).expect("set");
    let begun = Instant::now();
    while signs < 3 {
        ask_tcp(server.tcp());
        signs += usize::from(supervisor.socket.recv(&mut [0; 64]).is_ok());
        assert!(begun.elapsed() < PATIENCE, "{signs} signs of life");
    }
}

#[test]
fn a_watchdog_for_another_process_gets_no_reports() {
    let supervisor = Supervisor::on_a_path();
    let mut command = supervisor.command(&["--idle", "0.5"]);
    command.env("WATCHDOG_USEC", "1000").env("WATCHDOG_PID", "1");
    let mut server = Running::start(command);
    assert_eq!(supervisor.next_message(), ready(&server));
    assert_stopping(&supervisor.next_message()); // and no sign of life before
    server.wait();
}

#[test]
fn a_supervisor_that_does_not_read_delays_no_client() {
    let supervisor = Supervisor::on_a_path();
    let stuffer = UnixDatagram::unbound().expect("a socket");
    stuffer.connect(&supervisor.name).expect("connected");
    stuffer.set_nonblocking(true).expect("set");
    let mut count = 0;
    while stuffer.send(b"full").is_ok() {
        count += 1;
    }
    let mut command = supervisor.command(&[]);
    command.env("WATCHDOG_USEC", "100000");
    let server = Running::start(command);
    assert!(ask_tcp(server.tcp()).ends_with(b"-UTC\r\n"));
    for _ in 0..count {
        assert_eq!(supervisor.next_message(), "full");
    }
    // The refused message follows as soon as the queue has room.
    assert_eq!(supervisor.next_message(), ready(&server));
    server.stopped();
}

#[test]
fn a_supervisor_that_vanishes_does_not_end_the_service() {
    let supervisor = Supervisor::on_a_path();
    let mut command = supervisor.command(&[]);
    command.env("WATCHDOG_USEC", "100000");
    let mut server = Running::start(command);
    assert_eq!(supervisor.next_message(), ready(&server));
    drop(supervisor);
    let mut log = server.stderr();
    let mut line = String::new();
    while !(line.contains("cannot reach") && line.contains("supervisor")) {
        line.clear();
        assert_ne!(std::io::BufRead::read_line(&mut log, &mut line).expect("readable"), 0);
    }
    assert!(ask_tcp(server.tcp()).ends_with(b"-UTC\r\n"));
    server.stopped();
}

#[test]
fn an_unreachable_supervisor_is_logged_and_changes_nothing() {
    for place in ["/no/such/socket", "@no-such-socket", "vsock:2:1234", "relative"] {
        let mut command = daytime();
        command.args(["serve", "--port", "0"]).env("NOTIFY_SOCKET", place);
        let server = Running::start(command);
        assert!(ask_tcp(server.tcp()).ends_with(b"-UTC\r\n"));
        let log = server.stopped();
        let place = format!(" NOTIFY_SOCKET={place}: ");
        let warnings: Vec<&str> = log.lines().filter(|line| line.contains(&place)).collect();
        assert_eq!(warnings.len(), 1, "{log}");
        mentions(warnings[0], &[" WARN ] ", "cannot reach", "supervisor"]);
    }
}

/// Returns the id of each thread and the number of times it went to sleep, once all threads are
/// asleep.
fn switches(server: &Running) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    eventually("every thread sleeps", || {
        let tasks = fs::read_dir(format!("/proc/{}/task", server.id())).expect("Linux");
        let paths = tasks.map(|task| task.expect("readable").path());
        let mut asleep = true;
        let now: Vec<(u32, String)> = paths
            .map(|path| {
                let status = fs::read_to_string(path.join("status")).expect("readable");
                asleep &= status.contains("\nState:\tS");
                let (_, count) = status.split_once("\nvoluntary_ctxt_switches:").expect("counted");
                let id = path.file_name().expect("a name").to_string_lossy().parse();
                (id.expect("a number"), count.lines().next().unwrap_or_default().trim().to_owned())
            })
            .collect();
        let same = now == found;
        found = now;
        asleep && same
    });
    found.sort();
    found
}
