//! Soak test: puts legitimate and hostile load on the real program, over loopback and with abuse limits. The test takes
//! ten minutes, or the number of seconds given as its argument.
//!
//! ```sh
//! cargo bench --package daytime-benches --bench soak
//! cargo bench --package daytime-benches --bench soak -- 30
//! ```
//!
//! A legitimate client sends a query every 50 ms, over TCP and UDP in turn. At the same time there are six kinds of
//! hostile clients: they hold connections without reading, half-close at once, reset, send 64 KiB first, connect in
//! bursts, or send bursts of datagrams of different lengths. Each kind has its own addresses. The exit status is 1 if a
//! legitimate query gets no reply, if memory grows, or if the number of descriptors changes.

#![allow(clippy::expect_used, clippy::print_stdout)]

use daytime::{Options, Target, Transport, ask};
use daytime_benches::{Server, build};
use socket2::{Domain, SockRef, Socket, Type};
use std::collections::VecDeque;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const WHOLE: Duration = Duration::from_mins(10);
/// Duration of the load before the measurement starts. During this time, tables and buffers grow to their final size.
const WARM_UP: Duration = Duration::from_secs(15);
const BETWEEN_GOOD: Duration = Duration::from_millis(50);
/// Time that the last connections get to end: the server's drain deadline plus one second.
const DRAIN: Duration = Duration::from_secs(6);
const SERVE: &str = "serve --listen 127.0.0.1 --port 0 --limit-loopback -q --syntax rfc3339";
/// Maximum accepted growth of the server's resident memory, in KiB. Some growth is normal, because the allocator keeps
/// freed memory.
const TOLERANCE_KIB: u64 = 256;

fn main() -> ExitCode {
    // Skips arguments that are not numbers, because Cargo passes `--bench` to every benchmark.
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let duration = seconds.map_or(WHOLE, Duration::from_secs).min(WHOLE);
    let server = Server::start(Command::new(build(&[])).args(SERVE.split(' ')));
    load(&server, WARM_UP);
    let before = State::of(&server);
    let good = load(&server, duration);
    let after = State::of(&server);
    println!("{} s of load, server and clients on one machine", duration.as_secs());
    good.print();
    println!("memory       {} KiB before, {} KiB after", before.resident_kib, after.resident_kib);
    println!("descriptors  {} before, {} after", before.descriptors, after.descriptors);
    let grown = after.resident_kib.saturating_sub(before.resident_kib) > TOLERANCE_KIB;
    let leaked = after.descriptors != before.descriptors;
    if good.lost > 0 || grown || leaked { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Runs the legitimate client and all hostile clients for the given time. Returns the legitimate client's results.
fn load(server: &Server, duration: Duration) -> Good {
    let (over, address) = (&AtomicBool::new(false), server.address);
    let hostile = [(); 6].map(|()| AtomicU64::new(0));
    let kinds: [fn(SocketAddr, &AtomicBool, &AtomicU64); 6] =
        [hold, half_close, reset, talk, flood_connections, flood_datagrams];
    let good = thread::scope(|scope| {
        for (kind, count) in kinds.into_iter().zip(&hostile) {
            scope.spawn(move || kind(address, over, count));
        }
        let good = ask_for(address, duration);
        over.store(true, Ordering::Relaxed);
        good
    });
    thread::sleep(DRAIN);
    Good { hostile: hostile.map(AtomicU64::into_inner), ..good }
}

/// Results of the legitimate client's queries.
struct Good {
    asked: usize,
    lost: usize,
    /// Latencies of the answered queries, in ascending order.
    latencies: Vec<Duration>,
    hostile: [u64; 6],
}

impl Good {
    fn print(&self) {
        let at = |share: usize| self.latencies.get(self.latencies.len() * share / 1000);
        let shown = |latency: Option<&Duration>| {
            latency.map_or("-".into(), |it| format!("{:.1} ms", it.as_secs_f64() * 1e3))
        };
        println!("good         {} asked, {} lost", self.asked, self.lost);
        let worst = self.latencies.last();
        let (median, p99) = (shown(at(500)), shown(at(990)));
        println!("latency      median {median}, p99 {p99}, worst {}", shown(worst));
        let names = ["held", "half closed", "reset", "sent first", "connected", "datagrams"];
        let counts = names.iter().zip(self.hostile).map(|(name, count)| format!("{name} {count}"));
        println!("hostile      {}", counts.collect::<Vec<_>>().join(", "));
    }
}

/// Sends a query every 50 ms, over TCP and UDP in turn, with the client that `daytime query` uses.
fn ask_for(address: SocketAddr, duration: Duration) -> Good {
    let target: Target = address.into();
    let options = Options::default();
    let (started, mut asked, mut lost, mut latencies) = (Instant::now(), 0, 0, Vec::new());
    while started.elapsed() < duration {
        let transport = Transport::BOTH[asked % 2];
        let begun = Instant::now();
        match ask(&target, transport, &options) {
            Ok(answer) if answer.offset().is_some_and(|offset| offset.agrees()) => {
                latencies.push(begun.elapsed());
            }
            other => {
                lost += 1;
                println!("lost: {other:?}");
            }
        }
        asked += 1;
        thread::sleep(BETWEEN_GOOD.saturating_sub(begun.elapsed()));
    }
    latencies.sort_unstable();
    Good { asked, lost, latencies, hostile: [0; 6] }
}

/// Opens a connection from 127.0.0.`last`.
fn connect(last: u8, to: SocketAddr) -> Option<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).ok()?;
    socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)).into()).ok()?;
    socket.set_recv_buffer_size(2048).ok()?;
    socket.connect(&to.into()).ok()?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    stream.set_write_timeout(Some(Duration::from_secs(1))).ok()?;
    Some(stream)
}

/// Keeps up to 500 connections open without reading from them.
fn hold(server: SocketAddr, over: &AtomicBool, count: &AtomicU64) {
    let mut held = VecDeque::new();
    while !over.load(Ordering::Relaxed) {
        held.extend(connect(2, server));
        if held.len() > 500 {
            held.pop_front();
        }
        count.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(2));
    }
}

/// Half-closes each connection at once, and keeps up to 100 of them open.
fn half_close(server: SocketAddr, over: &AtomicBool, count: &AtomicU64) {
    let mut held = VecDeque::new();
    while !over.load(Ordering::Relaxed) {
        let stream = connect(3, server).filter(|it| it.shutdown(Shutdown::Write).is_ok());
        held.extend(stream);
        if held.len() > 100 {
            held.pop_front();
        }
        count.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(5));
    }
}

/// Resets connections, some before the client has read the reply and some after.
fn reset(server: SocketAddr, over: &AtomicBool, count: &AtomicU64) {
    while !over.load(Ordering::Relaxed) {
        if let Some(mut stream) = connect(4, server) {
            if count.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
                let _ = stream.read(&mut [0; 64]);
            }
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Sends 64 KiB on each connection before reading from it.
fn talk(server: SocketAddr, over: &AtomicBool, count: &AtomicU64) {
    let octets = vec![b'x'; 1 << 16];
    while !over.load(Ordering::Relaxed) {
        if let Some(mut stream) = connect(5, server) {
            let _ = stream.write_all(&octets);
            let _ = stream.read_to_end(&mut Vec::new());
        }
        count.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(10));
    }
}

/// Repeatedly opens 20 connections and closes them at once.
fn flood_connections(server: SocketAddr, over: &AtomicBool, count: &AtomicU64) {
    while !over.load(Ordering::Relaxed) {
        drop([(); 20].map(|()| connect(6, server)));
        count.fetch_add(20, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(5));
    }
}

/// Sends bursts of 64 datagrams of different lengths, from 256 sources in turn. The limit per source rejects most of
/// them, so the bursts do not reach the total limit, which would also affect the legitimate client. One burst fits into
/// a receive buffer of default size. Otherwise the kernel could also drop the legitimate client's queries.
fn flood_datagrams(server: SocketAddr, over: &AtomicBool, count: &AtomicU64) {
    let octets = [0; 1400];
    let sockets: Vec<UdpSocket> = (0..=255)
        .map(|last| UdpSocket::bind((Ipv4Addr::new(127, 1, 0, last), 0)).expect("loopback"))
        .collect();
    for socket in sockets.iter().cycle() {
        if over.load(Ordering::Relaxed) {
            return;
        }
        for length in 0..64 {
            let _ = socket.send_to(&octets[..length * 27 % 1400], server);
        }
        count.fetch_add(64, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(5));
    }
}

/// Memory use and number of descriptors of a process (proc(5)).
struct State {
    resident_kib: u64,
    descriptors: usize,
}

impl State {
    fn of(server: &Server) -> Self {
        let descriptors = fs::read_dir(server.proc("fd")).expect("it runs").count();
        Self { resident_kib: server.kib("status", "VmRSS:"), descriptors }
    }
}
