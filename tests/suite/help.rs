//! Tests `--help` of each command as a whole screen.

use crate::support::{assert_fits_80_columns, assert_screen, daytime, good};

const COMMANDS: [&str; 15] = [
    "",
    "serve",
    "query",
    "compare",
    "check",
    "bench",
    "lab",
    "lab list",
    "lab run",
    "lab sheet",
    "lab key",
    "lab grade",
    "lab quiz",
    "parse",
    "wire",
];

/// Returns the names below "Commands:" in a help text, without `help`.
fn subcommands(help: &str) -> Vec<&str> {
    let list = help.split_once("\nCommands:\n").map_or("", |(_, list)| list);
    let names = list.lines().take_while(|line| !line.is_empty());
    let names = names.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !name.is_empty() && *name != "help").collect()
}

#[test]
fn the_help_of_each_command_is_a_screen_of_80_columns() {
    let mut all = Vec::new();
    for command in COMMANDS {
        let words = command.split(' ').filter(|word| !word.is_empty());
        let help = good(daytime().args(words).arg("--help"));
        assert_fits_80_columns(&help);
        all.extend(subcommands(&help).iter().map(|it| format!("{command} {it}").trim().to_owned()));
        let name = format!("help {command}").trim().replace(' ', "_");
        assert_screen(&name, &help, &[]);
    }
    for command in &all {
        assert!(COMMANDS.contains(&command.as_str()), "no screen for {command}");
    }
    assert_eq!(all.len(), COMMANDS.len() - 1, "{all:?}");
}
