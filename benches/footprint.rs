//! What a server costs before it has done anything: the program's size on the disk, its memory, and the time from
//! its start to the first answer, as medians of several starts.
//!
//! ```sh
//! cargo bench --bench footprint
//! cargo bench --bench footprint -- /path/to/daytime
//! ```
//!
//! It ends with status 1 if the program without symbols or its private memory is above its limit. Private memory
//! (RssAnon, proc_pid_status(5)) counts: no other process shares it and the kernel can only swap it out. Resident
//! memory also counts mapped pages of the program's file, which the kernel shares between processes, drops when
//! memory is short and reads again. So resident memory and the time are printed without a limit.

#![allow(clippy::expect_used, clippy::print_stdout)]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const STARTS: usize = 41;
const SIZE_LIMIT: u64 = 4 << 20;
const PRIVATE_LIMIT_KIB: u64 = 1 << 10;
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    // Cargo says `--bench` to every benchmark.
    let named = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let program = named.unwrap_or_else(|| env!("CARGO_BIN_EXE_daytime").to_owned());
    let folder = tempfile::tempdir().expect("a folder");
    let stripped = folder.path().join("daytime");
    strip(Path::new(&program), &stripped);
    let size = fs::metadata(&stripped).expect("it is there").len();
    let mut starts: Vec<Start> = (0..STARTS).map(|_| Start::of(&stripped)).collect();

    let private = median(&mut starts, |start| start.private_kib);
    let resident = median(&mut starts, |start| start.resident_kib);
    let proportional = median(&mut starts, |start| start.proportional_kib);
    let ready = median(&mut starts, |start| start.ready);
    let answered = median(&mut starts, |start| start.answered);
    println!("size, no symbols  {size} octets, at most {SIZE_LIMIT}");
    println!("private memory    {private} KiB, at most {PRIVATE_LIMIT_KIB} (RssAnon)");
    println!("resident memory   {resident} KiB (VmRSS: with mapped pages of files)");
    println!("its share         {proportional} KiB (Pss: shared pages are divided)");
    println!("addresses told    {:.2} ms after the start", ready.as_secs_f64() * 1e3);
    println!("first answer      {:.2} ms after the start", answered.as_secs_f64() * 1e3);
    println!("medians of {STARTS} starts");
    let small = size <= SIZE_LIMIT && private <= PRIVATE_LIMIT_KIB;
    if small { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn strip(program: &Path, to: &Path) {
    let status = Command::new("strip").arg("-o").arg(to).arg(program).status();
    assert!(status.expect("binutils is installed").success());
}

fn median<T: Ord + Copy>(starts: &mut [Start], of: impl Fn(&Start) -> T) -> T {
    starts.sort_by_key(|start| of(start));
    of(&starts[starts.len() / 2])
}

/// One server, from its start until it has answered over both transports.
struct Start {
    private_kib: u64,
    resident_kib: u64,
    proportional_kib: u64,
    ready: Duration,
    answered: Duration,
}

impl Start {
    fn of(program: &Path) -> Self {
        let begun = Instant::now();
        let mut server = Server::start(program);
        let address = server.address();
        let ready = begun.elapsed();
        ask_tcp(address);
        let answered = begun.elapsed();
        ask_udp(address);
        Self {
            private_kib: server.kib("status", "RssAnon:"),
            resident_kib: server.kib("status", "VmRSS:"),
            proportional_kib: server.kib("smaps_rollup", "Pss:"),
            ready,
            answered,
        }
    }
}

fn ask_tcp(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).expect("an answer");
    assert!(reply.ends_with(b"\r\n"));
}

fn ask_udp(address: SocketAddr) {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("loopback");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
    socket.send_to(b"", address).expect("loopback");
    let mut reply = [0; 512];
    let length = socket.recv(&mut reply).expect("an answer");
    assert!(reply[..length].ends_with(b"\r\n"));
}

/// `daytime serve` with what it does by default, on a free port; ended when dropped.
struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Server {
    fn start(program: &Path) -> Self {
        let mut command = Command::new(program);
        command.args(["serve", "--port", "0", "-q"]).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, output }
    }

    /// Where it listens over TCP, and over UDP too.
    fn address(&mut self) -> SocketAddr {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("readable");
        line.trim_end().strip_prefix("tcp ").expect("bound").parse().expect("an address")
    }

    /// A line of a file of proc(5).
    fn kib(&self, file: &str, name: &str) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/{file}", self.child.id()));
        let text = text.expect("it runs");
        let found =
            text.lines().find_map(|line| line.strip_prefix(name)).expect("this kernel tells");
        found.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
