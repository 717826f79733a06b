//! Checks that no test leaves a process running. A test run names and ends each leftover process, and fails.
//!
//! libtest runs no code after the last test. So a constructor before `main` makes two processes of this binary: the
//! second runs the tests, and the first waits for the second. The first is a subreaper
//! (PR_SET_CHILD_SUBREAPER(2const)), so it becomes the parent of every process that a test leaves, and of no other.

use crate::support::{mentions, run, stderr};
use nix::errno::Errno;
use nix::sys::prctl::{set_child_subreaper, set_pdeathsig};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getppid};
use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::process::{Child, Command, exit};
use std::thread;
use std::time::{Duration, Instant};

/// Environment variable of the second process and all its children, with the process id of the first process.
const FIRST: &str = "DAYTIME_TEST_LEFTOVERS";
/// Time for processes that are already ending when the last test has ended.
const GRACE: Duration = Duration::from_secs(5);
/// Time for leftovers to end after SIGKILL.
const KILL_GRACE: Duration = Duration::from_secs(5);
/// Exit status of a failed test run, the same as that of libtest.
const FAILED: i32 = 101;

ctor::declarative::ctor! {
    #[ctor(unsafe)]
    fn before_main() {
        match env::var(FIRST) {
            // The kernel ends the tests together with the first process.
            Ok(first) if first == getppid().to_string() => {
                set_pdeathsig(Signal::SIGKILL).expect("any Linux has it");
            }
            Ok(_) => {} // a test or a debugger runs this binary again
            Err(_) => exit(run_tests()),
        }
    }
}

/// Runs the tests in a second process. Returns the exit status.
fn run_tests() -> i32 {
    set_child_subreaper(true).expect("any Linux has it");
    // `env::args` may be empty before `main`.
    let arguments = fs::read("/proc/self/cmdline").expect("proc(5)");
    let arguments = arguments.split(|octet| *octet == 0).map(|it| OsString::from_vec(it.to_vec()));
    let mut arguments: Vec<_> = arguments.skip(1).collect();
    arguments.pop(); // after the last NUL
    // A shell may have started this process in the background with SIGINT ignored. The commands under test would inherit
    // that, and leave SIGINT ignored.
    let mut tests = Command::new("env");
    tests.arg("--default-signal=INT").arg(env::current_exe().expect("proc(5)"));
    tests.args(arguments).env(FIRST, std::process::id().to_string());
    let status = wait_for(&tests.spawn().expect("this binary starts"));
    if has_children_after(GRACE) && !end_leftovers().is_empty() { FAILED } else { status }
}

/// Waits for this child, and reaps every other child that ends earlier. Returns the exit status as a shell reports it.
fn wait_for(child: &Child) -> i32 {
    let child = Pid::from_raw(child.id().cast_signed());
    loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, status)) if pid == child => return status,
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => return 128 + signal as i32,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => panic!("cannot wait for the tests: {error}"),
        }
    }
}

/// Whether this process still has a child after the given time.
fn has_children_after(grace: Duration) -> bool {
    let begun = Instant::now();
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Err(Errno::ECHILD) => return false,
            Ok(WaitStatus::StillAlive) if begun.elapsed() > grace => return true,
            Ok(WaitStatus::StillAlive) => thread::sleep(Duration::from_millis(10)),
            _ => {}
        }
    }
}

/// Names each leftover process on standard error and kills it. Its children become children of this process, and are
/// killed too.
fn end_leftovers() -> BTreeSet<Pid> {
    let (mut named, begun) = (BTreeSet::new(), Instant::now());
    while begun.elapsed() < KILL_GRACE && has_children_after(Duration::ZERO) {
        for child in children() {
            if named.insert(child) {
                eprintln!("a test left a process running: {child} {}", command_line(child));
            }
            let _ = kill(child, Signal::SIGKILL); // EPERM if it runs as another user
        }
    }
    named
}

/// Returns the children of this process, which has only one thread.
fn children() -> Vec<Pid> {
    let list = fs::read_to_string("/proc/thread-self/children").expect("proc(5)");
    list.split_whitespace().map(|pid| Pid::from_raw(pid.parse().expect("a number"))).collect()
}

fn command_line(pid: Pid) -> String {
    let octets = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    octets.escape_ascii().to_string().replace("\\x00", " ").trim_end().to_owned()
}

/// Starts a process that its parent does not wait for, if [`a_run_that_leaves_a_process_fails_and_names_it`] runs it.
#[test]
#[ignore = "another test starts it in a separate process"]
fn leaves_a_process() {
    let Ok(seconds) = env::var(SECONDS) else { return }; // run with --ignored by hand
    let script = format!("sleep {seconds} >/dev/null 2>&1 & echo left $!");
    assert!(Command::new("sh").args(["-c", &script]).status().expect("a shell").success());
}

/// Environment variable with the lifetime of the leftover process in seconds.
const SECONDS: &str = "DAYTIME_TEST_SECONDS";

/// Returns a command that runs only [`leaves_a_process`].
fn leaving(seconds: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("this binary"));
    command.args(["--exact", "leftovers::leaves_a_process", "--ignored", "--nocapture"]);
    command.env_remove(FIRST).env(SECONDS, seconds);
    command
}

#[test]
fn a_run_that_leaves_a_process_fails_and_names_it() {
    let output = run(&mut leaving("600"));
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("test result: ok. 1 passed"), "the test itself passes: {printed}");
    let (_, pid) = printed.split_once("left ").expect("it printed the process id");
    let pid = pid.split_whitespace().next().expect("a process id");
    let named = stderr(&output);
    assert_eq!(named.lines().count(), 1, "{named}");
    mentions(&named, &["a process running", &format!(" {pid} sleep 600\n")]);
    assert_eq!(output.status.code(), Some(FAILED));
    assert!(!fs::exists(format!("/proc/{pid}")).expect("proc(5)"), "it was killed");
}

#[test]
fn a_run_whose_processes_end_a_moment_later_succeeds() {
    let output = run(&mut leaving("0.2"));
    assert_eq!(stderr(&output), "");
    assert_eq!(output.status.code(), Some(0));
}
