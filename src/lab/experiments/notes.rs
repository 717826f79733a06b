//! Lab `notes`: system calls of the sample client and server in a course's lecture notes.

use crate::client::{Family, Options, Target};
use crate::compare::closed_port;
use crate::lab::loopback::{
    ANY_PORT, CLIENT, PATIENCE, Pair, REPLY_OCTETS, RecordedSocket, SERVER, ask, ctime_reply,
    failed, is_local, octets, outcome, received,
};
use crate::lab::recorder::Recorder;
use crate::lab::{Engine, Lab, LabOption, Obstacle, Prediction, Procedure, Results, Setting};
use crate::trace::HostId;
use crate::transport::Transport::{Tcp, Udp};
use nix::unistd::gethostname;
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

pub(super) static LAB: Lab = lab!("notes", [PROCEDURE]);

const PROCEDURE: Procedure = Procedure::new(Engine::Loopback, predict, run)
    .with(&[LabOption::Buffer.within(1..=MAX_BUFFER)], |setting| {
        vec![("buffer", buffer(setting).to_string())]
    });

/// Size in octets of the buffer that the sample client in the lecture notes passes to recv(2).
const BUFFER: usize = 1024;
/// Maximum buffer size in octets, far larger than any reply.
const MAX_BUFFER: u32 = 65_536;
const LISTEN_ON_DATAGRAMS: &str = "listen(5) on SOCK_DGRAM";
const RECV_AT_ONCE: &str = "one recv, line at once";
const RECV_OCTET_BY_OCTET: &str = "one recv, octet by octet";
const ASKED_AT_NAMED: &str = "asked at its own address";
const ASKED_AT_OTHER: &str = "asked at another address";
const SECOND_MEANWHILE: &str = "2nd client, kept waiting";
const SECOND_IN_TURN: &str = "2nd client, in its turn";
const OVER_V4: &str = "::1 only, over IPv4";
const OVER_V6: &str = "::1 only, over IPv6";

const CONNECTED: &str = "connected";
const REFUSED: &str = "ECONNREFUSED";

const SECOND_CLIENT: HostId = HostId(2);

/// A second loopback address. Linux normally has all of 127.0.0.0/8 on loopback; other systems have only 127.0.0.1.
const OTHER_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

fn buffer(setting: &Setting) -> usize {
    setting.options.buffer.map_or(BUFFER, |octets| octets as usize)
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let buffer = buffer(setting);
    let mut predictions = vec![
        Prediction::is(Udp, LISTEN_ON_DATAGRAMS, "EOPNOTSUPP"),
        Prediction::is(Tcp, RECV_AT_ONCE, octets(REPLY_OCTETS.min(buffer))),
        Prediction::is(Tcp, RECV_OCTET_BY_OCTET, octets(1)),
        Prediction::is(Tcp, ASKED_AT_NAMED, octets(REPLY_OCTETS)),
    ];
    if is_local(OTHER_ADDRESS.into()) {
        predictions.push(Prediction::is(Tcp, ASKED_AT_OTHER, REFUSED));
    }
    predictions.push(Prediction::is(Tcp, SECOND_MEANWHILE, "EAGAIN"));
    predictions.push(Prediction::is(Tcp, SECOND_IN_TURN, octets(REPLY_OCTETS)));
    if has_v6() {
        predictions.push(Prediction::is(Tcp, OVER_V4, REFUSED));
        predictions.push(Prediction::is(Tcp, OVER_V6, octets(REPLY_OCTETS)));
    }
    predictions
}

/// Returns whether this host has the IPv6 loopback address ::1.
fn has_v6() -> bool {
    is_local(Ipv6Addr::LOCALHOST.into())
}

fn run(setting: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    datagrams_listen(results)?;
    one_recv(buffer(setting), results)?;
    one_address(results)?;
    one_at_a_time(results)?;
    if has_v6() {
        one_version(results)?;
    }
    Ok(())
}

fn datagrams_listen(results: &mut Results) -> Result<(), Obstacle> {
    let recorder = Recorder::on_loopback();
    let server = RecordedSocket::open(&recorder, SERVER, Udp)?;
    recorder.note(SERVER, "socket(AF_INET, SOCK_DGRAM)", "a socket");
    server.bind(ANY_PORT)?;
    results.observe(Udp, LISTEN_ON_DATAGRAMS, outcome(&server.listen(5), "listening"));
    results.keep_trace(Udp, "the notes' socket", recorder.trace());
    Ok(())
}

fn one_recv(room: usize, results: &mut Results) -> Result<(), Obstacle> {
    let recorder = Recorder::on_loopback();
    for what in [RECV_AT_ONCE, RECV_OCTET_BY_OCTET] {
        let Pair { client, server } = Pair::new(Tcp, &recorder)?;
        let reply = ctime_reply()?;
        // The client receives the first octet before the server sends the second, as on a slow network.
        let first = if what == RECV_AT_ONCE { REPLY_OCTETS } else { 1 };
        let (now, rest) = reply.octets().split_at(first.min(reply.octets().len()));
        server.send(now)?;
        results.observe(Tcp, what, received(&client.receive(room)));
        for octet in rest.chunks(1) {
            server.send(octet)?;
        }
    }
    results.keep_trace(Tcp, "one recv: line at once, octet by octet", recorder.short_trace());
    Ok(())
}

fn one_address(results: &mut Results) -> Result<(), Obstacle> {
    let recorder = Recorder::on_loopback();
    let named = own_address(&recorder);
    let server = RecordedSocket::open(&recorder, SERVER, Tcp)?;
    server.bind(SocketAddr::new(named, 0))?;
    server.unrecorded("listen(5)", |socket| socket.listen(5))?;
    let there = server.local_address()?;
    let client = ask(&recorder, CLIENT, Tcp, there)?;
    send_line(&server)?;
    results.observe(Tcp, ASKED_AT_NAMED, received(&client.receive_within(PATIENCE)));
    if is_local(OTHER_ADDRESS.into()) {
        let here = IpAddr::from(Ipv4Addr::LOCALHOST);
        let other = if named == here { OTHER_ADDRESS.into() } else { here };
        let client = RecordedSocket::open(&recorder, CLIENT, Tcp)?;
        let at = SocketAddr::new(other, there.port()).into();
        let connect = |socket: &Socket| socket.connect_timeout(&at, PATIENCE);
        let connected = client.call(&format!("connect({other})"), connect, |()| CONNECTED.into());
        results.observe(Tcp, ASKED_AT_OTHER, outcome(&connected, CONNECTED));
    }
    results.keep_trace(Tcp, "bound to the host's name", recorder.trace());
    Ok(())
}

/// Accepts a client and sends it a reply; the trace shows only the send.
fn send_line(server: &RecordedSocket) -> Result<(), Obstacle> {
    server.accept_unrecorded()?.send(ctime_reply()?.octets())?;
    Ok(())
}

/// Timeout for resolving the host's own name.
const RESOLVER_TIMEOUT: Duration = Duration::from_secs(1);

/// Resolves the host's own name to an IPv4 address, as gethostbyname(3) does. If the name has no such address, or the
/// address is not a loopback address of this host, returns 127.0.0.1. So the lab opens no port to the network.
fn own_address(recorder: &Recorder) -> IpAddr {
    let here = IpAddr::from(Ipv4Addr::LOCALHOST);
    let (outcome, address) = match resolve_own_name() {
        Some(address) if address.is_loopback() && is_local(address) => {
            (address.to_string(), address)
        }
        Some(_) => ("not on loopback".into(), here),
        None => ("no address".into(), here),
    };
    recorder.note(SERVER, "gethostbyname(gethostname())", &outcome);
    address
}

fn resolve_own_name() -> Option<IpAddr> {
    let options = Options { family: Family::V4, port: 0, ..Options::default() };
    let name: Target = gethostname().ok()?.into_string().ok()?.parse().ok()?;
    let addresses = name.resolve(&options, Instant::now() + RESOLVER_TIMEOUT).ok()?;
    addresses.first().map(SocketAddr::ip)
}

/// Lets two clients connect to a server that serves one client at a time, and records what the second client receives.
fn one_at_a_time(results: &mut Results) -> Result<(), Obstacle> {
    let recorder = Recorder::among(&["first client", "server", "second client"]);
    let server = RecordedSocket::open(&recorder, SERVER, Tcp)?;
    server.unrecorded("bind(), listen(5)", |socket| {
        socket.bind(&ANY_PORT.into())?;
        socket.listen(5)
    })?;
    let (at, reply) = (server.local_address()?, ctime_reply()?);
    let _first = ask(&recorder, CLIENT, Tcp, at)?;
    let waiting = ask(&recorder, SECOND_CLIENT, Tcp, at)?;
    let with_first = server.answer(&reply)?;
    // This receive need not wait: until the server closes the first client's connection, it sends the second client
    // nothing.
    waiting.set_nonblocking(true)?;
    results.observe(Tcp, SECOND_MEANWHILE, received(&waiting.receive(BUFFER)));
    if let Some(stream) = with_first {
        stream.close();
    }
    server.answer(&reply)?;
    waiting.set_nonblocking(false)?;
    results.observe(Tcp, SECOND_IN_TURN, received(&waiting.receive_within(PATIENCE)));
    results.keep_trace(Tcp, "two clients", recorder.trace());
    Ok(())
}

fn one_version(results: &mut Results) -> Result<(), Obstacle> {
    let recorder = Recorder::on_loopback();
    let (server, here, _kept) = listen_on_v6_only().map_err(failed("listen on ::1"))?;
    let server = RecordedSocket::of(&recorder, SERVER, Tcp, server);
    recorder.note(SERVER, "bind(::1), listen(5)", "listening");
    results.observe(Tcp, OVER_V4, outcome(&ask(&recorder, CLIENT, Tcp, here), CONNECTED));
    let client = Socket::new(Domain::IPV6, Type::STREAM, None).map_err(failed("open a socket"))?;
    let client = RecordedSocket::of(&recorder, CLIENT, Tcp, client);
    client.connect(server.local_address()?)?;
    send_line(&server)?;
    results.observe(Tcp, OVER_V6, received(&client.receive_within(PATIENCE)));
    results.keep_trace(Tcp, "IPv4 only", recorder.trace());
    Ok(())
}

/// Maximum number of ports to try: a port that is free over IPv4 may be in use over IPv6.
const MAX_ATTEMPTS: usize = 16;

/// Returns a listener on ::1, the address 127.0.0.1 with the same port, and a socket that reserves this port on
/// 127.0.0.1 without listening, so that a connection to it is refused.
fn listen_on_v6_only() -> io::Result<(Socket, SocketAddr, Socket)> {
    let mut taken = io::ErrorKind::AddrInUse.into();
    for _ in 0..MAX_ATTEMPTS {
        let (here, kept) = closed_port(Ipv4Addr::LOCALHOST.into())?;
        let server = Socket::new(Domain::IPV6, Type::STREAM, None)?;
        server.set_read_timeout(Some(PATIENCE))?;
        match server.bind(&SocketAddr::from((Ipv6Addr::LOCALHOST, here.port())).into()) {
            Ok(()) => return server.listen(5).map(|()| (server, here, kept)),
            Err(error) => taken = error,
        }
    }
    Err(taken)
}

#[cfg(test)]
mod tests {
    use super::super::tests as check;
    use super::*;
    use crate::lab::LabOptions;

    #[test]
    fn each_fault_of_the_notes_shows() {
        let run = check::all_is_as_predicted(&LAB, LabOptions::default());
        for call in ["listen(5)", "recv(1024)", "gethostbyname(gethostname())", "send(1) × 25"] {
            assert!(check::is_shown(&run, call), "{call}: {:?}", run.parts);
        }
    }

    #[test]
    fn every_size_of_the_buffer_is_as_predicted() {
        for buffer in [1, 10, 26, MAX_BUFFER] {
            check::all_is_as_predicted(
                &LAB,
                LabOptions { buffer: Some(buffer), ..LabOptions::default() },
            );
        }
    }
}
