//! The capture file that is written.

use super::{is_standard, printable_path};
use crate::cli::failure::Failure;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub(super) struct Output {
    file: File,
    /// For errors.
    name: String,
    /// Octets of whole blocks in a file; `None` for a FIFO or a device, which is never shorter than what was written.
    whole: Option<u64>,
    /// Whether it is standard output.
    pub is_standard: bool,
}

impl Output {
    /// Opens it, so that it is known at once whether it can be written; never the very file that is read.
    pub(super) fn open(path: &Path, read: Option<&Metadata>) -> Result<Self, Failure> {
        let is_standard = is_standard(path);
        let name = if is_standard { "standard output".to_owned() } else { printable_path(path) };
        let open = || {
            let file = if is_standard {
                File::from(io::stdout().as_fd().try_clone_to_owned()?)
            } else {
                // Cut only when it is known which file that is.
                OpenOptions::new().write(true).create(true).truncate(false).open(path)?
            };
            let metadata = file.metadata()?;
            Ok((file, read.is_some_and(|read| is_same(read, &metadata))))
        };
        let (file, is_read) = open().map_err(|error| cannot_write(&name, &error))?;
        if is_read {
            let message = format!("{name} is the capture that is read: --pcapng would destroy it");
            return Err(Failure::Usage(message));
        }
        // Standard output was opened by another process, which may have written to it.
        let whole = if is_standard { Ok(None) } else { empty(&file) };
        let whole = whole.map_err(|error| cannot_write(&name, &error))?;
        Ok(Self { file, name, whole, is_standard })
    }

    /// Writes a block at once and whole. What was written of one that found no room is taken back, so that the
    /// file is good however this ends.
    pub(super) fn write(&mut self, block: &[u8]) -> Result<(), Failure> {
        self.file.write_all(block).map_err(|error| {
            if self.is_standard && error.kind() == ErrorKind::BrokenPipe {
                return Failure::OutputClosed;
            }
            // If not even that can be done, the error is the same.
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

/// Empties a file; `None` for what is none.
fn empty(file: &File) -> io::Result<Option<u64>> {
    let is_file = file.metadata()?.is_file();
    is_file.then(|| file.set_len(0).map(|()| 0)).transpose()
}

/// By whatever name: a symbolic link, a hard link.
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    one.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino())
}
