//! The laboratory's engine `netns` where something is in the way: what it says, and that nothing stays behind.

use crate::lab_netns::{copy, inside, ran, unprivileged};
use crate::or_skip;
use crate::support::{PATIENCE, daytime, good, program, run, skip, stderr, stdout};
use nix::unistd::geteuid;
use serde_json::{Value, json};
use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use tempfile::TempDir;

/// A lab that runs there, and takes less than a second.
const RAW: [&str; 5] = ["lab", "run", "raw", "--engine", "netns"];

/// What is missing for a run.
fn missing(outcome: &Value) -> &str {
    outcome["Missing"].as_str().unwrap_or_else(|| panic!("nothing is missing: {outcome}"))
}

/// That runs are possible here at all.
fn able() -> Result<(), String> {
    ran(&inside(daytime(), "raw")).map(drop)
}

/// Root of a user namespace of its own, with a copy of the mounts; it runs the script, then what comes
/// after it.
fn root_of_its_own(script: &str) -> Result<Command, String> {
    let mut command = Command::new(program("unshare")?);
    command.args(["-Urm", "sh", "-c"]);
    let mut tried = Command::new("unshare");
    if !run(tried.args(["-Urm", "true"])).status.success() {
        return Err("no user namespace can be made here".to_owned());
    }
    command.arg(format!("{script} && exec \"$@\"")).arg("sh").stdin(Stdio::null());
    Ok(command)
}

/// A folder with another `ip` in it. A shell writes it, since nobody can run what another test's child has
/// open for writing (execve(2), ETXTBSY).
fn folder_with_ip(script: &str) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let mut shell = Command::new("sh")
        .args(["-c", "cat > ip && chmod 755 ip && mkfifo heard"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut input = shell.stdin.take().expect("piped");
    writeln!(input, "#!/bin/sh\n{script}").expect("taken");
    drop(input);
    assert!(shell.wait().expect("ended").success());
    folder
}

/// Looks for programs there first.
fn path(folder: &TempDir) -> String {
    format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap_or_default())
}

/// Says that it has started and hangs, as does a program that it has started.
const HANGS: &str = "exec 3> \"${0%/*}/heard\"; echo started >&3; sleep 60";

/// What is heard of such an `ip`: that it has started, and that all of it has ended.
fn listen_to(folder: &TempDir) -> Receiver<String> {
    let (tell, told) = mpsc::channel();
    let heard = folder.path().join("heard");
    thread::spawn(move || {
        let mut heard = BufReader::new(File::open(heard).expect("the pipe"));
        let mut line = String::new();
        heard.read_line(&mut line).expect("readable");
        let _ = tell.send(line);
        let mut rest = String::new();
        heard.read_to_string(&mut rest).expect("readable");
        let _ = tell.send(format!("ended{rest}"));
    });
    told
}

#[test]
fn without_a_path_ip_is_not_the_one_in_the_current_folder() {
    or_skip!(able());
    let folder = folder_with_ip("echo it is the wrong one >&2; exit 1");
    for path in [None, Some(""), Some(":."), Some("bin:")] {
        let mut command = daytime();
        command.current_dir(folder.path()).env_remove("PATH");
        command.envs(path.map(|it| ("PATH", it)));
        ran(&inside(command, "raw")).expect("as able as before");
    }
}

#[test]
fn a_run_ends_with_whoever_started_it_and_so_does_ip() {
    or_skip!(able());
    let folder = folder_with_ip(HANGS);
    let heard = listen_to(&folder);
    let mut parent = daytime()
        .args(RAW)
        .env("PATH", path(&folder))
        .stdout(Stdio::null())
        .spawn()
        .expect("started");
    assert_eq!(heard.recv_timeout(PATIENCE).as_deref(), Ok("started\n"));
    parent.kill().expect("killed");
    parent.wait().expect("ended");
    assert_eq!(heard.recv_timeout(PATIENCE).as_deref(), Ok("ended"));
}

#[test]
fn a_run_does_not_begin_if_whoever_started_it_has_gone_already() {
    or_skip!(able());
    let mut child = daytime()
        .arg("lab-inside")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut input = child.stdin.take().expect("piped");
    // It takes seconds.
    writeln!(input, "{}", crate::lab_netns::request("silent", &json!({}))).expect("taken");
    drop(input);
    let output = child.wait_with_output().expect("ended");
    assert_eq!(stdout(&output), "");
    assert_eq!(output.status.signal(), Some(9), "{}", output.status);
}

#[test]
fn an_ip_that_hangs_is_ended_and_so_is_what_it_has_started() {
    or_skip!(able());
    let folder = folder_with_ip(HANGS);
    let heard = listen_to(&folder);
    let output = run(daytime().args(RAW).env("PATH", path(&folder)));
    assert_eq!(output.status.code(), Some(1));
    let said = stdout(&output);
    assert!(said.contains("the end of ip did not happen within 5 s"), "{said}");
    assert_eq!(heard.recv_timeout(PATIENCE).as_deref(), Ok("started\n"));
    assert_eq!(heard.recv_timeout(PATIENCE).as_deref(), Ok("ended"));
}

#[test]
fn what_ip_says_is_told_and_not_taken_for_missing_rights() {
    or_skip!(able());
    for (script, said) in
        [("echo no such thing >&2; exit 1", "no such thing"), ("exit 3", "exit status: 3")]
    {
        let folder = folder_with_ip(script);
        let mut command = daytime();
        command.env("PATH", path(&folder));
        let outcome = inside(command, "raw");
        assert_eq!(outcome["Failed"]["what"], "set up the network with ip", "{outcome}");
        assert_eq!(outcome["Failed"]["cause"]["Text"], said);
    }
}

#[test]
fn root_without_the_rights_over_networks_runs_as_a_user_does() {
    or_skip!(program("setpriv"));
    or_skip!(able());
    for lacking in ["net_admin", "net_raw", "net_bind_service", "sys_admin"] {
        let mut command = or_skip!(root_of_its_own("true"));
        let without = [format!("--bounding-set=-{lacking}"), format!("--inh-caps=-{lacking}")];
        command.arg("setpriv").args(without).arg(env!("CARGO_BIN_EXE_daytime"));
        let outcome = inside(command, "raw");
        assert!(outcome["Ran"].is_object(), "without {lacking}: {outcome}");
    }
}

#[test]
fn root_without_any_rights_is_told_which_it_needs() {
    or_skip!(program("setpriv"));
    let mut command = or_skip!(root_of_its_own("true"));
    command.args(["setpriv", "--bounding-set=-all", "--inh-caps=-all"]);
    command.arg(env!("CARGO_BIN_EXE_daytime"));
    let outcome = inside(command, "raw");
    let told = missing(&outcome);
    assert!(told.ends_with("give root CAP_SETFCAP, or run as another user"), "{told}");
}

#[test]
fn too_few_namespaces_are_a_limit_and_no_container() {
    for limit in [1, 2] {
        let script = format!("echo {limit} > /proc/sys/user/max_net_namespaces");
        let mut command = or_skip!(root_of_its_own(&script));
        command.arg(env!("CARGO_BIN_EXE_daytime"));
        let outcome = inside(command, "raw");
        let expected = "the limit of namespaces is reached: raise user.max_net_namespaces and \
                        user.max_user_namespaces, here or further out";
        assert_eq!(missing(&outcome), expected);
    }
}

#[test]
fn root_is_not_told_to_be_root_where_network_namespaces_are_forbidden() {
    let mut command = or_skip!(root_of_its_own("echo 0 > /proc/sys/user/max_net_namespaces"));
    command.arg(env!("CARGO_BIN_EXE_daytime"));
    let outcome = inside(command, "raw");
    let expected =
        "network namespaces are forbidden here: user.max_net_namespaces is 0; set it above 0";
    assert_eq!(missing(&outcome), expected);
}

#[test]
fn a_program_that_its_user_may_not_read_says_so() {
    let (_folder, program) = copy();
    fs::set_permissions(&program, Permissions::from_mode(0o111)).expect("permitted");
    // Not its inside at once: setpriv reads whatever it likes.
    let output = run(or_skip!(unprivileged(&program)).args(RAW));
    let said = one_line(&stdout(&output));
    assert!(
        said.ends_with("the program's file has to be readable, and without capabilities"),
        "{said}"
    );
}

#[test]
fn without_proc_it_says_what_to_mount() {
    let mut command = or_skip!(root_of_its_own("mount -t tmpfs none /proc"));
    let output = run(command.arg(env!("CARGO_BIN_EXE_daytime")).args(RAW));
    let said = one_line(&stdout(&output));
    let expected = "there is no /proc here, by which the program finds itself: mount it";
    assert!(said.ends_with(expected), "{said}");
}

#[test]
fn children_whose_end_nobody_is_told_of_do_their_work() {
    or_skip!(able());
    // Not by a shell: some do not let `trap` have that signal.
    let mut ignoring = Command::new("env");
    ignoring.arg("--ignore-signal=CHLD").arg(env!("CARGO_BIN_EXE_daytime"));
    good(ignoring.args(RAW));
}

#[test]
fn the_program_that_runs_is_the_one_that_was_started() {
    or_skip!(able());
    let (_folder, program) = copy();
    let removed = "exec 3< \"$0\"; rm \"$0\"; exec /proc/self/fd/3 \"$@\"";
    good(Command::new("sh").args(["-c", removed]).arg(program).args(RAW));
}

#[test]
fn too_many_processes_are_told_and_no_panic() {
    if !geteuid().is_root() {
        return skip("only root can become a user who has no other processes");
    }
    or_skip!(able());
    let (_folder, daytime) = copy();
    // One is too few for the process of the run, two for its threads, four for the hosts.
    for (limit, number) in [(1, 0), (2, 1), (3, 2), (4, 3)] {
        let output = run(as_nobody_else(number, limit, &daytime).args(RAW));
        let (said, complained) = (one_line(&stdout(&output)), stderr(&output));
        assert!(!complained.contains("panicked"), "{complained}");
        let expected = "the limit of processes and threads is reached: raise it (ulimit -u)";
        assert!(said.contains(expected), "{limit}: {said}");
    }
}

/// As a user whom only this test is, with so many processes.
fn as_nobody_else(number: u32, processes: u32, daytime: &Path) -> Command {
    let user = 4_000_000_000 + std::process::id() * 4 % 100_000_000 + number;
    let mut command = Command::new("prlimit");
    command.arg(format!("--nproc={processes}")).args(["setpriv", "--clear-groups"]);
    command.args([format!("--reuid={user}"), format!("--regid={user}")]).arg(daytime);
    command
}

/// Text that was wrapped for a screen.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
