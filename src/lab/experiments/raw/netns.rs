//! Lab `raw` on the real kernel, between two network namespaces.

use crate::lab::analysis::{arrival, sent_by};
use crate::lab::link::{CLIENT, SERVER};
use crate::lab::loopback::{PATIENCE, outcome};
use crate::lab::netns::{ADDRESSES, Network, QUIET_TIME, conditions, failed, procedure};
use crate::lab::packet::{Kind, kind};
use crate::lab::recorder::Recorder;
use crate::lab::{Obstacle, Prediction, Procedure, Results, Setting};
use crate::sys;
use crate::trace::Trace;
use crate::transport::Transport::{self, Tcp, Udp};
use socket2::{Domain, Protocol, Socket, Type};
use std::convert::Infallible;
use std::io::{self, ErrorKind, Read};
use std::net::Ipv4Addr;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::time::Duration;

/// Read timeout, after which the thread checks whether it must stop.
const READ_TIMEOUT: Duration = Duration::from_millis(20);

pub(super) const COPIES: &str = "copies, packets received";
pub(super) const SENDER_COPIES: &str = "copies, packets sent";
pub(super) const IP_HEADER: &str = "IP header of the copy";
pub(super) const REPLY: &str = "client's reply";

pub(super) const PROCEDURE: Procedure = procedure(predict, run);

fn predict(_: &Setting) -> Vec<Prediction> {
    let both = |transport, first: &'static str| {
        [
            Prediction::is(transport, "socket(), unprivileged", "EPERM"),
            Prediction::is(transport, "first raw packet", first),
            Prediction::is(transport, IP_HEADER, (20, "octet")),
            Prediction::is(transport, COPIES, ALL),
            Prediction::is(transport, SENDER_COPIES, (0, "packet")),
            Prediction::is(transport, REPLY, "received"),
        ]
    };
    let datagram = Prediction::is(Udp, "octets of the copy", (28, "octet"));
    [both(Tcp, "SYN").to_vec(), both(Udp, "datagram").to_vec(), vec![datagram]].concat()
}

fn run(setting: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    Transport::BOTH.into_iter().try_for_each(|transport| listen_in(setting, transport, results))
}

fn listen_in(
    setting: &Setting,
    transport: Transport,
    results: &mut Results,
) -> Result<(), Obstacle> {
    let network = Network::new(conditions(setting), setting)?;
    let forbidden = without_capabilities(&network, transport)?;
    let (copies, answer) = exchange(&network, transport)?;
    let trace = network.trace();
    let first = copies.first().map_or(&[][..], Vec::as_slice);
    let octets = |octets: usize| (octets.try_into().unwrap_or(u64::MAX), "octet");
    let sent_copies = copies.iter().filter(|copy| copy.get(12..16) == Some(&source())).map(|_| 1);
    results.observe(transport, "socket(), unprivileged", forbidden);
    results.observe(transport, "first raw packet", kind(first).words());
    results.observe(transport, IP_HEADER, octets(ip_header(first)));
    results.observe(transport, COPIES, compare_copies(&copies, &trace));
    results.observe(transport, SENDER_COPIES, (sent_copies.sum(), "packet"));
    results.observe(transport, REPLY, answer);
    if transport == Udp {
        results.observe(Udp, "octets of the copy", octets(first.len()));
    }
    results.keep_trace(transport, "", trace);
    Ok(())
}

pub(super) const ALL: &str = "all, to the octet";

/// Compares the packets that arrived at the server's host with the copies that its raw socket received. Returns `ALL`
/// if every packet has an identical copy, otherwise text such as `2 of 3`.
fn compare_copies(copies: &[Vec<u8>], trace: &Trace) -> String {
    let came = sent_by(trace, CLIENT).filter(|(_, packet)| arrival(packet).is_some());
    let came: Vec<&Vec<u8>> = came.map(|(_, packet)| &packet.octets).collect();
    let passed = came.iter().filter(|octets| copies.contains(octets)).count();
    if passed == came.len() && passed > 0 {
        ALL.to_owned()
    } else {
        format!("{passed} of {}", came.len())
    }
}

/// Lets the real client query the real server while a raw socket is open on the server's host. Returns the copies that
/// the raw socket received, and the client's result.
fn exchange(network: &Network, transport: Transport) -> Result<(Vec<Vec<u8>>, String), Obstacle> {
    let _serving = network.serve(SERVER)?;
    let raw = network.on(SERVER, "open a raw socket", move |recorder| {
        Ok(recorder.call(SERVER, &call(transport), || open(transport), |_| "opened".into())?)
    })?;
    let (stop, stopped) = mpsc::channel();
    let reading = network
        .meanwhile(SERVER, "read the raw socket", move |recorder| take(recorder, raw, &stopped))?;
    let answer = network.ask(transport)?;
    network.recorder.settle(QUIET_TIME + network.round_trip())?;
    drop(stop);
    let copies = reading.wait(PATIENCE).map_err(failed("read the raw socket"))?;
    Ok((copies, answer.map_or_else(|error| error.to_string(), |_| "received".to_owned())))
}

fn call(transport: Transport) -> String {
    let protocol = if transport == Tcp { "IPPROTO_TCP" } else { "IPPROTO_UDP" };
    format!("socket(SOCK_RAW, {protocol})")
}

/// Opens a raw socket whose reads have a short timeout.
fn open(transport: Transport) -> io::Result<Socket> {
    let protocol = if transport == Tcp { Protocol::TCP } else { Protocol::UDP };
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(protocol))?;
    socket.set_read_timeout(Some(READ_TIMEOUT))?;
    Ok(socket)
}

/// Tries to open a raw socket in a thread that has dropped its capabilities, as if an unprivileged user ran the thread.
/// Returns the result.
fn without_capabilities(network: &Network, transport: Transport) -> Result<String, Obstacle> {
    let what = "try without capabilities";
    let tried = network.meanwhile(SERVER, what, move |recorder| {
        sys::drop_capabilities()?;
        let call = format!("{}, unprivileged", call(transport));
        let opened = recorder.call(SERVER, &call, || open(transport), |_| "opened".into());
        Ok(outcome(&opened, "opened"))
    })?;
    tried.wait(PATIENCE).map_err(failed(what))
}

/// Reads the raw socket's copies until the channel is closed and no copy is left.
fn take(
    recorder: &Recorder,
    mut raw: impl Read,
    stopped: &Receiver<Infallible>,
) -> io::Result<Vec<Vec<u8>>> {
    let mut copies = Vec::new();
    loop {
        let is_stopped = stopped.try_recv() == Err(TryRecvError::Disconnected);
        let mut room = [0; 2048];
        match raw.read(&mut room) {
            Ok(octets) => {
                let copy = room[..octets].to_vec();
                let words = |(): &()| format!("{}, {octets} octets", kind(&copy).words());
                recorder.call(SERVER, "recv(2048), raw", || Ok(()), words)?;
                copies.push(copy);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            Err(_) if is_stopped => return Ok(copies),
            Err(_) => {}
        }
    }
}

/// Returns the length in octets of a packet's IPv4 header (RFC 791, section 3.1). Returns 0 if the packet is not TCP,
/// UDP or ICMP port unreachable over IPv4.
fn ip_header(packet: &[u8]) -> usize {
    let octets = packet.first().map_or(0, |first| usize::from(first & 15) * 4);
    if kind(packet) == Kind::Other { 0 } else { octets }
}

/// Returns the server's address as four octets.
fn source() -> [u8; 4] {
    Ipv4Addr::octets(&ADDRESSES[SERVER.0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Action, Event, Fate, Packet};

    /// A reader that returns these results from last to first, then `WouldBlock`.
    struct Interrupted(Vec<io::Result<usize>>);

    impl Read for Interrupted {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            self.0.pop().unwrap_or_else(|| Err(ErrorKind::WouldBlock.into()))
        }
    }

    #[test]
    fn an_interrupted_read_is_repeated() {
        let recorder = Recorder::between(Vec::new());
        let raw = Interrupted(vec![Ok(1), Err(ErrorKind::Interrupted.into())]);
        let (stop, stopped) = mpsc::channel();
        drop(stop);
        assert_eq!(take(&recorder, raw, &stopped).expect("read to the end"), [[0]]);
    }

    #[test]
    fn a_missing_or_changed_copy_shows_in_the_result() {
        let mut trace = Trace::default();
        for octets in [vec![1], vec![2], vec![3]] {
            let fate = Fate::Arrived(vec![Duration::ZERO]);
            let action = Action::Packet(Packet { to: SERVER, octets, fate });
            trace.push(Event { at: Duration::ZERO, host: CLIENT, action });
        }
        assert_eq!(compare_copies(&[vec![1], vec![2], vec![3]], &trace), ALL);
        assert_eq!(compare_copies(&[vec![1], vec![3]], &trace), "2 of 3");
        assert_eq!(compare_copies(&[vec![1], vec![2], vec![4]], &trace), "2 of 3");
        assert_eq!(compare_copies(&[], &Trace::default()), "0 of 0");
    }
}
