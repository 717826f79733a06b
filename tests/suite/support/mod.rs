//! What the tests share: the running binary, network namespaces, and the rule for skipping.

#[cfg(target_os = "linux")]
pub mod capturing;
mod ended;
pub mod forge;
mod namespace;
mod running;
pub mod scripted;
#[cfg(target_os = "linux")]
pub mod systemd;
#[cfg(target_os = "linux")]
pub mod traced;
pub mod wire;

#[cfg(feature = "lab")]
pub use ended::run_within;
pub use ended::{bad, good, on_terminal, run};
pub use namespace::Namespace;
pub use running::{Running, assert_fits_80_columns, count, daytime, stderr, stdout};

use std::env;
use std::time::Duration;

/// Long enough for anything that happens at all, on a busy machine; reached only by a failure.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Long enough for a command to do all its work and end, on a busy machine; reached only by a failure.
pub const TO_END: Duration = Duration::from_mins(2);

/// Says why a test does nothing. Under `DAYTIME_REQUIRE_ALL=1`, as in CI, that is a failure.
///
/// # Panics
/// Under `DAYTIME_REQUIRE_ALL=1`.
pub fn skip(reason: &str) {
    assert_ne!(
        env::var("DAYTIME_REQUIRE_ALL").as_deref(),
        Ok("1"),
        "DAYTIME_REQUIRE_ALL=1 forbids to skip: {reason}"
    );
    eprintln!("skipped: {reason}");
}

/// The value, or the test ends here with the reason (see [`skip`]).
#[macro_export]
macro_rules! or_skip {
    ($value:expr) => {
        match $value {
            Ok(value) => value,
            Err(reason) => return $crate::support::skip(&reason),
        }
    };
}

/// The path of a program, or why there is none.
///
/// # Errors
/// The sentence for [`skip`].
pub fn program(name: &str) -> Result<std::path::PathBuf, String> {
    let sbin = ["/usr/sbin", "/sbin"].map(Into::into);
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(sbin)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| format!("there is no program {name} on this machine"))
}

/// That this machine has IPv6, at least on loopback.
///
/// # Errors
/// The sentence for [`skip`].
pub fn ipv6() -> Result<(), String> {
    match std::net::UdpSocket::bind("[::1]:0") {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("no IPv6 on this machine: {error}")),
    }
}

/// That this kernel has all of the server's sandbox.
///
/// # Errors
/// The sentence for [`skip`].
pub fn whole_sandbox() -> Result<(), String> {
    let mut trial = daytime();
    trial.args(["serve", "--port", "0", "--sandbox", "require", "--idle", "0.01"]);
    let trial = run(&mut trial);
    let why = || format!("no whole sandbox here: {}", stderr(&trial).trim());
    trial.status.success().then_some(()).ok_or_else(why)
}
