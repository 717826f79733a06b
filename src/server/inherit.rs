//! Where inherited sockets come from: `LISTEN_FDS`, as systemd says it (`sd_listen_fds(3)`), or
//! descriptor 0, as inetd has it.

use crate::listen::{Inherited, ListenError, descriptor, no_socket};
use listenfd::ListenFd;
use nix::libc::{AF_INET, AF_UNIX, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_STREAM};
use std::env;
use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};

/// The first descriptor that is handed over (`SD_LISTEN_FDS_START`).
const FIRST_DESCRIPTOR: RawFd = 3;

/// Maximum number of sockets that are handed over; a larger one is a mistake that would take memory.
const MAX_SOCKETS: usize = 1024;

/// Every family and type to ask for, until the descriptor is one: what is no TCP and no UDP is
/// taken too, to say what it is. IPv6 counts as `AF_INET` here.
const KINDS: [(i32, i32); 6] = [
    (AF_INET, SOCK_STREAM),
    (AF_INET, SOCK_DGRAM),
    (AF_INET, SOCK_RAW),
    (AF_UNIX, SOCK_STREAM),
    (AF_UNIX, SOCK_DGRAM),
    (AF_UNIX, SOCK_SEQPACKET),
];

impl Inherited {
    /// The sockets that a supervisor hands to this process in `LISTEN_FDS`, `LISTEN_PID` and
    /// `LISTEN_FDNAMES` (`sd_listen_fds(3)`); none if they are meant for another process.
    ///
    /// To be called once and first, while nothing else is open and no thread runs: it takes the
    /// descriptors by their numbers, and removes `LISTEN_FDS` and `LISTEN_PID` from the environment.
    ///
    /// # Errors
    /// [`ListenError::Announced`], and [`ListenError::NotServable`] for what is no socket.
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

    /// The number after those of the sockets that [`from_environment`](Self::from_environment) takes.
    pub(crate) fn end_of_environment() -> Result<RawFd, ListenError> {
        Ok((FIRST_DESCRIPTOR..).nth(announced_here()?).unwrap_or(RawFd::MAX))
    }

    /// The number after those of inetd, which hands over descriptors 0, 1 and 2.
    pub(crate) const END_OF_STANDARD: RawFd = FIRST_DESCRIPTOR;

    /// Descriptor 0, where inetd puts the socket of a service (`inetd(8)`).
    ///
    /// ```
    /// use daytime::server::Inherited;
    /// let socket = Inherited::standard_input()?;
    /// assert_eq!(socket.name(), None); // inetd gives no names
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// It cannot be duplicated. Whether it is a socket is seen when it is served on.
    pub fn standard_input() -> io::Result<Self> {
        let socket = io::stdin().as_fd().try_clone_to_owned()?;
        Ok(Self { socket, number: 0, name: None })
    }
}

/// How many sockets are handed over to this process.
fn announced_here() -> Result<usize, ListenError> {
    let variable = |name| env::var(name).ok();
    let (fds, pid) = (variable("LISTEN_FDS"), variable("LISTEN_PID"));
    announced(fds.as_deref(), pid.as_deref(), std::process::id())
}

/// How many sockets are handed over to the process with the number `this`.
fn announced(fds: Option<&str>, pid: Option<&str>, this: u32) -> Result<usize, ListenError> {
    let Some(fds) = fds.filter(|_| pid.and_then(|pid| pid.parse().ok()) == Some(this)) else {
        return Ok(0);
    };
    let count = fds.parse().ok().filter(|count| *count <= MAX_SOCKETS);
    count.ok_or_else(|| ListenError::Announced { value: fds.escape_debug().to_string() })
}

/// The names between colons. "unknown" is what systemd calls a socket without one.
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
    fn names_stand_between_colons_and_unknown_is_none() {
        let name = |name: &str| Some(name.to_owned());
        assert_eq!(names("web:unknown::b"), [name("web"), None, None, name("b")]);
        assert_eq!(names(""), [None]);
        assert_eq!(names("a\x1b[2J"), [name("a\\u{1b}[2J")]);
    }
}
