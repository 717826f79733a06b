//! Tests SIGHUP: `daytime serve` reads the zone again, or logs that the zone is fixed. A terminal
//! that hangs up ends the server.

use crate::or_skip;
use crate::support::wire::{ask_tcp, ask_udp};
use crate::support::{Namespace, Running, good, mentions, program, run, stderr, whole_sandbox};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, Command};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Makes a namespace whose /etc is a folder of the test, where `localtime` links to this zone.
fn with_zone(zone: &str) -> Result<(Namespace, PathBuf), String> {
    let inside = Namespace::new()?;
    inside.enter(|| ())?; // skips if this process cannot enter the namespace
    let etc = inside.folder().join("etc");
    fs::create_dir(&etc).expect("created");
    link(&etc, zone);
    let mount = run(inside.command("mount").arg("--bind").arg(&etc).arg("/etc"));
    if !mount.status.success() {
        return Err(format!("no /etc of its own: {}", stderr(&mount).trim()));
    }
    Ok((inside, etc))
}

/// Points `localtime` at another zone in one step, as timedatectl(1) does.
fn link(etc: &Path, zone: &str) {
    symlink(format!("../usr/share/zoneinfo/{zone}"), etc.join("new")).expect("linked");
    fs::rename(etc.join("new"), etc.join("localtime")).expect("renamed");
}

/// Sends SIGHUP and returns what the log says about it.
fn hang_up(server: &Running, log: &mut BufReader<ChildStderr>) -> String {
    server.signal("HUP");
    let mut line = String::new();
    while !line.contains("SIGHUP: ") {
        line.clear();
        assert_ne!(log.read_line(&mut line).expect("readable"), 0, "the log ended before SIGHUP");
    }
    let (_, said) = line.trim_end().split_once("SIGHUP: ").expect("there");
    said.to_owned()
}

/// Asks often enough that each worker replies.
fn assert_all_reply(server: &Running, zone: &str) {
    for _ in 0..32 {
        for reply in [ask_tcp(server.tcp()), ask_udp(server.udp(), b"")] {
            assert_eq!(String::from_utf8_lossy(&reply), format!("{zone}\r\n"));
        }
    }
}

fn changes_zone(sandbox: &str) {
    let (inside, etc) = or_skip!(with_zone("Africa/Lagos"));
    let mut serve = inside.daytime();
    serve.args(["serve", "--listen", "127.0.0.1:0", "--zone", "local", "--strftime", "%Z"]);
    serve.args(["--workers", "4", "--sandbox", sandbox]);
    let mut server = Running::start(serve);
    let mut log = server.stderr();
    or_skip!(inside.enter(|| {
        assert_all_reply(&server, "WAT");
        link(&etc, "Asia/Tokyo");
        let said = hang_up(&server, &mut log);
        mentions(&said, &["now use Asia/Tokyo", "local zone", "before", "used Africa/Lagos"]);
        assert_all_reply(&server, "JST");
        mentions(&hang_up(&server, &mut log), &["local zone", "still Asia/Tokyo"]);
        link(&etc, "Mars/Olympus");
        let said = hang_up(&server, &mut log);
        mentions(&said, &["local zone", "\"Mars/Olympus\"", "no IANA name"]);
        mentions(&said, &["stay in Asia/Tokyo"]);
        assert_all_reply(&server, "JST");
    }));
    server.stopped();
}

#[test]
fn after_sighup_all_workers_reply_in_the_new_local_zone() {
    changes_zone("off");
}

#[test]
fn after_sighup_a_confined_server_replies_in_the_new_local_zone() {
    or_skip!(whole_sandbox());
    changes_zone("require");
}

#[test]
fn a_confined_server_that_cannot_reread_the_zone_logs_it_and_keeps_the_old_one() {
    or_skip!(whole_sandbox());
    let (inside, etc) = or_skip!(with_zone("Africa/Lagos"));
    let mut serve = inside.daytime();
    serve.args(["serve", "--listen", "127.0.0.1:0", "--zone", "local", "--strftime", "%Z"]);
    let mut server = Running::start(serve);
    let mut log = server.stderr();
    // The name is in a file instead, which a confined server cannot open.
    fs::remove_file(etc.join("localtime")).expect("removed");
    fs::write(etc.join("timezone"), "Asia/Tokyo\n").expect("written");
    let said = hang_up(&server, &mut log);
    mentions(&said, &["cannot read", "local zone: ", "stay in Africa/Lagos", "sandbox", "only if"]);
    or_skip!(inside.enter(|| assert_all_reply(&server, "WAT")));
}

#[test]
fn with_a_fixed_zone_sighup_changes_nothing_and_is_logged() {
    let mut server = Running::serve(&["--zone", "Asia/Tokyo", "--strftime", "%Z"]);
    let mut log = server.stderr();
    for _ in 0..2 {
        let said = hang_up(&server, &mut log);
        mentions(&said, &["no effect", "--zone", "fixed", "Asia/Tokyo"]);
    }
    assert_all_reply(&server, "JST");
    server.stopped();
}

#[test]
fn a_server_whose_terminal_hangs_up_stops_as_after_sigterm() {
    let started = Instant::now();
    let log = or_skip!(log_beyond_its_terminal(""));
    let elapsed = started.elapsed();
    assert!(elapsed < Duration::from_secs(15), "it took {elapsed:?}");
    mentions(&log, &["] SIGHUP: ", "terminal is gone", ": stopping\n"]);
}

#[test]
fn a_server_that_started_with_sighup_ignored_outlives_its_terminal() {
    let log = or_skip!(log_beyond_its_terminal("ignores SIGHUP"));
    mentions(&log, &["] SIGHUP: no effect", "--zone", "fixed (UTC)", "] SIGTERM: stopping\n"]);
}

/// Returns the log of a server whose terminal was closed, after it has ended well.
fn log_beyond_its_terminal(ignores: &str) -> Result<String, String> {
    let folder = TempDir::new().expect("a temporary folder");
    let log = folder.path().join("log");
    let mut python = Command::new(program("python3")?);
    python.args(["-c", CLOSE_TERMINAL, ignores]).arg(&log).arg(env!("CARGO_BIN_EXE_daytime"));
    // Without a terminal, the server would end too.
    python.args(["serve", "--listen", "127.0.0.1:0", "--idle", "20"]).env_remove("RUST_LOG");
    assert_eq!(good(&mut python), "0\n");
    Ok(fs::read_to_string(log).expect("written"))
}

/// Runs a server in a terminal, closes the terminal once the server is ready, and returns how the
/// server ended. A server that ignores SIGHUP gets SIGTERM after the log line about the hangup.
const CLOSE_TERMINAL: &str = "
import os, pty, signal, sys, time
ignores, log, *serve = sys.argv[1:]
child, terminal = pty.fork()
if child == 0:
    if ignores:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT), 2)
    os.execv(serve[0], serve)
printed = b''
while b'udp ' not in printed:
    printed += os.read(terminal, 1000)
os.close(terminal)
for _ in range(3000 if ignores else 0):
    if 'SIGHUP: ' in open(log).read():
        break
    time.sleep(0.01)
if ignores:
    os.kill(child, signal.SIGTERM)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
";
