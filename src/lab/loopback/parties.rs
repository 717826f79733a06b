//! Several clients and servers on this host, and what each does over either transport.

use super::{SERVER, accept, failed, octets, open, within_timeout};
use crate::lab::Obstacle;
use crate::lab::recorder::Recorder;
use crate::reply::Reply;
use crate::server::{Config, Running, Server};
use crate::trace::HostId;
use crate::transport::Transport;
use socket2::Socket;
use std::io;
use std::net::SocketAddr;

/// Has a client ask from a socket of its own that is connected: over UDP with an empty datagram.
pub(crate) fn ask(
    recorder: &Recorder,
    client: HostId,
    transport: Transport,
    at: SocketAddr,
) -> io::Result<Socket> {
    let socket = open(transport)?;
    ask_from(recorder, client, transport, &socket, at)?;
    Ok(socket)
}

/// The same from a socket that is there already.
pub(crate) fn ask_from(
    recorder: &Recorder,
    client: HostId,
    transport: Transport,
    socket: &Socket,
    at: SocketAddr,
) -> io::Result<()> {
    recorder.connect(client, socket, at)?;
    if transport == Transport::Udp {
        recorder.send(client, socket, &[])?;
    }
    Ok(())
}

/// Has a plain server take the next question and answer it. Over TCP the connection is what is left.
pub(crate) fn answer(
    recorder: &Recorder,
    server: HostId,
    transport: Transport,
    socket: &Socket,
    line: &Reply,
) -> io::Result<Option<Socket>> {
    let line = line.octets();
    match transport {
        Transport::Tcp => {
            let accept = || accept(socket);
            let (stream, _) = recorder.call(server, "accept()", accept, |_| "a client".into())?;
            recorder.send(server, &stream, line)?;
            Ok(Some(stream))
        }
        Transport::Udp => {
            let take = || within_timeout(socket, || socket.recv_from(&mut []));
            let (_, peer) =
                recorder.call(server, "recvfrom()", take, |(length, _)| octets(*length))?;
            let send = || socket.send_to(line, &peer);
            recorder.call(server, "sendto(26)", send, |sent| octets(*sent))?;
            Ok(None)
        }
    }
}

/// Binds a server's socket; over TCP it listens, too.
pub(crate) fn bind(
    recorder: &Recorder,
    transport: Transport,
    socket: &Socket,
    at: SocketAddr,
) -> io::Result<()> {
    let bind = || socket.bind(&at.into());
    recorder.call(SERVER, &format!("bind({})", at.ip()), bind, |()| "bound".into())?;
    if transport == Transport::Tcp {
        recorder.call(SERVER, "listen(5)", || socket.listen(5), |()| "listening".into())?;
    }
    Ok(())
}

/// Returns the address and port that a socket is bound to.
pub(crate) fn local_address(socket: &Socket) -> Result<SocketAddr, Obstacle> {
    let local = socket.local_addr().map_err(failed("ask where a socket is bound"))?;
    let no_ip = || Obstacle::Missing("the socket has no IP address".into());
    local.as_socket().ok_or_else(no_ip)
}

/// Starts the service of this crate at one address, over one transport.
pub(crate) fn start_service(transport: Transport, at: SocketAddr) -> Result<Running, Obstacle> {
    let config = Config { addresses: vec![at], transports: vec![transport], ..Config::default() };
    let server = Server::bind(config).map_err(io::Error::other);
    server.and_then(Server::spawn).map_err(failed("start the service"))
}

#[cfg(test)]
mod tests {
    use super::super::{ANY_PORT, CLIENT, PATIENCE, ctime_reply, received};
    use super::*;
    use crate::trace::Action;

    #[test]
    fn a_client_asks_a_plain_server_and_hears_a_line() {
        for transport in Transport::BOTH {
            let recorder = Recorder::among(&["client", "server"]);
            let server = open(transport).expect("a socket");
            let at = ANY_PORT;
            bind(&recorder, transport, &server, at).expect("loopback");
            let at = local_address(&server).expect("bound");
            let client = ask(&recorder, CLIENT, transport, at).expect("asked");
            let line = ctime_reply().expect("a time");
            answer(&recorder, SERVER, transport, &server, &line).expect("answered");
            let receipt = recorder.receive_within(CLIENT, &client, PATIENCE);
            assert_eq!(received(&receipt), "26 octets", "{transport}");
            let calls = recorder.trace().events.into_iter().map(|event| match event.action {
                Action::Call { call, .. } => call,
                other => panic!("{other:?}"),
            });
            let expected = match transport {
                Transport::Tcp => {
                    "bind(127.0.0.1) listen(5) connect(127.0.0.1) accept() send(26) recv(1024)"
                }
                Transport::Udp => {
                    "bind(127.0.0.1) connect(127.0.0.1) send(0) recvfrom() sendto(26) recv(1024)"
                }
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
            let receipt = recorder.receive_within(CLIENT, &client, PATIENCE).expect("an answer");
            assert!(receipt.ends_with(b"-UTC\r\n"), "{receipt:?}");
        }
    }
}
