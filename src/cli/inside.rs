//! The process of a run of the laboratory on a network of its own.

use super::failure::Failure;
use crate::lab::inside;
use std::io;
use std::process::ExitCode;

pub(super) fn run() -> Result<ExitCode, Failure> {
    let ran = inside(io::stdin(), io::stdout().lock());
    ran.map_err(|error| Failure::plain(format!("cannot run inside: {error}")))?;
    Ok(ExitCode::SUCCESS)
}
