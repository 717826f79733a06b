//! Measures the steps of an answer, except system calls: printing a time, getting the current reply, deciding whether
//! to answer, and taking a token from the rate limiter. See `benches/README.md`.

#![allow(missing_docs, clippy::expect_used)] // criterion's macros generate functions without documentation

use criterion::{Criterion, criterion_group, criterion_main};
use daytime::internals::{GuardHarness, LimiterHarness, ResponderHarness};
use daytime::server::{GuardOptions, Limits, Rate};
use daytime::{Reading, Syntax, Zone};
use std::hint::black_box;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

fn printing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("print");
    let reading = Reading::at("1982-02-22T17:37:43Z".parse().expect("an instant"));
    let pattern = Syntax::Strftime("%A, %d %B %Y %T.%3f %Z".parse().expect("a pattern"));
    for syntax in Syntax::NAMED.iter().cloned().chain([pattern]) {
        group.bench_function(syntax.to_string(), |bencher| {
            bencher.iter(|| syntax.print(black_box(&reading), Zone::UTC));
        });
    }
    let zone: Zone = "America/Los_Angeles".parse().expect("a zone");
    group.bench_function("rfc867 in America/Los_Angeles", |bencher| {
        bencher.iter(|| Syntax::Rfc867.print(black_box(&reading), zone));
    });
    group.finish();
}

/// Measures how long it takes to get a reply that is already formed. The server forms a reply once per second, so
/// nearly every exchange has this cost.
fn replying(criterion: &mut Criterion) {
    let mut replying = ResponderHarness::new(Syntax::default());
    let round = Instant::now();
    criterion.bench_function("reply, formed already", |bencher| {
        bencher.iter(|| replying.octets(black_box(round)));
    });
}

fn deciding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide");
    let options = GuardOptions::default().no_amplification(true);
    let guard = GuardHarness::new(options, vec![13], vec![Ipv4Addr::new(198, 51, 100, 255)]);
    let reply = b"Monday, February 22, 1982 17:37:43-UTC\r\n";
    let (zeros, digits) = (&[0; 64][..], &[b'1'; 512][..]);
    for (name, peer, content, answered) in [
        ("answer IPv4", "198.51.100.7:40000", zeros, true),
        ("answer IPv6", "[2001:db8::7]:40000", zeros, true),
        ("answer 512 digits", "198.51.100.7:40000", digits, true),
        ("a reply of ours", "198.51.100.7:40000", reply, false),
        ("a reply of NIST", "198.51.100.7:40000", NIST, false),
        ("port 7", "198.51.100.7:7", zeros, false),
        ("broadcast", "198.51.100.255:40000", zeros, false),
        ("too short", "198.51.100.7:40000", &[], false),
    ] {
        let peer: SocketAddr = peer.parse().expect("an address");
        let local: SocketAddr = "198.51.100.1:13".parse().expect("an address");
        let decide = || guard.answers(black_box(peer), local, black_box(content), reply);
        assert_eq!(decide(), answered, "{name}");
        group.bench_function(name, |bencher| bencher.iter(decide));
    }
    group.finish();
}

const NIST: &[u8] = b"\n45022 82-02-22 17:37:43 00 0 0   0.0 UTC(NIST) * \n";

/// A function that returns the address of the source with a given number.
type Address = fn(u32) -> SocketAddr;

/// Measures the limiter's table, which has entries for 65 536 sources. The cases are one source, fewer sources than
/// entries, and more sources than entries.
fn limiting(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("limit");
    let plenty = Rate { per_second: 4_000_000_000, burst: 4_000_000_000 };
    let limits = Limits::default().udp_per_source(plenty).udp_total(plenty);
    let v4 = |number: u32| (Ipv4Addr::from_bits(0x0a00_0000 + number), 40_000).into();
    let v6 = |number: u32| {
        let network = 0x2001_0db8_u128 << 96 | u128::from(number) << 64;
        (Ipv6Addr::from_bits(network), 40_000).into()
    };
    for (version, address) in [("IPv4", v4 as Address), ("IPv6", v6)] {
        for sources in [1, 100, 10_000, 100_000, 1_000_000] {
            let start = Instant::now();
            let limiting = LimiterHarness::new(limits, start);
            let mut peers = (0..sources).cycle().map(address);
            group.bench_function(format!("{sources} sources, {version}"), |bencher| {
                bencher.iter(|| limiting.takes(peers.next().expect("a cycle"), black_box(start)));
            });
        }
    }
    let none = Rate { per_second: 1, burst: 1 };
    let start = Instant::now();
    let limiting = LimiterHarness::new(limits.udp_per_source(none), start);
    group.bench_function("refused", |bencher| {
        bencher.iter(|| limiting.takes(v4(1), black_box(start)));
    });
    group.finish();
}

criterion_group!(benches, printing, replying, deciding, limiting);
criterion_main!(benches);
