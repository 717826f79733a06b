//! Helpers for testing `daytime wire`: the running process, a namespace with a server whose packets it captures, and
//! capture files that it reads.

use super::wire::eventually;
use super::{Namespace, Running, TO_END, before, complains, good};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use tempfile::TempDir;

/// A running `daytime wire`.
#[derive(Debug)]
pub struct Capturing {
    pub child: Child,
    /// The line that the process printed when it began to capture.
    pub announced: String,
    errors: BufReader<ChildStderr>,
}

/// The output and exit status of a finished `daytime wire`.
#[derive(Debug)]
pub struct Ended {
    pub text: String,
    pub said: String,
    pub status: Option<i32>,
}

impl Capturing {
    /// Starts a live capture, and waits for the line that announces it. The capture misses no packet sent after that.
    pub fn start(command: Command) -> Self {
        let mut capturing = Self::spawn(command);
        capturing.errors.read_line(&mut capturing.announced).expect("readable");
        complains(&capturing.announced, &["capturing"]);
        capturing
    }

    /// Starts `daytime wire --read`, and waits until the process catches signals.
    pub fn read(command: Command) -> Self {
        let reading = Self::spawn(command);
        eventually("SIGINT is waited for", || {
            let status = reading.proc("status");
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
            caught.is_some_and(|mask| mask & 1 << (Signal::SIGTERM as u64 - 1) != 0)
        });
        reading
    }

    pub fn spawn(mut command: Command) -> Self {
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("it starts");
        let errors = BufReader::new(child.stderr.take().expect("piped"));
        Self { child, announced: String::new(), errors }
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        kill(Pid::from_raw(pid), signal).expect("it runs");
    }

    /// Suspends the process with SIGSTOP, so that it reads no packets until SIGCONT.
    pub fn suspend(&self) {
        self.signal(Signal::SIGSTOP);
        eventually("the process is stopped", || {
            let stat = self.proc("stat");
            stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
        });
    }

    /// Ends a suspended process, which receives SIGINT before it can read another packet.
    pub fn end_suspended(&self) {
        self.signal(Signal::SIGINT);
        self.signal(Signal::SIGCONT);
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).expect("it is there")
    }

    /// Waits until the process ends, and asserts exit status 0 and no further line on standard error. Returns standard
    /// output.
    pub fn end(self) -> String {
        let Ended { text, said, status } = self.ended();
        assert_eq!((said.as_str(), status), ("", Some(0)), "{text}");
        text
    }

    /// Waits until the process ends. Returns its output and exit status.
    pub fn ended(mut self) -> Ended {
        let text = self.child.stdout.take().map(read_all);
        let said = read_all(self.errors);
        let in_time = |read: mpsc::Receiver<String>| read.recv_timeout(TO_END).ok();
        let (text, said) = (text.map_or(Some(String::new()), in_time), in_time(said));
        let _ = self.child.kill();
        let status = self.child.wait().expect("waited for").code();
        Ended { text: text.expect("it ends"), said: said.expect("it ends"), status }
    }
}

fn read_all(mut output: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        output.read_to_string(&mut text).expect("UTF-8");
        sender.send(text)
    });
    receiver
}

/// A network namespace with a server on port 13, and a folder for files.
#[derive(Debug)]
pub struct Place {
    pub inside: Namespace,
    _server: Running,
    pub folder: TempDir,
}

impl Place {
    pub fn new() -> Result<Self, String> {
        Self::serving("127.0.0.1")
    }

    pub fn serving(address: &str) -> Result<Self, String> {
        let inside = Namespace::new()?;
        let mut serve = inside.daytime();
        serve.args(["serve", "--listen", address]);
        let server = Running::start(serve);
        let folder = TempDir::new().expect("a temporary folder");
        Ok(Self { inside, _server: server, folder })
    }

    pub fn wire(&self, arguments: &[&str]) -> Capturing {
        let mut command = self.inside.daytime();
        Capturing::start({
            command.arg("wire").args(arguments);
            command
        })
    }

    pub fn ask(&self, proto: &str) {
        good(self.inside.daytime().args(["query", "-q", "--proto", proto, "127.0.0.1"]));
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("seen.pcapng")
    }

    /// Captures one exchange over UDP, then one over TCP, into the file. Returns the output of `daytime wire` after the
    /// last packet.
    pub fn capture(&self) -> String {
        let file = self.file();
        let file = file.to_str().expect("UTF-8");
        let wire = self.wire(&["lo", "--count", "8", "--pcapng", file]);
        self.ask("udp");
        self.ask("tcp");
        wire.end()
    }
}

/// Asserts that the last line counts these packets and exchanges.
#[track_caller]
pub fn assert_sum(text: &str, packets: usize, exchanges: usize) {
    let last = text.lines().next_back().unwrap_or_default();
    for (count, unit) in [(packets, "packet"), (exchanges, "exchange")] {
        let unit = if count == 1 { unit.to_owned() } else { format!("{unit}s") };
        assert_eq!(before(last, &unit), Some(&*count.to_string()), "{unit}: {text}");
    }
}

/// Returns a ladder's arrows without their times.
pub fn ladder(text: &str) -> Vec<String> {
    let arrows = text.lines().filter(|line| line.contains('│'));
    arrows.map(|line| line.chars().skip(13).collect::<String>()).collect()
}

/// Returns a pcap file from a big-endian machine, with one empty datagram to port 13.
pub fn pcap() -> Vec<u8> {
    let head =
        [0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 0, 101];
    let record = [0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28];
    let ip = [0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    let udp = [0x9c, 0x40, 0, 13, 0, 8, 0, 0];
    [&head[..], &record, &ip, &udp].concat()
}
