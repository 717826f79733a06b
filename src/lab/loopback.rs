//! Real sockets on this host, with every call written down as it is made.
//!
//! On loopback a user without privileges sees no packets; what is seen are the calls and what comes of
//! them, and that is what a program has to live with.

use super::Obstacle;
use crate::trace::{Event, Host, HostId, Trace, What};
use nix::errno::Errno;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

pub(crate) const CLIENT: HostId = HostId(0);
pub(crate) const SERVER: HostId = HostId(1);

/// No call of a lab waits longer than this for what has to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Where the calls of a run are written down.
#[derive(Debug)]
pub(crate) struct Notebook {
    start: Instant,
    trace: Trace,
}

impl Notebook {
    /// For a client and a server, both at 127.0.0.1.
    pub(crate) fn new() -> Self {
        let addresses = vec![IpAddr::from(Ipv4Addr::LOCALHOST)];
        let host = |name: &str| Host { name: name.into(), addresses: addresses.clone() };
        let trace = Trace::between(vec![host("client"), host("server")]);
        Self { start: Instant::now(), trace }
    }

    /// Makes a call and writes down what came of it, at the time when it came back.
    pub(crate) fn call<T>(
        &mut self,
        host: HostId,
        call: &str,
        make: impl FnOnce() -> io::Result<T>,
        outcome: impl FnOnce(&T) -> String,
    ) -> io::Result<T> {
        let made = make();
        let outcome = match &made {
            Ok(value) => outcome(value),
            Err(error) => name(error),
        };
        let what = What::Call { call: call.to_owned(), outcome };
        self.trace.push(Event { at: self.start.elapsed(), host, what });
        made
    }

    pub(crate) fn finish(self) -> Trace {
        self.trace
    }
}

/// An error as manual pages have it: `ECONNREFUSED`.
pub(crate) fn name(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => format!("{:?}", Errno::from_raw(number)),
        None => error.to_string(),
    }
}

/// Tells what could not be done, in the words of `cannot {what}`.
pub(crate) fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> Obstacle {
    let what = what.into();
    |cause| Obstacle::Failed(what, cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn a_call_is_written_down_with_what_came_of_it() {
        let mut notebook = Notebook::new();
        let taken = notebook.call(CLIENT, "recv(10)", || Ok(4), |count| format!("{count} octets"));
        assert_eq!(taken.expect("taken"), 4);
        let nobody = || TcpStream::connect("127.0.0.1:1");
        assert!(notebook.call(CLIENT, "connect()", nobody, |_| "done".into()).is_err());
        let outcomes: Vec<What> = notebook.finish().events.into_iter().map(|it| it.what).collect();
        let call =
            |call: &str, outcome: &str| What::Call { call: call.into(), outcome: outcome.into() };
        assert_eq!(outcomes, [call("recv(10)", "4 octets"), call("connect()", "ECONNREFUSED")]);
    }
}
