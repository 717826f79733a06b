//! Measures an idle server: the size of its program file, its memory, and the time from its start to its first answer.
//! Prints medians over several starts.
//!
//! ```sh
//! cargo bench --package daytime-benches --bench footprint
//! cargo bench --package daytime-benches --bench footprint -- --no-default-features --features=cli
//! cargo bench --package daytime-benches --bench footprint -- /path/to/daytime
//! ```
//!
//! Arguments that begin with `-` are passed to `cargo build`, which builds the program. If the argument is a path, this
//! benchmark measures the program at that path instead.
//!
//! The exit status is 1 if the size of the stripped program or its private memory is above its limit. Private memory
//! (RssAnon, proc_pid_status(5)) has a limit, because no other process shares it. Resident memory has no limit: it also
//! includes mapped pages of the program's file, which processes share and which the kernel drops when memory is short.
//! Times have no limit either.

#![allow(clippy::expect_used, clippy::print_stdout)]

use daytime_benches::{Server, build};
use std::fs;
use std::io::Read;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

const STARTS: usize = 41;
const SIZE_LIMIT: u64 = 4 << 20;
const PRIVATE_LIMIT_KIB: u64 = 1 << 10;
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    // Cargo passes `--bench` to every benchmark. This argument must not reach `cargo build`.
    let arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let (options, paths): (Vec<_>, Vec<_>) = arguments.partition(|it| it.starts_with('-'));
    let program = paths.first().map_or_else(|| build(&options), PathBuf::from);
    let folder = tempfile::tempdir().expect("a folder");
    let stripped = folder.path().join("daytime");
    strip(&program, &stripped);
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
    println!("its share         {proportional} KiB (Pss: divides shared pages by their users)");
    println!("addresses printed {:.2} ms after the start", ready.as_secs_f64() * 1e3);
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

/// Measurements of one server, from its start until it has answered over both transports.
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
        let server = Server::start(Command::new(program).args(["serve", "--port", "0", "-q"]));
        let ready = begun.elapsed();
        ask_tcp(server.address);
        let answered = begun.elapsed();
        ask_udp(server.address);
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
