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
    use crate::support::{Namespace, good};
    let inside = or_skip!(Namespace::new());
    good(inside.command("ip").args(["link", "set", "lo", "down"]));
    let names = names();
    let mut command = inside.daytime();
    command.args(["lab", "run", "--engine", "loopback"]).args(&names);
    let screen = stdout(&run(&mut command));
    let missing = "\nNOT RUN\n  the loopback interface is down: ip link set lo up\n";
    assert_eq!(screen.matches(missing).count(), names.len(), "{screen}");
    let ending = format!("\n0 as predicted, 0 not, 0 failed, {} cannot run here; in ", names.len());
    assert!(screen.contains(&ending), "{screen}");
}

#[cfg(target_os = "linux")]
#[test]
fn where_loopback_has_one_address_what_needs_another_is_left_out() {
    use crate::or_skip;
    use crate::support::{Namespace, good};
    let inside = or_skip!(Namespace::having(&["127.0.0.1/32", "198.51.100.1/32"]));
    good(inside.command("ip").args(["addr", "del", "127.0.0.1/8", "dev", "lo"]));
    let run = |name: &str| stdout(&run(inside.daytime().args(["lab", "run", name])));
    let notes = run("notes");
    assert!(notes.contains("\n  asked at its own address  26 octets"), "{notes}");
    assert!(!notes.contains("another address") && !notes.contains("differs"), "{notes}");
    let multihome = run("multihome");
    let missing = "\nNOT RUN\n  127.0.0.2 is no address of this host; ";
    assert!(multihome.contains(missing), "{multihome}");
}
