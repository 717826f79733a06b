//! Writes the capture file for `--pcapng`.

use super::{is_standard, printable_path};
use crate::cli::failure::Failure;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub(super) struct Output {
    file: File,
    /// The output's name in error messages.
    name: String,
    /// Total length in octets of the complete blocks in the file. `None` for standard output, a FIFO or a device, none
    /// of which is truncated.
    whole: Option<u64>,
    /// Whether the output is standard output.
    pub is_standard: bool,
}

impl Output {
    /// Opens the output before any packet arrives, so that an error is reported immediately. Refuses the file that
    /// `--read` reads.
    pub(super) fn open(path: &Path, read: Option<&Metadata>) -> Result<Self, Failure> {
        let is_standard = is_standard(path);
        let name = if is_standard { "standard output".to_owned() } else { printable_path(path) };
        let open = || {
            let file = if is_standard {
                File::from(io::stdout().as_fd().try_clone_to_owned()?)
            } else {
                // Opening must not truncate the file, because it may be the file that `--read` reads.
                OpenOptions::new().write(true).create(true).truncate(false).open(path)?
            };
            let metadata = file.metadata()?;
            Ok((file, read.is_some_and(|read| is_same(read, &metadata))))
        };
        let (file, is_read) = open().map_err(|error| cannot_write(&name, &error))?;
        if is_read {
            let message = format!(
                "cannot write {name}: --read reads the same file; name another for --pcapng"
            );
            return Err(Failure::Usage(message));
        }
        // Standard output is never truncated: another process opened it and may have written to it.
        let whole = if is_standard { Ok(None) } else { empty(&file) };
        let whole = whole.map_err(|error| cannot_write(&name, &error))?;
        Ok(Self { file, name, whole, is_standard })
    }

    /// Writes one block immediately. If this fails, for example because the disk is full, truncates the file to its
    /// complete blocks, so that the file stays valid.
    pub(super) fn write(&mut self, block: &[u8]) -> Result<(), Failure> {
        self.file.write_all(block).map_err(|error| {
            if self.is_standard && error.kind() == ErrorKind::BrokenPipe {
                return Failure::OutputClosed;
            }
            // An error here is ignored, because the first error is the one to report.
            let _ = self.whole.map(|whole| self.file.set_len(whole));
            cannot_write(&self.name, &error)
        })?;
        self.whole = self.whole.map(|whole| whole + block.len() as u64);
        Ok(())
    }
}

fn cannot_write(name: &str, error: &io::Error) -> Failure {
    Failure::Message(format!("cannot write {name}: {error}"))
}

/// Truncates a file and returns its new length, 0. Returns `None` for a FIFO or a device.
fn empty(file: &File) -> io::Result<Option<u64>> {
    let is_file = file.metadata()?.is_file();
    is_file.then(|| file.set_len(0).map(|()| 0)).transpose()
}

/// Whether both are the same file, even if reached through a symbolic or hard link.
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    one.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino())
}
