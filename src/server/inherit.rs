//! Finds inherited sockets. systemd passes sockets through `LISTEN_FDS` (`sd_listen_fds(3)`), and
//! inetd passes a socket as descriptor 0.

use crate::listen::{Inherited, ListenError, descriptor, no_socket};
use listenfd::ListenFd;
use nix::libc::{AF_INET, AF_UNIX, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_STREAM};
use std::env;
use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};

/// First descriptor that a supervisor passes (`SD_LISTEN_FDS_START`).
const FIRST_DESCRIPTOR: RawFd = 3;

/// Maximum number of sockets in `LISTEN_FDS`. A larger number is a mistake, and would waste memory.
const MAX_SOCKETS: usize = 1024;

/// Families and types to try in turn until one matches the descriptor. The list includes sockets
/// that are neither TCP nor UDP, so that an error message can describe them. The list needs no
/// `AF_INET6`, because the crate listenfd treats IPv6 as `AF_INET`.
const KINDS: [(i32, i32); 6] = [
    (AF_INET, SOCK_STREAM),
    (AF_INET, SOCK_DGRAM),
    (AF_INET, SOCK_RAW),
    (AF_UNIX, SOCK_STREAM),
    (AF_UNIX, SOCK_DGRAM),
    (AF_UNIX, SOCK_SEQPACKET),
];

impl Inherited {
    /// Returns the sockets that a supervisor passes to this process in `LISTEN_FDS`, `LISTEN_PID`
    /// and `LISTEN_FDNAMES` (`sd_listen_fds(3)`). Returns no socket if the variables name another
    /// process.
    ///
    /// Call this once, before the process opens other files or starts threads. The function takes
    /// descriptors by number, and removes `LISTEN_FDS` and `LISTEN_PID` from the environment.
    ///
    /// # Errors
    /// Returns [`ListenError::Announced`] if `LISTEN_FDS` is not a valid number, and
    /// [`ListenError::NotServable`] if a descriptor is not a socket.
    pub fn from_environment() -> Result<Vec<Self>, ListenError> {
        if announced_here()? == 0 {
            return Ok(Vec::new());
        }
        let names = names(&env::var("LISTEN_FDNAMES").unwrap_or_default());
        let mut handed = ListenFd::from_env();
        let numbers = (FIRST_DESCRIPTOR..).zip(0..handed.len());
        numbers
            .map(|(number, place)| {
                let name = names.get(place).cloned().flatten();
                let Some(socket) = take(&mut handed, place) else {
                    let descriptor = descriptor(number, name.as_deref());
                    return Err(ListenError::NotServable { descriptor, found: no_socket(number) });
                };
                Ok(Self { socket, number, name })
            })
            .collect()
    }

    /// Returns the first descriptor number after the sockets that
    /// [`from_environment`](Self::from_environment) returns.
    pub(crate) fn end_of_environment() -> Result<RawFd, ListenError> {
        Ok((FIRST_DESCRIPTOR..).nth(announced_here()?).unwrap_or(RawFd::MAX))
    }

    /// First descriptor number after those that inetd passes, which are 0, 1 and 2.
    pub(crate) const END_OF_STANDARD: RawFd = FIRST_DESCRIPTOR;

    /// Returns a duplicate of descriptor 0, because inetd passes the socket of a service as
    /// descriptor 0 (`inetd(8)`).
    ///
    /// ```
    /// use daytime::server::Inherited;
    /// let socket = Inherited::standard_input()?;
    /// assert_eq!(socket.name(), None); // inetd gives no names
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if descriptor 0 cannot be duplicated.
    /// [`Server::adopt`](super::Server::adopt) checks whether it is a socket.
    pub fn standard_input() -> io::Result<Self> {
        let socket = io::stdin().as_fd().try_clone_to_owned()?;
        Ok(Self { socket, number: 0, name: None })
    }
}

/// Returns the number of sockets that a supervisor passed to this process.
fn announced_here() -> Result<usize, ListenError> {
    let variable = |name| env::var(name).ok();
    let (fds, pid) = (variable("LISTEN_FDS"), variable("LISTEN_PID"));
    announced(fds.as_deref(), pid.as_deref(), std::process::id())
}

/// Returns the number of sockets that the variables `fds` and `pid` announce, if they are meant for
/// the process with the ID `this`.
fn announced(fds: Option<&str>, pid: Option<&str>, this: u32) -> Result<usize, ListenError> {
    let Some(fds) = fds.filter(|_| pid.and_then(|pid| pid.parse().ok()) == Some(this)) else {
        return Ok(0);
    };
    let count = fds.parse().ok().filter(|count| *count <= MAX_SOCKETS);
    count.ok_or_else(|| ListenError::Announced { value: fds.escape_debug().to_string() })
}

/// Splits the names at colons. systemd writes "unknown" for a socket without a name.
fn names(list: &str) -> Vec<Option<String>> {
    let name = |name: &str| {
        let nameless = name.is_empty() || name == "unknown";
        (!nameless).then(|| name.escape_debug().to_string())
    };
    list.split(':').map(name).collect()
}

fn take(handed: &mut ListenFd, place: usize) -> Option<OwnedFd> {
    KINDS.iter().find_map(|&(family, kind)| {
        handed.take_custom::<OwnedFd>(place, family, kind, "socket").ok().flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_for_another_process_are_ignored() {
        let count = |fds, pid| announced(fds, pid, 42).ok();
        assert_eq!(count(Some("2"), Some("42")), Some(2));
        assert_eq!(count(Some("2"), Some("43")), Some(0));
        assert_eq!(count(Some("2"), None), Some(0));
        assert_eq!(count(None, Some("42")), Some(0));
        assert_eq!(count(Some("many"), Some("42")), None);
        assert_eq!(count(Some("many"), Some("43")), Some(0));
        assert_eq!(count(Some("1025"), Some("42")), None);
    }

    #[test]
    fn names_are_separated_by_colons_and_unknown_means_no_name() {
        let name = |name: &str| Some(name.to_owned());
        assert_eq!(names("web:unknown::b"), [name("web"), None, None, name("b")]);
        assert_eq!(names(""), [None]);
        assert_eq!(names("a\x1b[2J"), [name("a\\u{1b}[2J")]);
    }
}
