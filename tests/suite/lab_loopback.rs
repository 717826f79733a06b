//! The laboratory's engine `loopback`: where there is none.

use crate::lab::{labs, name, words};
use crate::support::{mentions, run, stdout};

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
    let obstacles = obstacles(&screen);
    assert_eq!(obstacles.len(), names.len(), "{screen}");
    for obstacle in obstacles {
        mentions(&obstacle, &["loopback", "down", "ip link set lo up"]);
    }
    let count = format!(" {} cannot run", names.len());
    let verdicts = screen.lines().find(|it| it.contains(&count)).unwrap_or_default();
    mentions(verdicts, &["0 as predicted", " 0 not", " 0 failed", &count]);
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
    let [obstacle] = &obstacles(&multihome)[..] else { panic!("{multihome}") };
    mentions(obstacle, &["127.0.0.2", "not an address", "this host"]);
}

/// Returns the paragraph below each heading NOT RUN, in one line.
#[cfg(target_os = "linux")]
fn obstacles(screen: &str) -> Vec<String> {
    let parts = screen.split("\nNOT RUN\n").skip(1);
    let paragraph = |part: &str| {
        let lines = part.lines().take_while(|line| line.starts_with("  "));
        lines.map(str::trim).collect::<Vec<_>>().join(" ")
    };
    parts.map(paragraph).collect()
}

/// Runs both programs where the host's name is an address of loopback; then again with a stream socket in the server,
/// so that nothing else is wrong with it. `timeout` ends all of them.
#[cfg(target_os = "linux")]
const BOTH_PROGRAMS: &str = "
    cd $0
    python3 server.py 2> error && exit 1
    cat error
    sed -i s/SOCK_DGRAM/SOCK_STREAM/ server.py
    python3 -u server.py > served & server=$!
    until python3 client.py 2> /dev/null; do kill -0 $server || exit 1; done
    kill $server
    cat served
";

#[cfg(target_os = "linux")]
#[test]
fn the_programs_that_the_lab_notes_shows_fail_as_it_says() {
    use crate::or_skip;
    use crate::support::{Namespace, good, program};
    or_skip!(program("python3"));
    let inside = or_skip!(Namespace::new());
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let screen = good(crate::support::daytime().args(["lab", "run", "notes", "--explain"]));
    for name in ["server.py", "client.py"] {
        std::fs::write(folder.path().join(name), shown(&screen, name)).expect("written");
    }
    let mut command = inside.command("timeout");
    let said = good(command.args(["25", "sh", "-c", BOTH_PROGRAMS]).arg(folder.path()));
    assert!(said.contains("\n    listener.listen(5)\n"), "{said}");
    assert!(said.contains("\nOSError: [Errno 95] Operation not supported\ntime: "), "{said}");
    assert!(said.contains("\nconnection from ('127."), "{said}");
}

/// A program as it is shown, without the indentation.
#[cfg(target_os = "linux")]
fn shown(screen: &str, name: &str) -> String {
    let heading = format!("\nPROGRAM {name}\n");
    let (_, text) = screen.split_once(&heading).unwrap_or_else(|| panic!("no {name}: {screen}"));
    let is_heading = |line: &&str| line.starts_with(|it: char| it.is_ascii_uppercase());
    let lines = text.lines().take_while(|line| !is_heading(line));
    lines.flat_map(|line| [line.strip_prefix("  ").unwrap_or(line), "\n"]).collect()
}
