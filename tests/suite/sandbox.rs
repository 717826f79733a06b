//! Tests that a confined process cannot do what it could do before. Each test runs this test binary
//! as a new process, because confinement cannot be undone.

use crate::or_skip;
use crate::support::wire::{ask_tcp, ask_udp};
use crate::support::{Running, complains, mentions, run, stderr, stdout};
use daytime::server::{Confinement, Sandbox};
use daytime::{Config, Server};
use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::kill;
use nix::unistd::getppid;
use seccompiler::{SeccompAction, SeccompFilter};
use std::collections::{BTreeMap, HashMap};
use std::env;
use std::fs::File;
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// How far the inner process confines itself: `plain`, `begun` (all but seccomp) or `finished`.
const HOW: &str = "DAYTIME_TEST_CONFINED";
/// Folder to which the inner process may write.
const FOLDER: &str = "DAYTIME_TEST_FOLDER";
/// Name of an abstract socket of another process.
const ABSTRACT: &str = "DAYTIME_TEST_ABSTRACT";

/// Actions that the inner process tries.
const TRIED: [&str; 12] = [
    "read a file",
    "make a file",
    "read a file on an older thread",
    "listen over TCP",
    "connect over TCP",
    "open a UDP socket",
    "open a Unix socket",
    "connect to an abstract socket outside",
    "signal a process outside",
    "start a thread",
    "start a program",
    "become a program",
];

/// Body of the inner process: confines itself, tries every action, and prints each result.
#[test]
#[ignore = "the other tests start it in a process of its own"]
#[expect(clippy::too_many_lines, reason = "the steps of one process, in order")]
fn inside() {
    let how = env::var(HOW).unwrap_or_default();
    if how.is_empty() {
        return; // started manually with --ignored
    }
    let file = PathBuf::from(env::var_os(FOLDER).expect("given")).join("made");
    let name = env::var(ABSTRACT).expect("given");
    let outside = SocketAddr::from_abstract_name(name).expect("a name");
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let local = listener.local_addr().expect("bound");
    let (go, wait) = mpsc::channel();
    let older = thread::spawn(move || {
        let _: Result<(), _> = wait.recv();
        File::open("/etc/passwd")
    });

    let server = server();
    if how != "plain" {
        let begun = Confinement::default().sandbox(Sandbox::On).begin().expect("begun");
        println!("\n> in force: {}", begun.so_far());
        if how == "finished" {
            println!("> in force: {}", begun.finish(&server).expect("finished"));
        }
    }

    let tell = |what: usize, went: io::Result<()>| match went {
        Ok(()) => println!("> {}: works", TRIED[what]),
        Err(error) => {
            let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
            println!("> {}: {errno:?}", TRIED[what]);
        }
    };
    println!();
    tell(0, File::open("/etc/passwd").map(drop));
    tell(1, File::create(file).map(drop));
    go.send(()).expect("it waits");
    tell(2, older.join().expect("no panic").map(drop));
    tell(3, TcpListener::bind("127.0.0.1:0").map(drop));
    tell(4, TcpStream::connect(local).map(drop));
    tell(5, UdpSocket::bind("127.0.0.1:0").map(drop));
    tell(6, UnixDatagram::unbound().map(drop));
    tell(7, UnixStream::connect_addr(&outside).map(drop));
    tell(8, kill(getppid(), None).map_err(io::Error::from));
    tell(9, thread::Builder::new().spawn(|| ()).map(drop));
    tell(10, Command::new("/bin/true").status().map(drop));
    // This call returns only if it fails. Otherwise the new program prints the result.
    tell(11, Err(Command::new("/bin/echo").arg(format!("> {}: works", TRIED[11])).exec()));
    std::process::exit(0);
}

/// Server for which the sandbox is made.
fn server() -> Server {
    let address = "127.0.0.1:0".parse().expect("an address");
    Server::bind(Config::default().address(address)).expect("loopback")
}

/// Starts [`inside`]. Returns the layers in force, and the result of each action.
fn tried(how: &str) -> (String, Vec<(String, String)>) {
    static NUMBER: AtomicU32 = AtomicU32::new(0); // tests run in parallel
    let folder = TempDir::new().expect("a temporary folder");
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("daytime-test-{}-{number}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let _outside = UnixListener::bind_addr(&address).expect("a listener outside");
    let mut command = Command::new(env::current_exe().expect("this binary"));
    command.args(["--exact", "sandbox::inside", "--ignored", "--nocapture"]);
    command.env(HOW, how).env(FOLDER, folder.path()).env(ABSTRACT, name);
    let output = run(&mut command);
    assert!(output.status.success(), "{output:?}");
    let printed = stdout(&output);
    let results = printed.lines().filter_map(|line| line.strip_prefix("> ")?.split_once(": "));
    let (mut in_force, mut went) = (String::new(), Vec::new());
    for (what, how) in results {
        if what == "in force" {
            how.clone_into(&mut in_force);
        } else {
            went.push((what.to_owned(), how.to_owned()));
        }
    }
    (in_force, went)
}

fn all(how: [&str; 12]) -> Vec<(String, String)> {
    TRIED.iter().zip(how).map(|(what, how)| ((*what).to_owned(), how.to_owned())).collect()
}

#[test]
fn without_the_sandbox_everything_that_is_tried_works() {
    assert_eq!(tried("plain").1, all(["works"; 12]));
}

#[test]
fn landlock_alone_refuses_files_programs_and_whatever_its_version_supports() {
    let (in_force, went) = tried("begun");
    or_skip!(has(&in_force, "landlock"));
    assert!(!in_force.contains("seccomp"), "{in_force}");
    let if_in_force = |what: &str, errno| if in_force.contains(what) { errno } else { "works" };
    let tcp = if_in_force("TCP binds", "EACCES");
    let expected = all([
        "EACCES", // Landlock's, where seccomp says EPERM
        "EACCES",
        "works", // on an older thread: so the server starts its threads later
        tcp,
        tcp,
        "works",
        "works",
        if_in_force("abstract sockets", "EPERM"),
        if_in_force("signals", "EPERM"),
        "works",
        "EACCES",
        "EACCES",
    ]);
    assert_eq!(went, expected, "{in_force}");
}

#[test]
fn with_seccomp_everything_is_refused_on_older_threads_too() {
    let (in_force, went) = tried("finished");
    or_skip!(has(&in_force, "seccomp"));
    assert_eq!(went, all(["EPERM"; 12]), "{in_force}");
}

fn has(in_force: &str, layer: &str) -> Result<(), String> {
    let reason = || format!("{layer} is not in force here, only: {in_force}");
    in_force.contains(layer).then_some(()).ok_or_else(reason)
}

/// Body of a confined process that does what any Rust program does.
#[test]
#[ignore = "the other tests start it in a process of its own"]
fn going_on() {
    if env::var_os(HOW).is_none() {
        return; // started manually with --ignored
    }
    let (go, wait) = mpsc::channel::<()>();
    let ends = thread::spawn(move || wait.recv().is_err());
    let (panic, wait) = mpsc::channel::<()>();
    let panics = thread::spawn(move || wait.recv().expect("on purpose"));
    let server = server();
    let begun = Confinement::default().begin().expect("begun");
    begun.finish(&server).expect("finished");

    let mut memory = vec![1_u8; 1 << 20];
    memory.resize(1 << 26, 2); // mremap
    assert_eq!((memory.first(), memory.last()), (Some(&1), Some(&2)));
    drop(memory);
    let keys: HashMap<u8, u8> = HashMap::from([(1, 2)]); // getrandom
    assert_eq!(keys[&1], 2);
    thread::sleep(Duration::from_millis(1));
    drop(go);
    assert!(ends.join().expect("no panic"));
    drop(panic);
    panics.join().expect_err("a panic with a backtrace");
    println!("\n> all of it: works");
    std::process::abort();
}

#[test]
fn memory_maps_pauses_the_end_of_threads_and_panics_work_inside() {
    let mut command = Command::new(env::current_exe().expect("this binary"));
    command.args(["--exact", "sandbox::going_on", "--ignored", "--nocapture"]);
    let output = run(command.env(HOW, "finished").env("RUST_BACKTRACE", "1"));
    assert!(stdout(&output).contains("> all of it: works\n"), "{output:?}");
    let said = stderr(&output);
    assert!(said.contains("on purpose") && said.contains("stack backtrace:"), "{said}");
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "the process aborted: {output:?}");
}

/// Name of the environment variable with a system call that fails with this errno for the server
/// below.
const WITHOUT: &str = "DAYTIME_TEST_WITHOUT";
/// Name of the environment variable with the argument of `--sandbox`, and options after it.
const MODE: &str = "DAYTIME_TEST_MODE";

/// Becomes `daytime serve` on a kernel that seems to lack a system call.
#[test]
#[ignore = "the other tests start it in a process of its own"]
fn server_on_a_kernel_without() {
    let (calls, errno) = match env::var(WITHOUT).as_deref() {
        Ok("landlock") => (&[libc::SYS_landlock_create_ruleset][..], libc::ENOSYS),
        Ok("seccomp") => (&[libc::SYS_seccomp][..], libc::EINVAL),
        Ok("capset") => (&[libc::SYS_capset][..], libc::EPERM),
        // C libraries use different system calls for adjtimex(3).
        Ok("adjtimex") => (&[libc::SYS_adjtimex, libc::SYS_clock_adjtime][..], libc::EPERM),
        _ => return, // by hand, with --ignored
    };
    let rules: BTreeMap<_, _> = calls.iter().map(|call| (*call, Vec::new())).collect();
    let arch = env::consts::ARCH.try_into().expect("an architecture of seccompiler");
    let refuse = SeccompAction::Errno(errno.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch).expect("right");
    let program: seccompiler::BpfProgram = filter.try_into().expect("right");
    seccompiler::apply_filter(&program).expect("applied");
    let mut serve = Command::new(env!("CARGO_BIN_EXE_daytime"));
    serve.args(["serve", "--port", "0", "--sandbox"]);
    serve.args(env::var(MODE).expect("given").split(' '));
    serve.stdout(File::options().write(true).open("/dev/fd/3").expect("standard output"));
    panic!("it was not started: {}", serve.exec());
}

/// Makes a command that runs [`server_on_a_kernel_without`]. Output of the test binary itself is
/// discarded.
fn serve_without(call: &str, mode: &str) -> Command {
    let mut command = Command::new("sh");
    let script = r#"exec "$0" --exact "$1" --ignored --nocapture 3>&1 >/dev/null"#;
    command.arg("-c").arg(script).arg(env::current_exe().expect("this binary"));
    command.arg("sandbox::server_on_a_kernel_without").env_remove("RUST_LOG");
    command.env(WITHOUT, call).env(MODE, mode);
    command
}

/// Calls that the kernel lacks, with the parts of the reason.
const LACKING: [(&str, &[&str]); 3] = [
    ("landlock", &["landlock: ", "kernel", "not support"]),
    ("seccomp", &["seccomp: "]),
    ("capset", &["no capabilities: "]),
];

fn lacks_nothing() -> Result<(), String> {
    let (in_force, _) = tried("finished");
    ["capabilities", "landlock", "seccomp"].iter().try_for_each(|layer| has(&in_force, layer))
}

#[test]
fn with_a_layer_missing_require_refuses_to_serve_and_names_it() {
    or_skip!(lacks_nothing());
    for (call, reason) in LACKING {
        let output = run(&mut serve_without(call, "require"));
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{said}");
        complains(&said, &["sandbox", "not complete: ", "try --sandbox on"]);
        mentions(&said, reason);
    }
}

#[test]
fn with_a_layer_missing_on_serves_with_a_warning_and_the_other_layers() {
    or_skip!(lacks_nothing());
    for (call, reason) in LACKING {
        let mut server = Running::start(serve_without(call, "on"));
        assert!(ask_tcp(server.tcp()).ends_with(b"-UTC\r\n"));
        assert!(ask_udp(server.udp(), b"").ends_with(b"-UTC\r\n"));
        server.signal("TERM");
        let (status, log) = server.wait();
        assert_eq!(status.code(), Some(0), "{log}");
        let missing = log.lines().find(|line| line.contains(" WARN ] sandbox: missing: "));
        mentions(missing.unwrap_or_else(|| panic!("no warning in {log}")), reason);
        let in_force = log.lines().find_map(|line| line.split_once("] sandbox: no "));
        let (_, in_force) = in_force.unwrap_or_else(|| panic!("no layers in the log: {log}"));
        let layers = ["capabilities", "new privileges", "landlock ABI", "seccomp ("];
        let there = layers.iter().filter(|layer| in_force.contains(**layer)).count();
        assert_eq!(there, 3, "{in_force}");
    }
}

#[test]
fn an_unreadable_clock_causes_a_warning_and_with_require_sync_a_refusal() {
    or_skip!(lacks_nothing());
    let mut server = Running::start(serve_without("adjtimex", "on --syntax nist"));
    let line = String::from_utf8(ask_tcp(server.tcp())).expect("ASCII");
    assert_eq!(line.split_whitespace().nth(5), Some("3"), "{line}");
    server.signal("TERM");
    let (_, log) = server.wait();
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("adjtimex: ")).collect();
    assert_eq!(warnings.len(), 1, "{log}");
    mentions(warnings[0], &[" WARN ] ", "clock", "synchronised", "not permitted"]);
    mentions(warnings[0], &["NIST syntax", "health 3"]);

    let output = run(&mut serve_without("adjtimex", "on --require-sync"));
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    complains(
        &said,
        &["clock", "synchronised", "adjtimex: ", "not permitted", "--require-sync needs"],
    );
    mentions(
        &said,
        &["allow adjtimex and clock_adjtime", "ProtectClock=", "leave --require-sync out"],
    );
}
