//! This process's limit on open files and sockets, and the descriptors that it inherits.

use super::failure::Failure;
use crate::sys::DESCRIPTORS;
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::close;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};

/// Raises the soft limit on open files to the hard limit. Each open connection needs a descriptor, and the usual soft
/// limit of 1024 exists only because of select(2).
pub(super) fn raise_descriptor_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        log::debug!("the limit of open files stays as it is: {error}");
    }
}

/// Closes every descriptor from `first` upwards. Call this before the process opens any descriptor.
pub(super) fn close_from(first: RawFd) -> io::Result<()> {
    let list = fs::read_dir(DESCRIPTORS)?;
    let names: Vec<_> = list.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
    let numbers = names.iter().filter_map(|name| name.to_str()?.parse().ok());
    for number in numbers.filter(|number| *number >= first) {
        let _ = close::<RawFd>(number); // an error is ignored: the descriptor that read the list is already closed
    }
    Ok(())
}

/// Returns the number of descriptors that this process has open, or `None` if the system does not list them.
pub(super) fn open_descriptors() -> Option<u64> {
    let list = fs::read_dir(DESCRIPTORS).ok()?;
    Some(list.count() as u64 - 1) // minus the descriptor that reads the list
}

/// Checks that the process may open `wanted` more descriptors, by opening and closing them. A server without free
/// descriptors would seem to run, but could not answer clients over TCP.
pub(super) fn require_descriptors(wanted: usize) -> Result<(), Failure> {
    let mut opened: Vec<OwnedFd> = Vec::with_capacity(wanted);
    while opened.len() < wanted {
        match io::stderr().as_fd().try_clone_to_owned() {
            Ok(descriptor) => opened.push(descriptor),
            Err(error) if error.raw_os_error() == Some(Errno::EMFILE as i32) => {
                return Err(Failure::descriptors(descriptor_limit(), wanted - opened.len()));
            }
            Err(_) => break, // no other error concerns the limit
        }
    }
    Ok(())
}

/// Returns the soft limit on open files (`RLIMIT_NOFILE`).
pub(super) fn descriptor_limit() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft)
}
