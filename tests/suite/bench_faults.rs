//! Runs `daytime bench` on servers that lose, stall, reset, or send nothing: every exchange is counted with its result.

use crate::bench::number;
use crate::support::scripted::{Scripted, answer_twice};
use crate::support::wire::{closed_port, udp_server, wait_in_vain};
use crate::support::{complains, daytime, mentions, run, stderr, stdout};
use daytime::{BenchOptions, Transport};
use serde_json::{Value, json};
use socket2::SockRef;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Runs a load without a warm-up over one transport. Returns its JSON and the exit status.
fn load(transport: &str, host: &str, options: &[&str]) -> (Value, Option<i32>) {
    let mut bench = daytime();
    bench.args(["bench", "--json", "--warm-up", "0", "--proto", transport, host]).args(options);
    let output = run(&mut bench);
    assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
    let mut all: Value = stdout(&output).parse().expect("JSON");
    assert_eq!(all["good"], output.status.code() == Some(0), "{all:#}");
    (all[transport].take(), output.status.code())
}

/// Asserts that there were exchanges, and that each failed with this cause.
fn assert_all(kind: &str, (load, status): (Value, Option<i32>)) {
    assert!(number(&load, "asked") > 0, "{load:#}");
    assert_eq!(number(&load["failures"], kind), number(&load, "asked"), "{kind}: {load:#}");
    assert_eq!((number(&load, "failed"), number(&load, "answered")), (number(&load, "asked"), 0));
    assert_eq!((&load["latency_us"], status), (&Value::Null, Some(1)));
}

/// Starts a TCP server that calls `treat` with each connection.
fn tcp_server(mut treat: impl FnMut(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let host = listener.local_addr().expect("bound").to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            treat(stream.expect("a client"));
        }
    });
    host
}

const SHORT: [&str; 2] = ["--duration", "0.3"];

#[test]
fn a_load_ends_early_if_every_attempt_is_refused() {
    let (closed, _holder) = closed_port();
    let hour = ["--duration", "3600", "--warm-up", "3600"];
    for (transport, window) in [("tcp", "1"), ("udp", "1"), ("udp", "64")] {
        for rate in [&[][..], &["--rate", "50"]] {
            let options = ["--window", window, "--concurrency", "2"];
            let options = [&hour[..], &options, rate].concat();
            let mut bench = daytime();
            bench.args(["bench", "--json", "--proto", transport, &closed.to_string()]);
            let began = Instant::now();
            let output = run(bench.args(&options));
            let lasted = began.elapsed();
            let mut all: Value = stdout(&output).parse().expect("JSON");
            let load = all[transport].take();
            assert_eq!(load["refused_at_once"], true, "{load:#}");
            assert!(
                lasted >= Duration::from_millis(200),
                "{lasted:?}: a server may be about to start"
            );
            assert!(number(&load, "asked") >= 2, "{load:#}");
            let refused = number(&load["failures"], "refused");
            assert!(refused > 0 && refused == number(&load, "failed"), "{load:#}");
            assert_eq!((number(&load, "answered"), output.status.code()), (0, Some(1)));
            let error = stderr(&output);
            complains(&error, &[&closed.to_string(), "refused", transport, "`daytime serve"]);
        }
    }
}

#[test]
fn a_server_that_starts_a_moment_after_bench_is_measured() {
    // Eight sockets of a low rate, and the single one of a closed loop.
    for (concurrency, rate) in [(8, NonZeroU32::new(20)), (1, None)] {
        let (closed, holder) = closed_port();
        let mut holder = Some(holder);
        let options = BenchOptions::default()
            .transports(vec![Transport::Tcp])
            .concurrency(NonZeroU32::new(concurrency).expect("not 0"))
            .rate(rate)
            .duration(Duration::from_secs(1))
            .warm_up(Duration::ZERO);
        let mut listen = |now: Duration, _| {
            if let Some(holder) = holder.take_if(|_| now >= Duration::from_millis(100)) {
                holder.listen(64).expect("listening");
                serve_noon(holder.into());
            }
            ControlFlow::Continue(())
        };
        let bench = daytime::bench(&closed.into(), &options, &mut listen).expect("run");
        let load = &bench.loads[0];
        assert!(
            !load.refused_at_once && load.failures.refused > 0 && load.answered > 0,
            "{load:?}"
        );
        assert!(load.measured >= options.duration, "{load:?}");
    }
}

/// Answers each client in a thread.
fn serve_noon(listener: TcpListener) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            // A client of a load may have reset its connection.
            let _ = stream.and_then(|mut stream| stream.write_all(b"noon\r\n"));
        }
    });
}

#[test]
fn a_server_that_stops_is_asked_until_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let host = listener.local_addr().expect("bound").to_string();
    let answering = thread::spawn(move || {
        listener.accept().expect("a client").0.write_all(b"noon\r\n").expect("sent");
    });
    let (load, status) = load("tcp", &host, &SHORT);
    answering.join().expect("no panic");
    assert_eq!((&load["refused_at_once"], status), (&json!(false), Some(1)));
    let refused = number(&load["failures"], "refused");
    // One connection rests for 20 ms after each refusal.
    assert!((2..=300 / 20 + 2).contains(&refused), "{load:#}");
}

#[test]
fn a_server_that_never_answers_loses_every_question() {
    let host = udp_server(|socket| while socket.recv_from(&mut [0; 8]).is_ok() {});
    for options in [["--timeout", "0.1", "--window", "1"], ["--timeout", "0.1", "--window", "70"]] {
        let (load, status) = load("udp", &host, &[&SHORT[..], &options].concat());
        assert!(number(&load, "asked") >= 2, "{load:#}");
        assert_eq!(number(&load, "lost"), number(&load, "asked"), "{load:#}");
        assert_eq!((number(&load, "failed"), status), (0, Some(1)), "{load:#}");
    }
}

#[test]
fn every_connection_to_a_server_that_sends_nothing_times_out() {
    let mut held = Vec::new();
    let host = tcp_server(move |stream| held.push(stream));
    let options = [&SHORT[..], &["--timeout", "0.1", "--concurrency", "3"]].concat();
    assert_all("timed_out", load("tcp", &host, &options));
}

#[test]
fn a_reset_without_a_reply_is_counted_as_a_reset() {
    let host = tcp_server(|stream| {
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("set");
    });
    assert_all("reset", load("tcp", &host, &SHORT));
}

#[test]
fn a_reset_after_the_reply_is_counted_as_a_reset() {
    let host = tcp_server(|mut stream| {
        stream.write_all(b"noon\n").expect("sent");
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("set");
    });
    assert_all("reset", load("tcp", &host, &SHORT));
}

#[test]
fn a_reply_without_a_line_feed_at_its_end_is_a_failure() {
    for cut in [&b"noo"[..], b""] {
        let host = tcp_server(move |mut stream| stream.write_all(cut).expect("sent"));
        assert_all("no_whole_line", load("tcp", &host, &SHORT));
        let host = udp_server(move |socket| {
            while let Ok((_, peer)) = socket.recv_from(&mut [0; 8]) {
                socket.send_to(cut, peer).expect("sent");
            }
        });
        assert_all("no_whole_line", load("udp", &host, &SHORT));
    }
}

#[test]
fn a_stream_that_does_not_end_is_a_failure() {
    let host = tcp_server(|mut stream| while stream.write_all(&[b'\n'; 4096]).is_ok() {});
    let (load, status) = load("tcp", &host, &SHORT);
    let other = load["failures"]["other"].as_object().expect("causes with their counts");
    let [(cause, count)] = other.iter().collect::<Vec<_>>()[..] else { panic!("{load:#}") };
    mentions(cause, &["too long"]);
    assert_eq!((count, status), (&load["asked"], Some(1)), "{load:#}");
}

#[test]
fn every_lost_datagram_is_counted() {
    for window in ["1", "16"] {
        let counts: [Arc<AtomicU64>; 2] = Default::default();
        let [asked, dropped] = counts.clone();
        let host = udp_server(move |socket| {
            while let Ok((_, peer)) = socket.recv_from(&mut [0; 8]) {
                if asked.fetch_add(1, Ordering::Relaxed) % 10 == 9 {
                    dropped.fetch_add(1, Ordering::Relaxed);
                } else {
                    socket.send_to(b"noon\r\n", peer).expect("sent");
                }
            }
        });
        let options = ["--duration", "1", "--timeout", "0.2", "--window", window];
        let (load, status) = load("udp", &host, &options);
        let [asked, dropped] = counts.map(|count| count.load(Ordering::Relaxed));
        assert!(dropped >= 3, "the server dropped only {dropped}");
        assert_eq!(number(&load, "asked"), asked, "{load:#}");
        // On a machine that pauses for the timeout, an answer counts as late, and its question as lost.
        let lost = number(&load, "lost") - number(&load, "late");
        assert_eq!((lost, status), (dropped, Some(0)), "{load:#}");
        assert_eq!(number(&load, "answered"), asked - number(&load, "lost"), "{load:#}");
    }
}

#[test]
fn answers_after_the_timeout_are_late_and_answer_no_other_question() {
    let host = udp_server(|socket| {
        let mut before = None;
        // Answers each question when the next one arrives, which is after the timeout of the first.
        while let Ok((_, peer)) = socket.recv_from(&mut [0; 8]) {
            if let Some(before) = before.replace(peer) {
                socket.send_to(b"noon\r\n", before).expect("sent");
            }
        }
    });
    let options = ["--duration", "0.5", "--timeout", "0.1"];
    let (load, status) = load("udp", &host, &options);
    assert!(number(&load, "lost") >= 2, "{load:#}");
    assert_eq!(number(&load, "lost"), number(&load, "asked"), "{load:#}");
    assert_eq!((number(&load, "answered"), status), (0, Some(1)), "{load:#}");
    // The last question gets no answer. The answer to the second last may arrive just after the end.
    assert!(number(&load, "late") + 2 >= number(&load, "lost"), "{load:#}");
}

#[test]
fn a_note_warns_of_wrong_counts_if_a_server_answers_twice() {
    let host = Scripted { udp: answer_twice, ..Scripted::default() }.start();
    let (load, _) = load("udp", &host, &SHORT);
    assert!(number(&load, "late") > 0, "{load:#}");
    let mut bench = daytime();
    let bench = bench.args(["bench", "--warm-up", "0", "--proto", "udp", &host]).args(SHORT);
    let screen = stdout(&run(bench));
    mentions(note(&screen), &["late", "extra", "wrong question"]);
}

/// Returns the last paragraph of a screen.
fn note(screen: &str) -> &str {
    screen.trim_end().rsplit("\n\n").next().expect("a paragraph")
}

/// Time for which the server stops once. At 100 exchanges per second, 50 exchanges are due in this time, and each waits
/// up to half a second. Counted from the actual start, only the one exchange in progress would be slow.
const STALL: Duration = Duration::from_millis(500);
/// Number of the exchange at which the server stops.
const AT: u64 = 20;

fn assert_stall_shows(transport: &str, host: &str) {
    let options = ["--rate", "100", "--duration", "1", "--timeout", "5"];
    let (load, status) = load(transport, host, &options);
    let begun = number(&load, "asked");
    assert_eq!((begun + number(&load, "never_begun"), status), (100, Some(0)), "{load:#}");
    assert_eq!(number(&load, "answered"), begun, "{load:#}");
    let ms = |name: &str| load["latency_us"][name].as_f64().expect("a latency") / 1e3;
    // 50 of 100 exchanges waited 10, 20 … 500 ms: one in ten waited more than 400 ms, and the mean is 125 ms.
    assert!(ms("max") >= 500.0, "{load:#}");
    assert!(ms("p90") >= 350.0, "{load:#}");
    assert!(ms("mean") >= 100.0, "{load:#}");
}

#[test]
fn a_stall_shows_in_the_latency_of_every_exchange_that_was_due_in_it_over_udp() {
    assert_stall_shows(
        "udp",
        &udp_server(|socket| {
            for number in 0.. {
                let Ok((_, peer)) = socket.recv_from(&mut [0; 8]) else { return };
                if number == AT {
                    wait_in_vain(STALL);
                }
                socket.send_to(b"noon\r\n", peer).expect("sent");
            }
        }),
    );
}

#[test]
fn a_stall_shows_in_the_latency_of_every_exchange_that_was_due_in_it_over_tcp() {
    let mut number = 0;
    assert_stall_shows(
        "tcp",
        &tcp_server(move |mut stream| {
            if number == AT {
                wait_in_vain(STALL);
            }
            number += 1;
            stream.write_all(b"noon\r\n").expect("sent");
        }),
    );
}

#[test]
fn exchanges_that_never_began_are_counted_and_reported() {
    let host = udp_server(|socket| while socket.recv_from(&mut [0; 8]).is_ok() {});
    let options = ["--rate", "100", "--duration", "0.5", "--timeout", "0.6"];
    let (load, status) = load("udp", &host, &options);
    let counts = ["asked", "lost", "never_begun", "answered"].map(|key| number(&load, key));
    assert_eq!((counts, status), ([1, 1, 49, 0], Some(1)), "{load:#}");
    let mut bench = daytime();
    let output =
        run(bench.args(["bench", "--warm-up", "0", "--proto", "udp", &host]).args(options));
    let screen = stdout(&output);
    let row = screen.lines().find(|line| line.starts_with("  never started "));
    mentions(row.expect("a row"), &[" 49", "socket"]);
    mentions(note(&screen), &["scheduled", "--concurrency", "--rate"]);
}
