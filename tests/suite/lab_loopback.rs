//! The laboratory's engine `loopback`: where there is none.

use crate::lab::{labs, name, words};
use crate::support::{run, stdout};

/// The labs that run there.
fn names() -> Vec<String> {
    let labs = labs();
    let here = labs.iter().filter(|lab| words(&lab["engines"]).contains(&"loopback"));
    let names: Vec<String> = here.map(|lab| name(lab).to_owned()).collect();
    assert!(names.len() > 10, "{names:?}");
    names
}

#[cfg(target_os = "linux")]
#[test]
fn where_the_interface_is_down_every_lab_says_so_at_once_and_what_to_do() {
    use crate::or_skip;
    use crate::support::{program, skip};
    use std::process::Command;
    let unshare = or_skip!(program("unshare"));
    let mut able = Command::new(&unshare);
    if !run(able.args(["-Urn", "true"])).status.success() {
        return skip("no network namespace can be made");
    }
    let names = names();
    let mut command = Command::new(unshare);
    command.args(["-Urn", env!("CARGO_BIN_EXE_daytime"), "lab", "run"]).args(&names);
    let screen = stdout(&run(command.args(["--engine", "loopback"])));
    let missing = "\nNOT RUN\n  the loopback interface is down: ip link set lo up\n";
    assert_eq!(screen.matches(missing).count(), names.len(), "{screen}");
    let ending = format!("\n0 as predicted, 0 not, 0 failed, {} cannot run here; in ", names.len());
    assert!(screen.contains(&ending), "{screen}");
}
