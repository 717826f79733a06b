//! `daytime wire`.

#[cfg(feature = "lab")]
mod demonstration;
mod early_fragments;
mod live;
mod other_ports;
mod output;
mod recorded;
mod screen;
mod stop;

use super::args::Wire;
use super::failure::Failure;
use super::print_exactly;
use crate::reply::Printable;
use crate::report;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;

pub(super) fn run(arguments: &Wire, quiet: bool) -> Result<ExitCode, Failure> {
    if let Some(contradiction) = contradiction(arguments) {
        return Err(Failure::Usage(contradiction.to_owned()));
    }
    let done = match &arguments.read {
        Some(path) => recorded::show(arguments, path, quiet),
        #[cfg(feature = "lab")]
        None if arguments.netns => demonstration::show(arguments, quiet),
        None => live::show(arguments, quiet),
    };
    if let (true, Err(failure @ (Failure::Message(_) | Failure::Usage(_)))) =
        (arguments.json, &done)
    {
        print_exactly(&format!("{}\n", report::json::error(&failure.to_string())))?;
    }
    done
}

/// Contradictions that clap does not find: `-` is a mere file name to it.
fn contradiction(arguments: &Wire) -> Option<&'static str> {
    if !arguments.pcapng.as_deref().is_some_and(is_standard) {
        None
    } else if arguments.json || arguments.ladder || arguments.text {
        Some("--pcapng - has standard output for itself: leave --json, --ladder and --text out")
    } else if io::stdout().is_terminal() {
        Some("a capture is nothing for a terminal: --pcapng FILE, or pipe it to a program")
    } else {
        None
    }
}

/// Standard input or output, not a file.
fn is_standard(path: &Path) -> bool {
    path.to_str() == Some("-")
}

fn printable_path(path: &Path) -> String {
    Printable(path.as_os_str().as_encoded_bytes()).to_string()
}

/// `port 13`, `ports 13, 37`.
fn ports(arguments: &Wire) -> String {
    let ports: Vec<String> = arguments.ports.iter().map(u16::to_string).collect();
    let noun = if ports.len() == 1 { "port" } else { "ports" };
    format!("{noun} {}", ports.join(", "))
}
