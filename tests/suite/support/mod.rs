//! Helpers for the tests: running the binary, network namespaces, and the rule for skipping a test.

#[cfg(target_os = "linux")]
pub mod capturing;
mod ended;
pub mod forge;
#[path = "../../../src/mentions.rs"]
mod mentions;
mod message;
mod namespace;
mod running;
mod screen;
pub mod scripted;
#[cfg(target_os = "linux")]
pub mod systemd;
#[cfg(feature = "teach")]
mod terminal;
#[cfg(target_os = "linux")]
pub mod traced;
pub mod wire;

#[cfg(feature = "teach")]
pub use ended::run_within;
#[cfg(feature = "teach")]
pub use ended::without_override;
pub use ended::{bad, good, on_terminal, run};
pub use mentions::mentions;
pub use message::{before, complains};
pub use namespace::Namespace;
pub use running::{Running, assert_fits_80_columns, count, counters, daytime, stderr, stdout};
pub use screen::assert_screen;

#[cfg(feature = "teach")]
pub use terminal::Terminal;

use std::env;
use std::time::Duration;

/// Time limit for a single event. It is long enough for a busy machine, so only a failing test reaches it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Time limit for a whole command. It is long enough for a busy machine, so only a failing test reaches it.
pub const TO_END: Duration = Duration::from_mins(2);

/// Prints the reason why a test is skipped. If `DAYTIME_REQUIRE_ALL=1` is set, as in CI, a skipped test fails.
///
/// # Panics
/// Panics if `DAYTIME_REQUIRE_ALL=1` is set.
pub fn skip(reason: &str) {
    assert_ne!(
        env::var("DAYTIME_REQUIRE_ALL").as_deref(),
        Ok("1"),
        "DAYTIME_REQUIRE_ALL=1 forbids to skip: {reason}"
    );
    eprintln!("skipped: {reason}");
}

/// Evaluates to the value in a `Result`. If the result is an error, skips the test with that reason (see [`skip`]).
#[macro_export]
macro_rules! or_skip {
    ($value:expr) => {
        match $value {
            Ok(value) => value,
            Err(reason) => return $crate::support::skip(&reason),
        }
    };
}

/// Returns a program's path.
///
/// # Errors
/// The error is the reason to pass to [`skip`].
pub fn program(name: &str) -> Result<std::path::PathBuf, String> {
    let sbin = ["/usr/sbin", "/sbin"].map(Into::into);
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(sbin)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| format!("there is no program {name} on this machine"))
}

/// Returns a Python that has a module: Debian's, or the first one in the path.
///
/// # Errors
/// The error is the reason to pass to [`skip`].
pub fn python(module: &str) -> Result<std::path::PathBuf, String> {
    let import = format!("import {module}");
    let has = |python: &std::path::PathBuf| {
        let mut trial = std::process::Command::new(python);
        python.is_file() && run(trial.args(["-c", &import])).status.success()
    };
    let pythons = ["/usr/bin/python3".into()].into_iter().chain(program("python3"));
    let mut having = pythons.into_iter().filter(has);
    having.next().ok_or_else(|| format!("no Python here has {module}"))
}

/// Returns the folder into which `.ci/peers` unpacked a package.
pub fn unpacked(package: &str) -> std::path::PathBuf {
    let here = || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers");
    env::var_os("DAYTIME_PEERS").map_or_else(here, Into::into).join(package)
}

/// Checks that this machine's loopback interface has IPv6.
///
/// # Errors
/// The error is the reason to pass to [`skip`].
pub fn ipv6() -> Result<(), String> {
    match std::net::UdpSocket::bind("[::1]:0") {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("no IPv6 on this machine: {error}")),
    }
}

/// Checks that this kernel supports every layer of the server's sandbox.
///
/// # Errors
/// The error is the reason to pass to [`skip`].
pub fn whole_sandbox() -> Result<(), String> {
    let mut trial = daytime();
    trial.args(["serve", "--port", "0", "--sandbox", "require", "--idle", "0.01"]);
    let trial = run(&mut trial);
    let why = || format!("no whole sandbox here: {}", stderr(&trial).trim());
    trial.status.success().then_some(()).ok_or_else(why)
}
