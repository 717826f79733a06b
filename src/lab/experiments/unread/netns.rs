//! Lab `unread` on the real kernel, between two network namespaces: the server closes with unread input, and the link
//! drops the reply.

use crate::lab::analysis::{count, replies, sent_by};
use crate::lab::link::{CLIENT, Conditions, Fault, SERVER};
use crate::lab::loopback::{PATIENCE, RecordedSocket, octets, outcome, received, within_timeout};
use crate::lab::netns::{Network, address, conditions, connect, failed, procedure, reply_timeout};
use crate::lab::packet::{Control, Kind, kind};
use crate::lab::recorder::Recorder;
use crate::lab::{Obstacle, Prediction, Procedure, Results, Setting};
use crate::trace::{Event, Packet, Trace};
use crate::transport::Transport::{Tcp, Udp};
use socket2::Socket;
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;

/// Data that the client sends and the server does not read.
const QUESTION: &[u8] = b"time, please\r\n";
/// The reply, in `ctime` syntax: 26 octets.
const REPLY: &[u8] = b"Mon Feb 22 17:37:43 1982\r\n";

pub(super) const READ: &str = "octets the client read";
pub(super) const RECV: &str = "client's recv()";
pub(super) const REPLIES: &str = "packets with the reply";
pub(super) const CHALLENGES: &str = "client's challenge ACKs";
pub(super) const LAST_PACKET: &str = "server's last packet";

pub(super) const PROCEDURE: Procedure = procedure(predict, run);

fn predict(_: &Setting) -> Vec<Prediction> {
    vec![
        Prediction::is(Tcp, READ, (0, "octet")),
        Prediction::is(Tcp, RECV, "ECONNRESET"),
        Prediction::is(Tcp, REPLIES, (1, "packet")),
        Prediction::is(Tcp, CHALLENGES, (1, "packet")),
        Prediction::is(Tcp, LAST_PACKET, "RST"),
        Prediction::is(Udp, RECV, "EAGAIN"),
        Prediction::is(Udp, REPLIES, (1, "packet")),
        Prediction::is(Udp, "packets without a reply", (0, "packet")),
    ]
}

fn run(setting: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    stream(setting, results)?;
    datagram(setting, results)
}

fn network(setting: &Setting) -> Result<Network, Obstacle> {
    Network::new(Conditions { fault: Fault::LoseReply, ..conditions(setting) }, setting)
}

fn stream(setting: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    let network = network(setting)?;
    let timeout = PATIENCE + 2 * network.round_trip();
    let listener = network.on(SERVER, "listen", listen)?;
    let closing = network.meanwhile(SERVER, "serve", move |recorder| {
        let accepted = within_timeout(&listener, || listener.accept())?;
        reply_and_close(RecordedSocket::of(recorder, SERVER, Tcp, accepted.0))
    })?;
    let (read, end) = network.on(CLIENT, "ask", move |recorder| {
        let stream = connect(recorder, Tcp, timeout)?;
        stream.send(QUESTION)?;
        let mut all = 0;
        loop {
            match stream.receive(512) {
                Ok(part) if !part.is_empty() => all += part.len(),
                ended => return Ok((all, outcome(&ended, "end"))),
            }
        }
    })?;
    closing.wait(PATIENCE).map_err(failed("serve"))?;
    // Waits long enough to see a retransmission, which would follow after 0.2 s at the earliest.
    network.recorder.settle(2 * reply_timeout(setting))?;
    observe_stream(results, network.trace(), read, end);
    Ok(())
}

fn listen(recorder: &Recorder) -> io::Result<Socket> {
    let RecordedSocket { socket, .. } = RecordedSocket::open(recorder, SERVER, Tcp)?;
    socket.bind(&SocketAddr::from(address(SERVER)).into())?;
    socket.listen(1)?;
    Ok(socket)
}

/// Replies to a query without reading it, and closes the connection.
fn reply_and_close(stream: RecordedSocket) -> io::Result<()> {
    stream.socket.set_read_timeout(Some(PATIENCE))?;
    // Peeking waits for the query to arrive, and leaves it in the receive buffer.
    let mut room = [MaybeUninit::uninit()];
    let peek = |stream: &Socket| within_timeout(stream, || stream.peek(&mut room));
    stream.call("recv(1), MSG_PEEK", peek, |taken| octets(*taken))?;
    stream.send(REPLY)?;
    stream.close();
    Ok(())
}

/// Records the number of octets that the client read, the result of its last read, and the packets that both hosts
/// sent.
fn observe_stream(results: &mut Results, trace: Trace, read: usize, end: String) {
    let last = sent_by(&trace, SERVER).last();
    let last = last.map_or("nothing", |(_, packet)| kind(&packet.octets).words());
    results.observe(Tcp, READ, (u64::try_from(read).unwrap_or(u64::MAX), "octet"));
    results.observe(Tcp, RECV, end);
    results.observe(Tcp, REPLIES, count(replies(&trace), "packet"));
    results.observe(Tcp, CHALLENGES, count(challenges(&trace), "packet"));
    results.observe(Tcp, LAST_PACKET, last);
    results.keep_trace(Tcp, "with the reply lost", trace);
}

/// Returns the client's challenge ACKs: the empty ACKs that it sends after a reset that does not end the connection
/// (RFC 5961, section 3.2).
fn challenges(trace: &Trace) -> impl Iterator<Item = &Packet> {
    let is = |(event, packet): &(&Event, &Packet), host, what| {
        event.host == host && kind(&packet.octets) == Kind::Segment(what, 0)
    };
    let after = trace.packets().skip_while(move |it| !is(it, SERVER, Control::Rst));
    after.filter(move |it| is(it, CLIENT, Control::Ack)).map(|(_, packet)| packet)
}

fn datagram(setting: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    let network = network(setting)?;
    let _serving = network.serve(SERVER)?;
    let timeout = reply_timeout(setting);
    let came = network.on(CLIENT, "ask", move |recorder| {
        let client = connect(recorder, Udp, timeout)?;
        client.send(QUESTION)?;
        Ok(received(&client.receive(512)))
    })?;
    let trace = network.trace();
    let others = sent_by(&trace, SERVER).filter(|(_, it)| kind(&it.octets).octets() == 0);
    results.observe(Udp, RECV, came);
    results.observe(Udp, REPLIES, count(replies(&trace), "packet"));
    results.observe(Udp, "packets without a reply", count(others, "packet"));
    results.keep_trace(Udp, "with the reply lost", trace);
    Ok(())
}
