//! Runs `daytime wire`.

#[cfg(feature = "teach")]
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
        #[cfg(feature = "teach")]
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

/// Finds conflicting arguments that clap cannot detect, because clap treats `-` as a file name.
fn contradiction(arguments: &Wire) -> Option<&'static str> {
    if !arguments.pcapng.as_deref().is_some_and(is_standard) {
        None
    } else if arguments.json || arguments.ladder || arguments.text {
        Some("--pcapng - uses standard output: leave --json, --ladder and --text out")
    } else if io::stdout().is_terminal() {
        Some("a terminal cannot show a capture: use --pcapng FILE, or pipe to a program")
    } else {
        None
    }
}

/// Whether the path is `-`, which means standard input or output.
fn is_standard(path: &Path) -> bool {
    path.to_str() == Some("-")
}

fn printable_path(path: &Path) -> String {
    Printable(path.as_os_str().as_encoded_bytes()).to_string()
}

/// Returns the ports with a noun: `port 13`, `ports 13, 37`.
fn ports(arguments: &Wire) -> String {
    let ports: Vec<String> = arguments.ports.iter().map(u16::to_string).collect();
    let noun = if ports.len() == 1 { "port" } else { "ports" };
    format!("{noun} {}", ports.join(", "))
}
