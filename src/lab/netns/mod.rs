//! The engine `netns`: the real kernel on a separate network. Each of two hosts is a network namespace. Between them, a
//! forwarder in this crate delays, drops and records packets.
//!
//! ```text
//! client 10.0.0.1 ── veth ── forwarder ── veth ── 10.0.0.2 server
//! ```
//!
//! The hosts and the forwarder run in threads of this process, each thread in its own namespace ([`namespace`]), so
//! nothing remains when the process ends. Only a single-threaded process can enter a user namespace, so a program that
//! runs labs without root must call [`permit_namespaces`] before it starts threads.

mod forwarder;
mod frame;
mod namespace;
mod network;
mod procedure;

pub(super) use namespace::Pending;
pub(super) use network::{Network, address};
pub(super) use procedure::{
    QUIET_TIME, client_socket, conditions, connect, exactly, is_late, procedure, reply_timeout,
};

use super::{LabError, Obstacle};
use crate::sys;
use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Addresses of the client's and the server's host; the index is the host's number in a trace.
pub(super) const ADDRESSES: [Ipv4Addr; 2] =
    [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)];

/// Second address of the server's host, used by the lab `multihome`.
pub(super) const SECOND_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);

/// Address that a trace shows for the forger. No host has this address.
const UNUSED_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 66);

/// Lets this process run labs on [`Engine::Netns`](super::Engine::Netns) without root. Call this function before the
/// process starts threads; [`Lab::run`](super::Lab::run) does not call it.
///
/// If the process has CAP_SYS_ADMIN and the capabilities for networks, nothing changes. Any other process permanently
/// enters a user namespace. The process keeps its user and group IDs. The process has every capability inside the
/// namespace and none outside. A set-user-ID program that it starts does not get the rights of the program's owner
/// (user_namespaces(7)).
///
/// # Errors
/// [`LabError::is_unavailable`]: the system does not allow this process to enter a user namespace. The error says why,
/// and what to do.
///
/// ```no_run
/// use daytime::lab::{self, Engine, Setting};
///
/// fn main() -> Result<(), lab::LabError> {
///     lab::permit_namespaces()?;
///     let exchange = lab::find("exchange").expect("a lab of that name");
///     assert!(exchange.run(Engine::Netns, &Setting::default())?.is_as_predicted());
///     Ok(())
/// }
/// ```
pub fn permit_namespaces() -> Result<(), LabError> {
    let permitted = sys::permit_networks();
    *refusal() = permitted.as_ref().err().cloned();
    permitted.map_err(|reason| LabError(Obstacle::Missing(reason)))
}

/// Makes every later run on [`Engine::Netns`](super::Engine::Netns) fail with this reason.
pub(crate) fn refuse_namespaces(reason: String) {
    *refusal() = Some(reason);
}

/// Returns the stored reason why this process may not create network namespaces; `None` if no reason is stored.
fn refusal() -> MutexGuard<'static, Option<String>> {
    static REFUSAL: Mutex<Option<String>> = Mutex::new(None);
    REFUSAL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Fails with a reason if this process may not create network namespaces.
fn require_permission() -> Result<(), Obstacle> {
    // This check must come first: if entering a user namespace failed half-way, the process has the capabilities but no
    // valid user ID.
    if let Some(reason) = &*refusal() {
        return Err(Obstacle::Missing(reason.clone()));
    }
    if sys::may_set_up_networks() {
        return Ok(());
    }
    let not_asked = "this process may not make network namespaces: run it as root, or have it call \
                     lab::permit_namespaces before it starts threads";
    Err(Obstacle::Missing(not_asked.to_owned()))
}

/// Returns a function that converts an I/O error to a lab error: [`Obstacle::Missing`] if the system forbids the
/// operation or has reached a limit, otherwise [`Obstacle::Failed`].
pub(super) fn failed(what: &str) -> impl FnOnce(io::Error) -> Obstacle {
    move |cause| match cause.kind() {
        ErrorKind::StorageFull => Obstacle::Missing(sys::limit_reached()),
        ErrorKind::PermissionDenied => Obstacle::Missing(format!(
            "cannot {what}: {cause}; a container or a security module forbids it: run it outside"
        )),
        _ => Obstacle::Failed(what.to_owned(), cause),
    }
}

/// Converts the error for a thread that could not start. If the limit on threads is reached, the new error says how to
/// raise it.
fn crowded(error: io::Error) -> io::Error {
    match error.kind() {
        // pthread_create(3) returns EAGAIN if the limit on threads is reached.
        ErrorKind::WouldBlock => {
            io::Error::other("the limit of processes and threads is reached: raise it (ulimit -u)")
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mentions::mentions;
    use nix::errno::Errno;

    #[test]
    fn an_action_that_the_system_forbids_or_limits_is_missing_and_any_other_has_failed() {
        let of = |number| failed("try")(io::Error::from_raw_os_error(number));
        for forbidden in [Errno::EPERM, Errno::EACCES] {
            let text = of(forbidden as i32).to_string();
            let cause = io::Error::from(forbidden).to_string();
            mentions(&text, &["try", &cause, "outside"]);
        }
        assert!(matches!(of(Errno::ENOSPC as i32), Obstacle::Missing(_)));
        assert!(matches!(of(Errno::EINVAL as i32), Obstacle::Failed(..)));
    }
}
