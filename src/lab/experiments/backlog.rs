//! Lab `backlog`: how many connections the queue of a listening socket holds while the server does not accept any.

use crate::lab::loopback::{
    ANY_PORT, CLIENT, CallError, PATIENCE, REPLY_OCTETS, RecordedSocket, SERVER, SILENCE_TIME,
    ctime_reply, error_name, octets,
};
use crate::lab::recorder::Recorder;
use crate::lab::{
    Engine, Expected, Lab, LabOption, Obstacle, Prediction, Procedure, Results, Setting,
};
use crate::sys;
use crate::trace::HostId;
use crate::transport::Transport::{self, Tcp, Udp};
use nix::errno::Errno;
use nix::poll::PollFlags;
use socket2::Socket;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

pub(super) static LAB: Lab = lab!("backlog", [PROCEDURE]);

const PROCEDURE: Procedure = Procedure::new(Engine::Loopback, predict, run).with(
    &[LabOption::Backlog.within(0..=MAX_BACKLOG)],
    |setting| {
        let each: Vec<String> = backlogs(setting).iter().map(ToString::to_string).collect();
        vec![("backlog", each.join(", "))]
    },
);

/// Backlogs that the lab tries by default.
const BACKLOGS: [u16; 4] = [0, 1, 2, 5];
/// Maximum backlog, limited because each client needs two file descriptors.
const MAX_BACKLOG: u32 = 100;
/// If the number of connected clients exceeds the backlog by more than this number, the lab assumes that the queue has
/// no limit.
const MAX_SURPLUS_CLIENTS: usize = 4;

const CONNECTED: &str = "connected, by backlog";
/// Finding: the queue's length, as the kernel reports it in `TCP_INFO`.
const WAITING: &str = "queued, by backlog";
const NEXT_CONNECT: &str = "connect() at full queue";
const NEXT_FAILS_IN: &str = "connect() fails after";
const OVERFLOWS: &str = "SYNs dropped, whole host";
const ANSWERED: &str = "answered, by backlog";
const DATAGRAMS_ANSWERED: &str = "clients answered";
const SENT: &str = "questions sent";

fn backlogs(setting: &Setting) -> Vec<u16> {
    setting.options.backlog.map_or(BACKLOGS.to_vec(), |backlog| vec![backlog])
}

/// Returns the number of clients that can connect on Linux: one more than the backlog, because Linux considers the
/// queue full only when it holds more connections than the backlog.
fn admitted(backlog: u16) -> u64 {
    let limit = sys::backlog_limit().unwrap_or(u32::MAX);
    u64::from(limit.min(backlog.into())) + 1
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let all: Vec<(u16, u64)> = backlogs(setting).iter().map(|it| (*it, admitted(*it))).collect();
    let admitted = per_backlog(&all);
    let formula = "each system makes its own number of the backlog";
    let asking = all.iter().map(|(_, clients)| clients + 1).max().unwrap_or(0);
    let mut predictions = vec![
        Prediction::is(Tcp, CONNECTED, admitted.clone()).varies(formula),
        Prediction::is(Tcp, ANSWERED, admitted.clone()).varies(formula),
        Prediction::is(Udp, SENT, (asking, "question")).varies(formula),
        Prediction::is(Udp, DATAGRAMS_ANSWERED, (asking, "client")).varies(formula),
    ];
    if sys::REPORTS_QUEUES {
        // Within 3 seconds the client retransmits the SYN once, or twice on kernels that send the first few
        // retransmissions one second apart.
        let syns = 2 * all.len() as u64;
        let time = Expected::between(Duration::from_secs(3), PATIENCE);
        predictions.extend([
            Prediction::is(Tcp, WAITING, admitted),
            Prediction::is(Tcp, NEXT_CONNECT, "ETIMEDOUT"),
            Prediction::new(Tcp, NEXT_FAILS_IN, time),
            Prediction::new(Tcp, OVERFLOWS, Expected::at_least((syns, "SYN"))),
        ]);
    }
    predictions
}

fn run(setting: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    let dropped = sys::listen_overflows();
    let mut queues = Vec::new();
    for backlog in backlogs(setting) {
        queues.push(Queue::fill(backlog)?);
    }
    // The clients that did not get into a queue all wait at the same time, so their waits do not add up.
    observe_queues(&mut queues, results)?;
    if let Some((before, after)) = dropped.zip(sys::listen_overflows()) {
        results.observe(Tcp, OVERFLOWS, (after.saturating_sub(before), "SYN"));
    }
    let asking = queues.iter().map(|queue| queue.clients.len() + 1).max().unwrap_or(0);
    let mut answered = Vec::new();
    for queue in &queues {
        answered.push((queue.backlog, queue.answer()?));
    }
    // The report draws only the exchange with the last backlog. The other exchanges differ from it in nothing but the
    // number of clients, which the table shows.
    if let Some(queue) = queues.last() {
        let trace = queue.listener.recorder.short_trace();
        results.keep_trace(Tcp, &format!("backlog {}", queue.backlog), trace);
    }
    results.observe(Tcp, ANSWERED, per_backlog(&answered));
    datagrams(asking, results)
}

/// Formats the number of clients for each backlog: `1 at 0, 2 at 1`.
fn per_backlog(clients: &[(u16, u64)]) -> String {
    let each: Vec<String> =
        clients.iter().map(|(backlog, clients)| format!("{clients} at {backlog}")).collect();
    each.join(", ")
}

/// A listening socket whose server does not accept, and the clients that connect to it.
struct Queue {
    backlog: u16,
    listener: RecordedSocket,
    clients: Vec<RecordedSocket>,
    /// The client that did not get into the queue, and the time at which it began to connect.
    left_out: Option<(RecordedSocket, Instant)>,
}

impl Queue {
    fn fill(backlog: u16) -> Result<Self, CallError> {
        let listener = bound(&Recorder::on_loopback(), SERVER, Tcp)?;
        listener.listen(backlog)?;
        let mut queue = Self { backlog, listener, clients: Vec::new(), left_out: None };
        while queue.left_out.is_none()
            && queue.clients.len() <= usize::from(backlog) + MAX_SURPLUS_CLIENTS
        {
            queue.connect_one()?;
        }
        Ok(queue)
    }

    fn connect_one(&mut self) -> Result<(), CallError> {
        let started = Instant::now();
        let client = connecting(&self.listener)?;
        if !client.wait_until_ready(PollFlags::POLLOUT, SILENCE_TIME)? {
            client.recorder.note(CLIENT, "connect()", "EINPROGRESS");
            self.left_out = Some((client, started));
            return Ok(());
        }
        let result = |socket: &Socket| socket.take_error()?.map_or(Ok(()), Err);
        client.call("connect()", result, |()| "connected".into())?;
        self.clients.push(client);
        self.wait_for_queue();
        Ok(())
    }

    /// Returns the number of connections in the queue; `None` if the system does not report it.
    fn waiting(&self) -> Option<u64> {
        sys::accept_queue(&self.listener.socket).map(u64::from)
    }

    /// Waits until the listener's queue holds all clients. A client's connect(2) returns before the handshake's last
    /// ACK reaches the server.
    fn wait_for_queue(&self) {
        let started = Instant::now();
        while self.waiting().is_some_and(|waiting| waiting < self.clients.len() as u64)
            && started.elapsed() < SILENCE_TIME
        {
            thread::yield_now();
        }
    }

    /// Returns the result of connect(2) for the client that did not get into the queue, and how long the call took.
    fn end_of_left_out(&mut self) -> Result<Option<(String, Duration)>, CallError> {
        let Some((client, started)) = self.left_out.take() else { return Ok(None) };
        // On systems without `TCP_SYNCNT`, connect(2) would take a minute or more to fail, so the lab waits only
        // briefly.
        let patience = if sys::REPORTS_QUEUES { PATIENCE } else { SILENCE_TIME };
        client.wait_until_ready(PollFlags::POLLOUT, patience.saturating_sub(started.elapsed()))?;
        let error = client.unrecorded("getsockopt(SO_ERROR)", Socket::take_error)?;
        let outcome = error.map_or_else(|| "no answer".into(), |error| error_name(&error));
        client.recorder.note(CLIENT, "poll(), SO_ERROR", &outcome);
        Ok(Some((outcome, started.elapsed())))
    }

    /// Accepts all waiting connections and replies. Returns the number of clients that received the reply.
    fn answer(&self) -> Result<u64, Obstacle> {
        let accept = |_: &_| self.listener.accept();
        let accepted: Vec<_> = self.clients.iter().map(accept).collect::<Result<_, _>>()?;
        let reply = ctime_reply()?;
        for server in accepted {
            server.send(reply.octets())?;
        }
        Ok(with_reply(&self.clients))
    }
}

/// Returns the number of clients that receive a complete reply.
fn with_reply(clients: &[RecordedSocket]) -> u64 {
    let is_whole = |reply: Vec<u8>| reply.len() == REPLY_OCTETS;
    clients.iter().map(|it| u64::from(it.receive(1024).is_ok_and(is_whole))).sum()
}

/// Starts to connect a socket without waiting for the result, then makes the socket blocking again.
fn connecting(listener: &RecordedSocket) -> Result<RecordedSocket, CallError> {
    let at = listener.local_address()?.into();
    let client = RecordedSocket::open(&listener.recorder, CLIENT, Tcp)?;
    if sys::REPORTS_QUEUES {
        client.unrecorded("setsockopt(TCP_SYNCNT)", |it| sys::set_syn_retries(it, 1))?;
    }
    client.set_nonblocking(true)?;
    client.unrecorded("connect()", |socket| match socket.connect(&at) {
        Err(error) if error.raw_os_error() != Some(Errno::EINPROGRESS as i32) => Err(error),
        _ => Ok(()),
    })?;
    client.set_nonblocking(false)?;
    Ok(client)
}

/// Records how many clients got into each queue, and the result of connect(2) for those that did not.
fn observe_queues(queues: &mut [Queue], results: &mut Results) -> Result<(), CallError> {
    let connected: Vec<(u16, u64)> =
        queues.iter().map(|queue| (queue.backlog, queue.clients.len() as u64)).collect();
    results.observe(Tcp, CONNECTED, per_backlog(&connected));
    let waiting: Vec<(u16, u64)> =
        queues.iter().filter_map(|queue| Some((queue.backlog, queue.waiting()?))).collect();
    let mut ends = Vec::new();
    for queue in queues {
        ends.extend(queue.end_of_left_out()?);
    }
    if sys::REPORTS_QUEUES {
        results.observe(Tcp, WAITING, per_backlog(&waiting));
        if let Some(soonest) = ends.iter().map(|(_, after)| *after).min() {
            let mut outcomes: Vec<String> = ends.into_iter().map(|(outcome, _)| outcome).collect();
            outcomes.dedup();
            results.observe(Tcp, NEXT_CONNECT, outcomes.join(", "));
            results.observe(Tcp, NEXT_FAILS_IN, soonest);
        }
    }
    Ok(())
}

/// Lets `asking` clients send a query over UDP before the server reads from its socket.
fn datagrams(asking: usize, results: &mut Results) -> Result<(), Obstacle> {
    let recorder = Recorder::on_loopback();
    let server = bound(&recorder, SERVER, Udp)?;
    let (at, reply) = (server.local_address()?, ctime_reply()?);
    let (mut clients, mut sent) = (Vec::new(), 0);
    for _ in 0..asking {
        let client = bound(&recorder, CLIENT, Udp)?;
        sent += u64::from(client.send_to(&[], at).is_ok());
        clients.push(client);
    }
    results.observe(Udp, SENT, (sent, "question"));
    let receive = |_| server.receive_from("recvfrom()", |(length, _)| octets(*length));
    let questions: Vec<(usize, SocketAddr)> = (0..sent).map(receive).collect::<Result<_, _>>()?;
    for (_, peer) in questions {
        server.send_to(reply.octets(), peer)?;
    }
    results.observe(Udp, DATAGRAMS_ANSWERED, (with_reply(&clients), "client"));
    results.keep_trace(Udp, "", recorder.short_trace());
    Ok(())
}

/// Returns a socket bound to a free loopback port.
fn bound(
    recorder: &Recorder,
    host: HostId,
    transport: Transport,
) -> Result<RecordedSocket, CallError> {
    let socket = RecordedSocket::open(recorder, host, transport)?;
    socket.unrecorded("bind()", |it| it.bind(&ANY_PORT.into()))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::super::tests as check;
    use super::*;
    use crate::lab::LabOptions;

    #[test]
    fn one_client_more_than_the_backlog_gets_in_and_the_next_receives_nothing() {
        let run = check::all_is_as_predicted(&LAB, LabOptions::default());
        assert!(check::is_shown(&run, "connect() × 6"), "{:?}", run.parts);
        let names: Vec<&str> = run.parts.iter().map(|part| &*part.name).collect();
        assert_eq!(names, ["backlog 5", ""], "the other backlogs are in the table only");
    }

    #[test]
    fn if_every_client_gets_in_there_is_no_time_of_failure() {
        let mut results = Results::default();
        observe_queues(&mut [], &mut results).expect("nothing to wait for");
        let of_the_next =
            results.observed.iter().filter(|it| [NEXT_CONNECT, NEXT_FAILS_IN].contains(&&*it.what));
        assert_eq!(of_the_next.count(), 0, "{results:?}");
    }

    #[test]
    fn every_backlog_is_as_predicted() {
        thread::scope(|scope| {
            for backlog in [3, 100] {
                let options = LabOptions { backlog: Some(backlog), ..LabOptions::default() };
                scope.spawn(|| check::all_is_as_predicted(&LAB, options));
            }
        });
    }
}
