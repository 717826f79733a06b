//! Real sockets on this host, with every call recorded.
//!
//! Capturing packets on loopback needs privileges. So the trace has the system calls and their outcomes, which a
//! program sees as well.

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

/// Maximum time that a call waits for something that must arrive.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Time that a call waits for something that is predicted never to arrive. Loopback delivers within microseconds.
pub(crate) const SILENCE_TIME: Duration = Duration::from_millis(200);

/// Returns the name of an error as manual pages write it: `ECONNREFUSED`.
pub(crate) fn error_name(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => format!("{:?}", Errno::from_raw(number)),
        None => error.to_string(),
    }
}

/// Returns a function that turns an I/O error into the obstacle `cannot {what}`.
pub(crate) fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> Obstacle {
    let what = what.into();
    |cause| Obstacle::Failed(what, cause)
}
