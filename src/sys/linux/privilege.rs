//! Users, groups and capabilities of the process (credentials(7), capabilities(7)).

use super::super::{Account, Credentials};
use caps::CapSet;
use nix::errno::Errno;
use nix::unistd::{
    Gid, Group, Uid, User, geteuid, getgroups, getresgid, getresuid, setgroups, setresgid,
    setresuid,
};
use std::io;

/// Argument of setresuid(2) that leaves the current ID unchanged.
const UNCHANGED: u32 = u32::MAX;

/// The capability sets that a process can use. The bounding set has an effect only at `execve(2)`,
/// where no-new-privileges already prevents new capabilities.
const CAPABILITY_SETS: [CapSet; 4] =
    [CapSet::Ambient, CapSet::Inheritable, CapSet::Permitted, CapSet::Effective];

/// Returns the user with this name. If there is none, returns the user with this ID. An ID needs no
/// entry in the user database.
pub(crate) fn find_user(name: &str) -> io::Result<Option<Account>> {
    let account = |user: User| Account { id: user.uid.as_raw(), group: Some(user.gid.as_raw()) };
    if let Some(user) = User::from_name(name)? {
        return Ok(Some(account(user)));
    }
    let Some(id) = number(name) else { return Ok(None) };
    let known = User::from_uid(Uid::from_raw(id))?;
    Ok(Some(known.map_or(Account { id, group: None }, account)))
}

/// Returns the group with this name. If there is none, returns the group with this ID.
pub(crate) fn find_group(name: &str) -> io::Result<Option<u32>> {
    let known = Group::from_name(name)?;
    Ok(known.map(|group| group.gid.as_raw()).or_else(|| number(name)))
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|id| *id != UNCHANGED)
}

/// Whether the process runs as root.
pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}

/// Returns the users and groups of the process, which all threads share.
pub(crate) fn credentials() -> io::Result<Credentials> {
    let (user, group) = (getresuid()?, getresgid()?);
    Ok(Credentials {
        users: [user.real, user.effective, user.saved].map(Uid::as_raw),
        groups: [group.real, group.effective, group.saved].map(Gid::as_raw),
        supplementary: getgroups()?.into_iter().map(Gid::as_raw).collect(),
    })
}

/// Gives up the supplementary groups, the group and the user, in this order. The user comes last,
/// because the other changes need root's rights. The C library applies each change to every thread
/// (nptl(7)). If a call fails, the error names that call.
pub(crate) fn become_user(user: u32, group: u32) -> Result<(), (&'static str, io::Error)> {
    let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(group));
    let of = |call| move |errno: Errno| (call, io::Error::from(errno));
    setgroups(&[]).map_err(of("setgroups"))?;
    setresgid(gid, gid, gid).map_err(of("setresgid"))?;
    setresuid(uid, uid, uid).map_err(of("setresuid"))
}

/// Tries to change back to this user. Returns true if this succeeds, or fails for a reason that may
/// be temporary.
pub(crate) fn regains_user(user: u32) -> bool {
    let same = Uid::from_raw(UNCHANGED);
    !is_refused(setresuid(same, Uid::from_raw(user), same))
}

/// Tries to change back to this group. Returns true if this succeeds, or fails for a reason that
/// may be temporary.
pub(crate) fn regains_group(group: u32) -> bool {
    let same = Gid::from_raw(UNCHANGED);
    !is_refused(setresgid(same, Gid::from_raw(group), same))
}

/// Whether the kernel refused the change for good: the change is not permitted (EPERM), or the user
/// namespace lacks the ID (EINVAL).
fn is_refused(tried: nix::Result<()>) -> bool {
    matches!(tried, Err(Errno::EPERM | Errno::EINVAL))
}

/// Empties all capability sets of this thread. Threads that it starts later inherit the empty sets.
pub(crate) fn drop_capabilities() -> io::Result<()> {
    // Emptying the permitted set also empties the effective set.
    for set in [CapSet::Ambient, CapSet::Inheritable, CapSet::Permitted] {
        caps::clear(None, set).map_err(io::Error::other)?;
    }
    Ok(())
}

/// Whether this thread has a capability in any of its sets.
pub(crate) fn has_capabilities() -> io::Result<bool> {
    for set in CAPABILITY_SETS {
        if !caps::read(None, set).map_err(io::Error::other)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_name_and_by_number_with_the_group() {
        let root = Some(Account { id: 0, group: Some(0) });
        assert_eq!(find_user("root").expect("readable"), root);
        assert_eq!(find_user("0").expect("readable"), root);
        assert_eq!(find_group("root").expect("readable"), Some(0));
    }

    #[test]
    fn a_number_without_an_entry_is_a_user_without_a_group() {
        let found = find_user("4000000000").expect("readable");
        assert_eq!(found, Some(Account { id: 4_000_000_000, group: None }));
        assert_eq!(find_group("4000000000").expect("readable"), Some(4_000_000_000));
    }

    #[test]
    fn an_unknown_name_and_the_number_minus_1_are_not_users() {
        for name in ["no-such-user", "", "-1", "4294967295", "65534x"] {
            assert_eq!(find_user(name).expect("readable"), None, "{name}");
            assert_eq!(find_group(name).expect("readable"), None, "{name}");
        }
    }

    #[test]
    fn the_effective_user_is_0_for_root_only() {
        let credentials = credentials().expect("readable");
        assert_eq!(credentials.users[1] == 0, is_root());
    }
}
