//! Names of files that hold a run, or a part of it.

#[cfg(feature = "teach")]
use crate::lab::Report;
use crate::lab::{Engine, Part};
use crate::trace::HostId;

/// Returns the name for a run's files, such as `exchange-sim`.
#[cfg(feature = "teach")]
pub(crate) fn of_run(report: &Report) -> String {
    joined(&[report.lab.name, report.procedure.engine.name()])
}

/// Returns the name for the file of one part of a run: `loss-sim-udp-one-try`.
pub(crate) fn of_part(lab: &str, engine: Engine, part: &Part) -> String {
    let transport = part.transport.to_string();
    joined(&[lab, engine.name(), &transport, &part.name])
}

/// Returns the name of the file with a host's packets: `exchange-sim-tcp-client`. If the part has a name, the part's
/// name comes before the host's name.
pub(crate) fn of_host(lab: &str, engine: Engine, part: &Part, HostId(host): HostId) -> String {
    let host = part.trace.hosts.get(host).map_or("", |host| host.name.as_str());
    joined(&[&of_part(lab, engine, part), host])
}

fn joined(texts: &[&str]) -> String {
    let parts = texts.iter().map(|text| words(text)).filter(|word| !word.is_empty());
    parts.collect::<Vec<_>>().join("-")
}

/// Replaces all characters except letters and digits by single dashes, so that every file system accepts the name.
fn words(text: &str) -> String {
    let parts = text.split(|it: char| !it.is_ascii_alphanumeric()).filter(|it| !it.is_empty());
    parts.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}
