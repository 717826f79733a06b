//! Real sockets on this host, with every call recorded as it is made.
//!
//! On loopback a user without privileges sees no packets; what is seen are the calls and what comes of
//! them, and that is what a program has to live with.

mod calls;
mod parties;
mod recorded;
mod sockets;

pub(crate) use calls::{CallError, outcome, outcome_with, received};
pub(crate) use parties::{Pair, ask, start_service};
pub(crate) use recorded::RecordedSocket;
pub(crate) use sockets::{
    ANY_PORT, REPLY_OCTETS, ctime_reply, is_local, octet_count, octets, recv, require_loopback,
    wait_until_ready, within_timeout,
};

pub(crate) use super::link::{CLIENT, SERVER};

use super::Obstacle;
use nix::errno::Errno;
use std::io;
use std::time::Duration;

/// No call of a lab waits longer than this for what has to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// How long something is waited for that is predicted never to come: loopback delivers within
/// microseconds.
pub(crate) const SILENCE_TIME: Duration = Duration::from_millis(200);

/// An error as manual pages have it: `ECONNREFUSED`.
pub(crate) fn error_name(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => format!("{:?}", Errno::from_raw(number)),
        None => error.to_string(),
    }
}

/// Says what could not be done, in the words of `cannot {what}`.
pub(crate) fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> Obstacle {
    let what = what.into();
    |cause| Obstacle::Failed(what, cause)
}
