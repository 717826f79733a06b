//! Networks of one's own (network_namespaces(7), user_namespaces(7)).

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{getegid, geteuid, gettid};
use std::fs;
use std::io;

/// Gives this process a network of its own, in which it may do everything. It has to have one thread only:
/// else there is no user namespace for it. It ends with the process that started it.
///
/// The error is a sentence for the user: what is in the way, and what to do about it.
pub(crate) fn isolate() -> Result<(), String> {
    // Root needs no user namespace, which may be forbidden even to it.
    if unshare(CloneFlags::CLONE_NEWNET).is_err() {
        isolate_user()?;
    }
    // After unshare(2), which clears it where it changes what the process may do (prctl(2)).
    set_pdeathsig(Signal::SIGKILL).map_err(|errno| format!("prctl: {}", errno.desc()))
}

fn isolate_user() -> Result<(), String> {
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET).map_err(forbidden)?;
    let map = |file: &str, text: String| {
        let path = format!("/proc/self/{file}");
        fs::write(&path, text).map_err(|error| format!("{path} cannot be written: {error}"))
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
    let restricted = sysctl("kernel/apparmor_restrict_unprivileged_userns") == Some(1);
    let why = if restricted { "AppArmor takes them" } else { "a security module takes them" };
    format!(
        "a user namespace was made, but without its rights: {why}; \
         sysctl kernel.apparmor_restrict_unprivileged_userns=0 gives them, or run as root"
    )
}

/// Why no user namespace was made, by the settings that can forbid it.
fn forbidden(errno: Errno) -> String {
    let settings = [
        ("user/max_user_namespaces", 0),
        ("user/max_net_namespaces", 0),
        ("kernel/unprivileged_userns_clone", 0),
        ("kernel/apparmor_restrict_unprivileged_userns", 1),
    ];
    let forbids = settings.into_iter().find(|(name, value)| sysctl(name) == Some(*value));
    let Some((name, value)) = forbids else {
        return format!(
            "no user namespace can be made here ({}): a container or its seccomp filter may forbid \
             it; run it outside, or as root",
            errno.desc()
        );
    };
    let (name, other) = (name.replace('/', "."), if value == 0 { "above 0" } else { "to 0" });
    format!(
        "user namespaces are forbidden here ({}): {name} is {value}; set it {other}, or run as root",
        errno.desc()
    )
}

fn sysctl(name: &str) -> Option<u64> {
    fs::read_to_string(format!("/proc/sys/{name}")).ok()?.trim().parse().ok()
}
