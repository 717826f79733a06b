//! Several clients and servers on this host, and what each does over either transport.

use super::{Notebook, SERVER, accept, failed, in_time, name, octets, open, recv, taken};
use crate::lab::Obstacle;
use crate::reply::Reply;
use crate::server::{Config, Running, Server};
use crate::trace::{Host, HostId, Trace};
use crate::transport::Transport;
use socket2::{Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

impl Notebook {
    /// For hosts with these names, all at 127.0.0.1; the first is number 0.
    pub(crate) fn among(names: &[&str]) -> Self {
        let addresses = vec![IpAddr::from(Ipv4Addr::LOCALHOST)];
        let host = |name: &&str| Host { name: (*name).into(), addresses: addresses.clone() };
        let trace = Trace::between(names.iter().map(host).collect());
        Self { start: Instant::now(), trace }
    }
}

/// The kind of socket that a transport has.
pub(crate) fn kind(transport: Transport) -> Type {
    match transport {
        Transport::Tcp => Type::STREAM,
        Transport::Udp => Type::DGRAM,
    }
}

/// Has a client ask from a socket of its own that is connected: over UDP with an empty datagram.
pub(crate) fn ask(
    notebook: &mut Notebook,
    client: HostId,
    transport: Transport,
    at: SocketAddr,
) -> io::Result<Socket> {
    let socket = open(kind(transport))?;
    ask_from(notebook, client, transport, &socket, at)?;
    Ok(socket)
}

/// The same from a socket that is there already.
pub(crate) fn ask_from(
    notebook: &mut Notebook,
    client: HostId,
    transport: Transport,
    socket: &Socket,
    at: SocketAddr,
) -> io::Result<()> {
    let connect = || socket.connect(&at.into());
    notebook.call(client, &format!("connect({})", at.ip()), connect, |()| "connected".into())?;
    if transport == Transport::Udp {
        notebook.call(client, "send(0)", || socket.send(&[]), |sent| octets(*sent))?;
    }
    Ok(())
}

/// What the client hears next, if it is within this time.
pub(crate) fn hear(
    notebook: &mut Notebook,
    client: HostId,
    socket: &Socket,
    patience: Duration,
) -> io::Result<Vec<u8>> {
    socket.set_read_timeout(Some(patience))?;
    notebook.call(client, "recv(1024)", || recv(socket, 1024), taken)
}

/// The same in words: `26 octets`, `EAGAIN`.
pub(crate) fn told(heard: &io::Result<Vec<u8>>) -> String {
    heard.as_ref().map_or_else(name, taken)
}

/// Has a plain server take the next question and answer it. Over TCP the connection is what is left.
pub(crate) fn answer(
    notebook: &mut Notebook,
    server: HostId,
    transport: Transport,
    socket: &Socket,
    line: &Reply,
) -> io::Result<Option<Socket>> {
    let line = line.octets();
    let sent = |sent: &usize| octets(*sent);
    match transport {
        Transport::Tcp => {
            let accept = || accept(socket);
            let (stream, _) = notebook.call(server, "accept()", accept, |_| "a client".into())?;
            notebook.call(server, "send(26)", || stream.send(line), sent)?;
            Ok(Some(stream))
        }
        Transport::Udp => {
            let take = || in_time(socket, || socket.recv_from(&mut []));
            let (_, peer) =
                notebook.call(server, "recvfrom()", take, |(length, _)| octets(*length))?;
            notebook.call(server, "sendto(26)", || socket.send_to(line, &peer), sent)?;
            Ok(None)
        }
    }
}

/// Closes a socket, which is written down too.
pub(crate) fn close(notebook: &mut Notebook, host: HostId, socket: Socket) {
    let mut socket = Some(socket);
    let close = || {
        drop(socket.take());
        Ok(())
    };
    // Dropping cannot fail.
    let _ = notebook.call(host, "close()", close, |()| "done".into());
}

/// Binds a server's socket; over TCP it listens, too.
pub(crate) fn bind(
    notebook: &mut Notebook,
    transport: Transport,
    socket: &Socket,
    at: SocketAddr,
) -> io::Result<()> {
    let bind = || socket.bind(&at.into());
    notebook.call(SERVER, &format!("bind({})", at.ip()), bind, |()| "bound".into())?;
    if transport == Transport::Tcp {
        notebook.call(SERVER, "listen(5)", || socket.listen(5), |()| "listening".into())?;
    }
    Ok(())
}

/// Where a socket is bound.
pub(crate) fn bound(socket: &Socket) -> Result<SocketAddr, Obstacle> {
    let local = socket.local_addr().map_err(failed("ask where a socket is bound"))?;
    let no_ip = || Obstacle::Missing("the socket has no IP address".into());
    local.as_socket().ok_or_else(no_ip)
}

/// The service of this crate at one address, over one transport.
pub(crate) fn service(transport: Transport, at: SocketAddr) -> Result<Running, Obstacle> {
    let config = Config { addresses: vec![at], transports: vec![transport], ..Config::default() };
    let server = Server::bind(config).map_err(io::Error::other);
    server.and_then(Server::spawn).map_err(failed("start the service"))
}

#[cfg(test)]
mod tests {
    use super::super::{CLIENT, PATIENCE, anywhere, line};
    use super::*;
    use crate::trace::What;

    #[test]
    fn a_client_asks_a_plain_server_and_hears_a_line() {
        for transport in Transport::BOTH {
            let mut notebook = Notebook::among(&["client", "server"]);
            let server = open(kind(transport)).expect("a socket");
            let at = anywhere().as_socket().expect("IPv4");
            bind(&mut notebook, transport, &server, at).expect("loopback");
            let at = bound(&server).expect("bound");
            let client = ask(&mut notebook, CLIENT, transport, at).expect("asked");
            let line = line().expect("a time");
            answer(&mut notebook, SERVER, transport, &server, &line).expect("answered");
            let heard = hear(&mut notebook, CLIENT, &client, PATIENCE);
            assert_eq!(told(&heard), "26 octets", "{transport}");
            let calls = notebook.finish().events.into_iter().map(|event| match event.what {
                What::Call { call, .. } => call,
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
            let service = service(transport, anywhere().as_socket().expect("IPv4"));
            let service = service.expect("loopback");
            let mut notebook = Notebook::new();
            let client =
                ask(&mut notebook, CLIENT, transport, service.bound()[0].address).expect("asked");
            let heard = hear(&mut notebook, CLIENT, &client, PATIENCE).expect("an answer");
            assert!(heard.ends_with(b"-UTC\r\n"), "{heard:?}");
        }
    }
}
