//! The real kernel on a network of its own: two hosts, each a network namespace, and between them a
//! forwarder of ours that delays, loses and writes down every packet.
//!
//! ```text
//! client 10.0.0.1 ── veth ── forwarder ── veth ── 10.0.0.2 server
//! ```
//!
//! The namespaces are made by a process started for the run ([`process`]), because a user namespace is
//! only for a process with one thread; they are gone when it ends. In it each host is a thread ([`host`]):
//! a socket belongs to the namespace of the thread that opens it. The forwarder sees the veth ends that
//! are left in the process's own namespace ([`forwarder`]) and asks the link what becomes of each packet.

mod forwarder;
mod frame;
mod host;
mod ip;
mod network;
mod pipe;
mod process;
mod queue;
mod recorder;
pub(super) mod runs;

pub(crate) use process::{SUBCOMMAND as INSIDE, inside};

use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;

/// Where the client and the server are, by their numbers as hosts of a trace.
const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)];

/// A second address of the server's host, for the lab that wants one.
const SECOND: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);

/// An address that no host has.
const NOBODY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 66);

/// Why a thread or a process was not started, with what to do if there are too many.
fn crowded(error: io::Error) -> io::Error {
    match error.kind() {
        // EAGAIN of fork(2) and pthread_create(3).
        ErrorKind::WouldBlock => {
            io::Error::other("the limit of processes and threads is reached: raise it (ulimit -u)")
        }
        _ => error,
    }
}
