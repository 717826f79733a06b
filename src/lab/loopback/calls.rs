//! Makes system calls, and records each call with its outcome.

use super::{error_name, octet_count};
use crate::lab::Obstacle;
use crate::lab::recorder::Recorder;
use crate::trace::{Action, Host, HostId};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// A failed system call. If the failure is what a lab studies, the lab records it as an observation. Otherwise the run
/// cannot continue, and `?` converts the error to an [`Obstacle`].
#[derive(Debug)]
pub(crate) struct CallError {
    /// Name of the call in the trace.
    pub call: String,
    pub cause: io::Error,
}

impl CallError {
    /// Returns a function that adds the call's name to an I/O error.
    pub(crate) fn of(call: &str) -> impl FnOnce(io::Error) -> Self {
        |cause| Self { call: call.to_owned(), cause }
    }
}

impl From<CallError> for Obstacle {
    fn from(CallError { call, cause }: CallError) -> Self {
        Self::Failed(format!("complete {call}"), cause)
    }
}

impl From<CallError> for io::Error {
    fn from(error: CallError) -> Self {
        error.cause
    }
}

impl Recorder {
    /// Returns a recorder for a client and a server, both at 127.0.0.1.
    pub(crate) fn on_loopback() -> Self {
        Self::among(&["client", "server"])
    }

    /// Returns a recorder for hosts with these names, all at 127.0.0.1; the first name is host number 0.
    pub(crate) fn among(names: &[&str]) -> Self {
        let addresses = vec![IpAddr::from(Ipv4Addr::LOCALHOST)];
        let host = |name: &&str| Host { name: (*name).into(), addresses: addresses.clone() };
        Self::between(names.iter().map(host).collect())
    }

    /// Makes a call and records its outcome.
    pub(crate) fn call<T>(
        &self,
        host: HostId,
        call: &str,
        make: impl FnMut() -> io::Result<T>,
        success: impl FnOnce(&T) -> String,
    ) -> Result<T, CallError> {
        self.call_where(host, call, make, success, || "the deadline")
    }

    /// Makes a call and records its outcome. If the call fails with `EAGAIN`, also records the reason that
    /// `would_block` returns.
    pub(super) fn call_where<T>(
        &self,
        host: HostId,
        call: &str,
        mut make: impl FnMut() -> io::Result<T>,
        success: impl FnOnce(&T) -> String,
        would_block: impl FnOnce() -> &'static str,
    ) -> Result<T, CallError> {
        let started = self.now();
        let result = uninterrupted(&mut make);
        let at = call_time(call, &result, started, self.now());
        let result = result.map_err(CallError::of(call));
        let outcome = match &result {
            Err(CallError { cause, .. }) if cause.kind() == io::ErrorKind::WouldBlock => {
                format!("{}: {}", error_name(cause), would_block())
            }
            result => outcome_with(result, success),
        };
        self.record(at, host, Action::Call { call: call.to_owned(), outcome });
        result
    }

    /// Records an action other than one finished call: several calls in one entry, or a call that has only begun.
    pub(crate) fn note(&self, host: HostId, call: &str, outcome: &str) {
        let action = Action::Call { call: call.to_owned(), outcome: outcome.to_owned() };
        self.record(self.now(), host, action);
    }
}

/// Returns a call's result as text: `success`, or the error's name.
pub(crate) fn outcome<T>(result: &Result<T, CallError>, success: &str) -> String {
    outcome_with(result, |_| success.to_owned())
}

/// Returns a call's result as text: the returned value as `success` formats it, or the error's name.
pub(crate) fn outcome_with<T>(
    result: &Result<T, CallError>,
    success: impl FnOnce(&T) -> String,
) -> String {
    result.as_ref().map_or_else(|error| error_name(&error.cause), success)
}

/// Returns a receive call's result as text, such as `26 octets` or `EAGAIN`.
pub(crate) fn received(result: &Result<Vec<u8>, CallError>) -> String {
    outcome_with(result, octet_count)
}

/// Calls that return something that the peer caused: a connection, octets, or the readiness of the socket.
const RECEIVING_CALLS: [&str; 4] = ["accept", "poll", "read", "recv"];

/// Returns the time at which a trace shows a call. A sending call is shown at its start, because its SYN or datagram
/// may reach the peer before the call returns. A receive call, and any call that fails, is shown when it returns,
/// because its result exists only then.
fn call_time<T>(call: &str, result: &io::Result<T>, started: Duration, back: Duration) -> Duration {
    let takes = RECEIVING_CALLS.iter().any(|taking| call.starts_with(taking));
    if takes || result.is_err() { back } else { started }
}

/// Repeats a call that a signal interrupted (`EINTR`), for example because the program was stopped and continued
/// (signal(7)). Use this only for a call that is sure to return. A call that may wait forever uses
/// [`within_timeout`](super::within_timeout) instead.
fn uninterrupted<T>(make: &mut impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match make() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ANY_PORT, CLIENT, PATIENCE, RecordedSocket, SERVER, ask, ctime_reply};
    use super::*;
    use crate::trace::Event;
    use crate::transport::Transport;
    use nix::errno::Errno;

    use std::net::TcpStream;
    use std::thread;

    #[test]
    fn an_interrupted_call_is_repeated() {
        let recorder = Recorder::on_loopback();
        let mut interrupted = vec![io::ErrorKind::Interrupted.into()];
        let make = || interrupted.pop().map_or(Ok(4), Err);
        let taken = recorder.call(CLIENT, "recv(10)", make, |count| format!("{count} octets"));
        assert_eq!(taken.expect("taken"), 4);
        assert_eq!(recorder.trace().events.len(), 1);
    }

    #[test]
    fn a_call_is_recorded_with_its_outcome() {
        let recorder = Recorder::on_loopback();
        let taken = recorder.call(CLIENT, "recv(10)", || Ok(4), |count| format!("{count} octets"));
        assert_eq!(taken.expect("taken"), 4);
        let no_server = || TcpStream::connect("127.0.0.1:1");
        assert!(recorder.call(CLIENT, "connect()", no_server, |_| "done".into()).is_err());
        let outcomes: Vec<Action> =
            recorder.trace().events.into_iter().map(|it| it.action).collect();
        let call =
            |call: &str, outcome: &str| Action::Call { call: call.into(), outcome: outcome.into() };
        assert_eq!(outcomes, [call("recv(10)", "4 octets"), call("connect()", "ECONNREFUSED")]);
    }

    #[test]
    fn a_sending_call_has_the_time_of_its_begin_and_any_other_the_time_of_its_return() {
        let [started, back] = [1, 2].map(Duration::from_secs);
        for call in ["connect(127.0.0.1)", "send(0)", "sendto(26)", "shutdown(SHUT_WR)", "close()"]
        {
            assert_eq!(call_time(call, &Ok(()), started, back), started, "{call}");
            let failed = io::Result::<()>::Err(io::ErrorKind::ConnectionRefused.into());
            assert_eq!(call_time(call, &failed, started, back), back, "{call}");
        }
        for call in ["accept()", "recv(1024)", "recvfrom()", "recvmsg(10)", "poll(POLLOUT)"] {
            assert_eq!(call_time(call, &Ok(()), started, back), back, "{call}");
        }
    }

    #[test]
    fn between_two_threads_no_effect_precedes_its_cause() {
        let causes = ["connect(127.0.0.1)", "accept()", "send(26)", "recv(1024)"];
        for _ in 0..200 {
            let recorder = Recorder::on_loopback();
            let server = RecordedSocket::open(&recorder, SERVER, Transport::Tcp);
            let server = server.expect("a socket");
            server.socket.bind(&ANY_PORT.into()).expect("loopback");
            server.socket.listen(1).expect("listening");
            let (at, reply) =
                (server.local_address().expect("bound"), ctime_reply().expect("a time"));
            thread::scope(|scope| {
                scope.spawn(|| server.answer(&reply));
                let client = ask(&recorder, CLIENT, Transport::Tcp, at).expect("asked");
                client.receive_within(PATIENCE).expect("an answer");
            });
            let calls: Vec<String> = recorder.trace().events.into_iter().map(call).collect();
            assert_eq!(calls, causes);
        }
    }

    fn call(event: Event) -> String {
        match event.action {
            Action::Call { call, .. } => call,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn eagain_is_recorded_with_its_reason() {
        let recorder = Recorder::on_loopback();
        let socket = RecordedSocket::open(&recorder, CLIENT, Transport::Udp).expect("a socket");
        let receive = || {
            let nothing = |_: &_| io::Result::<()>::Err(Errno::EAGAIN.into());
            socket.call("recv(1024)", nothing, |()| String::new()).expect_err("nothing");
        };
        receive();
        socket.set_nonblocking(true).expect("switched");
        receive();
        let outcome = |event: Event| match event.action {
            Action::Call { outcome, .. } => outcome,
            other => panic!("{other:?}"),
        };
        let outcomes: Vec<String> = recorder.trace().events.into_iter().map(outcome).collect();
        assert_eq!(outcomes, ["EAGAIN: the deadline", "EAGAIN: not now"]);
    }
}
