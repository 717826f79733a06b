//! Shows packets live, as they pass through an interface.

use super::screen::Screen;
use super::stop::Stop;
use super::{Wire, ports};
use crate::cli::complain;
use crate::cli::failure::Failure;
use crate::reply::Printable;
use crate::report;
use crate::trace::Fate;
use crate::wire::capture::Capture;
use std::process::ExitCode;
use std::time::Instant;

pub(super) fn show(arguments: &Wire, quiet: bool) -> Result<ExitCode, Failure> {
    let interface = arguments.interface.as_deref().filter(|name| *name != "any");
    let mut capture = Capture::open(interface, &arguments.ports)?;
    let mut screen = Screen::open(arguments, None)?;
    // Signals are caught only after the output file is open: opening a FIFO waits for a reader, and the first Ctrl-C
    // must end this wait.
    let stop = Stop::on_signals()?;
    if !quiet {
        complain(&format!("daytime: {}", what_is_captured(arguments)));
    }
    let started = Instant::now();
    let until = arguments.duration.map(|duration| started + duration);
    let watched = watch(&mut capture, &mut screen, until, &stop);
    let lasted = started.elapsed();
    let reported = report_lost(&capture, arguments);
    // Shows the packets captured until then, even after an error.
    let finished = screen.finish(lasted, quiet);
    let ended = watched.and(finished)?;
    reported.map(|()| ended)
}

fn watch(
    capture: &mut Capture,
    screen: &mut Screen,
    until: Option<Instant>,
    stop: &Stop,
) -> Result<(), Failure> {
    let ended = loop {
        match capture.next(until, stop.as_fd()) {
            Ok(Some(captured)) => {
                screen.show(&captured, &Fate::Seen)?;
                if screen.is_done() {
                    return Ok(());
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    // Reads the packets that arrived before the capture stopped.
    capture.end()?;
    while !screen.is_done()
        && let Some(captured) = capture.waiting()?
    {
        screen.show(&captured, &Fate::Seen)?;
    }
    Ok(ended?)
}

/// Reports how many packets the kernel dropped. The kernel counts only packets that its filter passed: those that may
/// have the wanted ports, and all ICMP errors and fragments.
fn report_lost(capture: &Capture, arguments: &Wire) -> Result<(), Failure> {
    let lost = capture.lost()?;
    if lost == 0 {
        return Ok(());
    }
    let packets = report::plural(lost.into(), "packet");
    let ports = ports(arguments);
    complain(&format!(
        "daytime: the capture lost up to {packets} about {ports}: they came too fast"
    ));
    if arguments.json {
        super::print_exactly(&format!("{}\n", serde_json::json!({ "lost": lost })))?;
    }
    Ok(())
}

fn what_is_captured(arguments: &Wire) -> String {
    let interface = arguments.interface.as_deref().unwrap_or("any");
    let interface = Printable(interface.as_bytes());
    let count = arguments.count.map(|count| report::plural(count, "packet"));
    let duration = arguments.duration.map(|duration| format!("{} s", duration.as_secs_f64()));
    let limits: Vec<String> = [count, duration].into_iter().flatten().collect();
    let limits = match &limits[..] {
        [] => String::new(),
        limits => format!("for {}, or ", limits.join(" or ")),
    };
    format!("capturing {} on interface {interface}, {limits}until Ctrl-C", ports(arguments))
}
