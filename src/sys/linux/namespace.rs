//! Network namespaces for threads, and the rights that creating them requires
//! (network_namespaces(7), user_namespaces(7)).

use caps::{CapSet, Capability};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Uid, getegid, geteuid, gettid};
use std::fs;
use std::io;

/// Gives this process the right to create and configure networks. If the process lacks the
/// capabilities, it enters a user namespace. The kernel allows this only to a process with one
/// thread (unshare(2)). User and group stay the same inside, so files that the process creates
/// still belong to the user.
///
/// The error is a message for the user. The message says what prevents this, and what to do.
pub(crate) fn permit_networks() -> Result<(), String> {
    // Root needs no user namespace, and may even be forbidden to create one.
    if may_set_up_networks() { Ok(()) } else { enter_user_namespace() }
}

/// Whether this process's threads may create networks and configure them. Root inside a container
/// may be able to create a network but lack rights in it.
pub(crate) fn may_set_up_networks() -> bool {
    let needed = [
        Capability::CAP_SYS_ADMIN,
        Capability::CAP_NET_ADMIN,
        Capability::CAP_NET_BIND_SERVICE,
        Capability::CAP_NET_RAW,
    ];
    let has = |it| caps::has_cap(None, CapSet::Effective, it).unwrap_or(false);
    needed.into_iter().all(has)
}

fn enter_user_namespace() -> Result<(), String> {
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(forbidden)?;
    let map = |file: &str, text: String| {
        let path = format!("/proc/self/{file}");
        fs::write(&path, text).map_err(|error| not_mapped(&path, &error, user))
    };
    // The kernel accepts gid_map only after setgroups is denied (user_namespaces(7)).
    map("setgroups", "deny".into())?;
    map("uid_map", format!("{user} {user} 1"))?;
    map("gid_map", format!("{group} {group} 1"))
}

/// Moves this thread, and threads that it starts later, to a new network. Returns the thread's ID,
/// by which [`NetworkSetup::add_cable`](super::NetworkSetup::add_cable) identifies the network.
pub(crate) fn enter_new_network() -> io::Result<i32> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    Ok(gettid().as_raw())
}

/// Returns advice for a process that has created a network but may not configure it.
pub(crate) fn no_rights_inside() -> String {
    if is_root_of_host() {
        return "a security module denies root its own network: run it on a host without this rule"
            .to_owned();
    }
    match apparmor_restriction() {
        Some(setting) => {
            format!("AppArmor denies rights in user namespaces: {setting}, or run as root")
        }
        None => "a security module denies rights in user namespaces: run as root".to_owned(),
    }
}

/// Returns advice for a process that has reached the limit on namespaces. The kernel may still
/// count namespaces that processes left a moment ago.
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

/// Describes why no user namespace could be created, and what to do.
fn forbidden(errno: Errno) -> String {
    match errno {
        Errno::ENOSPC => return limit_reached(),
        Errno::EINVAL => {
            return "a process with several threads cannot enter a user namespace: call lab::permit_namespaces before \
                    the first thread, or start it by `unshare -Ur`, or run it as root"
                .to_owned();
        }
        _ => {}
    }
    let clone = "kernel.unprivileged_userns_clone";
    let clone = (sysctl(clone) == Some(0)).then(|| format!("set {clone} to 1"));
    let (why, outside) = (errno.desc(), "run it outside of the container or its seccomp filter");
    let advice = clone.or_else(apparmor_restriction).unwrap_or_else(|| outside.to_owned());
    format!("no user namespace can be made here ({why}): {advice}{}", or_as_root())
}

/// Returns the advice to run as root, if the user is not root.
fn or_as_root() -> &'static str {
    if is_root_of_host() { "" } else { ", or run as root" }
}

/// Describes why the user could not be mapped into a new user namespace, and what to do.
fn not_mapped(path: &str, error: &io::Error, user: Uid) -> String {
    let advice = match error.raw_os_error().map(Errno::from_raw) {
        // In this case the mapping file belongs to root (proc(5)), so the user cannot write it.
        Some(Errno::EACCES) => "the program's file has to be readable, and without capabilities",
        Some(Errno::ENOENT) => "mount /proc, or run as root",
        Some(Errno::EPERM) if user.is_root() => "give root CAP_SETFCAP, or run as another user",
        Some(Errno::EPERM) => return no_rights_inside(),
        _ => "run it outside of the container",
    };
    format!("{path} cannot be written ({error}): {advice}")
}

/// If AppArmor removes the rights in user namespaces, returns advice on the setting that allows
/// them.
fn apparmor_restriction() -> Option<String> {
    let name = "kernel.apparmor_restrict_unprivileged_userns";
    (sysctl(name) == Some(1)).then(|| format!("set {name} to 0"))
}

/// Whether the user is root on the host, not just inside a user namespace.
fn is_root_of_host() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    geteuid().is_root() && map.split_whitespace().nth(1) == Some("0")
}

fn sysctl(name: &str) -> Option<u64> {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;

    #[test]
    fn a_process_with_several_threads_gets_advice() {
        let (stop, stopped) = mpsc::channel::<()>();
        let other = thread::spawn(move || stopped.recv());
        let message = enter_user_namespace().expect_err("several threads");
        // If user namespaces are forbidden, the message reports that error instead.
        let is_forbidden = message.contains("(Operation not permitted)");
        assert!(message.contains("first thread") || is_forbidden, "{message}");
        drop(stop);
        assert!(other.join().expect("ended").is_err());
    }
}
