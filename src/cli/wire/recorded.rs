//! Packets of a capture file, or of a pipe that one comes through.

use super::output::Output;
use super::screen::Screen;
use super::stop::{Stop, Stoppable, is_stop};
use super::{Wire, is_standard, printable_path};
use crate::cli::complain;
use crate::cli::failure::Failure;
use crate::report;
use crate::trace::Fate;
use crate::wire::read::{ReadError, Reading};
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// Maximum number of ports, and of types of links, that a message names.
const MAX_NAMED: usize = 5;

pub(super) fn show(arguments: &Wire, path: &Path, quiet: bool) -> Result<ExitCode, Failure> {
    let name = if is_standard(path) { "standard input".to_owned() } else { printable_path(path) };
    let opened = open(path).and_then(|file| Ok((file.metadata()?, file)));
    let (metadata, file) =
        opened.map_err(|error| Failure::plain(format!("cannot open {name}: {error}")))?;
    let stop = Stop::on_signals()?;
    let mut reading = match Reading::new(Stoppable { file, stop: &stop }) {
        // Where a file was to be written there is none yet, and standard output may be it.
        Err(error) if is_stopped(&error) && arguments.pcapng.is_some() => {
            return Err(Failure::plain(format!("cannot read {name}: {error}")));
        }
        Err(error) if is_stopped(&error) => {
            return Screen::new(arguments, None)?.finish(Duration::ZERO, quiet);
        }
        result => result.map_err(|error| Failure::capture_file(&name, &error))?,
    };
    let output = stop.or_end_at_once(|| {
        arguments.pcapng.as_deref().map(|path| Output::open(path, Some(&metadata))).transpose()
    })?;
    let mut screen = Screen::new(arguments, output)?;
    let shown = show_all(&mut reading, &mut screen);
    if screen.packets == 0 && matches!(shown, Ok(Ended::Whole)) {
        let others = screen.other_ports.busiest(MAX_NAMED);
        complain(&nothing_found(arguments, &name, reading.packets, &others));
    }
    if reading.passed_over > 0 {
        complain(&passed_over(&name, reading.passed_over, &reading.unread_links));
    }
    // Even after an error, what was read is shown.
    let lasted = screen.times.lasted();
    let finished = screen.finish(lasted, quiet);
    match shown? {
        Ended::Broken(error) => Err(Failure::capture_file(&name, &error)),
        Ended::CountReached | Ended::Stopped | Ended::Whole => finished,
    }
}

fn open(path: &Path) -> io::Result<File> {
    if is_standard(path) {
        Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
    } else {
        File::open(path)
    }
}

/// How the reading of a file ended.
#[derive(Debug)]
enum Ended {
    Broken(ReadError),
    CountReached,
    Stopped,
    Whole,
}

/// The failure is of the screen.
fn show_all(reading: &mut Reading, screen: &mut Screen) -> Result<Ended, Failure> {
    loop {
        match reading.next() {
            Ok(Some(captured)) => {
                screen.show(&captured, &Fate::Seen)?;
                if screen.is_done() {
                    return Ok(Ended::CountReached);
                }
            }
            Ok(None) => return Ok(Ended::Whole),
            Err(error) if is_stopped(&error) => return Ok(Ended::Stopped),
            Err(error) => return Ok(Ended::Broken(error)),
        }
    }
}

fn is_stopped(error: &ReadError) -> bool {
    matches!(error, ReadError::Io(cause) if is_stop(cause))
}

fn nothing_found(arguments: &Wire, name: &str, packets: u64, others: &[u16]) -> String {
    let packets = report::plural(packets, "packet");
    let ports = list(&arguments.ports, "or");
    let found = format!("daytime: {name} has {packets}, none about port {ports}");
    match others {
        [] => found,
        others => format!("{found}: --port names others, such as {}", list(others, "and")),
    }
}

fn passed_over(name: &str, packets: u64, unread_links: &BTreeSet<u32>) -> String {
    let packets = report::plural(packets, "packet");
    let message = format!("daytime: passed over {packets} of {name}: not IP, or not to be found");
    let mut links: Vec<String> = unread_links.iter().take(MAX_NAMED).map(u32::to_string).collect();
    if unread_links.len() > MAX_NAMED {
        links.push("others".to_owned());
    }
    match &links[..] {
        [] => message,
        links => format!("{message}; links of type {} are not read", list(links, "and")),
    }
}

/// `1`, `1 or 2`, `1, 2 or 3`.
fn list(items: &[impl ToString], last_word: &str) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    match &items[..] {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {last_word} {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_types_of_links_a_few_are_named() {
        let links = |numbers: std::ops::Range<u32>| passed_over("f", 9, &numbers.collect());
        assert_eq!(links(0..0), "daytime: passed over 9 packets of f: not IP, or not to be found");
        let two = "not to be found; links of type 7 and 8 are not read";
        assert!(links(7..9).ends_with(two), "{}", links(7..9));
        let many = "; links of type 7, 8, 9, 10, 11 and others are not read";
        assert!(links(7..99).ends_with(many), "{}", links(7..99));
    }
}
