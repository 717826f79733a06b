//! Tests the laboratory's engine `netns` where it cannot run: the obstacle that it names, and that no process or
//! namespace remains.

use crate::lab_netns::{copy, ran, result, unprivileged};
use crate::or_skip;
use crate::support::{PATIENCE, daytime, mentions, program, run, skip, stderr, stdout};
use nix::unistd::geteuid;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use tempfile::TempDir;

/// A lab that runs there, and takes less than a second.
const RAW: [&str; 5] = ["lab", "run", "raw", "--engine", "netns"];

/// What keeps such a command from running it.
fn obstacle(command: Command) -> String {
    ran(result(command, "raw", &[])).expect_err("something is in the way")
}

/// That runs are possible here at all.
fn able() -> Result<(), String> {
    ran(result(daytime(), "raw", &[])).map(drop)
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

/// The network namespaces that threads of a process are in.
fn networks(process: &Path) -> BTreeSet<PathBuf> {
    let tasks = fs::read_dir(process.join("task")).into_iter().flatten().flatten();
    tasks.filter_map(|task| fs::read_link(task.path().join("ns/net")).ok()).collect()
}

/// The processes that threads of a process have started.
fn children(process: &Path) -> String {
    let tasks = fs::read_dir(process.join("task")).expect("it runs").flatten();
    let children = |task: fs::DirEntry| fs::read_to_string(task.path().join("children"));
    tasks.map(children).map(Result::unwrap_or_default).collect()
}

#[test]
fn a_run_is_threads_of_one_process_so_nothing_outlives_it() {
    or_skip!(able());
    // It takes longer than a second.
    let mut command = daytime();
    command.args(["lab", "run", "silent", "--engine", "netns"]).stdout(Stdio::null());
    let mut program = command.spawn().expect("started");
    let process = PathBuf::from(format!("/proc/{}", program.id()));
    let ours = fs::read_link("/proc/self/ns/net").expect("a namespace");
    let (begun, mut made) = (Instant::now(), BTreeSet::new());
    while made.len() < 3 && begun.elapsed() < PATIENCE {
        made = networks(&process);
        made.remove(&ours);
    }
    let started = children(&process);
    program.kill().expect("killed");
    program.wait().expect("ended");
    assert!(made.len() >= 3, "two hosts and the link between them: {made:?}");
    assert_eq!(started, "");
    for process in fs::read_dir("/proc").expect("proc").flatten() {
        assert!(networks(&process.path()).is_disjoint(&made), "{:?} stays", process.path());
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
        ran(result(command, "raw", &[])).unwrap_or_else(|it| panic!("without {lacking}: {it}"));
    }
}

#[test]
fn root_without_any_rights_gets_a_hint_which_it_needs() {
    or_skip!(program("setpriv"));
    let mut command = or_skip!(root_of_its_own("true"));
    command.args(["setpriv", "--bounding-set=-all", "--inh-caps=-all"]);
    command.arg(env!("CARGO_BIN_EXE_daytime"));
    mentions(&obstacle(command), &["CAP_SETFCAP", "as another user"]);
}

/// In a user namespace root would lose the right to write there.
#[test]
fn root_without_a_capability_still_writes_capture_files_to_a_folder_of_another_user() {
    or_skip!(program("setpriv"));
    or_skip!(geteuid().is_root().then_some(()).ok_or("needs root"));
    let folder = TempDir::new().expect("a folder");
    let path = folder.path();
    std::os::unix::fs::chown(path, Some(12_345), None).expect("root may");
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-net_admin", "--inh-caps=-net_admin"]);
    command.arg(env!("CARGO_BIN_EXE_daytime")).args(["-q", "lab", "run", "exchange", "raw"]);
    let all = run(command.args(["--json", "--pcapng"]).arg(path));
    let runs: Value = serde_json::from_slice(&all.stdout).expect("JSON");
    let [exchange, raw] = [&runs["runs"][0], &runs["runs"][1]];
    assert_eq!(
        (&exchange["good"], exchange["captures"].as_array().map(Vec::len)),
        (&true.into(), Some(4))
    );
    let obstacle = raw["obstacle"].as_str().expect("it could not run");
    mentions(obstacle, &["root lacks", "capability", &path.display().to_string()]);
}

#[test]
fn too_few_namespaces_are_a_limit_and_no_container() {
    for limit in [1, 2] {
        let script = format!("echo {limit} > /proc/sys/user/max_net_namespaces");
        let mut command = or_skip!(root_of_its_own(&script));
        command.arg(env!("CARGO_BIN_EXE_daytime"));
        let obstacle = obstacle(command);
        mentions(&obstacle, &["limit of namespaces", "raise"]);
        mentions(&obstacle, &["user.max_net_namespaces", "user.max_user_namespaces"]);
        assert!(!obstacle.contains("container"), "{obstacle}");
    }
}

#[test]
fn where_network_namespaces_are_forbidden_root_gets_no_hint_to_be_root() {
    let mut command = or_skip!(root_of_its_own("echo 0 > /proc/sys/user/max_net_namespaces"));
    command.arg(env!("CARGO_BIN_EXE_daytime"));
    let obstacle = obstacle(command);
    mentions(&obstacle, &["network namespaces", "user.max_net_namespaces is 0", "above 0"]);
    assert!(!obstacle.contains("root"), "{obstacle}");
}

#[test]
fn a_program_that_its_user_may_not_read_says_so() {
    let (_folder, program) = copy();
    fs::set_permissions(&program, Permissions::from_mode(0o111)).expect("permitted");
    // Not by setpriv at once, which reads whatever it likes.
    let mut command = or_skip!(unprivileged(Path::new("sh")));
    let output = run(command.args(["-c", "exec \"$@\"", "sh"]).arg(&program).args(RAW));
    let said = one_line(&stdout(&output));
    mentions(&said, &[" NOT RUN ", "program's file", "readable", "without capabilities"]);
}

#[test]
fn a_user_without_proc_gets_the_hint_to_mount_it_and_root_needs_none() {
    or_skip!(program("setpriv"));
    or_skip!(able());
    let without_proc = ["sh", "-c", "mount -t tmpfs none /proc && exec \"$@\"", "sh"];
    let mut root = or_skip!(root_of_its_own("true"));
    root.args(without_proc).arg(env!("CARGO_BIN_EXE_daytime"));
    ran(result(root, "raw", &[])).expect("it runs");
    let mut user = or_skip!(root_of_its_own("true"));
    user.args(["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]);
    user.args(without_proc).arg(env!("CARGO_BIN_EXE_daytime"));
    mentions(&obstacle(user), &["mount /proc", "as root"]);
}

#[test]
fn too_many_processes_are_reported_without_a_panic() {
    if !geteuid().is_root() {
        return skip("only root can become a user who has no other processes");
    }
    or_skip!(able());
    let (_folder, daytime) = copy();
    // The first thread leaves too few for the hosts, the link between them, the forwarder, or the server.
    for (limit, number) in [(1, 0), (2, 1), (3, 2), (4, 3), (5, 4)] {
        let output = run(as_unused_user(number, limit, &daytime).args(RAW));
        let (said, complained) = (one_line(&stdout(&output)), stderr(&output));
        assert!(!complained.contains("panicked"), "{complained}");
        assert!(said.contains(" NOT RUN "), "{limit}: {said}");
        mentions(&said, &["limit of processes", "raise", "ulimit -u"]);
    }
}

/// Returns a command that runs as a user that only this test has, with at most this number of processes.
fn as_unused_user(number: u32, processes: u32, daytime: &Path) -> Command {
    let user = 4_000_000_000 + std::process::id() * 5 % 100_000_000 + number;
    let mut command = Command::new("prlimit");
    command.arg(format!("--nproc={processes}")).args(["setpriv", "--clear-groups"]);
    command.args([format!("--reuid={user}"), format!("--regid={user}")]).arg(daytime);
    command
}

/// Text that was wrapped for a screen.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
