//! Runs `daytime bench`.

use super::args::Bench;
use super::descriptors::raise_descriptor_limit;
use super::failure::Failure;
use super::output::{print_result, status};
use super::progress::Progress;
use super::signals;
use crate::bench::bench;
use crate::report;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub(super) fn run(arguments: &Bench, quiet: bool) -> Result<ExitCode, Failure> {
    raise_descriptor_limit();
    let stop = signals::StopFlag::register().map_err(|error| Failure::signals(&error))?;
    let progress = Progress::start_timed(quiet || arguments.json);
    let measured = bench(&arguments.host, &arguments.options(), &mut |done, of| {
        progress.show(whole_seconds(done), whole_seconds(of));
        if stop.is_set.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    progress.finish();
    stop.release();
    let (json, text) = (report::bench::json, report::bench::text);
    let measured = print_result(measured, arguments.json, json, text)?;
    measured.loads.iter().filter_map(Failure::of_load).for_each(|failure| failure.print());
    Ok(status(measured.is_good()))
}

fn whole_seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}
