//! Networks of one's own (network_namespaces(7), user_namespaces(7)), and the process that has them.

use caps::{CapSet, Capability};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, Uid, getegid, geteuid, gettid};
use std::env;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// This program, to be started again: the file that runs, whatever has its name by now. It leads a process
/// group of its own, for [`end_group`].
///
/// The error is a sentence for the user.
pub(crate) fn again() -> Result<Command, String> {
    const ITSELF: &str = "/proc/self/exe";
    if !Path::new(ITSELF).exists() {
        return Err(
            "there is no /proc here, by which the program finds itself: mount it".to_owned()
        );
    }
    let mut command = Command::new(ITSELF);
    command.arg0(env::args_os().next().unwrap_or_else(|| "daytime".into())).process_group(0);
    Ok(command)
}

/// Ends a process and, if it leads a process group, all of that.
pub(crate) fn end_group(leader: u32) {
    // To kill(2) the group 1 is every process there is.
    let Some(leader) = i32::try_from(leader).ok().filter(|it| *it > 1).map(Pid::from_raw) else {
        return;
    };
    // If both fail it has ended.
    let _ = killpg(leader, Signal::SIGKILL).or_else(|_| kill(leader, Signal::SIGKILL));
}

/// Gives this process a network of its own, in which it may do everything. It has to have one thread only:
/// else there is no user namespace for it.
///
/// The error is a sentence for the user: what is in the way, and what to do about it.
pub(crate) fn isolate() -> Result<(), String> {
    // Root needs no user namespace, which may be forbidden even to it.
    if may_set_up_networks() && unshare(CloneFlags::CLONE_NEWNET).is_ok() {
        return Ok(());
    }
    isolate_user()
}

/// Root of a container may make networks and yet be without the rights to do something with them.
fn may_set_up_networks() -> bool {
    let needed =
        [Capability::CAP_NET_ADMIN, Capability::CAP_NET_BIND_SERVICE, Capability::CAP_NET_RAW];
    let has = |it| caps::has_cap(None, CapSet::Effective, it).unwrap_or(false);
    needed.into_iter().all(has)
}

fn isolate_user() -> Result<(), String> {
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET).map_err(forbidden)?;
    let map = |file: &str, text: String| {
        let path = format!("/proc/self/{file}");
        fs::write(&path, text).map_err(|error| not_mapped(&path, &error, user))
    };
    // Without the first, the last is not permitted (user_namespaces(7)).
    map("setgroups", "deny".into())?;
    map("uid_map", format!("0 {user} 1"))?;
    map("gid_map", format!("0 {group} 1"))
}

/// Gives this thread, and those it starts later, a network of its own. Gives the number of the thread, by
/// which `ip link set … netns` finds it.
pub(crate) fn own_network() -> io::Result<i32> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    Ok(gettid().as_raw())
}

/// What to do where the process got a network but may not change it.
pub(crate) fn no_rights_inside() -> String {
    if is_root_of_host() {
        return "a security module keeps root from its own network: run it where none does"
            .to_owned();
    }
    match restriction() {
        Some(setting) => {
            format!("AppArmor takes the rights in a user namespace: {setting}, or run as root")
        }
        None => "a security module takes the rights in a user namespace: run as root".to_owned(),
    }
}

/// What to do where a namespace more is too many. Those that were left a moment ago may still count.
pub(crate) fn limit_reached() -> String {
    let [networks, users] = ["user.max_net_namespaces", "user.max_user_namespaces"];
    let is_zero = |name| sysctl(name) == Some(0);
    if is_zero(networks) {
        return format!("network namespaces are forbidden here: {networks} is 0; set it above 0");
    }
    if is_zero(users) {
        let root = or_as_root();
        return format!("user namespaces are forbidden here: {users} is 0; set it above 0{root}");
    }
    format!("the limit of namespaces is reached: raise {networks} and {users}, here or further out")
}

/// Why no user namespace was made.
fn forbidden(errno: Errno) -> String {
    if errno == Errno::ENOSPC {
        return limit_reached();
    }
    let clone = "kernel.unprivileged_userns_clone";
    let clone = (sysctl(clone) == Some(0)).then(|| format!("set {clone} to 1"));
    let (why, outside) = (errno.desc(), "run it outside of the container or its seccomp filter");
    let advice = clone.or_else(restriction).unwrap_or_else(|| outside.to_owned());
    format!("no user namespace can be made here ({why}): {advice}{}", or_as_root())
}

/// Said to others than root.
fn or_as_root() -> &'static str {
    if is_root_of_host() { "" } else { ", or run as root" }
}

/// Why a user namespace is of no use: nobody is anybody in it.
fn not_mapped(path: &str, error: &io::Error, user: Uid) -> String {
    let advice = match error.raw_os_error().map(Errno::from_raw) {
        // It belongs to root then (proc(5)).
        Some(Errno::EACCES) => "the program's file has to be readable, and without capabilities",
        Some(Errno::ENOENT) => "mount /proc",
        Some(Errno::EPERM) if user.is_root() => "give root CAP_SETFCAP, or run as another user",
        Some(Errno::EPERM) => return no_rights_inside(),
        _ => "run it outside of the container",
    };
    format!("{path} cannot be written ({error}): {advice}")
}

/// What would have AppArmor leave the rights in a user namespace to its user.
fn restriction() -> Option<String> {
    let name = "kernel.apparmor_restrict_unprivileged_userns";
    (sysctl(name) == Some(1)).then(|| format!("set {name} to 0"))
}

/// True if this is root, and not a user who is called so in a namespace.
fn is_root_of_host() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    geteuid().is_root() && map.split_whitespace().nth(1) == Some("0")
}

fn sysctl(name: &str) -> Option<u64> {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    fs::read_to_string(path).ok()?.trim().parse().ok()
}
