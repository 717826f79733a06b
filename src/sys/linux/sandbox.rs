//! What the kernel can be asked to refuse from now on: `PR_SET_NO_NEW_PRIVS` (prctl(2)), landlock(7).

use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, Ruleset, RulesetAttr, RulesetStatus, Scope,
};
use nix::sys::prctl;
use std::io;

/// Programs that are started get no more rights than this one has, whatever their files say. Of this
/// thread and those it starts later.
pub(crate) fn no_new_privileges() -> io::Result<()> {
    Ok(prctl::set_no_new_privs()?)
}

/// The newest that this was tried with; see [`restrict_files`] for why not all that the crate knows.
const NEWEST_ABI: ABI = ABI::V7;

/// Forbids every file, new TCP binds and connects, abstract sockets and signals to others, as far as the
/// kernel knows how; what it is, for the log. Of this thread and those it starts later.
///
/// From ABI 9 on Landlock can also refuse what the service needs: to send over UDP (10).
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
            Err("the kernel has it, but it is not among its lsm= modules".to_owned())
        }
        (RulesetStatus::NotEnforced, _) => Err("the kernel does not have it".to_owned()),
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

    #[test]
    fn what_landlock_forbids_follows_what_the_kernel_knows() {
        assert_eq!(forbidden(ABI::V3), "ABI 3 (no files)");
        assert_eq!(forbidden(ABI::V5), "ABI 5 (no files, no new TCP binds or connects)");
        let all = "ABI 7 (no files, no new TCP binds or connects, no abstract sockets, no signals to others)";
        assert_eq!(forbidden(ABI::V7), all);
    }
}
