//! A `daytime wire` at work, a place for it to look at, and capture files for it to read.

use super::wire::eventually;
use super::{Namespace, Running, TO_END, good};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use tempfile::TempDir;

/// A `daytime wire` that runs.
#[derive(Debug)]
pub struct Capturing {
    pub child: Child,
    /// What it said when it began to capture.
    pub announced: String,
    errors: BufReader<ChildStderr>,
}

/// How one ended.
#[derive(Debug)]
pub struct Ended {
    pub text: String,
    pub said: String,
    pub status: Option<i32>,
}

impl Capturing {
    /// Returns when it says that it captures: from then on no packet is missed.
    pub fn start(command: Command) -> Self {
        let mut capturing = Self::spawn(command);
        capturing.errors.read_line(&mut capturing.announced).expect("readable");
        let line = &capturing.announced;
        assert!(line.starts_with("daytime: capturing port"), "{line}");
        capturing
    }

    /// One that reads a file. Returns when it waits for signals.
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

    /// Returns when it stands still, until SIGCONT: it takes no packet meanwhile.
    pub fn stand_still(&self) {
        self.signal(Signal::SIGSTOP);
        eventually("it stands still", || {
            let stat = self.proc("stat");
            stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
        });
    }

    /// Ends it while it stands still: it hears of that before it can take another packet.
    pub fn end_from_stillness(&self) {
        self.signal(Signal::SIGINT);
        self.signal(Signal::SIGCONT);
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).expect("it is there")
    }

    /// What it has printed when it has ended well, and said nothing more.
    pub fn end(self) -> String {
        let Ended { text, said, status } = self.ended();
        assert_eq!((said.as_str(), status), ("", Some(0)), "{text}");
        text
    }

    /// Waits until it has ended.
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

/// A namespace with a server on port 13, and a folder for files.
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

    /// Captures one exchange over UDP, and then one over TCP until its last packet, into the file.
    pub fn capture(&self) -> String {
        let file = self.file();
        let file = file.to_str().expect("UTF-8");
        let wire = self.wire(&["lo", "--count", "8", "--pcapng", file]);
        self.ask("udp");
        self.ask("tcp");
        wire.end()
    }
}

/// Without the times, and with the ports of clients as they come.
pub fn ladder(text: &str) -> Vec<String> {
    let arrows = text.lines().filter(|line| line.contains('│'));
    arrows.map(|line| line.chars().skip(13).collect::<String>()).collect()
}

/// An empty datagram to port 13, as tcpdump writes it on a big-endian machine.
pub fn pcap() -> Vec<u8> {
    let head =
        [0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 0, 101];
    let record = [0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28];
    let ip = [0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    let udp = [0x9c, 0x40, 0, 13, 0, 8, 0, 0];
    [&head[..], &record, &ip, &udp].concat()
}
