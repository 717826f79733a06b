//! On a terminal, output that is longer than the screen goes through a pager. The pager of these tests is a script.

use crate::or_skip;
use crate::support::scripted::{Scripted, reply_and_close};
use crate::support::{Terminal, daytime, good, on_terminal, program, run, stdout};
use std::io::Write;
use std::process::Output;
use tempfile::NamedTempFile;

/// Runs a shell command on a terminal of this number of rows.
fn on_rows(rows: u32, command: &str) -> Result<Output, String> {
    let command = format!("stty rows {rows} cols 80; {command}");
    on_terminal(&command).map(|mut script| run(script.env("NO_COLOR", "1")))
}

/// The lines of the terminal that begin with the mark of the pager, and the others.
fn marked(output: &Output) -> (usize, usize) {
    let screen = stdout(output);
    let (marked, others): (Vec<&str>, Vec<&str>) = screen
        .lines()
        .filter(|line| !line.trim().is_empty())
        .partition(|line| line.starts_with("P:"));
    (marked.len(), others.len())
}

const MARK: &str = "DAYTIME_PAGER='sed s/^/P:/'";

#[test]
fn output_that_is_longer_than_the_screen_goes_through_the_pager() {
    let server = Scripted::default().start();
    let check = format!("check {server}");
    for command in ["lab run exchange", "lab list", "compare --count 2", &check] {
        let (paged, others) =
            marked(&or_skip!(on_rows(20, &format!("{MARK} daytime -q {command}"))));
        assert!(paged >= 20 && others == 0, "{command}: {paged} lines paged, {others} not");
    }
}

#[test]
fn output_that_fits_on_the_screen_is_printed_without_a_pager() {
    let (paged, others) = marked(&or_skip!(on_rows(500, &format!("{MARK} daytime lab list"))));
    assert!(paged == 0 && others >= 20, "{paged} lines paged, {others} not");
}

#[test]
fn no_pager_runs_with_no_pager_with_cat_or_without_a_terminal() {
    for command in [
        &format!("{MARK} daytime --no-pager lab list"),
        &format!("{MARK} daytime lab run exchange --no-pager"),
        "DAYTIME_PAGER=cat PAGER='sed s/^/P:/' daytime lab list",
        "DAYTIME_PAGER= PAGER='sed s/^/P:/' daytime lab list",
        "DAYTIME_PAGER=' ' PAGER='sed s/^/P:/' daytime lab list",
        // Several labs print each result at once.
        &format!("{MARK} daytime -q lab run exchange stale"),
        // A job in the background must not wait for the terminal.
        &format!("set -m; {MARK} daytime lab list & wait $!"),
        &format!("{MARK} daytime lab list | cat"),
    ] {
        let (paged, others) = marked(&or_skip!(on_rows(5, command)));
        assert!(paged == 0 && others >= 20, "{command}: {paged} lines paged, {others} not");
    }
}

#[test]
fn the_variable_of_daytime_overrides_that_of_all_programs() {
    let shown = |variables: &str| on_rows(5, &format!("{variables} daytime lab list"));
    let first = or_skip!(shown("DAYTIME_PAGER='echo first #' PAGER='echo second #'"));
    assert_eq!(stdout(&first).trim(), "first");
    let second = or_skip!(shown("env -u DAYTIME_PAGER PAGER='echo second #'"));
    assert_eq!(stdout(&second).trim(), "second");
}

#[test]
fn the_pager_gets_the_options_of_git_unless_the_user_has_set_some() {
    let shown = |variables: &str| {
        let pager = "DAYTIME_PAGER='echo \"$LESS $LESSCHARSET $LV\" #'";
        let unset = "env -u LESS -u LESSCHARSET -u LV";
        on_rows(5, &format!("{unset} {variables} {pager} daytime lab list"))
    };
    assert_eq!(stdout(&or_skip!(shown(""))).trim(), "FRX utf-8 -c");
    let given = "LESS=S LESSCHARSET=ascii LV=-x";
    assert_eq!(stdout(&or_skip!(shown(given))).trim(), "S ascii -x");
}

const HINT: &str = "q goes on to the questions";

/// Returns a shell command that shows the run of a lab before its questions, with variables of the environment, and the
/// file with the answers.
fn asking(variables: &str) -> (String, NamedTempFile) {
    let mut file = NamedTempFile::new().expect("a temporary file");
    let none = "{ predicted = \"\", observed = \"\" }";
    let answers = ["tcp-packets", "udp-packets", "tcp-time"].map(|it| format!("{it} = {none}\n"));
    write!(file, "[exchange]\n{}", answers.concat()).expect("written");
    let path = file.path().display();
    (format!("{variables} daytime -q lab run exchange --ask-from {path}"), file)
}

#[test]
fn the_pager_before_questions_says_on_its_first_line_and_in_the_prompt_of_less_what_follows() {
    let pager = "DAYTIME_PAGER='echo \"LESS $LESS\"; sed s/^/P:/'";
    for (less, options) in [("-u LESS", "FRX"), ("LESS=S", "S")] {
        let (command, _file) = asking(&format!("env {less} {pager}"));
        let screen = stdout(&or_skip!(on_rows(20, &command)));
        let first = screen.lines().find(|line| line.starts_with("P:")).expect("a page");
        assert!(first.contains(HINT), "{screen}");
        let given = screen.lines().find(|line| line.starts_with("LESS ")).expect("the options");
        assert!(
            given.starts_with("LESS -Ps?e(END) q goes on")
                && given.ends_with(&format!("$ {options}")),
            "{given}"
        );
        assert_eq!(given.matches("and q goes on to the questions.$").count(), 3, "{given}");
    }
}

#[test]
fn output_that_needs_no_pager_does_not_name_the_keys_of_one() {
    let (command, _file) = asking(MARK);
    let screen = stdout(&or_skip!(on_rows(500, &command)));
    assert!(screen.contains("WHAT HAPPENED") && !screen.contains(HINT), "{screen}");
}

#[test]
fn less_shows_the_hint_on_its_second_page_too() {
    or_skip!(program("less"));
    let (command, _file) = asking("env -u LESS DAYTIME_PAGER=less");
    let mut terminal = or_skip!(Terminal::start(&command));
    terminal.expect(HINT); // the first line
    terminal.expect(HINT); // the prompt
    terminal.type_keys(" ");
    terminal.expect(HINT);
    terminal.type_keys("G");
    terminal.expect("(END) q goes on to the questions");
    terminal.type_keys("q");
    terminal.expect("SCORE");
}

#[test]
fn without_the_pager_the_output_is_printed_plainly() {
    for pager in ["/nowhere/pager", "/nowhere/pager -x 2>/dev/null"] {
        let command = format!("DAYTIME_PAGER='{pager}' daytime lab list");
        let output = or_skip!(on_rows(5, &command));
        let printed = stdout(&output).replace('\r', "");
        assert_eq!(printed, good(daytime().args(["lab", "list"])), "{pager}");
        assert_eq!(output.status.code(), Some(0), "{pager}");
    }
}

#[test]
fn the_exit_status_is_that_of_the_run_even_if_the_pager_ends_early() {
    let bad = Scripted { tcp: reply_and_close, ..Scripted::default() }.start();
    let good = Scripted::default().start();
    for (server, status) in [(&bad, 1), (&good, 0)] {
        for pager in ["sed s/^/P:/", "head -n 1 | sed s/^/P:/", "echo P:; exit 3"] {
            let command = format!("DAYTIME_PAGER='{pager}' daytime -q check {server}");
            let output = or_skip!(on_rows(5, &command));
            let (paged, others) = marked(&output);
            assert!(paged >= 1 && others == 0, "{pager}: {}", stdout(&output));
            assert_eq!(output.status.code(), Some(status), "{pager}: {}", stdout(&output));
        }
    }
}

#[test]
fn a_command_that_was_started_with_ctrl_c_ignored_outlives_it() {
    let pager = "sed s/^/P:/";
    for lab in ["exchange", "backlog"] {
        let command = format!(
            "trap '' INT; DAYTIME_PAGER='{pager}' daytime lab run {lab} & \
             while sh -c \"kill -s INT $!\" 2>/dev/null; do :; done; wait $!"
        );
        let output = or_skip!(on_rows(5, &command));
        assert_eq!(output.status.code(), Some(0), "{lab}: {}", stdout(&output));
    }
}

#[test]
fn ctrl_c_is_the_pagers_and_the_command_outlives_it() {
    let server = Scripted::default().start();
    let bench = format!("-q bench --duration 0.1 --warm-up 0 {server}");
    for command in ["lab run exchange", "lab list", &bench] {
        // Each signal comes from a shell of its own, so that the kernel does not merge them.
        let pager = "for one in 1 2 3; do sh -c \"kill -s INT $PPID\"; done; sed s/^/P:/";
        let command =
            format!("DAYTIME_PAGER='{pager}' exec env --default-signal=INT daytime {command}");
        let output = or_skip!(on_rows(5, &command));
        let (through, others) = marked(&output);
        assert!(through >= 20 && others == 0, "{}", stdout(&output));
        assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    }
}

#[test]
fn a_lab_of_seconds_shows_its_progress_before_the_pager_begins() {
    let command = format!("{MARK} daytime lab run backlog");
    let screen = stdout(&or_skip!(on_rows(20, &command)));
    let (before, paged) = screen.split_once("P:").expect("a pager");
    assert!(before.contains("backlog on loopback"), "{before:?}");
    assert!(paged.contains("P:LESSON"), "{paged:?}");
}

#[test]
fn a_signal_ends_the_command_only_after_its_pager() {
    let server = Scripted::default().start();
    let bench = format!("-q bench --duration 0.1 --warm-up 0 {server}");
    for (signal, status) in [("TERM", 143), ("HUP", 129)] {
        for command in ["lab run exchange", "lab list", &bench] {
            let pager =
                format!("for one in 1 2; do sh -c \"kill -s {signal} $PPID\"; done; sed s/^/P:/");
            let command = format!(
                "DAYTIME_PAGER='{pager}' env --default-signal=TERM,HUP daytime {command}; \
                 echo P:ended $?"
            );
            let output = or_skip!(on_rows(5, &command));
            let (through, others) = marked(&output);
            // A shell may print its own line about a command that a signal has ended.
            assert!(through >= 20 && others <= 1, "{}", stdout(&output));
            let last = stdout(&output).lines().last().unwrap_or_default().to_owned();
            assert_eq!(last.trim(), format!("P:ended {status}"), "{}", stdout(&output));
        }
    }
}
