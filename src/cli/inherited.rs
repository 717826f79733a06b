//! Sockets that a supervisor or inetd hands over, as `daytime serve` takes them.

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

/// Idle time after which a `wait` service of inetd ends, unless `--idle` says otherwise.
const DEFAULT_IDLE_TIME: Duration = Duration::from_mins(1);

/// The name of the socket that is for the metrics (`FileDescriptorName=`, systemd.socket(5)).
const METRICS: &str = "metrics";

/// The sockets that are not ours to open.
#[derive(Debug)]
pub(super) struct InheritedSockets {
    /// Those to serve on, if there are any.
    pub services: Option<Vec<Inherited>>,
    pub metrics: Option<Inherited>,
}

impl InheritedSockets {
    /// Takes them, from inetd or a supervisor.
    pub(super) fn take(arguments: &Serve) -> Result<Self, Failure> {
        if arguments.inetd.is_some() {
            let socket = Inherited::standard_input().map_err(|error| no_standard_input(&error))?;
            return Ok(Self { services: Some(vec![socket]), metrics: None });
        }
        let sockets = Inherited::from_environment().map_err(ServeError::from)?;
        let (mut metrics, services): (Vec<_>, Vec<_>) =
            sockets.into_iter().partition(|socket| socket.name() == Some(METRICS));
        if metrics.len() > 1 {
            let why = format!("{} sockets are named {METRICS}: hand over one", metrics.len());
            return Err(Failure::Message(why));
        }
        Ok(Self { services: (!services.is_empty()).then_some(services), metrics: metrics.pop() })
    }

    /// The first option that would open what is handed over, open.
    pub(super) fn contradicts<'a>(&self, arguments: &'a Serve) -> Option<&'a str> {
        let metrics = self.metrics.is_some() && arguments.metrics.is_some();
        let services = self.services.as_ref().and(arguments.opener.as_deref());
        services.or_else(|| metrics.then_some("--metrics"))
    }
}

/// Closes what the starting process left open, except for the sockets that it hands over. Inside the sandbox code
/// could use each descriptor, and a Unix socket among the UDP sockets like one of those.
pub(super) fn close_leaked(arguments: &Serve) -> io::Result<()> {
    match arguments.inetd {
        Some(_) => close_from(Inherited::END_OF_STANDARD),
        // A number that is not one is an error as soon as the sockets are taken.
        None => Inherited::end_of_environment().map_or(Ok(()), close_from),
    }
}

fn no_standard_input(error: &io::Error) -> Failure {
    Failure::Message(format!("cannot take descriptor 0: {error}"))
}

/// When to end without a signal.
pub(super) fn until(arguments: &Serve) -> Until {
    match (arguments.inetd, arguments.idle) {
        (Some(Inetd::Nowait), _) => Until::Answered,
        (Some(Inetd::Wait), idle) => Until::Idle(idle.unwrap_or(DEFAULT_IDLE_TIME)),
        (None, Some(idle)) => Until::Idle(idle),
        (None, None) => Until::Stopped,
    }
}

/// True if what is written to standard error would go to a client: inetd makes its socket
/// descriptors 0, 1 and 2. It looks at the arguments as they are, because they may be wrong ones.
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

/// What an open descriptor leads to (fstat(2)).
pub(super) fn metadata(descriptor: &impl AsFd) -> io::Result<Metadata> {
    File::from(descriptor.as_fd().try_clone_to_owned()?).metadata()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn two_descriptors_of_one_socket_differ_from_two_sockets_and_from_files() {
        let (one, other) = UnixDatagram::pair().expect("a pair");
        let copy = one.try_clone().expect("a second handle");
        assert!(is_one_socket(&one, &copy).expect("open"));
        assert!(!is_one_socket(&one, &other).expect("open"));
        let file = tempfile::tempfile().expect("a file");
        assert!(!is_one_socket(&file, &file).expect("open"));
    }
}
