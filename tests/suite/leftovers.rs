//! No test leaves a process running: the run that finds one says which, ends it and fails.
//!
//! libtest runs nothing after the last test. So a constructor makes two processes of this binary before
//! `main`: the second runs the tests, the first waits for it. As a subreaper (PR_SET_CHILD_SUBREAPER(2const))
//! the first becomes the parent of every process that a test lost, and of no other process of this machine.

use crate::support::{run, stderr};
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

/// Process id of the first process; set in the environment of the second one and of all its children.
const FIRST: &str = "DAYTIME_TEST_LEFTOVERS";
/// Time for processes that are already ending when the last test has ended.
const GRACE: Duration = Duration::from_secs(5);
/// Time for leftovers to end after SIGKILL.
const KILL_GRACE: Duration = Duration::from_secs(5);
/// Exit status of a failed test run, as libtest has it.
const FAILED: i32 = 101;

ctor::declarative::ctor! {
    #[ctor(unsafe)]
    fn before_main() {
        match env::var(FIRST) {
            // The tests end with the first process, whatever ends it.
            Ok(first) if first == getppid().to_string() => {
                set_pdeathsig(Signal::SIGKILL).expect("any Linux has it");
            }
            Ok(_) => {} // a test runs this binary again, or a debugger
            Err(_) => exit(run_tests()),
        }
    }
}

/// Runs the tests in a second process: the exit status.
fn run_tests() -> i32 {
    set_child_subreaper(true).expect("any Linux has it");
    // `env::args` may be empty before `main`.
    let arguments = fs::read("/proc/self/cmdline").expect("proc(5)");
    let arguments = arguments.split(|octet| *octet == 0).map(|it| OsString::from_vec(it.to_vec()));
    let mut arguments: Vec<_> = arguments.skip(1).collect();
    arguments.pop(); // after the last NUL
    let mut tests = Command::new(env::current_exe().expect("proc(5)"));
    tests.args(arguments).env(FIRST, std::process::id().to_string());
    let status = wait_for(&tests.spawn().expect("this binary starts"));
    if has_children_after(GRACE) && !end_leftovers().is_empty() { FAILED } else { status }
}

/// Waits for this child, and for every other one that ends before: the exit status, as a shell has it.
fn wait_for(child: &Child) -> i32 {
    let child = Pid::from_raw(child.id().cast_signed());
    loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, status)) if pid == child => return status,
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => return 128 + signal as i32,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => panic!("the tests are not waited for: {error}"),
        }
    }
}

/// Whether this process has a child that does not end within this time.
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

/// Names each leftover on standard error and kills it; their own children become ours, and follow.
fn end_leftovers() -> BTreeSet<Pid> {
    let (mut named, begun) = (BTreeSet::new(), Instant::now());
    while begun.elapsed() < KILL_GRACE && has_children_after(Duration::ZERO) {
        for child in children() {
            if named.insert(child) {
                eprintln!("a test left a process running: {child} {}", command_line(child));
            }
            let _ = kill(child, Signal::SIGKILL); // EPERM: it has become another user
        }
    }
    named
}

/// Children of this process, which has one thread.
fn children() -> Vec<Pid> {
    let list = fs::read_to_string("/proc/thread-self/children").expect("proc(5)");
    list.split_whitespace().map(|pid| Pid::from_raw(pid.parse().expect("a number"))).collect()
}

fn command_line(pid: Pid) -> String {
    let octets = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    octets.escape_ascii().to_string().replace("\\x00", " ").trim_end().to_owned()
}

/// Starts a process that its parent does not wait for, if [`a_run_that_leaves_a_process_fails_and_names_it`]
/// asks for it.
#[test]
#[ignore = "another test starts it in a process of its own"]
fn leaves_a_process() {
    let Ok(seconds) = env::var(SECONDS) else { return }; // by hand, with --ignored
    let script = format!("sleep {seconds} >/dev/null 2>&1 & echo left $!");
    assert!(Command::new("sh").args(["-c", &script]).status().expect("a shell").success());
}

/// Lifetime of the process that is left.
const SECONDS: &str = "DAYTIME_TEST_SECONDS";

/// A run of its own of [`leaves_a_process`].
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
    assert!(printed.contains("test result: ok. 1 passed"), "the test itself is good: {printed}");
    let (_, pid) = printed.split_once("left ").expect("it printed the process id");
    let pid = pid.split_whitespace().next().expect("a process id");
    let named = format!("a test left a process running: {pid} sleep 600\n");
    assert_eq!(stderr(&output), named);
    assert_eq!(output.status.code(), Some(FAILED));
    assert!(!fs::exists(format!("/proc/{pid}")).expect("proc(5)"), "it was killed");
}

#[test]
fn a_run_whose_processes_end_a_moment_after_it_is_good() {
    let output = run(&mut leaving("0.2"));
    assert_eq!(stderr(&output), "");
    assert_eq!(output.status.code(), Some(0));
}
