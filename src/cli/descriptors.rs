//! How many files and sockets this process may have open.

use super::failure::Failure;
use crate::sys::DESCRIPTORS;
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::close;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};

/// Each open connection takes a descriptor, and the usual limit of 1024 is there for select(2) only.
pub(super) fn raise_descriptor_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        log::debug!("the limit of open files stays as it is: {error}");
    }
}

/// Closes every descriptor from this number on. To be called first, while this process has opened none.
pub(super) fn close_from(first: RawFd) -> io::Result<()> {
    let list = fs::read_dir(DESCRIPTORS)?;
    let names: Vec<_> = list.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
    let numbers = names.iter().filter_map(|name| name.to_str()?.parse().ok());
    for number in numbers.filter(|number| *number >= first) {
        let _ = close::<RawFd>(number); // that of the list is closed already
    }
    Ok(())
}

/// How many descriptors this process has open; `None` where the system has no list of them.
pub(super) fn open_descriptors() -> Option<u64> {
    let list = fs::read_dir(DESCRIPTORS).ok()?;
    Some(list.count() as u64 - 1) // without its own
}

/// Checks that the process may open this many descriptors more, by doing so: a server that is ready but has none
/// for a client would look alive and reply to no one over TCP.
pub(super) fn require_descriptors(wanted: usize) -> Result<(), Failure> {
    let mut opened: Vec<OwnedFd> = Vec::with_capacity(wanted);
    while opened.len() < wanted {
        match io::stderr().as_fd().try_clone_to_owned() {
            Ok(descriptor) => opened.push(descriptor),
            Err(error) if error.raw_os_error() == Some(Errno::EMFILE as i32) => {
                return Err(Failure::descriptors(descriptor_limit(), wanted - opened.len()));
            }
            Err(_) => break, // that says nothing about the limit
        }
    }
    Ok(())
}

/// The limit of open files (`RLIMIT_NOFILE`).
pub(super) fn descriptor_limit() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft)
}
