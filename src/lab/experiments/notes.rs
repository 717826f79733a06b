//! What the client and the server of a common course do, whose server has a datagram socket listen.

use crate::client::{Family, Options, Target};
use crate::compare::closed_port;
use crate::duration::Unit;
use crate::lab::loopback::{
    ANY_PORT, CLIENT, PATIENCE, Pair, REPLY_OCTETS, SERVER, answer, ask, bind, ctime_reply, failed,
    is_local, local_address, octet_count, octets, open, outcome, received, recv, require_loopback,
};
use crate::lab::recorder::Recorder;
use crate::lab::{Engine, Lab, LabOption, Obstacle, Prediction, Procedure, Run, Setting, never};
use crate::transport::Transport;
use nix::unistd::gethostname;
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

pub(super) static LAB: Lab = Lab {
    name: "notes",
    text: page!("notes"),
    time_unit: Unit::Milliseconds,
    procedures: &[Procedure {
        engine: Engine::Loopback,
        uses_seed: never,
        options: &[LabOption::Buffer.within(1..=MAX_BUFFER)],
        values: |setting| vec![("buffer", buffer(setting).to_string())],
        predict,
        run,
    }],
};

/// Octets that the notes' client has room for.
const BUFFER: usize = 1024;
/// No line is longer than this by far.
const MAX_BUFFER: u32 = 65_536;
/// The port of the notes is 9999; ours is a free one.
const LISTEN: &str = "listen(5) on SOCK_DGRAM";
const WHOLE: &str = "one recv, line at once";
const PART: &str = "one recv, octet by octet";
const ASKED_AT_NAMED: &str = "asked at its own address";
const ASKED_AT_OTHER: &str = "asked at another address";
const MEANWHILE: &str = "2nd client, meanwhile";
const IN_TURN: &str = "2nd client, in its turn";
const V4: &str = "::1 only, over IPv4";
const V6: &str = "::1 only, over IPv6";

const REFUSED: &str = "ECONNREFUSED";

/// Linux has all of 127.0.0.0/8 on loopback unless somebody took it away; others have 127.0.0.1 only.
const OTHER_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

fn buffer(setting: &Setting) -> usize {
    setting.options.buffer.map_or(BUFFER, |octets| octets as usize)
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let buffer = buffer(setting);
    let (tcp, udp) = (Transport::Tcp, Transport::Udp);
    let mut predictions = vec![
        Prediction::is(udp, LISTEN, "EOPNOTSUPP"),
        Prediction::is(tcp, WHOLE, octets(REPLY_OCTETS.min(buffer))),
        Prediction::is(tcp, PART, octets(1)),
        Prediction::is(tcp, ASKED_AT_NAMED, octets(REPLY_OCTETS)),
    ];
    if is_local(OTHER_ADDRESS.into()) {
        predictions.push(Prediction::is(tcp, ASKED_AT_OTHER, REFUSED));
    }
    predictions.push(Prediction::is(tcp, MEANWHILE, "EAGAIN"));
    predictions.push(Prediction::is(tcp, IN_TURN, octets(REPLY_OCTETS)));
    if has_v6() {
        predictions.push(Prediction::is(tcp, V4, REFUSED));
        predictions.push(Prediction::is(tcp, V6, octets(REPLY_OCTETS)));
    }
    predictions
}

/// Whether this host has IPv6, at least on loopback.
fn has_v6() -> bool {
    is_local(Ipv6Addr::LOCALHOST.into())
}

fn run(setting: &Setting) -> Result<Run, Obstacle> {
    require_loopback()?;
    let mut run = Run::default();
    datagrams_listen(&mut run)?;
    one_recv(buffer(setting), &mut run)?;
    one_address(&mut run)?;
    one_at_a_time(&mut run)?;
    if has_v6() {
        one_version(&mut run)?;
    }
    Ok(run)
}

fn datagrams_listen(run: &mut Run) -> Result<(), Obstacle> {
    let recorder = Recorder::on_loopback();
    let server = open(Transport::Udp).map_err(failed("open a socket"))?;
    recorder.note(SERVER, "socket(AF_INET, SOCK_DGRAM)", "a socket");
    let bound = bind(&recorder, Transport::Udp, &server, ANY_PORT);
    bound.map_err(failed("bind a datagram socket"))?;
    let listen = || server.listen(5);
    let listened = recorder.call(SERVER, "listen(5)", listen, |()| "listening".into());
    run.observe(Transport::Udp, LISTEN, outcome(&listened, |()| "listening".into()));
    run.show(Transport::Udp, "the notes' socket", recorder.trace());
    Ok(())
}

fn one_recv(room: usize, run: &mut Run) -> Result<(), Obstacle> {
    for what in [WHOLE, PART] {
        let recorder = Recorder::on_loopback();
        let Pair { client, server } = Pair::new(Transport::Tcp, &recorder)?;
        let line = ctime_reply()?;
        // The first octet is taken before the second is sent, as a slow network would have it.
        let first = if what == WHOLE { REPLY_OCTETS } else { 1 };
        let (now, rest) = line.octets().split_at(first.min(line.octets().len()));
        let send = |part: &[u8]| recorder.send(SERVER, &server, part).map_err(failed("send"));
        send(now)?;
        run.observe(Transport::Tcp, what, received(&recorder.receive(CLIENT, &client, room)));
        for octet in rest.chunks(1) {
            send(octet)?;
        }
        recorder.close(SERVER, server);
        recorder.close(CLIENT, client);
        run.show(Transport::Tcp, what, recorder.short_trace());
    }
    Ok(())
}

fn one_address(run: &mut Run) -> Result<(), Obstacle> {
    let recorder = Recorder::on_loopback();
    let named = own_address(&recorder);
    let server = open(Transport::Tcp).map_err(failed("open a socket"))?;
    let binding = bind(&recorder, Transport::Tcp, &server, SocketAddr::new(named, 0));
    binding.map_err(failed(format!("listen on {named}")))?;
    let there = local_address(&server)?;
    let (client, line) = (ask(&recorder, CLIENT, Transport::Tcp, there), ctime_reply()?);
    let client = client.map_err(failed("connect"))?;
    answer(&recorder, SERVER, Transport::Tcp, &server, &line).map_err(failed("answer"))?;
    run.observe(
        Transport::Tcp,
        ASKED_AT_NAMED,
        received(&recorder.receive_within(CLIENT, &client, PATIENCE)),
    );
    if is_local(OTHER_ADDRESS.into()) {
        let here = IpAddr::from(Ipv4Addr::LOCALHOST);
        let other = if named == here { OTHER_ADDRESS.into() } else { here };
        let outcome = ask_other_address(&recorder, SocketAddr::new(other, there.port()))?;
        run.observe(Transport::Tcp, ASKED_AT_OTHER, outcome);
    }
    run.show(Transport::Tcp, "bound to the host's name", recorder.trace());
    Ok(())
}

fn ask_other_address(recorder: &Recorder, at: SocketAddr) -> Result<String, Obstacle> {
    let client = open(Transport::Tcp).map_err(failed("open a socket"))?;
    let connect = || client.connect_timeout(&at.into(), PATIENCE);
    let call = format!("connect({})", at.ip());
    let connected = recorder.call(CLIENT, &call, connect, |()| "connected".into());
    Ok(outcome(&connected, |()| "connected".into()))
}

/// How long a resolver may take that has no answer.
const RESOLVER_TIMEOUT: Duration = Duration::from_secs(1);

/// The IPv4 address of the host's own name, as gethostbyname(3) has it; 127.0.0.1 where that is none of
/// loopback, since nothing here is to be reached from the network.
fn own_address(recorder: &Recorder) -> IpAddr {
    let options = Options { family: Family::V4, port: 0, ..Options::default() };
    let resolved = gethostname().ok().and_then(|name| name.into_string().ok()).and_then(|name| {
        let target: Target = name.parse().ok()?;
        target
            .resolve(&options, Instant::now() + RESOLVER_TIMEOUT)
            .ok()?
            .first()
            .map(SocketAddr::ip)
    });
    let here = IpAddr::from(Ipv4Addr::LOCALHOST);
    let (outcome, address) = match resolved {
        Some(address) if is_local_address(address) => (address.to_string(), address),
        Some(_) => ("not on loopback".into(), here),
        None => ("no address".into(), here),
    };
    recorder.note(SERVER, "gethostbyname(gethostname())", &outcome);
    address
}

/// True for a loopback address that can be bound.
fn is_local_address(address: IpAddr) -> bool {
    address.is_loopback() && is_local(address)
}

/// The server accepts, sends and closes: between two accepts it is with one client only.
fn one_at_a_time(run: &mut Run) -> Result<(), Obstacle> {
    let recorder = Recorder::among(&["first client", "server", "second client"]);
    let second = crate::trace::HostId(2);
    let tcp = Transport::Tcp;
    let server = open(tcp).map_err(failed("open a socket"))?;
    bind(&recorder, tcp, &server, ANY_PORT).map_err(failed("listen"))?;
    let (at, line) = (local_address(&server)?, ctime_reply()?);
    let connect = |client| ask(&recorder, client, tcp, at).map_err(failed("connect"));
    let (_first, waiting) = (connect(CLIENT)?, connect(second)?);
    let serve = || answer(&recorder, SERVER, tcp, &server, &line).map_err(failed("answer"));
    let with_first = serve()?;
    // Not a moment is waited: whatever was sent to it would be there already.
    waiting.set_nonblocking(true).map_err(failed("have a socket not wait"))?;
    let receipt =
        recorder.call_at_once(second, "recv(1024)", || recv(&waiting, BUFFER), octet_count);
    run.observe(tcp, MEANWHILE, received(&receipt));
    if let Some(with_first) = with_first {
        recorder.close(SERVER, with_first);
    }
    serve()?;
    waiting.set_nonblocking(false).map_err(failed("have a socket wait"))?;
    run.observe(tcp, IN_TURN, received(&recorder.receive_within(second, &waiting, PATIENCE)));
    run.show(tcp, "two clients", recorder.trace());
    Ok(())
}

fn one_version(run: &mut Run) -> Result<(), Obstacle> {
    let recorder = Recorder::on_loopback();
    let tcp = Transport::Tcp;
    let (server, here, _kept) = listen_on_v6_only().map_err(failed("listen on ::1"))?;
    recorder.note(SERVER, "bind(::1), listen(5)", "listening");
    let refused = ask(&recorder, CLIENT, tcp, here);
    run.observe(tcp, V4, outcome(&refused, |_| "connected".into()));
    let there = local_address(&server)?;
    let client = Socket::new(Domain::IPV6, Type::STREAM, None).map_err(failed("open a socket"))?;
    recorder.connect(CLIENT, &client, there).map_err(failed("connect to ::1"))?;
    answer(&recorder, SERVER, tcp, &server, &ctime_reply()?).map_err(failed("answer"))?;
    run.observe(tcp, V6, received(&recorder.receive_within(CLIENT, &client, PATIENCE)));
    run.show(tcp, "IPv4 only", recorder.trace());
    Ok(())
}

/// How often another port is tried, where IPv4's is taken over IPv6.
const MAX_ATTEMPTS: usize = 16;

/// A listener on ::1, and 127.0.0.1 with the same port, which is kept so that nobody else listens there.
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
    fn whatever_the_buffer_it_is_as_predicted() {
        for buffer in [1, 10, 26, MAX_BUFFER] {
            check::all_is_as_predicted(
                &LAB,
                LabOptions { buffer: Some(buffer), ..LabOptions::default() },
            );
        }
    }
}
