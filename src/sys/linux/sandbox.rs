//! Restrictions that a process can impose on itself: `PR_SET_NO_NEW_PRIVS` (prctl(2)) and
//! landlock(7).

use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, Ruleset, RulesetAttr, RulesetStatus, Scope,
};
use nix::sys::prctl;
use std::io;

/// Ensures that programs started by this process get no more rights than this process has, even if
/// their files grant more. This applies to this thread and to threads that it starts later.
pub(crate) fn no_new_privileges() -> io::Result<()> {
    Ok(prctl::set_no_new_privs()?)
}

/// Newest Landlock version with which this code was tested. [`restrict_files`] explains why later
/// versions are not used.
const NEWEST_ABI: ABI = ABI::V7;

/// Forbids access to files, new TCP binds and connects, abstract sockets, and signals to other
/// processes, as far as the kernel supports it. Returns the restrictions in force as text for the
/// log. These restrictions apply to this thread and to threads that it starts later.
///
/// From ABI 9 on, Landlock can also refuse calls that the service needs, such as sending over UDP
/// (ABI 10).
pub(crate) fn restrict_files() -> Result<String, String> {
    let created = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST_ABI))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(NEWEST_ABI)))
        .and_then(|rules| rules.scope(Scope::from_all(NEWEST_ABI)))
        .and_then(Ruleset::create);
    let status = created
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(|error| error.to_string())?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, LandlockStatus::NotEnabled) => {
            Err("the kernel supports Landlock, but its boot option lsm= does not enable it"
                .to_owned())
        }
        (RulesetStatus::NotEnforced, _) => Err("the kernel does not support Landlock".to_owned()),
        (_, LandlockStatus::Available { effective_abi, .. }) => Ok(forbidden(effective_abi)),
        (..) => Ok(String::new()),
    }
}

fn forbidden(abi: ABI) -> String {
    let mut text = format!("ABI {abi} (no files");
    if abi >= ABI::V4 {
        text.push_str(", no new TCP binds or connects");
    }
    if abi >= ABI::V6 {
        text.push_str(", no abstract sockets, no signals to others");
    }
    text + ")"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mentions::mentions;

    #[test]
    fn the_restrictions_follow_the_kernels_landlock_version() {
        let restrictions = ["no files", "TCP binds or connects", "abstract sockets", "signals"];
        for (version, name, count) in
            [(ABI::V3, "ABI 3", 1), (ABI::V5, "ABI 5", 2), (ABI::V7, "ABI 7", 4)]
        {
            let text = forbidden(version);
            mentions(&text, &[name]);
            mentions(&text, &restrictions[..count]);
            for missing in &restrictions[count..] {
                assert!(!text.contains(missing), "{text}");
            }
        }
    }
}
