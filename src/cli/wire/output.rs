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
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A file, of which this many octets are whole blocks.
    File(u64),
    /// A FIFO or a device, which is never shorter than what was written.
    Other,
    Standard,
}

impl Output {
    /// Opens it, so that it is known at once whether it can be written; never the very file that is read.
    pub(super) fn open(path: &Path, read: Option<&Metadata>) -> Result<Self, Failure> {
        let name =
            if is_standard(path) { "standard output".to_owned() } else { printable_path(path) };
        let open = || {
            let file = if is_standard(path) {
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
        let kind = begin(&file, path).map_err(|error| cannot_write(&name, &error))?;
        Ok(Self { file, name, kind })
    }

    pub(super) fn is_standard(&self) -> bool {
        self.kind == Kind::Standard
    }

    /// Writes a block at once and whole. What was written of one that found no room is taken back, so that the
    /// file is good however this ends.
    pub(super) fn write(&mut self, block: &[u8]) -> Result<(), Failure> {
        match (self.file.write_all(block), &mut self.kind) {
            (Ok(()), Kind::File(whole)) => *whole += block.len() as u64,
            (Ok(()), _) => {}
            (Err(error), Kind::Standard) if error.kind() == ErrorKind::BrokenPipe => {
                return Err(Failure::OutputClosed);
            }
            (Err(error), kind) => {
                if let Kind::File(whole) = kind {
                    // If not even that can be done, the error is the same.
                    let _ = self.file.set_len(*whole);
                }
                return Err(cannot_write(&self.name, &error));
            }
        }
        Ok(())
    }
}

fn cannot_write(name: &str, error: &io::Error) -> Failure {
    Failure::plain(format!("cannot write {name}: {error}"))
}

/// Empties a file that this process opened; standard output was opened by another.
fn begin(file: &File, path: &Path) -> io::Result<Kind> {
    if is_standard(path) {
        return Ok(Kind::Standard);
    }
    if !file.metadata()?.is_file() {
        return Ok(Kind::Other);
    }
    file.set_len(0)?;
    Ok(Kind::File(0))
}

/// By whatever name: a symbolic link, a hard link.
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    one.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino())
}
