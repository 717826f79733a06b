//! The engine `loopback`: real sockets on this host, whose system calls are recorded.
//!
//! Capturing packets on loopback needs privileges. So a trace lists the system calls and their outcomes instead of
//! packets: exactly what a program can observe.

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

/// Timeout of a call that waits for data or a connection that is sure to arrive.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Timeout of a call that waits for data that, by the prediction, never arrives. This timeout can be short, because
/// loopback delivers within microseconds.
pub(crate) const SILENCE_TIME: Duration = Duration::from_millis(200);

/// Returns an error's symbolic name, as the manual pages write it: `ECONNREFUSED`.
pub(crate) fn error_name(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => format!("{:?}", Errno::from_raw(number)),
        None => error.to_string(),
    }
}

/// Returns a function that converts an I/O error to the lab error `cannot {what}`.
pub(crate) fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> Obstacle {
    let what = what.into();
    |cause| Obstacle::Failed(what, cause)
}
