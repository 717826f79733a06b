//! Checks the units of `packaging/systemd` with the tools of systemd.

use crate::or_skip;
use crate::support::{good, program, run, stderr, stdout};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const UNITS: [&str; 3] = ["daytime.socket", "daytime-metrics.socket", "daytime.service"];

/// Maximum exposure level of the service. systemd calls levels up to 1.9 "safe"; an unconfined service has 10.
const MAX_EXPOSURE: f64 = 1.5;

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/systemd")
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let analyze = or_skip!(program("systemd-analyze"));
    // The units name the path of an installed program, and systemd checks that the program exists.
    let folder = TempDir::new().expect("a temporary folder");
    for unit in UNITS {
        let text = fs::read_to_string(packaging().join(unit)).expect("UTF-8");
        let here = text.replace("/usr/bin/daytime", env!("CARGO_BIN_EXE_daytime"));
        fs::write(folder.path().join(unit), here).expect("written");
    }
    let mut verify = Command::new(analyze);
    verify.args(["verify", "--man=no"]).args(UNITS.map(|unit| folder.path().join(unit)));
    let output = run(&mut verify);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
}

#[test]
fn the_exposure_of_the_service_is_1_5_or_better() {
    let analyze = or_skip!(program("systemd-analyze"));
    let mut security = Command::new(analyze);
    security.args(["security", "--offline=true", "--no-pager"]);
    let output = run(security.arg(packaging().join("daytime.service")));
    let table = stdout(&output);
    let (_, level) = table.rsplit_once("Overall exposure level for daytime.service: ").expect("it");
    let exposure: f64 = level.split(' ').next().and_then(|it| it.parse().ok()).expect("a number");
    assert!(exposure <= MAX_EXPOSURE, "{table}");
}

#[test]
fn the_command_line_of_the_unit_is_valid() {
    let unit = fs::read_to_string(packaging().join("daytime.service")).expect("UTF-8");
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/daytime "));
    let arguments = start.expect("a command line").split(' ');
    // With --help, clap still checks every option before it.
    let help = good(crate::support::daytime().args(arguments).arg("--help"));
    assert!(help.contains("Usage: daytime serve"), "{help}");
}
