//! Tests `daytime serve` with hostile clients and idle clients.

use crate::or_skip;
use crate::support::wire::{ask_tcp, ask_udp, connect, eventually, wait_in_vain};
use crate::support::{PATIENCE, Running};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Number of connections that clients open and never close.
const IDLERS: usize = 2000;
/// Maximum time that a new client waits for its reply on a busy machine. The other clients stay
/// longer.
const PROMPT: Duration = Duration::from_secs(5);
/// Drain deadline of the clients that the test expects to be closed.
const DRAIN: Duration = Duration::from_secs(8);

#[test]
fn a_new_client_is_served_despite_2000_idle_ones_which_are_closed_at_the_deadline() {
    or_skip!(allow_descriptors(IDLERS as u64 + 500));
    let server = Running::serve(&["--drain-deadline", &DRAIN.as_secs().to_string()]);
    let idle = server.descriptors();
    let opened = Instant::now();
    let idlers = open(IDLERS, server.tcp());
    assert_is_prompt(server.tcp());
    let held = server.descriptors() - idle;
    let elapsed = opened.elapsed();
    if elapsed < DRAIN {
        assert!(held >= IDLERS, "{held} of {IDLERS} are held after {elapsed:?}");
    }
    eventually("all connections are given up", || server.descriptors() == idle);
    assert!(opened.elapsed() >= DRAIN, "before the deadline");
    assert_eq!(idlers.len(), IDLERS);
}

#[test]
fn a_new_client_is_served_despite_2000_idle_ones_with_100_descriptors() {
    or_skip!(allow_descriptors(IDLERS as u64 + 500));
    let mut limited = Command::new("sh");
    let serve = r#"ulimit -n 100; exec "$0" serve --port 0 --drain-deadline 60"#;
    limited.args(["-c", serve, env!("CARGO_BIN_EXE_daytime")]);
    let server = Running::start(limited);
    let idlers = open(IDLERS, server.tcp());
    assert_is_prompt(server.tcp());
    assert_eq!(ask_udp(server.udp(), b"").last(), Some(&b'\n'));
    assert!(server.descriptors() < 200, "the limit holds");
    assert_eq!(idlers.len(), IDLERS);
}

#[test]
fn a_flood_of_datagrams_does_not_delay_tcp_clients() {
    let server = slow();
    let flood = Flood::of(server.udp());
    let mut streams = 0;
    while streams < 20 || flood.sent() < 2000 {
        assert_is_prompt(server.tcp());
        streams += 1;
    }
}

#[test]
fn a_flood_of_datagrams_does_not_prevent_the_end_of_the_server() {
    let server = slow();
    let flood = Flood::of(server.udp());
    eventually("the flood has begun", || flood.sent() > 2000);
    let asked = Instant::now();
    server.stopped();
    assert!(asked.elapsed() < PROMPT, "it took {:?}", asked.elapsed());
}

/// Starts a server that forms its reply anew for each datagram, so that it cannot keep up with a
/// flood.
fn slow() -> Running {
    Running::serve(&["--strftime", &"%A %B %T.%9f ".repeat(7)])
}

/// Flood of datagrams from several sockets, as fast as possible, until it is dropped.
struct Flood {
    over: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
}

impl Flood {
    fn of(target: SocketAddr) -> Self {
        let flood = Self { over: Arc::default(), sent: Arc::default() };
        for _ in 0..3 {
            let (over, sent) = (Arc::clone(&flood.over), Arc::clone(&flood.sent));
            thread::spawn(move || {
                let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
                while !over.load(Ordering::Relaxed) {
                    let new = socket.send_to(b"flood", target).is_ok();
                    sent.fetch_add(new.into(), Ordering::Relaxed);
                }
            });
        }
        flood
    }

    fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_client_that_sends_without_end_is_cut_at_the_octet_limit() {
    let server = Running::serve(&["--drain-octets", "100000", "--drain-deadline", "600"]);
    let mut stream = connect(server.tcp());
    let mut sent = 0;
    while stream.write_all(&[0; 1000]).is_ok() {
        sent += 1000;
        assert!(sent < 1 << 30, "still taken after {sent} octets");
    }
    assert!(sent >= 100_000, "cut after {sent} octets");
}

#[test]
fn a_client_that_drips_without_end_is_cut_at_the_deadline() {
    let server = Running::serve(&["--drain-deadline", "0.5"]);
    let opened = Instant::now();
    let mut stream = connect(server.tcp());
    while stream.write_all(b".").is_ok() {
        assert!(opened.elapsed() < PATIENCE, "still taken");
        wait_in_vain(Duration::from_millis(1));
    }
    assert!(opened.elapsed() >= Duration::from_millis(500), "cut after {:?}", opened.elapsed());
}

#[test]
fn a_held_connection_is_given_up_at_its_deadline_though_many_others_come_and_go() {
    let server = Running::serve(&["--drain-deadline", "1"]);
    let opened = Instant::now();
    let held = connect(server.tcp());
    for _ in 0..300 {
        ask_tcp(server.tcp());
    }
    // The reply and the end of stream arrive at once. A write shows that the server has given up
    // the connection.
    eventually("the held connection is gone", || (&held).write_all(b".").is_err());
    assert!(opened.elapsed() >= Duration::from_secs(1), "gone after {:?}", opened.elapsed());
}

#[test]
fn clients_that_send_without_end_do_not_delay_new_ones() {
    let limit = u64::MAX.to_string();
    let server = Running::serve(&["--drain-octets", &limit, "--drain-deadline", "60"]);
    let address = server.tcp();
    let done = Arc::new(AtomicBool::new(false));
    let talkers: Vec<_> = (0..3)
        .map(|_| {
            let (mut stream, done) = (connect(address), Arc::clone(&done));
            thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    stream.write_all(&[0; 1 << 14]).expect("taken");
                }
            })
        })
        .collect();
    for _ in 0..20 {
        assert_is_prompt(address);
    }
    done.store(true, Ordering::Relaxed);
    for talker in talkers {
        talker.join().expect("no write fails");
    }
}

#[test]
fn an_idle_server_uses_no_processor_time_and_never_wakes_up() {
    let server = Running::serve(&[]);
    // The server has worked before, and its last client has gone.
    let idle = server.descriptors();
    ask_tcp(server.tcp());
    ask_udp(server.udp(), b"");
    eventually("the connection is closed", || server.descriptors() == idle);
    let mut before = activity(&server);
    // A thread counts as asleep slightly before its switch is counted: two readings must agree.
    eventually("every thread sleeps", || {
        let earlier = std::mem::replace(&mut before, activity(&server));
        before.asleep && before == earlier
    });
    wait_in_vain(Duration::from_millis(1500));
    assert_eq!(activity(&server), before);
    assert!(before.switches.len() >= 2, "the worker and the thread that waits for signals");
}

fn open(count: usize, address: SocketAddr) -> Vec<TcpStream> {
    (0..count).map(|_| connect(address)).collect()
}

fn assert_is_prompt(address: SocketAddr) {
    let started = Instant::now();
    let line = ask_tcp(address);
    let elapsed = started.elapsed();
    assert!(line.ends_with(b"\r\n"), "{}", line.escape_ascii());
    assert!(elapsed < PROMPT, "a new client waited {elapsed:?}");
}

/// Lets this process open `count` files.
fn allow_descriptors(count: u64) -> Result<(), String> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("readable");
    if soft < count {
        setrlimit(Resource::RLIMIT_NOFILE, count.max(soft), hard.max(count))
            .map_err(|error| format!("{count} open files are not allowed here: {error}"))?;
    }
    Ok(())
}

/// Activity of a process so far (proc(5)).
#[derive(Debug, PartialEq)]
struct Activity {
    /// Whether every thread is asleep.
    asleep: bool,
    /// Processor time, in clock ticks.
    ticks: u64,
    /// Number of times that each thread went to sleep.
    switches: BTreeMap<String, u64>,
}

fn activity(server: &Running) -> Activity {
    let root = format!("/proc/{}", server.id());
    let stat = fs::read_to_string(format!("{root}/stat")).expect("Linux");
    // The name, in parentheses, may hold any characters. Field 3 follows it.
    let (_, fields) = stat.rsplit_once(") ").expect("a name");
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = |number: usize| fields[number - 3].parse::<u64>().expect("a number");
    let mut activity =
        Activity { asleep: true, ticks: ticks(14) + ticks(15), switches: BTreeMap::new() };
    for task in fs::read_dir(format!("{root}/task")).expect("Linux") {
        let path = task.expect("readable").path().join("status");
        let status = fs::read_to_string(&path).expect("readable");
        let field = |name| {
            let found = status.lines().find_map(|line| line.strip_prefix(name));
            found.unwrap_or_else(|| panic!("no {name} in {status}")).trim()
        };
        activity.asleep &= field("State:").starts_with('S');
        let switches = field("voluntary_ctxt_switches:").parse().expect("a number");
        activity.switches.insert(path.display().to_string(), switches);
    }
    activity
}
