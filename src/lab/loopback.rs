//! Real sockets on this host, with every call written down as it is made.
//!
//! On loopback a user without privileges sees no packets; what is seen are the calls and what comes of
//! them, and that is what a program has to live with.

mod parties;
mod sockets;

pub(crate) use parties::{answer, ask, ask_from, bind, bound, close, hear, kind, service, told};
pub(crate) use sockets::{
    LINE, Pair, accept, anywhere, in_time, is_here, line, octets, open, present, recv, taken,
    wait_for,
};

use super::Obstacle;
use crate::trace::{Event, HostId, Trace, What};
use nix::errno::Errno;
use std::io;
use std::time::{Duration, Instant};

pub(crate) const CLIENT: HostId = HostId(0);
pub(crate) const SERVER: HostId = HostId(1);

/// No call of a lab waits longer than this for what has to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// How long something is waited for that is predicted never to come: loopback delivers within
/// microseconds.
pub(crate) const SILENCE: Duration = Duration::from_millis(200);

/// Where the calls of a run are written down.
#[derive(Debug)]
pub(crate) struct Notebook {
    start: Instant,
    trace: Trace,
}

impl Notebook {
    /// For a client and a server, both at 127.0.0.1.
    pub(crate) fn new() -> Self {
        Self::among(&["client", "server"])
    }

    /// Makes a call and writes down what came of it.
    pub(crate) fn call<T>(
        &mut self,
        host: HostId,
        call: &str,
        make: impl FnMut() -> io::Result<T>,
        outcome: impl FnOnce(&T) -> String,
    ) -> io::Result<T> {
        self.write(host, call, make, outcome, "the deadline")
    }

    /// The same on a socket that does not block, where `EAGAIN` has another reason.
    pub(crate) fn call_at_once<T>(
        &mut self,
        host: HostId,
        call: &str,
        make: impl FnMut() -> io::Result<T>,
        outcome: impl FnOnce(&T) -> String,
    ) -> io::Result<T> {
        self.write(host, call, make, outcome, "not now")
    }

    fn write<T>(
        &mut self,
        host: HostId,
        call: &str,
        mut make: impl FnMut() -> io::Result<T>,
        outcome: impl FnOnce(&T) -> String,
        again: &str,
    ) -> io::Result<T> {
        let begun = self.start.elapsed();
        let result = uninterrupted(&mut make);
        let at = placed(call, &result, begun, self.start.elapsed());
        let outcome = match &result {
            Ok(value) => outcome(value),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                format!("{}: {again}", name(error))
            }
            Err(error) => name(error),
        };
        let what = What::Call { call: call.to_owned(), outcome };
        self.trace.push(Event { at, host, what });
        result
    }

    /// Writes down what was done otherwise than by one call: many at once, or one that only began.
    pub(crate) fn note(&mut self, host: HostId, call: &str, outcome: &str) {
        let what = What::Call { call: call.to_owned(), outcome: outcome.to_owned() };
        self.trace.push(Event { at: self.start.elapsed(), host, what });
    }

    /// An empty one for another thread, with the same beginning.
    pub(crate) fn twin(&self) -> Self {
        Self { start: self.start, trace: Trace::between(self.trace.hosts.clone()) }
    }

    /// Takes over what a twin has.
    pub(crate) fn merge(&mut self, twin: Self) {
        for event in twin.trace.events {
            self.trace.push(event);
        }
    }

    pub(crate) fn finish(self) -> Trace {
        self.trace
    }

    /// With a call that was made again and again in one line, at the time of the first:
    /// `send(1) × 26 = 1 octet each`.
    pub(crate) fn finish_short(self) -> Trace {
        let mut short = Trace::between(self.trace.hosts);
        let mut times = Vec::new();
        for event in self.trace.events {
            match short.events.last().zip(times.last_mut()) {
                Some((last, times)) if (last.host, &last.what) == (event.host, &event.what) => {
                    *times += 1;
                }
                _ => {
                    short.events.push(event);
                    times.push(1);
                }
            }
        }
        for (event, times) in short.events.iter_mut().zip(times) {
            if let (What::Call { call, outcome }, 2..) = (&mut event.what, times) {
                *call = format!("{call} × {times}");
                *outcome = format!("{outcome} each");
            }
        }
        short
    }
}

/// Calls that take what another has given.
const TAKING: [&str; 4] = ["accept", "poll", "read", "recv"];

/// Where a call that began and came back at these times has its place in a trace. What it gives, such as a
/// SYN or a datagram, may be with another before it is back, so its place is where it began. One that takes
/// something, or fails, has its place where it came back: only then was there anything.
pub(crate) fn placed<T>(
    call: &str,
    result: &io::Result<T>,
    begun: Duration,
    back: Duration,
) -> Duration {
    let takes = TAKING.iter().any(|taking| call.starts_with(taking));
    if takes || result.is_err() { back } else { begun }
}

/// A call is broken off when the program is stopped and goes on (signal(7)), which is nothing of the network's. For
/// those that the kernel or the other side ends; what may wait for ever has [`in_time`] in it.
pub(crate) fn uninterrupted<T>(make: &mut impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match make() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            came => return came,
        }
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
    use crate::transport::Transport;
    use socket2::Type;
    use std::net::TcpStream;
    use std::thread;

    #[test]
    fn a_call_that_is_interrupted_is_made_again() {
        let mut notebook = Notebook::new();
        let mut interrupted = vec![io::ErrorKind::Interrupted.into()];
        let make = || interrupted.pop().map_or(Ok(4), Err);
        let taken = notebook.call(CLIENT, "recv(10)", make, |count| format!("{count} octets"));
        assert_eq!(taken.expect("taken"), 4);
        assert_eq!(notebook.finish().events.len(), 1);
    }

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

    #[test]
    fn what_gives_has_its_place_where_it_began_and_what_takes_or_fails_where_it_came_back() {
        let [begun, back] = [1, 2].map(Duration::from_secs);
        for call in ["connect(127.0.0.1)", "send(0)", "sendto(26)", "shutdown(SHUT_WR)", "close()"]
        {
            assert_eq!(placed(call, &Ok(()), begun, back), begun, "{call}");
            let failed = io::Result::<()>::Err(io::ErrorKind::ConnectionRefused.into());
            assert_eq!(placed(call, &failed, begun, back), back, "{call}");
        }
        for call in ["accept()", "recv(1024)", "recvfrom()", "recvmsg(10)", "poll(POLLOUT)"] {
            assert_eq!(placed(call, &Ok(()), begun, back), back, "{call}");
        }
    }

    #[test]
    fn between_two_threads_no_effect_is_before_its_cause() {
        let causes = ["connect(127.0.0.1)", "accept()", "send(26)", "recv(1024)"];
        for _ in 0..200 {
            let mut clients = Notebook::new();
            let mut servers = clients.twin();
            let server = open(Type::STREAM).expect("a socket");
            server.bind(&anywhere()).expect("loopback");
            server.listen(1).expect("listening");
            let (at, line) = (bound(&server).expect("bound"), line().expect("a time"));
            thread::scope(|scope| {
                scope.spawn(|| answer(&mut servers, SERVER, Transport::Tcp, &server, &line));
                let client = ask(&mut clients, CLIENT, Transport::Tcp, at).expect("asked");
                hear(&mut clients, CLIENT, &client, PATIENCE).expect("an answer");
            });
            clients.merge(servers);
            let calls: Vec<String> = clients.finish().events.into_iter().map(call).collect();
            assert_eq!(calls, causes);
        }
    }

    fn call(event: Event) -> String {
        match event.what {
            What::Call { call, .. } => call,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn eagain_has_its_reason_beside_it() {
        let mut notebook = Notebook::new();
        let nothing = || io::Result::<()>::Err(Errno::EAGAIN.into());
        let recv = "recv(1024)";
        notebook.call(CLIENT, recv, nothing, |()| String::new()).expect_err("nothing");
        notebook.call_at_once(CLIENT, recv, nothing, |()| String::new()).expect_err("nothing");
        let outcomes: Vec<String> = notebook.finish().events.into_iter().map(outcome).collect();
        assert_eq!(outcomes, ["EAGAIN: the deadline", "EAGAIN: not now"]);
    }

    fn outcome(event: Event) -> String {
        match event.what {
            What::Call { outcome, .. } => outcome,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_call_that_is_repeated_is_one_line_and_another_host_or_outcome_is_a_new_one() {
        let mut notebook = Notebook::new();
        let mut twin = notebook.twin();
        for _ in 0..3 {
            notebook.note(SERVER, "send(1)", "1 octet");
        }
        notebook.note(SERVER, "send(1)", "EAGAIN");
        twin.note(CLIENT, "send(1)", "EAGAIN");
        notebook.merge(twin);
        let lines: Vec<(HostId, What)> =
            notebook.finish_short().events.into_iter().map(|it| (it.host, it.what)).collect();
        let call =
            |call: &str, outcome: &str| What::Call { call: call.into(), outcome: outcome.into() };
        let expected = [
            (SERVER, call("send(1) × 3", "1 octet each")),
            (SERVER, call("send(1)", "EAGAIN")),
            (CLIENT, call("send(1)", "EAGAIN")),
        ];
        assert_eq!(lines, expected);
    }
}
