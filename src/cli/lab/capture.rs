//! Writes the packets from a lab run to capture files.

use crate::cli::failure::Failure;
use crate::lab::{Engine, Part, Report};
use crate::report::lab::file_name;
use crate::trace::HostId;
use crate::wire::pcapng::pcapng;
use std::fs;
use std::path::{Path, PathBuf};

/// The directory to which the capture files are written.
pub(super) struct Captures<'a>(&'a Path);

impl<'a> Captures<'a> {
    /// Opens the directory, and creates it if it does not exist.
    pub(super) fn open(directory: &'a Path) -> Result<Self, Failure> {
        fs::create_dir_all(directory).map_err(|error| {
            Failure::Message(format!("cannot create directory {}: {error}", directory.display()))
        })?;
        Ok(Self(directory))
    }

    /// For each part of the run that has packets, writes one file per host. Returns the files' paths.
    pub(super) fn write(&self, report: &Report) -> Result<Vec<PathBuf>, Failure> {
        self.write_parts(report.lab.name, report.procedure.engine, report.parts().iter())
    }

    /// Writes the capture files for these parts of a run. The files' names contain the lab and the engine.
    pub(super) fn write_parts<'b>(
        &self,
        lab: &str,
        engine: Engine,
        parts: impl Iterator<Item = &'b Part>,
    ) -> Result<Vec<PathBuf>, Failure> {
        let mut written = Vec::new();
        for part in parts.filter(|part| part.trace.packets().next().is_some()) {
            for host in (0..part.trace.hosts.len()).map(HostId) {
                let path = self.free(&file_name::of_host(lab, engine, part, host), &written);
                fs::write(&path, pcapng(&part.trace, host)).map_err(|error| {
                    Failure::Message(format!("cannot write {}: {error}", path.display()))
                })?;
                written.push(path);
            }
        }
        Ok(written)
    }

    /// Returns a path that this run has not used yet. A name may be taken, because the names of two parts of the run
    /// may differ only in punctuation, which file names leave out.
    fn free(&self, name: &str, taken: &[PathBuf]) -> PathBuf {
        let path = |number: usize| match number {
            1 => self.0.join(format!("{name}.pcapng")),
            _ => self.0.join(format!("{name}-{number}.pcapng")),
        };
        let free = (1..=taken.len() + 1).map(path).find(|path| !taken.contains(path));
        free.unwrap_or_else(|| path(1))
    }
}
