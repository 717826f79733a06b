//! The screens of `daytime lab`: what a run prints first, how much of it, and what a terminal adds.

use crate::lab::{lab, labs, name, on, words};
use crate::or_skip;
use crate::support::{
    assert_fits_80_columns, assert_screen, bad, daytime, good, on_terminal, run, skip, stdout,
};
use serde_json::Value;
use std::io::Read;
use std::process::{Command, Stdio};

/// Lines of a usual terminal.
const SCREEN_LINES: usize = 24;

#[test]
fn a_brief_run_of_every_lab_fits_80_columns_and_24_lines() {
    let mut shown = 0;
    for lab in labs() {
        let name = name(&lab);
        let screen = stdout(&run(daytime().args(["lab", "run", name, "--brief"])));
        if screen.contains("\nNOT RUN\n") {
            skip(&screen);
            continue;
        }
        shown += 1;
        assert!(screen.starts_with(&format!("{name} on ")), "{screen}");
        assert!(screen.contains("\nTCP: as predicted "), "{screen}");
        assert!(screen.contains(" UDP: as predicted\n"), "{screen}");
        let (_, lesson) = screen.split_once("\n\n- ").expect("a table, then a lesson");
        assert!(!lesson.contains("\n\n"), "more than question, table and lesson: {screen}");
        assert_fits_80_columns(&screen);
        let count = screen.lines().count();
        assert!(
            count < SCREEN_LINES,
            "no line is left for the prompt, {name} --brief has {count}: {screen}"
        );
    }
    assert!(shown > 10, "{shown}");
}

/// Whole screens of the simulator, which prints the same for the same seed: file and command.
const SCREENS: [(&str, &str); 5] = [
    ("lab_loss", "run loss --seed 7 --count 50"),
    ("lab_exchange_explained", "run exchange --explain --answers"),
    ("lab_exchange_ascii", "run exchange --ascii"),
    ("lab_exchange_text", "run exchange --text"),
    ("lab_loop_brief", "run loop --brief"),
];

#[test]
fn labs_on_the_simulator_print_these_screens() {
    for (file, command) in SCREENS {
        let words: Vec<&str> = command.split(' ').chain(["--engine", "sim"]).collect();
        let screen = good(lab(&words).env("LC_ALL", "C.UTF-8"));
        if !command.ends_with("--text") {
            assert_fits_80_columns(&screen); // a list for a screen reader has no width
        }
        assert_screen(file, &screen, &[]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_list_of_labs_is_this_screen() {
    let screen = good(lab(&["list"]).env("LC_ALL", "C.UTF-8"));
    assert_fits_80_columns(&screen);
    assert_screen("lab_list", &screen, &[]);
}

/// Maximum number of lines of a run at 80 columns.
const RUN_LINES: usize = 72;

/// Runs that are longer: `loss` has 15 findings, and `multihome` on `netns` shows packets and calls of two servers.
const LONGER_RUNS: [(&str, &str); 2] = [("loss", "sim"), ("multihome", "netns")];

#[test]
fn a_run_of_a_lab_has_at_most_72_lines_at_80_columns() {
    let mut counted = 0;
    for lab in labs() {
        for engine in words(&lab["engines"]) {
            let name = name(&lab);
            if LONGER_RUNS.contains(&(name, engine)) {
                continue;
            }
            let screen = stdout(&run(daytime().args(["lab", "run", name, "--engine", engine])));
            if screen.contains("\nNOT RUN\n") {
                skip(&screen);
                continue;
            }
            counted += 1;
            assert_fits_80_columns(&screen);
            let count = screen.lines().count();
            assert!(count <= RUN_LINES, "{name} on {engine} has {count} lines: {screen}");
        }
    }
    assert!(counted > 10, "{counted}");
}

#[test]
fn loss_and_stale_leave_tcp_states_out_of_their_drawings_and_have_them_in_json() {
    for name in ["loss", "stale"] {
        let screen = good(&mut lab(&["run", name]));
        for left_out in ["[ESTABLISHED]", "shutdown(", "TIME-WAIT"] {
            assert!(!screen.contains(left_out), "{left_out}: {screen}");
        }
        let all: Value = good(&mut lab(&["run", name, "--json"])).parse().expect("JSON");
        let events = &all["runs"][0]["parts"][0]["events"];
        let events = events.as_array().expect("the events over TCP");
        let has = |key: &str, value: &str| events.iter().any(|event| event[key] == value);
        assert!(has("state", "ESTABLISHED") && has("call", "shutdown(SHUT_WR)"), "{all}");
    }
}

#[test]
fn forms_that_exclude_each_other_are_refused_together() {
    let refused = |one: &str, other: &str| {
        let message = bad(2, &mut lab(&["run", "exchange", one, other]));
        assert!(message.contains(one) && message.contains(other), "{message}");
    };
    for longer in ["--explain", "--answers", "--text", "--json", "--csv"] {
        refused("--brief", longer);
    }
    for data in ["--json", "--csv"] {
        refused("--answers", data);
        refused("--text", data);
    }
}

#[test]
fn a_run_prints_question_and_engine_and_then_what_happened() {
    for name in on("sim") {
        let screen = good(&mut lab(&["run", &name, "--engine", "sim"]));
        let (begin, _) = screen.split_once("\n\n").expect("an empty line");
        assert!(begin.starts_with(&format!("{name}: ")), "{begin}");
        assert!(begin.contains("\n  engine   sim: "), "{begin}");
        assert!(begin.lines().count() <= 4, "question, engine and perhaps a seed: {begin}");
        assert!(screen[begin.len()..].starts_with("\n\nWHAT HAPPENED\n"), "{screen}");
        assert_fits_80_columns(&screen);
    }
}

#[test]
fn an_explained_run_has_its_parts_in_the_order_in_which_they_are_read() {
    let headings =
        ["THEORY", "WHAT IS DONE", "WHAT HAPPENED", "OBSERVED", "LESSON", "ELSEWHERE", "TRY NEXT"];
    for name in on("sim") {
        let screen = good(&mut lab(&["run", &name, "--engine", "sim", "--explain"]));
        let place = |heading| {
            let place = screen.find(&format!("\n{heading}\n"));
            place.unwrap_or_else(|| panic!("{heading}: {screen}"))
        };
        assert!(headings.map(place).is_sorted(), "{screen}");
        assert_eq!(screen.contains("\n  seed     867\n"), name == "loss", "{screen}");
        assert_fits_80_columns(&screen);
    }
}

#[test]
fn the_axis_has_the_unit_of_the_table_for_short_and_long_runs() {
    for delay in ["0", "60000"] {
        let screen = good(&mut lab(&["run", "exchange", "--delay", delay]));
        let axes: Vec<&str> = screen.lines().filter(|line| line.contains(" client ")).collect();
        assert_eq!(axes.len(), 2, "{screen}");
        assert!(axes.iter().all(|axis| axis.trim_start().starts_with("ms client")), "{screen}");
    }
}

#[test]
fn forced_colour_takes_no_column() {
    let run = |name: &str| good(lab(&["run", "exchange"]).env(name, "1"));
    let (coloured, plain) = (run("CLICOLOR_FORCE"), run("NO_COLOR"));
    assert!(coloured.contains("\x1b[1m\x1b[36mOBSERVED\x1b[0m"), "{coloured:?}");
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
}

#[test]
fn a_wide_terminal_has_tcp_and_udp_side_by_side_and_a_narrow_one_has_them_one_below_the_other() {
    let shown = |columns: u32| {
        let script = on_terminal(&format!("stty rows 40 cols {columns}; daytime lab run exchange"));
        script.map(|mut script| stdout(&run(script.env("NO_COLOR", "1"))))
    };
    let beside = |screen: &str| {
        screen.lines().any(|line| line.starts_with("TCP ") && line.trim_end().ends_with("UDP"))
    };
    let wide = or_skip!(shown(140));
    assert!(beside(&wide), "{wide}");
    assert!(wide.lines().all(|line| line.trim_end().chars().count() <= 140), "{wide}");
    let narrow = or_skip!(shown(80));
    assert!(!beside(&narrow), "{narrow}");
    assert!(narrow.lines().all(|line| line.trim_end().chars().count() <= 80), "{narrow}");
    let piped = |columns| good(lab(&["run", "exchange"]).env("COLUMNS", columns));
    assert_eq!((beside(&piped("140")), beside(&piped("80"))), (true, false));
    assert_eq!(piped("0"), piped("80"));
}

#[test]
fn on_a_terminal_a_bar_names_the_lab_under_way_and_ctrl_c_clears_it() {
    // A shell in the background starts the tests with SIGINT ignored.
    let labs = "lab run loss loss loss loss loss loss loss loss loss loss loss loss --count 30000";
    let command = format!("echo pid $$; exec env --default-signal=INT daytime {labs}");
    let mut script = or_skip!(on_terminal(&command));
    let mut child = script.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("started");
    let mut terminal = child.stdout.take().expect("piped");
    let mut screen = Vec::new();
    let shows = |screen: &[u8], what: &str| String::from_utf8_lossy(screen).contains(what);
    // Without a bar the labs end, and so does this loop.
    while !shows(&screen, " of 12: loss on sim") {
        let mut some = [0; 4096];
        let count = terminal.read(&mut some).expect("readable");
        assert!(count > 0, "no bar: {}", String::from_utf8_lossy(&screen));
        screen.extend(&some[..count]);
    }
    let text = String::from_utf8_lossy(&screen).into_owned();
    let id = text.lines().find_map(|line| line.trim().strip_prefix("pid ")).expect("its id");
    assert!(Command::new("kill").args(["-s", "INT", id]).status().expect("kill").success());
    // At its end a terminal may say EIO, and not 0.
    let _ = terminal.read_to_end(&mut screen);
    let status = child.wait().expect("ended");
    assert_eq!(status.code(), Some(130), "SIGINT: {status}");
    let text = String::from_utf8_lossy(&screen).into_owned();
    let last = text.rsplit("\x1b[2K").next().unwrap_or_default();
    assert!(!last.contains(" of 12: "), "the bar stays: {last:?}");
    assert!(!text.contains("SUMMARY"), "the labs ran to the end");
}

#[test]
fn with_quiet_there_is_no_bar() {
    let mut script = or_skip!(on_terminal("daytime -q lab run loss loss --count 20000"));
    let screen = stdout(&run(&mut script));
    assert!(screen.contains("SUMMARY") && !screen.contains(" of 2: "), "{screen}");
}

#[test]
fn a_single_lab_of_seconds_shows_its_name_until_its_result_is_printed() {
    let screen = stdout(&run(&mut or_skip!(on_terminal("daytime lab run backlog"))));
    let (before, after) = screen.split_once("WHAT HAPPENED").expect("a drawing");
    let bar = before.find("backlog on loopback, ");
    let bar = bar.unwrap_or_else(|| panic!("no bar: {before:?}"));
    assert!(before.find("backlog: ") < Some(bar), "the question comes first: {before:?}");
    assert!(before[bar..].contains("\x1b[2K"), "the bar stays above the drawing: {before:?}");
    let last = after.rsplit("\x1b[2K").next().unwrap_or_default();
    assert!(!last.contains("running backlog"), "the bar stays: {last:?}");
}
