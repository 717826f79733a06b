//! `daytime bench`.

use super::args::Bench;
use super::descriptors::raise_descriptor_limit;
use super::failure::Failure;
use super::print;
use super::progress::Progress;
use crate::bench::bench;
use crate::report::{self, json};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::io;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) fn run(arguments: &Bench, quiet: bool) -> Result<ExitCode, Failure> {
    raise_descriptor_limit();
    let stop = stop_on_signals().map_err(|error| Failure::signals(&error))?;
    let mut progress = Progress::start_timed(quiet || arguments.json);
    let measured = bench(arguments.host(), &arguments.options(), &mut |done, of| {
        progress.show(whole_seconds(done), whole_seconds(of));
        if stop.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    progress.finish();
    let measured = measured.map_err(Failure::from).inspect_err(|failure| {
        if arguments.json {
            // That nobody reads it makes the failure no better.
            let _ = print(&format!("{:#}\n", json::error(&failure.to_string())));
        }
    })?;
    let screen = if arguments.json {
        format!("{:#}\n", report::bench::json(&measured))
    } else {
        report::bench::text(&measured)
    };
    match print(&screen) {
        Err(Failure::NobodyReads) => {} // the status still tells how it went
        printed => printed?,
    }
    measured.loads.iter().filter_map(Failure::of_load).for_each(|failure| failure.tell());
    Ok(if measured.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn whole_seconds(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

/// Becomes true at the first signal; the second ends the process at once with status 1.
fn stop_on_signals() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order, so that the first signal does not end it already.
        flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))?;
        flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}
