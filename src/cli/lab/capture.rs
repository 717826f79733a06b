//! Writes the packets of a lab's run as capture files.

use crate::cli::failure::Failure;
use crate::lab::{Engine, Part, Report};
use crate::trace::HostId;
use crate::wire::pcapng::pcapng;
use std::fs;
use std::path::{Path, PathBuf};

/// The directory for the capture files.
pub(super) struct Captures<'a>(&'a Path);

impl<'a> Captures<'a> {
    /// Opens the directory, and creates it if it does not exist.
    pub(super) fn open(directory: &'a Path) -> Result<Self, Failure> {
        fs::create_dir_all(directory).map_err(|error| {
            Failure::Message(format!("cannot create directory {}: {error}", directory.display()))
        })?;
        Ok(Self(directory))
    }

    /// Writes one file for each host of each part with packets. Returns the paths of the files.
    pub(super) fn write(&self, report: &Report) -> Result<Vec<PathBuf>, Failure> {
        self.write_parts(report.lab.name, report.procedure.engine, report.parts().iter())
    }

    /// Writes the files of these parts of a run on an engine.
    pub(super) fn write_parts<'b>(
        &self,
        lab: &str,
        engine: Engine,
        parts: impl Iterator<Item = &'b Part>,
    ) -> Result<Vec<PathBuf>, Failure> {
        let mut written = Vec::new();
        for part in parts.filter(|part| part.trace.packets().next().is_some()) {
            for host in (0..part.trace.hosts.len()).map(HostId) {
                let path = self.free(&name(lab, engine, part, host), &written);
                fs::write(&path, pcapng(&part.trace, host)).map_err(|error| {
                    Failure::Message(format!("cannot write {}: {error}", path.display()))
                })?;
                written.push(path);
            }
        }
        Ok(written)
    }

    /// Returns a path that this run has not used. The names of two parts may differ only in punctuation.
    fn free(&self, name: &str, taken: &[PathBuf]) -> PathBuf {
        let path = |number: usize| match number {
            1 => self.0.join(format!("{name}.pcapng")),
            _ => self.0.join(format!("{name}-{number}.pcapng")),
        };
        let free = (1..=taken.len() + 1).map(path).find(|path| !taken.contains(path));
        free.unwrap_or_else(|| path(1))
    }
}

/// Returns the name of a file, such as `exchange-sim-tcp-client`. If the part has a name, the part's name comes before
/// the host's name.
fn name(lab: &str, engine: Engine, part: &Part, HostId(host): HostId) -> String {
    let transport = part.transport.to_string();
    let host = part.trace.hosts.get(host).map_or("", |host| host.name.as_str());
    let words = [lab, engine.name(), &transport, &part.name, host].map(words);
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// Replaces all characters except letters and digits by single dashes, so that every file system accepts the name.
fn words(text: &str) -> String {
    let parts = text.split(|it: char| !it.is_ascii_alphanumeric()).filter(|it| !it.is_empty());
    parts.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}
