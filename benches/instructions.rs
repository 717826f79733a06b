//! Counts the instructions of the hot paths with valgrind, and fails if a count is above its limit: see
//! `benches/README.md`.
//!
//! ```sh
//! cargo bench --package daytime-benches --bench instructions
//! ```
//!
//! The counts do not depend on the machine's load, so the limits can be tight. Instructions that the kernel executes
//! are not counted.

// gungraun's macros generate functions without documentation, and name all items from the crate root.
#![allow(missing_docs, unused_qualifications, clippy::expect_used, clippy::must_use_candidate)]

use daytime::internals::{GuardHarness, LimiterHarness, ResponderHarness, ServiceHarness};
use daytime::server::{GuardOptions, Limits, Rate};
use daytime::{Reading, Reply, Syntax, Zone, recognise};
use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Number of datagrams that a server answers in one round of its event loop.
const ROUND: u32 = 64;

/// Returns a configuration that fails a benchmark above `instructions` plus 5 %. `instructions` is the count with rustc
/// 1.95.0 on x86_64, and other compilers give slightly different counts. A change that makes a path faster should also
/// lower its count here.
fn counted(instructions: u64) -> LibraryBenchmarkConfig {
    let limit = instructions + instructions / 20;
    let mut tool = Callgrind::with_args(["--cache-sim=no"]);
    tool.hard_limits([(EventKind::Ir, limit)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(tool);
    config
}

fn reading() -> Reading {
    Reading::at("1982-02-22T17:37:43Z".parse().expect("an instant"))
}

#[library_benchmark(config = counted(5_280))]
#[bench::rfc867(reading())]
fn print(reading: Reading) -> Option<Reply> {
    Syntax::default().print(black_box(&reading), Zone::UTC).ok()
}

/// Creates a responder in the first half of a second. A responder created later could reach the next second during the
/// benchmark, which would then also measure the time to form a new reply.
fn replying() -> ResponderHarness {
    let within_second =
        || SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").subsec_millis();
    while within_second() > 500 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut replying = ResponderHarness::new(Syntax::default());
    replying.octets(Instant::now()).expect("a time");
    replying
}

#[library_benchmark(config = counted(10_345))]
#[bench::formed_already((replying(), Instant::now()))]
fn reply((mut replying, round): (ResponderHarness, Instant)) -> (usize, ResponderHarness) {
    let octets = (0..ROUND).filter_map(|_| replying.octets(black_box(round))).sum();
    (octets, replying)
}

#[library_benchmark(config = counted(5_289))]
#[bench::rfc867("Monday, February 22, 1982 17:37:43-UTC\r\n")]
fn read_rfc867(reply: &str) -> bool {
    recognise(black_box(reply.as_bytes())).is_ok()
}

#[library_benchmark(config = counted(5_096))]
#[bench::nist("\n45022 82-02-22 17:37:43 00 0 0   0.0 UTC(NIST) * \n")]
fn read_nist(reply: &str) -> bool {
    recognise(black_box(reply.as_bytes())).is_ok()
}

const REPLY: &[u8] = b"Monday, February 22, 1982 17:37:43-UTC\r\n";

fn deciding() -> GuardHarness {
    GuardHarness::new(GuardOptions::default(), vec![13, 13], vec![Ipv4Addr::new(198, 51, 100, 255)])
}

// Runs the guard on 64 datagrams, as in one round of the event loop. The guard admits all of them.
#[library_benchmark(config = counted(7_907))]
#[bench::answer(deciding())]
fn decide(guard: GuardHarness) -> (usize, GuardHarness) {
    let local = SocketAddr::from(([198, 51, 100, 1], 13));
    let answered = (0..ROUND)
        .filter(|number| guard.answers(black_box(peer(*number)), local, &[], REPLY))
        .count();
    (answered, guard)
}

fn peer(number: u32) -> SocketAddr {
    (Ipv4Addr::from_bits(0x0a00_0000 + number), 40_000).into()
}

fn limits() -> Limits {
    let plenty = Rate { per_second: 1_000_000, burst: 1_000_000 };
    Limits::default().udp_per_source(plenty).udp_total(plenty).loopback(true)
}

fn limiting(known: u32) -> (LimiterHarness, Instant) {
    let start = Instant::now();
    let limiting = LimiterHarness::new(limits(), start);
    assert!((0..known).all(|number| limiting.takes(peer(number), start)));
    (limiting, start)
}

// Takes tokens for 64 datagrams, as in one round, from sources that the limiter already knows or from new ones.
#[library_benchmark(config = counted(20_281))]
#[bench::known(limiting(ROUND))]
#[bench::new(limiting(0))]
fn limit((limiting, now): (LimiterHarness, Instant)) -> (usize, LimiterHarness) {
    let taken = (0..ROUND).filter(|number| limiting.takes(black_box(peer(*number)), now)).count();
    (taken, limiting)
}

/// Creates a UDP service whose last round received a full batch of datagrams, so that its next round requests a full
/// batch too.
fn answering() -> (ServiceHarness, UdpSocket, Instant) {
    drop(replying()); // waits until a second has just begun
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    server.set_nonblocking(true).expect("set");
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    client.connect(server.local_addr().expect("bound")).expect("connected");
    let now = Instant::now();
    assert_eq!(usize::try_from(ROUND), Ok(ServiceHarness::MAX_DATAGRAMS));
    let mut answering = ServiceHarness::new(server, limits(), now).expect("set up");
    for _ in 0..3 {
        send_round(&client);
        while answering.work(now).expect("polled") {}
    }
    assert_eq!(answering.answered(), 3 * u64::from(ROUND));
    send_round(&client);
    (answering, client, now)
}

fn send_round(client: &UdpSocket) {
    for _ in 0..ROUND {
        client.send(&[]).expect("sent");
    }
}

fn all_answered((answering, _client): (ServiceHarness, UdpSocket)) {
    assert_eq!(answering.answered(), 4 * u64::from(ROUND));
}

// Measures a complete round of the event loop, from receiving 64 datagrams to sending the replies.
#[library_benchmark(config = counted(35_694))]
#[bench::udp(args = (answering()), teardown = all_answered)]
fn round(
    (mut answering, client, now): (ServiceHarness, UdpSocket, Instant),
) -> (ServiceHarness, UdpSocket) {
    answering.work(now).expect("polled");
    (answering, client)
}

library_benchmark_group!(
    name = hot_paths,
    benchmarks = [print, reply, read_rfc867, read_nist, decide, limit, round]
);
main!(library_benchmark_groups = hot_paths);
