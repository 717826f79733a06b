//! Finds answer files below a path, and reads them. The folders come from students.

use crate::teach::submission::MAX_OCTETS;
use nix::fcntl::OFlag;
use std::ffi::OsStr;
use std::fs::{self, DirEntry, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Maximum depth of folders. Learning-management systems use at most four.
const MAX_DEPTH: usize = 8;

/// Device and inode of a file: the same for all its names.
pub(super) type Identity = (u64, u64);

/// A file to grade.
pub(super) struct AnswerFile {
    pub path: PathBuf,
    /// Whether the user named this file, which then may be a symbolic link.
    is_named: bool,
}

/// The files below a path, and the paths that cannot be graded, each with its reason.
#[derive(Default)]
pub(super) struct Found {
    pub files: Vec<AnswerFile>,
    pub problems: Vec<(PathBuf, String)>,
}

/// Collects the answer files below a path. A file that the user names may have any name. In a directory, only files
/// `*.toml` are answer files.
pub(super) fn collect(path: &Path) -> Found {
    let mut found = Found::default();
    match fs::metadata(path) {
        Ok(it) if it.is_dir() => found.add_folder(path, MAX_DEPTH),
        Ok(_) => found.files.push(AnswerFile { path: path.to_owned(), is_named: true }),
        Err(error) => found.complain(path, &cannot_read(&error)),
    }
    found
}

impl Found {
    fn complain(&mut self, path: &Path, reason: &str) {
        self.problems.push((path.to_owned(), reason.to_owned()));
    }

    fn add_folder(&mut self, path: &Path, depth: usize) {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => return self.complain(path, &cannot_read(&error)),
        };
        for entry in entries {
            let added = entry.and_then(|entry| self.add(&entry, depth));
            if let Err(error) = added {
                self.complain(path, &cannot_read(&error));
            }
        }
    }

    fn add(&mut self, entry: &DirEntry, depth: usize) -> io::Result<()> {
        let (path, kind) = (entry.path(), entry.file_type()?);
        let is_toml = path.extension() == Some(OsStr::new("toml"));
        if is_of_macos(&entry.file_name()) {
            // The copies of macOS have no answers.
        } else if kind.is_symlink() {
            if is_toml || path.is_dir() {
                self.complain(&path, "is a symbolic link: hand in the file");
            }
        } else if !kind.is_dir() {
            self.files.extend(is_toml.then_some(AnswerFile { path, is_named: false }));
        } else if depth == 0 {
            self.complain(&path, &format!("is more than {MAX_DEPTH} folders deep"));
        } else {
            self.add_folder(&path, depth - 1);
        }
        Ok(())
    }
}

impl AnswerFile {
    /// Returns the identity of a regular file and its content: at most one octet more than the maximum.
    pub(super) fn read(&self) -> io::Result<(Identity, Vec<u8>)> {
        // Opening a FIFO must not wait. The file may be replaced by a link after it was found.
        let follow = if self.is_named { OFlag::empty() } else { OFlag::O_NOFOLLOW };
        let flags = follow | OFlag::O_NONBLOCK;
        let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(&self.path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let mut content = Vec::new();
        file.take(MAX_OCTETS as u64 + 1).read_to_end(&mut content)?;
        Ok(((metadata.dev(), metadata.ino()), content))
    }
}

/// Whether macOS adds files of this name to archives.
fn is_of_macos(name: &OsStr) -> bool {
    name == "__MACOSX" || name.as_encoded_bytes().starts_with(b"._")
}

fn cannot_read(error: &io::Error) -> String {
    format!("cannot be read: {error}")
}
