//! `daytime wire`.

#[cfg(feature = "lab")]
mod demonstration;

use super::args::Wire;
use super::failure::Failure;
use super::{complain, print};
use crate::reply::Printable;
use crate::report;
use crate::report::ladder::{Exchanges, Sight};
use crate::trace::Fate;
use crate::wire::capture::{Capture, Next};
use crate::wire::decode::decode;
use crate::wire::read::{ReadError, Reading};
use crate::wire::talk::Talks;
use crate::wire::times::Times;
use crate::wire::{Captured, pcapng};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::pipe;
use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

pub(super) fn run(arguments: &Wire, quiet: bool) -> Result<ExitCode, Failure> {
    let done = match &arguments.read {
        Some(path) => read(arguments, path, quiet),
        #[cfg(feature = "lab")]
        None if arguments.netns => demonstration::show(arguments, quiet),
        None => live(arguments, quiet),
    };
    if let (true, Err(failure @ Failure::Told { .. })) = (arguments.json, &done) {
        print(&format!("{}\n", report::json::error(&failure.to_string())))?;
    }
    done
}

fn live(arguments: &Wire, quiet: bool) -> Result<ExitCode, Failure> {
    let interface = arguments.interface.as_deref().filter(|name| *name != "any");
    let stop = stop_on_signals().map_err(|error| Failure::signals(&error))?;
    let mut capture = Capture::open(interface)?;
    let mut screen = Screen::new(arguments)?;
    if !quiet {
        complain(&format!("daytime: {}", what_is_captured(arguments)));
    }
    let started = Instant::now();
    let until = arguments.duration.map(|duration| started + duration);
    while let Next::Packet(captured) = capture.next(until, stop.as_fd())? {
        if screen.show(&captured, &Fate::Seen)?.is_break() {
            break;
        }
    }
    if capture.lost > 0 {
        let lost = report::plural(capture.lost.into(), "packet");
        complain(&format!("daytime: {lost} came too fast and were not seen"));
    }
    screen.finish(started.elapsed(), quiet)
}

fn what_is_captured(arguments: &Wire) -> String {
    let ports: Vec<String> = arguments.ports.iter().map(u16::to_string).collect();
    let noun = if ports.len() == 1 { "port" } else { "ports" };
    let interface = arguments.interface.as_deref().unwrap_or("any");
    let interface = Printable(interface.as_bytes());
    format!("capturing {noun} {} on interface {interface}, until Ctrl-C", ports.join(", "))
}

/// Has something to read after the first signal; the second ends the process at once with status 1.
fn stop_on_signals() -> io::Result<UnixStream> {
    let (stop, signalled) = UnixStream::pair()?;
    let again = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order, so that the first signal does not end it already.
        flag::register_conditional_shutdown(signal, 1, Arc::clone(&again))?;
        flag::register(signal, Arc::clone(&again))?;
        pipe::register(signal, signalled.try_clone()?)?;
    }
    Ok(stop)
}

fn read(arguments: &Wire, path: &Path, quiet: bool) -> Result<ExitCode, Failure> {
    let name = match path.to_str() {
        Some("-") => "standard input".to_owned(),
        _ => shown(path),
    };
    let fail = |error: &ReadError| Failure::capture_file(&name, error);
    let file: Box<dyn Read + Send> = match path.to_str() {
        Some("-") => Box::new(io::stdin()),
        _ => Box::new(
            File::open(path)
                .map_err(|error| Failure::plain(format!("cannot open {name}: {error}")))?,
        ),
    };
    let mut reading = Reading::new(file).map_err(|error| fail(&error))?;
    let mut screen = Screen::new(arguments)?;
    let read = show_all(&mut reading, &mut screen)?;
    let broken = read.err().map(|error| fail(&error));
    if screen.packets == 0 && broken.is_none() {
        complain(&format!("daytime: {}", nothing_found(arguments, &name, &reading)));
    }
    let lasted = screen.times.lasted();
    let status = screen.finish(lasted, quiet)?;
    // What was read before is worth its screen.
    broken.map_or(Ok(status), Err)
}

/// Until the end of the file, or as many as are wanted; the error is of the file, the failure of the screen.
fn show_all(reading: &mut Reading, screen: &mut Screen) -> Result<Result<(), ReadError>, Failure> {
    loop {
        match reading.next() {
            Ok(Some(captured)) => {
                if screen.show(&captured, &Fate::Seen)?.is_break() {
                    return Ok(Ok(()));
                }
            }
            Ok(None) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error)),
        }
    }
}

fn nothing_found(arguments: &Wire, name: &str, reading: &Reading) -> String {
    let ports: Vec<String> = arguments.ports.iter().map(u16::to_string).collect();
    let packets = report::plural(reading.packets, "packet");
    let mut told = vec![format!("{name} has {packets}, none about port {}", ports.join(" or "))];
    if reading.passed_over > 0 {
        told.push(format!("{} not IP, or not to be found", reading.passed_over));
    }
    if !reading.unread_links.is_empty() {
        let links: Vec<String> = reading.unread_links.iter().map(u32::to_string).collect();
        told.push(format!("links of type {} are not read", links.join(" and ")));
    }
    format!("{}: --port names others", told.join("; "))
}

fn shown(path: &Path) -> String {
    Printable(path.as_os_str().as_encoded_bytes()).to_string()
}

/// Where packets go that were seen: to standard output and, if wanted, to a file.
struct Screen<'a> {
    arguments: &'a Wire,
    talks: Talks,
    file: Option<(File, String)>,
    blocks: pcapng::Writer,
    times: Times,
    /// How many were shown.
    packets: u64,
    /// Somebody still reads standard output.
    is_read: bool,
    /// For the ladders, if they are wanted.
    exchanges: Exchanges,
}

impl<'a> Screen<'a> {
    /// Opens the file, so that it is known at once whether it can be written.
    fn new(arguments: &'a Wire) -> Result<Self, Failure> {
        let open = |path: &'a PathBuf| {
            let name = shown(path);
            match File::create(path) {
                Ok(file) => Ok((file, name)),
                Err(error) => Err(Failure::plain(format!("cannot write {name}: {error}"))),
            }
        };
        let file = arguments.pcapng.as_ref().map(open).transpose()?;
        let talks = Talks::with(arguments.ports.clone());
        let (blocks, times, exchanges) =
            (pcapng::Writer::default(), Times::default(), Exchanges::default());
        let (packets, is_read) = (0, true);
        let mut screen =
            Self { arguments, talks, file, blocks, times, packets, is_read, exchanges };
        screen.save(&pcapng::begin())?;
        Ok(screen)
    }

    /// Shows a packet, if it is about the ports; breaks when there were enough.
    fn show(&mut self, captured: &Captured, fate: &Fate) -> Result<ControlFlow<()>, Failure> {
        let Some(packet) = decode(&captured.octets) else { return Ok(ControlFlow::Continue(())) };
        let interface = captured.interface.as_ref();
        let Some(said) = self.talks.hear(interface.map(|it| it.id), &packet) else {
            return Ok(ControlFlow::Continue(()));
        };
        self.packets += 1;
        let since_ns = self.times.since_ns(captured.at);
        if self.file.is_some() {
            let block = self.blocks.packet(captured);
            self.save(&block)?;
        }
        let shown = if self.arguments.ladder {
            let sight = Sight { at: captured.at, since_ns, interface };
            self.exchanges.note(&said, &packet, sight, fate);
            Ok(())
        } else if self.arguments.json {
            print(&format!("{}\n", report::wire::json(since_ns, &said, &packet, captured)))
        } else {
            print(&report::wire::lines(since_ns, &said, &packet, &captured.comments))
        };
        match shown {
            Err(Failure::NobodyReads) => {
                self.is_read = false;
                return Ok(ControlFlow::Break(()));
            }
            shown => shown?,
        }
        let enough = self.arguments.count.is_some_and(|count| self.packets >= count);
        Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn draw(&self) -> Result<(), Failure> {
        if self.arguments.ladder && self.packets > 0 {
            print(&format!("{}\n", self.exchanges.draw(super::width())))?;
        }
        Ok(())
    }

    /// Writes each block at once and whole, so that the file is good whenever this ends.
    fn save(&mut self, octets: &[u8]) -> Result<(), Failure> {
        let Some((file, name)) = &mut self.file else { return Ok(()) };
        file.write_all(octets)
            .map_err(|error| Failure::plain(format!("cannot write {name}: {error}")))
    }

    fn finish(self, lasted: Duration, quiet: bool) -> Result<ExitCode, Failure> {
        self.draw()?;
        if self.is_read && !self.arguments.json && !quiet {
            print(&report::wire::summary(self.packets, self.talks.count, lasted))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
