//! Runs the binary under test as a child process.

use super::wire::eventually;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};

/// Returns a command for the binary under test, without environment variables that change its output.
pub fn daytime() -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_daytime")))
}

pub(super) fn clean(mut command: Command) -> Command {
    command.env_remove("RUST_LOG").env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command.env_remove("TZ").env_remove("COLUMNS").stdin(Stdio::null());
    command
}

/// Returns standard output as text.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("standard output is UTF-8")
}

/// Returns standard error as text.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("standard error is UTF-8")
}

/// Asserts that a text fits a terminal with 80 columns and has no control characters.
pub fn assert_fits_80_columns(screen: &str) {
    for line in screen.lines() {
        assert!(line.chars().count() <= 80, "{line:?}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
}

/// Returns a counter from the result of [`counters`].
pub fn count(counters: &str, name: &str) -> u64 {
    let count = counters.split(", ").find_map(|it| it.strip_prefix(name)?.strip_prefix(": "));
    count.unwrap_or_else(|| panic!("no {name} in {counters}")).parse().expect("a number")
}

/// Returns the counters at the end of the log of a server that was started with `-v`, over IPv4 and IPv6 together:
/// "udp arrivals: 2, udp exchanges: 1". Leaves out counters that are 0.
pub fn counters(log: &str) -> String {
    let mut sums: Vec<(String, u64)> = Vec::new();
    for line in log.lines().filter_map(|line| line.split_once("DEBUG] total: ")) {
        let (transport, counts) = line.1.split_once(" ipv").expect("transport and version");
        let (_, counts) = counts.split_once(": ").expect("counts");
        for (name, count) in counts.split(", ").filter_map(|it| it.rsplit_once(' ')) {
            let (name, count) = (format!("{transport} {name}"), count.parse().expect("a number"));
            match sums.iter_mut().find(|(other, _)| *other == name) {
                Some((_, sum)) => *sum += count,
                None => sums.push((name, count)),
            }
        }
    }
    assert!(!sums.is_empty(), "no counters in {log}");
    let counted = sums.iter().filter(|(_, sum)| *sum > 0);
    counted.map(|(name, sum)| format!("{name}: {sum}")).collect::<Vec<_>>().join(", ")
}

/// A running `daytime serve`, ended when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// The addresses that the server printed, each with its transport.
    pub bound: Vec<(String, SocketAddr)>,
}

impl Running {
    /// Starts `daytime serve --port 0` with additional arguments.
    pub fn serve(arguments: &[&str]) -> Self {
        let mut command = daytime();
        command.args(["serve", "--port", "0"]).args(arguments);
        Self::start(command)
    }

    /// Starts `daytime serve`, and waits until it has printed its addresses. Its sockets are open by then.
    pub fn start(command: Command) -> Self {
        Self::logging_to(Stdio::piped(), command)
    }

    /// Starts `daytime serve` with `log` as its standard error.
    pub fn logging_to(log: impl Into<Stdio>, mut command: Command) -> Self {
        let child = command.stdout(Stdio::piped()).stderr(log).spawn();
        let mut child = child.expect("the binary starts");
        let mut output = BufReader::new(child.stdout.take().expect("standard output"));
        let mut bound = Vec::new();
        // The server prints all its addresses in one write, and nothing after that.
        loop {
            let mut line = String::new();
            output.read_line(&mut line).expect("readable");
            match line.trim_end().split_once(' ') {
                Some((transport, address)) => {
                    bound.push((transport.to_owned(), address.parse().expect("an address")));
                }
                None => break,
            }
            if output.buffer().is_empty() {
                break;
            }
        }
        let mut running = Self { child, bound };
        if running.bound.is_empty() {
            let status = running.child.wait().expect("waited for");
            panic!("serve did not start: {status}: {}", running.rest_of_stderr());
        }
        running
    }

    /// Starts `daytime serve` with `output` as its standard output. This function does not read the addresses, so
    /// `bound` is empty.
    pub fn printing_to(output: impl Into<Stdio>, mut command: Command) -> Self {
        let child = command.stdout(output).stderr(Stdio::piped()).spawn();
        Self { child: child.expect("the binary starts"), bound: Vec::new() }
    }

    /// Returns the first address for this transport (`tcp`, `udp`) that `admits` accepts.
    pub fn address(&self, transport: &str, admits: fn(&SocketAddr) -> bool) -> SocketAddr {
        let mut of_transport = self.bound.iter().filter(|(name, _)| name == transport);
        let found = of_transport.find(|(_, address)| admits(address));
        found.unwrap_or_else(|| panic!("no such {transport} address in {:?}", self.bound)).1
    }

    /// Returns the first TCP address.
    pub fn tcp(&self) -> SocketAddr {
        self.address("tcp", |_| true)
    }

    /// Returns the first UDP address.
    pub fn udp(&self) -> SocketAddr {
        self.address("udp", |_| true)
    }

    /// Returns the port, which is the same for all addresses.
    pub fn port(&self) -> u16 {
        self.bound[0].1.port()
    }

    /// Returns the process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the number of descriptors that the server has open (proc(5)).
    pub fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.id());
        std::fs::read_dir(folder).expect("it runs").count()
    }

    /// Returns a field from the process's status (proc_pid_status(5)).
    pub fn status(&self, field: &str) -> String {
        self.kernel_value("status", field)
    }

    /// Returns the private memory in KiB, counted page by page. RssAnon means the same, but is inexact, because the
    /// kernel counts it separately on each processor.
    pub fn private_memory(&self) -> usize {
        let value = self.kernel_value("smaps_rollup", "Anonymous");
        value.trim_end_matches(" kB").parse().expect("a number")
    }

    fn kernel_value(&self, file: &str, field: &str) -> String {
        let text = std::fs::read_to_string(format!("/proc/{}/{file}", self.id()));
        let text = text.expect("it runs");
        let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        value.unwrap_or_else(|| panic!("no {field} in {text}")).trim().to_owned()
    }

    /// Stops the server and waits until it has ended. Returns its log.
    pub fn stopped(mut self) -> String {
        self.signal("TERM");
        let (status, log) = self.wait();
        assert_eq!(status.code(), Some(0), "{log}");
        log
    }

    /// Stops a server that was started with `-v`. Returns its [`counters`].
    pub fn counters(self) -> String {
        counters(&self.stopped())
    }

    /// Returns a reader for the server's standard error.
    pub fn stderr(&mut self) -> BufReader<ChildStderr> {
        BufReader::new(self.child.stderr.take().expect("taken once"))
    }

    /// Sends the signal with this name (`TERM`, `INT`). After `STOP`, waits until every thread has stopped: until then a
    /// thread could still answer.
    pub fn signal(&self, name: &str) {
        let pid = self.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().expect("kill runs");
        assert!(sent.success());
        if name == "STOP" && cfg!(target_os = "linux") {
            eventually("every thread has stopped", || {
                self.thread_states().iter().all(|it| it == "T")
            });
        }
    }

    /// Returns the state of each thread: `T` for a stopped one (proc_pid_stat(5)).
    fn thread_states(&self) -> Vec<String> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.id())).expect("it runs");
        let state = |thread: std::fs::DirEntry| {
            let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            let (_, after_name) = stat.rsplit_once(") ")?;
            Some(after_name.split(' ').next()?.to_owned())
        };
        threads.filter_map(|thread| state(thread.expect("a thread"))).collect()
    }

    /// Whether the server has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("waited for").is_some()
    }

    /// Waits until the server ends. Returns its exit status and the rest of its standard error.
    pub fn wait(&mut self) -> (ExitStatus, String) {
        let stderr = self.rest_of_stderr();
        (self.child.wait().expect("waited for"), stderr)
    }

    fn rest_of_stderr(&mut self) -> String {
        let mut text = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut text).expect("standard error is UTF-8");
        }
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The server may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
