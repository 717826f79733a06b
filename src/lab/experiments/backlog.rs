//! A queue of connections, and a server that does not accept.

use crate::duration::Unit;
use crate::lab::loopback::{
    ANY_PORT, CLIENT, PATIENCE, REPLY_OCTETS, SERVER, SILENCE_TIME, accept, ctime_reply,
    error_name, failed, octets, open, require_loopback, wait_until_ready, within_timeout,
};
use crate::lab::recorder::Recorder;
use crate::lab::{
    Engine, Expected, Lab, LabOption, Obstacle, Prediction, Procedure, Run, Setting, never,
};
use crate::sys;
use crate::transport::Transport;
use nix::poll::PollFlags;
use socket2::{SockAddr, Socket};
use std::io;
use std::mem::MaybeUninit;
use std::thread;
use std::time::{Duration, Instant};

pub(super) static LAB: Lab = Lab {
    name: "backlog",
    text: page!("backlog"),
    time_unit: Unit::Milliseconds,
    procedures: &[Procedure {
        engine: Engine::Loopback,
        uses_seed: never,
        options: &[LabOption::Backlog.within(0..=MAX_BACKLOG)],
        values: |setting| {
            let each: Vec<String> = backlogs(setting).iter().map(ToString::to_string).collect();
            vec![("backlog", each.join(", "))]
        },
        predict,
        run,
    }],
};

/// Tried unless told otherwise.
const BACKLOGS: [u16; 4] = [0, 1, 2, 5];
/// Each client takes two descriptors.
const MAX_BACKLOG: u32 = 100;
/// Clients beyond the backlog that are tried before it is said to have no limit.
const MAX_SURPLUS_CLIENTS: usize = 4;

const CONNECTED: &str = "clients that connect";
const WAITING: &str = "in the queue (TCP_INFO)";
const NEXT: &str = "the next connect()";
const AFTER: &str = "next connect() fails in";
const OVERFLOWS: &str = "SYNs dropped, whole host";
const ANSWERED: &str = "answered in the end";
const SENT: &str = "questions sent";

fn backlogs(setting: &Setting) -> Vec<u16> {
    setting.options.backlog.map_or(BACKLOGS.to_vec(), |backlog| vec![backlog])
}

/// Clients that Linux lets in: it counts the queue as full when it holds more than the backlog.
fn admitted(backlog: u16) -> u64 {
    let limit = sys::backlog_limit().unwrap_or(u32::MAX);
    u64::from(limit.min(backlog.into())) + 1
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let (tcp, udp) = (Transport::Tcp, Transport::Udp);
    let backlogs = backlogs(setting);
    let all: Vec<(u16, u64)> = backlogs.iter().map(|it| (*it, admitted(*it))).collect();
    let admitted = per_backlog(&all);
    let formula = "each system makes its own number of the backlog";
    let asking = all.iter().map(|(_, clients)| clients + 1).max().unwrap_or(0);
    let mut predictions = vec![
        Prediction::is(tcp, CONNECTED, admitted.clone()).varies(formula),
        Prediction::is(tcp, ANSWERED, admitted.clone()).varies(formula),
        Prediction::is(udp, SENT, (asking, "question")).varies(formula),
        Prediction::is(udp, ANSWERED, (asking, "client")).varies(formula),
    ];
    if sys::REPORTS_QUEUES {
        // Within the 3 seconds the SYN is sent again once, or twice where the first few are a second apart.
        let syns = 2 * all.len() as u64;
        let time = Expected::between(Duration::from_secs(3), PATIENCE);
        predictions.extend([
            Prediction::is(tcp, WAITING, admitted),
            Prediction::is(tcp, NEXT, "ETIMEDOUT"),
            Prediction::new(tcp, AFTER, time),
            Prediction::new(tcp, OVERFLOWS, Expected::at_least((syns, "SYN"))),
        ]);
    }
    predictions
}

fn run(setting: &Setting) -> Result<Run, Obstacle> {
    require_loopback()?;
    let mut run = Run::default();
    let dropped = sys::listen_overflows();
    let mut queues = Vec::new();
    for backlog in backlogs(setting) {
        queues.push(Queue::fill(backlog)?);
    }
    // All that were left outside wait at the same time.
    observe_queues(&mut queues, &mut run)?;
    if let Some((before, after)) = dropped.zip(sys::listen_overflows()) {
        run.observe(Transport::Tcp, OVERFLOWS, (after.saturating_sub(before), "SYN"));
    }
    let asking = queues.iter().map(|queue| queue.clients.len() + 1).max().unwrap_or(0);
    let mut answered = Vec::new();
    for mut queue in queues {
        answered.push((queue.backlog, queue.answer()?));
        run.show(
            Transport::Tcp,
            &format!("backlog {}", queue.backlog),
            queue.recorder.short_trace(),
        );
    }
    run.observe(Transport::Tcp, ANSWERED, per_backlog(&answered));
    datagrams(asking, &mut run)?;
    Ok(run)
}

/// `1 at 0, 2 at 1`.
fn per_backlog(clients: &[(u16, u64)]) -> String {
    let each: Vec<String> =
        clients.iter().map(|(backlog, clients)| format!("{clients} at {backlog}")).collect();
    each.join(", ")
}

/// A listener that accepts nobody, with its clients.
struct Queue {
    backlog: u16,
    listener: Socket,
    recorder: Recorder,
    clients: Vec<Socket>,
    /// The client that did not get in, and since when it tries.
    left_out: Option<(Socket, Instant)>,
}

impl Queue {
    fn fill(backlog: u16) -> Result<Self, Obstacle> {
        let recorder = Recorder::on_loopback();
        let listener = listener(backlog, &recorder).map_err(failed("listen on loopback"))?;
        let mut queue = Self { backlog, listener, recorder, clients: Vec::new(), left_out: None };
        while queue.left_out.is_none()
            && queue.clients.len() <= usize::from(backlog) + MAX_SURPLUS_CLIENTS
        {
            queue.connect_one().map_err(failed("connect"))?;
        }
        Ok(queue)
    }

    fn connect_one(&mut self) -> io::Result<()> {
        let (at, started) = (self.listener.local_addr()?, Instant::now());
        let client = connecting(&at)?;
        if !wait_until_ready(&client, PollFlags::POLLOUT, SILENCE_TIME)? {
            self.recorder.note(CLIENT, "connect()", "EINPROGRESS");
            self.left_out = Some((client, started));
            return Ok(());
        }
        let connect = || client.take_error()?.map_or(Ok(()), Err);
        self.recorder.call(CLIENT, "connect()", connect, |()| "connected".into())?;
        self.clients.push(client);
        self.wait_for_queue();
        Ok(())
    }

    /// The client is connected when the SYN-ACK has come, the server when the answer to that has.
    fn wait_for_queue(&self) {
        let started = Instant::now();
        let waiting = || sys::accept_queue(&self.listener).map(u64::from);
        while waiting().is_some_and(|waiting| waiting < self.clients.len() as u64)
            && started.elapsed() < SILENCE_TIME
        {
            thread::yield_now();
        }
    }

    /// What became of the client that did not get in, and how long that took.
    fn end_of_left_out(&mut self) -> io::Result<Option<(String, Duration)>> {
        let Some((client, started)) = self.left_out.take() else { return Ok(None) };
        // Where the number of SYNs cannot be set, the end is a minute or more away.
        let patience = if sys::REPORTS_QUEUES { PATIENCE } else { SILENCE_TIME };
        wait_until_ready(&client, PollFlags::POLLOUT, patience.saturating_sub(started.elapsed()))?;
        let outcome = match client.take_error()? {
            Some(error) => error_name(&error),
            None => "no answer".into(),
        };
        self.recorder.note(CLIENT, "poll(), SO_ERROR", &outcome);
        Ok(Some((outcome, started.elapsed())))
    }

    /// Accepts all who wait, and answers: how many had the line.
    fn answer(&mut self) -> Result<u64, Obstacle> {
        let mut accepted = Vec::new();
        for _ in &self.clients {
            let accept = || accept(&self.listener);
            let made = self.recorder.call(SERVER, "accept()", accept, |_| "a connection".into());
            accepted.push(made.map_err(failed("accept"))?.0);
        }
        let line = ctime_reply()?;
        for server in accepted {
            let sent = self.recorder.send(SERVER, &server, line.octets());
            sent.map_err(failed("send the line"))?;
        }
        let mut answered = 0;
        for client in &self.clients {
            let reply = self.recorder.receive(CLIENT, client, 1024);
            answered += u64::from(reply.is_ok_and(|reply| reply.len() == REPLY_OCTETS));
        }
        Ok(answered)
    }
}

fn listener(backlog: u16, recorder: &Recorder) -> io::Result<Socket> {
    let listener = open(Transport::Tcp)?;
    listener.bind(&ANY_PORT.into())?;
    let listen = || listener.listen(backlog.into());
    recorder.call(SERVER, &format!("listen({backlog})"), listen, |()| "listening".into())?;
    Ok(listener)
}

/// A socket that has begun to connect, and blocks no more.
fn connecting(at: &SockAddr) -> io::Result<Socket> {
    let client = open(Transport::Tcp)?;
    if sys::REPORTS_QUEUES {
        sys::set_syn_retries(&client, 1)?;
    }
    client.set_nonblocking(true)?;
    let connecting = client.connect(at);
    client.set_nonblocking(false)?;
    let under_way = Some(nix::errno::Errno::EINPROGRESS as i32);
    match connecting {
        Err(error) if error.raw_os_error() != under_way => Err(error),
        _ => Ok(client),
    }
}

/// Who got in, and what became of those who did not.
fn observe_queues(queues: &mut [Queue], run: &mut Run) -> Result<(), Obstacle> {
    let connected: Vec<(u16, u64)> =
        queues.iter().map(|queue| (queue.backlog, queue.clients.len() as u64)).collect();
    run.observe(Transport::Tcp, CONNECTED, per_backlog(&connected));
    let waiting: Vec<(u16, u64)> = queues
        .iter()
        .filter_map(|queue| Some((queue.backlog, sys::accept_queue(&queue.listener)?.into())))
        .collect();
    let mut ends = Vec::new();
    for queue in queues {
        ends.extend(queue.end_of_left_out().map_err(failed("wait for the end of a connect"))?);
    }
    if sys::REPORTS_QUEUES {
        run.observe(Transport::Tcp, WAITING, per_backlog(&waiting));
        if let Some(soonest) = ends.iter().map(|(_, after)| *after).min() {
            let mut outcomes: Vec<String> = ends.into_iter().map(|(outcome, _)| outcome).collect();
            outcomes.dedup();
            run.observe(Transport::Tcp, NEXT, outcomes.join(", "));
            run.observe(Transport::Tcp, AFTER, soonest);
        }
    }
    Ok(())
}

/// So many clients ask a socket that is not read until all have.
fn datagrams(asking: usize, run: &mut Run) -> Result<(), Obstacle> {
    let recorder = Recorder::on_loopback();
    let (server, at) = bound().map_err(failed("open a datagram socket"))?;
    let (mut clients, mut sent) = (Vec::new(), 0);
    for _ in 0..asking {
        let (client, _) = bound().map_err(failed("open a datagram socket"))?;
        let ask = || client.send_to(&[], &at);
        let asked = recorder.call(CLIENT, "sendto(0)", ask, |sent| octets(*sent));
        sent += u64::from(asked.is_ok());
        clients.push(client);
    }
    run.observe(Transport::Udp, SENT, (sent, "question"));
    let line = ctime_reply()?;
    let mut peers = Vec::new();
    for _ in 0..sent {
        let take = || within_timeout(&server, || server.recv_from(&mut [MaybeUninit::uninit()]));
        let question = recorder.call(SERVER, "recvfrom()", take, |it| octets(it.0));
        peers.push(question.map_err(failed("receive a question"))?.1);
    }
    for peer in peers {
        let answer = || server.send_to(line.octets(), &peer);
        let answered = recorder.call(SERVER, "sendto(26)", answer, |sent| octets(*sent));
        answered.map_err(failed("answer"))?;
    }
    let mut answered = 0;
    for client in &clients {
        let reply = recorder.receive(CLIENT, client, 1024);
        answered += u64::from(reply.is_ok_and(|reply| reply.len() == REPLY_OCTETS));
    }
    run.observe(Transport::Udp, ANSWERED, (answered, "client"));
    run.show(Transport::Udp, "", recorder.short_trace());
    Ok(())
}

fn bound() -> io::Result<(Socket, SockAddr)> {
    let socket = open(Transport::Udp)?;
    socket.bind(&ANY_PORT.into())?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}

#[cfg(test)]
mod tests {
    use super::super::tests as check;
    use super::*;
    use crate::lab::LabOptions;

    #[test]
    fn one_more_than_the_backlog_gets_in_and_the_next_hears_nothing() {
        let run = check::all_is_as_predicted(&LAB, LabOptions::default());
        assert!(check::is_shown(&run, "connect() × 6"), "{:?}", run.parts);
    }

    #[test]
    fn where_everybody_gets_in_nobody_failed_after_any_time() {
        let mut run = Run::default();
        observe_queues(&mut [], &mut run).expect("nothing to wait for");
        let of_the_next = run.observed.iter().filter(|it| [NEXT, AFTER].contains(&&*it.what));
        assert_eq!(of_the_next.count(), 0, "{run:?}");
    }

    #[test]
    fn whatever_the_backlog_it_is_as_predicted() {
        thread::scope(|scope| {
            for backlog in [3, 100] {
                let options = LabOptions { backlog: Some(backlog), ..LabOptions::default() };
                scope.spawn(|| check::all_is_as_predicted(&LAB, options));
            }
        });
    }
}
