//! The laboratory's engine `loopback`: where there is none, and what the pages say to try next.

use crate::lab::{labs, name, words};
use crate::support::{daytime, run, stderr, stdout};
use std::fs;
use std::path::Path;

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

#[test]
fn what_a_page_says_to_try_next_is_as_predicted() {
    let mut tried = 0;
    for name in names() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/labs/{name}.md"));
        let text = fs::read_to_string(&page).expect("a page");
        let (_, after) = text.split_once("\n## What to try next\n").expect("the section");
        let (section, _) = after.split_once("\n## ").expect("another section");
        let begin = format!("- `daytime lab run {name} ");
        for line in section.lines().filter(|line| line.starts_with(&begin)) {
            let command = line.split('`').nth(1).expect("a command");
            let output = run(daytime().args(command.split(' ').skip(1)));
            let told = (stdout(&output), stderr(&output));
            if told.0.contains("NOT RUN") || told.0.contains("\"obstacle\": \"") {
                continue;
            }
            assert_eq!(output.status.code(), Some(0), "{command}: {told:?}");
            tried += 1;
        }
    }
    assert!(tried > 10, "{tried}");
}
