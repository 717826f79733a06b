//! Shows the packets in a capture file, which may come through a pipe.

use super::screen::Screen;
use super::stop::{Stop, Stoppable, is_stop};
use super::{Wire, is_standard, printable_path};
use crate::cli::complain;
use crate::cli::failure::Failure;
use crate::report;
use crate::trace::Fate;
use crate::wire::read::{CaptureReader, ReadError};
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// Maximum number of ports or link types that a message lists.
const MAX_NAMED: usize = 5;

pub(super) fn show(arguments: &Wire, path: &Path, quiet: bool) -> Result<ExitCode, Failure> {
    let name = if is_standard(path) { "standard input".to_owned() } else { printable_path(path) };
    let opened = open(path).and_then(|file| Ok((file.metadata()?, file)));
    let (metadata, file) =
        opened.map_err(|error| Failure::Message(format!("cannot open {name}: {error}")))?;
    let stop = Stop::on_signals()?;
    let mut reading = match CaptureReader::new(Stoppable { file, stop: &stop }) {
        // The --pcapng output is not open yet, so the file cannot be written.
        Err(error) if is_stopped(&error) && arguments.pcapng.is_some() => {
            return Err(Failure::Message(format!("cannot read {name}: {error}")));
        }
        Err(error) if is_stopped(&error) => {
            return Screen::open(arguments, None)?.finish(Duration::ZERO, quiet);
        }
        result => result.map_err(|error| Failure::capture_file(&name, &error))?,
    };
    let mut screen = stop.or_end_at_once(|| Screen::open(arguments, Some(&metadata)))?;
    let shown = show_all(&mut reading, &mut screen, &name);
    let is_nothing_found = screen.packets == 0 && matches!(shown, Ok(ReadEnd::Whole));
    if is_nothing_found {
        let others = screen.other_ports.busiest(MAX_NAMED);
        complain(&nothing_found(arguments, &name, reading.packets, &others));
    }
    if reading.skipped > 0 {
        complain(&skipped_packets(&name, reading.skipped, &reading.unread_links));
    }
    // Shows the packets read until then, even after an error.
    let lasted = screen.times.lasted();
    let finished = screen.finish(lasted, quiet);
    let ended = shown.and(finished)?;
    Ok(if is_nothing_found { ExitCode::FAILURE } else { ended })
}

fn open(path: &Path) -> io::Result<File> {
    if is_standard(path) {
        Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
    } else {
        File::open(path)
    }
}

/// How the reading of a file ended, if there was no error.
#[derive(Debug)]
enum ReadEnd {
    /// Reading stopped at `--count` or after a signal.
    Early,
    /// Reading reached the end of the file.
    Whole,
}

fn show_all(
    reading: &mut CaptureReader,
    screen: &mut Screen,
    name: &str,
) -> Result<ReadEnd, Failure> {
    while !screen.is_done() {
        match reading.next() {
            Ok(Some(captured)) => screen.show(&captured, &Fate::Seen)?,
            Ok(None) => return Ok(ReadEnd::Whole),
            Err(error) if is_stopped(&error) => break,
            Err(error) => return Err(Failure::capture_file(name, &error)),
        }
    }
    Ok(ReadEnd::Early)
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
        others => format!("{found}: try --port {}", list(others, "or")),
    }
}

fn skipped_packets(name: &str, packets: u64, unread_links: &BTreeSet<u32>) -> String {
    let packets = report::plural(packets, "packet");
    let message = format!("daytime: skipped {packets} of {name}: not IP, or without an IP header");
    let mut links: Vec<String> = unread_links.iter().take(MAX_NAMED).map(u32::to_string).collect();
    if unread_links.len() > MAX_NAMED {
        links.push("others".to_owned());
    }
    match &links[..] {
        [] => message,
        links => format!("{message}; cannot read link type {}", list(links, "and")),
    }
}

/// Joins items to a list: `1`, `1 or 2`, `1, 2 or 3`.
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
    use crate::mentions::mentions;

    #[test]
    fn a_message_names_at_most_five_link_types() {
        let links = |numbers: std::ops::Range<u32>| skipped_packets("f", 9, &numbers.collect());
        mentions(&links(0..0), &["daytime:", "9 packets", "f", "not IP"]);
        assert!(!links(0..0).contains("link type"), "{}", links(0..0));
        mentions(&links(7..9), &["9 packets", "not IP", "link type 7 and 8"]);
        mentions(&links(7..99), &["link type 7, 8, 9, 10, 11 and others"]);
    }
}
