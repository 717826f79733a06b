//! Clients and servers on this host, and what they do over each transport.

use super::{ANY_PORT, CLIENT, CallError, RecordedSocket, SERVER, failed, octets};
use crate::lab::Obstacle;
use crate::lab::recorder::Recorder;
use crate::reply::Reply;
use crate::server::{Config, Running, Server};
use crate::trace::HostId;
use crate::transport::Transport;
use socket2::Socket;
use std::io;
use std::net::SocketAddr;

/// A client's socket and a server's socket, connected to each other. The trace shows only the client's connect(2), not
/// the other calls that set up the pair.
#[derive(Debug)]
pub(crate) struct Pair {
    pub client: RecordedSocket,
    pub server: RecordedSocket,
}

impl Pair {
    pub(crate) fn new(transport: Transport, recorder: &Recorder) -> Result<Self, CallError> {
        let server = RecordedSocket::open(recorder, SERVER, transport)?;
        let client = RecordedSocket::open(recorder, CLIENT, transport)?;
        match transport {
            Transport::Tcp => Self::of_streams(client, &server),
            Transport::Udp => Self::of_datagrams(client, server),
        }
    }

    fn of_streams(client: RecordedSocket, listener: &RecordedSocket) -> Result<Self, CallError> {
        listener.unrecorded("bind(), listen(1)", |socket| {
            socket.bind(&ANY_PORT.into())?;
            socket.listen(1)
        })?;
        client.connect_as("connect()", listener.local_address()?)?;
        Ok(Self { client, server: listener.accept_unrecorded()? })
    }

    fn of_datagrams(client: RecordedSocket, server: RecordedSocket) -> Result<Self, CallError> {
        let bind = |socket: &Socket| socket.bind(&ANY_PORT.into());
        server.unrecorded("bind()", bind)?;
        client.unrecorded("bind()", bind)?;
        client.connect_as("connect()", server.local_address()?)?;
        let ours = client.local_address()?.into();
        server.unrecorded("connect()", |socket| socket.connect(&ours))?;
        Ok(Self { client, server })
    }
}

/// Opens a client's socket, and connects it to the server at `at`. Over UDP, also sends an empty datagram as the query.
/// The trace shows this send but not the UDP connect(2), which sends no packet.
pub(crate) fn ask(
    recorder: &Recorder,
    client: HostId,
    transport: Transport,
    at: SocketAddr,
) -> Result<RecordedSocket, CallError> {
    let socket = RecordedSocket::open(recorder, client, transport)?;
    match transport {
        Transport::Tcp => socket.connect(at)?,
        Transport::Udp => {
            socket.unrecorded("connect()", |it| it.connect(&at.into()))?;
            socket.send(&[])?;
        }
    }
    Ok(socket)
}

impl RecordedSocket {
    /// Connects the socket to the server at `at`. Over UDP, also sends an empty datagram as the query.
    pub(crate) fn ask(&self, at: SocketAddr) -> Result<(), CallError> {
        self.connect(at)?;
        if self.transport == Transport::Udp {
            self.send(&[])?;
        }
        Ok(())
    }

    /// Waits for the next connection or query and replies to it, as a simple server does. Over TCP returns the
    /// connection, over UDP `None`.
    pub(crate) fn answer(&self, reply: &Reply) -> Result<Option<Self>, CallError> {
        match self.transport {
            Transport::Tcp => {
                let stream = self.accept()?;
                stream.send(reply.octets())?;
                Ok(Some(stream))
            }
            Transport::Udp => {
                let (_, peer) = self.receive_from("recvfrom()", |(length, _)| octets(*length))?;
                self.send_to(reply.octets(), peer)?;
                Ok(None)
            }
        }
    }
}

/// Starts this crate's own Daytime service at one address, over one transport.
pub(crate) fn start_service(transport: Transport, at: SocketAddr) -> Result<Running, Obstacle> {
    let config = Config { addresses: vec![at], transports: vec![transport], ..Config::default() };
    let server = Server::bind(config).map_err(io::Error::other);
    server.and_then(Server::spawn).map_err(failed("start the service"))
}

#[cfg(test)]
mod tests {
    use super::super::{PATIENCE, ctime_reply, received};
    use super::*;
    use crate::trace::Action;

    #[test]
    fn both_ends_of_a_pair_receive_from_each_other() {
        for transport in Transport::BOTH {
            let Pair { client, server } =
                Pair::new(transport, &Recorder::on_loopback()).expect("loopback");
            client.send(b"hello").expect("sent");
            assert_eq!(server.receive(16).expect("heard"), b"hello", "{transport}");
            server.send(b"noon").expect("sent");
            client.wait_for(4).expect("it arrives");
            assert_eq!(client.receive(16).expect("heard"), b"noon", "{transport}");
        }
    }

    #[test]
    fn connect_over_udp_says_in_every_lab_that_no_packet_is_sent() {
        let outcomes = |recorder: &Recorder| -> Vec<String> {
            let events = recorder.trace().events.into_iter();
            let calls = events.filter_map(|event| match event.action {
                Action::Call { call, outcome } if call.starts_with("connect") => Some(outcome),
                _ => None,
            });
            calls.collect()
        };
        for (transport, outcome) in
            Transport::BOTH.into_iter().zip(["connected", "no packet is sent"])
        {
            let recorder = Recorder::on_loopback();
            let pair = Pair::new(transport, &recorder).expect("loopback");
            let other = RecordedSocket::open(&recorder, CLIENT, transport).expect("a socket");
            let server = RecordedSocket::open(&recorder, SERVER, transport).expect("a socket");
            server.serve_at(ANY_PORT).expect("loopback");
            other.connect(server.local_address().expect("bound")).expect("connected");
            assert_eq!(outcomes(&recorder), [outcome; 2], "{transport}");
            drop(pair);
        }
    }

    #[test]
    fn a_client_asks_a_plain_server_and_receives_a_line() {
        for transport in Transport::BOTH {
            let recorder = Recorder::among(&["client", "server"]);
            let server = RecordedSocket::open(&recorder, SERVER, transport).expect("a socket");
            server.serve_at(ANY_PORT).expect("loopback");
            let at = server.local_address().expect("bound");
            let client = ask(&recorder, CLIENT, transport, at).expect("asked");
            let line = ctime_reply().expect("a time");
            server.answer(&line).expect("answered");
            let receipt = client.receive_within(PATIENCE);
            assert_eq!(received(&receipt), "26 octets", "{transport}");
            let calls = recorder.trace().events.into_iter().map(|event| match event.action {
                Action::Call { call, .. } => call,
                other => panic!("{other:?}"),
            });
            let expected = match transport {
                Transport::Tcp => {
                    "bind(127.0.0.1) listen(5) connect(127.0.0.1) accept() send(26) recv(1024)"
                }
                Transport::Udp => "bind(127.0.0.1) send(0) recvfrom() sendto(26) recv(1024)",
            };
            assert_eq!(calls.collect::<Vec<_>>().join(" "), expected);
        }
    }

    #[test]
    fn the_service_answers_a_plain_client() {
        for transport in Transport::BOTH {
            let service = start_service(transport, ANY_PORT);
            let service = service.expect("loopback");
            let recorder = Recorder::on_loopback();
            let client =
                ask(&recorder, CLIENT, transport, service.bound()[0].address).expect("asked");
            let receipt = client.receive_within(PATIENCE).expect("an answer");
            assert!(receipt.ends_with(b"-UTC\r\n"), "{receipt:?}");
        }
    }
}
