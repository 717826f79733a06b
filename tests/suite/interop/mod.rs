//! Interoperability with programs nobody here wrote: the clients people have at hand, Debian's inetds,
//! and the lab notes' own programs; and strace, which knows better than we do what we call.
//!
//! `.ci/peers` gets all of them. What is missing is skipped, and told.

mod calls;
mod checks;
mod clients;
mod inetd_services;
mod inetds;
mod notes;
mod peer;

use crate::support::{Namespace, PATIENCE, program};
use std::path::{Path, PathBuf};
use std::process::Command;

/// One of the programs beside this file.
fn beside(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/interop").join(name)
}

/// A client inside the namespace, ended (exit status 124) if it is still there after our patience.
///
/// The error is the sentence for `skip`.
fn client(namespace: &Namespace, name: &str) -> Result<Command, String> {
    let mut command = namespace.command(program("timeout")?);
    command.arg(PATIENCE.as_secs().to_string()).arg(program(name)?);
    Ok(command)
}
