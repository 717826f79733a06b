//! Shows the packets of one exchange over each transport between two network namespaces. This needs no permission to
//! capture packets.

use super::Wire;
use super::screen::Screen;
use crate::cli::failure::Failure;
use crate::cli::lab::permit_namespaces;
use crate::lab::{self, Engine, LabOptions, Part, Setting};
use crate::report;
use crate::trace::Fate;
use crate::wire::{Captured, Interface, InterfaceId};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// Name of the lab whose packets are shown.
const LAB: &str = "exchange";
/// Time that the output shows between the end of one exchange and the beginning of the next.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) fn show(arguments: &Wire, quiet: bool) -> Result<ExitCode, Failure> {
    let missing = || Failure::Message(format!("there is no lab {LAB} in namespaces"));
    let procedure =
        lab::find(LAB).and_then(|lab| lab.procedure_on(Engine::Netns)).ok_or_else(missing)?;
    let setting = Setting { seed: 0, options: LabOptions::default() };
    permit_namespaces(arguments.pcapng.as_deref().and_then(Path::parent).as_slice());
    let run =
        procedure.perform(&setting).map_err(|error| Failure::Message(report::chain(&error)))?;
    // Opens the output file only after the run, so that a failed run does not change it.
    let mut screen = Screen::open(arguments, None)?;
    for (captured, fate) in captured(&run.parts) {
        if !screen.is_done() {
            screen.show(&captured, &fate)?;
        }
    }
    let lasted = screen.times.lasted();
    screen.finish(lasted, quiet)
}

/// Returns the packets of all exchanges in order, as the network between the hosts saw them. Each part is one exchange
/// of the lab.
fn captured(parts: &[Part]) -> Vec<(Captured, Fate)> {
    let id = InterfaceId { number: 0, passed: None };
    let interface = Interface { id, name: Some(b"netns"[..].into()) };
    let mut begin = Duration::ZERO;
    let mut all = Vec::new();
    for part in parts {
        let mut last = begin;
        for (event, packet) in part.trace.packets() {
            let comments = vec![packet.fate.words(event.at).into_bytes()];
            last = begin + event.at;
            let (octets, interface) = (packet.octets.clone(), Some(interface.clone()));
            let captured = Captured { at: Some(last), octets, interface, comments };
            all.push((captured, later(&packet.fate, begin)));
        }
        begin = last + PAUSE;
    }
    all
}

/// Adds `begin` to the arrival times.
fn later(fate: &Fate, begin: Duration) -> Fate {
    match fate {
        Fate::Arrived(times) => Fate::Arrived(times.iter().map(|at| begin + *at).collect()),
        Fate::Lost(_) | Fate::Seen => fate.clone(),
    }
}
