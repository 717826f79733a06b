//! Lab `silent`: the link is cut before the reply comes.

use super::super::super::experiments::silent::{AGAIN, GROWTH, OF_CLIENT, Probes, RECV, observe};
use super::super::super::link::{CLIENT, Conditions, Fault, SERVER};
use super::super::super::loopback::{PATIENCE, in_time};
use super::super::super::{Expected, Obstacle, Prediction, Procedure, Run, Setting, Value};
use super::super::network::Network;
use super::{
    Peer, conditions, connect, datagram_socket, delay, exactly, octets, patience, procedure, told,
};
use crate::duration::short;
use crate::transport::Transport::{self, Tcp, Udp};
use std::io::{self, Read};
use std::time::Duration;

/// The waits double, but a busy machine makes one look longer, and then the next one shorter.
const GROWS: f64 = 1.25;

/// So many show that the waits grow, the first being a probe.
const REPETITIONS: usize = 3;

pub(in crate::lab) const PROCEDURE: Procedure = procedure(method, predict, run);

fn method(setting: &Setting) -> String {
    format!(
        "The link is cut when the first packet with the reply of the real server is on it, and nothing passes any \
         more. The client waits {} for the reply, {} away.",
        short(patience(setting)),
        delay(setting)
    )
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let none = |of| (0, of);
    // A handshake that was repeated is acknowledged once more.
    let after = match exactly(setting, 0, "packet") {
        Expected::AtLeast(least) => Expected::Between(least, (3, "packet").into()),
        none => none,
    };
    vec![
        Prediction::is(Tcp, RECV, "EAGAIN"),
        Prediction::new(Tcp, OF_CLIENT, after),
        Prediction::new(Tcp, AGAIN, Expected::AtLeast((2, "time").into())),
        Prediction::new(Tcp, GROWTH, Expected::AtLeast(Value::Share(GROWS))),
        Prediction::is(Udp, RECV, "EAGAIN"),
        Prediction::is(Udp, OF_CLIENT, none("packet")),
        Prediction::is(Udp, AGAIN, none("time")),
    ]
}

fn run(setting: &Setting) -> Result<Run, Obstacle> {
    let mut run = Run::default();
    for transport in Transport::BOTH {
        cut(setting, transport, &mut run)?;
    }
    Ok(run)
}

fn cut(setting: &Setting, transport: Transport, run: &mut Run) -> Result<(), Obstacle> {
    let conditions = Conditions { fault: Fault::CutAtReply, ..conditions(setting) };
    let network = Network::new(conditions, setting)?;
    let _serving = network.serve(SERVER)?;
    let limit = patience(setting);
    // The stream stays open until all is seen: its end would be a packet of the client.
    let (came, _stream) = network.on(CLIENT, "ask", move |recorder| {
        let mut room = [0; 512];
        let mut ask = |stream: &mut Stream| match stream {
            Stream::Tcp(stream) => in_time(stream, || (&*stream).read(&mut room)),
            Stream::Udp(socket) => in_time(socket, || socket.recv(&mut room)),
        };
        let mut stream = Stream::open(transport, limit)?;
        let called = recorder.call(CLIENT, "recv(512)", || ask(&mut stream), octets);
        Ok((told(&called, octets), stream))
    })?;
    if transport == Tcp {
        network.recorder.wait(PATIENCE + 15 * network.round_trip(), |packets| {
            let replies =
                packets.iter().filter(|sent| sent.from == SERVER && sent.carries_octets());
            replies.count() > REPETITIONS
        })?;
    }
    observe(run, transport, came, Probes::One, network.trace());
    Ok(())
}

enum Stream {
    Tcp(std::net::TcpStream),
    Udp(std::net::UdpSocket),
}

impl Stream {
    /// Over UDP with the question already sent.
    fn open(transport: Transport, limit: Duration) -> io::Result<Self> {
        Ok(match transport {
            Tcp => Self::Tcp(connect(limit)?),
            Udp => {
                let socket = datagram_socket(limit, Peer::Connected)?;
                socket.send(&[])?;
                Self::Udp(socket)
            }
        })
    }
}
