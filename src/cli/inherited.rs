//! Takes the sockets that a supervisor or inetd hands over to `daytime serve`.

use super::args::{Inetd, Serve};
use super::descriptors::close_from;
use super::failure::Failure;
use crate::listen::Inherited;
use crate::server::{ServeError, Until};
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::time::Duration;

/// Idle time after which an inetd `wait` service ends if `--idle` is not given.
const DEFAULT_IDLE_TIME: Duration = Duration::from_mins(1);

/// Name of the handed-over socket for the metrics (`FileDescriptorName=`, systemd.socket(5)).
const METRICS: &str = "metrics";

/// The sockets that a supervisor or inetd handed over.
#[derive(Debug)]
pub(super) struct InheritedSockets {
    /// Sockets for the Daytime service, if any were handed over.
    pub services: Option<Vec<Inherited>>,
    pub metrics: Option<Inherited>,
}

impl InheritedSockets {
    /// Takes the sockets that inetd or a supervisor handed over.
    pub(super) fn take(arguments: &Serve) -> Result<Self, Failure> {
        if arguments.inetd.is_some() {
            let socket = Inherited::standard_input().map_err(|error| no_standard_input(&error))?;
            return Ok(Self { services: Some(vec![socket]), metrics: None });
        }
        let sockets = Inherited::from_environment().map_err(ServeError::from)?;
        let (mut metrics, services): (Vec<_>, Vec<_>) =
            sockets.into_iter().partition(|socket| socket.name() == Some(METRICS));
        if metrics.len() > 1 {
            let count = metrics.len();
            let why = format!("cannot use {count} sockets named {METRICS}: hand over only one");
            return Err(Failure::Message(why));
        }
        Ok(Self { services: (!services.is_empty()).then_some(services), metrics: metrics.pop() })
    }

    /// Returns the first option that conflicts with the handed-over sockets, because it would open a socket that was
    /// already handed over.
    pub(super) fn contradicts<'a>(&self, arguments: &'a Serve) -> Option<&'a str> {
        let metrics = self.metrics.is_some() && arguments.metrics.is_some();
        let services = self.services.as_ref().and(arguments.opener.as_deref());
        services.or_else(|| metrics.then_some("--metrics"))
    }
}

/// Closes all inherited descriptors except the handed-over sockets. Otherwise code inside the sandbox could use them:
/// the system call filter cannot tell a Unix socket from a UDP socket.
pub(super) fn close_leaked(arguments: &Serve) -> io::Result<()> {
    match arguments.inetd {
        Some(_) => close_from(Inherited::END_OF_STANDARD),
        // An invalid number in the environment is ignored here, because `take` reports it.
        None => Inherited::end_of_environment().map_or(Ok(()), close_from),
    }
}

fn no_standard_input(error: &io::Error) -> Failure {
    Failure::Message(format!("cannot take descriptor 0: {error}"))
}

/// Returns the condition under which the server ends without a signal.
pub(super) fn until(arguments: &Serve) -> Until {
    match (arguments.inetd, arguments.idle) {
        (Some(Inetd::Nowait), _) => Until::Answered,
        (Some(Inetd::Wait), idle) => Until::Idle(idle.unwrap_or(DEFAULT_IDLE_TIME)),
        (None, Some(idle)) => Until::Idle(idle),
        (None, None) => Until::Stopped,
    }
}

/// Whether standard error is a client's socket. This is the case under inetd, which passes the socket as descriptors 0,
/// 1 and 2. The function reads the raw arguments, because they may be invalid.
pub(super) fn client_has_stderr() -> bool {
    let of_inetd = std::env::args_os().any(|argument| {
        let argument = argument.to_string_lossy();
        argument == "--inetd" || argument.starts_with("--inetd=")
    });
    of_inetd && is_one_socket(io::stdin(), io::stderr()).unwrap_or(false)
}

fn is_one_socket(one: impl AsFd, other: impl AsFd) -> io::Result<bool> {
    let (one, other) = (metadata(&one)?, metadata(&other)?);
    let same = (one.dev(), one.ino()) == (other.dev(), other.ino());
    Ok(same && one.file_type().is_socket())
}

/// Returns an open descriptor's metadata (fstat(2)).
pub(super) fn metadata(descriptor: &impl AsFd) -> io::Result<Metadata> {
    File::from(descriptor.as_fd().try_clone_to_owned()?).metadata()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn only_two_descriptors_of_one_socket_are_one_socket() {
        let (one, other) = UnixDatagram::pair().expect("a pair");
        let copy = one.try_clone().expect("a second handle");
        assert!(is_one_socket(&one, &copy).expect("open"));
        assert!(!is_one_socket(&one, &other).expect("open"));
        let file = tempfile::tempfile().expect("a file");
        assert!(!is_one_socket(&file, &file).expect("open"));
    }
}
