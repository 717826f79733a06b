//! Lab `silent`: the link is cut before the reply comes.

use super::super::super::link::{CLIENT, Conditions, Fault, SERVER};
use super::super::super::loopback::PATIENCE;
use super::super::super::{Engine, Expected, Knob, Obstacle, Prediction, Procedure, Run, Setting};
use super::super::network::Network;
use super::super::process::within;
use super::super::recorder::Sent;
use super::{
    Peer, conditions, connect, count, datagram_socket, delay, exactly, octets, of_client,
    of_server, patience, told,
};
use crate::transport::Transport::{self, Tcp, Udp};
use std::io::{self, Read};
use std::time::Duration;

pub(in crate::lab) const PROCEDURE: Procedure = Procedure {
    engine: Engine::Netns,
    knobs: &[Knob::Delay.within(0..=1000)],
    method,
    predict,
    run,
};

fn method(setting: &Setting) -> String {
    format!(
        "The link is cut when the first packet with the reply of the real server is on it, and nothing passes any \
         more. The client waits {} ms for the reply, {} ms away.",
        patience(setting).as_millis(),
        delay(setting).as_millis()
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
        Prediction::is(Tcp, "recv()", "EAGAIN"),
        Prediction::new(Tcp, "client, after the cut", after),
        Prediction::new(Tcp, "reply sent again", Expected::AtLeast((1, "time").into())),
        Prediction::is(Udp, "recv()", "EAGAIN"),
        Prediction::is(Udp, "client, after the cut", none("packet")),
        Prediction::is(Udp, "reply sent again", none("time")),
    ]
}

fn run(setting: &Setting) -> Result<Run, Obstacle> {
    within("silent", setting)
}

pub(super) fn inside(setting: &Setting) -> Result<Run, Obstacle> {
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
            Stream::Tcp(stream) => stream.read(&mut room),
            Stream::Udp(socket) => socket.recv(&mut room),
        };
        let mut stream = Stream::open(transport, limit)?;
        let called = recorder.call(CLIENT, "recv(512)", || ask(&mut stream), octets);
        Ok((told(&called, octets), stream))
    })?;
    if transport == Tcp {
        network.recorder.wait(
            "a repetition of the reply",
            PATIENCE + 10 * network.round_trip(),
            |packets| of_server(packets).filter(|sent| sent.carries_octets()).count() > 1,
        )?;
    }
    let packets = network.recorder.packets();
    let (after, repetitions) = after_the_cut(&packets);
    run.saw(transport, "recv()", came);
    run.saw(transport, "client, after the cut", after);
    run.saw(transport, "reply sent again", (repetitions, "time"));
    run.show(transport, "", network.trace());
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

/// The client's packets after the first with the reply, and how often that was sent again.
fn after_the_cut(packets: &[Sent]) -> ((u64, &'static str), u64) {
    let reply = packets.iter().position(|sent| sent.from == SERVER && sent.carries_octets());
    let after = &packets[reply.map_or(packets.len(), |reply| reply + 1)..];
    let again = of_server(after).filter(|sent| sent.carries_octets()).map(|_| 1).sum();
    (count(of_client(after), "packet"), again)
}
