//! Checks the rules of `docs/ARCHITECTURE.md`: a module uses only the rows above its own, and similar rules.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The rows of the table "Layers", top row first. A module has the name of its file or folder in `src`.
const ROWS: &[&[&str]] = &[
    &["mentions"],
    &["macros", "sys", "transport"],
    &["clock", "duration", "limit", "metrics", "reply", "trace"],
    &["listen", "notice", "syntax"],
    &["asking", "responder"],
    &["tcp", "udp"],
    &["client", "server"],
    &["bench", "check", "compare", "wire"],
    &["lab"],
    &["report"],
    &["teach"],
    &["cli", "internals"],
];

#[test]
fn every_module_uses_only_the_rows_above_its_own() {
    let row: BTreeMap<&str, usize> = ROWS
        .iter()
        .enumerate()
        .flat_map(|(row, modules)| modules.iter().map(move |module| (*module, row)))
        .collect();
    let mut uses = 0;
    for (module, file, text) in sources() {
        let grouped = text.contains("use crate::{");
        assert!(!grouped, "{}: write one `use crate::` per module, for this test", file.display());
        let own = row.get(module.as_str()).unwrap_or_else(|| panic!("{module} is in no row"));
        for used in used_modules(&text).into_iter().filter(|used| *used != module) {
            let Some(other) = row.get(used.as_str()) else { continue }; // a name that lib.rs re-exports
            uses += 1;
            assert!(
                other < own,
                "{}: {module} (row {own}) uses {used} (row {other})",
                file.display()
            );
        }
    }
    assert!(uses > 50, "only {uses} uses found: does this test still read the sources?");
}

#[test]
fn no_log_line_of_the_library_names_an_option_of_the_command() {
    let mut lines = 0;
    for (module, file, text) in sources().into_iter().filter(|(module, ..)| module != "cli") {
        let statements = text.split("log::").skip(1).filter_map(|it| it.split_once("!("));
        let logged: Vec<&str> = statements.filter_map(|(_, it)| it.split(");").next()).collect();
        // The notices about events are log lines too.
        let counted = (module == "metrics" && file.ends_with("event.rs")).then_some(text.as_str());
        for line in logged.iter().copied().chain(counted) {
            let mut after_dashes = line.split("--").skip(1);
            let names_option =
                after_dashes.any(|it| it.starts_with(|it: char| it.is_ascii_lowercase()));
            assert!(!names_option, "{}: {line}", file.display());
            lines += 1;
        }
    }
    assert!(lines > 10, "only {lines} found: does this test still read the sources?");
}

#[test]
fn only_sys_names_an_operating_system() {
    let mut named = 0;
    for (module, file, text) in sources() {
        let names_one = text.contains("target_os") || text.contains("cfg(unix)");
        named += usize::from(names_one);
        assert!(!names_one || module == "sys", "{} names an operating system", file.display());
    }
    assert!(named > 0, "sys names none either: does this test still read the sources?");
}

#[test]
fn the_simulator_reads_no_clock_since_webassembly_has_none() {
    let is_simulated = |file: &Path| {
        file.ends_with("src/udp/retries.rs") || file.to_string_lossy().contains("src/lab/sim/")
    };
    let simulated: Vec<_> =
        sources().into_iter().filter(|(_, file, _)| is_simulated(file)).collect();
    assert!(simulated.len() >= 7, "only {} files: has the simulator moved?", simulated.len());
    for (_, file, text) in simulated {
        assert!(!text.contains("Instant::now"), "{} reads a clock", file.display());
    }
}

#[test]
fn unsafe_code_is_where_the_architecture_says() {
    let mut found = Vec::new();
    for (_, file, text) in sources() {
        let says_so = text.contains("(unsafe_code");
        let has_some = text.lines().any(|line| {
            let code = line.split("//").next().unwrap_or_default();
            code.contains("unsafe {") || code.contains("unsafe impl") || code.contains("unsafe fn")
        });
        assert_eq!(says_so, has_some, "{}", file.display());
        if has_some {
            found.push(file);
        }
    }
    found.sort();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].ends_with("src/sys/linux/batch.rs"), "{found:?}");
    assert!(found[1].ends_with("src/sys/linux/clock.rs"), "{found:?}");
    let building = fs::read_to_string("docs/decisions/building.md").expect("readable");
    let named = "is:** in `src/sys/linux/batch.rs` and `src/sys/linux/clock.rs`, and nowhere else.";
    assert!(building.contains(named));
}

/// A line of a walk has the form: `path`: `function`, `function`; `path`: …
#[test]
fn every_function_of_a_walk_is_in_its_file() {
    let text = fs::read_to_string("docs/ARCHITECTURE.md").expect("readable");
    let walks = text.split("\n## ").find(|it| it.starts_with("Five walks")).expect("the section");
    let mut functions = 0;
    for line in walks.lines().filter(|line| line.starts_with("- `src/")) {
        let mut file = String::new();
        for name in line.split('`').skip(1).step_by(2) {
            if name.starts_with("src/") {
                file = fs::read_to_string(name).unwrap_or_else(|error| panic!("{name}: {error}"));
            } else if name.chars().all(|it| it.is_ascii_lowercase() || it == '_') {
                let is_call = ["recvfrom", "recvmmsg", "sendto", "sendmmsg"].contains(&name);
                let is_there = ["(", "<"].iter().any(|it| file.contains(&format!("fn {name}{it}")));
                assert!(is_call || is_there, "{name}: {line}");
                functions += 1;
            }
        }
    }
    assert!(functions > 70, "{functions}");
}

#[test]
fn only_cli_knows_clap_and_the_logger_and_only_clock_the_time_of_day() {
    for (module, file, text) in sources() {
        for (words, owner) in [
            (&["clap::", "env_logger::", "ExitCode"][..], "cli"),
            (&["SystemTime", "Utc::now", "Local::now"], "clock"),
        ] {
            // The unit tests of `sys` compare the kernel's clock with the time of day.
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for word in words.iter().filter(|word| code.contains(**word)) {
                assert_eq!(module, owner, "{} uses {word}", file.display());
            }
        }
    }
}

#[test]
fn no_source_file_is_longer_than_500_lines() {
    for (_, file, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= 500, "{} has {lines} lines", file.display());
    }
}

/// Returns each source file below `src` except `lib.rs` and `main.rs`: its module, path and text.
pub fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = files_below(&root, "rs").into_iter().filter_map(|(path, text)| {
        let inside = path.strip_prefix(&root).expect("below src");
        let first = inside.iter().next().expect("a name").to_string_lossy();
        let module = first.trim_end_matches(".rs").to_owned();
        (module != "lib" && module != "main").then_some((module, path, text))
    });
    let files: Vec<_> = files.collect();
    assert!(files.len() > 30, "only {} source files", files.len());
    files
}

/// Returns the files below a folder with this extension: their paths and texts.
pub fn files_below(folder: &Path, extension: &str) -> Vec<(PathBuf, String)> {
    let mut folders = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == extension) {
                let text = fs::read_to_string(&path).expect("UTF-8");
                found.push((path, text));
            }
        }
    }
    found
}

/// Returns the names after `crate::` and `super::super::`, which may be top-level modules. Unit tests count too.
fn used_modules(text: &str) -> Vec<String> {
    let supers = text.match_indices("super::super::");
    text.match_indices("crate::")
        .chain(supers)
        .map(|(at, word)| {
            let rest = &text[at + word.len()..];
            rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>()
        })
        .filter(|name| !name.is_empty())
        .collect()
}
